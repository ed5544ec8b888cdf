/* HTTP signatures; see httpsig.h. */
#include "codec/httpsig.h"

#include "base/buf.h"
#include "base/clock.h"
#include "codec/base64.h"

#include <errno.h>

#define HEADERS_MAX 16
#define STRING_MAX  (32 * 1024)

static const struct { const char *name; enum pubkey_kind kind; enum hash_alg hash; } algorithms[] = {
	{ "rsa-sha256",     PUBKEY_RSA,     HASH_SHA256 },
	{ "rsa-sha384",     PUBKEY_RSA,     HASH_SHA384 },
	{ "rsa-sha512",     PUBKEY_RSA,     HASH_SHA512 },
	{ "ecdsa-sha256",   PUBKEY_ECDSA,   HASH_SHA256 },
	{ "ecdsa-sha384",   PUBKEY_ECDSA,   HASH_SHA384 },
	{ "ecdsa-sha512",   PUBKEY_ECDSA,   HASH_SHA512 },
	{ "ed25519-sha512", PUBKEY_ED25519, HASH_SHA512 },
	{ "ed25519",        PUBKEY_ED25519, HASH_SHA512 },
	{ "hs2019",         PUBKEY_NONE,    HASH_NONE },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static struct str lower(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] += 32;
	return str_make(p, s.n);
}

/* --- reading ---------------------------------------------------------------------------------------- */

static int bad_header(struct err *e)
{
	return err_set(e, EINVAL, "Invalid Authorization header: wanted Signature keyId=\"...\",algorithm=\"...\",...");
}

/* name="value" from the front of `*rest`, with the comma or blank behind it. False: no parameter stands there. */
static bool parameter(struct str *rest, struct str *name, struct str *value)
{
	struct str s = *rest;
	ptrdiff_t eq, quote;

	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == ','))
		s = str_drop(s, 1);
	eq = str_find(s, '=');
	if (eq <= 0 || (size_t)eq + 1 >= s.n || s.p[eq + 1] != '"')
		return false;
	for (ptrdiff_t i = 0; i < eq; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z')))
			return false;
	*name = str_head(s, (size_t)eq);
	s = str_drop(s, (size_t)eq + 2);
	quote = str_find(s, '"');
	if (quote < 0)
		return false;
	*value = str_head(s, (size_t)quote);
	*rest = str_drop(s, (size_t)quote + 1);
	return true;
}

/* "/<login>/keys/<key>", "/<login>/users/<user>/keys/<key>", or a fingerprint alone. */
static int read_key_id(struct httpsig *out, struct err *e)
{
	struct str part[6], rest = str_drop(out->key_id, 1);
	size_t n = 0;

	if (str_starts(out->key_id, STR("/"))) {
		while (n < 6 && str_next(&rest, '/', &part[n]))
			n++;
		/* A SHA256 fingerprint holds '/' of its own, so the key is all of the rest. */
		if (n >= 3 && str_is(part[1], "keys"))
			n = 3;
		else if (n >= 5 && str_is(part[1], "users") && str_is(part[3], "keys"))
			n = 5;
		else
			n = 0;
		for (size_t i = 0; i < n; i++)
			if (part[i].n == 0)
				return err_set(e, EINVAL, "Invalid KeyId in authorization header");
		if (n) {
			out->login = part[0];
			out->user = n == 5 ? part[2] : STR("");
			out->key = str_make(part[n - 1].p, (size_t)(out->key_id.p + out->key_id.n - part[n - 1].p));
			return 0;
		}
	} else if (str_starts(out->key_id, STR("SHA256:")) || (out->key_id.n == 47 && str_find(out->key_id, ':') == 2)) {
		out->key = out->key_id;
		return 0;
	}
	return err_set(e, EINVAL, "Invalid KeyId %.*s in authorization header", STR_ARG(str_head(out->key_id, 100)));
}

static int read_algorithm(struct arena *a, struct str name, struct httpsig *out, struct err *e)
{
	name = lower(a, name);
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (str_is(name, algorithms[i].name)) {
			out->kind = algorithms[i].kind;
			out->hash = algorithms[i].hash;
			return 0;
		}
	return err_set(e, EINVAL, "%.*s is not a supported signing algorithm", STR_ARG(str_head(name, 40)));
}

