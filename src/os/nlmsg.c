/* Batches of netlink(7) messages through libnl. The kernel works through a batch while send(2) runs, in the caller's context: when
 * send returns, the answers are in the queue. */
#include "os/nlmsg.h"
#include "os/fd.h"
#include "os/netns.h"

#include <errno.h>
#include <netlink/netlink.h>
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

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* The socket is made by hand: libnl would make it in the namespace of the caller. */
int netlink_open_protocol(struct netlink *nl, int netns, int protocol, struct err *e)
{
	auto_fd fd = -1;
	int on = 1;

	*nl = NETLINK_INIT;
	nl->out.max = BATCH_MAX;
	if (netns >= 0)
		fd = netns_socket(netns, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol, e);
	else if ((fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)) < 0)
		err_sys(e, "make a netlink socket");
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);   /* the kernel's own sentence in errors */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);   /* without our message quoted back */
	nl->sock = must(nl_socket_alloc());
	if (nl_socket_set_fd(nl->sock, protocol, fd))
		return err_set(e, EPROTO, "libnl does not take the netlink socket");
	fd_take(&fd);
	nl_socket_disable_seq_check(nl->sock);            /* a batch has many numbers in flight */
	nl_socket_disable_auto_ack(nl->sock);
	nl_socket_disable_msg_peek(nl->sock);
	nl_socket_set_msg_buf_size(nl->sock, ANSWER_MAX);
	return 0;
}

int netlink_fd(const struct netlink *nl)
{
	return nl_socket_get_fd(nl->sock);
}

void netlink_close(struct netlink *nl)
{
	nl_socket_free(nl->sock);
	nlmsg_free(nl->msg);
	buf_release(&nl->out);
	free(nl->req);
	*nl = NETLINK_INIT;
}

/* The message under construction is complete. */
static void flush(struct netlink *nl)
{
	if (nl->msg)
		buf_add(&nl->out, nlmsg_hdr(nl->msg), NLMSG_ALIGN(nlmsg_hdr(nl->msg)->nlmsg_len));
	nlmsg_free(nl->msg);
	nl->msg = NULL;
}

struct nl_msg *netlink_request(struct netlink *nl, int type, int flags, const void *header, size_t n, const char *what, ...)
{
	struct netlink_request *r;
	va_list ap;

	flush(nl);
	if (nl->nreq == nl->room) {
		nl->room = nl->room ? 2 * nl->room : 16;
		nl->req = must(realloc(nl->req, nl->room * sizeof *nl->req));
	}
	r = &nl->req[nl->nreq++];
	*r = (struct netlink_request){ .seq = nl_socket_use_seq(nl->sock) };
	va_start(ap, what);
	vsnprintf(r->what, sizeof r->what, what, ap);
	va_end(ap);
	nl->msg = must(nlmsg_alloc());
	nlmsg_put(nl->msg, 0, r->seq, type, 0, NLM_F_REQUEST | flags);
	nlmsg_append(nl->msg, (void *)header, n, NLMSG_ALIGNTO);
	return nl->msg;
}

void netlink_tolerate(struct netlink *nl, int code)
{
	nl->req[nl->nreq - 1].ignore = code;
}

void netlink_ask_ack(struct netlink *nl)
{
	nlmsg_hdr(nl->msg)->nlmsg_flags |= NLM_F_ACK;
	nl->acked = nl->nreq;
}

