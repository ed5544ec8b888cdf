/* `triton setup`: from an SSH key to a working Docker client. Steps in order; nothing is written before all of them
 * succeeded, and then everything at once (profile.h). The SSH key only signs: it is never copied. */
#include "tool/cloudapi.h"
#include "tool/commands.h"
#include "tool/profile.h"
#include "tool/setup_key.h"
#include "tool/tty.h"

#include "base/clock.h"
#include "codec/pem.h"
#include "codec/x509.h"
#include "model/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char setup_usage[] =
	"usage: triton setup -k KEY [URL] [FLAGS]\n"
	"\n"
	"Sets up the Docker client of an account. KEY is the private half of one of the account's SSH keys (RSA, ECDSA or\n"
	"Ed25519; PEM, PKCS#8 or OpenSSH format; a passphrase is asked for), or a .pub file or fingerprint of a key in\n"
	"the ssh-agent. URL is CloudAPI's: https://HOST:8443, with #sha256:FINGERPRINT of the data center's authority\n"
	"where you know it. Writes ~/.triton/docker/ACCOUNT; the SSH key itself is not copied.\n"
	"\n";

struct setup_flags {
	const char *key, *account, *days;
	bool        yes, quiet;
};

const struct option setup_options[] = {
	OPTION_VALUE(setup_flags, key, "key", 'k', "KEY", "private key file, .pub file or fingerprint (default: ~/.ssh/id_*)"),
	OPTION_VALUE(setup_flags, account, "account", 'a', "LOGIN", "the account (default: TRITON_ACCOUNT, SDC_ACCOUNT, or the key's)"),
	OPTION_VALUE(setup_flags, days, "days", 't', "DAYS", "how long the certificate is valid (default: 3650)"),
	OPTION_SWITCH(setup_flags, yes, "yes", 'y', "trust the data center's authority without asking"),
	OPTION_SWITCH(setup_flags, quiet, "quiet", 'q', "print the environment only"),
	OPTION_END
};

struct setup {
	struct arena       arena;
	struct setup_flags flags;
	int64_t            days;
	struct setup_key   key;
	struct cloudapi    api;
	struct profile     profile;
	struct str         key_pem, cert_pem;
	struct buf         secret;                    /* holds key_pem */
};

struct whoami { struct str login; };
static const struct field whoami_fields[] = { FIELD(0, whoami, login, "login", FIELD_REQUIRED), FIELD_END };

struct services { struct str docker; };
static const struct field services_fields[] = { FIELD(0, services, docker, "docker", 0), FIELD_END };

