#include "model/token.h"

#include "codec/hex.h"

#include <errno.h>

#define PREFIX "triton-"

struct str token_text(struct arena *a, const struct token *t)
{
	struct str digits = str_drop(t->authority, sizeof("sha256:") - 1);

	return arena_printf(a, PREFIX "%.*s-%.*s", STR_ARG(digits), STR_ARG(t->secret));
}

int token_parse(struct arena *a, struct str text, struct token *out, struct err *e)
{
	struct str rest = str_trim(text), authority;

	if (!str_starts(rest, STR(PREFIX)))
		return err_set(e, EINVAL, "this is no token: one begins with " PREFIX "; `triton token` prints it");
	rest = str_drop(rest, sizeof(PREFIX) - 1);
	if (rest.n != 64 + 1 + TOKEN_SECRET_DIGITS || rest.p[64] != '-')
		return err_set(e, EINVAL, "the token is not whole: it has %zu characters and should have %zu", text.n,
		               sizeof(PREFIX) - 1 + 64 + 1 + TOKEN_SECRET_DIGITS);
	authority = str_make(rest.p, 64);
	out->secret = str_drop(rest, 65);
	if (!hex_is(authority, 64) || !hex_is(out->secret, TOKEN_SECRET_DIGITS))
		return err_set(e, EINVAL, "the token is damaged: it holds other characters than 0-9 and a-f");
	out->authority = arena_printf(a, "sha256:%.*s", STR_ARG(authority));
	return 0;
}
