#include "base/arena.h"

#include "unit/test.h"

#include <sys/wait.h>
#include <unistd.h>

TEST(memory_is_zeroed_aligned_and_separate)
{
	auto_arena a = ARENA_INIT;
	unsigned char *p[500];
	size_t i, k, n;

	for (i = 0; i < 500; i++) {
		n = i * 7 + 1;
		p[i] = arena_alloc(&a, n);
		CHECK_INT((uintptr_t)p[i] % 16, 0);
		for (k = 0; k < n && p[i][k] == 0; k++)
			;
		CHECK_INT(k, n);
		memset(p[i], i, n);
	}
	for (i = 0; i < 500; i++)
		for (k = 0; k < i * 7 + 1; k++)
			if (p[i][k] != (unsigned char)i) {
				test_failed(__FILE__, __LINE__, "block %zu was overwritten", i);
				break;
			}
}

TEST(big_blocks_and_reuse)
{
	struct arena a = ARENA_INIT;
	char *p = arena_alloc(&a, 10 << 20);

	p[(10 << 20) - 1] = 1;
	CHECK(a.total >= 10 << 20);
	arena_release(&a);
	CHECK_INT(a.total, 0);
	CHECK(arena_alloc(&a, 1) != NULL);
	arena_release(&a);
	arena_release(&a);
}

TEST(strings)
{
	auto_arena a = ARENA_INIT;
	struct str s = arena_str(&a, STR("a\0b"));

	CHECK_STR(s, STR("a\0b"));
	CHECK_INT(s.p[3], 0);
	CHECK_STR(arena_cstr(&a, STR_NONE), "");
	CHECK_STR(arena_printf(&a, "%s-%d", "x", 42), "x-42");
}

TEST(lists_and_pairs_grow)
{
	auto_arena a = ARENA_INIT;
	struct strs l = { 0 };
	struct pairs p = { 0 };
	const struct str *v;
	int i;

	for (i = 0; i < 1000; i++) {
		strs_add(&a, &l, arena_printf(&a, "%d", i));
		pairs_set(&a, &p, arena_printf(&a, "k%d", i % 100), arena_printf(&a, "%d", i));
	}
	CHECK_INT(l.n, 1000);
	CHECK_STR(l.v[999], "999");
	CHECK_STR(l.v[0], "0");
	CHECK(strs_has(&l, STR("500")) && !strs_has(&l, STR("1000")));
	CHECK_INT(p.n, 100);
	v = pairs_get(&p, STR("k42"));
	CHECK(v && str_is(*v, "942"));
	CHECK(!pairs_get(&p, STR("k100")));
}

/* Arrays of exactly their length, as decoders make them, must not be written beyond. */
TEST(foreign_lists_are_copied_before_they_grow)
{
	auto_arena a = ARENA_INIT;
	size_t n;

	for (n = 1; n < 20; n++) {
		struct str *v = arena_new_n(&a, struct str, n), *guard = arena_new_n(&a, struct str, 1);
		struct strs l = { v, n };

		strs_add(&a, &l, STR("x"));
		CHECK(l.v != v && l.n == n + 1 && guard->p == NULL);
	}
}

/* What the world's sizes would overflow must end the process, not wrap around. */
TEST(impossible_sizes_end_the_process)
{
	int status, fd[2];
	pid_t pid;

	REQUIRE(pipe(fd) == 0);
	pid = fork();
	if (pid == 0) {
		struct arena a = ARENA_INIT;
		volatile size_t huge = SIZE_MAX / 8;

		dup2(fd[1], 2);
		arena_array(&a, huge, 16);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 70);
}

TEST(printf_where_there_is_room_and_where_not)
{
	auto_arena a = ARENA_INIT;

	for (int n = 0; n < 6000; n += 7) {
		struct str s = arena_printf(&a, "%0*d", n, 0), after = arena_printf(&a, "after %d", n);
		char *zeroed = arena_alloc(&a, 64);

		CHECK_INT(s.n, n ? n : 1);
		CHECK(strlen(s.p) == s.n && strspn(s.p, "0") == s.n);
		CHECK(str_starts(after, STR("after ")));
		for (int i = 0; i < 64; i++)
			CHECK(zeroed[i] == 0);
	}
}

TEST(a_reset_keeps_the_last_block_and_what_it_gives_is_zero)
{
	auto_arena a = ARENA_INIT;
	char *p;

	arena_reset(&a, 1 << 20);
	CHECK_INT(a.total, 0);
	for (int i = 0; i < 100; i++)
		memset(arena_alloc(&a, 1000), 1, 1000);
	arena_reset(&a, 1 << 20);
	CHECK_INT(a.total, 64 << 10);                 /* 4, 8, 16, 32 and this one */
	p = arena_alloc(&a, 60000);
	for (int i = 0; i < 60000; i++)
		if (p[i]) {
			test_failed(__FILE__, __LINE__, "byte %d is of the use before", i);
			break;
		}
	CHECK_INT(a.total, 64 << 10);
	arena_reset(&a, (64 << 10) - 1);
	CHECK_INT(a.total, 0);
}
