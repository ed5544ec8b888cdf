/* Both sides of TLS over a socket pair, with a relay between them that sees, cuts and alters the records. */
#include "world.h"

#include "base/clock.h"
#include "codec/pem.h"
#include "codec/x509.h"
#include "http/tls_private.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct err e;

struct accept {
	int          fd;
	struct conn *conn;
	struct err   err;
};

static void *accept_one(void *arg)
{
	struct accept *a = arg;

	a->conn = tls_accept(a->fd, world.server_id, 5000, &a->err);
	return NULL;
}

/* What the relay does with the bytes of one direction. */
struct relay {
	int from, to;
	unsigned char seen[64 << 10];
	size_t n;
	enum { PASS, BYTES, FRAGMENTS } how;
	size_t alter_at;                              /* 1 + offset of a byte to change; 0: none */
};

static void forward(struct relay *r, const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; r->how == BYTES && i < n; i++)
		if (send(r->to, p + i, 1, MSG_NOSIGNAL) != 1)
			return;
	if (r->how == PASS && send(r->to, p, n, MSG_NOSIGNAL) < 0)
		return;
	if (r->how == FRAGMENTS) {                    /* the first record's payload in records of one byte (H25) */
		for (i = 5; i < n; i++) {
			unsigned char one[6] = { p[0], p[1], p[2], 0, 1, p[i] };

			if (send(r->to, one, 6, MSG_NOSIGNAL) != 6)
				return;
		}
		r->how = PASS;
	}
}

static void *relay_run(void *arg)
{
	struct relay *r = arg;
	ssize_t n;

	while (r->n < sizeof r->seen && (n = recv(r->from, r->seen + r->n, sizeof r->seen - r->n, 0)) > 0) {
		if (r->alter_at && r->alter_at - 1 >= r->n && r->alter_at - 1 < r->n + (size_t)n)
			r->seen[r->alter_at - 1] ^= 1;
		r->n += (size_t)n;
		forward(r, r->seen + r->n - n, (size_t)n);
	}
	shutdown(r->to, SHUT_WR);
	return NULL;
}

static struct relay up, down;                     /* client to server, server to client */

/* Connects both ends through the relay. NULL with `e` when either refuses. */
static struct conn *meet(const struct tls_trust *trust, const char *host, const struct tls_identity *client, struct conn **server)
{
	int a[2], b[2];
	struct accept accepted = { 0 };
	pthread_t t, u, d;
	struct conn *c;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	up.from = a[1];
	up.to = b[1];
	down.from = b[1];
	down.to = a[1];
	up.n = down.n = 0;
	accepted.fd = b[0];
	REQUIRE(!pthread_create(&t, NULL, accept_one, &accepted) && !pthread_create(&u, NULL, relay_run, &up) &&
		!pthread_create(&d, NULL, relay_run, &down));
	e = (struct err){ 0 };
	c = tls_connect(a[0], host, trust, client, 5000, &e);
	pthread_join(t, NULL);
	*server = accepted.conn;
	if (c && !accepted.conn) {
		e = accepted.err;
		conn_free(c);
		return NULL;
	}
	if (c)
		c->timeout_ms = accepted.conn->timeout_ms = 5000;
	return c;
}

static struct tls_trust by_ca(void)
{
	return (struct tls_trust){ .ca_pem = world.ca_pem };
}

static void talk(struct conn *c, struct conn *s)
{
	char got[6] = "";

	REQUIRE(c && s);
	CHECK_OK(conn_write_all(c, "hello", 5, &e), e);
	CHECK_INT(s->ops->read(s, got, 5, &e), 5);
	CHECK_STR(got, "hello");
	CHECK_OK(conn_write_all(s, "world", 5, &e), e);
	CHECK_INT(c->ops->read(c, got, 5, &e), 5);
	CHECK_STR(got, "world");
}

TEST(a_handshake_with_both_certificates)
{
	struct tls_trust trust;
	struct conn *s, *c;

	world_certificates();
	trust = by_ca();
	c = meet(&trust, "localhost", world.client_id, &s);
	talk(c, s);
	CHECK(str_eq(s->cert, world.client_der));
	CHECK(str_eq(c->cert, world.server_der));
}

/* Handshake messages of the plaintext part of a direction. */
static struct str handshake_message(const struct relay *r, unsigned char type)
{
	static unsigned char all[64 << 10];
	size_t at = 0, n = 0, len;

	while (at + 5 <= r->n && r->seen[at] == 22) {
		len = (size_t)r->seen[at + 3] << 8 | r->seen[at + 4];
		memcpy(all + n, r->seen + at + 5, len);
		n += len;
		at += 5 + len;
	}
	for (at = 0; at + 4 <= n; at += 4 + len) {
		len = (size_t)all[at + 1] << 16 | (size_t)all[at + 2] << 8 | all[at + 3];
		if (all[at] == type)
			return str_make(all + at + 4, len);
	}
	return STR_NONE;
}

