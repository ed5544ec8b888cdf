/* How machines come in: tokens that let one join, the record that a machine gets when it shows one, and what it is called. */
#include "store/cmd.h"

#include "codec/hex.h"
#include "codec/pubkey.h"
#include "codec/rec.h"

#include <errno.h>

#define TOKEN_LIFE_MAX_NS (30ll * 86400 * 1000000000)

/* Tokens that nobody can use any more go when the next one is made. */
static int drop_stale(struct command_env *c, struct err *e)
{
	struct strs keys;

	if (txn_keys(c->t, c->a, STR("T/"), SIZE_MAX, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n; i++) {
		struct join_token t = { 0 };

		if (txn_get(c->t, c->a, keys.v[i], join_token_fields, &t, e) == 1 && t.expires.ns < c->now_ns && txn_del(c->t, keys.v[i], e))
			return -1;
	}
	return 0;
}

COMMAND(cmd_token_create)
{
	struct join_token *t = in;

	(void)result;
	if (!c->operator_)
		return err_set(e, EPERM, "only operators make tokens");
	if (!hex_is(t->hash, 64))
		return err_set(e, EINVAL, "a token is known by the SHA-256 of its secret");
	if (t->created.ns)                            /* by the clock of the node that was asked: what counts is how long */
		t->expires.ns += c->now_ns - t->created.ns;
	if (t->expires.ns <= c->now_ns || t->expires.ns > c->now_ns + TOKEN_LIFE_MAX_NS)
		return err_set(e, EINVAL, "a token is good for at least a second and at most 30 days");
	t->created.ns = c->now_ns;
	t->used.ns = 0;
	t->name = STR_NONE;
	if (drop_stale(c, e))
		return -1;
	return txn_put(c->t, key_make(c->a, "T", t->hash, STR_NONE, STR_NONE), join_token_fields, t, e);
}

static int64_t server_id(struct command_env *c)
{
	int64_t id = 0;

	while (id <= 0)
		id = (int64_t)(c->random(c->random_ctx) >> 1);
	return id;
}

static int joined(struct command_env *c, const struct node *n, struct str *result, struct err *e)
{
	struct node_joined out = { .node = *n };

	if (cluster_load(c, &out.cluster, e))
		return -1;
	*result = rec_encode_arena(c->a, node_joined_fields, &out);
	return 0;
}

static int token_check(struct command_env *c, struct str secret, struct join_token *t, struct err *e)
{
	struct str key = key_make(c->a, "T", hash_sha256_hex(c->a, secret), STR_NONE, STR_NONE);
	int rc = txn_get(c->t, c->a, key, join_token_fields, t, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, EPERM, "this data center knows no such token; `triton token` on one of its nodes makes one");
	if (t->used.ns)
		return err_set(e, EPERM, "this token was used already, by %.*s; `triton token` makes another", STR_ARG(t->name));
	return t->expires.ns < c->now_ns ? err_set(e, EPERM, "this token has expired; `triton token` makes another") : 0;
}

static int token_use(struct command_env *c, struct join_token *t, const struct node *n, struct err *e)
{
	t->used.ns = c->now_ns;
	t->name = n->name;
	return txn_put(c->t, key_make(c->a, "T", t->hash, STR_NONE, STR_NONE), join_token_fields, t, e);
}

/* --- names --- */

struct nodes { struct node *v; size_t n; };

static int nodes_list(struct command_env *c, struct nodes *out, struct err *e)
{
	struct strs keys;

	if (txn_keys(c->t, c->a, STR("d/"), SIZE_MAX, &keys, e))
		return -1;
	out->v = arena_new_n(c->a, struct node, keys.n);
	for (; out->n < keys.n; out->n++)
		if (txn_get(c->t, c->a, keys.v[out->n], node_fields, &out->v[out->n], e) < 0)
			return -1;
	return 0;
}

static bool is_free(const struct nodes *all, struct str id, struct str name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].name, name) && !str_eq(all->v[i].id, id))
			return false;
	return true;
}

/* Machines that were made from one image have one host name: the first is "debian", the next "debian-2". */
static struct str numbered(struct command_env *c, const struct nodes *all, struct str id, struct str name)
{
	struct str out = name;

	for (size_t i = 2; !is_free(all, id, out); i++) {
		char number[24];
		int n = snprintf(number, sizeof number, "-%zu", i);

		out = arena_printf(c->a, "%.*s%s", STR_ARG(str_head(name, NODE_NAME_MAX - (size_t)n)), number);
	}
	return out;
}

int node_name_new(struct command_env *c, struct node *n, bool named, struct err *e)
{
	struct nodes all = { 0 };

	if (node_name_check(n->name, e) || nodes_list(c, &all, e))
		return -1;
	if (named && !is_free(&all, n->id, n->name))
		return err_set(e, EEXIST, "another node is called %.*s; choose another --name", STR_ARG(n->name));
	n->name = numbered(c, &all, n->id, n->name);
	return 0;
}

/* Once it has a name it keeps it, whatever its host name becomes; only --name changes it. */
int node_name_again(struct command_env *c, struct node *n, struct str old, struct err *e)
{
	struct nodes all = { 0 };
	struct err ignored;

	if (!n->hostname.n) {                         /* an older build: it does not know whether it was given */
		n->hostname = n->name;
		n->name = STR_NONE;
	}
	if (nodes_list(c, &all, e))
		return -1;
	if (n->name.n && node_name_check(n->name, &ignored) == 0 && is_free(&all, n->id, n->name))
		return 0;
	n->name = numbered(c, &all, n->id, old.n ? old : node_name_of_host(c->a, n->hostname));
	return 0;
}

/* --- joining --- */

COMMAND(cmd_node_join)
{
	struct node_join *j = in;
	struct node *n = &j->node, old = { 0 };
	struct join_token t = { 0 };
	struct str key;
	int rc;

	if (!hex_is(n->id, 32) || !hex_is(n->key, 64) || n->address.n > 256)
		return err_set(e, EINVAL, "a machine joins with an id, a name and the hash of its key");
	key = key_make(c->a, "d", n->id, STR_NONE, STR_NONE);
	rc = txn_get(c->t, c->a, key, node_fields, &old, e);
	if (rc < 0)
		return -1;
	/* The answer got lost and it asks again: the key shows that it is the same machine. */
	if (rc && str_eq(old.key, n->key))
		return joined(c, &old, result, e);
	if (rc)
		return err_set(e, EEXIST, "node %.*s is a member already, with another key", STR_ARG(n->id));
	if (txn_has(c->t, key_make(c->a, "D", n->id, STR_NONE, STR_NONE)))
		return err_set(e, EBUSY, "node %.*s is being removed; try again in a moment", STR_ARG(n->id));
	/* Who has no token learns nothing of names; a token is used up only by who comes in. */
	if (records_check(c, n->records, e) || token_check(c, j->token, &t, e) || node_name_new(c, n, j->named, e) || token_use(c, &t, n, e))
		return -1;
	*n = (struct node){ .id = n->id, .name = n->name, .address = n->address, .key = n->key, .version = n->version, .records = n->records,
		.server = server_id(c), .joined.ns = c->now_ns, .seen.ns = c->now_ns };
	if (txn_put(c->t, key, node_fields, n, e))
		return -1;
	return joined(c, n, result, e);
}
