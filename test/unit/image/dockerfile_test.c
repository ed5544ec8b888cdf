#include "image/dockerfile.h"

#include "base/buf.h"
#include "unit/test.h"

static struct arena arena;
static struct dockerfile d;

static int parse(const char *text, struct err *e)
{
	return dockerfile_parse(&arena, str_of(text), &d, e);
}

TEST(a_common_one)
{
	struct err e;

	REQUIRE_OK(parse("# a comment\n\nfrom busybox:1 AS b\r\nRUN echo a \\\n  # between\n   && echo b\nCMD [\"sh\", \"-c\", \"x\"]\n", &e), e);
	REQUIRE(d.n == 3);
	CHECK_STR(d.v[0].word, "FROM");
	CHECK_STR(d.v[0].rest, "busybox:1 AS b");
	CHECK_INT(d.v[0].line, 3);
	CHECK_STR(d.v[1].original, "RUN echo a    && echo b");
	CHECK_STR(d.v[1].rest, "echo a    && echo b");
	CHECK_INT(d.v[1].line, 4);
	CHECK(d.v[2].is_json);
	CHECK_INT(d.v[2].json.n, 3);
	CHECK_STR(d.v[2].json.v[1], "-c");
}

TEST(directives_only_at_the_top)
{
	struct err e;

	REQUIRE_OK(parse("# syntax=docker/dockerfile:1\n# escape=`\nFROM x\nRUN a `\n b\n", &e), e);
	CHECK_INT(d.n, 2);
	CHECK_STR(d.v[1].rest, "a  b");
	REQUIRE_OK(parse("# words\n# escape=`\nFROM x\nRUN a `\nRUN b\n", &e), e);
	CHECK_INT(d.n, 3);
	CHECK_ERR(parse("# escape=x\nFROM x\n", &e), e, "line 1: invalid ESCAPE 'x'");
}

TEST(flags)
{
	struct err e;

	REQUIRE_OK(parse("FROM --platform=linux/amd64 x\nCOPY --from=b --chown=1:2 /a /b\nCOPY --link a b\nRUN -- --x\n", &e), e);
	CHECK_STR(instruction_flag(&d.v[0], "platform"), "linux/amd64");
	CHECK_STR(d.v[0].rest, "x");
	CHECK_STR(instruction_flag(&d.v[1], "from"), "b");
	CHECK_STR(instruction_flag(&d.v[1], "chown"), "1:2");
	CHECK_STR(instruction_flag(&d.v[1], "chmod"), "");
	CHECK_STR(d.v[1].rest, "/a /b");
	CHECK_STR(instruction_flag(&d.v[2], "link"), "true");
	CHECK_STR(d.v[3].rest, "--x");
	CHECK_ERR(parse("FROM x\nCOPY --nosuch=1 a b\n", &e), e, "line 2: unknown flag: --nosuch");
	CHECK_ERR(parse("FROM x\nCOPY --from=a --from=b a b\n", &e), e, "duplicate flag");
}

TEST(heredocs)
{
	struct err e;

	REQUIRE_OK(parse("FROM x\nRUN <<EOF\necho $a\nFROM y\nEOF\nCOPY <<-\"one\" <<two /dst/\n\ta\n\tone\nb\ntwo\nCMD x\n", &e), e);
	REQUIRE(d.n == 4);
	REQUIRE(d.v[1].ndocs == 1 && d.v[2].ndocs == 2);
	CHECK_STR(d.v[1].docs[0].text, "echo $a\nFROM y\n");
	CHECK(d.v[1].docs[0].expand);
	CHECK_STR(d.v[2].docs[0].text, "a\n");
	CHECK(!d.v[2].docs[0].expand);
	CHECK_STR(d.v[2].docs[1].name, "two");
	CHECK_STR(d.v[2].docs[1].text, "b\n");
	REQUIRE_OK(parse("FROM x\nRUN cat <<<word && a << b\n", &e), e);
	CHECK_INT(d.v[1].ndocs, 0);
	CHECK_ERR(parse("FROM x\nRUN <<EOF\nx\n", &e), e, "line 2: unterminated heredoc");
}

TEST(refused_with_the_line)
{
	struct err e;

	CHECK_ERR(parse("", &e), e, "no instructions");
	CHECK_ERR(parse("# only\n", &e), e, "no instructions");
	CHECK_ERR(parse("FROM x\n\nRUM x\n", &e), e, "dockerfile parse error on line 3: unknown instruction: RUM");
	CHECK_ERR(parse("FROM\n", &e), e, "FROM requires at least one argument");
	CHECK_ERR(parse("FROM x\nRUN \xff\n", &e), e, "not UTF-8");
}

TEST(an_empty_continuation_is_forgiven_with_a_warning)
{
	struct err e;

	REQUIRE_OK(parse("FROM x\nRUN a \\\n\n b\nCMD \n", &e), e);
	CHECK_STR(d.v[1].rest, "a  b");
	CHECK_INT(d.warnings.n, 1);
	REQUIRE_OK(parse("FROM x\nRUN a \\", &e), e);
	CHECK_STR(d.v[1].rest, "a");
}