TEST(the_certificate_request_names_no_authority)
{
	struct tls_trust trust;
	struct conn *s, *c;
	struct str m;
	size_t types, algorithms;

	world_certificates();
	trust = by_ca();
	c = meet(&trust, "localhost", world.client_id, &s);
	REQUIRE(c && s);
	m = handshake_message(&down, 13);             /* RFC 5246 section 7.4.4 */
	REQUIRE(m.n > 8);
	types = (unsigned char)m.p[0];
	CHECK(types >= 2);                            /* RSA and ECDSA */
	algorithms = (size_t)(unsigned char)m.p[1 + types] << 8 | (unsigned char)m.p[2 + types];
	CHECK(algorithms >= 12);
	REQUIRE(m.n == 1 + types + 2 + algorithms + 2);
	CHECK_INT(m.p[m.n - 2], 0);
	CHECK_INT(m.p[m.n - 1], 0);
	CHECK(handshake_message(&down, 14).p != NULL); /* ServerHelloDone follows */
}

TEST(h22_no_client_certificate)
{
	struct tls_trust trust;
	struct conn *s, *c;

	world_certificates();
	trust = by_ca();
	c = meet(&trust, "localhost", NULL, &s);
	talk(c, s);
	CHECK_INT(s->cert.n, 0);
}

TEST(h23_a_certificate_of_someone_else)
{
	struct tls_identity *thief;
	struct tls_trust trust;
	struct conn *s, *c;

	world_certificates();
	trust = by_ca();
	thief = tls_identity_new(pem_encode(&world.arena, "CERTIFICATE", world.client_der), world.server_key_pem, &e);
	REQUIRE(thief != NULL);
	c = meet(&trust, "localhost", thief, &s);     /* the key is not the certificate's: CertificateVerify fails */
	CHECK(c == NULL && s == NULL);
}

TEST(h23_certificates_that_are_none)
{
	struct tls_identity *odd;
	struct tls_trust trust;
	struct conn *s, *c;
	char *big = calloc(1, 60000);
	size_t sizes[] = { 1, 100, CONN_CERT_MAX + 1, 60000 }, i;

	REQUIRE(big != NULL);
	world_certificates();
	trust = by_ca();
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		memcpy(big, world.client_der.p, world.client_der.n < sizes[i] ? world.client_der.n : sizes[i]);
		odd = tls_identity_new(pem_encode(&world.arena, "CERTIFICATE", str_make(big, sizes[i])), world.client_key_pem, &e);
		REQUIRE(odd != NULL);
		c = meet(&trust, "localhost", odd, &s);
		if (s)
			CHECK_INT(s->cert.n, 0);      /* nobody, or no connection at all */
		conn_free(c);
		conn_free(s);
		tls_identity_free(odd);
	}
}

TEST(what_clients_trust)
{
	struct str ca = STR_NONE, leaf, other, wrong = STR("sha256:0000000000000000000000000000000000000000000000000000000000000000");
	struct tls_trust t;
	struct conn *s, *c;
	struct str first;

	world_certificates();
	ca = x509_fingerprint(&world.arena, world.ca_der);
	leaf = x509_fingerprint(&world.arena, world.server_der);
	other = world.ca_pem;
	first = world.server_der;

	c = meet(&(struct tls_trust){ .ca_pem = other }, "127.0.0.1", NULL, &s);
	talk(c, s);
	CHECK(meet(&(struct tls_trust){ .ca_pem = other }, "127.0.0.2", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "other names") != NULL);
	CHECK(meet(&(struct tls_trust){ .ca_pem = other }, "elsewhere.example", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "other names") != NULL);
	c = meet(&(struct tls_trust){ .ca_pem = other }, NULL, NULL, &s);
	talk(c, s);

	c = meet(&(struct tls_trust){ .pin = leaf }, "elsewhere.example", NULL, &s);
	talk(c, s);
	c = meet(&(struct tls_trust){ .pin = ca }, "localhost", NULL, &s);
	talk(c, s);
	CHECK(meet(&(struct tls_trust){ .pin = ca }, "elsewhere.example", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "other names") != NULL);
	CHECK(meet(&(struct tls_trust){ .pin = wrong }, "localhost", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "pinned") != NULL);
	t = (struct tls_trust){ 0 };
	CHECK(meet(&t, "localhost", NULL, &s) == NULL);
	t.insecure = true;
	c = meet(&t, "elsewhere.example", NULL, &s);
	talk(c, s);
	CHECK(str_eq(c->cert, first));

	world_certificates();                         /* another authority of the same name */
	CHECK(meet(&(struct tls_trust){ .ca_pem = other }, "localhost", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "certificate") != NULL);
	/* The pinned authority is sent along, but it did not sign this server's certificate. */
	world.server_id = tls_identity_new(arena_printf(&world.arena, "%.*s%.*s",
		STR_ARG(pem_encode(&world.arena, "CERTIFICATE", world.server_der)), STR_ARG(other)), world.server_key_pem, &e);
	CHECK(meet(&(struct tls_trust){ .pin = ca }, "localhost", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "not signed by the pinned") != NULL);
	/* A client's certificate is no server's. */
	world.server_id = tls_identity_new(pem_encode(&world.arena, "CERTIFICATE", world.client_der), world.client_key_pem, &e);
	CHECK(meet(&(struct tls_trust){ .ca_pem = world.ca_pem }, "localhost", NULL, &s) == NULL);
	CHECK(meet(&(struct tls_trust){ .ca_pem = STR("nothing") }, "localhost", NULL, &s) == NULL);
	CHECK(strstr(e.msg, "authority") != NULL);
}

