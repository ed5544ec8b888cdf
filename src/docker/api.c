#include "docker/api.h"

#include "base/clock.h"
#include "codec/rec.h"
#include "image/reference.h"
#include "os/fd.h"

#include <errno.h>

#define COMMAND_TIMEOUT_MS 30000
#define FETCH_TIMEOUT_MS   600000

int api_view(struct req *r, struct view_txn *t, struct err *e)
{
	return view_begin(api_of(r)->view, t, e);
}

int api_command(struct req *r, int cmd, const struct field *f, const void *in, const struct field *of, void *out, struct err *e)
{
	struct command_call call = { .cmd = (uint32_t)cmd, .account = who(r)->login, .operator_ = who(r)->operator_,
				     .request_id = str_of(r->id), .payload = rec_encode_arena(&r->arena, f, in) };
	struct command_done done = { 0 };
	struct ipc_call c = { .op = OP_COMMAND, .in_fields = command_call_fields, .in = &call, .out_fields = command_done_fields,
			      .out = &done, .timeout_ms = COMMAND_TIMEOUT_MS };

	if (ipc_call(api_of(r)->state, &r->arena, &c, e))
		return -1;
	view_notify(api_of(r)->view, done.revision);  /* the state role answers when it has applied it here: the view has it */
	return of && rec_decode(&r->arena, done.payload, of, out, e) ? -1 : 0;
}

int api_ask(struct api *api, struct arena *a, struct str node, struct ipc_call *c, struct err *e)
{
	struct remote_call there = { .node = node, .op = c->op, .timeout_ms = c->timeout_ms };

	if (!node.n || str_eq(node, api->node_id))
		return ipc_call(api->node, a, c, e);
	if (c->in_fields)
		there.body = rec_encode_arena(a, c->in_fields, c->in);
	c->op = OP_REMOTE;
	c->in_fields = remote_call_fields;
	c->in = &there;
	return ipc_call(api->peer, a, c, e);
}

int api_on(struct req *r, struct str node, int op, const struct field *f, const void *in, const struct field *of, void *out,
	   const int *fds, size_t nfds, int *got, size_t *ngot, int timeout_ms, struct err *e)
{
	struct ipc_call c = { .op = (uint16_t)op, .in_fields = f, .in = in, .fds = fds, .nfds = nfds, .out_fields = of, .out = out,
			      .out_fds = got, .out_fds_max = ngot ? *ngot : 0, .timeout_ms = timeout_ms };
	int rc = api_ask(api_of(r), &r->arena, node, &c, e);

	if (ngot)
		*ngot = c.out_nfds;
	return rc;
}

int api_node(struct req *r, int op, const struct field *f, const void *in, const struct field *of, void *out,
	     const int *fds, size_t nfds, int *got, size_t *ngot, int timeout_ms, struct err *e)
{
	return api_on(r, STR_NONE, op, f, in, of, out, fds, nfds, got, ngot, timeout_ms, e);
}

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return s.n > 0;
}

static int no_container(struct str ref, struct err *e)
{
	return err_set(e, ENOENT, "No such container: %.*s", (int)(ref.n > 128 ? 128 : ref.n), ref.p);
}

static int container_get(struct req *r, struct view_txn *t, struct str id, struct container *c, struct err *e)
{
	return view_get(t, &r->arena, key_make(&r->arena, "c", who(r)->login, id, STR_NONE), container_fields, c, e);
}

