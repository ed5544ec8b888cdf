/* Containers on networks: joining at create and by `network connect`, leaving, and what the node reports about it. */
#include "store/cmd.h"

#include <errno.h>

#define ENDPOINTS_MAX 64                              /* networks of one container */
#define SHOWN(s)      (int)((s).n > 128 ? 128 : (s).n), (s).p

int network_events(struct command_env *c, const struct container *ct, const struct endpoint_settings *ep, const char *action,
                   struct err *e)
{
	struct network n = { 0 };
	struct pairs at = { 0 };
	int rc = txn_get(c->t, c->a, key_make(c->a, "N", ct->account, ep->network_id, STR_NONE), network_fields, &n, e);

	if (rc < 0)
		return -1;
	pairs_set(c->a, &at, STR("container"), ct->id);
	pairs_set(c->a, &at, STR("name"), ep->network);
	pairs_set(c->a, &at, STR("type"), rc ? n.driver : STR("bridge"));
	return event_put(c, &(struct event){ .type = STR("network"), .action = str_of(action), .id = ep->network_id,
	                 .account = ct->account, .attributes = at }, e);
}

/* The lowest eth<n> that neither an endpoint nor one on its way out has. */
static int64_t free_link(const struct container *ct)
{
	for (int64_t slot = 0;; slot++) {
		bool taken = false;

		for (size_t i = 0; i < ct->endpoints.n; i++)
			taken |= ct->endpoints.v[i].ip.n && ct->endpoints.v[i].slot == slot;
		for (size_t i = 0; i < ct->leaving.n; i++)
			taken |= ct->leaving.v[i].slot == slot;
		if (!taken)
			return slot;
	}
}

int endpoint_join(struct command_env *c, struct container *ct, struct endpoint_settings *ep, struct err *e)
{
	struct network n = { 0 };
	struct str wish = ep->network;

	if (network_find(c, ct->account, wish, &n, e))
		return -1;
	for (size_t i = 0; i < ct->endpoints.n; i++)
		if (str_eq(ct->endpoints.v[i].network_id, n.id))
			return err_set(e, EPERM, "endpoint with name %.*s already exists in network %.*s", STR_ARG(ct->name), STR_ARG(n.name));
	if (n.builtin && ep->aliases.n)
		return err_set(e, EINVAL, "invalid config for network %.*s: invalid endpoint settings:\n"
		               "network-scoped alias is supported only for containers in user defined networks", STR_ARG(n.name));
	ep->network = n.name;
	ep->internal = n.internal;
	ep->joined = false;
	ep->slot = free_link(ct);
	if (alloc_address(c, &n, ct->id, ep, e))
		return -1;
	ep->network_id = n.id;                        /* last: from here on it is one of the container's */
	return 0;
}

static void drop(struct endpoints_settings *l, size_t i)
{
	memmove(&l->v[i], &l->v[i + 1], (l->n - i - 1) * sizeof *l->v);
	l->n--;
}

static void append(struct command_env *c, struct endpoints_settings *l, const struct endpoint_settings *ep)
{
	struct endpoint_settings *v = arena_new_n(c->a, struct endpoint_settings, l->n + 1);

	if (l->n)
		memcpy(v, l->v, l->n * sizeof *v);
	v[l->n] = *ep;
	*l = (struct endpoints_settings){ v, l->n + 1 };
}

/* --- connect, disconnect --- */

static int shared(const struct container *ct, struct str network, struct err *e)
{
	if (str_is(ct->host.network_mode, "host") || str_is(network, "host"))
		return err_set(e, EINVAL, "container cannot be disconnected from host network or connected to host network");
	if (str_starts(ct->host.network_mode, STR("container:")))
		return err_set(e, EINVAL, "container sharing network namespace with another container or host cannot be connected to any "
		               "other network");
	return 0;
}

static bool is_up(const struct container *ct)         /* has its links, or is about to get them */
{
	return container_is_running(ct) || ct->want == WANT_RUNNING;
}

COMMAND(cmd_network_connect)
{
	struct network_join *q = in;
	struct container ct = { 0 };
	struct endpoint_settings ep = q->ep;

	(void)result;
	ep.network = q->network;
	if (container_load(c, q->id, &ct, e) || shared(&ct, q->network, e))
		return -1;
	if (ct.want == WANT_REMOVED)
		return err_set(e, EBUSY, "container %.*s is marked for removal and cannot be connected or disconnected to the network",
		               STR_ARG(ct.id));
	if (str_is(ct.host.network_mode, "none") && str_is(q->network, "none"))
		return err_set(e, EPERM, "endpoint with name %.*s already exists in network none", STR_ARG(ct.name));
	if (str_is(ct.host.network_mode, "none") || str_is(q->network, "none"))
		return err_set(e, EINVAL, "container cannot be connected to multiple networks with one of the networks in private (none) mode");
	if (ct.endpoints.n >= ENDPOINTS_MAX)
		return err_set(e, EINVAL, "a container can be on %d networks at most", ENDPOINTS_MAX);
	if (endpoint_join(c, &ct, &ep, e))
		return -1;
	append(c, &ct.endpoints, &ep);
	ct.net_error = STR_NONE;
	if (is_up(&ct))
		ct.net_gen++;
	return container_save(c, &ct, e);
}

static int not_connected(const struct container *ct, struct str network, struct err *e)
{
	return err_set(e, EPERM, "container %.*s is not connected to network %.*s", STR_ARG(ct->id), SHOWN(network));
}

