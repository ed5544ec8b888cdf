/* Who signed this request? Every refusal looks the same from outside and takes about the same time, so that nobody learns which
 * accounts and keys exist; the reason goes to the log. */
#include "cloud/cloud.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/httpsig.h"
#include "model/keys.h"

#include <errno.h>

#define VERSION_LEAST 7
#define VERSION_MOST  9

static int refused(struct err *e)
{
	return err_set(e, EACCES, "Invalid authorization credentials supplied");
}

/* --- keys --------------------------------------------------------------------------------------------- */

int cloud_keys(struct req *r, struct view_txn *t, struct str login, struct account_keys *out, struct err *e)
{
	*out = (struct account_keys){ 0 };
	return view_list(t, &r->arena, key_prefix(&r->arena, "k", login, STR_NONE), account_key_fields, sizeof(*out->v), out, e);
}

const struct account_key *cloud_key_find(const struct account_keys *keys, struct str name)
{
	for (size_t i = 0; i < keys->n; i++) {
		const struct account_key *k = &keys->v[i];

		if (str_eq(name, k->fingerprint) || str_eq(name, k->sha256) || str_eq(name, k->name))
			return k;
	}
	return NULL;
}

/* Whose is this key? Clients that know only the key (triton setup) ask without a login. */
static int login_of_key(struct req *r, struct view_txn *t, struct str md5, struct str *login, struct err *e)
{
	struct view_scan s;
	struct str key, val;

	*login = STR_NONE;
	if (md5.n != 47)
		return 0;
	if (view_scan(t, &s, key_prefix(&r->arena, "K", md5, STR_NONE), e))
		return -1;
	if (view_next(&s, &key, &val))
		*login = arena_str(&r->arena, str_drop(key, (size_t)str_rfind(key, '/') + 1));
	view_scan_end(&s);
	return 0;
}

/* The key that the request names: 1 found, 0 not. */
static int find_key(struct req *r, const struct httpsig *sig, struct account *account, struct pubkey *key, struct err *e)
{
	auto_view t = { 0 };
	struct str login = sig->login;
	struct account_keys keys;
	const struct account_key *k;
	int found;

	if (view_begin(cloud_of(r)->view, &t, e))
		return -1;
	if (login.n == 0 && login_of_key(r, &t, sig->key, &login, e))
		return -1;
	if (sig->user.n || account_login_check(login, NULL))
		return 0;                             /* there are no sub-users */
	found = view_get(&t, &r->arena, key_make(&r->arena, "a", login, STR_NONE, STR_NONE), account_fields, account, e);
	if (found <= 0 || cloud_keys(r, &t, login, &keys, e))
		return found <= 0 ? found : -1;
	k = cloud_key_find(&keys, sig->key);
	return k && pubkey_parse_line(&r->arena, k->line, key, NULL, NULL) == 0;
}

/* A key that nobody has, to spend on an unknown one the time that a known one takes. */
static struct pubkey nobody(enum pubkey_kind kind)
{
	static const char e[] = "\x01\x00\x01", n[256] = { [0] = '\xc0', [100] = 7, [255] = 1 };
	/* The generators of P-256 and of Ed25519. */
	static const char p256[] =
		"\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
		"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
	static const char ed25519[] =
		"\x58\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66";

	if (kind == PUBKEY_RSA)
		return (struct pubkey){ .kind = kind, .n = str_make(n, 256), .e = str_make(e, 3) };
	if (kind == PUBKEY_ED25519)
		return (struct pubkey){ .kind = kind, .q = str_make(ed25519, 32) };
	return (struct pubkey){ .kind = PUBKEY_ECDSA, .curve = CURVE_P256, .q = str_make(p256, 65) };
}

/* --- the signature ------------------------------------------------------------------------------------ */

static int verify(struct req *r, struct str authorization, struct account *account, struct err *e)
{
	struct httpsig_request request = { r->head.method, r->head.target, r->head.headers };
	int64_t now = clock_wall_ns() / 1000000000;
	struct httpsig sig;
	struct pubkey key;
	struct err why = { 0 };
	int found;

	if (httpsig_parse(&r->arena, authorization, &sig, e)) {
		e->code = EACCES;
		return -1;
	}
	found = find_key(r, &sig, account, &key, e);
	if (found < 0)
		return -1;
	if (!found)
		key = nobody(sig.kind);
	if (httpsig_verify(&r->arena, &sig, &request, &key, now, &why) == 0 && found &&
	    !replay_first(cloud_of(r)->replay, sig.sig, request.method, request.target, now, now + 2 * HTTPSIG_SKEW_S))
		err_set(&why, EKEYREJECTED, "this request came before");
	if (why.code || !found) {
		log_debug("signature refused", L("req_id", (const char *)r->id), L("key_id", str_head(sig.key_id, 200)),
			  L("err", (const char *)(found ? why.msg : "there is no such key")));
		return refused(e);
	}
	if (account->disabled)
		return err_set(e, EPERM, "account %.*s is disabled; ask the operator of this data center", STR_ARG(account->login));
	return 0;
}

/* --- versions ----------------------------------------------------------------------------------------- */

/* Does one range ("~9", "^8.1", ">=7.2", "*", "9.0.0") admit a version that we speak? By major number. */
static bool range_fits(struct str range)
{
	bool least = str_starts(range, STR(">"));
	struct str number, rest;
	int64_t major;

	while (range.n && (strchr("~^=><vV ", range.p[0])))
		range = str_drop(range, 1);
	if (range.n == 0 || str_starts(range, STR("*")) || str_starts(range, STR("x")))
		return true;
	str_cut(range, '.', &number, &rest);
	str_cut(number, ' ', &number, &rest);
	return str_to_i64(number, &major) && major <= VERSION_MOST && (least || major >= VERSION_LEAST);
}

bool cloud_version_fits(struct str ranges)
{
	struct str range;

	if (str_trim(ranges).n == 0)
		return true;
	while (str_next(&ranges, '|', &range))        /* "a||b" has an empty field between */
		if (str_trim(range).n && range_fits(str_trim(range)))
			return true;
	return false;
}

int cloud_authorize(struct req *r, struct err *e)
{
	struct account *account = arena_new(&r->arena, struct account);
	struct str authorization = req_header(r, "Authorization"), version = req_header(r, "Accept-Version");

	if (!version.p)
		version = req_header(r, "Api-Version");
	if (!cloud_version_fits(version)) {
		err_set(e, EINVAL, "%.*s is not supported by this server: it speaks 7.0.0 to %s", STR_ARG(str_head(version, 60)), CLOUD_VERSION);
		reply_error(r, 449, e);
		return -1;
	}
	r->principal = account;
	if (authorization.p)
		return cloud_of(r)->fresh(cloud_of(r)->ctx, &r->arena, e) || verify(r, authorization, account, e) ? -1 : 0;
	if (r->endpoint && r->endpoint->flags & CLOUD_PUBLIC)
		return 0;
	return err_set(e, EACCES, "You must make authenticated requests to use CloudAPI");
}

int cloud_owns(struct req *r, struct err *e)
{
	struct str account = req_var(r, "account");

	if (str_is(account, "my") || str_eq(account, cloud_caller(r)->login))
		return 0;
	return err_set(e, ENOENT, "%.*s does not exist", STR_ARG(str_head(account, 64)));
}
