/* Starting containers: exit codes, what stands inside, what must not. */
#include "unit/runtime/box.h"
#include "base/clock.h"
#include "base/rand.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

TEST(start_exit_code)
{
	struct box b;
	struct runtime_event ev;
	struct err e = { 0 };

	box_open(&b);
	box_sh(&b, "echo out; echo err >&2; exit 7");
	CHECK_INT(box_run(&b), 7);
	CHECK_STR(box_output(&b, "stdout"), "out\n");
	CHECK_STR(box_output(&b, "stderr"), "err\n");
	CHECK_OK(runtime_exit_read(&b.a, &b.rt, b.spec.id, &ev, &e), e);
	CHECK_INT(ev.exit_code, 7);
	CHECK_INT(ev.gen, 1);
	CHECK(ev.time.ns > 0 && !ev.oom_killed);
	/* The same container again: files written before are there. */
	box_sh(&b, "test -e /mark && exit 3; touch /mark");
	CHECK_INT(box_run(&b), 0);
	CHECK_INT(box_run(&b), 3);
	box_close(&b);
}

static void fails(struct box *b, int code, const char *text)
{
	struct runtime_event ev;

	box_start(b, NULL, 0);
	ev = box_event(b, EVENT_FAILED);
	CHECK_INT(ev.exit_code, code);
	if (str_find_str(ev.error, str_of(text)) < 0)
		test_failed(__FILE__, __LINE__, "wanted \"%s\" in \"%.*s\"", text, STR_ARG(ev.error));
	CHECK(waitpid(b->child, NULL, 0) == b->child);
	b->child = 0;
}

TEST(start_failures_in_docker_words)
{
	struct box b;

	box_open(&b);
	box_args(&b, "nosuch", NULL);
	fails(&b, 127, "exec: \"nosuch\": executable file not found in $PATH");
	box_args(&b, "/bin/nosuch", NULL);
	fails(&b, 127, "no such file or directory");
	box_args(&b, "/bin/noexec", NULL);
	fails(&b, 126, "permission denied");
	box_args(&b, "noexec", NULL);
	fails(&b, 126, "permission denied");
	box_args(&b, "/bin", NULL);
	fails(&b, 126, "is a directory");
	box_args(&b, "/bin/true", NULL);
	b.spec.user = STR("nobody-here");
	fails(&b, 126, "unable to find user nobody-here");
	b.spec.user = STR_NONE;
	b.spec.layers.v[0] = STR("2222222222222222222222222222222222222222222222222222222222222222");
	fails(&b, 127, "No such file");
	box_close(&b);
}

TEST(start_identity)
{
	struct box b;

	box_open(&b);
	box_env(&b, "FOO=bar");
	b.spec.cwd = STR("/made/here");
	b.spec.user = STR("ana");
	strs_add(&b.a, &b.spec.groups, STR("3001"));
	box_sh(&b, "id -u; id -g; id -G; echo $FOO $HOME; pwd; hostname; echo $$");
	CHECK_INT(box_run(&b), 0);
	CHECK_STR(box_output(&b, "stdout"), "1000\n1000\n1000 2000 3001\nbar /home/ana\n/made/here\nbox\n1\n");
	box_close(&b);
}

/* How many system call filters stand in this text of /proc/PID/status. */
static int filters_in(const char *status)
{
	const char *line = strstr(status, "Seccomp_filters:");

	return line ? (int)strtol(line + 16, NULL, 10) : -1;
}

