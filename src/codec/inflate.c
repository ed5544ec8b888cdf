#include "codec/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE    65536
#define WINDOW_LOG 27                                 /* what `zstd --long` makes; larger ones are refused */

struct inflate {
	enum inflate_kind kind;
	struct source     from;
	struct inflate_limits limits;
	int64_t           total_in, total_out;
	bool              opened, input_ended, ended;
	bool              inside;                     /* a member or frame has begun and not ended */
	struct err        failed;                     /* sticky */
	size_t            at, have;                   /* unread part of in[] */
	z_stream          gz;
	ZSTD_DStream     *zstd;
	unsigned char     in[IN_SIZE];
};

struct inflate *inflate_new(enum inflate_kind kind, struct source from, const struct inflate_limits *limits)
{
	struct inflate *z = calloc(1, sizeof *z);

	if (!z)
		abort();
	z->kind = kind;
	z->from = from;
	if (limits)
		z->limits = *limits;
	if (!z->limits.max_out)
		z->limits.max_out = 64ll << 30;
	if (!z->limits.max_ratio)
		z->limits.max_ratio = 400;
	if (!z->limits.ratio_after)
		z->limits.ratio_after = 256 << 20;
	return z;
}

void inflate_free(struct inflate *z)
{
	if (!z)
		return;
	if (z->opened && z->kind == INFLATE_GZIP)
		inflateEnd(&z->gz);
	ZSTD_freeDStream(z->zstd);
	free(z);
}

static int fill(struct inflate *z, struct err *e)
{
	ssize_t n;

	if (z->at == z->have)
		z->at = z->have = 0;
	if (z->input_ended || z->have == IN_SIZE)
		return 0;
	n = source_read(z->from, z->in + z->have, IN_SIZE - z->have, e);
	if (n < 0)
		return -1;
	z->input_ended = n == 0;
	z->have += n;
	z->total_in += n;
	return 0;
}

/* Look at the first four bytes, and set up. */
static int begin(struct inflate *z, struct err *e)
{
	const unsigned char *p = z->in;

	while (z->have < 4 && !z->input_ended)
		if (fill(z, e))
			return -1;
	if (z->kind == INFLATE_AUTO) {
		if (z->have >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8)
			z->kind = INFLATE_GZIP;
		else if (z->have >= 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd)
			z->kind = INFLATE_ZSTD;
		else
			z->kind = INFLATE_NONE;
	}
	if (z->kind == INFLATE_GZIP && inflateInit2(&z->gz, 15 + 16) != Z_OK)
		abort();
	if (z->kind == INFLATE_ZSTD) {
		z->zstd = ZSTD_createDStream();
		if (!z->zstd)
			abort();
		ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, WINDOW_LOG);
	}
	z->opened = true;
	return 0;
}

static ssize_t step_none(struct inflate *z, void *p, size_t n, struct err *e)
{
	ssize_t got = z->have - z->at;

	if (got == 0 && z->input_ended) {
		z->ended = true;
		return 0;
	}
	if (got == 0) {                               /* past the first bytes: no copy in between */
		got = source_read(z->from, p, n, e);
		if (got > 0)
			z->total_in += got;
		z->ended = got == 0;
		return got;
	}
	if ((size_t)got > n)
		got = n;
	memcpy(p, z->in + z->at, got);
	z->at += got;
	return got;
}

static ssize_t step_gzip(struct inflate *z, void *p, size_t n, struct err *e)
{
	int rc;

	if (!z->inside && z->total_out + (int64_t)z->gz.total_in > 0) { /* between members */
		if (z->have == z->at && !z->input_ended)
			return 0;
		if (z->have == z->at) {
			z->ended = true;
			return 0;
		}
		if (z->in[z->at] != 0x1f)
			return err_set(e, EBADMSG, "gzip: data follows the end");
		inflateReset(&z->gz);
	}
	z->inside = true;
	if (z->have == z->at)
		return z->input_ended ? err_set(e, EBADMSG, "gzip: ends early") : 0;
	z->gz.next_in = z->in + z->at;
	z->gz.avail_in = z->have - z->at;
	z->gz.next_out = p;
	z->gz.avail_out = n;
	rc = inflate(&z->gz, Z_NO_FLUSH);
	z->at = z->have - z->gz.avail_in;
	if (rc == Z_STREAM_END)
		z->inside = false;
	else if (rc == Z_MEM_ERROR)
		abort();
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(e, EBADMSG, "gzip: %s", z->gz.msg ? z->gz.msg : "damaged");
	return n - z->gz.avail_out;
}

static ssize_t step_zstd(struct inflate *z, void *p, size_t n, struct err *e)
{
	ZSTD_outBuffer out = { p, n, 0 };
	ZSTD_inBuffer in = { z->in, z->have, z->at };
	size_t rc;

	if (z->have == z->at && z->input_ended) {
		if (z->inside || z->total_in == 0)
			return err_set(e, EBADMSG, "zstd: ends early");
		z->ended = true;
		return 0;
	}
	if (z->have == z->at && !z->inside)
		return 0;
	rc = ZSTD_decompressStream(z->zstd, &out, &in);
	if (ZSTD_isError(rc))
		return err_set(e, EBADMSG, "zstd: %s", ZSTD_getErrorName(rc));
	z->at = in.pos;
	z->inside = rc != 0;
	return out.pos;
}

static int check_limits(struct inflate *z, struct err *e)
{
	if (z->total_out > z->limits.max_out)
		return err_set(e, EFBIG, "decompressed size is over the limit of %lld bytes", (long long)z->limits.max_out);
	if (z->kind != INFLATE_NONE && z->total_out > z->limits.ratio_after &&
	    z->total_out / z->limits.max_ratio > z->total_in)
		return err_set(e, EFBIG, "decompresses to more than %lld times its size", (long long)z->limits.max_ratio);
	return 0;
}

static ssize_t steps(struct inflate *z, void *p, size_t n, struct err *e)
{
	if (!z->opened && begin(z, e))
		return -1;
	while (!z->ended) {
		ssize_t got;

		if (z->at == z->have && z->kind != INFLATE_NONE && fill(z, e))
			return -1;
		got = z->kind == INFLATE_NONE ? step_none(z, p, n, e) :
		      z->kind == INFLATE_GZIP ? step_gzip(z, p, n, e) : step_zstd(z, p, n, e);
		if (got < 0)
			return -1;
		z->total_out += got;
		if (check_limits(z, e))
			return -1;
		if (got > 0)
			return got;
	}
	return 0;
}

ssize_t inflate_read(struct inflate *z, void *p, size_t n, struct err *e)
{
	ssize_t got;

	if (z->failed.code)
		return err_set(e, z->failed.code, "%s", z->failed.msg);
	got = steps(z, p, n, &z->failed);
	return got < 0 ? err_set(e, z->failed.code, "%s", z->failed.msg) : got;
}

static ssize_t read_source(void *ctx, void *p, size_t n, struct err *e)
{
	return inflate_read(ctx, p, n, e);
}

struct source source_of_inflate(struct inflate *z)
{
	return (struct source){ read_source, z };
}
