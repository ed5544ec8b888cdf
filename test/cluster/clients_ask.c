/* One request, and what is made of its answer. */
#include "cluster/clients.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#define JSON         STR("Content-Type: application/json\r\n")

void fact(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	flockfile(history);
	vfprintf(history, fmt, ap);
	fputc('\n', history);
	funlockfile(history);
	va_end(ap);
}

uint64_t roll(struct client *c, uint64_t n)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % n;
}

void pause_ms(int ms)
{
	for (; ms > 0 && !ending; ms -= 100)
		clock_sleep_ms(ms < 100 ? ms : 100);
}

struct str file_read(const char *in, const char *name)
{
	char path[512], *p = calloc(1, 16384);
	struct str s;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", in, name);
	f = fopen(path, "re");
	if (!f)
		exit((perror(path), 2));
	s = str_make(p, fread(p, 1, 16383, f));
	fclose(f);
	return s;
}

struct tls_identity *identity_read(const char *in)
{
	struct err e;
	struct tls_identity *id = tls_identity_new(file_read(in, "cert.pem"), file_read(in, "key.pem"), &e);

	if (!id)
		exit((fprintf(stderr, "clients: %s: %s\n", in, e.msg), 2));
	return id;
}

/* --- one request --- */

struct answer ask_with(struct client *c, struct http_client *h, int node, const char *method, const char *target, struct str json)
{
	struct answer r = { .begin = clock_mono_ns() };
	struct http_head head = { 0 };
	struct err e = { 0 };

	if (setns(nodes[node].fd, CLONE_NEWNET))
		abort();
	if (http_request(h, method, str_of(target), json.n ? JSON : STR_NONE, json, &head, &e))
		r.status = str_find_str(str_of(e.msg), STR("connect to")) >= 0 ? 0 : -1;
	else if (http_body(h, &c->arena, 64 << 20, &r.body, &e))
		r.status = -1;
	else
		r.status = head.status;
	if (h->unix_path.n && r.status > 0 && http_header(&head, "Triton-Stale").n)
		r.status = 503;                       /* root is shown what is there; clients would not be */
	r.end = clock_mono_ns();
	return r;
}

struct answer ask(struct client *c, int node, const char *method, const char *target, struct str json)
{
	struct http_client *h = &c->at[node];

	if (!h->port)
		*h = (struct http_client){ .host = STR("127.0.0.1"), .port = 2376, .tls = true, .identity = accounts[c->account].identity,
					   .trust.ca_pem = ca, .connect_ms = 3000, .stall_ms = STALL_MS };
	return ask_with(c, h, node, method, target, json);
}

struct str text_after(struct str body, const char *key)
{
	ptrdiff_t at = str_find_str(body, str_of(key)), end;

	if (at < 0)
		return STR_NONE;
	body = str_drop(body, (size_t)at + strlen(key));
	end = str_find(body, '"');
	return end < 0 ? STR_NONE : str_head(body, (size_t)end);
}

int64_t number_after(struct str body, const char *key)
{
	ptrdiff_t at = str_find_str(body, str_of(key));

	return at < 0 ? -1 : strtoll(str_drop(body, (size_t)at + strlen(key)).p, NULL, 10);
}

const char *text(struct client *c, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(&c->arena, fmt, ap);
	va_end(ap);
	return s.p;
}

const char *refusal(const struct answer *r, const char *on_404, const char *on_409)
{
	bool unknown = str_find_str(r->body, STR("not known")) >= 0 || str_find_str(r->body, STR("the change was made")) >= 0;

	if (r->status == 404)
		return on_404;
	if (r->status == 409)
		return str_find_str(r->body, STR("already in use")) >= 0 ? on_409 : "fail";
	if (r->status == 0 || (r->status == 503 && !unknown) || (r->status >= 400 && r->status < 500))
		return "fail";
	return "unknown";
}
