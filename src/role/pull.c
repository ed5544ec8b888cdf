#include "role/pull.h"

#include "base/log.h"
#include "image/pull.h"
#include "ipc/spawn.h"
#include "os/fd.h"
#include "role/confine.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define CA_MAX (4 << 20)

static int enter(const char *uid_text, struct err *e)
{
	uint64_t uid;

	if (!str_to_u64(str_of(uid_text), &uid) || uid > UINT32_MAX - 1)
		return err_set(e, EINVAL, "a pull process needs a user id");
	if (fchdir(spawn_fd("root", 0)) || chroot("."))
		return err_sys(e, "enter the pull process's root");
	return confine(&confine_pull, (unsigned)uid, NULL, e);
}

static int read_bundle(struct pull *p, struct err *e)
{
	int fd = spawn_fd("ca", 0);
	char *text = arena_alloc(p->arena, CA_MAX);
	ssize_t n = fd_read_full(fd, text, CA_MAX);

	if (n < 0)
		return err_sys(e, "read the trusted authorities");
	p->ca_pem = str_make(text, n);
	return 0;
}

static int ask_start(int node, struct pull *p, struct err *e)
{
	struct ipc_call c = { .op = PULL_START, .out_fields = pull_start_fields, .out = &p->start, .timeout_ms = 10000 };

	return ipc_call_sync(node, p->arena, &c, NULL, NULL, e);
}

int role_pull(int argc, char **argv)
{
	auto_arena a = ARENA_INIT;
	struct pull p = { .arena = &a, .blobs = spawn_fd("blobs", 0), .input = spawn_fd("input", 0), .certs = spawn_fd("certs", 0),
		.progress = { spawn_fd("progress", 0), PTHREAD_MUTEX_INITIALIZER } };
	int node = spawn_fd("node", 0);
	struct err e;

	log_open("pull", 2, LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || node < 0 || p.blobs < 0) {
		fputs("triton-pull is started by the node\n", stderr);
		return 2;
	}
	if (read_bundle(&p, &e) || enter(argv[1], &e) || ask_start(node, &p, &e)) {
		log_failed("a pull process could not start", &e);
		return 1;
	}
	p.node = ipc_client_new(ROLE_NODE, NULL, NULL, &e);
	if (!p.node) {
		log_failed("a pull process could not start", &e);
		return 1;
	}
	ipc_client_arm(p.node, node);
	return pull_run(&p, &e) ? 1 : 0;
}
