#include "overlay/dns.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>

#define HEADER      12
#define LABEL_MAX   63
#define WIRE_MAX    255                               /* of a name, RFC 1035 section 2.3.4 */
#define CLASS_IN    1
#define CLASS_ANY   255
#define EXTRA_MAX   16                                /* additional records in a query: an OPT, perhaps a signature */

enum { QR = 0x8000, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080 };

static uint16_t u16(struct str m, size_t at)
{
	return (uint16_t)((uint8_t)m.p[at] << 8 | (uint8_t)m.p[at + 1]);
}

static void put16(struct buf *b, unsigned v)
{
	buf_char(b, (char)(v >> 8));
	buf_char(b, (char)v);
}

/* Length of the encoded name at `at`, 0 when it is malformed. A pointer ends it; it is not followed. */
static size_t name_skip(struct str m, size_t at, bool pointer)
{
	size_t from = at;

	while (at < m.n) {
		uint8_t n = (uint8_t)m.p[at];

		if (n == 0)
			return at + 1 - from > WIRE_MAX ? 0 : at + 1 - from;
		if (n >= 0xc0)
			return pointer && at + 2 <= m.n && (u16(m, at) & 0x3fff) < from ? at + 2 - from : 0;
		if (n > LABEL_MAX)
			return 0;
		at += 1u + n;
	}
	return 0;
}

/* Labels to text: lower case, unusual bytes as \ddd, so that no label can pretend to be two. */
static struct str name_text(struct arena *a, struct str m, size_t at)
{
	char *out = arena_alloc(a, 4 * WIRE_MAX + 1);
	size_t n = 0;
	uint8_t len;

	while ((len = (uint8_t)m.p[at++]) != 0) {
		if (n)
			out[n++] = '.';
		for (; len; len--, at++) {
			uint8_t c = (uint8_t)m.p[at];

			if (c >= 'A' && c <= 'Z')
				c |= 0x20;
			if (c <= ' ' || c >= 0x7f || c == '.' || c == '\\')
				n += (size_t)snprintf(out + n, 5, "\\%03u", c);
			else
				out[n++] = (char)c;
		}
	}
	return str_make(out, n);
}

static bool additional(struct str m, size_t at, unsigned count, struct dns_query *q)
{
	if (count > EXTRA_MAX)
		return false;
	for (; count; count--) {
		size_t name = name_skip(m, at, true);
		bool root = name == 1;

		if (!name || m.n - at < name + 10)
			return false;
		at += name;
		if (u16(m, at) == DNS_OPT && root) {
			size_t max = u16(m, at + 2);              /* the class says what fits into the client */

			q->edns = true;
			q->udp_max = max < DNS_UDP_MAX ? DNS_UDP_MAX : max > DNS_EDNS_MAX ? DNS_EDNS_MAX : max;
		}
		if (m.n - at - 10 < u16(m, at + 8))
			return false;
		at += 10u + u16(m, at + 8);
	}
	return at == m.n;
}

int dns_parse(struct arena *a, struct str m, struct dns_query *q)
{
	uint16_t flags;
	size_t n;

	*q = (struct dns_query){ .udp_max = DNS_UDP_MAX };
	if (m.n < HEADER || m.n > DNS_MESSAGE_MAX)
		return -1;
	q->id = u16(m, 0);
	flags = u16(m, 2);
	if (flags & QR)
		return -1;
	q->opcode = flags >> 11 & 15;
	q->recursion = flags & RD;
	if (q->opcode != 0)
		return DNS_NOTIMP;
	if (u16(m, 4) != 1 || u16(m, 6) != 0 || u16(m, 8) != 0)
		return DNS_FORMERR;
	n = name_skip(m, HEADER, false);
	if (!n || m.n < HEADER + n + 4)
		return DNS_FORMERR;
	q->name = name_text(a, m, HEADER);
	q->type = u16(m, HEADER + n);
	q->klass = u16(m, HEADER + n + 2);
	q->question = str_make(m.p + HEADER, n + 4);
	if (!additional(m, HEADER + n + 4, u16(m, 10), q))
		return DNS_FORMERR;
	if (q->klass != CLASS_IN && q->klass != CLASS_ANY)
		return DNS_REFUSED;
	return 0;
}

