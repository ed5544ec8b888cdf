/* Frames and handshake, pure; see websocket.h. The bridge is in websocket_bridge.c. */
#include "http/websocket.h"

#include "codec/base64.h"

#include <bearssl_hash.h>
#include <errno.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"   /* RFC 6455 section 1.3 */

/* "https://host:port" and "host:port". */
static bool is_same_site(struct str origin, struct str host)
{
	ptrdiff_t scheme = str_find_str(origin, STR("://"));

	return scheme > 0 && str_eq_nocase(str_drop(origin, (size_t)scheme + 3), host);
}

int websocket_check(struct arena *a, const struct http_head *h, struct str *accept, struct err *e)
{
	struct str key = str_trim(http_header(h, "Sec-WebSocket-Key")), origin = http_header(h, "Origin"), nonce;
	unsigned char sum[br_sha1_SIZE];
	br_sha1_context sha1;

	if (!h->upgrade || !http_header_has(h, "Upgrade", "websocket"))
		return err_set(e, EINVAL, "this is for WebSockets: the request is no upgrade to one");
	if (!str_is(str_trim(http_header(h, "Sec-WebSocket-Version")), "13"))
		return err_set(e, EINVAL, "only version 13 of WebSockets is spoken here");
	if (!base64_decode(a, key, &nonce) || nonce.n != 16)
		return err_set(e, EINVAL, "Sec-WebSocket-Key is not 16 bytes in base64");
	if (origin.n && !is_same_site(origin, http_header(h, "Host")))
		return err_set(e, EPERM, "a page of %.*s may not attach here", STR_ARG(str_head(origin, 100)));
	br_sha1_init(&sha1);
	br_sha1_update(&sha1, key.p, key.n);
	br_sha1_update(&sha1, GUID, sizeof GUID - 1);
	br_sha1_out(&sha1, sum);
	*accept = base64_encode(a, str_make((const char *)sum, sizeof sum));
	return 0;
}

/* ---- reading ---- */

static size_t head_size(const unsigned char *head, size_t have)
{
	int code = have < 2 ? 0 : head[1] & 0x7f;

	if (have < 2 || !(head[1] & 0x80))            /* without a mask it is nonsense already */
		return 2;
	return 2 + 4 + (code == 126 ? 2 : code == 127 ? 8 : 0);
}

static int begin_frame(struct websocket *w, struct err *e)
{
	const unsigned char *h = w->head;
	int code = h[1] & 0x7f, op = h[0] & 0x0f;
	bool fin = h[0] & 0x80, control = op & 8;
	size_t bytes = code == 126 ? 2 : code == 127 ? 8 : 0, i;

	w->left = bytes ? 0 : (uint64_t)code;
	for (i = 0; i < bytes; i++)
		w->left = w->left << 8 | h[2 + i];
	if ((h[0] & 0x70) || !(h[1] & 0x80))
		return err_set(e, EPROTO, "websocket: a frame with reserved bits, or without a mask");
	if ((w->left >> 63) || (code == 126 && w->left < 126) || (code == 127 && w->left < 65536))
		return err_set(e, EPROTO, "websocket: a length in the wrong form");
	if (control ? !fin || w->left > WEBSOCKET_CONTROL_MAX || op > WEBSOCKET_PONG : op > 2)
		return err_set(e, EPROTO, "websocket: a frame that there is not");
	if (!control && (op == 0) != w->in_message)
		return err_set(e, EPROTO, "websocket: messages inside each other");
	if (!control)
		w->in_message = !fin;
	w->op = control ? op : WEBSOCKET_DATA;
	memmove(w->head, h + 2 + bytes, 4);           /* the mask */
	w->inside = true;
	w->at = w->have = 0;
	return 0;
}

static void end_frame(struct websocket *w)
{
	w->inside = false;
	w->have = 0;
}

int websocket_next(struct websocket *w, unsigned char **p, size_t *n, struct str *out, struct err *e)
{
	size_t take, i;

	for (;;) {
		while (!w->inside) {
			if (w->have == head_size(w->head, w->have)) {
				if (begin_frame(w, e))
					return -2;
				break;
			}
			if (*n == 0)
				return WEBSOCKET_MORE;
			w->head[w->have++] = *(*p)++;
			--*n;
		}
		take = w->left < *n ? (size_t)w->left : *n;
		for (i = 0; i < take; i++)
			(*p)[i] ^= w->head[(w->at + i) & 3];
		if (w->op != WEBSOCKET_DATA && take)
			memcpy(w->control + w->at, *p, take);
		*out = str_make((char *)*p, take);
		*p += take;
		*n -= take;
		w->at += take;
		w->left -= take;
		if (w->left == 0) {
			end_frame(w);
			if (w->op != WEBSOCKET_DATA) {
				*out = str_make((char *)w->control, (size_t)w->at);
				return w->op;
			}
		}
		if (w->op == WEBSOCKET_DATA && take)
			return WEBSOCKET_DATA;
		if (w->left)
			return WEBSOCKET_MORE;
	}
}

/* ---- writing ---- */

size_t websocket_head(unsigned char out[WEBSOCKET_HEAD_MAX], enum websocket_op op, size_t n)
{
	int bytes = n < 126 ? 0 : n < 65536 ? 2 : 8, i;

	out[0] = (unsigned char)(0x80 | op);
	out[1] = (unsigned char)(bytes == 0 ? n : bytes == 2 ? 126 : 127);
	for (i = 0; i < bytes; i++)
		out[2 + i] = (unsigned char)((uint64_t)n >> 8 * (bytes - 1 - i));
	return 2 + (size_t)bytes;
}
