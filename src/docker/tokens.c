/* POST /triton/v1/tokens on the local socket: what `triton token` asks. */
#include "docker/api.h"

#include "base/clock.h"
#include "base/rand.h"
#include "codec/pubkey.h"
#include "codec/x509.h"
#include "model/token.h"

#include <errno.h>

#define TOKEN_SECONDS 3600

struct token_request { int64_t seconds; };
static const struct field token_request_fields[] = { FIELD(1, token_request, seconds, "seconds", 0), FIELD_END };

struct token_answer { struct str token, peer; struct field_time expires; };
static const struct field token_answer_fields[] = {
	FIELD(1, token_answer, token,   "token",   0),
	FIELD(2, token_answer, peer,    "peer",    0),
	FIELD(3, token_answer, expires, "expires", 0),
	FIELD_END
};

int admin_token_add(struct req *r, struct err *e)
{
	struct api *api = api_of(r);
	struct arena *a = &r->arena;
	struct token_request q = { .seconds = TOKEN_SECONDS };
	struct token t = { .secret = rand_hex(a, TOKEN_SECRET_DIGITS) };
	struct join_token in = { .hash = hash_sha256_hex(a, t.secret) };
	struct token_answer out = { .peer = api->peer_endpoint };
	struct str der;

	if (!api->peer_endpoint.n)
		return err_set(e, EINVAL, "this node listens for no others: it was started with --peer ''");
	if (req_json(r, token_request_fields, &q, e) || x509_from_pem(a, api->ca_pem, &der, e))
		return -1;
	if (q.seconds < 1 || q.seconds > 30 * 86400)
		return err_set(e, EINVAL, "a token is good for 1 second to 30 days, not %lld seconds", (long long)q.seconds);
	t.authority = x509_fingerprint(a, der);
	in.created.ns = clock_wall_ns();
	in.expires.ns = in.created.ns + q.seconds * 1000000000;
	if (api_command(r, CMD_TOKEN_CREATE, join_token_fields, &in, NULL, NULL, e))
		return -1;
	out.token = token_text(a, &t);
	out.expires = in.expires;
	return reply(r, 201, token_answer_fields, &out, e);
}
