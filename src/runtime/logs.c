#include "runtime/logs.h"

#include "base/buf.h"
#include "base/clock.h"
#include "ipc/sandbox.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"
#include "runtime/jsonlog.h"
#include "runtime/shim_call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX  1001                               /* max-file's limit and the newest */
#define LINE_BYTES (JSONLOG_LINE_MAX * 6 + 256)
#define OUT_BYTES  (64 << 10)
#define IDLE_MIN_MS 10                                /* between two looks at a quiet log, doubling */
#define IDLE_MAX_MS 200

/* --- one line ----------------------------------------------------------------------------------------- */

static int hex4(const char *p, unsigned *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		int d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : (p[i] | 32) >= 'a' && (p[i] | 32) <= 'f' ? (p[i] | 32) - 'a' + 10 : -1;

		if (d < 0)
			return -1;
		*out = *out * 16 + (unsigned)d;
	}
	return 0;
}

static size_t utf8_put(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3f));
	to[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

/* Undo the writer's escapes in place; the text ends at the first bare quote. Never grows. Returns bytes of input taken, or 0. */
static size_t unescape(char *p, size_t n, size_t *text_n)
{
	size_t from = 0, to = 0;
	unsigned c;

	while (from < n && p[from] != '"') {
		if (p[from] != '\\') {
			p[to++] = p[from++];
			continue;
		}
		if (from + 1 >= n)
			return 0;
		switch (p[from + 1]) {
		case 'n': p[to++] = '\n'; break;
		case 'r': p[to++] = '\r'; break;
		case 't': p[to++] = '\t'; break;
		case 'b': p[to++] = '\b'; break;
		case 'f': p[to++] = '\f'; break;
		case 'u':
			if (from + 6 > n || hex4(p + from + 2, &c))
				return 0;
			to += utf8_put(p + to, c);
			from += 4;
			break;
		default: p[to++] = p[from + 1]; break;
		}
		from += 2;
	}
	*text_n = to;
	return from < n ? from + 1 : 0;
}

static bool cut(struct str *s, const char *prefix)
{
	if (!str_starts(*s, str_of(prefix)))
		return false;
	*s = str_drop(*s, strlen(prefix));
	return true;
}

bool logs_parse(char *line, size_t n, struct logs_line *out)
{
	static const char head[] = "{\"log\":\"";
	struct str rest, time;
	size_t text_n, taken;

	if (n < sizeof(head) || memcmp(line, head, sizeof(head) - 1) != 0)
		return false;
	taken = unescape(line + sizeof(head) - 1, n - (sizeof(head) - 1), &text_n);
	if (!taken)
		return false;
	out->text = str_make(line + sizeof(head) - 1, text_n);
	rest = str_make(line + sizeof(head) - 1 + taken, n - (sizeof(head) - 1) - taken);
	if (!cut(&rest, ",\"stream\":\"std"))
		return false;
	out->is_stderr = str_starts(rest, STR("err"));
	if (!cut(&rest, out->is_stderr ? "err\",\"time\":\"" : "out\",\"time\":\""))
		return false;
	return str_cut(rest, '"', &time, &rest) && clock_parse(time, &out->time_ns);
}

/* --- out ---------------------------------------------------------------------------------------------- */

struct copy {
	const struct logs_query *q;
	int  dir, out;
	struct buf pending;
	char *line;                                   /* LINE_BYTES; what is read but not ended by a line feed */
	size_t have;
	bool over;                                    /* a line after `until` was met */
};

static int flush(struct copy *c, struct err *e)
{
	if (c->pending.n && fd_write_all(c->out, c->pending.p, c->pending.n))
		return err_sys(e, "write the log");
	c->pending.n = 0;
	return 0;
}

/* Docker prints nine digits whatever they are. */
static size_t stamp(int64_t ns, char out[48])
{
	time_t s = ns / 1000000000;
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, 48, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(out + n, 48 - n, ".%09dZ ", (int)(ns % 1000000000));
}

static int line_out(struct copy *c, size_t n, struct err *e)
{
	const struct logs_query *q = c->q;
	struct logs_line l;
	char time[48];
	size_t time_n = 0, details_n = q->details && q->details_text.n ? q->details_text.n + 1 : 0, total;

	if (!logs_parse(c->line, n, &l) || (l.is_stderr ? !q->stderr_ : !q->stdout_) || (q->since_ns && l.time_ns < q->since_ns))
		return 0;
	if (q->until_ns && l.time_ns > q->until_ns) {
		c->over = true;
		return 0;
	}
	if (q->timestamps)
		time_n = stamp(l.time_ns, time);
	total = time_n + details_n + l.text.n;
	if (c->pending.n + total + 8 > OUT_BYTES && flush(c, e))
		return -1;
	if (!q->tty) {
		char frame[4] = { l.is_stderr ? 2 : 1 };

		buf_add(&c->pending, frame, 4);
		buf_be32(&c->pending, (uint32_t)total);
	}
	buf_add(&c->pending, time, time_n);
	if (details_n) {
		buf_str(&c->pending, q->details_text);
		buf_char(&c->pending, ' ');
	}
	buf_str(&c->pending, l.text);
	return buf_ok(&c->pending) ? 0 : err_set(e, E2BIG, "a log line is too long");
}

/* All whole lines from where `fd` stands. */
static int file_out(struct copy *c, int fd, struct err *e)
{
	ssize_t got;

	while (!c->over && (got = read(fd, c->line + c->have, LINE_BYTES - c->have)) > 0) {
		size_t n = c->have + (size_t)got, at = 0;
		char *lf;

		while (!c->over && (lf = memchr(c->line + at, '\n', n - at))) {
			size_t len = (size_t)(lf - (c->line + at));
			struct copy one = *c;

			one.line = c->line + at;
			if (line_out(&one, len, e))
				return -1;
			c->pending = one.pending;
			c->over = one.over;
			at += len + 1;
		}
		memmove(c->line, c->line + at, n - at);
		c->have = n - at;
		if (c->have == LINE_BYTES)
			c->have = 0;                  /* no line of ours is that long */
	}
	return 0;
}

/* --- which part --------------------------------------------------------------------------------------- */

static const char *file_name(int i, char name[16])
{
	snprintf(name, 16, i ? "log.%d" : "log", i);
	return name;
}

/* Stand where the last *lines lines of the file begin; *lines is how many are still missing. */
static int seek_tail(int fd, int64_t *lines, struct err *e)
{
	char block[64 << 10];
	struct stat st;
	off_t end;
	bool last = true;

	if (fstat(fd, &st))
		return err_sys(e, "look at the log");
	for (end = st.st_size; end > 0;) {
		size_t n = end < (off_t)sizeof(block) ? (size_t)end : sizeof(block);
		ssize_t got = pread(fd, block, n, end - (off_t)n);

		if (got != (ssize_t)n)
			return err_set(e, EIO, "the log changed while it was read; try again");
		for (size_t i = n; i-- > 0;) {
			if (block[i] != '\n' || (last && end - (off_t)n + (off_t)i == st.st_size - 1))
				continue;             /* the last byte ends the last line, it begins none */
			if (--*lines == 0)
				return lseek(fd, end - (off_t)n + (off_t)i + 1, SEEK_SET) < 0 ? err_sys(e, "seek in the log") : 0;
		}
		last = false;
		end -= (off_t)n;
	}
	if (st.st_size > 0)
		--*lines;                             /* the first line has no line feed before it */
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, "seek in the log") : 0;
}