TEST(h25_records_in_pieces)
{
	struct tls_trust trust;
	struct conn *s, *c;

	world_certificates();
	trust = by_ca();
	up.how = down.how = BYTES;
	c = meet(&trust, "localhost", world.client_id, &s);
	talk(c, s);
	CHECK_OK(c->ops->end(c, &e), e);
	CHECK_INT(s->ops->read(s, (char[1]){ 0 }, 1, &e), 0);
	up.how = FRAGMENTS;
	down.how = PASS;
	c = meet(&trust, "localhost", world.client_id, &s);
	talk(c, s);
}

/* `n` bytes and the end: refused at once, never waited for. */
static void refused(const void *p, size_t n)
{
	struct accept a = { 0 };
	int64_t began = clock_mono_ms();
	int fds[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK_INT(send(fds[1], p, n, 0), n);
	shutdown(fds[1], SHUT_WR);
	a.fd = fds[0];
	accept_one(&a);
	CHECK(a.conn == NULL);
	CHECK(a.err.code != 0);
	CHECK(clock_mono_ms() - began < 2000);
	close(fds[1]);
}

TEST(h25_hellos_cut_at_each_byte)
{
	static unsigned char hello[512];
	struct tls_trust trust;
	struct conn *s, *c;
	size_t n, i;

	world_certificates();
	trust = by_ca();
	up.how = PASS;
	c = meet(&trust, "localhost", NULL, &s);
	REQUIRE(c && s);
	n = 5 + ((size_t)up.seen[3] << 8 | up.seen[4]);
	REQUIRE(n < sizeof hello);
	memcpy(hello, up.seen, n);
	for (i = 0; i <= n; i += i < 60 ? 1 : 7)
		refused(hello, i);
	for (i = 0; i < 60; i++) {
		unsigned char was = hello[i];

		if (i == 11 || i == 12 || (i > 10 && i < 43) || i == 1 || i == 2)
			continue;                     /* the random is anything; the record's version may be low */
		hello[i] ^= 0x80;
		refused(hello, n);
		hello[i] = was;
	}
	refused("\x16\x03\x01\x40\x01", 5);           /* 2^14 + 1 */
	refused("\x16\x03\x01\xff\xff", 5);
	refused("\x80\x2e\x01\x03\x01", 5);           /* SSL 2 */
	refused("\x15\x03\x03\x00\x02\x02\x28", 7);
	refused("\x14\x03\x03\x00\x01\x01", 6);       /* ChangeCipherSpec before anything (H24) */
	refused("\x18\x03\x03\x00\x03\x01\x40\x00", 8); /* heartbeat */
}

TEST(a_cut_is_not_an_end)
{
	struct tls_trust trust;
	struct conn *s, *c;
	char got[10];

	world_certificates();
	trust = by_ca();
	c = meet(&trust, "localhost", NULL, &s);
	talk(c, s);
	shutdown(c->fd, SHUT_WR);
	CHECK_INT(s->ops->read(s, got, sizeof got, &e), -1);
	CHECK_INT(e.code, ECONNRESET);
	/* An alert that nobody sealed is no close_notify either. */
	c = meet(&trust, "localhost", NULL, &s);
	talk(c, s);
	CHECK_INT(send(c->fd, "\x15\x03\x03\x00\x02\x01\x00", 7, 0), 7);
	CHECK_INT(s->ops->read(s, got, sizeof got, &e), -1);
	CHECK_INT(e.code, EPROTO);
	c = meet(&trust, "localhost", NULL, &s);
	talk(c, s);
	CHECK_INT(send(c->fd, "\x15\x03\x03\x00\x1a\1\2\3\4\5\6\7\1\2\3\4\5\6\7\1\2\3\4\5\6\7\1\2\3\4\5", 31, 0), 31);
	CHECK_INT(s->ops->read(s, got, sizeof got, &e), -1);
	CHECK_INT(e.code, EPROTO);
}

TEST(altered_bytes_are_noticed)
{
	struct tls_trust trust;
	struct conn *s, *c;
	char got[10];

	world_certificates();
	trust = by_ca();
	c = meet(&trust, "localhost", NULL, &s);
	talk(c, s);
	up.alter_at = up.n + 20;
	CHECK_OK(conn_write_all(c, "hello", 5, &e), e);
	CHECK_INT(s->ops->read(s, got, 5, &e), -1);
	CHECK(strstr(e.msg, "altered") != NULL);
}

TEST(what_was_written_before_the_end_arrives)
{
	struct tls_trust trust;
	struct conn *s, *c;
	char got[100];
	ssize_t n;
	size_t all = 0;

	world_certificates();
	trust = by_ca();
	c = meet(&trust, "localhost", NULL, &s);
	REQUIRE(c && s);
	CHECK_INT(c->ops->write(c, "abc", 3, &e), 3);  /* not flushed */
	CHECK_OK(c->ops->end(c, &e), e);
	CHECK_INT(c->ops->write(c, "d", 1, &e), -1);
	while ((n = s->ops->read(s, got, sizeof got, &e)) > 0)
		all += (size_t)n;
	CHECK_INT(n, 0);
	CHECK_INT(all, 3);
	CHECK_OK(conn_write_all(s, "answer", 6, &e), e);  /* and the other half is open */
	CHECK_INT(c->ops->read(c, got, sizeof got, &e), 6);
}

/* A client of BearSSL's own that keeps its session. */
static int sock_read(void *ctx, unsigned char *p, size_t n)
{
	ssize_t got = recv(*(int *)ctx, p, n, 0);

	return got > 0 ? (int)got : -1;
}

static int sock_write(void *ctx, const unsigned char *p, size_t n)
{
	ssize_t sent = send(*(int *)ctx, p, n, MSG_NOSIGNAL);

	return sent > 0 ? (int)sent : -1;
}

static struct conn *visit(br_ssl_client_context *cc, br_x509_knownkey_context *known, const br_x509_pkey *key, bool resume)
{
	static unsigned char buf[BR_SSL_BUFSIZE_BIDI];
	br_x509_minimal_context unused;
	br_ssl_session_parameters session = cc->eng.session;
	br_sslio_context io;
	struct accept a = { 0 };
	pthread_t t;
	int fds[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	a.fd = fds[0];
	REQUIRE(!pthread_create(&t, NULL, accept_one, &a));
	br_ssl_client_init_full(cc, &unused, NULL, 0);
	br_x509_knownkey_init_ec(known, &key->key.ec, BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX);
	br_ssl_engine_set_x509(&cc->eng, &known->vtable);
	br_ssl_engine_set_buffer(&cc->eng, buf, sizeof buf, 1);
	br_ssl_client_set_single_ec(cc, world.client_id->chain, 1, &world.client_id->ec_key, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
				    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
	if (resume)
		br_ssl_engine_set_session_parameters(&cc->eng, &session);
	br_ssl_client_reset(cc, "localhost", resume);
	br_sslio_init(&io, &cc->eng, sock_read, &fds[1], sock_write, &fds[1]);
	CHECK_INT(br_sslio_write_all(&io, "x", 1), 0);
	CHECK_INT(br_sslio_flush(&io), 0);
	pthread_join(t, NULL);
	close(fds[1]);
	return a.conn;
}

TEST(a_resumed_session_keeps_its_certificate)
{
	static br_ssl_client_context cc;
	br_x509_knownkey_context known;
	br_x509_decoder_context d;
	unsigned char id[32];
	struct conn *s;

	world_certificates();
	br_x509_decoder_init(&d, NULL, NULL);
	br_x509_decoder_push(&d, world.server_der.p, world.server_der.n);
	REQUIRE(br_x509_decoder_get_pkey(&d) != NULL);
	s = visit(&cc, &known, br_x509_decoder_get_pkey(&d), false);
	REQUIRE(s != NULL);
	CHECK(str_eq(s->cert, world.client_der));
	conn_free(s);
	memcpy(id, cc.eng.session.session_id, 32);
	s = visit(&cc, &known, br_x509_decoder_get_pkey(&d), true);
	REQUIRE(s != NULL);
	CHECK(memcmp(id, cc.eng.session.session_id, 32) == 0);   /* it was resumed */
	CHECK(str_eq(s->cert, world.client_der));
	conn_free(s);
}

TEST(identities_that_do_not_load)
{
	world_certificates();
	CHECK(tls_identity_new(STR("x"), world.client_key_pem, &e) == NULL);
	CHECK(strstr(e.msg, "no certificate") != NULL);
	CHECK(tls_identity_new(world.ca_pem, STR("x"), &e) == NULL);
	tls_identity_free(NULL);
}