int httpsig_parse(struct arena *a, struct str authorization, struct httpsig *out, struct err *e)
{
	struct str scheme, rest, name, value, algorithm = STR_NONE, headers = STR_NONE, sig = STR_NONE, word;

	*out = (struct httpsig){ 0 };
	if (!str_is_utf8(authorization) || !str_cut(authorization, ' ', &scheme, &rest) || !str_eq_nocase(scheme, STR("Signature")))
		return bad_header(e);
	while (parameter(&rest, &name, &value)) {
		struct str *to = str_is(name, "keyId") ? &out->key_id : str_is(name, "algorithm") ? &algorithm
				 : str_is(name, "headers") ? &headers : str_is(name, "signature") ? &sig : NULL;

		if (to && to->p)
			return bad_header(e);         /* twice: which one counts? */
		if (to)
			*to = value;
	}
	rest = str_trim(rest);
	out->bare = !sig.p && rest.n > 0;
	if (out->bare)
		sig = rest;
	else if (rest.n > 0)
		return bad_header(e);
	if (!out->key_id.n || !algorithm.n || !sig.n || (out->bare && headers.p))
		return bad_header(e);
	if (read_key_id(out, e) || read_algorithm(a, algorithm, out, e))
		return -1;
	if (!base64_decode(a, sig, &out->sig) || out->sig.n == 0)
		return err_set(e, EINVAL, "Invalid Authorization header: the signature is not base64");
	headers = lower(a, headers.p ? headers : STR("date"));
	while (str_next(&headers, ' ', &word))
		if (word.n)
			strs_add(a, &out->headers, word);
	if (out->headers.n == 0 || out->headers.n > HEADERS_MAX)
		return bad_header(e);
	return 0;
}

/* --- the signed bytes ------------------------------------------------------------------------------- */

/* All values of one header, joined as RFC 9110 section 5.3 says. False when there is none. */
static bool put_header(struct buf *b, const struct httpsig_request *r, struct str name)
{
	bool found = false;

	for (size_t i = 0; i < r->headers.n; i++) {
		if (!str_eq_nocase(r->headers.v[i].key, name))
			continue;
		if (found)
			buf_puts(b, ", ");
		buf_str(b, str_trim(r->headers.v[i].val));
		found = true;
	}
	return found;
}

int httpsig_string(struct arena *a, const struct httpsig *s, const struct httpsig_request *r, struct str *out, struct err *e)
{
	auto_buf b = BUF_INIT(STRING_MAX);

	for (size_t i = 0; i < s->headers.n; i++) {
		struct str name = s->headers.v[i];

		if (i > 0)
			buf_char(&b, '\n');
		if (!s->bare) {
			buf_str(&b, name);
			buf_puts(&b, ": ");
		}
		if (str_is(name, "(request-target)")) {
			buf_str(&b, lower(a, r->method));
			buf_char(&b, ' ');
			buf_str(&b, r->target);
		} else if (!put_header(&b, r, name)) {
			return err_set(e, EINVAL, "header %.*s was signed but not sent", STR_ARG(str_head(name, 60)));
		}
	}
	if (!buf_ok(&b))
		return err_set(e, EINVAL, "the signed headers are too long");
	*out = arena_str(a, buf_as_str(&b));
	return 0;
}

static int check_date(const struct httpsig *s, const struct httpsig_request *r, int64_t now, struct err *e)
{
	struct str name = strs_has(&s->headers, STR("date")) ? STR("date") : STR("x-date");
	auto_buf b = BUF_INIT(STRING_MAX);
	int64_t ns, skew;

	if (!strs_has(&s->headers, name))
		return err_set(e, EKEYREJECTED, "the Date header is not signed");
	if (!put_header(&b, r, name) || !clock_parse_http_date(buf_as_str(&b), &ns))
		return err_set(e, EKEYREJECTED, "the Date header is not a date");
	skew = ns / 1000000000 - now;
	if (skew > HTTPSIG_SKEW_S || skew < -HTTPSIG_SKEW_S)
		return err_set(e, EKEYREJECTED, "the Date header is more than %d seconds off", HTTPSIG_SKEW_S);
	return 0;
}

int httpsig_verify(struct arena *a, const struct httpsig *s, const struct httpsig_request *r, const struct pubkey *key,
		   int64_t now, struct err *e)
{
	enum hash_alg hash = s->hash == HASH_NONE ? pubkey_hash(key) : s->hash;
	struct str signed_bytes;

	if (check_date(s, r, now, e) || httpsig_string(a, s, r, &signed_bytes, e))
		return -1;
	if (s->kind != PUBKEY_NONE && s->kind != key->kind)
		return err_set(e, EKEYREJECTED, "the signature's algorithm is not the key's");
	if (!pubkey_verify(key, hash, signed_bytes, s->sig))
		return err_set(e, EKEYREJECTED, "the signature is wrong");
	return 0;
}

/* --- making ----------------------------------------------------------------------------------------- */

int httpsig_make(struct arena *a, struct str key_id, struct str method, struct str target, struct str date,
		 const struct signer *by, struct str *authorization, struct err *e)
{
	enum hash_alg hash = pubkey_hash(by->pub);
	const char *name = "";
	struct str text = arena_printf(a, "(request-target): %.*s %.*s\ndate: %.*s", STR_ARG(lower(a, method)), STR_ARG(target),
				       STR_ARG(date));
	struct str sig;

	for (size_t i = ALGORITHMS; i-- > 0;)
		if (algorithms[i].kind == by->pub->kind && algorithms[i].hash == hash)
			name = algorithms[i].name;
	if (by->sign(by->ctx, a, hash, text, &sig, e))
		return -1;
	*authorization = arena_printf(a, "Signature keyId=\"%.*s\",algorithm=\"%s\",headers=\"(request-target) date\",signature=\"%.*s\"",
				      STR_ARG(key_id), name, STR_ARG(base64_encode(a, sig)));
	return 0;
}
