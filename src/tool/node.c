/* `triton node`: the machines of the data center. */
#include "tool/admin.h"
#include "tool/commands.h"
#include "tool/table.h"

#include "base/clock.h"
#include "codec/json.h"
#include "model/image.h"
#include "model/room.h"

#include <errno.h>

const char node_usage[] =
	"usage: triton node list\n"
	"       triton node show NODE\n"
	"       triton node drain NODE              nothing new comes; containers that can move do\n"
	"       triton node activate NODE\n"
	"       triton node label NODE KEY=VALUE    for constraints: docker run -e constraint:KEY==VALUE\n"
	"       triton node label NODE KEY          takes the label away\n"
	"       triton node remove NODE [--force]   it is gone for good, with containers and volumes that are only there\n"
	"\n"
	"NODE is a name, an id, or how an id begins.\n";

const struct option node_options[] = {
	OPTION_SWITCH(admin, force, "force", 0, "remove: although it has containers"),
	ADMIN_OPTIONS,
	OPTION_END
};

struct node_detail { struct node node; struct node_room room; };
struct node_details { struct node_detail *v; size_t n; };
static const struct field node_detail_fields[] = {
	FIELD_OBJ(1, node_detail, node, "node", 0, node_fields),
	FIELD_OBJ(2, node_detail, room, "room", 0, node_room_fields),
	FIELD_END
};

static struct str state_of(const struct node *n)
{
	return n->state.n ? n->state : STR("up");
}

static struct str availability_of(const struct node *n)
{
	return n->availability.n ? n->availability : STR("active");
}

static struct str labels_of(struct admin *c, const struct node *n)
{
	struct str all = STR_NONE;

	for (size_t i = 0; i < n->labels.n; i++)
		all = arena_printf(&c->arena, "%.*s%s%.*s=%.*s", STR_ARG(all), i ? "," : "", STR_ARG(n->labels.v[i].key), STR_ARG(n->labels.v[i].val));
	return all;
}