/* The machine the tests run on may have filters of its own, so one more is what counts. */
TEST(start_adds_a_system_call_filter)
{
	char ours[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct box b;

	box_open(&b);
	REQUIRE(fd >= 0 && fd_read_full(fd, ours, sizeof ours - 1) > 0);
	close(fd);
	box_sh(&b, "cat /proc/self/status");
	CHECK_INT(box_run(&b), 0);
	CHECK_INT(filters_in(arena_cstr(&b.a, box_output(&b, "stdout"))), filters_in(ours) + 1);
	box_close(&b);
}

TEST(start_rights)
{
	struct box b;
	struct str out;

	box_open(&b);
	box_sh(&b, "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status; cat /proc/self/uid_map; ls /proc/self/fd | wc -l;"
		" cat /proc/1/cgroup | head -1; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true");
	b.spec.no_new_privs = true;
	CHECK_INT(box_run(&b), 0);
	out = box_output(&b, "stdout");
	CHECK(str_find_str(out, STR("CapInh:\t0000000000000000\n")) >= 0);
	CHECK(str_find_str(out, STR("CapPrm:\t00000000a80425fb\n")) >= 0);
	CHECK(str_find_str(out, STR("CapBnd:\t00000000a80425fb\n")) >= 0);
	CHECK(str_find_str(out, STR("CapAmb:\t0000000000000000\n")) >= 0);
	CHECK(str_find_str(out, STR("NoNewPrivs:\t1\n")) >= 0);
	CHECK(str_find_str(out, STR("Seccomp:\t2\n")) >= 0);
	CHECK(str_find_str(out, STR("0    1000000      65536\n")) >= 0);
	CHECK(str_find_str(out, STR("\n4\n")) >= 0);  /* 0, 1, 2 and the directory being listed */
	CHECK(str_find_str(out, STR(":/\n")) >= 0);
	CHECK(str_find_str(out, STR("\n268435456\n")) >= 0);
	box_close(&b);
}

TEST(start_user_has_no_rights)
{
	struct box b;

	box_open(&b);
	box_sh(&b, "grep -E '^Cap(Eff|Prm)' /proc/self/status");
	b.spec.user = STR("1234:77");
	CHECK_INT(box_run(&b), 0);
	CHECK_STR(box_output(&b, "stdout"), "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
	box_close(&b);
}

TEST(start_file_systems)
{
	struct box b;
	struct runtime_mount m[] = {
		{ .kind = MOUNT_TMPFS, .target = STR("/scratch"), .tmpfs_size = 1 << 20 },
		{ .kind = MOUNT_VOLUME, .source = STR("acc/vol"), .target = STR("/data") },
		{ .kind = MOUNT_VOLUME, .source = STR("acc/other"), .target = STR("/new/deep"), .read_only = true },
	};
	struct strs masked = { 0 }, ro = { 0 };

	box_open(&b);
	strs_add(&b.a, &masked, STR("/proc/keys"));
	strs_add(&b.a, &masked, STR("/proc/acpi"));
	strs_add(&b.a, &masked, STR("/sys/firmware"));
	strs_add(&b.a, &ro, STR("/proc/sys"));
	b.spec.masked_paths = masked;
	b.spec.readonly_paths = ro;
	b.spec.mounts = (struct runtime_mounts){ m, 3 };
	b.spec.read_only = true;
	b.spec.etc_hosts = STR("127.0.0.1 localhost\n");
	b.spec.etc_resolv = STR("nameserver 10.1.2.3\n");
	b.spec.etc_hostname = STR("box\n");
	box_sh(&b, "touch /x 2>/dev/null && echo root is writable; touch /scratch/a && echo tmpfs ok;"
		"stat -c '%u %a %s' /data/sub/file; echo more >/data/sub/new && echo volume ok;"
		"touch /new/deep/x 2>/dev/null && echo ro volume is writable; cat /etc/hosts /etc/resolv.conf /etc/hostname;"
		"wc -c </proc/keys; ls /sys/firmware | wc -l; echo 1 2>/dev/null >/proc/sys/kernel/domainname && echo sys is writable;"
		"echo x >/dev/null && head -c 3 /dev/zero | wc -c; ls /dev | wc -l; readlink /dev/fd; ls -A /tmp | wc -l;"
		"dd if=/dev/zero of=/scratch/big bs=1M count=2 2>/dev/null || echo full; mount | grep -c overlay");
	CHECK_INT(box_run(&b), 0);
	CHECK_STR(box_output(&b, "stdout"), "tmpfs ok\n1000 640 15\nvolume ok\n127.0.0.1 localhost\nnameserver 10.1.2.3\nbox\n"
		"0\n0\n3\n15\n/proc/self/fd\n0\nfull\n1\n");
	box_sh(&b, "cat /data/sub/new");
	CHECK_INT(box_run(&b), 0);
	box_close(&b);
}

TEST(start_escapes_stay_inside)
{
	struct box b;
	struct runtime_mount m = { .kind = MOUNT_TMPFS, .target = STR("/evil/mnt") };
	char path[400];
	struct stat st;

	box_open(&b);
	/* An image whose /proc, /etc/hosts and mount target are links to outside. */
	snprintf(path, sizeof path, "%s/fs/layers/%s/evil", b.data, "1111111111111111111111111111111111111111111111111111111111111111");
	REQUIRE(symlink("../../../../../../../../../../../../tmp/triton-evil", path) == 0);
	snprintf(path, sizeof path, "%s/fs/layers/%s/proc", b.data, "1111111111111111111111111111111111111111111111111111111111111111");
	REQUIRE(symlink("/tmp/triton-evil/proc", path) == 0);
	snprintf(path, sizeof path, "%s/fs/layers/%s/etc/hosts", b.data, "1111111111111111111111111111111111111111111111111111111111111111");
	REQUIRE(symlink("../../../../../../tmp/triton-evil/hosts", path) == 0);
	b.spec.mounts = (struct runtime_mounts){ &m, 1 };
	b.spec.etc_hosts = STR("h\n");
	box_sh(&b, "exit 4");
	box_start(&b, NULL, 0);
	if (poll(&(struct pollfd){ .fd = b.report, .events = POLLIN }, 1, 10000) == 1) {
		struct runtime_event ev;
		struct err e;

		CHECK(runtime_event_recv(&b.a, b.report, &ev, &e) == 1);
	}
	CHECK(stat("/tmp/triton-evil", &st) != 0);
	box_close(&b);
}

TEST(start_limits)
{
	struct box b;
	struct runtime_ulimit u = { STR("nofile"), 100, 200 };

	box_open(&b);
	b.spec.pids = 8;
	b.spec.ulimits = (struct runtime_ulimits){ &u, 1 };
	box_sh(&b, "ulimit -n; ulimit -Hn; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done 2>/dev/null; exit 5");
	CHECK(box_run(&b) != 5);                      /* the shell cannot fork and gives up with its own code */
	CHECK_STR(str_head(box_output(&b, "stdout"), 8), "100\n200\n");
	box_close(&b);
}

TEST(start_out_of_memory)
{
	struct box b;
	struct runtime_event ev;

	box_open(&b);
	b.spec.memory = 16 << 20;
	box_sh(&b, "exec tail /dev/zero");            /* keeps an endless line in memory */
	box_start(&b, NULL, 0);
	box_event(&b, EVENT_STARTED);
	ev = box_event(&b, EVENT_EXIT);
	CHECK_INT(ev.exit_code, 137);
	CHECK(ev.oom_killed);
	box_ack(&b);
	box_close(&b);
}

TEST(start_init_reaps_and_forwards)
{
	struct box b;
	struct runtime_event ev;

	box_open(&b);
	b.spec.init = true;
	box_sh(&b, "trap 'exit 9' TERM; echo $$; while :; do sleep 0.05; done");
	box_start(&b, NULL, 0);
	box_event(&b, EVENT_STARTED);
	clock_sleep_ms(200);
	box_signal(&b, SIGTERM);
	ev = box_event(&b, EVENT_EXIT);
	CHECK_INT(ev.exit_code, 9);
	box_ack(&b);
	CHECK_STR(box_output(&b, "stdout"), "2\n");
	box_close(&b);
}

TEST(start_terminal)
{
	struct box b;

	box_open(&b);
	b.spec.tty = true;
	b.spec.rows = 33;
	b.spec.cols = 77;
	b.spec.user = STR("ana");
	box_sh(&b, "tty; stty size; echo hi >/dev/tty; test -c /dev/console && echo console; exit 2");
	CHECK_INT(box_run(&b), 2);
	CHECK_STR(box_output(&b, "stdout"), "/dev/pts/0\r\n33 77\r\nhi\r\nconsole\r\n");
	box_close(&b);
}

TEST(start_privileged)
{
	struct box b;

	box_open(&b);
	b.spec.uid_first = 0;
	b.spec.privileged = true;
	b.spec.seccomp = false;
	b.spec.caps = ~0ULL;
	box_sh(&b, "cat /proc/self/uid_map | wc -l; mkdir /m && mount -t tmpfs x /m && echo mounted; test -e /dev/null && echo dev");
	CHECK_INT(box_run(&b), 0);
	CHECK_STR(box_output(&b, "stdout"), "1\nmounted\ndev\n");
	box_close(&b);
}

TEST(start_joins_namespaces)
{
	struct box b, c;
	struct runtime_event ev;
	struct err e = { 0 };

	box_open(&b);
	box_sh(&b, "sleep 100 & exec sleep 100");
	box_start(&b, NULL, 0);
	ev = box_event(&b, EVENT_STARTED);
	c = b;
	c.spec.id = rand_hex(&c.a, 64);
	c.spec.net = NET_JOIN;
	c.spec.net_pid = c.spec.ipc_pid = c.spec.pid_pid = c.spec.userns_pid = ev.pid;
	c.child = 0;
	c.report = -1;
	box_sh(&c, "until [ $(cat /proc/[0-9]*/comm | grep -c sleep) = 2 ]; do :; done; set -- /proc/[0-9]*; echo $#; ifconfig lo | grep -c UP; ping -c 1 127.0.0.1 >/dev/null && echo pong");
	CHECK_INT(box_run(&c), 0);
	CHECK_STR(box_output(&c, "stdout"), "3\n1\npong\n");
	CHECK_OK(runtime_remove(&c.rt, c.spec.id, &e), e);
	box_signal(&b, SIGKILL);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 137);
	box_ack(&b);
	box_close(&b);
}

static int count_mounts(void)
{
	char buf[65536];
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), n = 0;
	ssize_t r;

	while ((r = read(fd, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < r; i++)
			n += buf[i] == '\n';
	close(fd);
	return n;
}

TEST_LIMIT(start_leaves_nothing, 60)
{
	struct box b;
	int mounts;

	REQUIRE(unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0); /* others mount here, too */
	box_open(&b);
	mounts = count_mounts();
	box_args(&b, "/bin/true", NULL);
	for (int i = 0; i < 20; i++)
		CHECK_INT(box_run(&b), 0);
	CHECK(count_mounts() <= mounts);              /* less: another's mount point was removed, and with it the mount */
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	box_close(&b);
}

/* Whoever asks does not wait for it, and many may ask at once. */
TEST(start_shim_is_asked_while_it_stands_still)
{
	struct box b;
	struct err e = { 0 };
	int conns[300];

	box_open(&b);
	box_sh(&b, "exec sleep 100");
	box_start(&b, NULL, 0);
	box_event(&b, EVENT_STARTED);
	kill(b.child, SIGSTOP);
	for (int i = 0; i < 300; i++) {
		conns[i] = shim_connect(&b.rt, b.spec.id, &e);
		REQUIRE_OK(conns[i] < 0 ? -1 : 0, e);
		CHECK_OK(shim_send(conns[i], &(struct shim_call){ .op = SHIM_HEALTH }, -1, &e), e);
	}
	CHECK(shim_answer(&b.a, conns[0], &(struct shim_reply){ 0 }, &e) == -1 && e.code == EAGAIN);
	kill(b.child, SIGCONT);
	for (int i = 0; i < 300; i++) {
		REQUIRE(poll(&(struct pollfd){ .fd = conns[i], .events = POLLIN }, 1, 10000) == 1);
		CHECK_OK(shim_answer(&b.a, conns[i], &(struct shim_reply){ 0 }, &e), e);
		close(conns[i]);
	}
	box_signal(&b, SIGKILL);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 137);
	box_ack(&b);
	box_close(&b);
}

TEST(start_again_while_a_client_reads_the_last_life)
{
	struct box b;
	struct runtime_attach at = { .opts.stdout_ = true };
	int streams[2], status;
	pid_t first;
	size_t n;

	box_open(&b);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams) == 0);
	at.fd = streams[1];
	box_sh(&b, "head -c 350000 /dev/zero");       /* more than the socket takes, less than what makes the workload wait */
	box_start(&b, &at, 1);
	close(streams[1]);
	first = b.child;
	box_event(&b, EVENT_STARTED);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 0);
	box_tell(b.report, &(struct shim_call){ .op = SHIM_ACK });
	CHECK(waitpid(first, &status, WNOHANG) == 0);

	b.spec.gen++;
	box_sh(&b, "exec sleep 100");
	box_start(&b, NULL, 0);
	box_event(&b, EVENT_STARTED);
	free(box_read_all(streams[0], &n));
	close(streams[0]);
	CHECK(n >= 350000);
	CHECK(waitpid(first, &status, 0) == first && status == 0);

	box_signal(&b, SIGKILL);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 137);
	box_ack(&b);
	box_close(&b);
}
