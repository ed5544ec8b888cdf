#include "codec/httpsig.h"

#include "base/clock.h"
#include "codec/base64.h"
#include "unit/test.h"

#include <errno.h>

#define NOW 1800000000ll

struct call {                                         /* a request as a client of one dialect sends it */
	struct pair headers[3];
	struct httpsig_request r;
};

static struct str http_date(struct arena *a, int64_t at)
{
	char text[RFC3339_MAX];

	return arena_str(a, clock_http_date(at * 1000000000, text));
}

static struct str sign(struct arena *a, const struct privkey *k, struct str text)
{
	struct str sig;
	struct err e = { 0 };

	REQUIRE_OK(privkey_sign(a, k, pubkey_hash(&k->pub), text, &sig, &e), e);
	return base64_encode(a, sig);
}

static void request(struct call *c, const char *method, const char *target, struct str date)
{
	*c = (struct call){ .headers = { { STR("Host"), STR("dc1:8443") }, { STR("Date"), date }, { STR("Accept"), STR("*/*") } } };
	c->r = (struct httpsig_request){ str_of(method), str_of(target), { c->headers, 3 } };
}

static int verify(struct arena *a, struct str authorization, const struct call *c, const struct pubkey *k, struct err *e)
{
	struct httpsig s;

	return httpsig_parse(a, authorization, &s, e) || httpsig_verify(a, &s, &c->r, k, NOW, e) ? -1 : 0;
}

TEST(three_dialects)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 };
	struct call c;
	struct str date = http_date(&a, NOW - 299), auth;
	struct err e = { 0 };

	privkey_generate_p256(&a, &k);
	request(&c, "GET", "/alice/services?x=1", date);
	auth = arena_printf(&a, "Signature keyId=\"/alice/keys/x\",algorithm=\"ecdsa-sha256\",headers=\"(request-target) date\",signature=\"%.*s\"",
			    STR_ARG(sign(&a, &k, arena_printf(&a, "(request-target): get /alice/services?x=1\ndate: %.*s", STR_ARG(date)))));
	CHECK_OK(verify(&a, auth, &c, &k.pub, &e), e);
	auth = arena_printf(&a, "Signature keyId=\"/alice/keys/x\",algorithm=\"ecdsa-sha256\",headers=\"date\",signature=\"%.*s\"",
			    STR_ARG(sign(&a, &k, arena_printf(&a, "date: %.*s", STR_ARG(date)))));
	CHECK_OK(verify(&a, auth, &c, &k.pub, &e), e);
	auth = arena_printf(&a, "Signature keyId=\"/alice/keys/x\",algorithm=\"ecdsa-sha256\" %.*s", STR_ARG(sign(&a, &k, date)));
	CHECK_OK(verify(&a, auth, &c, &k.pub, &e), e);

	struct signer by = privkey_signer(&k);

	REQUIRE_OK(httpsig_make(&a, STR("/alice/keys/x"), STR("GET"), STR("/alice/services?x=1"), date, &by, &auth, &e), e);
	CHECK_OK(verify(&a, auth, &c, &k.pub, &e), e);
}

TEST(key_ids)
{
	auto_arena a = ARENA_INIT;
	struct httpsig s;
	struct err e = { 0 };
	static const struct { const char *id, *login, *user, *key; } good[] = {
		{ "/alice/keys/laptop", "alice", "", "laptop" },
		{ "/alice/keys/aa:bb", "alice", "", "aa:bb" },
		{ "/alice/users/bob/keys/laptop", "alice", "bob", "laptop" },
		{ "/alice/keys/SHA256:ab/cd+e", "alice", "", "SHA256:ab/cd+e" },
		{ "SHA256:abc", "", "", "SHA256:abc" },
		{ "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", "", "", "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff" },
	};
	static const char *bad[] = { "alice", "/alice", "/alice/keys", "/alice/keys/", "//keys/x", "/alice/users/bob", "/alice/x/y", "/" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct str h = arena_printf(&a, "Signature keyId=\"%s\",algorithm=\"rsa-sha256\",signature=\"Zm9v\"", good[i].id);

		REQUIRE_OK(httpsig_parse(&a, h, &s, &e), e);
		CHECK_STR(s.login, good[i].login);
		CHECK_STR(s.user, good[i].user);
		CHECK_STR(s.key, good[i].key);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct str h = arena_printf(&a, "Signature keyId=\"%s\",algorithm=\"rsa-sha256\",signature=\"Zm9v\"", bad[i]);

		CHECK_ERR(httpsig_parse(&a, h, &s, &e), e, "Invalid KeyId");
	}
}