/* 32 digits, the last first (RFC 3596 section 2.5). */
static bool reverse6(struct str digits, struct ip *out)
{
	struct ip ip = { .family = 6 };

	if (digits.n != 63)
		return false;
	for (size_t i = 0; i < 32; i++) {
		char c = digits.p[2 * i];
		int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (value < 0 || (i < 31 && digits.p[2 * i + 1] != '.'))
			return false;
		ip.b[15 - i / 2] |= (uint8_t)(i % 2 ? value << 4 : value);
	}
	*out = ip;
	return true;
}

bool dns_reverse(struct str name, struct ip *out)
{
	static const struct str zone6 = { ".ip6.arpa", 9 };
	static const struct str zone = { ".in-addr.arpa", 13 };
	struct ip back;

	if (str_ends(name, zone6))
		return reverse6(str_head(name, name.n - zone6.n), out);
	if (!str_ends(name, zone) || !ip_parse(str_head(name, name.n - zone.n), &back) || back.family != 4)
		return false;
	*out = (struct ip){ .family = 4, .b = { back.b[3], back.b[2], back.b[1], back.b[0] } };
	return true;
}

/* --- answers --- */

static void header(struct buf *b, const struct dns_query *q, unsigned flags, unsigned answers, bool edns)
{
	put16(b, q->id);
	put16(b, QR | RA | flags | (unsigned)q->opcode << 11 | (q->recursion ? RD : 0));
	put16(b, q->question.n ? 1 : 0);
	put16(b, answers);
	put16(b, 0);
	put16(b, edns ? 1 : 0);
	buf_str(b, q->question);
}

static void opt(struct buf *b)
{
	buf_char(b, 0);
	put16(b, DNS_OPT);
	put16(b, DNS_EDNS_MAX);
	buf_be32(b, 0);
	put16(b, 0);
}

static void record(struct buf *b, unsigned type, uint32_t ttl, size_t n)
{
	put16(b, 0xc000 | HEADER);                        /* the name in the question */
	put16(b, type);
	put16(b, CLASS_IN);
	buf_be32(b, ttl);
	put16(b, (unsigned)n);
}

/* A name of ours as labels; false when it cannot be one. */
static bool name_wire(struct str name, struct buf *b)
{
	struct str label;

	if (!name.n || name.n > WIRE_MAX - 2)
		return false;
	while (str_next(&name, '.', &label)) {
		if (!label.n || label.n > LABEL_MAX)
			return false;
		buf_char(b, (char)label.n);
		buf_str(b, label);
	}
	buf_char(b, 0);
	return true;
}

static struct str finish(struct arena *a, const struct buf *b)
{
	return arena_str(a, buf_as_str(b));
}

struct str dns_answer(struct arena *a, const struct dns_query *q, const struct dns_records *r, size_t max)
{
	size_t tail = q->edns ? 11 : 0, room, count = 0, i;
	auto_buf out = BUF_INIT(DNS_MESSAGE_MAX), body = BUF_INIT(DNS_MESSAGE_MAX);
	bool cut = false;

