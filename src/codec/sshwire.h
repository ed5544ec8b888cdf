/* The data types of the SSH protocol (RFC 4251 section 5): big-endian lengths before strings. As with der.h an
 * error is sticky. Slices borrow from the input. Nothing blocks. */
#ifndef CODEC_SSHWIRE_H
#define CODEC_SSHWIRE_H

#include "base/buf.h"

struct sshwire {
	struct str rest;
	bool       bad;
};

struct sshwire sshwire_of(struct str bytes);
bool sshwire_u8(struct sshwire *w, uint8_t *v);
bool sshwire_u32(struct sshwire *w, uint32_t *v);
bool sshwire_str(struct sshwire *w, struct str *s);
bool sshwire_mpint(struct sshwire *w, struct str *big);          /* >= 0, without leading zeros */
bool sshwire_done(const struct sshwire *w);

void sshwire_put_str(struct buf *b, struct str s);
void sshwire_put_mpint(struct buf *b, struct str big);

#endif