TEST(refused_headers)
{
	auto_arena a = ARENA_INIT;
	struct httpsig s;
	struct err e = { 0 };
	static const char *bad[] = {
		"", "Signature", "Basic abc", "Signature keyId=\"/a/keys/b\"", "Signature keyId=\"/a/keys/b\",algorithm=\"rsa-sha256\"",
		"Signature keyId=\"/a/keys/b\",keyId=\"/c/keys/d\",algorithm=\"rsa-sha256\",signature=\"Zm9v\"",
		"Signature keyId=\"/a/keys/b\",algorithm=\"rsa-sha256\",signature=\"Zm9v\" Zm9v",
		"Signature keyId=\"/a/keys/b\",algorithm=\"rsa-sha256\",signature=\"not base64\"",
		"Signature keyId=\"/a/keys/b,algorithm=rsa-sha256", "Signature keyId=\"/a/keys/b\",algorithm=\"rsa-sha256\",headers=\"\",signature=\"Zm9v\"",
		"Signature keyId=\"/a/keys/b\",algorithm=\"rsa-sha256\",headers=\"date\" Zm9v",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (httpsig_parse(&a, str_of(bad[i]), &s, &e) != -1)
			test_failed(__FILE__, __LINE__, "accepted: %s", bad[i]);
	CHECK_ERR(httpsig_parse(&a, STR("Signature keyId=\"/a/keys/b\",algorithm=\"rsa-sha1\",signature=\"Zm9v\""), &s, &e), e,
		  "rsa-sha1 is not a supported signing algorithm");
}

TEST(what_must_not_pass)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 }, other = { 0 };
	struct call c;
	struct str date = http_date(&a, NOW), auth, moved;
	struct err e = { 0 };

	privkey_generate_p256(&a, &k);
	privkey_generate_p256(&a, &other);

	struct signer by = privkey_signer(&k);

	REQUIRE_OK(httpsig_make(&a, STR("/alice/keys/x"), STR("GET"), STR("/alice"), date, &by, &auth, &e), e);
	request(&c, "GET", "/alice", date);
	CHECK_OK(verify(&a, auth, &c, &k.pub, &e), e);
	CHECK_ERR(verify(&a, auth, &c, &other.pub, &e), e, "signature is wrong");
	request(&c, "GET", "/bob", date);
	CHECK_ERR(verify(&a, auth, &c, &k.pub, &e), e, "signature is wrong");
	request(&c, "POST", "/alice", date);
	CHECK_ERR(verify(&a, auth, &c, &k.pub, &e), e, "signature is wrong");
	request(&c, "GET", "/alice", http_date(&a, NOW + 1));
	CHECK_ERR(verify(&a, auth, &c, &k.pub, &e), e, "signature is wrong");

	for (int skew = -301; skew <= 301; skew += 602) {
		date = http_date(&a, NOW + skew);
		REQUIRE_OK(httpsig_make(&a, STR("/alice/keys/x"), STR("GET"), STR("/alice"), date, &by, &auth, &e), e);
		request(&c, "GET", "/alice", date);
		CHECK_ERR(verify(&a, auth, &c, &k.pub, &e), e, "300 seconds off");
	}
	date = http_date(&a, NOW);
	request(&c, "GET", "/alice", date);
	moved = arena_printf(&a, "Signature keyId=\"/alice/keys/x\",algorithm=\"ecdsa-sha256\",headers=\"(request-target)\",signature=\"%.*s\"",
			     STR_ARG(sign(&a, &k, STR("(request-target): get /alice"))));
	CHECK_ERR(verify(&a, moved, &c, &k.pub, &e), e, "Date header is not signed");
	moved = arena_printf(&a, "Signature keyId=\"/alice/keys/x\",algorithm=\"rsa-sha256\",headers=\"date\",signature=\"%.*s\"",
			     STR_ARG(sign(&a, &k, arena_printf(&a, "date: %.*s", STR_ARG(date)))));
	CHECK_ERR(verify(&a, moved, &c, &k.pub, &e), e, "algorithm is not the key's");
	moved = arena_printf(&a, "Signature keyId=\"/alice/keys/x\",algorithm=\"ecdsa-sha256\",headers=\"date digest\",signature=\"%.*s\"",
			     STR_ARG(sign(&a, &k, arena_printf(&a, "date: %.*s\ndigest: ", STR_ARG(date)))));
	CHECK_ERR(verify(&a, moved, &c, &k.pub, &e), e, "signed but not sent");
	/* A second Date header must not give a choice. */
	c.headers[2] = (struct pair){ STR("date"), http_date(&a, NOW - 9999) };
	REQUIRE_OK(httpsig_make(&a, STR("/alice/keys/x"), STR("GET"), STR("/alice"), date, &by, &auth, &e), e);
	CHECK_ERR(verify(&a, auth, &c, &k.pub, &e), e, "not a date");
}