/* By name or id, also of a network that was removed meanwhile. */
static int find(struct command_env *c, const struct container *ct, struct str wish, size_t *at, struct err *e)
{
	struct network n = { 0 };
	struct err why;
	bool known = network_find(c, ct->account, wish, &n, &why) == 0;

	for (*at = 0; *at < ct->endpoints.n; ++*at) {
		const struct endpoint_settings *ep = &ct->endpoints.v[*at];

		if (known ? str_eq(ep->network_id, n.id) : str_eq(ep->network, wish) || str_eq(ep->network_id, wish))
			return 0;
	}
	return known ? not_connected(ct, n.name, e) : err_set(e, why.code, "%s", why.msg);
}

COMMAND(cmd_network_disconnect)
{
	struct network_leave *q = in;
	struct container ct = { 0 };
	struct endpoint_settings ep;
	size_t at;

	(void)result;
	if (container_load(c, q->id, &ct, e))
		return -1;
	if (str_is(q->network, "host"))
		return err_set(e, EINVAL, "container cannot be disconnected from host network or connected to host network");
	if (str_is(q->network, "none"))
		return not_connected(&ct, q->network, e);
	if (find(c, &ct, q->network, &at, e))
		return -1;
	ep = ct.endpoints.v[at];
	drop(&ct.endpoints, at);
	if (!is_up(&ct))
		return free_address(c, &ep, ct.id, e) || container_save(c, &ct, e) ? -1 : 0;
	append(c, &ct.leaving, &ep);
	ct.net_gen++;
	return container_save(c, &ct, e);
}

/* --- what the node says --- */

int endpoints_joined(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->endpoints.n; i++) {
		struct endpoint_settings *ep = &ct->endpoints.v[i];

		if (!ep->joined && network_events(c, ct, ep, "connect", e))
			return -1;
		ep->joined = true;
	}
	return 0;
}

static int left(struct command_env *c, const struct container *ct, const struct endpoint_settings *ep, struct err *e)
{
	return (ep->joined && network_events(c, ct, ep, "disconnect", e)) || free_address(c, ep, ct->id, e) ? -1 : 0;
}

static int all_left(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->leaving.n; i++)
		if (left(c, ct, &ct->leaving.v[i], e))
			return -1;
	ct->leaving.n = 0;
	return 0;
}

int endpoints_down(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->endpoints.n; i++) {
		struct endpoint_settings *ep = &ct->endpoints.v[i];

		if (ep->joined && network_events(c, ct, ep, "disconnect", e))
			return -1;
		ep->joined = false;
	}
	if (all_left(c, ct, e))
		return -1;
	for (size_t i = 0; i < ct->endpoints.n; i++)
		ct->endpoints.v[i].slot = (int64_t)i;
	ct->net_done = ct->net_gen;
	return 0;
}

int endpoints_report(struct command_env *c, struct container *ct, const struct node_report *r, struct err *e)
{
	if (r->net_gen <= ct->net_done || r->net_gen > ct->net_gen || r->gen != ct->gen || !container_is_running(ct))
		return 0;
	for (size_t i = 0; r->failed_endpoint.n && i < ct->endpoints.n; i++)
		if (str_eq(ct->endpoints.v[i].endpoint_id, r->failed_endpoint)) {
			ct->net_error = r->error;
			if (left(c, ct, &ct->endpoints.v[i], e))
				return -1;
			drop(&ct->endpoints, i);
			return 0;                     /* there may be more to do: the node looks again */
		}
	if (r->net_gen < ct->net_gen)                 /* more was asked for meanwhile: the next report tells of all */
		return 0;
	ct->net_done = r->net_gen;
	return endpoints_joined(c, ct, e) || all_left(c, ct, e) ? -1 : 0;
}

int endpoint_held(struct command_env *c, const struct network *n, struct str key, struct err *e)
{
	struct container ct = { 0 };
	struct str id;
	int rc = txn_get_raw(c->t, key, &id, e);

	if (rc <= 0)
		return rc;
	rc = txn_get(c->t, c->a, key_make(c->a, "c", n->account, id, STR_NONE), container_fields, &ct, e);
	if (rc <= 0)
		return rc < 0 ? -1 : 1;               /* a node's */
	if (is_up(&ct) || ct.status == STATUS_RESTARTING)
		return 1;
	for (size_t i = 0; i < ct.endpoints.n; i++) {
		struct endpoint_settings *ep = &ct.endpoints.v[i];

		if (!str_eq(ep->network_id, n->id))
			continue;
		if (free_address(c, ep, ct.id, e))
			return -1;
		ep->ip = ep->ip6 = ep->mac = STR_NONE;
	}
	return container_save(c, &ct, e) ? -1 : txn_has(c->t, key);
}

int endpoints_ready(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->endpoints.n; i++) {
		struct endpoint_settings *ep = &ct->endpoints.v[i];
		struct network n = { 0 };
		int rc = txn_get(c->t, c->a, key_make(c->a, "N", ct->account, ep->network_id, STR_NONE), network_fields, &n, e);

		if (rc == 0)
			return err_set(e, ENOENT, "network %.*s not found", STR_ARG(ep->network_id));
		if (rc < 0 || (!ep->ip.n && alloc_address(c, &n, ct->id, ep, e)))
			return -1;
	}
	return 0;
}
