/* What a node role finds when it starts: shims that live on, records of containers that ran, files that nobody knows any more. */
#include "role/node.h"

#include "base/log.h"
#include "os/fd.h"
#include "runtime/build.h"

/* 1: the state has a container of this id, `account` is its owner. */
static int known(struct arena *a, struct view_txn *t, struct str id, struct str *account, struct err *e)
{
	return view_get_raw(t, a, key_make(a, "C", id, STR_NONE, STR_NONE), account, e);
}

/* One whose socket is all that is left of it: the record tells the rest. */
static void shim_found(struct node_role *n, struct view_txn *t, struct str id)
{
	auto_arena a = ARENA_INIT;
	struct str account = STR_NONE;
	struct err e;
	auto_fd conn = -1;

	if (known(&a, t, id, &account, &e) != 1)
		return;                               /* the sweep takes it away */
	conn = shim_connect(&n->rt, id, &e);
	if (conn >= 0 && shim_send(conn, &(struct shim_call){ .op = SHIM_WATCH }, -1, &e) == 0)
		life_resume(n, t, id, account, fd_take(&conn));
}

void recover_sweep(struct node_role *n, struct view_txn *t)
{
	auto_arena a = ARENA_INIT;
	struct strs ids = { 0 }, gone = { 0 };
	struct str account;
	struct err e;

	if (runtime_list(&a, &n->rt, &ids, &e)) {
		log_failed("the containers' files cannot be listed", &e);
		return;
	}
	for (size_t i = 0; i < ids.n; i++) {
		if (map_get(&n->locals, ids.v[i]) || strs_has(&gone, ids.v[i]) || known(&a, t, ids.v[i], &account, &e) != 0)
			continue;
		strs_add(&a, &gone, ids.v[i]);
		log_warn("files of a container that the state does not know are removed", L("id", ids.v[i]));
		if (runtime_remove(&n->rt, ids.v[i], &e))
			log_failed("they could not be removed", &e, L("id", ids.v[i]));
	}
}

void recover(struct node_role *n)
{
	auto_arena a = ARENA_INIT;
	auto_view t = { 0 };
	struct { struct container *v; size_t n; } all = { 0 };
	struct strs shims;
	struct err e;

	if (n->recovered)
		return;
	if (view_begin(n->view, &t, &e) || view_list(&t, &a, STR("c/"), container_fields, sizeof(*all.v), &all, &e)) {
		log_failed("the state cannot be read", &e);
		return;
	}
	n->recovered = true;
	n->seen = view_revision(&t);
	n->images_dirty = true;
	if (build_roots_clear(&n->rt, &e))
		log_failed("files of builds could not be removed", &e);
	if (shim_list(&a, &n->rt, &shims, &e) == 0)
		for (size_t i = 0; i < shims.n; i++)
			shim_found(n, &t, shims.v[i]);
	for (size_t i = 0; i < all.n; i++) {
		struct err ignored;

		if (!str_eq(all.v[i].node, n->id) || !container_is_running(&all.v[i]))
			continue;
		net_prepare(n, &t, &all.v[i], &ignored);
		life_ended_unseen(n, &t, &all.v[i]);
	}
	if (n->registered)                            /* else the view may be older than what runs here */
		recover_sweep(n, &t);
	net_sweep(n, &t);
	n->ports_dirty = true;
	life_ports(n);
}