int container_find(struct req *r, struct view_txn *t, struct str ref, struct container *c, struct err *e)
{
	struct str name = str_starts(ref, STR("/")) ? str_drop(ref, 1) : ref, id = STR_NONE, key, val, prefix;
	struct view_scan s;
	struct err bad;
	int found;

	if (name.n == 0 || name.n > 255 || str_find(name, '/') >= 0)
		return no_container(ref, e);
	if (name.n == 64 && is_hex(name) && (found = container_get(r, t, name, c, e)) != 0)
		return found < 0 ? -1 : 0;
	if (container_name_check(name, &bad) == 0 &&
	    (found = view_get_raw(t, &r->arena, key_make(&r->arena, "n", who(r)->login, name, STR_NONE), &id, e)) != 0)
		return found < 0 || container_get(r, t, id, c, e) <= 0 ? no_container(ref, e) : 0;
	if (!is_hex(name) || name.n >= 64)
		return no_container(ref, e);
	prefix = arena_printf(&r->arena, "c/%.*s/%.*s", STR_ARG(who(r)->login), STR_ARG(name));
	if (view_scan(t, &s, prefix, e))
		return -1;
	for (found = 0; found < 2 && view_next(&s, &key, &val); found++)
		id = arena_str(&r->arena, str_drop(key, key.n - 64));
	view_scan_end(&s);
	if (found == 2)
		return err_set(e, EINVAL, "Multiple IDs found with provided prefix: %.*s", STR_ARG(name));
	return found == 0 || container_get(r, t, id, c, e) <= 0 ? no_container(ref, e) : 0;
}

int container_of(struct req *r, struct container *c, struct err *e)
{
	auto_view t = { 0 };

	return api_view(r, &t, e) || container_find(r, &t, req_var(r, "id"), c, e) ? -1 : 0;
}

