/* A certificate with its key, and the sessions that clients may resume; see tls.h. */
#include "http/tls_private.h"

#include "base/clock.h"
#include "codec/bearkey.h"
#include "codec/pem.h"

#include <errno.h>
#include <stdlib.h>

#define SESSION_MS (3600 * 1000)

static int read_chain(struct tls_identity *i, struct str pem, struct err *e)
{
	struct pem block;
	int rc;

	i->chain = arena_new_n(&i->arena, br_x509_certificate, TLS_CHAIN_CERTS);
	while ((rc = pem_next(&i->arena, &pem, &block, e)) == 1) {
		if (!str_is(block.label, "CERTIFICATE"))
			continue;
		if (i->chain_n == TLS_CHAIN_CERTS)
			return err_set(e, EINVAL, "more than %d certificates in a chain", TLS_CHAIN_CERTS);
		i->chain[i->chain_n++] = (br_x509_certificate){ (unsigned char *)block.bytes.p, block.bytes.n };
	}
	if (rc < 0)
		return -1;
	return i->chain_n ? 0 : err_set(e, EINVAL, "there is no certificate");
}

struct tls_identity *tls_identity_new(struct str cert_pem, struct str key_pem, struct err *e)
{
	struct tls_identity *i = calloc(1, sizeof *i);

	if (!i)
		abort();
	if (read_chain(i, cert_pem, e) || privkey_parse(&i->arena, key_pem, STR_NONE, &i->key, e))
		goto fail;
	i->rsa = i->key.pub.kind == PUBKEY_RSA;
	if (i->rsa ? !bearkey_rsa_private(&i->key, &i->rsa_key) : !bearkey_ec_private(&i->key, &i->ec_key)) {
		err_set(e, EINVAL, "TLS wants an RSA or ECDSA key");
		goto fail;
	}
	i->sessions = tls_sessions_new();
	return i;
fail:
	tls_identity_free(i);
	return NULL;
}

void tls_identity_free(struct tls_identity *i)
{
	if (!i)
		return;
	privkey_wipe(&i->key);
	tls_sessions_free(i->sessions);
	arena_release(&i->arena);
	free(i);
}

/* --- sessions: a resumed connection is the certificate that began it ---------------------------------- */

static void drop(struct tls_session *s)
{
	free(s->cert);
	secret_wipe(s, sizeof *s);
}

static void save(const br_ssl_session_cache_class **ctx, br_ssl_server_context *server, const br_ssl_session_parameters *p)
{
	struct tls_sessions *all = (struct tls_sessions *)ctx;
	struct tls *t = tls_of_server(server);
	struct tls_session *s = &all->v[p->session_id[0]];
	bool valid = t->capture && t->capture->valid;

	pthread_mutex_lock(&all->lock);
	drop(s);
	memcpy(s->id, p->session_id, sizeof s->id);
	memcpy(s->master, p->master_secret, sizeof s->master);
	s->version = p->version;
	s->suite = p->cipher_suite;
	s->until_ms = clock_mono_ms() + SESSION_MS;
	if (valid) {
		s->cert = malloc(t->capture->n);
		if (!s->cert)
			abort();
		memcpy(s->cert, t->capture->der, t->capture->n);
		s->cert_n = t->capture->n;
	}
	pthread_mutex_unlock(&all->lock);
}

static int load(const br_ssl_session_cache_class **ctx, br_ssl_server_context *server, br_ssl_session_parameters *p)
{
	struct tls_sessions *all = (struct tls_sessions *)ctx;
	struct tls_session *s = &all->v[p->session_id[0]];
	int found = 0;

	pthread_mutex_lock(&all->lock);
	if (s->until_ms > clock_mono_ms() && memcmp(s->id, p->session_id, sizeof s->id) == 0) {
		memcpy(p->master_secret, s->master, sizeof s->master);
		p->version = s->version;
		p->cipher_suite = s->suite;
		tls_keep_cert(tls_of_server(server), s->cert, s->cert_n);
		found = 1;
	}
	pthread_mutex_unlock(&all->lock);
	return found;
}

static const br_ssl_session_cache_class sessions_class = { sizeof(struct tls_sessions), save, load };

struct tls_sessions *tls_sessions_new(void)
{
	struct tls_sessions *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->vtable = &sessions_class;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void tls_sessions_free(struct tls_sessions *s)
{
	size_t i;

	for (i = 0; s && i < TLS_SESSIONS; i++)
		drop(&s->v[i]);
	free(s);
}
