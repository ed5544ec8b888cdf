#include "codec/sshwire.h"

struct sshwire sshwire_of(struct str bytes)
{
	return (struct sshwire){ .rest = bytes };
}

static bool take(struct sshwire *w, size_t n, struct str *out)
{
	if (w->bad || w->rest.n < n) {
		w->bad = true;
		return false;
	}
	*out = str_head(w->rest, n);
	w->rest = str_drop(w->rest, n);
	return true;
}

bool sshwire_u8(struct sshwire *w, uint8_t *v)
{
	struct str s;

	if (!take(w, 1, &s))
		return false;
	*v = (uint8_t)s.p[0];
	return true;
}

bool sshwire_u32(struct sshwire *w, uint32_t *v)
{
	struct str s;

	if (!take(w, 4, &s))
		return false;
	*v = (uint32_t)(uint8_t)s.p[0] << 24 | (uint32_t)(uint8_t)s.p[1] << 16 | (uint32_t)(uint8_t)s.p[2] << 8 | (uint8_t)s.p[3];
	return true;
}

bool sshwire_str(struct sshwire *w, struct str *s)
{
	uint32_t n;

	return sshwire_u32(w, &n) && take(w, n, s);
}

bool sshwire_mpint(struct sshwire *w, struct str *big)
{
	struct str s;

	if (!sshwire_str(w, &s))
		return false;
	if (s.n > 0 && ((uint8_t)s.p[0] & 0x80 || (s.p[0] == 0 && (s.n == 1 || !((uint8_t)s.p[1] & 0x80))))) {
		w->bad = true;
		return false;
	}
	*big = s.n > 0 && s.p[0] == 0 ? str_drop(s, 1) : s;
	return true;
}

bool sshwire_done(const struct sshwire *w)
{
	return !w->bad && w->rest.n == 0;
}

void sshwire_put_str(struct buf *b, struct str s)
{
	buf_be32(b, (uint32_t)s.n);
	buf_str(b, s);
}

void sshwire_put_mpint(struct buf *b, struct str big)
{
	while (big.n > 0 && big.p[0] == 0)
		big = str_drop(big, 1);
	bool pad = big.n > 0 && (uint8_t)big.p[0] & 0x80;

	buf_be32(b, (uint32_t)(big.n + pad));
	if (pad)
		buf_char(b, 0);
	buf_str(b, big);
}
