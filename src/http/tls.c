/* A TLS connection over BearSSL's engine; see tls.h.
 *
 * Three things are done around the engine because it cannot:
 * - Half-close. The engine answers a close_notify with its own and then takes no more data, while Docker's clients end stdin
 *   that way and go on reading. So alerts are opened here, by the engine's own record layer, and a close_notify
 *   is kept from it; ours is sealed here as well.
 * - A CertificateRequest without names of authorities, which means "any" (RFC 5246 section 7.4.4): see any_authority.
 * - Reading ahead. The engine asks for five bytes, then for the record; here one recv takes what there is into the
 *   engine's input buffer, of which the engine is then told piece by piece.
 * Memory is one mapping of 44 KiB, of which an idle connection has touched three pages. */
#include "http/private.h"
#include "http/tls_private.h"

#include "base/clock.h"
#include "base/rand.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE      4096
#define IBUF      (16384 + 325)                       /* the largest record and its overhead (bearssl: BR_SSL_BUFSIZE_INPUT) */
#define OBUF      (16384 + 85)
#define IBUF_AT   ((sizeof(struct tls) + 15) & ~(size_t)15)
#define OBUF_AT   ((IBUF_AT + IBUF + PAGE - 1) & ~(size_t)(PAGE - 1))
#define MAP_BYTES ((OBUF_AT + OBUF + PAGE - 1) & ~(size_t)(PAGE - 1))
#define ALERT     21
#define ALERT_MAX 64                                  /* bytes of an encrypted alert */

/* The engine sends a CertificateRequest only when the names it would list have a length, and Go's clients send a certificate only
 * when the list is empty or names their issuer. This length makes both true of BearSSL 0.6: the sum len + 2 =
 * 0xff000000 is not zero, its lower 24 and 16 bits, which are what is written, are; and len is negative where the
 * engine asks for the next name, which ends the list. tls_test.c looks at what is sent. */
static const br_x500_name any_authority = { NULL, 0xfefffffe };

