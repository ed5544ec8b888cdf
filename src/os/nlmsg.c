/* Netlink messages (netlink(7)). The kernel works through a batch while send(2) runs, in the caller's context: when send
 * returns, the answers are in the queue. */
#include "os/nlmsg.h"
#include "os/fd.h"
#include "os/netns.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_MAX  (64 << 20)                             /* far above what SO_SNDBUFFORCE will be asked for */
#define SNDBUF_OK  (128 << 10)                            /* fits every default */
#define ANSWER_MAX (64 << 10)
#define ANSWER_MS  10000

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

int nlmsg_socket(struct netlink *nl, int netns, int protocol, struct err *e)
{
	int on = 1;

	*nl = NETLINK_INIT;
	nl->out.max = BATCH_MAX;
	if (netns >= 0)
		nl->fd = netns_socket(netns, AF_NETLINK, SOCK_RAW, protocol, e);
	else if ((nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)) < 0)
		err_sys(e, "make a netlink socket");
	if (nl->fd < 0)
		return -1;
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);   /* the kernel's own sentence in errors */
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);   /* without our message quoted back */
	return 0;
}

void netlink_close(struct netlink *nl)
{
	fd_close(&nl->fd);
	buf_release(&nl->out);
	free(nl->req);
	nl->req = NULL;
	nl->nreq = nl->room = 0;
}

static void pad(struct netlink *nl)
{
	static const char zero[NLMSG_ALIGNTO];

	if (nl->out.n % NLMSG_ALIGNTO)
		buf_add(&nl->out, zero, NLMSG_ALIGNTO - nl->out.n % NLMSG_ALIGNTO);
}

void *nlmsg_begin(struct netlink *nl, uint16_t type, uint16_t flags, size_t header, const char *what, ...)
{
	struct nlmsghdr *h;
	struct netlink_request *r;
	size_t n = NLMSG_HDRLEN + NLMSG_ALIGN(header);
	va_list ap;

	if (nl->nreq == nl->room) {
		nl->room = nl->room ? 2 * nl->room : 16;
		nl->req = realloc(nl->req, nl->room * sizeof *nl->req);
		if (!nl->req)
			abort();
	}
	r = &nl->req[nl->nreq++];
	r->seq = ++nl->seq;
	r->ignore = 0;
	va_start(ap, what);
	vsnprintf(r->what, sizeof r->what, what, ap);
	va_end(ap);
	nl->msg = nl->out.n;
	nl->nopen = 0;
	h = buf_reserve(&nl->out, n);
	if (!h) {                                         /* overflow is sticky: transact reports it */
		static _Alignas(8) char sink[256];
		return sink;
	}
	memset(h, 0, n);
	nl->out.n += n;
	*h = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = r->seq };
	return (char *)h + NLMSG_HDRLEN;
}

void nlmsg_end(struct netlink *nl)
{
	if (!buf_ok(&nl->out))
		return;
	((struct nlmsghdr *)(nl->out.p + nl->msg))->nlmsg_len = (uint32_t)(nl->out.n - nl->msg);
}

void nlmsg_raw(struct netlink *nl, const void *p, size_t n)
{
	buf_add(&nl->out, p, n);
	pad(nl);
}

void nlmsg_attr(struct netlink *nl, uint16_t type, const void *p, size_t n)
{
	struct nlattr a = { (uint16_t)(NLA_HDRLEN + n), type };

	buf_add(&nl->out, &a, sizeof a);
	nlmsg_raw(nl, p, n);
}

void nlmsg_u8(struct netlink *nl, uint16_t type, uint8_t v) { nlmsg_attr(nl, type, &v, sizeof v); }
void nlmsg_u16(struct netlink *nl, uint16_t type, uint16_t v) { nlmsg_attr(nl, type, &v, sizeof v); }
void nlmsg_u32(struct netlink *nl, uint16_t type, uint32_t v) { nlmsg_attr(nl, type, &v, sizeof v); }
void nlmsg_be16(struct netlink *nl, uint16_t type, uint16_t v) { nlmsg_u16(nl, type, __builtin_bswap16(v)); }
void nlmsg_be32(struct netlink *nl, uint16_t type, uint32_t v) { nlmsg_u32(nl, type, __builtin_bswap32(v)); }
void nlmsg_str(struct netlink *nl, uint16_t type, const char *z) { nlmsg_attr(nl, type, z, strlen(z) + 1); }

void nlmsg_nest(struct netlink *nl, uint16_t type)
{
	struct nlattr a = { NLA_HDRLEN, type | NLA_F_NESTED };

	if (nl->nopen == sizeof nl->open / sizeof *nl->open)
		abort();
	nl->open[nl->nopen++] = nl->out.n;
	buf_add(&nl->out, &a, sizeof a);
}

void nlmsg_unnest(struct netlink *nl)
{
	size_t at = nl->open[--nl->nopen];

	if (buf_ok(&nl->out))
		((struct nlattr *)(nl->out.p + at))->nla_len = (uint16_t)(nl->out.n - at);
}

void netlink_tolerate(struct netlink *nl, int code)
{
	nl->req[nl->nreq - 1].ignore = code;
}

static void forget(struct netlink *nl)
{
	nl->out.n = 0;
	nl->out.overflow = false;
	nl->nreq = 0;
}

