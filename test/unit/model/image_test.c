#include "model/image.h"

#include "unit/test.h"

TEST(names_of_nodes)
{
	static const char *const good[] = { "a", "debian", "rack-1.example.org", "7", "A_b", "0123456789abcdef0123456789abcde" };
	static const char *const bad[] = { "", "-a", ".a", "a b", "a/b", "a\n", "\xc3\xbc", "0123456789abcdef0123456789abcdef",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct err e;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK_INT(node_name_check(str_of(good[i]), &e), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_ERR(node_name_check(str_of(bad[i]), &e), e, "a node cannot be called ");
}

TEST(a_host_name_becomes_a_name)
{
	static const char *const host[][2] = {
		{ "debian", "debian" }, { "rack1.example.org", "rack1.example.org" }, { "my machine", "my-machine" }, { "-.x", "x" },
		{ "(none)", "none-" }, { "", "node" }, { "..", "node" }, { "0123456789abcdef0123456789abcdef", "node" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	};
	auto_arena a = ARENA_INIT;

	for (size_t i = 0; i < sizeof host / sizeof *host; i++)
		CHECK_STR(node_name_of_host(&a, str_of(host[i][0])), host[i][1]);
}
