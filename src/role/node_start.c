/* The start of a container: what it needs is looked for here, then a child, which becomes its shim, makes it. What becomes of that it tells
 * as an event (node_life.c). */
#include "role/node.h"

#include "base/log.h"
#include "os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void start_attaches_close(struct local *l)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &l->attaches) {
		struct pending_attach *p = list_entry(pos, struct pending_attach, link);

		list_remove(&p->link);
		close(p->attach.fd);
		arena_release(&p->arena);
		free(p);
	}
}

void start_failed(struct local *l, int code, int exit_code, struct str sentence)
{
	struct node_report r = { .id = l->id, .account = l->account, .start_failed = true, .gen = l->gen, .exit_code = exit_code,
		.error_code = code ? code : EIO, .error = sentence };

	l->phase = IDLE;
	start_attaches_close(l);
	l->n->ports_dirty = l->n->ports_dirty || l->rec.ports.n;
	log_info("container did not start", L("id", l->id), L("why", sentence));
	report_send(l->n, l, &r);
}

/* In the forked child: nothing of the parent's loop may be touched. */
static _Noreturn void start_child(struct local *l, const struct runtime_spec *s, int report, int zygote)
{
	struct node_role *n = l->n;
	struct runtime_attach attaches[64];
	struct net_call call = { n->overlay, &l->rec };
	struct list *pos, *tmp;
	size_t k = 0;

	list_each(pos, tmp, &l->attaches)
		if (k < 64)
			attaches[k++] = list_entry(pos, struct pending_attach, link)->attach;
	n->rt.net_attach = net_attach;
	n->rt.net_ctx = &call;
	if (zygote_start(zygote, &n->rt, s, attaches, k, report))
		_exit(0);
	runtime_start(&n->rt, s, attaches, k, report);
}

static void files_as_ours(const struct node_role *n, struct arena *a, struct runtime_ulimits *u)
{
	struct runtime_ulimit *v = arena_new_n(a, struct runtime_ulimit, u->n + 1);

	for (size_t i = 0; i < u->n; i++) {
		v[i] = u->v[i];
		if (str_is(v[i].name, "nofile"))
			return;
	}
	v[u->n] = (struct runtime_ulimit){ STR("nofile"), (int64_t)n->files.rlim_cur, (int64_t)n->files.rlim_max };
	*u = (struct runtime_ulimits){ v, u->n + 1 };
}

static int start_prepare(struct local *l, struct view_txn *t, struct arena *a, struct runtime_spec *s, struct err *e)
{
	struct node_role *n = l->n;
	const struct container *c = &l->rec;

	spec_make(a, c, s);
	files_as_ours(n, a, &s->ulimits);
	if (spec_join(n, t, a, c, s, e) || net_prepare(n, t, c, e) || runtime_create(&n->rt, l->id, s->disk, e))
		return -1;
	for (size_t i = 0; i < c->mounts.n; i++)
		if (str_is(c->mounts.v[i].type, "volume") && runtime_volume_create(&n->rt, c->account, c->mounts.v[i].name, s->disk, e))
			return -1;
	for (size_t i = 0; i < c->ports.n; i++) {
		const struct published_port *p = &c->ports.v[i];
		struct str on[2];
		int count = published_addresses(c, p, on);

		for (int k = 0; k < count; k++) {
			struct ip host = { 0 };

			ip_parse(on[k], &host);
			if (overlay_port_probe(str_is(p->proto, "udp") ? 17 : 6, host, (uint16_t)p->host_port, e))
				return err_wrap(e, "driver failed programming external connectivity on endpoint %.*s", STR_ARG(c->name));
		}
	}
	return 0;
}

void start_begin(struct local *l, struct view_txn *t)
{
	auto_arena a = ARENA_INIT;
	struct runtime_spec s;
	struct err e;
	int fds[2];
	auto_fd zygote = -1;
	pid_t pid;

	int have = fetch_images(l->n, &l->rec, &e);

	if (have > 0)
		return;                               /* we are called again when the image has come */
	l->gen = l->rec.start_gen;
	l->net_gen = l->rec.net_gen;
	l->phase = STARTING;
	l->stop_sent = l->kill_sent = false;
	l->shim = SHIM_HERE;
	if (have < 0 || start_prepare(l, t, &a, &s, &e)) {
		start_failed(l, e.code, 128, str_of(e.msg));
		return;
	}
	if (l->rec.ports.n) {
		l->n->ports_dirty = true;
		life_ports(l->n);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds)) {
		start_failed(l, errno, 128, STR("the node has no descriptors left; try again later"));
		return;
	}
	zygote = pool_take(l->n);
	pid = fork();
	if (pid == 0)
		start_child(l, &s, fds[1], zygote);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		start_failed(l, EAGAIN, 128, STR("the node cannot start another process; try again later"));
		return;
	}
	start_attaches_close(l);                            /* the child has them */
	life_watch(l, fds[0]);
}