static const uint16_t suites_aes[] = {
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};
static const uint16_t suites_chacha[] = {                 /* constant-time AES without instructions for it is slow */
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

/* --- errors ------------------------------------------------------------------------------------------ */

static const char *reason(int code)
{
	static const struct { int code; const char *text; } known[] = {
		{ BR_ERR_UNSUPPORTED_VERSION, "the other side does not speak TLS 1.2" },
		{ BR_ERR_BAD_VERSION, "the other side does not speak TLS 1.2" },
		{ BR_ERR_BAD_MAC, "a record was altered on the way" },
		{ BR_ERR_BAD_LENGTH, "a record is too long" }, { BR_ERR_TOO_LARGE, "a record is too long" },
		{ BR_ERR_UNEXPECTED, "an unexpected message" }, { BR_ERR_NO_CLIENT_AUTH, "no client certificate" },
		{ BR_ERR_BAD_SIGNATURE, "a signature does not fit the certificate's key" },
		{ BR_ERR_X509_EXPIRED, "its certificate has expired or is not valid yet" },
		{ BR_ERR_X509_NOT_TRUSTED, "its certificate is not signed by a known authority" },
		{ BR_ERR_X509_CRITICAL_EXTENSION, "its certificate has a critical extension that is not understood" },
		{ BR_ERR_X509_LIMIT_EXCEEDED, "its certificates are too long" },
		{ BR_ERR_X509_NOT_CA, "its certificate is signed by one that is no authority" },
		{ BR_ERR_X509_WEAK_PUBLIC_KEY, "its certificate's key is too short" },
		{ BR_ERR_X509_UNSUPPORTED, "its certificate's key is neither RSA nor ECDSA" },
		{ BR_ERR_X509_EMPTY_CHAIN, "it sent no certificate" },
		{ BR_ERR_X509_BAD_SIGNATURE, "a signature in its certificates is wrong" },
		{ BR_ERR_RECV_FATAL_ALERT + 40, "the other side refused the handshake (alert 40)" },
		{ BR_ERR_RECV_FATAL_ALERT + 42, "the other side refused our certificate (alert 42)" },
		{ BR_ERR_RECV_FATAL_ALERT + 46, "the other side refused our certificate (alert 46)" },
		{ BR_ERR_RECV_FATAL_ALERT + 48, "the other side does not know our certificate's authority (alert 48)" },
		{ BR_ERR_RECV_FATAL_ALERT + 70, "the other side does not speak TLS 1.2 (alert 70)" },
		{ 0, NULL }
	};
	int i;

	for (i = 0; known[i].text; i++)
		if (known[i].code == code)
			return known[i].text;
	return NULL;
}

static int engine_failed(struct tls *t, struct err *e)
{
	int code = br_ssl_engine_last_error(&t->eng);
	const char *text = reason(code);

	if (t->check && t->check->err.code)
		return err_set(e, EPROTO, "TLS: %s", t->check->err.msg);
	if (text)
		return err_set(e, EPROTO, "TLS: %s", text);
	return err_set(e, EPROTO, "TLS: error %d", code);
}

static int would_block(struct err *e)
{
	if (e)
		e->code = EAGAIN;
	return -1;
}

/* --- sending ----------------------------------------------------------------------------------------- */

/* `more`: 0, or MSG_MORE when another record follows at once. Then the kernel makes packets of several records, and the other side wakes
 * up once for these. */
static ssize_t send_some(struct tls *t, const void *p, size_t n, int more, struct err *e)
{
	ssize_t sent;

	do
		sent = send(t->c.fd, p, n, MSG_NOSIGNAL | more);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return would_block(e);
	return sent < 0 ? err_sys(e, "write") : sent;
}

/* All records that are ready. -1 with EAGAIN when the socket is full. */
static int push_once(struct tls *t, int more, struct err *e)
{
	unsigned char *p;
	size_t n;
	ssize_t sent;

	while ((p = br_ssl_engine_sendrec_buf(&t->eng, &n)) != NULL) {
		sent = send_some(t, p, n, more, e);
		if (sent < 0)
			return -1;
		t->big |= n > PAGE / 2;
		br_ssl_engine_sendrec_ack(&t->eng, (size_t)sent);
	}
	while (t->tail_at < t->tail_n) {
		sent = send_some(t, t->tail + t->tail_at, t->tail_n - t->tail_at, 0, e);
		if (sent < 0)
			return -1;
		t->tail_at += (size_t)sent;
	}
	return 0;
}

static int push(struct tls *t, int more, struct err *e)
{
	struct err why = { 0 };

	while (push_once(t, more, &why)) {
		if (why.code != EAGAIN) {
			if (e)
				*e = why;
			return -1;
		}
		if (t->c.nonblock)
			return would_block(e);
		if (conn_poll(&t->c, POLLOUT, e))
			return -1;
	}
	return 0;
}

/* Our close_notify, after everything else was sealed. */
static void seal_close_notify(struct tls *t)
{
	unsigned char box[ALERT_MAX], *record;
	size_t from = 5, to = sizeof box, n = 2;

	t->eng.out.vtable->max_plaintext(&t->eng.out.vtable, &from, &to);
	box[from] = 1;                                /* warning */
	box[from + 1] = 0;                            /* close_notify */
	record = t->eng.out.vtable->encrypt(&t->eng.out.vtable, ALERT, t->eng.version_out, box + from, &n);
	memcpy(t->tail, record, n);
	t->tail_n = n;
}

static int tls_flush(struct conn *c, struct err *e)
{
	struct tls *t = (struct tls *)c;

	br_ssl_engine_flush(&t->eng, 0);
	if (push(t, 0, e))
		return -1;
	if (br_ssl_engine_current_state(&t->eng) == BR_SSL_CLOSED)
		return engine_failed(t, e);
	if (t->ending && !t->ended) {
		if (!t->tail_n)
			seal_close_notify(t);
		if (push(t, 0, e))
			return -1;
		t->ended = true;
		shutdown(c->fd, SHUT_WR);
	}
	return 0;
}

static ssize_t tls_write(struct conn *c, const void *p, size_t n, struct err *e)
{
	struct tls *t = (struct tls *)c;
	struct err why = { 0 };
	unsigned char *to;
	size_t done = 0, room;

	if (t->ending)
		return err_set(e, EPIPE, "write after the end");
	while (done < n) {
		to = br_ssl_engine_sendapp_buf(&t->eng, &room);
		if (to) {
			room = room < n - done ? room : n - done;
			memcpy(to, (const char *)p + done, room);
			br_ssl_engine_sendapp_ack(&t->eng, room);
			done += room;
			continue;
		}
		if (br_ssl_engine_current_state(&t->eng) == BR_SSL_CLOSED)
			return engine_failed(t, e);
		if (push(t, MSG_MORE, &why)) {
			if (why.code == EAGAIN && done)
				return (ssize_t)done;
			if (e)
				*e = why;
			return -1;
		}
	}
	return (ssize_t)done;
}

static int tls_end(struct conn *c, struct err *e)
{
	struct tls *t = (struct tls *)c;

	t->ending = true;
	return tls_flush(c, e);
}

static bool tls_wants_write(const struct conn *c)
{
	const struct tls *t = (const struct tls *)c;
	size_t n;

	return br_ssl_engine_sendrec_buf(&t->eng, &n) != NULL || t->tail_at < t->tail_n;
}

/* --- receiving --------------------------------------------------------------------------------------- */

enum { FED, NEEDS_BYTES, FAILED };

/* A whole alert record stands at raw_from. close_notify is the end of what we read; other warnings mean nothing (RFC 5246
 * section 7.2); a fatal one is the end of all. */
static int open_alert(struct tls *t, size_t n)
{
	unsigned char *payload = t->ibuf + t->raw_from + 5, *plain;
	size_t len = n;

	if (!t->eng.in.vtable->check_length(&t->eng.in.vtable, len) ||
	    !(plain = t->eng.in.vtable->decrypt(&t->eng.in.vtable, ALERT, t->eng.version_in, payload, &len)))
		return FAILED;
	t->raw_from += 5 + n;
	if (len == 2 && plain[0] == 1 && plain[1] == 0)
		t->in_eof = true;
	else if (len != 2 || plain[0] != 1)
		return FAILED;
	return FED;
}

/* Tell the engine of received bytes, one step. */
static int feed(struct tls *t)
{
	size_t want, have = t->raw_to - t->raw_from, body;
	unsigned char *to = br_ssl_engine_recvrec_buf(&t->eng, &want), *raw = t->ibuf + t->raw_from;

	t->half_alert = false;
	if (!to || t->in_eof)
		return FED;
	if (have == 0) {
		t->raw_from = t->raw_to = (size_t)(to - t->ibuf);
		return NEEDS_BYTES;
	}
	if (to != raw) {                              /* the next record moves to where the engine wants it */
		memmove(to, raw, have);
		t->raw_from = (size_t)(to - t->ibuf);
		t->raw_to = t->raw_from + have;
	}
	if (to == t->ibuf && want == 5 && to[0] == ALERT && (t->eng.application_data & 1)) {
		body = have < 5 ? 0 : (size_t)to[3] << 8 | to[4];
		if (have < 5 || (body <= ALERT_MAX && have < 5 + body)) {
			t->half_alert = true;
			return NEEDS_BYTES;
		}
		if (body <= ALERT_MAX)
			return open_alert(t, body);
	}
	if (want > have)
		want = have;
	t->raw_from += want;
	br_ssl_engine_recvrec_ack(&t->eng, want);
	return FED;
}

/* One recv into the input buffer. 1, 0 at the end of the connection, -1. */
static int receive(struct tls *t, struct err *e)
{
	ssize_t n;

	if (conn_wait_first(&t->c, e))
		return -1;
	for (;;) {
		n = recv(t->c.fd, t->ibuf + t->raw_to, IBUF - t->raw_to, 0);
		if (n >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_sys(e, "read");
		if (t->c.nonblock)
			return would_block(e);
		if (conn_poll(&t->c, POLLIN, e))
			return -1;
	}
	t->raw_to += (size_t)n;
	t->big |= t->raw_to > PAGE / 2;
	return n > 0;
}

static ssize_t tls_read(struct conn *c, void *p, size_t n, struct err *e)
{
	struct tls *t = (struct tls *)c;
	struct err ignored;
	unsigned char *from;
	size_t have;
	int got;

	for (;;) {
		from = br_ssl_engine_recvapp_buf(&t->eng, &have);
		if (from) {
			have = have < n ? have : n;
			memcpy(p, from, have);
			br_ssl_engine_recvapp_ack(&t->eng, have);
			return (ssize_t)have;
		}
		if (t->in_eof)
			return 0;
		if (br_ssl_engine_current_state(&t->eng) == BR_SSL_CLOSED) {
			push_once(t, 0, &ignored);
			return engine_failed(t, e);
		}
		switch (feed(t)) {
		case FAILED:
			return err_set(e, EPROTO, "TLS: the other side ended with an alert");
		case NEEDS_BYTES:
			push_once(t, 0, &ignored);       /* what the engine answered, for example to a renegotiation */
			got = receive(t, e);
			if (got < 0)
				return -1;
			if (got == 0)
				return err_set(e, ECONNRESET, "the TLS connection was cut without an end");
			break;
		default:
			/* Without input wanted or payload given, the engine waits to send. */
			if (!br_ssl_engine_recvapp_buf(&t->eng, &have) && !br_ssl_engine_recvrec_buf(&t->eng, &have) &&
			    push(t, 0, e))
				return -1;
		}
	}
}

static bool tls_pending(const struct conn *c)
{
	const struct tls *t = (const struct tls *)c;
	size_t n;

	return br_ssl_engine_recvapp_buf(&t->eng, &n) != NULL || (t->raw_from < t->raw_to && !t->half_alert && !t->in_eof);
}

/* --- life -------------------------------------------------------------------------------------------- */

/* Give back the pages behind the first ones of each buffer, when nothing is in them. */
static void tls_idle(struct conn *c)
{
	struct tls *t = (struct tls *)c;
	size_t n, keep = 2 * PAGE;
	unsigned char *at = br_ssl_engine_recvrec_buf(&t->eng, &n);

	if (!t->big || at != t->ibuf || t->raw_from < t->raw_to || tls_wants_write(c))
		return;
	madvise((char *)t + keep, OBUF_AT - keep, MADV_DONTNEED);
	madvise((char *)t + OBUF_AT + PAGE, MAP_BYTES - OBUF_AT - PAGE, MADV_DONTNEED);
	t->big = false;
}

static void end_handshake(struct tls *t)
{
	if (t->capture)
		tls_capture_release(t->capture);
	if (t->check)
		tls_check_release(t->check);
	free(t->capture);
	free(t->check);
	t->capture = NULL;
	t->check = NULL;
	t->eng.x509ctx = NULL;                        /* no renegotiation, so never asked for again */
}

static void tls_free(struct conn *c)
{
	struct tls *t = (struct tls *)c;

	end_handshake(t);
	close(c->fd);
	free((void *)c->cert.p);
	secret_wipe(&t->server, sizeof t->server > sizeof t->client ? sizeof t->server : sizeof t->client);
	munmap(t, MAP_BYTES);
}

static const struct conn_ops tls_ops = {
	tls_read, tls_write, tls_flush, tls_end, tls_pending, tls_wants_write, tls_free, tls_idle,
};

void tls_keep_cert(struct tls *t, const void *der, size_t n)
{
	char *copy;

	if (n == 0)
		return;
	copy = malloc(n);
	if (!copy)
		abort();
	memcpy(copy, der, n);
	free((void *)t->c.cert.p);
	t->c.cert = str_make(copy, n);
}

static struct tls *tls_new(int fd)
{
	struct tls *t = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		abort();
	t->c = (struct conn){ .ops = &tls_ops, .fd = fd, .timeout_ms = -1, .tls = true, .uid = (unsigned)-1 };
	t->ibuf = (unsigned char *)t + IBUF_AT;
	t->obuf = (unsigned char *)t + OBUF_AT;
	fcntl_nonblock(fd);
	return t;
}

/* TLS 1.2 with six ECDHE AEAD suites, SHA-2 and nothing else. */
static void set_profile(struct tls *t)
{
	br_ssl_engine_context *eng = &t->eng;
	bool aes = br_aes_x86ni_ctr_get_vtable() || br_aes_pwr8_ctr_get_vtable();
	static const char *const alpn[] = { "http/1.1" };
	unsigned char seed[48];

	br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(eng, aes ? suites_aes : suites_chacha, 6);
	br_ssl_engine_set_default_ec(eng);
	br_ssl_engine_set_default_rsavrfy(eng);
	br_ssl_engine_set_default_ecdsa(eng);
	br_ssl_engine_set_hash(eng, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(eng, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_hash(eng, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_prf_sha256(eng, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(eng, &br_tls12_sha384_prf);
	br_ssl_engine_set_default_aes_gcm(eng);
	br_ssl_engine_set_default_chapol(eng);
	br_ssl_engine_set_protocol_names(eng, (const char **)alpn, 1);
	br_ssl_engine_set_buffers_bidi(eng, t->ibuf, IBUF, t->obuf, OBUF);
	/* getrandom(2) instead of BearSSL's own seeder, which would open /dev/urandom in a process that may open nothing. */
	rand_bytes(seed, sizeof seed);
	br_ssl_engine_inject_entropy(eng, seed, sizeof seed);
	secret_wipe(seed, sizeof seed);
	eng->rng_os_rand_done = 1;
}

static int handshake(struct tls *t, int timeout_ms, struct err *e)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	int got;

	for (;;) {
		if (timeout_ms >= 0) {
			int64_t left = until - clock_mono_ms();

			if (left <= 0)
				return err_set(e, ETIMEDOUT, "the TLS handshake took longer than %d s", timeout_ms / 1000);
			t->c.timeout_ms = (int)left;
		}
		if (push(t, 0, e))
			return -1;
		if (br_ssl_engine_current_state(&t->eng) == BR_SSL_CLOSED)
			return engine_failed(t, e);
		if (t->eng.application_data & 1)
			return 0;
		if (feed(t) == NEEDS_BYTES) {
			got = receive(t, e);
			if (got < 0)
				return -1;
			if (got == 0)
				return err_set(e, ECONNRESET, "the connection ended inside the TLS handshake");
		}
	}
}

/* The last alert must not be overtaken by the reset that unread bytes cause. */
static void give_up(struct tls *t)
{
	char scratch[4096];
	struct pollfd p = { .fd = t->c.fd, .events = POLLIN };
	int i;

	shutdown(t->c.fd, SHUT_WR);
	for (i = 0; i < 8 && poll(&p, 1, 100) == 1 && recv(t->c.fd, scratch, sizeof scratch, 0) > 0; i++)
		;
	conn_free(&t->c);
}

struct conn *tls_accept(int fd, const struct tls_identity *id, int timeout_ms, struct err *e)
{
	struct tls *t = tls_new(fd);
	br_ssl_server_context *s = &t->server;

	br_ssl_server_zero(s);
	set_profile(t);
	t->id = id;
	if (id->rsa)
		br_ssl_server_set_single_rsa(s, id->chain, id->chain_n, &id->rsa_key, BR_KEYTYPE_SIGN, br_rsa_private_get_default(),
					     br_rsa_pkcs1_sign_get_default());
	else
		br_ssl_server_set_single_ec(s, id->chain, id->chain_n, &id->ec_key, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
					    br_ssl_engine_get_ec(&t->eng), br_ecdsa_sign_asn1_get_default());
	br_ssl_engine_set_all_flags(&t->eng, BR_OPT_ENFORCE_SERVER_PREFERENCES | BR_OPT_NO_RENEGOTIATION |
				    BR_OPT_TOLERATE_NO_CLIENT_AUTH);
	t->capture = calloc(1, sizeof *t->capture);
	if (!t->capture)
		abort();
	tls_capture_init(t->capture);
	br_ssl_engine_set_x509(&t->eng, &t->capture->vtable);
	br_ssl_server_set_trust_anchor_names(s, &any_authority, 1);
	br_ssl_server_set_cache(s, &id->sessions->vtable);
	if (!br_ssl_server_reset(s)) {
		engine_failed(t, e);
		conn_free(&t->c);
		return NULL;
	}
	if (handshake(t, timeout_ms, e)) {
		give_up(t);
		return NULL;
	}
	/* valid: then the engine has seen CertificateVerify. A resumed session brought its own. */
	if (t->capture->valid)
		tls_keep_cert(t, t->capture->der, t->capture->n);
	end_handshake(t);
	return &t->c;
}

static void set_client_identity(struct tls *t, const struct tls_identity *id)
{
	br_ssl_client_context *cc = &t->client;

	if (id->rsa)
		br_ssl_client_set_single_rsa(cc, id->chain, id->chain_n, &id->rsa_key, br_rsa_pkcs1_sign_get_default());
	else
		br_ssl_client_set_single_ec(cc, id->chain, id->chain_n, &id->ec_key, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
					    br_ssl_engine_get_ec(&t->eng), br_ecdsa_sign_asn1_get_default());
}

/* Server name indication is for names only (RFC 6066 section 3). */
static const char *indicated(const char *host)
{
	return host && strspn(host, "0123456789.") != strlen(host) && !strchr(host, ':') ? host : NULL;
}

struct conn *tls_connect(int fd, const char *host, const struct tls_trust *trust, const struct tls_identity *client, int timeout_ms,
			 struct err *e)
{
	struct tls *t = tls_new(fd);

	br_ssl_client_zero(&t->client);
	set_profile(t);
	br_ssl_engine_set_all_flags(&t->eng, BR_OPT_NO_RENEGOTIATION);
	t->check = calloc(1, sizeof *t->check);
	if (!t->check)
		abort();
	if (tls_check_init(t->check, trust, host && host[0] ? host : NULL, e)) {
		conn_free(&t->c);
		return NULL;
	}
	br_ssl_engine_set_x509(&t->eng, &t->check->vtable);
	if (client)
		set_client_identity(t, client);
	if (!br_ssl_client_reset(&t->client, indicated(host), 0)) {
		engine_failed(t, e);
		conn_free(&t->c);
		return NULL;
	}
	if (handshake(t, timeout_ms, e)) {
		give_up(t);
		return NULL;
	}
	tls_keep_cert(t, t->check->certs[0].p, t->check->certs[0].n);
	end_handshake(t);
	return &t->c;
}
