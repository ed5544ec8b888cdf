#include "codec/inflate.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE    65536
#define WINDOW_LOG 27                                 /* what `zstd --long` makes; larger ones are refused */
#define XZ_MEMORY  (128 << 20)                        /* `xz -9` needs 65 MiB */
#define MAGIC_MAX  10                                 /* bytes that tell the kinds apart */

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
	lzma_stream       xz;
	bz_stream         bz;
	int               streams;                    /* of bzip2, that ended */
	unsigned char     in[IN_SIZE];
};

struct inflate *inflate_new(enum inflate_kind kind, struct source from, const struct inflate_limits *limits)
{
	struct inflate *z = calloc(1, sizeof *z);

	if (!z)
		abort();
	z->kind = kind;
	z->xz = (lzma_stream)LZMA_STREAM_INIT;
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
	lzma_end(&z->xz);
	if (z->kind == INFLATE_BZIP2 && z->inside)
		BZ2_bzDecompressEnd(&z->bz);
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

static bool begins(const struct inflate *z, const char *magic, size_t n)
{
	return z->have >= n && memcmp(z->in, magic, n) == 0;
}

/* "BZh", a digit, then a block's beginning or the end's: a tar whose first name begins with BZh is none. */
static bool begins_bzip2(const struct inflate *z)
{
	return begins(z, "BZh", 3) && z->have >= 10 && z->in[3] >= '1' && z->in[3] <= '9' &&
	       (!memcmp(z->in + 4, "1AY&SY", 6) || !memcmp(z->in + 4, "\x17\x72\x45\x38\x50\x90", 6));
}

static enum inflate_kind kind_of(const struct inflate *z)
{
	if (z->kind != INFLATE_RARE && begins(z, "\x1f\x8b\x08", 3))
		return INFLATE_GZIP;
	if (z->kind != INFLATE_RARE && begins(z, "\x28\xb5\x2f\xfd", 4))
		return INFLATE_ZSTD;
	if (z->kind != INFLATE_AUTO && begins(z, "\xfd" "7zXZ\0", 6))
		return INFLATE_XZ;
	if (z->kind != INFLATE_AUTO && begins_bzip2(z))
		return INFLATE_BZIP2;
	return INFLATE_NONE;
}

/* Look at the first bytes, and set up. */
static int begin(struct inflate *z, struct err *e)
{
	while (z->have < MAGIC_MAX && !z->input_ended)
		if (fill(z, e))
			return -1;
	if (z->kind < INFLATE_NONE)
		z->kind = kind_of(z);
	if (z->kind == INFLATE_GZIP && inflateInit2(&z->gz, 15 + 16) != Z_OK)
		abort();
	if (z->kind == INFLATE_ZSTD) {
		z->zstd = ZSTD_createDStream();
		if (!z->zstd)
			abort();
		ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, WINDOW_LOG);
	}
	if (z->kind == INFLATE_XZ && lzma_stream_decoder(&z->xz, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		abort();
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

static ssize_t step_xz(struct inflate *z, void *p, size_t n, struct err *e)
{
	lzma_ret rc;

	z->xz.next_in = z->in + z->at;
	z->xz.avail_in = z->have - z->at;
	z->xz.next_out = p;
	z->xz.avail_out = n;
	rc = lzma_code(&z->xz, z->input_ended ? LZMA_FINISH : LZMA_RUN);
	z->at = z->have - z->xz.avail_in;
	switch (rc) {
	case LZMA_OK: break;
	case LZMA_STREAM_END: z->ended = true; break;
	case LZMA_MEM_ERROR: abort();
	case LZMA_MEMLIMIT_ERROR: return err_set(e, EFBIG, "xz: needs more than %d MiB of memory", XZ_MEMORY >> 20);
	case LZMA_BUF_ERROR: return err_set(e, EBADMSG, "xz: ends early");
	case LZMA_OPTIONS_ERROR: return err_set(e, EBADMSG, "xz: made with options that are not known");
	case LZMA_FORMAT_ERROR: return err_set(e, EBADMSG, "xz: data follows the end");
	default: return err_set(e, EBADMSG, "xz: damaged");
	}
	return (ssize_t)(n - z->xz.avail_out);
}

static ssize_t step_bzip2(struct inflate *z, void *p, size_t n, struct err *e)
{
	int rc;

	if (z->have == z->at) {                       /* then the input has ended */
		if (z->inside || z->streams == 0)
			return err_set(e, EBADMSG, "bzip2: ends early");
		z->ended = true;
		return 0;
	}
	if (!z->inside) {
		if (z->streams && z->in[z->at] != 'B')
			return err_set(e, EBADMSG, "bzip2: data follows the end");
		if (BZ2_bzDecompressInit(&z->bz, 0, 0) != BZ_OK)
			abort();
		z->inside = true;
	}
	z->bz.next_in = (char *)z->in + z->at;
	z->bz.avail_in = (unsigned)(z->have - z->at);
	z->bz.next_out = p;
	z->bz.avail_out = n > 1 << 30 ? 1 << 30 : (unsigned)n;
	n = z->bz.avail_out;
	rc = BZ2_bzDecompress(&z->bz);
	z->at = z->have - z->bz.avail_in;
	if (rc == BZ_STREAM_END) {
		BZ2_bzDecompressEnd(&z->bz);
		z->inside = false;
		z->streams++;
	} else if (rc == BZ_MEM_ERROR) {
		abort();
	} else if (rc != BZ_OK) {
		return err_set(e, EBADMSG, "bzip2: damaged");
	}
	return (ssize_t)(n - z->bz.avail_out);
}

/* What libbz2 calls when it finds itself in a state that cannot be. */
void bz_internal_error(int code);
void bz_internal_error(int code)
{
	(void)code;
	abort();
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

static ssize_t (*const steps_of[])(struct inflate *z, void *p, size_t n, struct err *e) = {
	[INFLATE_NONE] = step_none, [INFLATE_GZIP] = step_gzip, [INFLATE_ZSTD] = step_zstd, [INFLATE_XZ] = step_xz, [INFLATE_BZIP2] = step_bzip2,
};

static ssize_t steps(struct inflate *z, void *p, size_t n, struct err *e)
{
	if (!z->opened && begin(z, e))
		return -1;
	while (!z->ended) {
		ssize_t got;

		if (z->at == z->have && z->kind != INFLATE_NONE && fill(z, e))
			return -1;
		got = steps_of[z->kind](z, p, n, e);
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
