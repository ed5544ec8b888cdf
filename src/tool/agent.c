#include "tool/agent.h"

#include "codec/der.h"
#include "codec/sshwire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (256 * 1024)
#define KEYS_MAX   256

enum { LIST_REQUEST = 11, LIST_ANSWER = 12, SIGN_REQUEST = 13, SIGN_ANSWER = 14 };
enum { FLAG_SHA256 = 2, FLAG_SHA512 = 4 };

int agent_open(struct agent *g, struct err *e)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	*g = (struct agent){ .fd = -1 };
	if (!path || !path[0])
		return err_set(e, ENOENT, "no ssh-agent is running (SSH_AUTH_SOCK is not set)");
	if (strlen(path) >= sizeof(to.sun_path))
		return err_set(e, ENAMETOOLONG, "SSH_AUTH_SOCK is too long");
	memcpy(to.sun_path, path, strlen(path));
	g->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (g->fd < 0 || connect(g->fd, (struct sockaddr *)&to, sizeof(to))) {
		err_sys(e, "ssh-agent %s", path);
		agent_close(g);
		return -1;
	}
	return 0;
}

void agent_close(struct agent *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int read_all(int fd, char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = read(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* One request, one answer. `body` begins with the message's type; so does the answer. */
static int call(struct arena *a, struct agent *g, struct str body, struct str *answer, struct err *e)
{
	auto_buf b = BUF_INIT(ANSWER_MAX);
	char head[4];
	uint32_t n = 0;
	struct sshwire w;

	sshwire_put_str(&b, body);
	if (!buf_ok(&b))
		return err_set(e, EMSGSIZE, "the request to ssh-agent is too long");
	if (write_all(g->fd, b.p, b.n) || read_all(g->fd, head, 4))
		return err_set(e, EPROTO, "ssh-agent closed the connection");
	w = sshwire_of(str_make(head, 4));
	sshwire_u32(&w, &n);
	if (n == 0 || n > ANSWER_MAX)
		return err_set(e, EPROTO, "ssh-agent gave an answer of %u bytes", n);
	char *p = arena_alloc(a, n);

	if (read_all(g->fd, p, n))
		return err_set(e, EPROTO, "ssh-agent closed the connection");
	*answer = str_make(p, n);
	return 0;
}

int agent_list(struct arena *a, struct agent *g, struct agent_keys *out, struct err *e)
{
	static const char request = LIST_REQUEST;
	struct str answer;
	struct sshwire w;
	uint8_t type = 0;
	uint32_t n = 0;

	if (call(a, g, str_make(&request, 1), &answer, e))
		return -1;
	w = sshwire_of(answer);
	if (!sshwire_u8(&w, &type) || type != LIST_ANSWER || !sshwire_u32(&w, &n))
		return err_set(e, EPROTO, "ssh-agent does not list its keys");
	if (n > KEYS_MAX)
		n = KEYS_MAX;
	*out = (struct agent_keys){ arena_new_n(a, struct agent_key, n), 0 };
	for (uint32_t i = 0; i < n; i++) {
		struct str blob, comment;

		if (!sshwire_str(&w, &blob) || !sshwire_str(&w, &comment))
			return err_set(e, EPROTO, "ssh-agent's list of keys is cut short");
		if (pubkey_parse_blob(a, blob, &out->v[out->n].key, NULL) == 0)
			out->v[out->n++].comment = comment;
	}
	return 0;
}

/* --- signatures: from SSH's form to X.509's ------------------------------------------------------------ */

/* RFC 8332: as long as the modulus, but some agents leave out leading zeros. */
static bool rsa_signature(struct arena *a, const struct pubkey *k, struct str blob, struct str *sig)
{
	char *p = arena_alloc(a, k->n.n);

	if (blob.n > k->n.n)
		return false;
	memcpy(p + k->n.n - blob.n, blob.p, blob.n);
	*sig = str_make(p, k->n.n);
	return true;
}

/* RFC 5656 section 3.1.2: two mpints; X.509 wants a SEQUENCE of two INTEGERs. */
static bool ecdsa_signature(struct arena *a, struct str blob, struct str *sig)
{
	auto_buf b = BUF_INIT(512);
	struct sshwire w = sshwire_of(blob);
	struct str r, s;
	size_t seq;

	if (!sshwire_mpint(&w, &r) || !sshwire_mpint(&w, &s) || !sshwire_done(&w))
		return false;
	seq = der_open(&b, DER_SEQ);
	der_put_uint(&b, r);
	der_put_uint(&b, s);
	der_close(&b, seq);
	*sig = arena_str(a, buf_as_str(&b));
	return buf_ok(&b);
}

static bool signature_of(struct arena *a, const struct pubkey *k, struct str answer, struct str *sig)
{
	struct sshwire w = sshwire_of(answer), inner;
	struct str both = STR_NONE, type, blob;

	sshwire_str(&w, &both);
	inner = sshwire_of(both);
	if (w.bad || !sshwire_str(&inner, &type) || !sshwire_str(&inner, &blob))
		return false;
	if (k->kind == PUBKEY_RSA)
		return rsa_signature(a, k, blob, sig);
	if (k->kind == PUBKEY_ECDSA)
		return ecdsa_signature(a, blob, sig);
	*sig = blob;
	return true;
}

int agent_sign(struct arena *a, struct agent *g, enum hash_alg hash, struct str msg, struct str *sig, struct err *e)
{
	auto_buf b = BUF_INIT(ANSWER_MAX);
	struct str answer;

	buf_char(&b, SIGN_REQUEST);
	sshwire_put_str(&b, pubkey_blob(a, &g->key));
	sshwire_put_str(&b, msg);
	buf_be32(&b, g->key.kind != PUBKEY_RSA ? 0 : hash == HASH_SHA512 ? FLAG_SHA512 : FLAG_SHA256);
	if (!buf_ok(&b))
		return err_set(e, EMSGSIZE, "the message is too long for ssh-agent");
	if (call(a, g, buf_as_str(&b), &answer, e))
		return -1;
	if (answer.p[0] != SIGN_ANSWER)
		return err_set(e, EACCES, "ssh-agent refused to sign");
	if (!signature_of(a, &g->key, str_drop(answer, 1), sig) || !pubkey_verify(&g->key, hash, msg, *sig))
		return err_set(e, EPROTO, "ssh-agent gave a signature that does not fit the key");
	return 0;
}

static int sign(void *ctx, struct arena *a, enum hash_alg hash, struct str msg, struct str *sig, struct err *e)
{
	return agent_sign(a, ctx, hash, msg, sig, e);
}

struct signer agent_signer(struct agent *g)
{
	return (struct signer){ &g->key, sign, g };
}
