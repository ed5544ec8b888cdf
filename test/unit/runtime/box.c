#include "unit/runtime/box.h"
#include "base/rand.h"
#include "codec/json.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define BUSYBOX "/bin/busybox"
#define LAYER "1111111111111111111111111111111111111111111111111111111111111111"

static const char *const applets[] = { "sh", "true", "false", "echo", "cat", "id", "sleep", "ls", "env", "pwd", "mount", "touch",
	"head", "dd", "hostname", "stty", "tail", "kill", "wc", "test", "ps", "mkdir", "ln", "stat", "ping", "free", "tty", "grep",
	"readlink", "rm", "awk", "seq", "ifconfig" };

static void copy_busybox(int bin)
{
	auto_fd from = open(BUSYBOX, O_RDONLY), to = openat(bin, "busybox", O_WRONLY | O_CREAT | O_EXCL, 0755);
	char buf[65536];
	ssize_t n;

	REQUIRE(from >= 0 && to >= 0);
	while ((n = read(from, buf, sizeof buf)) > 0)
		REQUIRE(fd_write_all(to, buf, (size_t)n) == 0);
}

static void put(int dir, const char *name, const char *text, mode_t mode)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT, mode);

	REQUIRE(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0 && fchmod(fd, mode) == 0);
}

static void make_layer(struct box *b)
{
	struct err e = { 0 };
	auto_fd bin = -1, etc = -1, tmp = -1, data = -1;
	int layers = path_open(b->rt.data, "fs/layers", O_PATH | O_DIRECTORY, 0, &e);

	REQUIRE(layers >= 0);
	umask(022);
	bin = path_mkdirs(layers, LAYER "/bin", 0755, &e);
	etc = path_mkdirs(layers, LAYER "/etc", 0755, &e);
	data = path_mkdirs(layers, LAYER "/data/sub", 0755, &e);
	REQUIRE(bin >= 0 && etc >= 0 && data >= 0);
	put(data, "file", "from the image\n", 0640);
	REQUIRE(fchownat(data, "file", 1000, 1000, 0) == 0);
	tmp = path_mkdirs(layers, LAYER "/tmp", 0755, &e);
	fchmodat(layers, LAYER "/tmp", 01777, 0);
	copy_busybox(bin);
	for (size_t i = 0; i < sizeof applets / sizeof *applets; i++)
		REQUIRE(symlinkat("busybox", bin, applets[i]) == 0);
	put(bin, "noexec", "text\n", 0644);
	put(etc, "passwd", "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n", 0644);
	put(etc, "group", "root:x:0:\nana:x:1000:\nextra:x:2000:ana,bob\nmore:x:3000:\n", 0644);
	close(layers);
}

void box_open(struct box *b)
{
	struct err e = { 0 };
	char instance[32];

	SKIP_UNLESS_ROOT();
	if (access(BUSYBOX, X_OK))
		SKIP("needs the package busybox-static");
	*b = (struct box){ .report = -1 };
	snprintf(b->data, sizeof b->data, "%s/data", test_dir());
	snprintf(b->run, sizeof b->run, "%s/run", test_dir());
	snprintf(instance, sizeof instance, "test-%d-%.4s", (int)getpid(), rand_hex(&b->a, 4).p); /* what a killed run left has other numbers */
	REQUIRE_OK(runtime_open(&b->rt, b->data, b->run, instance, &e), e);
	make_layer(b);
	b->spec = (struct runtime_spec){
		.id = rand_hex(&b->a, 64), .gen = 1, .uid_first = 1000000, .caps = CAPS_DEFAULT, .seccomp = true,
		.hostname = STR("box"), .swappiness = -1, .memory = 256 << 20, .pids = 64,
	};
	strs_add(&b->a, &b->spec.layers, STR(LAYER));
	box_env(b, "PATH=/bin");
}

void box_env(struct box *b, const char *line)
{
	strs_add(&b->a, &b->spec.env, str_of(line));
}

void box_args(struct box *b, ...)
{
	va_list ap;

	b->spec.args = (struct strs){ 0 };
	va_start(ap, b);
	for (const char *s; (s = va_arg(ap, const char *));)
		strs_add(&b->a, &b->spec.args, str_of(s));
	va_end(ap);
}

void box_sh(struct box *b, const char *script)
{
	box_args(b, "/bin/sh", "-c", script, NULL);
}

