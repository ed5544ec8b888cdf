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

static struct str out_of(struct str in, size_t step, const struct inflate_limits *limits, struct err *e)
{
	struct source_slice s = { in.p, in.n, step };
	struct inflate *z = inflate_new(INFLATE_AUTO, source_of_slice(&s), limits);
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
