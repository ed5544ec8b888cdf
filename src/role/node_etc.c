/* Files that every container has of us: hosts, resolv.conf, hostname. */
#include "role/node.h"

#include "os/fd.h"

#include <fcntl.h>
#include <stdlib.h>

/* Where names are resolved: by the network with the way out, or by the only one that there is. */
static struct str name_server(const struct container *c)
{
	const struct endpoint_settings *gw = container_gateway(c);

	return gw ? gw->gateway : c->endpoints.n ? c->endpoints.v[0].gateway : STR_NONE;
}

static int by_slot(const void *a, const void *b)
{
	int64_t x = ((const struct endpoint_settings *)a)->slot, y = ((const struct endpoint_settings *)b)->slot;

	return (x > y) - (x < y);
}

static void etc_hosts(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	struct endpoints_settings l = { arena_new_n(a, struct endpoint_settings, c->endpoints.n + 1), c->endpoints.n };
	struct buf b = BUF_INIT(1 << 20);

	buf_puts(&b, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
		     "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
	for (size_t i = 0; i < c->host.extra_hosts.n; i++) {
		struct str name, ip;

		if (!str_cut(c->host.extra_hosts.v[i], ':', &name, &ip))
			str_cut(c->host.extra_hosts.v[i], '=', &name, &ip);
		if (str_is(ip, "host-gateway"))
			ip = c->endpoints.n ? name_server(c) : STR("127.0.0.1");
		buf_printf(&b, "%.*s\t%.*s\n", STR_ARG(ip), STR_ARG(name));
	}
	if (l.n)
		memcpy(l.v, c->endpoints.v, l.n * sizeof *l.v);
	qsort(l.v, l.n, sizeof *l.v, by_slot);
	for (size_t i = 0; i < 2 * l.n; i++) {
		struct str ip = i % 2 ? l.v[i / 2].ip6 : l.v[i / 2].ip;

		if (ip.n)
			buf_printf(&b, "%.*s\t%.*s%s%.*s\n", STR_ARG(ip), STR_ARG(s->hostname), c->config.domainname.n ? "." : "",
				   STR_ARG(c->config.domainname));
	}
	s->etc_hosts = arena_str(a, buf_as_str(&b));
	buf_release(&b);
	s->etc_hostname = arena_printf(a, "%.*s\n", STR_ARG(s->hostname));
}

static void etc_resolv(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	struct buf b = BUF_INIT(64 << 10);

	if (c->host.dns_search.n) {
		buf_puts(&b, "search");
		for (size_t i = 0; i < c->host.dns_search.n; i++)
			buf_printf(&b, " %.*s", STR_ARG(c->host.dns_search.v[i]));
		buf_char(&b, '\n');
	}
	for (size_t i = 0; i < c->host.dns.n; i++)
		buf_printf(&b, "nameserver %.*s\n", STR_ARG(c->host.dns.v[i]));
	if (c->host.dns.n == 0 && c->endpoints.n) {
		buf_printf(&b, "nameserver %.*s\n", STR_ARG(name_server(c)));
	} else if (c->host.dns.n == 0) {              /* the machine's own, for network host and none */
		char text[64 << 10];
		auto_fd fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC); /* often a link */
		ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text));

		if (n > 0)
			buf_add(&b, text, (size_t)n);
	}
	if (c->host.dns_options.n) {
		buf_puts(&b, "options");
		for (size_t i = 0; i < c->host.dns_options.n; i++)
			buf_printf(&b, " %.*s", STR_ARG(c->host.dns_options.v[i]));
		buf_char(&b, '\n');
	}
	s->etc_resolv = arena_str(a, buf_as_str(&b));
	buf_release(&b);
}

void etc_make(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	etc_hosts(a, c, s);
	etc_resolv(a, c, s);
}

/* The endpoints that the files were made for: those joined, with those that leave now. */
static struct container before(struct arena *a, const struct container *c)
{
	struct container old = *c;

	old.endpoints = (struct endpoints_settings){ arena_new_n(a, struct endpoint_settings, c->endpoints.n + c->leaving.n + 1), 0 };
	for (size_t i = 0; i < c->endpoints.n; i++)
		if (c->endpoints.v[i].joined)
			old.endpoints.v[old.endpoints.n++] = c->endpoints.v[i];
	for (size_t i = 0; i < c->leaving.n; i++)
		if (c->leaving.v[i].joined)
			old.endpoints.v[old.endpoints.n++] = c->leaving.v[i];
	return old;
}

int etc_change(struct node_role *n, const struct container *c, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct container was = before(&a, c);
	struct runtime_spec old = { .hostname = c->config.hostname }, now = { .hostname = c->config.hostname };

	etc_make(&a, &was, &old);
	etc_make(&a, c, &now);
	return runtime_file_change(&n->rt, c->id, "hosts", old.etc_hosts, now.etc_hosts, e) ||
	       runtime_file_change(&n->rt, c->id, "resolv.conf", old.etc_resolv, now.etc_resolv, e) ? -1 : 0;
}
