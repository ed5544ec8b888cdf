/* Messages between roles, well-formed and hostile. */
#include "ipc/msg.h"
#include "ipc/role.h"

#include "base/fd.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct arena arena;
static struct err err;
static int ends[2];

static int open_fds(void)
{
	int n = 0, fd;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void start(void)
{
	REQUIRE_OK(ipc_pair(ends, &err), err);
}

static int got(struct ipc_msg *m)
{
	return ipc_recv(ends[1], &arena, m, 1000, &err);
}

TEST(a_message_goes_over_with_its_descriptors)
{
	struct ipc_msg m = { .kind = IPC_REQUEST, .op = 513, .id = UINT64_MAX, .body = STR("hello"), .nfds = 2 }, r;
	struct stat a, b;
	int p[2], before;

	start();
	REQUIRE(pipe(p) == 0);
	m.fds[0] = p[0];
	m.fds[1] = p[1];
	before = open_fds();
	REQUIRE_OK(ipc_send(ends[0], &m, 0, &err), err);
	CHECK_INT(got(&r), 1);
	CHECK(r.kind == IPC_REQUEST && r.op == 513 && r.id == UINT64_MAX && r.nfds == 2);
	CHECK_STR(r.body, "hello");
	CHECK(fstat(p[0], &a) == 0 && fstat(r.fds[0], &b) == 0 && a.st_ino == b.st_ino);
	CHECK(fcntl(r.fds[0], F_GETFD) & FD_CLOEXEC);
	close(ipc_msg_take(&r, 1));
	CHECK_INT(ipc_msg_take(&r, 1), -1);
	CHECK_INT(ipc_msg_take(&r, 2), -1);
	ipc_msg_close(&r);
	CHECK_INT(open_fds(), before);
}

TEST(large_bodies_travel_too)
{
	static const size_t sizes[] = { 0, 1, IPC_INLINE_MAX, IPC_INLINE_MAX + 1, IPC_BODY_MAX };
	char *body = malloc(IPC_BODY_MAX + 1);
	struct ipc_msg m = { .kind = IPC_EVENT, .nfds = IPC_FDS_MAX }, r;
	size_t i;
	int before;

	start();
	before = open_fds();
	for (i = 0; i < IPC_BODY_MAX; i++)
		body[i] = test_rand();
	for (i = 0; i < IPC_FDS_MAX; i++)
		m.fds[i] = 0;
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		m.body = str_make(body, sizes[i]);
		REQUIRE_OK(ipc_send(ends[0], &m, 0, &err), err);
		CHECK_INT(got(&r), 1);
		CHECK(str_eq(m.body, r.body) && r.nfds == IPC_FDS_MAX);
		ipc_msg_close(&r);
		CHECK_INT(open_fds(), before);
	}
	m.body = str_make(body, IPC_BODY_MAX + 1);
	CHECK(ipc_send(ends[0], &m, 0, &err) == -1 && err.code == EMSGSIZE);
}

TEST(waiting_ends)
{
	struct ipc_msg m = { .kind = IPC_EVENT, .body = { calloc(1, 30000), 30000 } }, r;
	int sent = 0;

	start();
	CHECK(ipc_recv(ends[1], &arena, &r, 0, &err) == -1 && err.code == EAGAIN);
	CHECK(ipc_recv(ends[1], &arena, &r, 20, &err) == -1 && err.code == EAGAIN);
	while (sent < 10000 && ipc_send(ends[0], &m, 0, &err) == 0)
		sent++;
	CHECK(sent > 5 && sent < 10000 && err.code == EAGAIN);
	CHECK(ipc_send(ends[0], &m, 20, &err) == -1 && err.code == EAGAIN);
	close(ends[0]);
	for (; sent; sent--)
		CHECK_INT(got(&r), 1);
	CHECK_INT(got(&r), 0);
	CHECK(ipc_send(ends[1], &m, 0, &err) == -1 && err.code == EPIPE);
}

/* Raw bytes and descriptors, past ipc_send. */
static void send_raw(const void *p, size_t n, const int *fds, size_t nfds)
{
	struct iovec io = { (void *)p, n };
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(64 * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds) {
		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof *fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, nfds * sizeof *fds);
	}
	REQUIRE(sendmsg(ends[0], &m, 0) == (ssize_t)n);
}

struct head { uint16_t magic, op; uint8_t kind, flags; uint16_t nfds; uint32_t body, zero; uint64_t id; };

