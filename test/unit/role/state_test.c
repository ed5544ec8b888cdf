/* The state role as a process: its sandbox, its channels, a kill and a clean end. */
#include "role/state.h"

#include "codec/rec.h"
#include "ipc/call.h"
#include "ipc/spawn.h"
#include "model/op.h"
#include "store/view.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID "64002"

static struct err e;

struct process {
	pid_t pid;
	int   serve, api;
};

static struct process start(const char *uid)
{
	int serve[2], api[2];
	struct process r;

	REQUIRE_OK(ipc_pair(serve, &e), e);
	REQUIRE_OK(ipc_pair(api, &e), e);
	chown(test_dir(), (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(uid, NULL, 10));
	r.pid = fork();
	if (r.pid == 0) {
		char *argv[] = { "triton-state", (char *)test_dir(), "node1", (char *)uid, "0", NULL };

		int a = fcntl(serve[1], F_DUPFD, 20), b = fcntl(api[1], F_DUPFD, 20);

		dup2(a, 3);                           /* what spawn() does before its exec */
		dup2(b, 4);
		dup2(open("/dev/null", O_WRONLY), 2);
		for (int fd = 5; fd < 64; fd++)
			close(fd);
		setenv("TRITON_FDS", "serve,api", 1);
		spawn_begin(argv[0]);
		_exit(role_state(5, argv));
	}
	close(serve[1]);
	close(api[1]);
	r.serve = serve[0];
	r.api = api[0];
	return r;
}

static int stop(struct process *r, int sig)
{
	int status;

	kill(r->pid, sig);
	waitpid(r->pid, &status, 0);
	close(r->serve);
	close(r->api);
	return status;
}

static int command(int fd, int cmd, bool operator_, const struct field *f, const void *in, struct command_done *done)
{
	static struct arena a;
	struct command_call call = { .cmd = (uint32_t)cmd, .account = STR("operator"), .operator_ = operator_,
		.payload = rec_encode_arena(&a, f, in) };
	struct ipc_call c = { .op = OP_COMMAND, .in_fields = command_call_fields, .in = &call,
		.out_fields = command_done_fields, .out = done, .timeout_ms = 5000 };

	*done = (struct command_done){ 0 };
	return ipc_call_sync(fd, &a, &c, NULL, NULL, &e);
}

static bool exists(const char *name)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	return stat(path, &st) == 0;
}

static void run_as(const char *uid)
{
	struct cluster_init init = { .cluster.name = STR("dc1") };
	struct volume vol = { .name = STR("data") };
	struct by_name by = { STR("data") };
	struct state_status st = { 0 };
	struct arena a = ARENA_INIT;
	struct command_done done;
	struct process r = start(uid);
	struct ipc_call status = { .op = OP_STATE_STATUS, .out_fields = state_status_fields, .out = &st, .timeout_ms = 5000 };

	REQUIRE_OK(command(r.serve, CMD_CLUSTER_INIT, true, cluster_init_fields, &init, &done), e);
	CHECK_INT(done.revision, 2);
	CHECK_ERR(command(r.api, CMD_CLUSTER_INIT, true, cluster_init_fields, &init, &done), e, "not for clients");
	CHECK_INT(e.code, EPERM);
	REQUIRE_OK(command(r.api, CMD_VOLUME_CREATE, false, volume_fields, &vol, &done), e);
	CHECK_INT(done.revision, 3);
	REQUIRE_OK(ipc_call_sync(r.api, &a, &status, NULL, NULL, &e), e);
	CHECK(st.leader);
	CHECK_INT(st.revision, 3);
	CHECK_STR(st.node, "node1");
	stop(&r, SIGKILL);
	CHECK(!exists("db/clean"));

	r = start(uid);
	REQUIRE_OK(command(r.api, CMD_VOLUME_REMOVE, false, by_name_fields, &by, &done), e);
	CHECK_INT(WEXITSTATUS(stop(&r, SIGTERM)), 0);
	CHECK(exists("db/clean"));

	r = start(uid);
	CHECK_ERR(command(r.api, CMD_VOLUME_REMOVE, false, by_name_fields, &by, &done), e, "get data: no such volume");
	CHECK_INT(e.code, ENOENT);
	CHECK(!exists("db/clean"));
	stop(&r, SIGKILL);
}

TEST_LIMIT(commands_kills_and_a_clean_end, 40)
{
	run_as("0");
}

TEST_LIMIT(the_same_in_its_sandbox, 40)
{
	SKIP_UNLESS_ROOT();
	chmod(test_dir(), 0700);
	run_as(UID);
}

TEST(without_arguments_it_says_so)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char *argv[] = { "triton-state", NULL };

		close(2);
		_exit(role_state(1, argv));
	}
	waitpid(pid, &status, 0);
	CHECK_INT(WEXITSTATUS(status), 2);
}
