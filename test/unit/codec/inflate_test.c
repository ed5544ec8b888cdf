#include "codec/inflate.h"

#include "unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* gzip by zlib itself: what is tested is the stream around it. */
static struct str gz(struct str in)
{
	z_stream z = { 0 };
	size_t cap = in.n + in.n / 100 + 1000;
	unsigned char *out = malloc(cap);

	REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_in = (void *)in.p;
	z.avail_in = in.n;
	z.next_out = out;
	z.avail_out = cap;
	REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	return str_make(out, z.total_out);
}

static struct str join(struct str a, struct str b)
{
	char *p = malloc(a.n + b.n);

	memcpy(p, a.p, a.n);
	memcpy(p + a.n, b.p, b.n);
	return str_make(p, a.n + b.n);
}

static struct str out_by(enum inflate_kind kind, struct str in, size_t step, const struct inflate_limits *limits, struct err *e)
{
	struct source_slice s = { in.p, in.n, step };
	struct inflate *z = inflate_new(kind, source_of_slice(&s), limits);
	size_t cap = 8 << 20, n = 0;
	char *p = malloc(cap);
	ssize_t got;

	e->code = 0;
	e->msg[0] = 0;
	while ((got = inflate_read(z, p + n, cap - n < 1000 ? cap - n : 1000, e)) > 0)
		n += got;
	if (got < 0) {
		struct err again = { 0 };

		CHECK_ERR(inflate_read(z, p, 1, &again), again, e->msg);
	}
	inflate_free(z);
	return str_make(p, n);
}

static struct str out_of(struct str in, size_t step, const struct inflate_limits *limits, struct err *e)
{
	return out_by(INFLATE_AUTO, in, step, limits, e);
}

static struct str out_as(enum inflate_kind kind, struct str in, size_t step, struct err *e)
{
	return out_by(kind, in, step, NULL, e);
}

static const char hello_zst[] = /* printf hello | zstd -c --no-check */
	"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00\x68\x65\x6c\x6c\x6f";

TEST(plain_passes)
{
	struct err e;

	CHECK_STR(out_of(STR("plain bytes"), 0, NULL, &e), "plain bytes");
	CHECK_STR(out_of(STR("plain bytes"), 1, NULL, &e), "plain bytes");
	CHECK_STR(out_of(STR(""), 0, NULL, &e), "");
	CHECK_STR(out_of(STR("\x1f"), 0, NULL, &e), "\x1f");
	CHECK_INT(e.code, 0);
}

TEST(gzip_in_any_steps_and_several_members_I14)
{
	struct str a = gz(STR("hello ")), b = gz(STR("world")), none = gz(STR(""));
	struct err e;
	size_t step;

	for (step = 0; step < 5; step++) {
		CHECK_STR(out_of(a, step, NULL, &e), "hello ");
		CHECK_STR(out_of(join(a, b), step, NULL, &e), "hello world");
		CHECK_STR(out_of(join(none, join(a, b)), step, NULL, &e), "hello world");
		CHECK_STR(out_of(none, step, NULL, &e), "");
		CHECK_INT(e.code, 0);
	}
}

TEST(zstd_frames)
{
	struct str h = str_make(hello_zst, sizeof hello_zst - 1);
	struct err e;
	size_t step;

	for (step = 0; step < 5; step++) {
		CHECK_STR(out_of(h, step, NULL, &e), "hello");
		CHECK_STR(out_of(join(h, h), step, NULL, &e), "hellohello");
		CHECK_INT(e.code, 0);
	}
	out_of(join(h, STR("junk")), 0, NULL, &e);
	CHECK_INT(e.code, EBADMSG);
	for (step = 4; step < h.n; step++) {
		out_of(str_head(h, step), 0, NULL, &e);
		CHECK_INT(e.code, EBADMSG);
	}
}

TEST(truncated_wrong_crc_and_trailing_junk_are_errors_I14)
{
	struct str a = gz(STR("some text, some text, some text"));
	char *bad = malloc(a.n);
	struct err e;
	size_t n;

	for (n = 3; n < a.n; n++) {
		out_of(str_head(a, n), 0, NULL, &e);
		CHECK_INT(e.code, EBADMSG);
		CHECK(strstr(e.msg, "ends early"));
	}
	memcpy(bad, a.p, a.n);
	bad[a.n - 6] ^= 1;
	out_of(str_make(bad, a.n), 0, NULL, &e);
	CHECK_INT(e.code, EBADMSG);
	out_of(join(a, STR("junk")), 0, NULL, &e);
	CHECK_INT(e.code, EBADMSG);
	CHECK(strstr(e.msg, "follows"));
	out_of(join(a, STR("\0\0\0\0")), 0, NULL, &e);
	CHECK_INT(e.code, EBADMSG);
}

TEST(bombs_stop_at_the_limit_I13)
{
	struct str zeros = str_make(calloc(1, 4 << 20), 4 << 20), bomb = gz(zeros);
	struct inflate_limits bytes = { .max_out = 1 << 20 };
	struct inflate_limits ratio = { .max_ratio = 100, .ratio_after = 1 << 20 };
	struct err e;
	struct str got;

	got = out_of(bomb, 0, &bytes, &e);
	CHECK_INT(e.code, EFBIG);
	CHECK(got.n <= (1 << 20));
	got = out_of(bomb, 0, &ratio, &e);
	CHECK_INT(e.code, EFBIG);
	CHECK(got.n <= (1 << 20) + 1000);
	got = out_of(bomb, 0, NULL, &e);
	CHECK_INT(e.code, 0);
	CHECK_INT(got.n, 4 << 20);
}