TEST(hostile_messages_are_refused_and_leak_nothing)
{
	static char big[100000];
	int fds[40], before, i, memfd;
	struct ipc_msg r;
	struct head good = { .magic = 0x7433, .op = 1, .kind = IPC_REQUEST }, h;

	start();
	for (i = 0; i < 40; i++)
		fds[i] = ends[0];
	before = open_fds();
#define REFUSED(bytes, n, nfds) (send_raw(bytes, n, fds, nfds), CHECK_INT(got(&r), -1), CHECK_INT(err.code, EBADMSG), \
	CHECK_INT(open_fds(), before))
	REFUSED("x", 1, 0);
	REFUSED("x", 1, 3);
	REFUSED(&good, sizeof good - 1, 0);
	REFUSED(&good, sizeof good, 1);
	h = good; h.magic++;
	REFUSED(&h, sizeof h, 0);
	h = good; h.kind = 0;
	REFUSED(&h, sizeof h, 0);
	h = good; h.kind = 9;
	REFUSED(&h, sizeof h, 0);
	h = good; h.body = 5;
	REFUSED(&h, sizeof h, 0);
	h = good; h.nfds = 2;
	REFUSED(&h, sizeof h, 1);
	h = good; h.flags = 2;
	REFUSED(&h, sizeof h, 0);
	h = good; h.nfds = 17;
	REFUSED(&h, sizeof h, 17);
	h = good; h.nfds = 40;
	REFUSED(&h, sizeof h, 40);
	memcpy(big, &good, sizeof good);
	REFUSED(big, sizeof big, 0);
	REFUSED(big, sizeof big, 16);

	h = good; h.flags = 1; h.nfds = 1; h.body = 10;        /* a body in something that is not sealed memory */
	REFUSED(&h, sizeof h, 1);
	h.nfds = 0;
	REFUSED(&h, sizeof h, 0);
	h.nfds = 1;
	memfd = memfd_create("x", MFD_ALLOW_SEALING);
	before++;
	REQUIRE(ftruncate(memfd, 10) == 0);
	fds[0] = memfd;
	REFUSED(&h, sizeof h, 1);
	REQUIRE(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	h.body = 11;
	REFUSED(&h, sizeof h, 1);
	h.body = 10;
	send_raw(&h, sizeof h, fds, 1);
	CHECK_INT(got(&r), 1);
	CHECK_INT(r.nfds, 0);
	CHECK_INT(r.body.n, 10);
	CHECK_INT(open_fds(), before);
}

/* A process that has no descriptor left: the message is lost, the channel is not. */
TEST(descriptors_without_room_lose_the_message_only)
{
	struct ipc_msg m = { .kind = IPC_REQUEST, .op = 7, .id = 9, .nfds = 2, .body = STR("hello") };
	struct rlimit was, few;
	int pair[2], devnull = open("/dev/null", O_RDONLY);
	char *big = calloc(1, IPC_INLINE_MAX + 1);
	struct ipc_msg r;

	REQUIRE_OK(ipc_pair(pair, &err), err);
	m.fds[0] = m.fds[1] = devnull;
	REQUIRE(getrlimit(RLIMIT_NOFILE, &was) == 0);
	for (int round = 0; round < 3; round++) {             /* a request, a reply, a request with a body in a descriptor */
		m.kind = round == 1 ? IPC_REPLY : IPC_REQUEST;
		if (round == 2)
			m.body = str_make(big, IPC_INLINE_MAX + 1);
		REQUIRE_OK(ipc_send(pair[0], &m, 0, &err), err);
		few = was;
		few.rlim_cur = (rlim_t)devnull + (round ? 1 : 2);     /* room for none, at first for one at most */
		REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
		CHECK_INT(ipc_recv(pair[1], &arena, &r, 0, &err), 1);
		REQUIRE(setrlimit(RLIMIT_NOFILE, &was) == 0);
		CHECK(r.lost);
		CHECK_INT(r.id, 9);
		CHECK_INT(r.nfds, 0);
		CHECK_INT(r.kind, round == 1 ? IPC_ERROR : IPC_REQUEST);
		if (round == 1) {
			ipc_err_decode(r.body, &err);
			CHECK_INT(err.code, EMFILE);
		}
	}
	REQUIRE_OK(ipc_send(pair[0], &m, 0, &err), err);
	CHECK_INT(ipc_recv(pair[1], &arena, &r, 0, &err), 1);
	CHECK(!r.lost);
	CHECK_INT(r.nfds, 2);
	ipc_msg_close(&r);
	free(big);
}

TEST(errors_arrive_as_they_were_made)
{
	struct err out;

	err_set(&err, ENOENT, "no such container: \"web\"");
	ipc_err_decode(ipc_err_encode(&arena, &err), &out);
	CHECK_INT(out.code, ENOENT);
	CHECK_STR((const char *)out.msg, "no such container: \"web\"");
	ipc_err_decode(STR("junk"), &out);
	CHECK_INT(out.code, EBADMSG);
}

TEST(role_names)
{
	CHECK_STR(role_name(ROLE_API), "api");
	CHECK_STR(role_name(3), "unknown");
	CHECK_INT(role_by_name(STR("dns")), ROLE_DNS);
	CHECK_INT(role_by_name(STR("")), 0);
}
