#include "base/buf.h"
#include "overlay/dns.h"
#include "unit/test.h"

static void put(struct buf *b, const char *hex_or_text, size_t n)
{
	buf_add(b, hex_or_text, n);
}

static void put16(struct buf *b, unsigned v)
{
	buf_char(b, (char)(v >> 8));
	buf_char(b, (char)v);
}

static void put_name(struct buf *b, const char *name)
{
	struct str rest = str_of(name), label;

	while (*name && str_next(&rest, '.', &label)) {
		buf_char(b, (char)label.n);
		buf_str(b, label);
	}
	buf_char(b, 0);
}

/* flags 0x0100: a plain recursive query. */
static struct str query(struct arena *a, const char *name, unsigned type, unsigned edns)
{
	auto_buf b = BUF_INIT(4096);

	put16(&b, 0xbeef);
	put16(&b, 0x0100);
	put16(&b, 1), put16(&b, 0), put16(&b, 0), put16(&b, edns ? 1 : 0);
	put_name(&b, name);
	put16(&b, type), put16(&b, 1);
	if (edns) {
		buf_char(&b, 0);
		put16(&b, DNS_OPT), put16(&b, edns), put16(&b, 0), put16(&b, 0), put16(&b, 4);
		put(&b, "\0\1\0\0", 4);
	}
	return arena_str(a, buf_as_str(&b));
}

static unsigned u16(struct str m, size_t at)
{
	return at + 2 <= m.n ? (unsigned)((uint8_t)m.p[at] << 8 | (uint8_t)m.p[at + 1]) : 0xfffff;
}

TEST(queries_are_read)
{
	auto_arena a = ARENA_INIT;
	struct dns_query q;

	CHECK_INT(dns_parse(&a, query(&a, "Web.EXAMPLE", DNS_A, 0), &q), 0);
	CHECK_STR(q.name, "web.example");
	CHECK_INT(q.id, 0xbeef);
	CHECK_INT(q.type, DNS_A);
	CHECK(q.recursion && !q.edns);
	CHECK_INT(q.udp_max, 512);
	CHECK_INT(dns_parse(&a, query(&a, "x", DNS_AAAA, 4096), &q), 0);
	CHECK(q.edns);
	CHECK_INT(q.udp_max, DNS_EDNS_MAX);
	CHECK_INT(dns_parse(&a, query(&a, "x", DNS_AAAA, 100), &q), 0);
	CHECK_INT(q.udp_max, 512);
	CHECK_INT(dns_parse(&a, query(&a, "", DNS_NS, 0), &q), 0);
	CHECK_STR(q.name, "");
	CHECK_INT(dns_parse(&a, query(&a, "a\\b\x01 c", DNS_A, 0), &q), 0);
	CHECK_STR(q.name, "a\\092b\\001\\032c");
}

