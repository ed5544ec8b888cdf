#include "role/dns.h"

#include "base/log.h"
#include "ipc/op.h"
#include "ipc/spawn.h"
#include "model/op.h"
#include "os/fd.h"
#include "role/confine.h"
#include "role/dns_names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIEW_TIMEOUT_MS 30000
#define CONF_PATH       "/etc/resolv.conf"
#define CONF_MAX        (64 << 10)
#define CONF_LOOK_MS    2000

struct dns {
	struct loop       loop;
	struct dns_names  names;
	struct resolver  *resolver;
	struct ipc_chan  *serve, *state, *node;
	struct loop_watch signals;
	struct loop_timer look;
	int               conf;                       /* resolv.conf, held open: there are no files in here */
	struct timespec   conf_time;
	int               status;
};

#define DNS_OF(p, member) ((struct dns *)((char *)(p) - offsetof(struct dns, member)))

/* --- the machine's resolvers ---------------------------------------------------------------------------- */

static void read_conf(struct dns *d)
{
	struct ip v[RESOLVER_UPSTREAMS];
	char *text;
	ssize_t n;

	if (d->conf < 0)
		return;
	text = malloc(CONF_MAX);
	if (!text)
		abort();
	n = pread(d->conf, text, CONF_MAX, 0);
	resolver_upstreams(d->resolver, v, n > 0 ? dns_resolv_conf(str_make(text, (size_t)n), v, RESOLVER_UPSTREAMS) : 0);
	free(text);
}

/* Changed in place: read it again. Replaced by another file (as DHCP clients do): that one can only be opened before the
 * sandbox, so start again; it takes milliseconds, and the node role hands over its sockets anew. */
static void look(struct loop_timer *t)
{
	struct dns *d = DNS_OF(t, look);
	struct stat st;

	if (d->conf >= 0 && fstat(d->conf, &st) == 0) {
		if (st.st_nlink == 0) {
			log_info("resolv.conf was replaced, starting again");
			loop_stop(&d->loop);
			return;
		}
		if (st.st_mtim.tv_sec != d->conf_time.tv_sec || st.st_mtim.tv_nsec != d->conf_time.tv_nsec)
			read_conf(d);
		d->conf_time = st.st_mtim;
	}
	loop_after(&d->loop, &d->look, CONF_LOOK_MS);
}

/* --- messages ------------------------------------------------------------------------------------------- */

static int on_revision(struct ipc_req *r, void *in, struct err *e)
{
	struct dns *d = r->ctx;

	(void)e;
	view_notify(d->names.view, ((struct revision *)in)->n);
	return 0;
}

static int on_socket(struct ipc_req *r, void *in, struct err *e)
{
	const struct dns_socket *s = in;
	struct dns *d = r->ctx;
	int udp = ipc_msg_take(r->msg, 0), tcp = ipc_msg_take(r->msg, 1);

	if (udp < 0 || tcp < 0) {
		fd_close(&udp);
		fd_close(&tcp);
		return err_set(e, EBADMSG, "a network without its two sockets");
	}
	fd_nonblock(udp, true);
	fd_nonblock(tcp, true);
	return resolver_add(d->resolver, s->network, s->account, udp, tcp, e);
}

static int on_close(struct ipc_req *r, void *in, struct err *e)
{
	struct dns *d = r->ctx;

	(void)e;
	resolver_remove(d->resolver, ((struct by_id *)in)->id);
	return 0;
}

static void closed(struct ipc_chan *c, void *ctx, const struct err *why)
{
	struct dns *d = ctx;

	(void)why;
	if (c == d->serve) {
		d->serve = NULL;
		loop_stop(&d->loop);                          /* nobody is left to serve for */
	}
	if (c == d->state)
		d->state = NULL;
	if (c == d->node)
		d->node = NULL;
}

static void failed(struct ipc_chan *c, void *ctx, uint16_t op, const struct err *e)
{
	(void)ctx;
	log_failed("event refused", e, L("partner", role_name(ipc_chan_role(c))), L("op", op));
}

