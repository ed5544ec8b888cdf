/* `triton account`: the tenants of the data center. */
#include "tool/admin.h"
#include "tool/commands.h"
#include "tool/table.h"

#include "codec/json.h"
#include "model/account.h"

#include <errno.h>
#include <time.h>

#define KEY_FILE_MAX (64 << 10)

const char account_usage[] =
	"usage: triton account add LOGIN [--key FILE] [--operator]\n"
	"       triton account list\n"
	"       triton account show LOGIN\n"
	"       triton account disable LOGIN     its keys are refused; containers run on\n"
	"       triton account enable LOGIN\n"
	"       triton account rm LOGIN          only when it owns nothing any more\n"
	"\n"
	"An account is a login name with SSH public keys. It sees only what it owns.\n";

const struct option account_options[] = {
	OPTION_VALUE(admin, key, "key", 0, "FILE", "add: its first SSH public key (a .pub file; - reads it from stdin)"),
	OPTION_SWITCH(admin, operator_, "operator", 0, "add: may use host-level powers (--privileged, host mounts)"),
	ADMIN_OPTIONS,
	OPTION_END
};

struct account_request { struct str login, key; bool operator_; };
static const struct field account_request_fields[] = {
	FIELD(1, account_request, login,     "login",    0),
	FIELD(2, account_request, operator_, "operator", 0),
	FIELD(3, account_request, key,       "key",      FIELD_OMIT_EMPTY),
	FIELD_END
};

struct accounts { struct account *v; size_t n; };
struct account_keys { struct account_key *v; size_t n; };
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

static const char *state_of(const struct account *a)
{
	return a->disabled ? "disabled" : a->operator_ ? "operator" : "active";
}

static struct str when(struct admin *c, int64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[32] = "";

	if (ns && localtime_r(&s, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return arena_str(&c->arena, str_of(text));
}

static int account_add(struct admin *c, char **word, struct err *e)
{
	auto_buf body = BUF_INIT(256 << 10);
	struct account_request q = { .login = str_of(word[0]), .operator_ = c->operator_ };
	struct str answer;

	if (c->key && admin_file(c, c->key, KEY_FILE_MAX, &q.key, e))
		return -1;
	json_encode(&body, account_request_fields, &q);
	if (admin_call(c, "POST", STR("/triton/v1/accounts"), buf_as_str(&body), &answer, e))
		return -1;
	if (c->json)
		admin_puts(answer);
	else if (c->key)
		printf("Account %s is there, with the key of %s.\n", word[0], c->key);
	else
		printf("Account %s is there. It needs a key before it can be used: triton key add %s FILE\n", word[0], word[0]);
	return 0;
}

static int account_list(struct admin *c, char **word, struct err *e)
{
	struct str answer;
	struct accounts all = { 0 };
	struct table t = table_make(&c->arena, "LOGIN|STATE|CREATED|ID");

	(void)word;
	if (admin_call(c, "GET", STR("/triton/v1/accounts"), STR_NONE, &answer, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	if (json_decode_list(&c->arena, answer, account_fields, sizeof(*all.v), &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		table_cell(&t, all.v[i].login);
		table_cell(&t, str_of(state_of(&all.v[i])));
		table_cell(&t, when(c, all.v[i].created.ns));
		table_cell(&t, all.v[i].id);
	}
	table_print(&t, stdout);
	return 0;
}

static int account_show(struct admin *c, char **word, struct err *e)
{
	struct str answer;
	struct account_detail d = { 0 };
	struct table t = table_make(&c->arena, "  KEY|NAME|ADDED");

	if (admin_call(c, "GET", admin_path(c, "/triton/v1/accounts/", word[0], ""), STR_NONE, &answer, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	if (json_decode(&c->arena, answer, account_detail_fields, &d, e))
		return -1;
	printf("Account     %.*s (%s)\nId          %.*s\nCreated     %.*s\nContainers  %lld, %lld of them running\nImages      %lld\nVolumes     %lld\n",
	       STR_ARG(d.account.login), state_of(&d.account), STR_ARG(d.account.id), STR_ARG(when(c, d.account.created.ns)),
	       (long long)d.containers, (long long)d.running, (long long)d.images, (long long)d.volumes);
	for (size_t i = 0; i < d.keys.n; i++) {
		table_cellf(&t, "  %.*s", STR_ARG(d.keys.v[i].fingerprint));
		table_cell(&t, d.keys.v[i].name);
		table_cell(&t, when(c, d.keys.v[i].created.ns));
	}
	if (d.keys.n)
		table_print(&t, stdout);
	else
		printf("Keys        none; triton key add %s FILE\n", word[0]);
	return 0;
}

static int account_change(struct admin *c, const char *method, const char *login, const char *suffix, const char *done, struct err *e)
{
	struct str answer;

	if (admin_call(c, method, admin_path(c, "/triton/v1/accounts/", login, suffix), STR_NONE, &answer, e))
		return -1;
	if (!c->json)
		printf("Account %s is %s.\n", login, done);
	return 0;
}

static int account_disable(struct admin *c, char **word, struct err *e)
{
	return account_change(c, "POST", word[0], "/disable", "disabled", e);
}

static int account_enable(struct admin *c, char **word, struct err *e)
{
	return account_change(c, "POST", word[0], "/enable", "enabled", e);
}

static int account_rm(struct admin *c, char **word, struct err *e)
{
	return account_change(c, "DELETE", word[0], "", "gone", e);
}

int tool_account(int argc, char **argv)
{
	static const struct admin_verb verbs[] = {
		{ "add",     1, account_add,     ADMIN_TAKES_KEY | ADMIN_TAKES_OPERATOR },
		{ "list",    0, account_list,    0 },
		{ "show",    1, account_show,    0 },
		{ "disable", 1, account_disable, 0 },
		{ "enable",  1, account_enable,  0 },
		{ "rm",      1, account_rm,      0 },
		{ 0 }
	};

	return admin_verbs("account", account_options, verbs, argc, argv);
}
