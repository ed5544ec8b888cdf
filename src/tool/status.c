/* `triton status`: what this instance is doing. The roles come from the file that serve keeps in the run directory, so that
 * they are shown even when nothing answers. */
#include "tool/admin.h"
#include "tool/commands.h"
#include "tool/table.h"

#include "base/clock.h"
#include "codec/json.h"
#include "model/op.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

const char status_usage[] =
	"usage: triton status\n"
	"\n"
	"The data center, its nodes with what is used and free, the state, and the processes of this instance.\n";

const struct option status_options[] = { ADMIN_OPTIONS, OPTION_END };

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
	struct str datacenter, docker, problem;
	struct state_status state;
	struct node_statuses nodes;
	int64_t accounts, uptime_s;
};
static const struct field status_fields[] = {
	FIELD(1, status, datacenter, "datacenter", 0),
	FIELD(2, status, docker,     "docker",     0),
	FIELD_OBJ(3, status, state,  "state",      0, state_status_fields),
	FIELD_LIST(4, status, nodes, "nodes",      0, node_status_fields, struct node_status),
	FIELD(5, status, accounts,   "accounts",   0),
	FIELD(6, status, uptime_s,   "uptime_s",   0),
	FIELD(7, status, problem,    "problem",    0),
	FIELD_END
};

struct role_line {
	struct str name;
	int64_t    pid, since, restarts, pss_kib;
	bool       alive;
};
struct role_lines { struct role_line *v; size_t n; };
static const struct field role_line_fields[] = {
	FIELD(1, role_line, name,     "name",     0),
	FIELD(2, role_line, pid,      "pid",      0),
	FIELD(3, role_line, since,    "since",    0),
	FIELD(4, role_line, restarts, "restarts", 0),
	FIELD(5, role_line, alive,    "alive",    0),
	FIELD(6, role_line, pss_kib,  "pss_kib",  0),
	FIELD_END
};

/* Its share of memory; 0 when it cannot be seen. */
static int64_t pss_kib(struct admin *c, int64_t pid)
{
	struct str text, line, value;
	struct err ignored;
	int64_t kib;

	if (admin_file(c, arena_printf(&c->arena, "/proc/%lld/smaps_rollup", (long long)pid).p, 64 << 10, &text, &ignored))
		return 0;
	while (str_next(&text, '\n', &line))
		if (str_starts(line, STR("Pss:"))) {
			str_cut(str_trim(str_drop(line, 4)), ' ', &value, &line);
			return str_to_i64(value, &kib) ? kib : 0;
		}
	return 0;
}

static int roles_read(struct admin *c, struct role_lines *out, struct err *e)
{
	struct str text, line;
	struct err why;

	if (admin_file(c, arena_printf(&c->arena, "%s/roles", c->run_dir).p, 64 << 10, &text, &why))
		return err_set(e, ESRCH, "triton serve does not run here: %s (--run-dir DIR names another instance)", why.msg);
	out->v = arena_new_n(&c->arena, struct role_line, 32);
	while (out->n < 32 && str_next(&text, '\n', &line)) {
		struct role_line *r = &out->v[out->n];
		struct str pid, since;

		if (!str_cut(line, ' ', &r->name, &line) || !str_cut(line, ' ', &pid, &line) || !str_cut(line, ' ', &since, &line) ||
		    !str_to_i64(pid, &r->pid) || !str_to_i64(since, &r->since) || !str_to_i64(line, &r->restarts))
			continue;
		r->alive = r->pid > 0 && (kill((pid_t)r->pid, 0) == 0 || errno == EPERM);
		r->pss_kib = r->alive ? pss_kib(c, r->pid) : 0;
		out->n++;
	}
	return 0;
}

static void roles_print(struct admin *c, const struct role_lines *roles)
{
	struct table t = table_make(&c->arena, "ROLE|STATE|>PID|SINCE|>RESTARTS|>MEMORY");

	for (size_t i = 0; i < roles->n; i++) {
		const struct role_line *r = &roles->v[i];

		table_cell(&t, r->name);
		table_cell(&t, r->alive ? STR("running") : STR("down"));
		table_cellf(&t, "%lld", (long long)r->pid);
		table_cell(&t, table_span(&c->arena, clock_wall_ns() / 1000000000 - r->since));
		table_cellf(&t, "%lld", (long long)r->restarts);
		table_cell(&t, r->pss_kib ? table_size(&c->arena, r->pss_kib << 10) : STR_NONE);
	}
	table_print(&t, stdout);
}