static int send_queue(struct netlink *nl, struct err *e)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int size = (int)(2 * nl->out.n);

	if (!buf_ok(&nl->out))
		return err_set(e, EMSGSIZE, "a netlink batch is too large");
	if (nl->out.n > SNDBUF_OK)
		setsockopt(nl->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	while (sendto(nl->fd, nl->out.p, nl->out.n, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
		if (errno != EINTR)
			return err_sys(e, "send to netlink");
	return 0;
}

/* One datagram of answers. 0: nothing is there (any more). */
static ssize_t answers(struct netlink *nl, char *p, int flags, struct err *e)
{
	struct sockaddr_nl from;
	socklen_t len;
	ssize_t n;

	for (;;) {
		len = sizeof from;
		n = recvfrom(nl->fd, p, ANSWER_MAX, flags | MSG_TRUNC, (struct sockaddr *)&from, &len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return err_sys(e, "receive from netlink");
		if (n > ANSWER_MAX)
			return err_set(e, EMSGSIZE, "a netlink answer is too large");
		if (from.nl_pid == 0)                     /* anybody may send to us; only the kernel is 0 */
			return n;
	}
}

static const struct netlink_request *request_of(const struct netlink *nl, uint32_t seq)
{
	size_t i = seq - nl->req[0].seq;

	return i < nl->nreq ? &nl->req[i] : NULL;
}

static int failed(const struct netlink *nl, const struct nlmsghdr *h, int code, struct err *e)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MSG + 1] = { 0 };
	const struct netlink_request *r = request_of(nl, h->nlmsg_seq);
	const char *what = r ? r->what : "netlink";

	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		nlmsg_parse(h, sizeof(struct nlmsgerr), tb, NLMSGERR_ATTR_MSG);
	if (tb[NLMSGERR_ATTR_MSG])
		return err_set(e, code, "%s: %s (%.*s)", what, strerror(code), (int)nlattr_len(tb[NLMSGERR_ATTR_MSG]),
			       (const char *)nlattr_data(tb[NLMSGERR_ATTR_MSG]));
	return err_set(e, code, "%s: %s", what, strerror(code));
}

int nlmsg_transact(struct netlink *nl, struct err *e)
{
	char *p;
	struct nlmsghdr *acked;
	bool done = false;
	uint32_t last = 0;
	int result = 0;
	ssize_t n;

	if (!nl->nreq)
		return 0;
	if (buf_ok(&nl->out)) {
		acked = (void *)(nl->out.p + nl->msg);
		acked->nlmsg_flags |= NLM_F_ACK;
		last = acked->nlmsg_seq;
	}
	if (send_queue(nl, e)) {
		forget(nl);
		return -1;
	}
	p = malloc(ANSWER_MAX);
	if (!p)
		abort();
	for (;;) {
		const struct nlmsghdr *h = (const void *)p;
		struct pollfd in = { nl->fd, POLLIN, 0 };

		n = answers(nl, p, MSG_DONTWAIT, e);
		if (n < 0) {
			result = -1;
			break;
		}
		if (n == 0) {
			if (done)
				break;
			if (poll(&in, 1, ANSWER_MS) == 0) {
				result = err_set(e, ETIMEDOUT, "%s: the kernel did not answer", nl->req[0].what);
				break;
			}
			continue;
		}
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			const struct nlmsgerr *err = NLMSG_DATA(h);
			const struct netlink_request *r;

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof *err))
				continue;
			r = request_of(nl, h->nlmsg_seq);
			if (h->nlmsg_seq == last || err->error)
				done = true;
			if (err->error && result == 0 && r && -err->error != r->ignore)
				result = failed(nl, h, -err->error, e);
		}
	}
	free(p);
	forget(nl);
	return result;
}

int nlmsg_dump(struct netlink *nl, nlmsg_fn *fn, void *ctx, struct err *e)
{
	bool done = false;
	int result = 0;
	ssize_t n;
	char *p;

	if (send_queue(nl, e)) {
		forget(nl);
		return -1;
	}
	p = malloc(ANSWER_MAX);
	if (!p)
		abort();
	while (!done) {
		const struct nlmsghdr *h = (const void *)p;

		n = answers(nl, p, 0, e);
		if (n <= 0) {
			result = -1;
			break;
		}
		for (; NLMSG_OK(h, (size_t)n) && !done; h = NLMSG_NEXT(h, n)) {
			const struct nlmsgerr *err = NLMSG_DATA(h);

			if (h->nlmsg_seq != nl->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE) {
				done = true;
			} else if (h->nlmsg_type == NLMSG_ERROR) {
				done = true;
				if (err->error)
					result = failed(nl, h, -err->error, e);
			} else if (result == 0) {
				result = fn(ctx, h, e);
			}
			if (!(h->nlmsg_flags & NLM_F_MULTI))
				done = true;
		}
	}
	free(p);
	forget(nl);
	return result;
}

void nlattr_parse(const void *p, size_t n, const struct nlattr **tb, int max)
{
	const char *at = p;

	while (n >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)at;
		size_t step = NLA_ALIGN(a->nla_len);
		int type = a->nla_type & NLA_TYPE_MASK;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > n)
			return;
		if (type <= max)
			tb[type] = a;
		if (step >= n)
			return;
		at += step;
		n -= step;
	}
}

void nlmsg_parse(const struct nlmsghdr *h, size_t header, const struct nlattr **tb, int max)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header);

	if (h->nlmsg_len > skip)
		nlattr_parse((const char *)h + skip, h->nlmsg_len - skip, tb, max);
}

uint32_t nlattr_u32(const struct nlattr *a)
{
	uint32_t v = 0;

	if (a && nlattr_len(a) >= sizeof v)
		memcpy(&v, nlattr_data(a), sizeof v);
	return v;
}