	if (HEADER + q->question.n + tail > max)
		return STR_NONE;
	room = max - HEADER - q->question.n - tail;
	for (i = 0; i < r->nips && !cut; i++) {
		const struct ip *ip = &r->ips[i];
		unsigned type = ip->family == 6 ? DNS_AAAA : DNS_A;
		size_t n = ip->family == 6 ? 16 : 4;

		if (q->type != type && q->type != DNS_ANY)
			continue;
		cut = body.n + 12 + n > room;
		if (cut)
			break;
		record(&body, type, r->ttl, n);
		buf_add(&body, ip->b, n);
		count++;
	}
	for (i = 0; i < r->names.n && q->type == DNS_PTR && !cut; i++) {
		auto_buf name = BUF_INIT(WIRE_MAX + 1);

		if (!name_wire(r->names.v[i], &name) || !buf_ok(&name))
			continue;
		cut = body.n + 12 + name.n > room;
		if (cut)
			break;
		record(&body, DNS_PTR, r->ttl, name.n);
		buf_str(&body, buf_as_str(&name));
		count++;
	}
	header(&out, q, AA | (cut ? TC : 0), (unsigned)count, q->edns);
	buf_str(&out, buf_as_str(&body));
	if (q->edns)
		opt(&out);
	return finish(a, &out);
}

struct str dns_answer_error(struct arena *a, const struct dns_query *q, enum dns_rcode rcode)
{
	auto_buf out = BUF_INIT(DNS_UDP_MAX);

	header(&out, q, rcode == DNS_NXDOMAIN ? AA | rcode : rcode, 0, q->edns);
	if (q->edns)
		opt(&out);
	return finish(a, &out);
}

/* --- forwarding --- */

struct str dns_forward(struct arena *a, struct str msg, uint16_t id)
{
	struct str copy = arena_str(a, msg);
	char *p = (char *)copy.p;

	p[0] = (char)(id >> 8);
	p[1] = (char)id;
	return copy;
}

bool dns_is_reply(struct str msg, const struct dns_query *q, uint16_t id)
{
	return msg.n >= HEADER + q->question.n && u16(msg, 0) == id && (u16(msg, 2) & QR) && u16(msg, 4) == 1 &&
	       str_eq_nocase(str_make(msg.p + HEADER, q->question.n), q->question);
}

struct str dns_reply(struct arena *a, struct str msg, const struct dns_query *q, size_t max)
{
	auto_buf out = BUF_INIT(DNS_UDP_MAX);

	if (msg.n <= max)
		return dns_forward(a, msg, q->id);
	put16(&out, q->id);
	put16(&out, u16(msg, 2) | TC);
	put16(&out, 1);
	put16(&out, 0);
	put16(&out, 0);
	put16(&out, 0);
	buf_str(&out, q->question);
	return finish(a, &out);
}

bool dns_truncated(struct str msg)
{
	return msg.n >= HEADER && u16(msg, 2) & TC;
}

size_t dns_resolv_conf(struct str text, struct ip *out, size_t max)
{
	struct str line, word;
	size_t n = 0;

	while (n < max && str_next(&text, '\n', &line)) {
		line = str_trim(line);
		if (!str_starts(line, STR("nameserver")) || line.n == 10 || (line.p[10] != ' ' && line.p[10] != '\t'))
			continue;
		word = str_trim(str_drop(line, 10));
		for (size_t i = 0; i < word.n; i++)
			if (word.p[i] == ' ' || word.p[i] == '\t' || word.p[i] == '\r')
				word = str_head(word, i);
		if (ip_parse(word, &out[n]))              /* one with a scope (fe80::1%eth0) is left out */
			n++;
	}
	return n;
}

/* --- names --- */

static bool below(struct str name, struct str zone, struct str *rest)
{
	if (!zone.n || name.n <= zone.n || !str_ends(name, zone) || name.p[name.n - zone.n - 1] != '.')
		return false;
	*rest = str_head(name, name.n - zone.n - 1);
	return true;
}

bool dns_name_is_ours(struct str name, struct str zone)
{
	struct str rest;

	return (name.n && str_find(name, '.') < 0) || below(name, zone, &rest) || (zone.n && str_eq(name, zone));
}

bool dns_service_name(struct str name, struct str zone, struct str *service, struct str *account)
{
	struct str rest, middle;

	/* An account's login may have dots: the service is the first label, "svc" the second. */
	return below(name, zone, &rest) && str_cut(rest, '.', service, &middle) && service->n &&
	       str_cut(middle, '.', &rest, account) && str_is(rest, "svc") && account->n;
}
