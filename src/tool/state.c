/* `triton state dump`: every record of the replicated state, for looking and for scripts. */
#include "tool/admin.h"
#include "tool/commands.h"
#include "tool/table.h"

#include "codec/json.h"

#include <errno.h>

const char state_usage[] =
	"usage: triton state dump [PREFIX]\n"
	"\n"
	"Prints the state's records whose key begins with PREFIX (default: all): the key, its kind, and each field that is\n"
	"set. With --json one object on each line: {\"key\", \"kind\", \"value\"}.\n";

const struct option state_options[] = { ADMIN_OPTIONS, OPTION_END };

#define LINE_MAX_BYTES (16 << 20)

struct dumped { struct str key, kind; struct raw value; };
static const struct field dumped_fields[] = {
	FIELD(1, dumped, key,   "key",   0),
	FIELD(2, dumped, kind,  "kind",  0),
	FIELD(3, dumped, value, "value", 0),
	FIELD_END
};

static bool is_empty(struct str json)
{
	static const char *const empty[] = { "\"\"", "0", "false", "null", "[]", "{}", NULL };

	for (int i = 0; empty[i]; i++)
		if (str_is(json, empty[i]))
			return true;
	return false;
}

static void print_value(struct arena *a, struct str json)
{
	struct json_reader r = json_reader_of(a, json);
	struct str name, value;

	if (json_peek(&r) != JSON_OBJECT) {
		struct str text;

		if (json_peek(&r) != JSON_STRING || !json_read_str(&r, &text))
			text = json;
		printf("    %.*s\n", STR_ARG(table_clean(a, text)));
		return;
	}
	json_enter_object(&r);
	while (json_next_member(&r, &name)) {
		if (!json_read_raw(&r, &value))
			return;
		if (!is_empty(value))
			printf("    %-18.*s %.*s\n", STR_ARG(table_clean(a, name)), STR_ARG(table_clean(a, value)));
	}
}

static int print_line(struct str line, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct dumped d = { 0 };

	if (json_decode(&a, line, dumped_fields, &d, e))
		return err_wrap(e, "the instance's answer");
	printf("%.*s", STR_ARG(table_clean(&a, d.key)));
	printf(d.kind.n ? "  (%.*s)\n" : "\n", STR_ARG(d.kind));
	print_value(&a, d.value.json);
	return 0;
}

/* The answer comes in pieces and may be long: it is printed line by line as it comes. */
static int dump(struct admin *c, const char *prefix, struct err *e)
{
	auto_buf line = BUF_INIT(LINE_MAX_BYTES);
	char chunk[64 << 10];
	ssize_t n;

	if (admin_open(c, "GET", admin_path(c, "/triton/v1/state?prefix=", prefix, ""), STR_NONE, e))
		return -1;
	while ((n = http_body_read(&c->http, chunk, sizeof(chunk), e)) > 0) {
		ptrdiff_t end;

		if (c->json) {
			fwrite(chunk, 1, (size_t)n, stdout);
			continue;
		}
		buf_add(&line, chunk, (size_t)n);
		if (!buf_ok(&line))
			return err_set(e, EFBIG, "a record is longer than %d bytes", LINE_MAX_BYTES);
		for (struct str rest = buf_as_str(&line); (end = str_find(rest, '\n')) >= 0; rest = buf_as_str(&line)) {
			if (print_line(str_head(rest, (size_t)end), e))
				return -1;
			buf_consume(&line, (size_t)end + 1);
		}
	}
	return n < 0 ? -1 : 0;
}

static int state_dump(struct admin *c, char **word, struct err *e)
{
	return dump(c, word[0] ? word[0] : "", e);
}

int tool_state(int argc, char **argv)
{
	static const struct admin_verb verbs[] = { { "dump", 0, state_dump, ADMIN_OPTIONAL_WORD }, { 0 } };

	return admin_verbs("state", state_options, verbs, argc, argv);
}