/* Every prefix of a good query, every flipped byte: an error or a query, never a read outside (sanitizers watch). */
TEST(bad_queries_are_refused)
{
	auto_arena a = ARENA_INIT;
	struct str good = query(&a, "web.example", DNS_A, 1232), m;
	struct dns_query q;
	size_t i;
	int bit;

	for (i = 0; i < good.n; i++)
		CHECK(dns_parse(&a, arena_str(&a, str_head(good, i)), &q) != 0);
	for (i = 0; i < good.n; i++)
		for (bit = 0; bit < 8; bit++) {
			m = arena_str(&a, good);
			((char *)m.p)[i] ^= (char)(1 << bit);
			dns_parse(&a, m, &q);
		}
	m = arena_str(&a, good);
	((char *)m.p)[2] |= (char)0x80;                   /* a reply */
	CHECK_INT(dns_parse(&a, m, &q), -1);
	((char *)m.p)[2] = 0x28;                          /* an update */
	CHECK_INT(dns_parse(&a, m, &q), DNS_NOTIMP);
	((char *)m.p)[2] = 1;
	((char *)m.p)[5] = 2;                             /* two questions */
	CHECK_INT(dns_parse(&a, m, &q), DNS_FORMERR);
	m = arena_printf(&a, "%.*sx", 0, "");
	{
		auto_buf b = BUF_INIT(4096);

		put(&b, "\1\2\1\0\0\1\0\0\0\0\0\0", 12);
		put(&b, "\300\014\0\1\0\1", 6);                 /* a name that points at itself */
		CHECK_INT(dns_parse(&a, buf_as_str(&b), &q), DNS_FORMERR);
	}
	{
		auto_buf b = BUF_INIT(4096);

		put(&b, "\1\2\1\0\0\1\0\0\0\0\0\0", 12);
		for (i = 0; i < 5; i++) {                       /* 5 * 64 bytes are more than a name may have */
			buf_char(&b, 63);
			buf_puts(&b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		}
		put(&b, "\0\0\1\0\1", 5);
		CHECK_INT(dns_parse(&a, buf_as_str(&b), &q), DNS_FORMERR);
	}
	{
		auto_buf b = BUF_INIT(4096);

		buf_str(&b, query(&a, "x", DNS_A, 0));
		buf_char(&b, 0);                                /* one byte too many */
		CHECK_INT(dns_parse(&a, buf_as_str(&b), &q), DNS_FORMERR);
	}
}

TEST(answers)
{
	auto_arena a = ARENA_INIT;
	struct ip ips[40];
	struct str name = STR("web.mynet");
	struct dns_records r = { .ips = ips, .nips = 2, .names = { &name, 1 }, .ttl = 5 };
	struct dns_query q;
	struct str out;
	size_t i;

	for (i = 0; i < 40; i++)
		ips[i] = ip_of_v4(0xac110002 + (uint32_t)i);
	REQUIRE(dns_parse(&a, query(&a, "WEB", DNS_A, 0), &q) == 0);
	out = dns_answer(&a, &q, &r, q.udp_max);
	CHECK_INT(u16(out, 0), 0xbeef);
	CHECK_INT(u16(out, 2), 0x8580);                   /* reply, authoritative, recursion wanted and there */
	CHECK_INT(u16(out, 6), 2);
	CHECK_STR(str_make(out.p + 12, 5), str_make("\3WEB\0", 5));   /* the question as it was asked */
	CHECK_STR(str_drop(out, 21), str_make("\300\014\0\1\0\1\0\0\0\5\0\4\254\21\0\2\300\014\0\1\0\1\0\0\0\5\0\4\254\21\0\3", 32));
	CHECK(dns_is_reply(out, &q, 0xbeef));

	REQUIRE(dns_parse(&a, query(&a, "web", DNS_AAAA, 1232), &q) == 0);
	out = dns_answer(&a, &q, &r, q.udp_max);          /* no IPv6, but the name is there */
	CHECK_INT(u16(out, 2) & 15, DNS_NOERROR);
	CHECK_INT(u16(out, 6), 0);
	CHECK_INT(u16(out, 10), 1);

	REQUIRE(dns_parse(&a, query(&a, "2.0.17.172.in-addr.arpa", DNS_PTR, 0), &q) == 0);
	out = dns_answer(&a, &q, &r, q.udp_max);
	CHECK_INT(u16(out, 6), 1);
	CHECK_STR(str_drop(out, out.n - 11), str_make("\3web\5mynet\0", 11));

	r.nips = 40;
	REQUIRE(dns_parse(&a, query(&a, "web", DNS_A, 0), &q) == 0);
	out = dns_answer(&a, &q, &r, q.udp_max);
	CHECK(out.n <= 512);
	CHECK(dns_truncated(out));
	CHECK_INT(u16(out, 6), (512 - 21) / 16);
	out = dns_answer(&a, &q, &r, DNS_MESSAGE_MAX);
	CHECK_INT(u16(out, 6), 40);
	CHECK(!dns_truncated(out));
	CHECK_INT(dns_answer(&a, &q, &r, 20).n, 0);

	out = dns_answer_error(&a, &q, DNS_NXDOMAIN);
	CHECK_INT(u16(out, 2), 0x8583);
	CHECK_INT(out.n, 21);
	REQUIRE(dns_parse(&a, str_make("\1\2\1\0\0\7\0\0\0\0\0\0", 12), &q) == DNS_FORMERR);
	out = dns_answer_error(&a, &q, DNS_FORMERR);
	CHECK_INT(out.n, 12);
	CHECK_INT(u16(out, 2) & 15, DNS_FORMERR);
}

TEST(forwarding)
{
	auto_arena a = ARENA_INIT;
	struct str asked = query(&a, "example.com", DNS_A, 0), sent, reply, other, out;
	struct dns_query q;
	auto_buf big = BUF_INIT(4096);

	REQUIRE(dns_parse(&a, asked, &q) == 0);
	sent = dns_forward(&a, asked, 77);
	CHECK_INT(u16(sent, 0), 77);
	CHECK_STR(str_drop(sent, 2), str_drop(asked, 2));
	CHECK(!dns_is_reply(sent, &q, 77));
	reply = arena_str(&a, sent);
	((char *)reply.p)[2] |= (char)0x80;
	CHECK(dns_is_reply(reply, &q, 77));
	CHECK(!dns_is_reply(reply, &q, 78));
	((char *)reply.p)[13] = 'E';                      /* case does not matter */
	CHECK(dns_is_reply(reply, &q, 77));
	other = dns_forward(&a, query(&a, "example.org", DNS_A, 0), 77);
	((char *)other.p)[2] |= (char)0x80;
	CHECK(!dns_is_reply(other, &q, 77));
	CHECK(!dns_is_reply(str_head(reply, reply.n - 1), &q, 77));
	CHECK_INT(u16(dns_reply(&a, reply, &q, 512), 0), 0xbeef);
	buf_str(&big, reply);
	while (big.n < 600)
		buf_char(&big, 0);
	out = dns_reply(&a, buf_as_str(&big), &q, 512);
	CHECK(dns_truncated(out));
	CHECK_INT(out.n, asked.n);
	CHECK(dns_is_reply(out, &q, 0xbeef));
	CHECK_INT(dns_reply(&a, buf_as_str(&big), &q, 1232).n, 600);
}

TEST(names)
{
	struct str service, account;
	char text[IP_TEXT_MAX];
	struct ip ip;

	CHECK(dns_reverse(STR("2.0.17.172.in-addr.arpa"), &ip));
	CHECK_STR(ip_format(ip, text), "172.17.0.2");
	CHECK(!dns_reverse(STR("2.0.17.in-addr.arpa"), &ip));
	CHECK(!dns_reverse(STR("x.2.0.17.172.in-addr.arpa"), &ip));
	CHECK(!dns_reverse(STR(".in-addr.arpa"), &ip));
	CHECK(!dns_reverse(STR("172.17.0.2"), &ip));

	CHECK(dns_reverse(STR("1.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"), &ip));
	CHECK_STR(ip_format(ip, text), "2001:db8::a01");
	CHECK(!dns_reverse(STR("0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"), &ip));
	CHECK(!dns_reverse(STR("1.1.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"), &ip));
	CHECK(!dns_reverse(STR("g.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"), &ip));
	CHECK(!dns_reverse(STR("1x0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"), &ip));
	CHECK(!dns_reverse(STR("..............................................................2.ip6.arpa"), &ip));
	CHECK(!dns_reverse(STR(".ip6.arpa"), &ip));
	CHECK(!dns_reverse(STR("2001:db8::a01.ip6.arpa"), &ip));

	CHECK(dns_name_is_ours(STR("web"), STR("dc1.triton.local")));
	CHECK(dns_name_is_ours(STR("a.b.dc1.triton.local"), STR("dc1.triton.local")));
	CHECK(dns_name_is_ours(STR("dc1.triton.local"), STR("dc1.triton.local")));
	CHECK(!dns_name_is_ours(STR("xdc1.triton.local"), STR("dc1.triton.local")));
	CHECK(!dns_name_is_ours(STR("example.com"), STR("dc1.triton.local")));
	CHECK(!dns_name_is_ours(STR(""), STR("dc1.triton.local")));
	CHECK(!dns_name_is_ours(STR("example.com"), STR("")));

	CHECK(dns_service_name(STR("web.svc.alice.b.dc1.triton.local"), STR("dc1.triton.local"), &service, &account));
	CHECK_STR(service, "web");
	CHECK_STR(account, "alice.b");
	CHECK(!dns_service_name(STR("web.svc.dc1.triton.local"), STR("dc1.triton.local"), &service, &account));
	CHECK(!dns_service_name(STR("svc.alice.dc1.triton.local"), STR("dc1.triton.local"), &service, &account));
	CHECK(!dns_service_name(STR("web.svc.alice.dc2.triton.local"), STR("dc1.triton.local"), &service, &account));
}

TEST(resolv_conf)
{
	struct ip v[3];
	char text[IP_TEXT_MAX];

	CHECK_INT(dns_resolv_conf(STR("# me\nnameserver 192.0.2.1\n\tnameserver\t192.0.2.2 # x\nsearch nameserver\noptions a\n"
		"nameservers 1.1.1.1\nnameserver fe80::1%eth0\nnameserver 999.1.1.1\nnameserver\nnameserver fd00::53"), v, 3), 3);
	CHECK_STR(ip_format(v[0], text), "192.0.2.1");
	CHECK_STR(ip_format(v[1], text), "192.0.2.2");
	CHECK_STR(ip_format(v[2], text), "fd00::53");
	CHECK_INT(dns_resolv_conf(STR("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n"), v, 3), 3);
	CHECK_INT(dns_resolv_conf(STR_NONE, v, 3), 0);
}
