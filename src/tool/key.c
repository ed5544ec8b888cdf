/* `triton key`: the SSH public keys of accounts. */
#include "tool/admin.h"
#include "tool/commands.h"
#include "tool/table.h"

#include "codec/json.h"
#include "model/account.h"

#define KEY_FILE_MAX (64 << 10)

const char key_usage[] =
	"usage: triton key add LOGIN FILE         FILE is a .pub file; - reads it from stdin\n"
	"       triton key list LOGIN\n"
	"       triton key rm LOGIN FINGERPRINT   as `key list` shows it, MD5 or SHA256\n"
	"\n"
	"A key that is removed stops working at once, for open connections as well.\n";

const struct option key_options[] = { ADMIN_OPTIONS, OPTION_END };

struct account_keys { struct account_key *v; size_t n; };
struct key_request { struct str key; };
static const struct field key_request_fields[] = { FIELD(1, key_request, key, "key", 0), FIELD_END };

static int keys_get(struct admin *c, const char *login, struct str *answer, struct account_keys *keys, struct err *e)
{
	if (admin_call(c, "GET", admin_path(c, "/triton/v1/accounts/", login, "/keys"), STR_NONE, answer, e))
		return -1;
	return json_decode_list(&c->arena, *answer, account_key_fields, sizeof(*keys->v), keys, e);
}

static int key_add(struct admin *c, char **word, struct err *e)
{
	auto_buf body = BUF_INIT(256 << 10);
	struct key_request q = { 0 };
	struct account_key added = { 0 };
	struct str answer;

	if (admin_file(c, word[1], KEY_FILE_MAX, &q.key, e))
		return -1;
	json_encode(&body, key_request_fields, &q);
	if (admin_call(c, "POST", admin_path(c, "/triton/v1/accounts/", word[0], "/keys"), buf_as_str(&body), &answer, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	if (json_decode(&c->arena, answer, account_key_fields, &added, e))
		return -1;
	printf("Account %s has the key %.*s now.\n", word[0], STR_ARG(added.fingerprint));
	return 0;
}

static int key_list(struct admin *c, char **word, struct err *e)
{
	struct str answer;
	struct account_keys keys = { 0 };
	struct table t = table_make(&c->arena, "FINGERPRINT|SHA256|NAME");

	if (keys_get(c, word[0], &answer, &keys, e))
		return -1;
	if (c->json)
		return admin_puts(answer), 0;
	for (size_t i = 0; i < keys.n; i++) {
		table_cell(&t, keys.v[i].fingerprint);
		table_cell(&t, keys.v[i].sha256);
		table_cell(&t, keys.v[i].name);
	}
	table_print(&t, stdout);
	return 0;
}

/* The path names a key by its MD5 fingerprint; people may write the SHA256 form. */
static struct str fingerprint_of(const struct account_keys *keys, struct str given)
{
	for (size_t i = 0; i < keys->n; i++)
		if (str_eq(keys->v[i].sha256, given))
			return keys->v[i].fingerprint;
	return str_starts(given, STR("MD5:")) ? str_drop(given, 4) : given;
}

static int key_rm(struct admin *c, char **word, struct err *e)
{
	auto_buf path = BUF_INIT(64 << 10);
	struct account_keys keys = { 0 };
	struct str answer;

	if (keys_get(c, word[0], &answer, &keys, e))
		return -1;
	buf_str(&path, admin_path(c, "/triton/v1/accounts/", word[0], "/keys/"));
	http_escape(&path, fingerprint_of(&keys, str_of(word[1])));
	if (admin_call(c, "DELETE", buf_as_str(&path), STR_NONE, &answer, e))
		return -1;
	if (!c->json)
		printf("The key is gone from account %s.\n", word[0]);
	return 0;
}

int tool_key(int argc, char **argv)
{
	static const struct admin_verb verbs[] = {
		{ "add",  2, key_add,  0 },
		{ "list", 1, key_list, 0 },
		{ "rm",   2, key_rm,   0 },
		{ 0 }
	};

	return admin_verbs("key", key_options, verbs, argc, argv);
}
