#include "image/reference.h"

#include "unit/test.h"

#define D "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TEST(good_names)
{
	static const struct { const char *text, *host, *path, *tag, *digest, *familiar; } rows[] = {
		{ "busybox", "docker.io", "library/busybox", "", "", "busybox" },
		{ "busybox:1.36", "docker.io", "library/busybox", "1.36", "", "busybox:1.36" },
		{ "library/busybox", "docker.io", "library/busybox", "", "", "busybox" },
		{ "docker.io/busybox", "docker.io", "library/busybox", "", "", "busybox" },
		{ "index.docker.io/busybox:x", "docker.io", "library/busybox", "x", "", "busybox:x" },
		{ "tr/img", "docker.io", "tr/img", "", "", "tr/img" },
		{ "docker.io/library/a/b", "docker.io", "library/a/b", "", "", "library/a/b" },
		{ "docker.io/27.8/2", "docker.io", "27.8/2", "", "", "docker.io/27.8/2" },
		{ "localhost/img", "localhost", "img", "", "", "localhost/img" },
		{ "localhost:5000/a/b-c__d.e:T_1-x", "localhost:5000", "a/b-c__d.e", "T_1-x", "", "localhost:5000/a/b-c__d.e:T_1-x" },
		{ "127.0.0.1:5000/img@" D, "127.0.0.1:5000", "img", "", D, "127.0.0.1:5000/img@" D },
		{ "[::1]:5000/img", "[::1]:5000", "img", "", "", "[::1]:5000/img" },
		{ "reg.example.com/img:1@" D, "reg.example.com", "img", "1", D, "reg.example.com/img@" D },
		{ "Uppercase.com/img", "Uppercase.com", "img", "", "", "Uppercase.com/img" },
		{ "a---b/c", "docker.io", "a---b/c", "", "", "a---b/c" },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_arena a = ARENA_INIT;
		struct reference r = { 0 };
		struct err e = { 0 };

		CHECK_OK(reference_parse(&a, str_of(rows[i].text), &r, &e), e);
		CHECK_STR(r.host, rows[i].host);
		CHECK_STR(r.path, rows[i].path);
		CHECK_STR(r.tag, rows[i].tag);
		CHECK_STR(r.digest, rows[i].digest);
		CHECK_STR(reference_familiar(&a, &r), rows[i].familiar);
	}
}

TEST(bad_names_I16)
{
	static const char *const rows[] = {
		"", ":", "@", "a:", "a@", ":tag", "/", "a/", "/a", "a//b", "../x", "a/../b", "a:../x", "-a", "a-", "a..b", "a___b", "a b",
		"a\nb", "a:b:c/", "a:t@" D "x", "a@sha256:zz", "a:-t", "host:99999999/a", "host:0/a", "host:/a", "ho_st.x/a", "[::1/a",
		"[]/a", "a.b/", "a.-b.c/x", "https://example.com/a", "a@" D "@" D, "\xc3\xa9",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	};
	char tag[200] = "a:", name[400];
	auto_arena a = ARENA_INIT;
	struct reference r = { 0 };
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		if (reference_parse(&a, str_of(rows[i]), &r, &e) == 0)
			test_failed(__FILE__, __LINE__, "\"%s\" was accepted", rows[i]);
	memset(tag + 2, 't', 129);
	CHECK_ERR(reference_parse(&a, str_make(tag, 131), &r, &e), e, "invalid reference format");
	CHECK_OK(reference_parse(&a, str_make(tag, 130), &r, &e), e);
	memset(name, 'n', sizeof name);
	CHECK_ERR(reference_parse(&a, str_make(name, 300), &r, &e), e, "255");
	CHECK_ERR(reference_parse(&a, STR("a\0b"), &r, &e), e, "invalid reference format");
	CHECK_ERR(reference_parse(&a, STR("library/Foo"), &r, &e), e, "repository name (library/Foo) must be lowercase");
	CHECK_ERR(reference_parse(&a, str_of(rows[i - 1]), &r, &e), e, "cannot specify 64-byte hexadecimal strings");
}

TEST(latest_is_the_default)
{
	auto_arena a = ARENA_INIT;
	struct reference r = { 0 };
	struct err e = { 0 };

	CHECK_OK(reference_parse(&a, STR("a"), &r, &e), e);
	reference_default_tag(&r);
	CHECK_STR(reference_familiar(&a, &r), "a:latest");
	CHECK_OK(reference_parse(&a, STR("a@" D), &r, &e), e);
	reference_default_tag(&r);
	CHECK_STR(r.tag, "");
}

TEST(loopback_is_an_address_not_a_prefix)
{
	static const struct { const char *text; bool yes; } rows[] = {
		{ "localhost/a", true }, { "localhost:5000/a", true }, { "127.0.0.1:5000/a", true }, { "127.9.9.9/a", true },
		{ "[::1]:5000/a", true }, { "127.0.0.1.example.com/a", false }, { "localhost.example.com/a", false },
		{ "128.0.0.1/a", false }, { "a", false }, { "127.0.0.x/a", false },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_arena a = ARENA_INIT;
		struct reference r = { 0 };
		struct err e = { 0 };

		CHECK_OK(reference_parse(&a, str_of(rows[i].text), &r, &e), e);
		CHECK_INT(reference_is_loopback(&r), rows[i].yes);
	}
}