static struct str used(struct arena *a, int64_t all, int64_t free)
{
	if (!free)
		return table_size(a, all);
	return arena_printf(a, "%.*s of %.*s", STR_ARG(table_size(a, all - free)), STR_ARG(table_size(a, all)));
}

static void nodes_print(struct admin *c, const struct status *s)
{
	struct arena *a = &c->arena;
	struct table t = table_make(a, "NODE|STATE|>CPUS|CPU PROMISED|MEMORY USED|PROMISED|DISK USED|CONTAINERS|KERNEL");

	for (size_t i = 0; i < s->nodes.n; i++) {
		const struct node_status *n = &s->nodes.v[i];

		table_cell(&t, n->name.n ? n->name : str_head(n->id, 12));
		table_cellf(&t, "%.*s%s", STR_ARG(n->state), str_is(n->availability, "drain") ? ", drained" : "");
		table_cellf(&t, "%lld", (long long)n->cpus);
		table_cellf(&t, "%.2f", (double)n->cpu_given_nano / 1e9);
		table_cell(&t, used(a, n->memory, n->memory_free));
		table_cell(&t, table_size(a, n->memory_given));
		table_cell(&t, used(a, n->disk, n->disk_free));
		table_cellf(&t, "%lld, %lld running", (long long)n->containers, (long long)n->running);
		table_cellf(&t, "%.*s %.*s%s%.*s%s", STR_ARG(n->kernel), STR_ARG(n->arch), n->cgroup.n ? ", cgroup " : "", STR_ARG(n->cgroup),
			    !n->cgroup.n ? "" : n->quotas ? ", disk quotas" : ", no disk quotas");
	}
	table_print(&t, stdout);
}

static void status_print(struct admin *c, const struct status *s)
{
	printf("Data center  %.*s, up %.*s\n", STR_ARG(s->datacenter), STR_ARG(table_span(&c->arena, s->uptime_s)));
	printf("Docker API   tcp://%.*s\n", STR_ARG(s->docker));
	printf("Accounts     %lld\n", (long long)s->accounts);
	printf("State        revision %lld, term %lld, %s, log %.*s\n", (long long)s->state.revision, (long long)s->state.term,
	       s->state.leader ? "leader" : "not leader", STR_ARG(table_size(&c->arena, s->state.log_bytes)));
	if (s->problem.n)
		printf("Problem      %.*s\n", STR_ARG(s->problem));
	putchar('\n');
	nodes_print(c, s);
	putchar('\n');
}

/* What the instance said, with the roles as one member more. */
static void json_print(struct str answer, const struct role_lines *roles)
{
	auto_buf b = BUF_INIT(16 << 20);
	ptrdiff_t end = str_rfind(answer, '}');

	buf_str(&b, end > 0 ? str_head(answer, (size_t)end) : STR("{"));
	buf_puts(&b, end > 1 ? ",\"roles\":" : "\"roles\":");
	json_encode_list(&b, role_line_fields, sizeof(*roles->v), roles);
	buf_char(&b, '}');
	admin_puts(buf_as_str(&b));
}

static int status_show(struct admin *c, struct err *e)
{
	struct role_lines roles = { 0 };
	struct status s = { 0 };
	struct str answer = STR_NONE;
	struct err no_roles = { 0 };
	bool have_roles = roles_read(c, &roles, &no_roles) == 0;
	int rc = admin_call(c, "GET", STR("/triton/v1/status"), STR_NONE, &answer, e);

	if (rc && !have_roles)
		return err_set(e, ESRCH, "%s", no_roles.msg);
	if (c->json) {
		json_print(answer, &roles);
		return rc;
	}
	if (rc == 0 && json_decode(&c->arena, answer, status_fields, &s, e) == 0)
		status_print(c, &s);
	else
		rc = -1;
	roles_print(c, &roles);
	return rc;
}

int tool_status(int argc, char **argv)
{
	struct admin c = ADMIN_INIT;
	struct err e = { 0 };
	int words = options_parse(status_options, "status", argc, argv, &c, &e), rc;

	if (words > 0)
		err_set(&e, EINVAL, "%s is one word too many; `triton help status` shows how", argv[1]);
	if (words) {
		fprintf(stderr, "triton status: %s\n", e.msg);
		return 2;
	}
	rc = status_show(&c, &e);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "triton status: %s\n", e.msg);
	http_client_release(&c.http);
	arena_release(&c.arena);
	return rc ? 1 : 0;
}
