/* The administrator's doors below /triton/v1/, on the local socket only: accounts, keys, status, the state as text. The user
 * commands `triton account`, `key`, `status` and `state dump` speak to these. */
#include "docker/api.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/pubkey.h"
#include "codec/rec.h"

#include <errno.h>

struct accounts { struct account *v; size_t n; };
struct account_keys { struct account_key *v; size_t n; };

int admin_accounts(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(64 << 20);
	struct accounts all = { 0 };

	if (api_view(r, &t, e) || view_list(&t, &r->arena, STR("a/"), account_fields, sizeof(*all.v), &all, e))
		return -1;
	json_encode_list(&b, account_fields, sizeof(*all.v), &all);
	return reply_json(r, 200, &b, e);
}

static int keys_read(struct req *r, struct view_txn *t, struct str login, struct account_keys *keys, struct err *e)
{
	return view_list(t, &r->arena, key_prefix(&r->arena, "k", login, STR_NONE), account_key_fields, sizeof(*keys->v), keys, e);
}

/* An OpenSSH line, or the PEM form that ssh-keygen -e writes, to what the state keeps. */
static int key_of(struct req *r, struct str login, struct str text, struct account_key *k, struct err *e)
{
	struct pubkey pub;
	struct str comment = STR_NONE;

	if (pubkey_parse_line(&r->arena, str_trim(text), &pub, &comment, e))
		return err_wrap(e, "public key");
	*k = (struct account_key){ .account = login, .fingerprint = pubkey_md5(&r->arena, &pub), .sha256 = pubkey_sha256(&r->arena, &pub),
		.line = pubkey_line(&r->arena, &pub), .created.ns = clock_wall_ns() };
	k->name = comment.n ? comment : k->fingerprint;
	return 0;
}

struct account_request { struct str login, key; bool operator_; };
static const struct field account_request_fields[] = {
	FIELD(1, account_request, login,     "login",    FIELD_REQUIRED),
	FIELD(2, account_request, operator_, "operator", 0),
	FIELD(3, account_request, key,       "key",      0),
	FIELD_END
};

int admin_account_add(struct req *r, struct err *e)
{
	struct account_request q = { 0 };
	struct account_put in = { 0 };
	struct account out = { 0 };
	struct account_key key;

	if (req_json(r, account_request_fields, &q, e) || account_login_check(q.login, e) ||
	    (q.key.n && key_of(r, q.login, q.key, &key, e)))
		return -1;
	in.account = (struct account){ .login = q.login, .operator_ = q.operator_ };
	if (api_command(r, CMD_ACCOUNT_PUT, account_put_fields, &in, account_fields, &out, e))
		return -1;
	if (q.key.n && api_command(r, CMD_KEY_ADD, account_key_fields, &key, NULL, NULL, e)) {
		struct err ignored;                   /* nothing half made: the account goes again */

		api_command(r, CMD_ACCOUNT_RM, by_name_fields, &(struct by_name){ q.login }, NULL, NULL, &ignored);
		return -1;
	}
	return reply(r, 201, account_fields, &out, e);
}

static int account_of(struct req *r, struct view_txn *t, struct account *out, struct err *e)
{
	struct str login = req_var(r, "login");
	struct err bad;
	int found = account_login_check(login, &bad) ? 0
		    : view_get(t, &r->arena, key_make(&r->arena, "a", login, STR_NONE, STR_NONE), account_fields, out, e);

	if (found == 0)
		return err_set(e, ENOENT, "no account %.*s; `triton account list` shows all", (int)(login.n > 64 ? 64 : login.n), login.p);
	return found < 0 ? -1 : 0;
}

struct account_detail { struct account account; struct account_keys keys; int64_t containers, running, images, volumes; };
static const struct field account_detail_fields[] = {
	FIELD_OBJ(1, account_detail, account, "account", 0, account_fields),
	FIELD_LIST(2, account_detail, keys, "keys", 0, account_key_fields, struct account_key),
	FIELD(3, account_detail, containers, "containers", 0),
	FIELD(4, account_detail, running,    "running",    0),
	FIELD(5, account_detail, images,     "images",     0),
	FIELD(6, account_detail, volumes,    "volumes",    0),
	FIELD_END
};

int admin_account_show(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct arena *a = &r->arena;
	struct account_detail d = { 0 };
	struct containers all = { 0 };

	if (api_view(r, &t, e) || account_of(r, &t, &d.account, e) || keys_read(r, &t, d.account.login, &d.keys, e) ||
	    view_list(&t, a, key_prefix(a, "c", d.account.login, STR_NONE), container_fields, sizeof(*all.v), &all, e))
		return -1;
	d.containers = (int64_t)all.n;
	for (size_t i = 0; i < all.n; i++)
		d.running += container_is_running(&all.v[i]);
	d.images = (int64_t)view_count(&t, key_prefix(a, "i", d.account.login, STR_NONE));
	d.volumes = (int64_t)view_count(&t, key_prefix(a, "v", d.account.login, STR_NONE));
	return reply(r, 200, account_detail_fields, &d, e);
}

