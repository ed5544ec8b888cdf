/* Any bytes, with descriptors, as a message on a channel between roles: refused or received, never a leak. */
#include "ipc/msg.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int lowest_free(void)
{
	int fd = dup(2);

	close(fd);
	return fd;
}

/* The first byte says how many descriptors come along and whether the last is a sealed memfd of that many bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(32 * sizeof(int))] = { 0 };
	auto_arena a = ARENA_INIT;
	struct ipc_msg m;
	struct err e;
	int ends[2], fds[32], memfd = -1, before = lowest_free();
	size_t nfds = n ? p[0] % 20 : 0, i;
	struct iovec io = { (void *)(p + 1), n ? n - 1 : 0 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n < 2 || ipc_pair(ends, &e))
		return 0;
	for (i = 0; i < nfds; i++)
		fds[i] = ends[0];
	if (nfds && p[0] >= 128) {
		memfd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (ftruncate(memfd, p[0]) || fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW))
			abort();
		fds[nfds - 1] = memfd;
	}
	if (nfds) {
		msg.msg_control = room;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof *fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, nfds * sizeof *fds);
	}
	if (sendmsg(ends[0], &msg, MSG_NOSIGNAL) >= 0 && ipc_recv(ends[1], &a, &m, 0, &e) == 1) {
		if (m.body.n > IPC_BODY_MAX || m.nfds > IPC_FDS_MAX)
			abort();
		ipc_err_decode(m.body, &e);
		ipc_msg_close(&m);
	}
	close(ends[0]);
	close(ends[1]);
	if (memfd >= 0)
		close(memfd);
	if (lowest_free() != before)
		abort();
	return 0;
}
