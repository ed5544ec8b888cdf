#include "runtime/jsonlog.h"
#include "base/clock.h"
#include "os/fd.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define OUT_MAX (512 << 10)

/* 0: as it is. Else the letter after the backslash, or 'u'. What Docker's encoder escapes, ours does too. */
static const char escapes[256] = {
	['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['<'] = 'u', ['>'] = 'u', ['&'] = 'u',
	[0] = 'u', [1] = 'u', [2] = 'u', [3] = 'u', [4] = 'u', [5] = 'u', [6] = 'u', [7] = 'u', [8] = 'u', [11] = 'u', [12] = 'u',
	[14] = 'u', [15] = 'u', [16] = 'u', [17] = 'u', [18] = 'u', [19] = 'u', [20] = 'u', [21] = 'u', [22] = 'u', [23] = 'u',
	[24] = 'u', [25] = 'u', [26] = 'u', [27] = 'u', [28] = 'u', [29] = 'u', [30] = 'u', [31] = 'u', [127] = 'u',
	[128 ... 255] = 'x',
};

/* Length of the UTF-8 sequence at p (RFC 3629), 0 when it is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	size_t len = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* Is none of these eight bytes in `escapes`? They are compared side by side: a subtraction borrows into the highest bit of what was
 * smaller, or zero. `"` and `&` differ in one bit, so do `<` and `>`; DEL and all above it pass 0x7f when one is added. */
static bool is_plain(const char *p)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t w, quote, angle, back;

	memcpy(&w, p, 8);
	quote = (w | ones * 4) ^ ones * '&';
	angle = (w | ones * 2) ^ ones * '>';
	back = w ^ ones * '\\';
	return (((w - ones * ' ') | (quote - ones) | (angle - ones) | (back - ones) | (w + ones) | w) & ones << 7) == 0;
}

static void add_escaped(struct buf *b, const char *p, size_t n)
{
	size_t start = 0, i = 0;

	while (i < n) {
		unsigned char c;
		char kind;
		size_t len;

		while (n - i >= 8 && is_plain(p + i))
			i += 8;
		if (i == n)
			break;
		c = (unsigned char)p[i];
		kind = escapes[c];
		if (kind == 0) {
			i++;
			continue;
		}
		if (kind == 'x' && (len = utf8_len((const unsigned char *)p + i, n - i))) {
			i += len;
			continue;
		}
		buf_add(b, p + start, i - start);
		if (kind == 'x')
			buf_add(b, "\\ufffd", 6);
		else if (kind == 'u')
			buf_printf(b, "\\u%04x", c);
		else
			buf_add(b, (char[2]){ '\\', kind }, 2);
		start = ++i;
	}
	buf_add(b, p + start, n - start);
}

void jsonlog_line(struct buf *b, const char *p, size_t n, int stream, const char *time)
{
	buf_add(b, "{\"log\":\"", 8);
	add_escaped(b, p, n);
	buf_puts(b, stream ? "\",\"stream\":\"stderr\",\"time\":\"" : "\",\"stream\":\"stdout\",\"time\":\"");
	buf_puts(b, time);
	buf_add(b, "\"}\n", 3);
}

int jsonlog_open(struct jsonlog *l, int dir, int64_t max_size, int max_file, struct err *e)
{
	struct stat st;

	*l = (struct jsonlog){ .dir = dir, .max_size = max_size, .max_file = max_file > 0 ? max_file : 1,
		.partial = { BUF_INIT(JSONLOG_LINE_MAX), BUF_INIT(JSONLOG_LINE_MAX) }, .out = BUF_INIT(OUT_MAX) };
	l->fd = path_open(dir, "log", O_WRONLY | O_CREAT | O_APPEND, 0600, e);
	if (l->fd < 0)
		return -1;
	if (fstat(l->fd, &st) == 0)
		l->size = st.st_size;
	return 0;
}

static void rotate(struct jsonlog *l)
{
	char from[32], to[32];
	int fd;

	if (l->max_file <= 1) {
		if (ftruncate(l->fd, 0) == 0)
			l->size = 0;
		return;
	}
	for (int i = l->max_file - 1; i >= 1; i--) {
		snprintf(to, sizeof to, "log.%d", i);
		snprintf(from, sizeof from, i == 1 ? "log" : "log.%d", i - 1);
		renameat(l->dir, from, l->dir, to);
	}
	fd = path_open(l->dir, "log", O_WRONLY | O_CREAT | O_APPEND, 0600, NULL);
	if (fd < 0)
		return;                               /* goes on in the renamed file; tried again with the next line */
	close(l->fd);
	l->fd = fd;
	l->size = 0;
}

static void put_out(struct jsonlog *l)
{
	if (l->out.n == 0)
		return;
	if (l->max_size > 0 && l->size > 0 && l->size + (int64_t)l->out.n > l->max_size)
		rotate(l);
	if (fd_write_all(l->fd, l->out.p, l->out.n) == 0)
		l->size += (int64_t)l->out.n;
	l->out.n = 0;
	l->out.overflow = false;
}

static void add_line(struct jsonlog *l, int stream, const char *p, size_t n, const char *time)
{
	/* At most six bytes for one, and the frame. With rotation each line is weighed alone. */
	if (l->out.n + n * 6 + 128 > OUT_MAX || (l->max_size > 0 && l->size + (int64_t)l->out.n + (int64_t)n + 80 > l->max_size))
		put_out(l);
	jsonlog_line(&l->out, p, n, stream, time);
}

void jsonlog_write(struct jsonlog *l, int stream, const char *p, size_t n)
{
	struct buf *part = &l->partial[stream];
	char time[RFC3339_MAX];
	struct str t;

	if (l->fd < 0 || n == 0)
		return;
	t = clock_rfc3339(clock_wall_ns(), time);
	time[t.n] = 0;
	while (n) {
		const char *nl = memchr(p, '\n', n);
		size_t take = nl ? (size_t)(nl - p) + 1 : n;
		size_t room = JSONLOG_LINE_MAX - part->n;

		if (take > room)
			take = room;
		if (part->n == 0 && (p[take - 1] == '\n' || take == JSONLOG_LINE_MAX)) {
			add_line(l, stream, p, take, time);
		} else {
			buf_add(part, p, take);
			if (part->p[part->n - 1] == '\n' || part->n == JSONLOG_LINE_MAX) {
				add_line(l, stream, part->p, part->n, time);
				part->n = 0;
			}
		}
		p += take;
		n -= take;
	}
	put_out(l);
}

void jsonlog_flush(struct jsonlog *l)
{
	char time[RFC3339_MAX];
	struct str t;

	if (l->fd < 0)
		return;
	t = clock_rfc3339(clock_wall_ns(), time);
	time[t.n] = 0;
	for (int s = 0; s < 2; s++) {
		if (l->partial[s].n)
			add_line(l, s, l->partial[s].p, l->partial[s].n, time);
		l->partial[s].n = 0;
	}
	put_out(l);
}

void jsonlog_close(struct jsonlog *l)
{
	jsonlog_flush(l);
	fd_close(&l->fd);
	buf_release(&l->partial[0]);
	buf_release(&l->partial[1]);
	buf_release(&l->out);
}
