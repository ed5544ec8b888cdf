/* From certificate to account; see clientcert.h. */
#include "codec/clientcert.h"

#include "codec/base64.h"

#include <errno.h>

static struct str md5_text(struct arena *a, struct str raw)
{
	char *out = arena_alloc(a, 3 * raw.n + 1);

	for (size_t i = 0; i < raw.n; i++)
		snprintf(out + 3 * i, 4, "%02x:", (unsigned char)raw.p[i]);
	return str_make(out, 3 * raw.n - 1);
}

/* "MD5:" and base64, which the npm client writes without its padding. */
static bool issuer_md5(struct arena *a, struct str cn, struct str *md5)
{
	struct str raw, text = str_drop(cn, 4);

	if (!str_starts(cn, STR("MD5:")))
		return false;
	if (text.n == 22)
		text = arena_printf(a, "%.*s==", STR_ARG(text));
	if (!base64_decode(a, text, &raw) || raw.n != 16)
		return false;
	*md5 = md5_text(a, raw);
	return true;
}

int clientcert_read(struct arena *a, struct str der, int64_t now, struct clientcert *out, struct err *e)
{
	struct x509 *c = &out->cert;

	*out = (struct clientcert){ 0 };
	if (x509_parse(a, der, c, e))
		return -1;
	out->login = c->subject_cn;
	out->by_key = !str_eq(c->issuer, c->subject);
	if (out->login.n == 0)
		return err_set(e, EINVAL, "client certificate names no account (common name)");
	if (c->ca && out->by_key)
		return err_set(e, EINVAL, "client certificate is an authority's");
	if (out->by_key && (c->version != 3 || (c->eku & (EKU_CLIENT | EKU_DOCKER)) != (EKU_CLIENT | EKU_DOCKER)))
		return err_set(e, EINVAL, "client certificate is not for Docker clients");
	if (!out->by_key && c->has_eku && !(c->eku & EKU_CLIENT))
		return err_set(e, EINVAL, "client certificate is not for clients");
	if (out->by_key && !issuer_md5(a, c->issuer_cn, &out->md5))
		return err_set(e, EINVAL, "client certificate was not issued by an account key");
	if (!out->by_key)
		out->md5 = pubkey_md5(a, &c->key);
	if (now > c->not_after)
		return err_set(e, EKEYEXPIRED, "client certificate expired");
	if (now < c->not_before)
		return err_set(e, EKEYEXPIRED, "client certificate is not valid yet");
	return 0;
}

int clientcert_verify(const struct clientcert *c, const struct pubkey *account_key, struct err *e)
{
	if (!c->by_key && !pubkey_eq(&c->cert.key, account_key))
		return err_set(e, EKEYREJECTED, "client certificate is for another key");
	if (!x509_signed_by(&c->cert, account_key))
		return err_set(e, EKEYREJECTED, "client certificate is not signed by the account's key");
	return 0;
}

int clientcert_account(struct arena *a, struct str der, int64_t now, clientcert_find *find, void *ctx,
		       struct clientcert *out, struct err *e)
{
	struct pubkey key;
	struct str line;

	if (clientcert_read(a, der, now, out, e))
		return -1;
	line = find(ctx, a, out->login, out->md5);
	if (line.n == 0)
		return err_set(e, EKEYREJECTED, "client certificate belongs to no key of an account");
	if (pubkey_parse_line(a, line, &key, NULL, e))
		return err_wrap(e, "account key");
	return clientcert_verify(out, &key, e);
}