static int account_command(struct req *r, int cmd, struct err *e)
{
	auto_view t = { 0 };
	struct account account = { 0 };

	if (api_view(r, &t, e) || account_of(r, &t, &account, e))
		return -1;
	view_end(&t);
	if (api_command(r, cmd, by_name_fields, &(struct by_name){ account.login }, NULL, NULL, e))
		return -1;
	return reply_empty(r, 204, e);
}

int admin_account_rm(struct req *r, struct err *e)
{
	return account_command(r, CMD_ACCOUNT_RM, e);
}

int admin_account_disable(struct req *r, struct err *e)
{
	return account_command(r, CMD_ACCOUNT_DISABLE, e);
}

int admin_account_enable(struct req *r, struct err *e)
{
	return account_command(r, CMD_ACCOUNT_ENABLE, e);
}

int admin_keys(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(16 << 20);
	struct account account = { 0 };
	struct account_keys keys = { 0 };

	if (api_view(r, &t, e) || account_of(r, &t, &account, e) || keys_read(r, &t, account.login, &keys, e))
		return -1;
	json_encode_list(&b, account_key_fields, sizeof(*keys.v), &keys);
	return reply_json(r, 200, &b, e);
}

struct key_request { struct str key; };
static const struct field key_request_fields[] = { FIELD(1, key_request, key, "key", FIELD_REQUIRED), FIELD_END };

int admin_key_add(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct account account = { 0 };
	struct key_request q = { 0 };
	struct account_key key;

	if (req_json(r, key_request_fields, &q, e) || api_view(r, &t, e) || account_of(r, &t, &account, e) ||
	    key_of(r, account.login, q.key, &key, e))
		return -1;
	view_end(&t);
	if (api_command(r, CMD_KEY_ADD, account_key_fields, &key, NULL, NULL, e))
		return -1;
	return reply(r, 201, account_key_fields, &key, e);
}

int admin_key_rm(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct account account = { 0 };
	struct account_key in = { .fingerprint = req_var(r, "fingerprint") };

	if (api_view(r, &t, e) || account_of(r, &t, &account, e))
		return -1;
	view_end(&t);
	in.account = account.login;
	if (str_starts(in.fingerprint, STR("MD5:")))
		in.fingerprint = str_drop(in.fingerprint, 4);
	if (api_command(r, CMD_KEY_RM, account_key_fields, &in, NULL, NULL, e))
		return -1;
	return reply_empty(r, 204, e);
}

/* --- status ------------------------------------------------------------------------------------------- */

struct node_status {
	struct str id, name, kernel, os, arch, cgroup, state, availability;
	int64_t cpus, memory, memory_free, disk, disk_free, containers, running, memory_given, cpu_given_nano;
	bool quotas;
};
struct node_statuses { struct node_status *v; size_t n; };
static const struct field node_status_fields[] = {
	FIELD(1,  node_status, id,             "id",             0),
	FIELD(2,  node_status, name,           "name",           0),
	FIELD(3,  node_status, kernel,         "kernel",         0),
	FIELD(4,  node_status, os,             "os",             0),
	FIELD(5,  node_status, arch,           "arch",           0),
	FIELD(6,  node_status, cgroup,         "cgroup",         0),
	FIELD(7,  node_status, cpus,           "cpus",           0),
	FIELD(8,  node_status, memory,         "memory",         0),
	FIELD(9,  node_status, memory_free,    "memory_free",    0),
	FIELD(10, node_status, disk,           "disk",           0),
	FIELD(11, node_status, disk_free,      "disk_free",      0),
	FIELD(12, node_status, containers,     "containers",     0),
	FIELD(13, node_status, running,        "running",        0),
	FIELD(14, node_status, memory_given,   "memory_given",   0),
	FIELD(15, node_status, cpu_given_nano, "cpu_given_nano", 0),
	FIELD(16, node_status, quotas,         "quotas",         0),
	FIELD(17, node_status, state,          "state",          0),
	FIELD(18, node_status, availability,   "availability",   0),
	FIELD_END
};

