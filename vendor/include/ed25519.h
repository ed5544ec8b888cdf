/* The parts of OpenBSD's signify that we link: Ed25519 and the key derivation of OpenSSH's private key
 * files. Nothing here blocks; only crypto_sign_ed25519_keypair reads randomness (through arc4random_buf,
 * which vendor/random.c gives it). */
#ifndef VENDOR_ED25519_H
#define VENDOR_ED25519_H

#include <stddef.h>
#include <stdint.h>

#define ED25519_PUBLIC 32
#define ED25519_SECRET 64                             /* seed, then public key: what OpenSSH stores */
#define ED25519_SIGNATURE 64

/* `sm` gets the 64 byte signature followed by the message: it needs `n` + 64 bytes. Returns 0. */
int crypto_sign_ed25519(unsigned char *sm, unsigned long long *sm_n, const unsigned char *m,
	unsigned long long n, const unsigned char *secret);

/* Verifies signature + message in `sm`; `m` is scratch and result and needs `n` bytes. Returns 0 when genuine. */
int crypto_sign_ed25519_open(unsigned char *m, unsigned long long *m_n, const unsigned char *sm,
	unsigned long long n, const unsigned char *public_key);

int crypto_sign_ed25519_keypair(unsigned char *public_key, unsigned char *secret);

/* Slow on purpose (about 8 ms a round). Returns 0, or -1 when a length is out of range. */
int bcrypt_pbkdf(const char *pass, size_t pass_n, const uint8_t *salt, size_t salt_n, uint8_t *key,
	size_t key_n, unsigned int rounds);

#endif
