/* Starting a role as a fresh process. */
#include "ipc/spawn.h"

#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;
static struct spawned child;
static char said[4096];

/* Runs a shell line as the role "test" and gathers what it writes. */
static int shell(const char *line, const struct spawn_fd *fds, size_t nfds)
{
	const char *args[] = { "-c", line, NULL };
	int out[2], status;
	size_t n = 0;
	ssize_t got;

	REQUIRE(pipe2(out, O_CLOEXEC) == 0);
	REQUIRE_OK(spawn(&(struct spawn){ .role = "test", .args = args, .fds = fds, .nfds = nfds, .exe = "/bin/sh", .log_fd = out[1] }, &child, &err), err);
	close(out[1]);
	while ((got = read(out[0], said + n, sizeof said - 1 - n)) > 0)
		n += got;
	said[n] = 0;
	close(out[0]);
	REQUIRE(waitpid(child.pid, &status, 0) == child.pid);
	return status;
}

TEST(the_child_has_what_it_is_handed_and_nothing_else)
{
	struct spawn_fd fds[3] = { { "state", -1 }, { "log.x", -1 }, { "state", -1 } };
	int p[2], stray;

	REQUIRE(pipe(p) == 0);
	stray = dup(p[0]);                            /* not close-on-exec: must not leak all the same */
	CHECK(stray > 0);
	fds[0].fd = p[1];
	fds[1].fd = p[0];
	fds[2].fd = 3;                                /* whatever it is: the numbers may overlap */
	setenv("SECRET", "1", 1);
	CHECK_INT(shell("echo $0; echo \"$TRITON_FDS:$SECRET\"; for i in /proc/$$/fd/*; do echo ${i##*/}; done; echo hi >&3", fds, 3), 0);
	CHECK(strstr(said, "triton-test\nstate,log.x,state:\n0\n1\n") == said);
	CHECK(strstr(said, "\n3\n4\n5\n") != NULL);
	CHECK(strstr(said, "\n7\n") == NULL && strstr(said, "\n8\n") == NULL); /* 6 is the shell reading the directory */
	CHECK(read(p[0], said, 3) == 3);
}

TEST(signals_are_as_at_the_start)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGTERM, SIG_IGN);
	CHECK_INT(WTERMSIG(shell("kill -TERM $$; echo alive", NULL, 0)), SIGTERM);
}

TEST(the_pidfd_tells_the_end)
{
	struct pollfd p = { .events = POLLIN };

	shell("exit 3", NULL, 0);
	p.fd = child.pidfd;
	CHECK_INT(poll(&p, 1, 1000), 1);
	CHECK(fcntl(child.pidfd, F_GETFD) & FD_CLOEXEC);
}

TEST(a_failed_exec_says_why)
{
	CHECK_ERR(spawn(&(struct spawn){ .role = "x", .exe = "/no/such", .log_fd = -1 }, &child, &err), err, "start triton-x: run triton-x: No such file");
	CHECK_INT(err.code, ENOENT);
	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

TEST(a_bad_descriptor_is_refused)
{
	struct spawn_fd bad = { "bad", 999 };

	CHECK_ERR(spawn(&(struct spawn){ .role = "x", .exe = "/bin/sh", .log_fd = -1, .fds = &bad, .nfds = 1 }, &child, &err), err, "hand over descriptor bad");
}

TEST(the_role_finds_its_descriptors_by_name)
{
	char name[17] = "";

	spawn_begin("/usr/bin/triton-dns");           /* without the variable nothing happens */
	CHECK_INT(spawn_fd("a", 0), -1);
	setenv("TRITON_FDS", "a,b,a", 1);
	spawn_begin("triton-dns");
	CHECK_INT(spawn_fd("a", 0), 3);
	CHECK_INT(spawn_fd("b", 0), 4);
	CHECK_INT(spawn_fd("a", 1), 5);
	CHECK_INT(spawn_fd("a", 2), -1);
	CHECK_INT(spawn_fd("c", 0), -1);
	CHECK(getenv("TRITON_FDS") == NULL);
	prctl(PR_GET_NAME, name);
	CHECK_STR((const char *)name, "triton-dns");
}

TEST(the_death_of_the_parent_can_be_a_signal)
{
	const char *args[] = { "-c", "exec sleep 20", NULL };
	struct pollfd p = { .events = POLLIN };
	int out[2], status;
	pid_t middle;

	REQUIRE(pipe(out) == 0);
	middle = fork();
	if (middle == 0) {
		struct spawn_fd end = { "end", out[1] };

		close(out[0]);
		_exit(spawn(&(struct spawn){ .role = "x", .exe = "/bin/sh", .args = args, .log_fd = -1, .fds = &end, .nfds = 1, .death_signal = SIGKILL }, &child, &err) ? 1 : 0);
	}
	close(out[1]);
	waitpid(middle, &status, 0);
	CHECK_INT(status, 0);
	p.fd = out[0];
	CHECK_INT(poll(&p, 1, 2000), 1);              /* its end of the pipe went away with it */
}
