/* SHA-256; see sha256.h. The accelerated rounds follow Intel's description of the SHA extensions (2013): two rounds an
 * instruction, the state kept as ABEF and CDGH. */
#include "codec/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t K[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#if defined(__x86_64__)
static bool have_sha(void)
{
	static int known;                             /* 0 not asked yet, 1 no, 2 yes; racing writers write the same */
	unsigned a, b, c, d;

	if (!known) {
		bool sse = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1);
		bool sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);

		known = sse && sha ? 2 : 1;
	}
	return known == 2;
}

__attribute__((target("sha,sse4.1,ssse3")))
static void blocks_sha(uint32_t h[8], const unsigned char *p, size_t count)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i abef, cdgh, t;

	t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&h[0]), 0xb1);         /* CDAB */
	cdgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&h[4]), 0x1b);      /* EFGH */
	abef = _mm_alignr_epi8(t, cdgh, 8);
	cdgh = _mm_blend_epi16(cdgh, t, 0xf0);
	for (; count; count--, p += 64) {
		__m128i old_abef = abef, old_cdgh = cdgh, w[4];
		int i;

		for (i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
#pragma GCC unroll 16
		for (i = 0; i < 16; i++) {
			__m128i k = _mm_add_epi32(w[i & 3], _mm_load_si128((const __m128i *)&K[4 * i]));

			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
			if (i < 12) {                 /* the words that are needed four steps on */
				t = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
				t = _mm_add_epi32(t, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
				w[i & 3] = _mm_sha256msg2_epu32(t, w[(i + 3) & 3]);
			}
		}
		abef = _mm_add_epi32(abef, old_abef);
		cdgh = _mm_add_epi32(cdgh, old_cdgh);
	}
	t = _mm_shuffle_epi32(abef, 0x1b);                                            /* FEBA */
	cdgh = _mm_shuffle_epi32(cdgh, 0xb1);                                         /* DCHG */
	_mm_storeu_si128((__m128i *)&h[0], _mm_blend_epi16(t, cdgh, 0xf0));           /* DCBA */
	_mm_storeu_si128((__m128i *)&h[4], _mm_alignr_epi8(cdgh, t, 8));              /* HGFE */
}
#else
static bool have_sha(void) { return false; }
static void blocks_sha(uint32_t h[8], const unsigned char *p, size_t n) { (void)h, (void)p, (void)n, (void)K; }
#endif

void sha256_init(struct sha256 *s)
{
	br_sha256_init(&s->soft);
}

void sha256_add(struct sha256 *s, const void *p, size_t n)
{
	size_t used = s->soft.count & 63, whole;

	if (!have_sha()) {
		br_sha256_update(&s->soft, p, n);
		return;
	}
	if (used) {                                   /* fill the block that was begun; BearSSL does it when that ends it */
		size_t k = 64 - used < n ? 64 - used : n;

		br_sha256_update(&s->soft, p, k);
		p = (const char *)p + k;
		n -= k;
	}
	whole = n / 64;
	blocks_sha(s->soft.val, p, whole);
	s->soft.count += whole * 64;
	br_sha256_update(&s->soft, (const char *)p + whole * 64, n - whole * 64);
}

void sha256_end(const struct sha256 *s, unsigned char out[32])
{
	br_sha256_out(&s->soft, out);
}

void sha256_digest(const struct sha256 *s, char out[DIGEST_TEXT + 1])
{
	unsigned char h[32];
	int i;

	sha256_end(s, h);
	memcpy(out, "sha256:", 7);
	for (i = 0; i < 32; i++) {
		out[7 + 2 * i] = "0123456789abcdef"[h[i] >> 4];
		out[8 + 2 * i] = "0123456789abcdef"[h[i] & 15];
	}
	out[DIGEST_TEXT] = 0;
}

void sha256_digest_of(struct str bytes, char out[DIGEST_TEXT + 1])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, bytes.p, bytes.n);
	sha256_digest(&s, out);
}

bool digest_is(struct str s)
{
	size_t i;

	if (s.n != DIGEST_TEXT || memcmp(s.p, "sha256:", 7))
		return false;
	for (i = 7; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

struct str digest_hex(struct str digest)
{
	return str_drop(digest, 7);
}

void hashing_init(struct hashing *h, struct source from)
{
	h->from = from;
	h->n = 0;
	sha256_init(&h->sum);
}

static ssize_t hashing_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct hashing *h = ctx;
	ssize_t got = source_read(h->from, p, n, e);

	if (got > 0) {
		sha256_add(&h->sum, p, got);
		h->n += got;
	}
	return got;
}

struct source source_of_hashing(struct hashing *h)
{
	return (struct source){ hashing_read, h };
}