struct status {
	struct str datacenter, docker;
	struct state_status state;
	struct node_statuses nodes;
	int64_t accounts, uptime_s, records;
	struct str problem;
};
static const struct field status_fields[] = {
	FIELD(1, status, datacenter, "datacenter", 0),
	FIELD(2, status, docker,     "docker",     0),
	FIELD_OBJ(3, status, state,  "state",      0, state_status_fields),
	FIELD_LIST(4, status, nodes, "nodes",      0, node_status_fields, struct node_status),
	FIELD(5, status, accounts,   "accounts",   0),
	FIELD(6, status, uptime_s,   "uptime_s",   0),
	FIELD(8, status, records,    "records",    0),
	FIELD(7, status, problem,    "problem",    FIELD_OMIT_EMPTY),
	FIELD_END
};

static int nodes_read(struct req *r, struct view_txn *t, struct status *s, struct err *e)
{
	struct { struct node *v; size_t n; } nodes = { 0 };
	struct containers all = { 0 };

	if (view_list(t, &r->arena, STR("d/"), node_fields, sizeof(*nodes.v), &nodes, e) ||
	    view_list(t, &r->arena, STR("c/"), container_fields, sizeof(*all.v), &all, e))
		return -1;
	s->nodes = (struct node_statuses){ arena_new_n(&r->arena, struct node_status, nodes.n), nodes.n };
	for (size_t i = 0; i < nodes.n; i++) {
		const struct node *n = &nodes.v[i];
		struct node_status *o = &s->nodes.v[i];

		*o = (struct node_status){ .id = n->id, .name = n->name, .kernel = n->kernel, .os = n->os, .arch = n->arch, .cpus = n->cpus,
			.memory = n->memory, .disk = n->disk, .state = n->state.n ? n->state : STR("up"),
			.availability = n->availability.n ? n->availability : STR("active") };
		for (size_t k = 0; k < all.n; k++) {
			const struct container *c = &all.v[k];

			if (!str_eq(c->node, n->id))
				continue;
			o->containers++;
			if (!container_is_running(c))
				continue;
			o->running++;
			o->memory_given += c->resources.memory;
			if (c->resources.cpu_period_us)
				o->cpu_given_nano += c->resources.cpu_shares * 1000000000 / 1024;
		}
	}
	return 0;
}

int admin_status(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct api *api = api_of(r);
	struct status s = { .datacenter = api->datacenter, .docker = api->docker_endpoint, .uptime_s = (clock_mono_ns() - api->start_ns) / 1000000000 };
	struct node_info ni = { 0 };
	struct cluster all = { 0 };
	struct ipc_call c = { .op = OP_STATE_STATUS, .out_fields = state_status_fields, .out = &s.state, .timeout_ms = 2000 };
	struct err problem = { 0 };

	if (api_view(r, &t, e) || nodes_read(r, &t, &s, e))
		return -1;
	s.accounts = (int64_t)view_count(&t, STR("a/"));
	if (view_get(&t, &r->arena, STR("m/cluster"), cluster_fields, &all, e) < 0)
		return -1;
	s.records = all.records;
	view_end(&t);
	if (ipc_call(api->state, &r->arena, &c, &problem) ||
	    api_node(r, OP_NODE_INFO, NULL, NULL, node_info_fields, &ni, NULL, 0, NULL, NULL, 2000, &problem))
		s.problem = str_of(problem.msg);
	for (size_t i = 0; i < s.nodes.n; i++)
		if (str_eq(s.nodes.v[i].id, api->node_id)) {
			s.nodes.v[i].memory_free = ni.memory_free;
			s.nodes.v[i].disk_free = ni.disk_free;
			s.nodes.v[i].cgroup = ni.cgroup_version;
			s.nodes.v[i].quotas = ni.quotas;
		}
	return reply(r, 200, status_fields, &s, e);
}

/* --- state dump: every record through its field table -------------------------------------------------- */

static void dump_record(struct req *r, struct buf *b, struct str key, struct str val)
{
	const struct key_kind *kind = key_kind_of(key);
	auto_arena a = ARENA_INIT;
	struct err bad = { 0 };

	(void)r;
	buf_puts(b, "{\"key\":");
	json_quote(b, key);
	if (kind)
		buf_printf(b, ",\"kind\":\"%s\"", kind->name);
	buf_puts(b, ",\"value\":");
	if (kind && kind->fields) {
		void *record = arena_alloc(&a, kind->size);

		if (rec_decode(&a, val, kind->fields, record, &bad) == 0)
			json_encode(b, kind->fields, record);
		else
			json_quote(b, str_of(bad.msg));
	} else {
		json_quote(b, val);
	}
	buf_puts(b, "}\n");
}

int admin_dump(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(1 << 30);
	struct view_scan s;
	struct str key, val;

	if (api_view(r, &t, e) || view_scan(&t, &s, req_query(r, "prefix"), e))
		return -1;
	while (view_next(&s, &key, &val))
		dump_record(r, &b, key, val);
	view_scan_end(&s);
	view_end(&t);
	return reply_text(r, 200, "application/x-ndjson", buf_as_str(&b), e);
}