/* Descriptors of the files to show, newest first, each standing where to begin. */
static size_t files_open(struct copy *c, int *fds, struct err *e)
{
	int64_t lines = c->q->tail;
	size_t n = 0;
	char name[16];

	while (n < FILES_MAX) {
		int fd = path_open(c->dir, file_name((int)n, name), O_RDONLY, 0, NULL);

		if (fd < 0)
			break;
		fds[n++] = fd;
		if (c->q->tail < 0)
			continue;
		if (lines <= 0)
			lseek(fd, 0, SEEK_END);
		else if (seek_tail(fd, &lines, e))
			lseek(fd, 0, SEEK_SET);
		if (lines <= 0)
			break;
	}
	return n;
}

/* --- following ---------------------------------------------------------------------------------------- */

/* A watching connection of the shim: other events than the exit may come. */
static bool ended(int conn)
{
	auto_arena a = ARENA_INIT;
	struct runtime_event ev;
	struct err e;
	int got;

	while ((got = runtime_event_recv(&a, conn, &ev, &e)) == 1)
		if (ev.kind == EVENT_EXIT)
			return true;
	return got == 0 || e.code != EAGAIN;
}

static bool reader_gone(int out)
{
	struct pollfd p = { .fd = out };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP));
}

/* The newest file was renamed or cut: go on in the one that has its name now. */
static int newest(struct copy *c, int *fd, struct err *e)
{
	struct stat mine, now;
	int next;

	if (fstat(*fd, &mine) || fstatat(c->dir, "log", &now, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (mine.st_ino == now.st_ino) {
		if (lseek(*fd, 0, SEEK_CUR) > mine.st_size)
			lseek(*fd, 0, SEEK_SET);
		return 0;
	}
	if (file_out(c, *fd, e))
		return -1;
	next = path_open(c->dir, "log", O_RDONLY, 0, e);
	if (next < 0)
		return -1;
	close(*fd);
	*fd = next;
	return 0;
}

static int follow(struct copy *c, int *fd, int conn, struct err *e)
{
	int pause = IDLE_MIN_MS;

	while (!c->over) {
		bool last = conn < 0 || ended(conn);  /* asked before reading: what came before the end is read below */
		struct pollfd p[2] = { { .fd = conn, .events = POLLIN }, { .fd = c->out } };

		if (newest(c, fd, e) || file_out(c, *fd, e))
			return -1;
		if (c->pending.n)
			pause = IDLE_MIN_MS;
		if (flush(c, e) || last || reader_gone(c->out))
			return last ? 0 : e->code ? -1 : 0;
		if (c->q->until_ns && clock_wall_ns() > c->q->until_ns)
			return 0;
		poll(p, 2, pause);
		pause = pause * 2 > IDLE_MAX_MS ? IDLE_MAX_MS : pause * 2;
	}
	return 0;
}

static int copy(int dir, const struct logs_query *q, int conn, int out, struct err *e)
{
	static int fds[FILES_MAX];
	struct copy c = { .q = q, .dir = dir, .out = out, .pending = BUF_INIT(OUT_BYTES + LINE_BYTES), .line = malloc(LINE_BYTES) };
	size_t n;
	int rc = 0;

	if (!c.line)
		abort();
	e->code = 0;
	n = files_open(&c, fds, e);
	for (size_t i = n; rc == 0 && i-- > 0;) {
		rc = file_out(&c, fds[i], e);
		if (i > 0)
			close(fds[i]);
	}
	if (rc == 0)
		rc = flush(&c, e);
	if (rc == 0 && q->follow && n)
		rc = follow(&c, &fds[0], conn, e);
	if (n)
		close(fds[0]);
	buf_release(&c.pending);
	free(c.line);
	return rc;
}

void logs_serve(struct runtime *rt, struct str id, const struct logs_query *q, int conn, int out)
{
	static const char *const calls[] = { "@base", "openat2", "fstat", "newfstatat", "lseek", "pread64", "fcntl", "recvmsg", NULL };
	const struct sandbox box = { .syscalls = calls };
	auto_arena a = ARENA_INIT;
	struct err e = { 0 };
	int keep[3] = { out, conn };
	int dir = path_open(rt->data, arena_printf(&a, "containers/%.*s", STR_ARG(id)).p, O_PATH | O_DIRECTORY, 0, &e);

	proc_reset_signals();
	proc_set_name("triton-logs");
	keep[2] = dir;
	fd_close_others(keep, 3);
	/* Still the owner of the files, which rotation makes anew, but without a single capability. */
	if (dir >= 0 && sandbox_enter(&box, &e) == 0 && copy(dir, q, conn, out, &e) == 0 && q->then)
		shim_send(conn, &(struct shim_call){ .op = SHIM_ATTACH, .attach = *q->then }, out, &e); /* it ended meanwhile: so does the stream */
	_exit(0);
}