int api_count(struct req *r, struct str node, int op, const struct field *f, const void *in, int64_t *bytes, struct err *e)
{
	char text[24] = "";
	auto_fd fd = -1;
	size_t n = 1;

	if (api_on(r, node, op, f, in, NULL, NULL, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return -1;
	if (n != 1 || fd_read_full(fd, text, sizeof(text) - 1) < 0 || !str_to_i64(str_of(text), bytes))
		return err_set(e, EIO, "the bytes could not be counted");
	return 0;
}

int records_need(struct req *r, int64_t records, const char *what, struct err *e)
{
	auto_view t = { 0 };
	struct cluster all = { 0 };

	if (api_view(r, &t, e) || view_get(&t, &r->arena, STR("m/cluster"), cluster_fields, &all, e) < 0)
		return -1;
	return all.records >= records ? 0 :
	       err_set(e, ENOTSUP, "%s is not possible before every node runs a newer build of triton; see triton node list", what);
}

void container_happened(struct req *r, struct str id, const char *action, const struct pairs *attributes)
{
	struct container_event ev = { .id = id, .action = str_of(action) };
	struct err ignored;

	if (attributes)
		ev.attributes = *attributes;
	api_command(r, CMD_CONTAINER_EVENT, container_event_fields, &ev, NULL, NULL, &ignored);
}

static int no_image(struct str ref, struct err *e)
{
	bool tagged = str_find(str_drop(ref, (size_t)(str_rfind(ref, '/') + 1)), ':') >= 0;

	return err_set(e, ENOENT, "No such image: %.*s%s", (int)(ref.n > 256 ? 256 : ref.n), ref.p, tagged ? "" : ":latest");
}

static int image_get(struct req *r, struct view_txn *t, struct str id, struct image *i, struct err *e)
{
	return view_get(t, &r->arena, key_make(&r->arena, "i", who(r)->login, id, STR_NONE), image_fields, i, e);
}

/* "sha256:abc...", "abc...": the only image whose id begins so. */
static int image_by_id(struct req *r, struct view_txn *t, struct str hex, struct image *i, struct err *e)
{
	struct str prefix = arena_printf(&r->arena, "i/%.*s/sha256:%.*s", STR_ARG(who(r)->login), STR_ARG(hex)), key, val;
	struct view_scan s;
	struct str id = STR_NONE;
	int n = 0;

	if (view_scan(t, &s, prefix, e))
		return -1;
	for (; n < 2 && view_next(&s, &key, &val); n++)
		id = arena_str(&r->arena, str_drop(key, key.n - 71));
	view_scan_end(&s);
	if (n == 2)
		return err_set(e, EINVAL, "image ID prefix %.*s is ambiguous", STR_ARG(hex));
	return n == 0 ? 0 : image_get(r, t, id, i, e);
}

int image_find(struct req *r, struct view_txn *t, struct str ref, struct image *i, struct err *e)
{
	struct str hex = str_starts(ref, STR("sha256:")) ? str_drop(ref, 7) : ref;
	struct reference parsed;
	struct image_tag tag = { 0 };
	int found;

	if (ref.n > 1024)
		return err_set(e, EINVAL, "invalid reference format");
	if (hex.n <= 64 && is_hex(hex) && (hex.n == 64 || ref.n != hex.n)) /* a full id, or "sha256:" and a part */
		if ((found = image_by_id(r, t, hex, i, e)) != 0)
			return found < 0 ? -1 : 0;
	if (!str_starts(ref, STR("sha256:"))) {
		if (reference_parse(&r->arena, ref, &parsed, e))
			return -1;
		reference_default_tag(&parsed);
		found = view_get(t, &r->arena, key_make(&r->arena, "t", who(r)->login, reference_familiar(&r->arena, &parsed), STR_NONE),
				 image_tag_fields, &tag, e);
		if (found < 0)
			return -1;
		if (found && image_get(r, t, tag.image_id, i, e) == 1)
			return 0;
		if (hex.n < 64 && is_hex(hex) && (found = image_by_id(r, t, hex, i, e)) != 0)
			return found < 0 ? -1 : 0;
	}
	return no_image(ref, e);
}

int image_here(struct req *r, struct str id, struct err *e)
{
	if (api_of(r)->alone)
		return 0;
	return api_node(r, OP_IMAGE_HERE, image_call_fields, &(struct image_call){ who(r)->login, id }, NULL, NULL, NULL, 0, NULL, NULL,
	                FETCH_TIMEOUT_MS, e);
}

int image_refs(struct req *r, struct view_txn *t, struct str id, struct image_view *v, struct err *e)
{
	struct view_scan s;
	struct str key, val;

	if (view_scan(t, &s, key_prefix(&r->arena, "t", who(r)->login, STR_NONE), e))
		return -1;
	while (view_next(&s, &key, &val)) {
		struct image_tag tag = { 0 };
		struct err ignored;

		if (rec_decode(&r->arena, val, image_tag_fields, &tag, &ignored) || !str_eq(tag.image_id, id))
			continue;
		strs_add(&r->arena, str_find(tag.ref, '@') >= 0 ? &v->digests : &v->tags, arena_str(&r->arena, tag.ref));
	}
	view_scan_end(&s);
	return 0;
}

int reply_json(struct req *r, int status, struct buf *b, struct err *e)
{
	if (!buf_ok(b))
		return err_set(e, E2BIG, "the answer is longer than %zu bytes; ask for less with a filter", b->max);
	buf_char(b, '\n');
	return reply_text(r, status, "application/json", buf_as_str(b), e);
}

struct render_env render_env_of(struct req *r)
{
	return (struct render_env){ .a = &r->arena, .now_ns = clock_wall_ns(), .data_dir = api_of(r)->data_dir };
}

int event_since(struct view_txn *t, struct arena *a, int64_t revision, struct str id, const char *action, struct event *ev, struct err *e)
{
	struct view_scan s;
	struct str key, val;
	int found = 0;

	if (view_scan_from(t, &s, STR("e/"), arena_printf(a, "e/%020lld/", (long long)revision), e))
		return -1;
	while (!found && view_next(&s, &key, &val)) {
		struct event one = { 0 };
		struct err ignored;

		if (rec_decode(a, val, event_fields, &one, &ignored) == 0 && str_eq(one.id, id) && str_is(one.action, action)) {
			rec_copy(a, event_fields, ev, &one);
			found = 1;
		}
	}
	view_scan_end(&s);
	return found;
}

int api_wait(struct req *r, int64_t seen, struct err *e)
{
	if (view_wait(api_of(r)->view, seen + 1, 1000) == 0 && reply_client_gone(r))
		return err_set(e, EPIPE, "the client has gone");
	return 0;
}