static const struct ipc_chan_fns fns = { closed, failed };
static const struct ipc_op state_ops[] = {
	{ OP_REVISION, ROLE_STATE, revision_fields, sizeof(struct revision), on_revision },
	{ 0 }
};
static const struct ipc_op node_ops[] = {
	{ OP_DNS_SOCKET, ROLE_NODE, dns_socket_fields, sizeof(struct dns_socket), on_socket },
	{ OP_DNS_CLOSE,  ROLE_NODE, by_id_fields,      sizeof(struct by_id),      on_close },
	{ 0 }
};

static int on_channel(struct ipc_req *r, void *in, struct err *e)
{
	unsigned role = ((struct channel *)in)->role;
	int fd = ipc_msg_take(r->msg, 0);
	struct dns *d = r->ctx;
	struct ipc_chan **place = role == ROLE_STATE ? &d->state : role == ROLE_NODE ? &d->node : NULL;

	if (fd < 0 || !place) {
		fd_close(&fd);
		return err_set(e, EBADMSG, "a channel to role %u", role);
	}
	ipc_chan_free(*place);
	*place = ipc_chan_new(&d->loop, fd, role, role == ROLE_STATE ? state_ops : node_ops, &fns, d, e);
	return *place ? 0 : -1;
}

static const struct ipc_op serve_ops[] = {
	{ OP_CHANNEL, ROLE_SERVE, channel_fields, sizeof(struct channel), on_channel },
	{ 0 }
};

/* --- starting ------------------------------------------------------------------------------------------- */

static void on_signal(struct loop_watch *w, uint32_t events)
{
	(void)events;
	loop_stop(&DNS_OF(w, signals)->loop);
}

static int start(struct dns *d, char **argv, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	struct resolver_config c = { .loop = &d->loop, .zone = str_of(argv[3]), .lookup = dns_names_lookup, .ctx = &d->names };
	unsigned uid = (unsigned)strtoul(argv[2], NULL, 10);
	int serve = spawn_fd("serve", 0);

	signal(SIGPIPE, SIG_IGN);
	d->look.fire = look;
	d->names.zone = c.zone;
	d->conf = open(CONF_PATH, O_RDONLY | O_CLOEXEC);  /* none: foreign names fail, ours do not */
	if (serve < 0)
		return err_set(e, EINVAL, "the dns role is started by serve");
	d->names.view = view_open(argv[1], VIEW_TIMEOUT_MS, e);
	if (!d->names.view || loop_init(&d->loop, e))
		return -1;
	d->signals = (struct loop_watch){ .fd = loop_signals(signals, e), .ready = on_signal };
	if (d->signals.fd < 0 || loop_add(&d->loop, &d->signals, EPOLLIN, e) || (uid && confine(&confine_dns, uid, "", e)))
		return -1;
	d->resolver = resolver_new(&c);
	read_conf(d);
	look(&d->look);
	d->serve = ipc_chan_new(&d->loop, serve, ROLE_SERVE, serve_ops, &fns, d, e);
	if (!d->serve)
		return -1;
	ipc_chan_event(d->serve, OP_READY, NULL, NULL, NULL, 0);
	return 0;
}

int role_dns(int argc, char **argv)
{
	static struct dns d = { .conf = -1 };
	struct err e = { 0 };

	log_open("dns", 2, LOG_INFO);
	if (argc < 4) {
		err_set(&e, EINVAL, "the dns role needs a directory, a user id and a zone");
		log_failed("dns role cannot start", &e);
		return 2;
	}
	if (start(&d, argv, &e)) {
		log_failed("dns role cannot start", &e);
		return 1;
	}
	if (loop_run(&d.loop, &e)) {
		log_failed("dns role failed", &e);
		d.status = 1;
	}
	resolver_free(d.resolver);
	dns_names_release(&d.names);
	ipc_chan_free(d.serve);
	ipc_chan_free(d.state);
	ipc_chan_free(d.node);
	view_close(d.names.view);
	loop_release(&d.loop);
	return d.status;
}
