#include "image/shellwords.h"

#include "base/buf.h"

#include "unit/test.h"

static struct str const env_list[] = { { "A=1", 3 }, { "B=x y", 5 }, { "EMPTY=", 6 }, { "P=/usr/lib/x.tar.gz", 19 } };
static const struct strs env = { (struct str *)env_list, 4 };
static struct arena arena;

static struct str one(const char *text)
{
	struct shellwords w = { .escape = '\\', .env = &env };
	struct str out = STR("(refused)");
	struct err e;

	shellwords_expand(&w, &arena, str_of(text), &out, &e);
	return out;
}

TEST(variables_and_quotes)
{
	CHECK_STR(one("a$A-${A}b"), "a1-1b");
	CHECK_STR(one("'$A' \"$A $B\""), "$A 1 x y");
	CHECK_STR(one("\\$A \\\\ \"\\$A \\\" \\x\""), "$A \\ $A \" \\x");
	CHECK_STR(one("$NOSUCH$A_$"), "$");
	CHECK_STR(one("$1$"), "$");
	CHECK_STR(one("end\\"), "end");
}

TEST(modifiers)
{
	CHECK_STR(one("${X:-def} ${A:-def} ${EMPTY:-def} ${EMPTY-def}."), "def 1 def .");
	CHECK_STR(one("${X:+w}${A:+w}${EMPTY:+w}${EMPTY+w}"), "ww");
	CHECK_STR(one("${X:-${Y:-$A}}"), "1");
	CHECK_STR(one("${P#*/} ${P##*/} ${P%.*} ${P%%.*}"), "usr/lib/x.tar.gz x.tar.gz /usr/lib/x.tar /usr/lib/x");
	CHECK_STR(one("${P/\\//_} ${P//\\//_}"), "_usr/lib/x.tar.gz _usr_lib_x.tar.gz");
}

TEST(refused_with_a_sentence)
{
	struct shellwords w = { .escape = '\\', .env = &env };
	struct str out;
	struct err e;

	CHECK_ERR(shellwords_expand(&w, &arena, STR("'open"), &out, &e), e, "single-quote");
	CHECK_ERR(shellwords_expand(&w, &arena, STR("\"open"), &out, &e), e, "double-quote");
	CHECK_ERR(shellwords_expand(&w, &arena, STR("${A"), &out, &e), e, "missing '}'");
	CHECK_ERR(shellwords_expand(&w, &arena, STR("${}"), &out, &e), e, "bad substitution");
	CHECK_ERR(shellwords_expand(&w, &arena, STR("${A:=x}"), &out, &e), e, "unsupported modifier (:=)");
	CHECK_ERR(shellwords_expand(&w, &arena, STR("${X:?must be set}"), &out, &e), e, "X: must be set");
	CHECK_ERR(shellwords_expand(&w, &arena, STR("${X:?}"), &out, &e), e, "not allowed to be unset");
}

TEST(nesting_is_bounded)
{
	auto_buf b = BUF_INIT(1 << 16);
	struct shellwords w = { .escape = '\\' };
	struct str out;
	struct err e;

	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "${a:-");
	CHECK_ERR(shellwords_expand(&w, &arena, buf_as_str(&b), &out, &e), e, "deep");
}

TEST(splitting)
{
	struct shellwords w = { .escape = '\\', .env = &env };
	struct strs l = { 0 };
	struct err e;

	REQUIRE_OK(shellwords_split(&w, &arena, STR(" a $B \"$B\" '' b\\ c $EMPTY"), &l, &e), e);
	CHECK_INT(l.n, 6);
	CHECK_STR(l.v[2], "y");
	CHECK_STR(l.v[3], "x y");
	CHECK_STR(l.v[4], "");
	CHECK_STR(l.v[5], "b c");
}

TEST(cutting_keeps_quotes)
{
	struct str rest = STR(" a=\"b c\" d\\ e 'f g'h "), word;

	CHECK(shellwords_cut('\\', &rest, &word));
	CHECK_STR(word, "a=\"b c\"");
	CHECK(shellwords_cut('\\', &rest, &word));
	CHECK_STR(word, "d\\ e");
	CHECK(shellwords_cut('\\', &rest, &word));
	CHECK_STR(word, "'f g'h");
	CHECK(!shellwords_cut('\\', &rest, &word));
}

TEST(env_comes_before_args)
{
	struct pair p[] = { { STR("A"), STR("arg") }, { STR("C"), STR("arg") } };
	struct pairs args = { p, 2 };
	struct shellwords w = { .escape = '\\', .env = &env, .args = &args };
	struct str out;
	struct err e;

	REQUIRE_OK(shellwords_expand(&w, &arena, STR("$A $C"), &out, &e), e);
	CHECK_STR(out, "1 arg");
}
