/* ADD of a URL: the file is fetched by a pull process, like everything else that comes from the network, and handed on as an archive with
 * this one file. */
#include "image/address.h"
#include "image/pull.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/tar.h"
#include "http/client.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FETCH_MAX (16ll << 30)
#define REDIRECTS 10
#define CHUNK     (64 << 10)

/* One request. The answer's head; its body is read from `c`. */
static int ask(struct pull *p, struct http_client *c, struct str text, struct http_head *h, struct err *e)
{
	/* Never this machine itself: what listens there takes us for one of its own. */
	enum address_class most = p->start.is_private_ok ? ADDRESS_PRIVATE : ADDRESS_PUBLIC, class;
	struct str address;
	struct url u;

	if (url_parse(p->arena, text, &u, e) || address_find(p->arena, u.host, most, &address, &class, e))
		return -1;
	http_client_release(c);
	*c = (struct http_client){ .host = u.host, .address = address, .port = u.port, .tls = str_is(u.scheme, "https"),
		.trust.ca_pem = p->ca_pem };
	return http_request(c, "GET", u.path, STR("User-Agent: triton\r\n"), STR_NONE, h, e);
}

/* A Location, which may be relative to the host it came from. */
static struct str location(struct pull *p, const struct http_client *c, const struct http_head *h)
{
	struct str to = http_header(h, "Location");
	bool v6 = str_find(c->host, ':') >= 0;

	if (!str_starts(to, STR("/")))
		return arena_str(p->arena, to);
	return arena_printf(p->arena, "%s://%s%.*s%s:%d%.*s", c->tls ? "https" : "http", v6 ? "[" : "", STR_ARG(c->host), v6 ? "]" : "", c->port,
			    STR_ARG(to));
}

/* Its length is known only in the end, and an archive says it first. */
static int spool(struct http_client *c, int fd, int64_t *size, struct err *e)
{
	static char chunk[CHUNK];
	ssize_t n;

	for (*size = 0; (n = http_body_read(c, chunk, sizeof chunk, e)) > 0; *size += n) {
		if (*size + n > FETCH_MAX)
			return err_set(e, EFBIG, "the file is larger than %lld bytes", FETCH_MAX);
		if (fd_write_all(fd, chunk, (size_t)n))
			return err_sys(e, "keep the file");
	}
	return (int)n;
}

static int hand_on(struct pull *p, int fd, int64_t size, int64_t mtime_ns, struct err *e)
{
	static char chunk[CHUNK];
	const struct tar_entry t = { .name = p->start.call.message, .type = TAR_FILE, .mode = 0600, .size = size, .mtime_ns = mtime_ns };
	struct tar_writer w;
	ssize_t n;

	tar_writer_init(&w, tar_writer_to_fd, &p->input);
	if (lseek(fd, 0, SEEK_SET) || tar_write_header(&w, &t, e))
		return err_wrap(e, "pass on the file");
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		if (tar_write_data(&w, chunk, (size_t)n, e))
			return -1;
	return n < 0 ? err_sys(e, "read the file") : tar_write_end(&w, e);
}

static int fetch(struct pull *p, struct http_client *c, int fd, struct err *e)
{
	struct str url = p->start.call.ref;
	struct http_head h;
	int64_t size, mtime_ns = 0;

	for (int hops = 0; ; hops++) {
		if (ask(p, c, url, &h, e))
			return -1;
		if (h.status != 301 && h.status != 302 && h.status != 303 && h.status != 307 && h.status != 308)
			break;
		if (hops == REDIRECTS)
			return err_set(e, ELOOP, "it redirects more than %d times", REDIRECTS);
		url = location(p, c, &h);
	}
	if (h.status != 200)
		return err_set(e, ENOENT, "failed to GET %.*s with status %d", STR_ARG(str_head(url, 200)), h.status);
	if (!clock_parse_http_date(http_header(&h, "Last-Modified"), &mtime_ns))
		mtime_ns = 0;
	return spool(c, fd, &size, e) ? -1 : hand_on(p, fd, size, mtime_ns, e);
}

int pull_fetch(struct pull *p, struct last_lines *last, struct err *e)
{
	struct http_client c = { 0 };
	auto_fd fd = path_open(p->blobs, "fetch", O_RDWR | O_CREAT | O_EXCL, 0600, e);
	int rc;

	if (fd < 0)
		return -1;
	rc = fetch(p, &c, fd, e);
	http_client_release(&c);
	close(p->input);                              /* that was all: who reads it goes on */
	p->input = -1;
	if (rc)
		return err_wrap(e, "%.*s", STR_ARG(str_head(p->start.call.ref, 200)));
	strs_add(p->arena, &last->status, STR("fetched"));
	return 0;
}
