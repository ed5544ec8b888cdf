/* OpenSSH's own private key format: the file PROTOCOL.key in OpenSSH's sources. */
#include "codec/privkey_parts.h"

#include "codec/sshwire.h"

#include <ed25519.h>
#include <errno.h>

#define ROUNDS_MAX 2048                               /* bcrypt: about 8 ms each; ssh-keygen's default is 16 or 24 */

static const struct str magic = STR("openssh-key-v1\0");

struct envelope {
	struct str   cipher, kdf, kdf_options, pub, data, tag;
	struct crypt crypt;
};

static int read_envelope(struct str bytes, struct envelope *v, struct err *e)
{
	struct sshwire w = sshwire_of(str_drop(bytes, magic.n));
	uint32_t keys = 0;

	if (!str_starts(bytes, magic))
		return err_set(e, EINVAL, "the private key is not well-formed");
	sshwire_str(&w, &v->cipher);
	sshwire_str(&w, &v->kdf);
	sshwire_str(&w, &v->kdf_options);
	sshwire_u32(&w, &keys);
	sshwire_str(&w, &v->pub);
	sshwire_str(&w, &v->data);
	if (w.bad || keys != 1)
		return err_set(e, EINVAL, "the private key is not well-formed");
	if (!crypt_by_name(v->cipher, &v->crypt))
		return err_set(e, EINVAL, "the key's cipher %.*s is not supported; convert it (ssh-keygen -p -Z aes256-ctr) or use ssh-agent",
			       STR_ARG(str_head(v->cipher, 40)));
	v->tag = w.rest;
	if (v->tag.n != (v->crypt.cipher == CRYPT_AES_GCM ? 16 : 0))
		return err_set(e, EINVAL, "the private key is not well-formed");
	return 0;
}

/* In place. */
static int decrypt(struct envelope *v, struct str pass, struct err *e)
{
	struct sshwire w = sshwire_of(v->kdf_options);
	struct str salt = STR_NONE;
	uint32_t rounds = 0;
	uint8_t key[32 + 16];
	size_t iv_n = crypt_iv_bytes(v->crypt);
	bool ok;

	if (v->crypt.cipher == CRYPT_NONE)
		return 0;
	sshwire_str(&w, &salt);
	sshwire_u32(&w, &rounds);
	if (!str_is(v->kdf, "bcrypt") || !sshwire_done(&w) || rounds < 1 || rounds > ROUNDS_MAX || salt.n == 0 || salt.n > 64)
		return err_set(e, EINVAL, "the key's encryption parameters are not supported");
	if (!pass.p)
		return err_set(e, ENOKEY, "the private key is encrypted");
	ok = bcrypt_pbkdf(pass.p, pass.n, (const uint8_t *)salt.p, salt.n, key, v->crypt.key_n + iv_n, rounds) == 0 &&
	     crypt_decrypt(v->crypt, key, key + v->crypt.key_n, v->tag, (void *)v->data.p, v->data.n);
	secret_wipe(key, sizeof(key));
	return ok ? 0 : err_set(e, EKEYREJECTED, "wrong passphrase");
}

static int parse_key(struct arena *a, struct sshwire *w, struct privkey *out, struct err *e)
{
	struct str type = STR_NONE, name = STR_NONE, q = STR_NONE, x = STR_NONE;
	struct rsa_parts r = { 0 };

	sshwire_str(w, &type);
	if (str_is(type, "ssh-rsa")) {
		sshwire_mpint(w, &r.n);
		sshwire_mpint(w, &r.e);
		sshwire_mpint(w, &r.d);
		sshwire_mpint(w, &r.iq);
		sshwire_mpint(w, &r.p);
		sshwire_mpint(w, &r.q);
		return w->bad ? 0 : privkey_set_rsa(a, &r, out, e);
	}
	if (str_is(type, "ssh-ed25519")) {
		sshwire_str(w, &q);
		sshwire_str(w, &x);
		return w->bad ? 0 : privkey_set_ed25519(a, str_head(x, x.n == ED25519_SECRET ? 32 : 0), out, e);
	}
	if (!str_starts(type, STR("ecdsa-sha2-nistp")))
		return err_set(e, EINVAL, "keys of type %.*s are not supported", STR_ARG(str_head(type, 60)));
	sshwire_str(w, &name);
	sshwire_str(w, &q);
	sshwire_mpint(w, &x);
	return w->bad ? 0
	       : privkey_set_ec(a, str_is(name, "nistp256") ? CURVE_P256 : str_is(name, "nistp384") ? CURVE_P384 : CURVE_P521, x, out, e);
}

/* The comment, then 1 2 3 ... up to the cipher's block. */
static bool tail_fits(struct sshwire *w)
{
	struct str comment;

	if (!sshwire_str(w, &comment) || w->rest.n > 255)
		return false;
	for (size_t i = 0; i < w->rest.n; i++)
		if ((uint8_t)w->rest.p[i] != i + 1)
			return false;
	return true;
}

int privkey_parse_openssh(struct arena *a, struct str bytes, struct str pass, struct privkey *out, struct err *e)
{
	struct envelope v = { 0 };
	struct sshwire w;
	struct pubkey pub;
	uint32_t check1 = 0, check2 = 1;

	if (read_envelope(bytes, &v, e) || decrypt(&v, pass, e))
		return -1;
	w = sshwire_of(v.data);
	sshwire_u32(&w, &check1);
	sshwire_u32(&w, &check2);
	if (w.bad || check1 != check2)
		return v.crypt.cipher == CRYPT_NONE ? err_set(e, EINVAL, "the private key is damaged")
						    : err_set(e, EKEYREJECTED, "wrong passphrase");
	if (parse_key(a, &w, out, e))
		return -1;
	if (!tail_fits(&w) || pubkey_parse_blob(a, v.pub, &pub, NULL) || !pubkey_eq(&pub, &out->pub))
		return err_set(e, EINVAL, "the private key is damaged");
	return 0;
}
