#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool parse_v4(struct str s, struct ip *out)
{
	struct str part;
	struct ip a = { .family = 4 };
	uint64_t v;
	int i = 0;

	while (str_next(&s, '.', &part)) {
		if (i == 4 || part.n > 3 || (part.n > 1 && part.p[0] == '0') || !str_to_u64(part, &v) || v > 255)
			return false;
		a.b[i++] = (uint8_t)v;
	}
	if (i != 4)
		return false;
	*out = a;
	return true;
}

bool ip_parse(struct str s, struct ip *out)
{
	char text[IP_TEXT_MAX];
	struct ip a = { .family = 6 };

	if (str_find(s, ':') < 0)
		return s.n && s.p[s.n - 1] != '.' && parse_v4(s, out);
	if (s.n >= sizeof text || str_has_nul(s))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET6, text, a.b) != 1)
		return false;
	*out = a;
	return true;
}

struct str ip_format(struct ip a, char out[IP_TEXT_MAX])
{
	out[0] = '\0';
	if (a.family)
		inet_ntop(a.family == 6 ? AF_INET6 : AF_INET, a.b, out, IP_TEXT_MAX);
	return str_of(out);
}

struct ip ip_of_v4(uint32_t v)
{
	return (struct ip){ .family = 4, .b = { v >> 24, v >> 16, v >> 8, v } };
}

uint32_t ip_v4(struct ip a)
{
	if (a.family != 4)
		return 0;
	return (uint32_t)a.b[0] << 24 | (uint32_t)a.b[1] << 16 | (uint32_t)a.b[2] << 8 | a.b[3];
}

bool ip_eq(struct ip a, struct ip b)
{
	return a.family == b.family && memcmp(a.b, b.b, sizeof a.b) == 0;
}

struct ip ip_plus(struct ip a, uint32_t n)
{
	uint64_t carry = n;
	int i;

	for (i = a.family == 6 ? 15 : 3; i >= 0 && carry; i--) {
		carry += a.b[i];
		a.b[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return a;
}

struct ip ip_embed(struct ip prefix, struct ip v4)
{
	memcpy(prefix.b + 12, v4.b, 4);
	return prefix;
}

static unsigned width(struct ip a)
{
	return a.family == 6 ? 128 : 32;
}

bool cidr_parse(struct str s, struct cidr *out)
{
	struct str addr, bits;
	struct cidr c;
	uint64_t n;

	if (!str_cut(s, '/', &addr, &bits) || !ip_parse(addr, &c.ip) || bits.n > 3 ||
	    (bits.n > 1 && bits.p[0] == '0') || !str_to_u64(bits, &n) || n > width(c.ip))
		return false;
	c.bits = (uint8_t)n;
	*out = c;
	return true;
}

struct str cidr_format(struct cidr c, char out[IP_TEXT_MAX + 4])
{
	struct str s = ip_format(c.ip, out);

	if (s.n)
		s.n += (size_t)snprintf(out + s.n, 5, "/%u", c.bits);
	return s;
}

struct cidr cidr_network(struct cidr c)
{
	unsigned i;

	for (i = c.bits; i < width(c.ip); i++)
		c.ip.b[i / 8] &= (uint8_t)~(0x80 >> i % 8);
	return c;
}

bool cidr_has(struct cidr c, struct ip a)
{
	struct cidr other = { a, c.bits };

	return a.family == c.ip.family && ip_eq(cidr_network(c).ip, cidr_network(other).ip);
}

bool cidr_overlaps(struct cidr a, struct cidr b)
{
	return a.bits < b.bits ? cidr_has(a, b.ip) : cidr_has(b, a.ip);
}

bool cidr6_usable(struct cidr c)
{
	uint8_t first = c.ip.b[0], second = c.ip.b[1];

	/* Zero in front: unspecified, loopback, IPv4 in disguise. fe80::/10 and fec0::/10 belong to links, ff00::/8 to groups. */
	return c.ip.family == 6 && c.bits >= 16 && c.bits <= 126 && (first || second) && first != 0xff && !(first == 0xfe && second & 0x80);
}

/* First and last address a host may hold. */
static bool host_range(struct cidr subnet, uint32_t *low, uint32_t *high)
{
	uint32_t base = ip_v4(cidr_network(subnet).ip);

	if (subnet.ip.family != 4 || subnet.bits > 30)
		return false;
	*low = base + 1;
	*high = base + (uint32_t)((1ull << (32 - subnet.bits)) - 2);
	return true;
}

bool cidr_usable(struct cidr subnet, struct ip gateway, struct ip a)
{
	uint32_t low, high, v = ip_v4(a);

	return a.family == 4 && host_range(subnet, &low, &high) && v >= low && v <= high && !ip_eq(a, gateway);
}

struct ip cidr_first(struct cidr subnet)
{
	uint32_t low, high;

	return host_range(subnet, &low, &high) ? ip_of_v4(low) : (struct ip){ 0 };
}

struct ip cidr_next(struct cidr subnet, struct ip gateway, struct ip last)
{
	uint32_t low, high, v = ip_v4(last);
	int i;

	if (!host_range(subnet, &low, &high))
		return (struct ip){ 0 };
	for (i = 0; i < 2; i++) {                 /* at most one address (the gateway) is stepped over */
		v = v < low || v >= high ? low : v + 1;
		if (!ip_eq(ip_of_v4(v), gateway))
			return ip_of_v4(v);
	}
	return (struct ip){ 0 };
}

bool cidr_split(struct cidr pool, uint8_t bits, uint32_t i, struct cidr *out)
{
	if (pool.ip.family != 4 || bits < pool.bits || bits > 32 || (uint64_t)i >= 1ull << (bits - pool.bits))
		return false;
	*out = (struct cidr){ ip_of_v4(ip_v4(cidr_network(pool).ip) + (uint32_t)((uint64_t)i << (32 - bits))), bits };
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(struct str s, struct mac *out)
{
	static const struct mac none;
	struct mac m;
	int i, high, low;

	if (s.n != 17)
		return false;
	for (i = 0; i < 6; i++) {
		high = hex_value(s.p[3 * i]);
		low = hex_value(s.p[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && s.p[3 * i + 2] != ':'))
			return false;
		m.b[i] = (uint8_t)(high << 4 | low);
	}
	if ((m.b[0] & 1) || mac_eq(m, none))
		return false;
	*out = m;
	return true;
}

struct str mac_format(struct mac m, char out[MAC_TEXT_MAX])
{
	int n = snprintf(out, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2], m.b[3], m.b[4], m.b[5]);

	return str_make(out, (size_t)n);
}

bool mac_eq(struct mac a, struct mac b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}

struct mac mac_of_ip(struct ip a)
{
	return (struct mac){ { 0x02, 0x42, a.b[0], a.b[1], a.b[2], a.b[3] } };
}

struct ip ip_link_local(struct mac m)
{
	return (struct ip){ .family = 6, .b = { 0xfe, 0x80, [8] = m.b[0] ^ 2, m.b[1], m.b[2], 0xff, 0xfe, m.b[3], m.b[4], m.b[5] } };
}

bool host_port_cut(struct str text, struct str *host, struct str *port)
{
	ptrdiff_t colon = str_rfind(text, ':');

	if (colon < 0)
		return false;
	*host = str_head(text, (size_t)colon);
	*port = str_drop(text, (size_t)colon + 1);
	if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		*host = str_make(host->p + 1, host->n - 2);
	return true;
}