/* printf "hello " | xz -c, printf world | xz -c --check=crc32, printf world | xz -c --lzma2=dict=256MiB */
static const char hello_xz[] =
	"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3"
	"\x01\x00\x05\x68\x65\x6c\x6c\x6f\x20\x00\x00\x00\x0a\xb0\xaf\x04\xba\x05\xef\x18\x00\x01\x1e\x06"
	"\xc1\x2f\xa4\x1d\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
static const char world_xz[] =
	"\xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3"
	"\x01\x00\x04\x77\x6f\x72\x6c\x64\x00\x00\x00\x00\x43\x11\x77\x3a\x00\x01\x19\x05\xbc\xe8\xec\xcb"
	"\x90\x42\x99\x0d\x01\x00\x00\x00\x00\x01\x59\x5a";
static const char large_xz[] =
	"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x20\x00\x00\x00\x09\x88\xa5\x76"
	"\x01\x00\x04\x77\x6f\x72\x6c\x64\x00\x00\x00\x00\xf8\x58\xe1\x54\xfa\xfc\x10\x3e\x00\x01\x1d\x05"
	"\xb8\x2d\x80\xaf\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

/* printf "hello " | bzip2 -c, printf world | bzip2 -c, bzip2 -c </dev/null */
static const char hello_bz2[] =
	"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x76\x69\xe0\xd4\x00\x00\x01\x11\x00\x40\x00\x02\x44\xa0"
	"\x00\x30\xcd\x00\xc3\x46\x29\x97\x17\x72\x45\x38\x50\x90\x76\x69\xe0\xd4";
static const char world_bz2[] =
	"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x59\xce\x7b\xcb\x00\x00\x02\x01\x80\x04\x04\x90\x80\x20"
	"\x00\x30\xcd\x00\xc1\xa4\xc0\x71\x77\x24\x53\x85\x09\x05\x9c\xe7\xbc\xb0";
static const char none_bz2[] =
	"\x42\x5a\x68\x39\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00";

#define BYTES(array) str_make(array, sizeof array - 1)

/* Every early end and every flipped bit of a stream that says "hello " is an error, but for `unused` bits of it, which mean nothing. */
static void check_damage(struct str whole, int unused, const char *early)
{
	int nothing_meant = 0;
	char copy[200];
	struct err e;

	REQUIRE(whole.n < sizeof copy);
	for (size_t n = 10; n < whole.n; n++) {
		CHECK_INT(out_as(INFLATE_ANY, str_head(whole, n), n % 3, &e).n <= 6, true);
		CHECK_INT(e.code, EBADMSG);
		CHECK_STR(str_of(e.msg), early);
	}
	for (size_t bit = 80; bit < 8 * whole.n; bit++) { /* behind the bytes that tell the kind */
		memcpy(copy, whole.p, whole.n);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		if (str_is(out_as(INFLATE_ANY, str_make(copy, whole.n), 0, &e), "hello ") && e.code == 0)
			nothing_meant++;
		else
			CHECK_INT(e.code, EBADMSG);
	}
	CHECK_INT(nothing_meant, unused);
}

TEST(xz_and_bzip2_in_any_steps_and_several_streams)
{
	struct str xz = BYTES(hello_xz), bz2 = BYTES(hello_bz2);
	struct err e;

	for (size_t step = 0; step < 5; step++) {
		CHECK_STR(out_as(INFLATE_ANY, xz, step, &e), "hello ");
		CHECK_STR(out_as(INFLATE_ANY, join(xz, BYTES(world_xz)), step, &e), "hello world");
		CHECK_STR(out_as(INFLATE_ANY, bz2, step, &e), "hello ");
		CHECK_STR(out_as(INFLATE_ANY, join(bz2, BYTES(world_bz2)), step, &e), "hello world");
		CHECK_STR(out_as(INFLATE_ANY, join(BYTES(none_bz2), bz2), step, &e), "hello ");
		CHECK_STR(out_as(INFLATE_ANY, BYTES(none_bz2), step, &e), "");
	}
	CHECK_INT(e.code, 0);
}

TEST(who_asks_says_which_kinds_are_looked_for)
{
	struct str xz = BYTES(hello_xz), bz2 = BYTES(hello_bz2), gzip = gz(STR("x"));
	struct err e;

	CHECK_INT(str_eq(out_as(INFLATE_AUTO, xz, 0, &e), xz), true);
	CHECK_INT(str_eq(out_as(INFLATE_AUTO, bz2, 0, &e), bz2), true);
	CHECK_INT(str_eq(out_as(INFLATE_RARE, gzip, 0, &e), gzip), true);
	CHECK_STR(out_as(INFLATE_RARE, xz, 0, &e), "hello ");
	CHECK_STR(out_as(INFLATE_ANY, gzip, 0, &e), "x");
	/* A tar begins with a name. */
	CHECK_STR(out_as(INFLATE_ANY, STR("BZh9 is the name of a file"), 0, &e), "BZh9 is the name of a file");
	CHECK_INT(e.code, 0);
}

TEST(xz_and_bzip2_damaged)
{
	struct err e;

	check_damage(BYTES(hello_xz), 0, "xz: ends early");
	check_damage(BYTES(hello_bz2), 9, "bzip2: ends early");
	out_as(INFLATE_ANY, join(BYTES(hello_xz), STR("tail")), 0, &e);
	CHECK_INT(e.code, EBADMSG);
	out_as(INFLATE_ANY, join(BYTES(hello_bz2), STR("tail")), 0, &e);
	CHECK_STR(str_of(e.msg), "bzip2: data follows the end");
	out_as(INFLATE_ANY, BYTES(large_xz), 0, &e);
	CHECK_INT(e.code, EFBIG);
	CHECK_STR(str_of(e.msg), "xz: needs more than 128 MiB of memory");
}
