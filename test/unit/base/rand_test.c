#include "base/rand.h"

#include "unit/test.h"

TEST(numbers_differ_and_fill)
{
	unsigned char a[1000] = { 0 };
	int zeros = 0, i;

	rand_bytes(a, sizeof a);
	for (i = 0; i < 1000; i++)
		zeros += a[i] == 0;
	CHECK(zeros < 50);
	CHECK(rand_u64() != rand_u64());
}

TEST(hex_ids)
{
	auto_arena a = ARENA_INIT;
	struct str id = rand_hex(&a, 64);
	size_t i;

	CHECK_INT(id.n, 64);
	for (i = 0; i < id.n; i++)
		CHECK((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f'));
	CHECK(!str_eq(id, rand_hex(&a, 64)));
}