uint32_t netlink_u32(struct nlattr *a)
{
	return a && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

static int send_queue(struct netlink *nl, struct err *e)
{
	int size = (int)(2 * nl->out.n);

	if (!buf_ok(&nl->out))
		return err_set(e, EMSGSIZE, "a netlink batch is too large");
	if (nl->out.n > SNDBUF_OK)
		setsockopt(netlink_fd(nl), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	while (nl_sendto(nl->sock, nl->out.p, nl->out.n) < 0)
		if (errno != EINTR)
			return err_sys(e, "send to netlink");
	return 0;
}

/* --- answers: libnl takes datagrams apart and calls back ---------------------------------------------- */

struct answers {
	const struct netlink *nl;
	netlink_fn *fn;                               /* NULL: only acknowledgements are expected */
	void       *ctx;
	bool        done;
	int         result;
	struct err *e;
};

static const struct netlink_request *request_of(const struct netlink *nl, uint32_t seq)
{
	size_t i = seq - nl->req[0].seq;

	return i < nl->nreq ? &nl->req[i] : NULL;
}

/* Anybody may send to us: only port 0 is the kernel. And late answers to what was given up are nobody's. */
static int on_message(struct nl_msg *m, void *arg)
{
	const struct answers *a = arg;

	return nlmsg_get_src(m)->nl_pid == 0 && request_of(a->nl, nlmsg_hdr(m)->nlmsg_seq) ? NL_OK : NL_SKIP;
}

static int on_valid(struct nl_msg *m, void *arg)
{
	struct answers *a = arg;

	if (a->fn)
		a->fn(a->ctx, nlmsg_hdr(m));
	if (a->fn && !(nlmsg_hdr(m)->nlmsg_flags & NLM_F_MULTI))
		a->done = true;
	return NL_OK;
}

static int on_finish(struct nl_msg *m, void *arg)
{
	(void)m;
	((struct answers *)arg)->done = true;
	return NL_OK;
}

static int on_ack(struct nl_msg *m, void *arg)
{
	struct answers *a = arg;

	if (a->fn || request_of(a->nl, nlmsg_hdr(m)->nlmsg_seq) == &a->nl->req[a->nl->acked - 1])
		a->done = true;
	return NL_OK;
}

/* An error is an answer, too: of an nf_tables transaction nothing else comes after it. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)err - NLMSG_HDRLEN);
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { 0 };
	struct answers *a = arg;
	const struct netlink_request *r = request_of(a->nl, h->nlmsg_seq);
	int code = -err->error;

	(void)from;
	a->done = true;
	if (a->result || code == r->ignore)
		return NL_SKIP;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		nlmsg_parse(h, sizeof *err, tb, NLMSGERR_ATTR_MAX, NULL);
	if (tb[NLMSGERR_ATTR_MSG])
		a->result = err_set(a->e, code, "%s: %s (%.*s)", r->what, strerror(code), nla_len(tb[NLMSGERR_ATTR_MSG]),
				    (const char *)nla_data(tb[NLMSGERR_ATTR_MSG]));
	else
		a->result = err_set(a->e, code, "%s: %s", r->what, strerror(code));
	return NL_SKIP;
}

static int receive(struct answers *a, struct err *e)
{
	struct nl_sock *s = a->nl->sock;
	struct pollfd in = { netlink_fd(a->nl), POLLIN, 0 };
	int n;

	nl_socket_modify_cb(s, NL_CB_MSG_IN, NL_CB_CUSTOM, on_message, a);
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, on_valid, a);
	nl_socket_modify_cb(s, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, a);
	nl_socket_modify_cb(s, NL_CB_ACK, NL_CB_CUSTOM, on_ack, a);
	nl_socket_modify_err_cb(s, NL_CB_CUSTOM, on_error, a);
	for (;;) {
		n = nl_recvmsgs_default(s);
		if (n == -NLE_AGAIN && a->done)
			return a->result;
		if (n == -NLE_AGAIN && poll(&in, 1, ANSWER_MS) == 0)
			return err_set(e, ETIMEDOUT, "%s: the kernel did not answer", a->nl->req[0].what);
		if (n == -NLE_DUMP_INTR)
			return err_set(e, EINTR, "%s: changed while it was read", a->nl->req[0].what);
		if (n < 0 && n != -NLE_AGAIN)
			return err_set(e, EIO, "receive from netlink: %s", nl_geterror(n));
	}
}

static int transact(struct netlink *nl, netlink_fn *fn, void *ctx, struct err *e)
{
	struct answers a = { .nl = nl, .fn = fn, .ctx = ctx, .e = e };
	int result;

	flush(nl);
	result = send_queue(nl, e) ? -1 : receive(&a, e);
	nl->out.n = 0;
	nl->out.overflow = false;
	nl->nreq = nl->acked = 0;
	return result;
}

int netlink_commit(struct netlink *nl, struct err *e)
{
	if (!nl->nreq)
		return 0;
	if (!nl->acked)
		netlink_ask_ack(nl);
	return transact(nl, NULL, NULL, e);
}

int netlink_ask(struct netlink *nl, netlink_fn *fn, void *ctx, struct err *e)
{
	return transact(nl, fn, ctx, e);
}