static int node_list(struct admin *c, char **word, struct err *e)
{
	struct table t = table_make(&c->arena, "NAME|ID|STATE|AVAILABILITY|>CONTAINERS|>CPUS|>MEMORY|>PROMISED|ADDRESS|LABELS");
	struct node_details all = { 0 };
	struct str answer;

	(void)word;
	if (admin_call(c, "GET", STR("/triton/v1/nodes"), STR_NONE, &answer, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	if (json_decode_list(&c->arena, answer, node_detail_fields, sizeof(*all.v), &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		const struct node *n = &all.v[i].node;
		const struct node_room *r = &all.v[i].room;

		table_cell(&t, n->name);
		table_cell(&t, str_head(n->id, 12));
		table_cell(&t, state_of(n));
		table_cell(&t, availability_of(n));
		table_cellf(&t, "%lld", (long long)r->containers);
		table_cellf(&t, "%lld", (long long)n->cpus);
		table_cell(&t, table_size(&c->arena, n->memory));
		table_cell(&t, table_size(&c->arena, r->kept.memory + r->elastic.memory));
		table_cell(&t, n->address);
		table_cell(&t, labels_of(c, n));
	}
	table_print(&t, stdout);
	return 0;
}

static int node_show(struct admin *c, char **word, struct err *e)
{
	struct arena *a = &c->arena;
	struct node_detail d = { 0 };
	const struct node_room *r = &d.room;
	struct str answer;
	char joined[RFC3339_MAX], seen[RFC3339_MAX];

	if (admin_call(c, "GET", admin_path(c, "/triton/v1/nodes/", word[0], ""), STR_NONE, &answer, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	if (json_decode(a, answer, node_detail_fields, &d, e))
		return -1;
	printf("Node          %.*s (%.*s, %.*s)\nId            %.*s\n", STR_ARG(table_clean(a, d.node.name)), STR_ARG(state_of(&d.node)),
	       STR_ARG(availability_of(&d.node)), STR_ARG(d.node.id));
	if (d.node.hostname.n && !str_eq(d.node.hostname, d.node.name))
		printf("Host          %.*s\n", STR_ARG(table_clean(a, d.node.hostname)));
	if (d.node.address.n)
		printf("Address       %.*s\n", STR_ARG(d.node.address));
	printf("System        %.*s, Linux %.*s, %.*s; triton %.*s\n", STR_ARG(d.node.os), STR_ARG(d.node.kernel), STR_ARG(d.node.arch),
	       STR_ARG(d.node.version));
	printf("Joined        %.*s, started %.*s\n", STR_ARG(clock_rfc3339(d.node.joined.ns, joined)), STR_ARG(clock_rfc3339(d.node.seen.ns, seen)));
	printf("Containers    %lld\n", (long long)r->containers);
	printf("CPUs          %lld, %.2f promised\n", (long long)d.node.cpus, (double)(r->kept.nano_cpus + r->elastic.nano_cpus) / 1e9);
	printf("Memory        %.*s, %.*s promised to containers of a stated size, %.*s to others\n", STR_ARG(table_size(a, d.node.memory)),
	       STR_ARG(table_size(a, r->kept.memory)), STR_ARG(table_size(a, r->elastic.memory)));
	printf("Disk          %.*s, %.*s promised\n", STR_ARG(table_size(a, d.node.disk)), STR_ARG(table_size(a, r->kept.disk + r->elastic.disk)));
	printf("Labels        %.*s\n", STR_ARG(d.node.labels.n ? labels_of(c, &d.node) : STR("none")));
	return 0;
}

struct node_request { struct str availability; struct pairs labels; struct strs labels_rm; };
static const struct field node_request_fields[] = {
	FIELD(1, node_request, availability, "availability", FIELD_OMIT_EMPTY),
	FIELD(2, node_request, labels,       "labels",       FIELD_OMIT_EMPTY),
	FIELD(3, node_request, labels_rm,    "labels_rm",    FIELD_OMIT_EMPTY),
	FIELD_END
};

static int change(struct admin *c, const char *node, const struct node_request *q, struct err *e)
{
	auto_buf body = BUF_INIT(64 << 10);
	struct str answer;

	json_encode(&body, node_request_fields, q);
	return admin_call(c, "POST", admin_path(c, "/triton/v1/nodes/", node, ""), buf_as_str(&body), &answer, e);
}

static int node_drain(struct admin *c, char **word, struct err *e)
{
	if (change(c, word[0], &(struct node_request){ .availability = STR("drain") }, e))
		return -1;
	if (!c->json)
		printf("Node %s is drained: nothing new comes to it, and what can move goes elsewhere.\n", word[0]);
	return 0;
}

static int node_activate(struct admin *c, char **word, struct err *e)
{
	if (change(c, word[0], &(struct node_request){ .availability = STR("active") }, e))
		return -1;
	if (!c->json)
		printf("Node %s is active.\n", word[0]);
	return 0;
}

static int node_label(struct admin *c, char **word, struct err *e)
{
	struct node_request q = { 0 };
	struct str key, val;

	if (str_cut(str_of(word[1]), '=', &key, &val))
		pairs_set(&c->arena, &q.labels, key, val);
	else
		strs_add(&c->arena, &q.labels_rm, key);
	if (change(c, word[0], &q, e))
		return -1;
	if (!c->json)
		printf("Node %s %s label %.*s.\n", word[0], q.labels.n ? "has" : "is without", STR_ARG(key));
	return 0;
}

struct removed { bool votes; };
static const struct field removed_fields[] = {
	FIELD(1, removed, votes, "votes", 0),
	FIELD_END
};

static int node_remove(struct admin *c, char **word, struct err *e)
{
	struct removed out = { 0 };
	struct str answer;

	if (admin_call(c, "DELETE", admin_path(c, "/triton/v1/nodes/", word[0], c->force ? "?force=1" : ""), STR_NONE, &answer, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	if (json_decode(&c->arena, answer, removed_fields, &out, e))
		return -1;
	printf(out.votes ? "Node %s is gone, but the others need its vote to take it away: leave it on, or bring back those that are down, until `triton status` counts a voter less.\n"
	                 : "Node %s is gone.\n", word[0]);
	return 0;
}

int tool_node(int argc, char **argv)
{
	static const struct admin_verb verbs[] = {
		{ "list",     0, node_list,     0 },
		{ "show",     1, node_show,     0 },
		{ "drain",    1, node_drain,    0 },
		{ "activate", 1, node_activate, 0 },
		{ "label",    2, node_label,    0 },
		{ "remove",   1, node_remove,   ADMIN_TAKES_FORCE },
		{ 0 }
	};

	return admin_verbs("node", node_options, verbs, argc, argv);
}
