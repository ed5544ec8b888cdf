#include "role/servelog.h"

#include "base/arena.h"
#include "base/log.h"
#include "codec/json.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME    "triton.log"
#define NOBODY  65534
#define LINE_MAX_BYTES (64 << 10)

/* --- the viewer: JSON lines to lines for people ------------------------------------------------------- */

static const char *level_name(int64_t level)
{
	return level >= LOG_FATAL ? "FATAL" : level >= LOG_ERROR ? "ERROR" : level >= LOG_WARN ? "WARN" : level >= LOG_INFO ? "INFO" : "DEBUG";
}

static bool is_common(struct str name)
{
	static const char *const common[] = { "v", "name", "hostname", "pid", NULL };

	for (size_t i = 0; common[i]; i++)
		if (str_is(name, common[i]))
			return true;
	return false;
}

static void view_line(struct str line, struct buf *out)
{
	auto_arena a = ARENA_INIT;
	struct json_reader r = json_reader_of(&a, line);
	auto_buf rest = BUF_INIT(LINE_MAX_BYTES);
	struct str name, value, when = STR_NONE, msg = STR_NONE, role = STR_NONE;
	int64_t level = 0;

	for (json_enter_object(&r); json_next_member(&r, &name);) {
		if (str_is(name, "time"))
			json_read_str(&r, &when);
		else if (str_is(name, "msg"))
			json_read_str(&r, &msg);
		else if (str_is(name, "role"))
			json_read_str(&r, &role);
		else if (str_is(name, "level"))
			json_read_i64(&r, &level);
		else if (is_common(name))
			json_skip(&r);
		else if (json_read_raw(&r, &value))
			buf_printf(&rest, " %.*s=%.*s", STR_ARG(name), STR_ARG(value));
	}
	if (r.err.code || msg.n == 0) {               /* not a line of ours: as it is */
		buf_str(out, line);
		buf_char(out, '\n');
		return;
	}
	buf_printf(out, "%.*s %-5s %.*s: %.*s%.*s\n", STR_ARG(str_head(str_drop(when, 11), 8)), level_name(level), STR_ARG(role), STR_ARG(msg),
		   STR_ARG(buf_as_str(&rest)));
}

static _Noreturn void viewer(int in)
{
	static char text[2 * LINE_MAX_BYTES];
	size_t have = 0;
	ssize_t n;

	prctl(PR_SET_NAME, "triton-log");
	signal(SIGINT, SIG_IGN);                      /* ^C is for serve; the viewer ends with the pipe */
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		_exit(1);
	while ((n = read(in, text + have, sizeof(text) - have)) > 0) {
		auto_buf out = BUF_INIT(1 << 20);
		struct str all = str_make(text, have += (size_t)n), line;
		ptrdiff_t end;

		while ((end = str_find(all, '\n')) >= 0) {
			line = str_head(all, (size_t)end);
			all = str_drop(all, (size_t)end + 1);
			view_line(line, &out);
		}
		if (all.n == sizeof(text))            /* one endless line: let it go */
			all.n = 0;
		memmove(text, all.p, all.n);
		have = all.n;
		if (fd_write_all(2, out.p, out.n))
			break;
	}
	_exit(0);
}

static int viewer_start(struct err *e)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0) {
		const int keep[] = { fds[0] };

		fd_close_others(keep, 1);
		viewer(fds[0]);
	}
	close(fds[0]);
	return fds[1];
}

/* --- the file ----------------------------------------------------------------------------------------- */

static int file_open(struct servelog *l, struct err *e)
{
	struct stat st;

	l->file = openat(l->dir, NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (l->file < 0 || fstat(l->file, &st))
		return err_sys(e, "open log/%s", NAME);
	l->bytes = (size_t)st.st_size;
	return 0;
}

static void rotate(struct servelog *l)
{
	char from[32], to[32];
	struct err ignored;

	for (int i = SERVELOG_KEEP; i > 0; i--) {
		snprintf(to, sizeof(to), NAME ".%d", i);
		snprintf(from, sizeof(from), i > 1 ? NAME ".%d" : NAME, i - 1);
		renameat(l->dir, from, l->dir, to);
	}
	close(l->file);
	if (file_open(l, &ignored))
		l->file = -1;
}

int servelog_open(struct servelog *l, int dir, struct err *e)
{
	int fds[2];

	*l = (struct servelog){ .dir = dir, .file = -1, .tty = 2 };
	if (file_open(l, e))
		return -1;
	if (isatty(2) && (l->tty = viewer_start(e)) < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);           /* a role never waits for its log */
	l->read_fd = fds[0];
	l->write_fd = fds[1];
	return 0;
}

/* One read's worth. False when nothing waits. */
static bool copy(struct servelog *l)
{
	char bytes[16384];
	ssize_t n = read(l->read_fd, bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	if (l->file >= 0 && write(l->file, bytes, (size_t)n) > 0)
		l->bytes += (size_t)n;
	fd_write_all(l->tty, bytes, (size_t)n);
	if (l->bytes > SERVELOG_MAX_BYTES && bytes[n - 1] == '\n')
		rotate(l);
	return true;
}

void servelog_copy(struct servelog *l)
{
	copy(l);
}

void servelog_flush(struct servelog *l)
{
	while (copy(l))
		;
}