static void say(const struct setup *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct setup *s, const char *fmt, ...)
{
	va_list ap;

	if (s->flags.quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

static const char *from_env(const char *one, const char *two)
{
	const char *v = getenv(one);

	if (!v || !v[0])
		v = getenv(two);
	return v && v[0] ? v : NULL;
}

/* --- the steps ---------------------------------------------------------------------------------------- */

/* The words of the command line, and what is said by the environment or an earlier setup. */
static int choose(struct setup *s, int words, char **argv, struct err *e)
{
	struct profile last;
	const char *url = words > 0 ? argv[1] : from_env("TRITON_URL", "SDC_URL");

	if (!url && profile_load(&s->arena, NULL, &last, NULL) == 0)
		url = arena_cstr(&s->arena, last.cloudapi);
	if (!url)
		url = "https://localhost";
	if (!s->flags.key)
		s->flags.key = from_env("TRITON_KEY_ID", "SDC_KEY_ID");
	if (!s->flags.account)
		s->flags.account = from_env("TRITON_ACCOUNT", "SDC_ACCOUNT");
	s->days = 3650;
	if (s->flags.days && (!str_to_i64(str_of(s->flags.days), &s->days) || s->days < 1 || s->days > 36500))
		return err_set(e, EINVAL, "--days must be a number from 1 to 36500");
	if (s->flags.account && account_login_check(str_of(s->flags.account), e))
		return -1;
	return cloudapi_init(&s->api, url, e);
}

static bool trusted_before(struct setup *s)
{
	struct str der, pem = s->flags.account ? profile_ca(&s->arena, str_of(s->flags.account)) : STR_NONE;
	struct profile last;

	if (!pem.p && profile_load(&s->arena, NULL, &last, NULL) == 0)
		pem = profile_ca(&s->arena, last.account);
	return pem.p && x509_from_pem(&s->arena, pem, &der, NULL) == 0 &&
	       str_eq(x509_fingerprint(&s->arena, der), s->api.ca_fingerprint);
}

/* Everything later rests on this: is it the data center that the user means? */
static int trust(struct setup *s, struct err *e)
{
	struct err none = { 0 };
	int yes;

	if (cloudapi_authority(&s->api, e))
		return -1;
	if (s->api.pin.n || trusted_before(s))
		return 0;
	if (s->flags.yes) {
		say(s, "Trusting the authority %.*s, as you said (-y).\n", STR_ARG(s->api.ca_fingerprint));
		return 0;
	}
	yes = tty_confirm(arena_printf(&s->arena, "The authority of %.*s is not known here yet. Its fingerprint is\n    %.*s\nIs that the data center's?",
				       STR_ARG(s->api.base), STR_ARG(s->api.ca_fingerprint)).p, &none);
	if (yes == 1)
		return 0;
	return err_set(e, EKEYREJECTED, "the authority of %.*s is not trusted; if its fingerprint is right, use %.*s#%.*s", STR_ARG(s->api.base),
		       STR_ARG(s->api.base), STR_ARG(s->api.ca_fingerprint));
}

/* The account, told by the user or found by the key. */
static int verify_account(struct setup *s, struct err *e)
{
	struct arena *a = &s->arena;
	const char *login = s->flags.account;
	struct str md5 = pubkey_md5(a, s->key.by.pub);
	struct whoami me = { 0 };
	struct err why = { 0 };

	s->api.by = s->key.by;
	s->api.key_id = login ? arena_printf(a, "/%s/keys/%.*s", login, STR_ARG(md5)) : md5;
	if (cloudapi_get(&s->api, login ? arena_printf(a, "/%s", login) : STR("/my"), whoami_fields, &me, &why)) {
		if (why.code != EACCES)
			return err_set(e, why.code, "%s", why.msg);
		return login ? err_set(e, EACCES, "the key %.*s is not on account %s of %.*s (%s)", STR_ARG(s->key.shown), login,
				       STR_ARG(s->api.base), why.msg)
			     : err_set(e, EACCES, "the key %.*s is not on any account of %.*s (%s)", STR_ARG(s->key.shown),
				       STR_ARG(s->api.base), why.msg);
	}
	if (account_login_check(me.login, e))
		return err_wrap(e, "%.*s", STR_ARG(s->api.base));
	s->profile.account = me.login;
	s->api.key_id = arena_printf(a, "/%.*s/keys/%.*s", STR_ARG(me.login), STR_ARG(md5));
	return 0;
}

/* "tcp://host:port" of an honest form: it goes into a shell's environment. */
static bool is_endpoint(struct arena *a, struct str text)
{
	struct url url;

	return str_starts(text, STR("tcp://")) &&
	       url_parse(a, arena_printf(a, "https%.*s", STR_ARG(str_drop(text, 3))), &url, NULL) == 0 && str_is(url.path, "/") && !url.fragment.n;
}

static int find_docker(struct setup *s, struct err *e)
{
	struct services all = { 0 };

	if (cloudapi_get(&s->api, arena_printf(&s->arena, "/%.*s/services", STR_ARG(s->profile.account)), services_fields, &all, e))
		return -1;
	if (all.docker.n == 0)
		return err_set(e, ENOENT, "%.*s has no Docker service", STR_ARG(s->api.base));
	if (!is_endpoint(&s->arena, all.docker))
		return err_set(e, EPROTO, "%.*s gives a Docker endpoint that is not tcp://HOST:PORT", STR_ARG(s->api.base));
	s->profile.docker_host = all.docker;
	return 0;
}

static int make_certificate(struct setup *s, struct err *e)
{
	auto_privkey fresh = { 0 };
	struct str der;

	privkey_generate_p256(&s->arena, &fresh);
	if (x509_make_client(&s->arena, s->profile.account, &fresh.pub, &s->key.by,
			     clock_wall_ns() / 1000000000 + s->api.ahead_s, (int)s->days, &der, e) ||
	    privkey_ec_pem(&fresh, &s->secret, e))
		return -1;
	s->key_pem = buf_as_str(&s->secret);
	s->cert_pem = pem_encode(&s->arena, "CERTIFICATE", der);
	return 0;
}

/* Does the Docker endpoint take what we made? A warning only: it may be down, or reachable from elsewhere. */
static void try_docker(struct setup *s)
{
	struct url url = { 0 };
	struct http_client c = { 0 };
	struct http_head head;
	struct err e = { 0 };
	struct tls_identity *id = tls_identity_new(s->cert_pem, s->key_pem, &e);

	url_parse(&s->arena, arena_printf(&s->arena, "https%.*s", STR_ARG(str_drop(s->profile.docker_host, 3))), &url, &e);
	c = (struct http_client){ .host = url.host, .port = url.port, .tls = true, .trust = { .ca_pem = s->api.ca_pem },
				  .identity = id, .connect_ms = 5000, .stall_ms = 10000 };
	if (!id || http_request(&c, "GET", STR("/containers/json?limit=1"), STR_NONE, STR_NONE, &head, &e))
		fprintf(stderr, "triton setup: warning: the Docker endpoint does not answer: %s\n", e.msg);
	else if (head.status != 200)
		fprintf(stderr, "triton setup: warning: the Docker endpoint answered with status %d\n", head.status);
	http_client_release(&c);
	tls_identity_free(id);
}

static void print_result(const struct setup *s)
{
	auto_buf env = BUF_INIT(64 << 10);
	struct str rest, line;

	profile_env(&s->profile, SHELL_SH, false, &env);
	say(s, "Wrote %.*s\n\n* * *\nSuccess. Set your environment as follows:\n\n", STR_ARG(s->profile.dir));
	rest = buf_as_str(&env);
	while (str_next(&rest, '\n', &line))
		if (line.n)
			printf("%s%.*s\n", s->flags.quiet ? "" : "    ", STR_ARG(line));
	say(s, "\nor, now and later:\n\n    eval \"$(triton env)\"\n\nThen you should be able to run `docker info`. To use a Docker context instead:\n\n"
	       "    docker context create triton-%.*s --docker \"host=%.*s,ca=%.*s/ca.pem,cert=%.*s/cert.pem,key=%.*s/key.pem\"\n",
	    STR_ARG(s->profile.account), STR_ARG(s->profile.docker_host), STR_ARG(s->profile.dir), STR_ARG(s->profile.dir),
	    STR_ARG(s->profile.dir));
}

static int setup(struct setup *s, int words, char **argv, struct err *e)
{
	if (choose(s, words, argv, e) || setup_key_open(&s->arena, s->flags.key, &s->key, e))
		return -1;
	say(s, "Setting up Docker client for triton using:\n    CloudAPI:  %.*s\n    Account:   %s\n    Key:       %.*s\n\n",
	    STR_ARG(s->api.base), s->flags.account ? s->flags.account : "(the key's)", STR_ARG(s->key.shown));
	if (trust(s, e) || cloudapi_ping(&s->api, e) || verify_account(s, e))
		return -1;
	say(s, "Verified credentials for account %.*s.\n", STR_ARG(s->profile.account));
	if (find_docker(s, e))
		return -1;
	say(s, "Docker host endpoint is %.*s\n", STR_ARG(s->profile.docker_host));
	if (make_certificate(s, e))
		return -1;
	s->profile.cloudapi = s->api.base;
	s->profile.key = pubkey_sha256(&s->arena, s->key.by.pub);
	try_docker(s);
	if (profile_save(&s->arena, &s->profile, s->key_pem, s->cert_pem, s->api.ca_pem, e))
		return -1;
	print_result(s);
	return 0;
}

int tool_setup(int argc, char **argv)
{
	struct setup s = { .key.agent.fd = -1, .secret = BUF_INIT(8192) };
	struct err e = { 0 };
	int words = options_parse(setup_options, "setup", argc, argv, &s.flags, &e), rc;

	if (words > 1)
		words = err_set(&e, EINVAL, "one address is enough; `triton help setup` explains");
	if (words < 0) {
		fprintf(stderr, "triton setup: %s\n", e.msg);
		return 2;
	}
	rc = setup(&s, words, argv, &e);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "triton setup: %s\n", e.msg);
	setup_key_close(&s.key);
	cloudapi_release(&s.api);
	buf_wipe(&s.secret);
	arena_release(&s.arena);
	return rc ? 1 : 0;
}
