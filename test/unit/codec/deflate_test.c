#include "codec/deflate.h"
#include "codec/inflate.h"

#include "unit/test.h"

#include <stdlib.h>

static struct str packed(struct str in, size_t step, size_t room)
{
	struct source_slice s = { in.p, in.n, step };
	struct deflate *z = deflate_new(source_of_slice(&s));
	char *out = malloc(in.n + 1000);
	size_t n = 0;
	ssize_t got;
	struct err e = { 0 };

	while ((got = deflate_read(z, out + n, room, &e)) > 0)
		n += (size_t)got;
	CHECK_INT(got, 0);
	CHECK_INT(deflate_read(z, out, room, &e), 0);
	deflate_free(z);
	return str_make(out, n);
}

static struct str unpacked(struct str in, size_t cap)
{
	struct source_slice s = { in.p, in.n, 0 };
	struct inflate *z = inflate_new(INFLATE_GZIP, source_of_slice(&s), NULL);
	char *out = malloc(cap + 1);
	struct err e = { 0 };
	ssize_t n = source_read_full(source_of_inflate(z), out, cap + 1, &e);

	CHECK_OK(n < 0 ? -1 : 0, e);
	inflate_free(z);
	return str_make(out, n < 0 ? 0 : (size_t)n);
}

TEST(comes_back_and_is_always_the_same)
{
	size_t n = 300000, i;
	char *p = malloc(n);
	struct str in = str_make(p, n), once, again;

	for (i = 0; i < n; i++)
		p[i] = (char)((i * i) >> 7 ^ i);
	once = packed(in, 0, 1000);
	again = packed(in, 777, 1000);
	CHECK(str_eq(once, again));
	CHECK(once.n < n);
	CHECK(str_eq(unpacked(once, n), in));
}

TEST(nothing_is_an_empty_member)
{
	CHECK_INT(unpacked(packed(STR_NONE, 0, 1000), 10).n, 0);
}

static ssize_t broken(void *ctx, void *p, size_t n, struct err *e)
{
	(void)ctx, (void)p, (void)n;
	return err_set(e, 5, "the disk is gone");
}

TEST(an_error_below_is_the_error)
{
	struct deflate *z = deflate_new((struct source){ broken, NULL });
	struct err e = { 0 };
	char p[100];

	CHECK_ERR(deflate_read(z, p, sizeof p, &e), e, "the disk is gone");
	deflate_free(z);
}
