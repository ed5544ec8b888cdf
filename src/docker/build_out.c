#include "docker/build.h"

#include "codec/json.h"
#include "image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define LINE_MAX_BYTES  (64 << 10)
#define HELD_MAX        (16 << 20)

static int send_json(struct build *b, struct buf *json, struct err *e)
{
	buf_puts(json, "\r\n");
	return reply_write(b->r, json->p, json->n, e);
}

int build_stream(struct build *b, struct str text, struct err *e)
{
	auto_buf json = BUF_INIT(1 << 20);

	if (b->quiet) {
		if (!b->held.max)
			b->held = BUF_INIT(HELD_MAX);
		buf_str(&b->held, text);
		return 0;
	}
	buf_puts(&json, "{\"stream\":");
	json_quote(&json, text);
	buf_char(&json, '}');
	return send_json(b, &json, e);
}

int build_say(struct build *b, struct err *e, const char *fmt, ...)
{
	va_list ap;
	struct str text;

	va_start(ap, fmt);
	text = arena_vprintf(b->a, fmt, ap);
	va_end(ap);
	return build_stream(b, text, e);
}

int build_aux(struct build *b, struct err *e)
{
	auto_buf json = BUF_INIT(4096);

	buf_puts(&json, "{\"aux\":{\"ID\":");
	json_quote(&json, b->image.id);
	buf_puts(&json, "}}");
	return send_json(b, &json, e);
}

int build_failed(struct build *b, const struct err *why, int64_t exit_code, struct err *e)
{
	auto_buf json = BUF_INIT(64 << 10);
	struct str held = buf_as_str(&b->held);

	b->quiet = false;                             /* -q shows what went wrong */
	if (held.n && build_stream(b, held, e))
		return -1;
	buf_puts(&json, "{\"errorDetail\":{");
	if (exit_code)
		buf_printf(&json, "\"code\":%lld,", (long long)exit_code);
	buf_puts(&json, "\"message\":");
	json_quote(&json, str_of(why->msg));
	buf_puts(&json, "},\"error\":");
	json_quote(&json, str_of(why->msg));
	buf_char(&json, '}');
	return send_json(b, &json, e);
}

int build_wait(struct build *b, int fd, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 500) > 0)
			return 0;
		if (reply_client_gone(b->r))
			return err_set(e, EPIPE, "the client has gone");
	}
}

struct progress_error { struct str error; };
static const struct field progress_error_fields[] = { FIELD(1, progress_error, error, "error", 0), FIELD_END };

/* Lines of progress as they come; one that tells of an error is ours to tell. */
static int pass_progress(struct build *b, int fd, struct err *e)
{
	auto_buf buf = BUF_INIT(LINE_MAX_BYTES);
	ssize_t n;

	for (;;) {
		ptrdiff_t end;
		void *room = buf_reserve(&buf, 4096);

		if (!room)
			return err_set(e, EBADMSG, "a line of progress is longer than %d bytes", LINE_MAX_BYTES);
		if (build_wait(b, fd, e) || (n = read(fd, room, 4096)) < 0)
			return errno == EINTR ? 0 : -1;
		if (n == 0)
			return 0;
		buf.n += (size_t)n;
		while ((end = str_find(buf_as_str(&buf), '\n')) >= 0) {
			struct str line = str_head(buf_as_str(&buf), (size_t)end + 1);
			struct progress_error p = { 0 };
			struct err ignored;

			if (json_decode(b->a, arena_str(b->a, line), progress_error_fields, &p, &ignored) == 0 && p.error.n)
				return err_set(e, EIO, "%.*s", STR_ARG(str_head(p.error, 400)));
			if (!b->quiet && reply_write(b->r, line.p, line.n, e))
				return -1;
			buf_consume(&buf, line.n);
		}
	}
}

int build_pull(struct build *b, struct str ref, struct err *e)
{
	struct pull_call in = { .account = who(b->r)->login, .platform = b->platform };
	struct reference parsed;
	int fds[2], rc;

	if (reference_parse(b->a, ref, &parsed, e) || registry_auth_for(b->r, parsed.host, &in, e))
		return -1;
	reference_default_tag(&parsed);
	in.ref = reference_familiar(b->a, &parsed);
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	rc = api_node(b->r, OP_PULL, pull_call_fields, &in, NULL, NULL, &fds[1], 1, NULL, NULL, NODE_TIMEOUT_MS, e);
	close(fds[1]);
	if (rc == 0)
		rc = pass_progress(b, fds[0], e);
	close(fds[0]);
	return rc;
}
