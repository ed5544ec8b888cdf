/* What the administrator's commands share: the local, root-only socket of the instance that --run-dir names, its errors as
 * one sentence, and commands made of verbs (`triton account add`). Blocks until the instance answers. */
#ifndef TOOL_ADMIN_H
#define TOOL_ADMIN_H

#include "base/arena.h"
#include "codec/field.h"
#include "http/client.h"
#include "tool/options.h"

#define ADMIN_RUN_DIR "/run/triton"

struct admin {                                        /* zeroed but for run_dir */
	const char *run_dir;
	bool        json;                             /* print what the instance said, unchanged */
	const char *key;                              /* --key FILE, where a command has it */
	bool        operator_, force;                 /* --operator, --force, likewise */
	struct arena arena;                           /* until the process ends */
	struct http_client http;
};

#define ADMIN_INIT ((struct admin){ .run_dir = ADMIN_RUN_DIR })
#define ADMIN_OPTIONS \
	OPTION_VALUE(admin, run_dir, "run-dir", 0, "DIR", "the instance: its --run-dir (default " ADMIN_RUN_DIR ")"), \
	OPTION_SWITCH(admin, json, "json", 0, "print JSON")

struct admin_verb {
	const char *name;
	int         words;                            /* that must follow it */
	int       (*run)(struct admin *c, char **word, struct err *e);
	unsigned    flags;                            /* enum admin_flag: which flags mean something here */
};
enum admin_flag {
	ADMIN_TAKES_KEY = 1, ADMIN_TAKES_OPERATOR = 2,
	ADMIN_OPTIONAL_WORD = 4,                      /* one word more may follow; NULL when absent */
	ADMIN_TAKES_FORCE = 8,
};

/* Read flags and words of argv, run the verb, print a failure. Returns the exit status: 0, 1, or 2 (wrong usage). The table
 * ends with name NULL. */
int admin_verbs(const char *command, const struct option *options, const struct admin_verb *verbs, int argc, char **argv);

/* One request; the whole answer in `out` (lives in c->arena). `body` is JSON or empty. Errors: what the instance said
 * (code EIO), or that nothing answers (ECONNREFUSED). */
int admin_call(struct admin *c, const char *method, struct str target, struct str body, struct str *out, struct err *e);

/* The same up to the body, which the caller reads with http_body_read(&c->http, ...). */
int admin_open(struct admin *c, const char *method, struct str target, struct str body, struct err *e);

/* "/triton/v1/accounts/" + login, with what is not plain escaped. */
struct str admin_path(struct admin *c, const char *prefix, const char *word, const char *suffix);

/* A file of at most `max` bytes. "-" is the standard input. Errors name it. */
int admin_file(struct admin *c, const char *path, size_t max, struct str *out, struct err *e);

void admin_puts(struct str text);                     /* to stdout, with a newline at the end */

#endif
