#include "tool/admin.h"

#include "codec/json.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (64 << 20)

struct api_error { struct str message; };
static const struct field api_error_fields[] = { FIELD(1, api_error, message, "message", 0), FIELD_END };

static int unreachable(struct admin *c, const struct err *why, struct err *e)
{
	if (why->code == EACCES || why->code == EPERM)
		return err_set(e, EACCES, "%s/docker.sock is for root only; try with sudo", c->run_dir);
	if (why->code == ENOENT || why->code == ECONNREFUSED)
		return err_set(e, ECONNREFUSED, "nothing answers on %s/docker.sock; is `triton serve` running there? (--run-dir DIR names another instance)",
			       c->run_dir);
	return err_set(e, why->code, "%s/docker.sock: %s", c->run_dir, why->msg);
}

static int refused(struct admin *c, int status, struct err *e)
{
	struct api_error said = { 0 };
	struct str body;
	struct err ignored;

	if (http_body(&c->http, &c->arena, 1 << 20, &body, &ignored) == 0 &&
	    json_decode(&c->arena, body, api_error_fields, &said, &ignored) == 0 && said.message.n)
		return err_set(e, EIO, "%.*s", (int)(said.message.n > 400 ? 400 : said.message.n), said.message.p);
	return err_set(e, EIO, "the instance answered with status %d", status);
}

int admin_open(struct admin *c, const char *method, struct str target, struct str body, struct err *e)
{
	struct http_head head = { 0 };
	struct err why = { 0 };

	c->http.unix_path = arena_printf(&c->arena, "%s/docker.sock", c->run_dir);
	if (http_request(&c->http, method, target, body.n ? STR("Content-Type: application/json\r\n") : STR_NONE, body, &head, &why))
		return unreachable(c, &why, e);
	return head.status >= 400 ? refused(c, head.status, e) : 0;
}

int admin_call(struct admin *c, const char *method, struct str target, struct str body, struct str *out, struct err *e)
{
	if (admin_open(c, method, target, body, e))
		return -1;
	return http_body(&c->http, &c->arena, ANSWER_MAX, out, e);
}

struct str admin_path(struct admin *c, const char *prefix, const char *word, const char *suffix)
{
	auto_buf b = BUF_INIT(64 << 10);

	buf_puts(&b, prefix);
	http_escape(&b, str_of(word));
	buf_puts(&b, suffix);
	return arena_str(&c->arena, buf_as_str(&b));
}

int admin_file(struct admin *c, const char *path, size_t max, struct str *out, struct err *e)
{
	auto_fd opened = -1;
	int fd = 0;
	char *p = arena_alloc(&c->arena, max + 1);
	ssize_t n;

	if (strcmp(path, "-") != 0 && (fd = opened = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_sys(e, "cannot read %s", path);
	n = fd_read_full(fd, p, max + 1);
	if (n < 0)
		return err_sys(e, "cannot read %s", path);
	if (n == 0)
		return err_set(e, EINVAL, "%s is empty", path);
	if ((size_t)n > max)
		return err_set(e, EFBIG, "%s is longer than %zu bytes, so it is not what is wanted here", path, max);
	*out = str_make(p, (size_t)n);
	return 0;
}

void admin_puts(struct str text)
{
	fwrite(text.p, 1, text.n, stdout);
	if (text.n && text.p[text.n - 1] != '\n')
		putchar('\n');
}

static const struct admin_verb *verb_find(const struct admin_verb *verbs, const char *name)
{
	for (; verbs->name; verbs++)
		if (strcmp(verbs->name, name) == 0)
			return verbs;
	return NULL;
}

static int __attribute__((format(printf, 2, 3))) usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "triton %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; `triton help %s` shows how\n", command);
	return 2;
}

int admin_verbs(const char *command, const struct option *options, const struct admin_verb *verbs, int argc, char **argv)
{
	struct admin c = ADMIN_INIT;
	struct err e = { 0 };
	int words = options_parse(options, command, argc, argv, &c, &e), most, rc;
	const struct admin_verb *v;

	if (words < 0) {
		fprintf(stderr, "triton %s: %s\n", command, e.msg);
		return 2;
	}
	if (words == 0)
		return usage(command, "say what to do");
	v = verb_find(verbs, argv[1]);
	if (!v)
		return usage(command, "there is no %s", argv[1]);
	if (words - 1 < v->words)
		return usage(command, "%s needs more words", v->name);
	most = v->words + (v->flags & ADMIN_OPTIONAL_WORD ? 1 : 0);
	if (words - 1 > most)
		return usage(command, "%s is one word too many", argv[2 + most]);
	if ((c.key && !(v->flags & ADMIN_TAKES_KEY)) || (c.operator_ && !(v->flags & ADMIN_TAKES_OPERATOR)))
		return usage(command, "%s takes neither --key nor --operator", v->name);
	if (c.force && !(v->flags & ADMIN_TAKES_FORCE))
		return usage(command, "%s takes no --force", v->name);
	if (words + 1 < argc)
		argv[words + 1] = NULL;                 /* flags were moved out of the way; what they left is no word */
	rc = v->run(&c, argv + 2, &e);
	if (rc)
		fprintf(stderr, "triton %s: %s\n", command, e.msg);
	else if (fflush(stdout))
		rc = -1;
	http_client_release(&c.http);
	arena_release(&c.arena);
	return rc ? 1 : 0;
}
