#include "image/progress.h"

#include "codec/json.h"
#include "codec/sha256.h"
#include "os/fd.h"

#include <unistd.h>

#define LINE (2 << 20)                                /* a search's or a registry's answer is one line, too */

struct str digest_short(struct str digest)
{
	return str_head(digest_hex(digest), 12);
}

static void send_line(struct progress *p, struct buf *b)
{
	int rc;

	if (p->fd < 0)
		return;
	buf_puts(b, "}\r\n");
	pthread_mutex_lock(&p->lock);
	rc = fd_write_all(p->fd, b->p, b->n);
	pthread_mutex_unlock(&p->lock);
	if (rc)
		_exit(0);
}

static void member(struct buf *b, const char *name, struct str val)
{
	buf_printf(b, "%s\"%s\":", b->n ? "," : "{", name);
	json_quote(b, val);
}

void progress_line(struct progress *p, struct str status)
{
	auto_buf b = BUF_INIT(LINE);

	member(&b, "status", status);
	send_line(p, &b);
}

void progress_stream(struct progress *p, struct str text)
{
	auto_buf b = BUF_INIT(LINE);

	member(&b, "stream", text);
	send_line(p, &b);
}

void progress_status(struct progress *p, struct str id, const char *status)
{
	auto_buf b = BUF_INIT(LINE);

	member(&b, "status", str_of(status));
	buf_puts(&b, ",\"progressDetail\":{}");
	if (id.n)
		member(&b, "id", id);
	send_line(p, &b);
}

static void add_size(struct buf *b, double n)         /* "1.234MB", as the CLI's own older versions print it */
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	int i = 0;

	while (n >= 1000 && i < 4) {
		n /= 1000;
		i++;
	}
	buf_printf(b, "%.4g%s", n, units[i]);
}

void progress_amount(struct progress *p, struct str id, const char *status, int64_t current, int64_t total)
{
	auto_buf b = BUF_INIT(LINE), bar = BUF_INIT(200);
	int filled = total > 0 ? (int)(current * 50 / total) : 0, i;

	buf_char(&bar, '[');
	for (i = 0; i < 50; i++)
		buf_char(&bar, i < filled ? '=' : i == filled ? '>' : ' ');
	buf_puts(&bar, "]  ");
	add_size(&bar, current);
	buf_char(&bar, '/');
	add_size(&bar, total);
	member(&b, "status", str_of(status));
	buf_printf(&b, ",\"progressDetail\":{\"current\":%lld,\"total\":%lld}", (long long)current, (long long)total);
	member(&b, "progress", buf_as_str(&bar));
	member(&b, "id", id);
	send_line(p, &b);
}

void progress_pushed(struct progress *p, struct str tag, struct str digest, int64_t size)
{
	auto_buf b = BUF_INIT(LINE);

	buf_puts(&b, "{\"progressDetail\":{},\"aux\":{\"Tag\":");
	json_quote(&b, tag);
	buf_puts(&b, ",\"Digest\":");
	json_quote(&b, digest);
	buf_printf(&b, ",\"Size\":%lld}", (long long)size);
	send_line(p, &b);
}

void progress_error(struct progress *p, const char *message)
{
	auto_buf b = BUF_INIT(LINE);

	buf_puts(&b, "{\"errorDetail\":{\"message\":");
	json_quote(&b, str_of(message));
	buf_char(&b, '}');
	member(&b, "error", str_of(message));
	send_line(p, &b);
}
