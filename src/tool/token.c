/* `triton token`: what another machine needs to join this data center. */
#include "tool/admin.h"
#include "tool/commands.h"

#include "codec/json.h"

#include <errno.h>
#include <stdlib.h>

const char token_usage[] =
	"usage: triton token [--expires TIME]\n"
	"\n"
	"Prints a token with which one machine can join this data center, once:\n"
	"triton serve --join HOST:PORT --token TOKEN\n";

struct token_command { struct admin admin; const char *expires; };

const struct option token_options[] = {
	OPTION_VALUE(token_command, expires, "expires", 0, "TIME", "how long it is good: 90s, 30m, 12h, 7d (default 1h)"),
	OPTION_VALUE(token_command, admin.run_dir, "run-dir", 0, "DIR", "the instance: its --run-dir (default " ADMIN_RUN_DIR ")"),
	OPTION_SWITCH(token_command, admin.json, "json", 0, "print JSON"),
	OPTION_END
};

struct token_answer { struct str token, peer; struct field_time expires; };
static const struct field token_answer_fields[] = {
	FIELD(1, token_answer, token,   "token",   0),
	FIELD(2, token_answer, peer,    "peer",    0),
	FIELD(3, token_answer, expires, "expires", 0),
	FIELD_END
};

static int seconds_of(const char *text, int64_t *out, struct err *e)
{
	static const struct { char unit; int64_t seconds; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct str s = str_of(text);

	for (size_t i = 0; s.n > 1 && i < sizeof(units) / sizeof(units[0]); i++)
		if (s.p[s.n - 1] == units[i].unit && str_to_i64(str_make(s.p, s.n - 1), out) && *out > 0 && *out < 1 << 24) {
			*out *= units[i].seconds;
			return 0;
		}
	return err_set(e, EINVAL, "--expires %s: a number and a unit, as in 90s, 30m, 12h, 7d", text);
}

static int make(struct token_command *c, struct err *e)
{
	struct token_answer t = { 0 };
	int64_t seconds = 3600;
	struct str body;

	if (c->expires && seconds_of(c->expires, &seconds, e))
		return -1;
	if (admin_call(&c->admin, "POST", STR("/triton/v1/tokens"),
	               arena_printf(&c->admin.arena, "{\"seconds\":%lld}", (long long)seconds), &body, e))
		return -1;
	if (c->admin.json) {
		admin_puts(body);
		return 0;
	}
	if (json_decode(&c->admin.arena, body, token_answer_fields, &t, e))
		return -1;
	printf("On the machine that is to join, once, within %lld minutes:\n\n  triton serve --join %.*s --token %.*s\n",
	       (long long)(seconds + 59) / 60, STR_ARG(t.peer), STR_ARG(t.token));
	return 0;
}

int tool_token(int argc, char **argv)
{
	struct token_command c = { .admin = ADMIN_INIT };
	struct err e = { 0 };
	int words = options_parse(token_options, "token", argc, argv, &c, &e), rc;

	if (words > 0)
		err_set(&e, EINVAL, "%s is one word too many; `triton help token` shows how", argv[1]);
	if (words) {
		fprintf(stderr, "triton token: %s\n", e.msg);
		return 2;
	}
	rc = make(&c, &e);
	if (rc)
		fprintf(stderr, "triton token: %s\n", e.msg);
	http_client_release(&c.admin.http);
	arena_release(&c.admin.arena);
	return rc ? 1 : 0;
}