void box_start(struct box *b, const struct runtime_attach *at, size_t n)
{
	int pair[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	b->child = fork();
	REQUIRE(b->child >= 0);
	if (b->child == 0)
		runtime_start(&b->rt, &b->spec, at, n, pair[1]);
	close(pair[1]);
	fd_close(&b->report);
	b->report = pair[0];
}

struct runtime_event box_event(struct box *b, uint32_t kind)
{
	struct runtime_event ev = { 0 };
	struct err e = { 0 };
	int n;

	REQUIRE(poll(&(struct pollfd){ .fd = b->report, .events = POLLIN }, 1, 10000) == 1);
	n = runtime_event_recv(&b->a, b->report, &ev, &e);
	if (n != 1 || ev.kind != kind) {
		test_failed(__FILE__, __LINE__, "event %u wanted, got %d kind %u code %lld: %.*s %s", kind, n, ev.kind,
			(long long)ev.exit_code, STR_ARG(ev.error), e.msg);
		test_stop();
	}
	return ev;
}

void box_tell(int conn, const struct shim_call *c)
{
	auto_arena a = ARENA_INIT;
	struct shim_reply r;
	struct err e = { 0 };

	CHECK_OK(shim_send(conn, c, -1, &e), e);
	REQUIRE(poll(&(struct pollfd){ .fd = conn, .events = POLLIN }, 1, 10000) == 1);
	CHECK_OK(shim_answer(&a, conn, &r, &e), e);
}

void box_signal(struct box *b, int sig)
{
	struct err e;
	int conn = shim_connect(&b->rt, b->spec.id, &e);

	REQUIRE_OK(conn < 0 ? -1 : 0, e);
	box_tell(conn, &(struct shim_call){ .op = SHIM_SIGNAL, .signal = sig });
	close(conn);
}

bool box_ended(pid_t pid)
{
	struct err e;
	int status = 0;

	if (waitpid(pid, &status, 0) == pid)
		return status == 0;
	auto_fd fd = proc_pidfd(pid, &e);             /* the nursery's */

	return fd < 0 ? e.code == ESRCH : poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000) == 1;
}

void box_ack(struct box *b)
{
	box_tell(b->report, &(struct shim_call){ .op = SHIM_ACK });
	fd_close(&b->report);
	CHECK(box_ended(b->child));
	b->child = 0;
}

int box_run(struct box *b)
{
	struct runtime_event ev;

	box_start(b, NULL, 0);
	box_event(b, EVENT_STARTED);
	ev = box_event(b, EVENT_EXIT);
	box_ack(b);
	return (int)ev.exit_code;
}

struct str box_log(struct box *b)
{
	struct str text = STR_NONE, path = arena_printf(&b->a, "containers/%.*s/log", STR_ARG(b->spec.id));
	struct err e = { 0 };

	CHECK_OK(path_read(&b->a, b->rt.data, path.p, 64 << 20, &text, &e), e);
	return text;
}

struct log_json { struct str log, stream, time; };
static const struct field log_json_fields[] = {
	FIELD(1, log_json, log, "log", FIELD_REQUIRED),
	FIELD(2, log_json, stream, "stream", FIELD_REQUIRED),
	FIELD(3, log_json, time, "time", FIELD_REQUIRED),
	FIELD_END
};

struct str box_output(struct box *b, const char *stream)
{
	struct str rest = box_log(b), line;
	struct buf out = BUF_INIT(64 << 20);
	struct str copy;

	while (str_next(&rest, '\n', &line)) {
		struct log_json j = { 0 };
		struct err e = { 0 };

		if (line.n == 0)
			continue;
		CHECK_OK(json_decode(&b->a, line, log_json_fields, &j, &e), e);
		if (str_is(j.stream, stream))
			buf_str(&out, j.log);
	}
	copy = arena_str(&b->a, buf_as_str(&out));
	buf_release(&out);
	return copy;
}

char *box_read_all(int fd, size_t *n)
{
	struct buf b = BUF_INIT(256 << 20);
	char chunk[65536];
	ssize_t r;

	while ((r = read(fd, chunk, sizeof chunk)) > 0)
		buf_add(&b, chunk, (size_t)r);
	buf_char(&b, 0);
	*n = b.n - 1;
	return b.p;
}

void box_close(struct box *b)
{
	struct err e = { 0 };
	struct strs left = { 0 };
	auto_fd trash = -1;

	if (b->child > 0) {
		kill(b->child, SIGKILL);
		waitpid(b->child, NULL, 0);
	}
	fd_close(&b->report);
	CHECK_OK(runtime_remove(&b->rt, b->spec.id, &e), e);
	CHECK_OK(runtime_empty_trash(&b->rt, &e), e);
	CHECK_OK(cgroup_list(&b->a, &b->rt.cgroups, &left, &e), e);
	CHECK_INT(left.n, 0);
	CHECK_OK(cgroups_remove(&b->rt.cgroups, &e), e);
	runtime_close(&b->rt);
	arena_release(&b->a);
}
