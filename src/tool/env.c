/* `triton env`: the environment that points docker at the account set up last, for eval. */
#include "tool/commands.h"
#include "tool/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char env_usage[] =
	"usage: triton env [sh|fish|csh] [FLAGS]\n"
	"\n"
	"Prints what `triton setup` remembered, for your shell ($SHELL where none is named):\n"
	"  eval \"$(triton env)\"          sh, bash, zsh\n"
	"  triton env fish | source      fish\n"
	"  eval `triton env csh`         csh, tcsh\n"
	"\n";

struct env_flags {
	const char *account;
	bool        unset;
};

const struct option env_options[] = {
	OPTION_VALUE(env_flags, account, "account", 'a', "LOGIN", "of this account instead of the one set up last"),
	OPTION_SWITCH(env_flags, unset, "unset", 'u', "take the variables out of the environment again"),
	OPTION_END
};

static enum shell shell_of_user(void)
{
	const char *path = getenv("SHELL");
	enum shell shell;

	return path && shell_by_name(str_of(path), &shell) ? shell : SHELL_SH;
}

int tool_env(int argc, char **argv)
{
	auto_arena a = ARENA_INIT;
	auto_buf text = BUF_INIT(64 << 10);
	struct env_flags flags = { 0 };
	struct profile p = { 0 };
	struct err e = { 0 };
	enum shell shell = shell_of_user();
	int words = options_parse(env_options, "env", argc, argv, &flags, &e);

	if (words > 1 || (words == 1 && !shell_by_name(str_of(argv[1]), &shell)))
		words = err_set(&e, EINVAL, "the shell must be sh, fish or csh");
	if (words < 0) {
		fprintf(stderr, "triton env: %s\n", e.msg);
		return 2;
	}
	if (!flags.unset && profile_load(&a, flags.account, &p, &e)) {
		fprintf(stderr, "triton env: %s\n", e.msg);
		return 1;
	}
	profile_env(&p, shell, flags.unset, &text);
	fwrite(text.p, 1, text.n, stdout);
	return fflush(stdout) ? 1 : 0;
}
