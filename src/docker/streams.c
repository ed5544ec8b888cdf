/* Streams of containers: attach, exec, logs, resize; and what is read from a running one: top, stats. The node role gives a
 * descriptor, the pump copies. */
#include "docker/api.h"
#include "docker/log_details.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/json.h"
#include "codec/rec.h"
#include "http/websocket.h"
#include "model/detach.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const char raw_stream[] = "application/vnd.docker.raw-stream";
static const char multiplexed[] = "application/vnd.docker.multiplexed-stream";

/* API 1.42 and later name the framing in the type; before, it was always "raw". */
static const char *stream_type(struct req *r, bool tty)
{
	bool old = r->api_major == 1 && r->api_minor < 42;

	return tty || old ? raw_stream : multiplexed;
}

static int one_fd(struct req *r, const struct container *c, int op, const struct field *f, const void *in, const struct field *of, void *out, struct err *e)
{
	int fd = -1;
	size_t n = 1;

	if (api_on(r, c->node, op, f, in, of, out, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return -1;
	return n == 1 ? fd : err_set(e, EIO, "the node answered without a stream");
}

/* The container's stream, as the query wants it. A descriptor, or -1. */
static int attach(struct req *r, struct container *c, struct err *e)
{
	uint8_t keys[DETACH_KEYS_MAX];
	struct stream_call in;
	size_t nkeys;

	if (container_of(r, c, e) || detach_keys_parse(req_query(r, "detachKeys"), keys, &nkeys, e))
		return -1;
	if (c->status == STATUS_PAUSED)
		return err_set(e, EBUSY, "container %.*s is paused, unpause the container before attach", STR_ARG(c->id));
	in = (struct stream_call){ .id = c->id, .account = c->account, .stdin_ = req_query_bool(r, "stdin"),
		.stdout_ = req_query_bool(r, "stdout"), .stderr_ = req_query_bool(r, "stderr"), .stream = req_query_bool(r, "stream"),
		.logs = req_query_bool(r, "logs"), .detach_keys = req_query(r, "detachKeys") };
	if (!in.stream && !in.logs)
		return err_set(e, EINVAL, "attach needs stream=1 or logs=1");
	return one_fd(r, c, OP_ATTACH, stream_call_fields, &in, NULL, NULL, e);
}

/* For browsers: messages instead of a raw stream, and no frames of Docker's in them. */
int container_attach_ws(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct str accept, ahead;
	struct conn *conn;
	auto_fd fd = -1;

	if (websocket_check(&r->arena, &r->head, &accept, e))
		return -1;
	fd = attach(r, &c, e);
	if (fd < 0)
		return -1;
	conn = reply_websocket(r, accept, &ahead, e);
	if (!conn)
		return -1;
	container_happened(r, c.id, "attach", NULL);
	websocket_bridge(conn, ahead, fd_take(&fd), !c.config.tty);
	return 0;
}

int container_attach(struct req *r, struct err *e)
{
	struct container c = { 0 };
	int fd = attach(r, &c, e);

	if (fd < 0)
		return -1;
	if (reply_hijack(r, api_of(r)->pump, stream_type(r, c.config.tty), fd, e))
		return -1;
	container_happened(r, c.id, "attach", NULL);
	return 0;
}

static int query_time(struct req *r, const char *name, int64_t *ns, struct err *e)
{
	struct str s = req_query(r, name);

	*ns = 0;
	if (s.n == 0 || str_is(s, "0"))
		return 0;
	if (!clock_parse(s, ns))
		return err_set(e, EINVAL, "invalid value for \"%s\": %.*s", name, (int)(s.n > 40 ? 40 : s.n), s.p);
	return 0;
}

int container_logs(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct logs_call in = { .follow = req_query_bool(r, "follow"), .stdout_ = req_query_bool(r, "stdout"),
		.stderr_ = req_query_bool(r, "stderr"), .timestamps = req_query_bool(r, "timestamps"), .details = req_query_bool(r, "details"),
		.tail = -1 };
	struct str tail = req_query(r, "tail");
	int fd;

	if (container_of(r, &c, e) || query_time(r, "since", &in.since_ns, e) || query_time(r, "until", &in.until_ns, e))
		return -1;
	if (!in.stdout_ && !in.stderr_)
		return err_set(e, EINVAL, "Bad parameters: you must choose at least one stream");
	if (str_is(c.host.log_config.type, "none"))
		return err_set(e, ENOTSUP, "configured logging driver does not support reading");
	if (tail.n && !str_is(tail, "all") && (!str_to_i64(tail, &in.tail) || in.tail < 0))
		in.tail = -1;                         /* as Docker: what is no number shows all */
	in.id = c.id;
	in.account = c.account;
	in.tty = c.config.tty;
	in.follow = in.follow && (container_is_running(&c) || c.status == STATUS_RESTARTING);
	if (in.details)
		log_details(&r->arena, &c, &in.labels);
	fd = one_fd(r, &c, OP_LOGS, logs_call_fields, &in, NULL, NULL, e);
	if (fd < 0)
		return -1;
	return reply_pump(r, api_of(r)->pump, stream_type(r, c.config.tty), fd, e);
}

static int resize(struct req *r, const struct container *c, struct str exec, struct err *e)
{
	struct resize_call in = { .id = c->id, .account = c->account, .exec = exec };
	struct pairs at = { 0 };

	if (req_query_i64(r, "h", 0, &in.rows, e) || req_query_i64(r, "w", 0, &in.cols, e))
		return -1;
	if (in.rows < 0 || in.cols < 0 || in.rows > 65535 || in.cols > 65535)
		return err_set(e, EINVAL, "invalid terminal size: h and w are from 0 to 65535");
	if (!container_is_running(c))
		return err_set(e, EBUSY, "container %.*s is not running", STR_ARG(c->id));
	if (api_on(r, c->node, OP_RESIZE, resize_call_fields, &in, NULL, NULL, NULL, 0, NULL, NULL, NODE_TIMEOUT_MS, e))
		return -1;
	if (!exec.n) {
		pairs_set(&r->arena, &at, STR("height"), arena_printf(&r->arena, "%lld", (long long)in.rows));
		pairs_set(&r->arena, &at, STR("width"), arena_printf(&r->arena, "%lld", (long long)in.cols));
		container_happened(r, c->id, "resize", &at);
	}
	return reply_empty(r, 200, e);
}

int container_resize(struct req *r, struct err *e)
{
	struct container c = { 0 };

	return container_of(r, &c, e) ? -1 : resize(r, &c, STR_NONE, e);
}

int container_top(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct top_call in;
	struct text_reply out = { 0 };

	if (container_of(r, &c, e))
		return -1;
	if (!container_is_running(&c))
		return err_set(e, EBUSY, "container %.*s is not running", STR_ARG(c.id));
	in = (struct top_call){ c.id, c.account, req_query(r, "ps_args") };
	if (api_on(r, c.node, OP_TOP, top_call_fields, &in, text_reply_fields, &out, NULL, 0, NULL, NULL, NODE_TIMEOUT_MS, e))
		return -1;
	container_happened(r, c.id, "top", NULL);
	return reply_text(r, 200, "application/json", out.text, e);
}

int container_changes(struct req *r, struct err *e)
{
	struct container c = { 0 };
	int fd;

	if (container_of(r, &c, e))
		return -1;
	fd = one_fd(r, &c, OP_CHANGES, by_id_fields, &(struct by_id){ c.id }, NULL, NULL, e);
	return fd < 0 ? -1 : reply_pump(r, api_of(r)->pump, "application/json", fd, e);
}

int container_export(struct req *r, struct err *e)
{
	struct container c = { 0 };
	int fd;

	if (container_of(r, &c, e))
		return -1;
	fd = one_fd(r, &c, OP_EXPORT, by_id_fields, &(struct by_id){ c.id }, NULL, NULL, e);
	if (fd < 0 || reply_pump(r, api_of(r)->pump, "application/x-tar", fd, e))
		return -1;
	container_happened(r, c.id, "export", NULL);
	return 0;
}

/* --- stats -------------------------------------------------------------------------------------------- */

static void cpu_json(struct buf *b, const struct stats_reply *s)
{
	buf_printf(b, "{\"cpu_usage\":{\"total_usage\":%llu,\"usage_in_kernelmode\":%llu,\"usage_in_usermode\":%llu},\"system_cpu_usage\":%llu,"
		   "\"online_cpus\":%llu,\"throttling_data\":{\"periods\":%llu,\"throttled_periods\":%llu,\"throttled_time\":%llu}}",
		   (unsigned long long)s->cpu_total, (unsigned long long)s->cpu_kernel, (unsigned long long)s->cpu_user,
		   (unsigned long long)s->system_cpu, (unsigned long long)s->online_cpus, (unsigned long long)s->periods,
		   (unsigned long long)s->throttled_periods, (unsigned long long)s->throttled_time);
}

static void blkio_json(struct buf *b, const char *name, const struct stats_reply *s, bool ops)
{
	buf_printf(b, "\"%s\":[", name);
	for (size_t i = 0; i < s->disks.n; i++) {
		const struct disk_stats *d = &s->disks.v[i];
		const uint64_t v[2] = { ops ? d->read_ops : d->read, ops ? d->write_ops : d->write };

		for (int k = 0; k < 2; k++)
			buf_printf(b, "%s{\"major\":%llu,\"minor\":%llu,\"op\":\"%s\",\"value\":%llu}", i || k ? "," : "",
				   (unsigned long long)d->major, (unsigned long long)d->minor, k ? "write" : "read", (unsigned long long)v[k]);
	}
	buf_char(b, ']');
}

static void memory_json(struct buf *b, const struct stats_reply *s)
{
	buf_printf(b, ",\"memory_stats\":{\"usage\":%llu,\"max_usage\":%llu,\"limit\":%llu,\"failcnt\":%llu,\"stats\":{", (unsigned long long)s->memory,
		   (unsigned long long)s->memory_max, (unsigned long long)s->memory_limit, (unsigned long long)s->failcnt);
	for (size_t i = 0; i < s->memory_parts.n; i++) {
		buf_puts(b, i ? "," : "");
		json_quote(b, s->memory_parts.v[i].name);
		buf_printf(b, ":%llu", (unsigned long long)s->memory_parts.v[i].value);
	}
	buf_puts(b, "}},");
}

static void stats_json(struct buf *b, const struct container *c, const struct stats_reply *s, int64_t now, const struct stats_reply *before,
		       int64_t then)
{
	char t1[RFC3339_MAX], t2[RFC3339_MAX];

	buf_printf(b, "{\"read\":\"%.*s\",\"preread\":\"%.*s\",", STR_ARG(clock_rfc3339(now, t1)), STR_ARG(clock_rfc3339(then, t2)));
	buf_printf(b, "\"pids_stats\":{\"current\":%llu,\"limit\":%llu},\"num_procs\":0,\"storage_stats\":{},", (unsigned long long)s->pids,
		   (unsigned long long)s->pids_limit);
	buf_puts(b, "\"blkio_stats\":{");
	blkio_json(b, "io_service_bytes_recursive", s, false);
	buf_char(b, ',');
	blkio_json(b, "io_serviced_recursive", s, true);
	buf_puts(b, "},\"cpu_stats\":");
	cpu_json(b, s);
	buf_puts(b, ",\"precpu_stats\":");
	cpu_json(b, before);
	memory_json(b, s);
	buf_printf(b, "\"name\":\"/%.*s\",\"id\":\"%.*s\",\"networks\":{", STR_ARG(c->name), STR_ARG(c->id));
	for (size_t i = 0; i < s->nets.n; i++) {
		if (i)
			buf_char(b, ',');
		json_quote(b, s->nets.v[i].name);
		buf_char(b, ':');
		json_encode(b, net_stats_fields, &s->nets.v[i]);
	}
	buf_puts(b, "}}\n");
}

static int stats_read(struct req *r, const struct container *c, struct stats_reply *s, struct err *e)
{
	*s = (struct stats_reply){ 0 };
	return api_on(r, c->node, OP_STATS, by_id_fields, &(struct by_id){ c->id }, stats_reply_fields, s, NULL, 0, NULL, NULL, NODE_TIMEOUT_MS, e);
}

int container_stats(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct stats_reply now, before = { 0 };
	bool stream = req_query(r, "stream").n == 0 || req_query_bool(r, "stream"), one_shot = req_query_bool(r, "one-shot");
	int64_t then = 0;

	if (container_of(r, &c, e) || reply_begin(r, 200, "application/json", e))
		return -1;
	if (!one_shot && container_is_running(&c)) {
		if (stats_read(r, &c, &before, e))
			return -1;
		then = clock_wall_ns();
		if (!stream)
			clock_sleep_ms(1000);
	}
	do {
		auto_buf b = BUF_INIT(1 << 20);
		int64_t at = clock_wall_ns();

		if (stats_read(r, &c, &now, e))
			break;
		stats_json(&b, &c, &now, at, &before, then);
		if (reply_write(r, b.p, b.n, e))
			return -1;
		rec_copy(&r->arena, stats_reply_fields, &before, &now);
		then = at;
		if (stream)
			clock_sleep_ms(1000);
	} while (stream && !reply_client_gone(r));
	return reply_end(r, e);
}

/* --- exec --------------------------------------------------------------------------------------------- */

struct exec_created { struct str id; };
static const struct field exec_created_fields[] = { FIELD(1, exec_created, id, "Id", 0), FIELD_END };

int exec_create(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct exec in = { 0 }, out = { 0 };
	uint8_t keys[DETACH_KEYS_MAX];
	size_t nkeys;

	if (container_of(r, &c, e) || req_json(r, exec_config_fields, &in.config, e) || detach_keys_parse(in.config.detach_keys, keys, &nkeys, e))
		return -1;
	if (in.config.cmd.n == 0 || in.config.cmd.v[0].n == 0)
		return err_set(e, EINVAL, "No exec command specified");
	if (in.config.privileged && !who(r)->operator_)
		return err_set(e, EPERM, "exec --privileged reaches into the machine itself and is for operator accounts only");
	in.container = c.id;
	in.account = c.account;
	if (api_command(r, CMD_EXEC_CREATE, exec_fields, &in, exec_fields, &out, e))
		return -1;
	return reply(r, 201, exec_created_fields, &(struct exec_created){ out.id }, e);
}

static int exec_of(struct req *r, struct exec *x, struct err *e)
{
	auto_view t = { 0 };
	struct str id = req_var(r, "id");
	int found;

	if (api_view(r, &t, e))
		return -1;
	found = id.n == 64 ? view_get(&t, &r->arena, key_make(&r->arena, "x", who(r)->login, id, STR_NONE), exec_fields, x, e) : 0;
	if (found == 0)
		return err_set(e, ENOENT, "No such exec instance: %.*s", (int)(id.n > 64 ? 64 : id.n), id.p);
	return found < 0 ? -1 : 0;
}

/* Where its container is; "" when that is gone. */
static struct str exec_node(struct req *r, const struct exec *x)
{
	auto_view t = { 0 };
	struct container c = { 0 };
	struct err ignored;

	if (api_view(r, &t, &ignored) == 0)
		view_get(&t, &r->arena, key_make(&r->arena, "c", x->account, x->container, STR_NONE), container_fields, &c, &ignored);
	return c.node;
}

static bool exec_console(struct arena *a, struct raw json, int64_t *rows, int64_t *cols)
{
	struct json_reader j = json_reader_of(a, json.json);

	return json.json.n && json_peek(&j) == JSON_ARRAY && json_enter_array(&j) && json_next_item(&j) && json_read_i64(&j, rows) &&
	       json_next_item(&j) && json_read_i64(&j, cols);
}

int exec_start(struct req *r, struct err *e)
{
	struct exec x = { 0 };
	struct exec_config body = { 0 };
	struct exec_call in;
	int fd = -1;
	size_t n = 1;

	if (req_json(r, exec_config_fields, &body, e) || exec_of(r, &x, e))
		return -1;
	if (x.started)
		return err_set(e, EBUSY, "Error: Exec command %.*s has already run", STR_ARG(x.id));
	in = (struct exec_call){ .id = x.id, .account = x.account, .container = x.container, .config = x.config };
	in.config.detach = body.detach;
	if (body.detach)
		in.config.attach_stdin = in.config.attach_stdout = in.config.attach_stderr = false;
	if (!exec_console(&r->arena, body.console_size, &in.rows, &in.cols))
		exec_console(&r->arena, x.config.console_size, &in.rows, &in.cols);
	if (api_on(r, exec_node(r, &x), OP_EXEC_START, exec_call_fields, &in, NULL, NULL, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return -1;
	if (body.detach) {
		if (n == 1)
			close(fd);
		return reply_empty(r, 200, e);
	}
	if (n != 1)
		return err_set(e, EIO, "the node answered without a stream");
	return reply_hijack(r, api_of(r)->pump, stream_type(r, x.config.tty), fd, e);
}

struct exec_json {
	struct str id, container, entrypoint_user;
	bool       running, open_stdin, open_stdout, open_stderr, can_remove;
	int64_t    exit_code, pid;
	struct raw exit_raw;
	struct str detach_keys;
	struct { bool tty, privileged; struct str entrypoint, user; struct strs arguments; } process;
};
static const struct field process_fields[] = {
	{ .tag = 1, .kind = F_BOOL, .off = offsetof(struct exec_json, process.tty) - offsetof(struct exec_json, process), .size = sizeof(bool), .json = "tty" },
	{ .tag = 2, .kind = F_BOOL, .off = offsetof(struct exec_json, process.privileged) - offsetof(struct exec_json, process), .size = sizeof(bool), .json = "privileged" },
	{ .tag = 3, .kind = F_STR, .off = offsetof(struct exec_json, process.entrypoint) - offsetof(struct exec_json, process), .size = sizeof(struct str), .json = "entrypoint" },
	{ .tag = 4, .kind = F_STR, .off = offsetof(struct exec_json, process.user) - offsetof(struct exec_json, process), .size = sizeof(struct str), .json = "user", .flags = FIELD_OMIT_EMPTY },
	{ .tag = 5, .kind = F_STRS, .off = offsetof(struct exec_json, process.arguments) - offsetof(struct exec_json, process), .size = sizeof(struct strs), .json = "arguments" },
	FIELD_END
};
static const struct field exec_json_fields[] = {
	FIELD(1,  exec_json, id,          "ID",          0),
	FIELD(2,  exec_json, running,     "Running",     0),
	FIELD(3,  exec_json, exit_raw,    "ExitCode",    0),
	FIELD_OBJ(4, exec_json, process,  "ProcessConfig", 0, process_fields),
	FIELD(5,  exec_json, open_stdin,  "OpenStdin",   0),
	FIELD(6,  exec_json, open_stderr, "OpenStderr",  0),
	FIELD(7,  exec_json, open_stdout, "OpenStdout",  0),
	FIELD(8,  exec_json, can_remove,  "CanRemove",   0),
	FIELD(9,  exec_json, container,   "ContainerID", 0),
	FIELD(10, exec_json, detach_keys, "DetachKeys",  0),
	FIELD(11, exec_json, pid,         "Pid",         0),
	FIELD_END
};

int exec_inspect(struct req *r, struct err *e)
{
	auto_buf b = BUF_INIT(4 << 20);
	struct exec x = { 0 };
	struct exec_json j;

	if (exec_of(r, &x, e))
		return -1;
	if (!x.exited) {
		/* Its stream may have ended just now, and even its start be on the way to the record: the node answers when all that it
		 * has heard of execs is recorded. */
		struct err ignored;

		api_on(r, exec_node(r, &x), OP_EXEC_SYNC, by_id_fields, &(struct by_id){ x.container }, NULL, NULL, NULL, 0, NULL, NULL, 5000, &ignored);
		x = (struct exec){ 0 };
		if (exec_of(r, &x, e))
			return -1;
	}
	j = (struct exec_json){ .id = x.id, .container = x.container, .running = x.started && !x.exited, .open_stdin = x.config.attach_stdin,
		.open_stdout = x.config.attach_stdout, .open_stderr = x.config.attach_stderr, .detach_keys = x.config.detach_keys, .pid = x.pid,
		.process = { x.config.tty, x.config.privileged, x.config.cmd.v[0], x.config.user, { x.config.cmd.v + 1, x.config.cmd.n - 1 } } };
	if (x.exited)
		j.exit_raw.json = arena_printf(&r->arena, "%lld", (long long)x.exit_code);
	json_encode(&b, exec_json_fields, &j);
	return reply_json(r, 200, &b, e);
}

int exec_resize(struct req *r, struct err *e)
{
	struct exec x = { 0 };
	auto_view t = { 0 };
	struct container c = { 0 };

	if (exec_of(r, &x, e) || api_view(r, &t, e) || container_find(r, &t, x.container, &c, e))
		return -1;
	view_end(&t);
	if (!x.started || x.exited)
		return err_set(e, EBUSY, "exec %.*s is not running", STR_ARG(x.id));
	return resize(r, &c, x.id, e);
}
