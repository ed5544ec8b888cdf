/* Any bytes as a query, and as a resolver's reply: what is answered parses as an answer to that question. */
#include "overlay/dns.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(struct str out, const struct dns_query *q, size_t max)
{
	if (out.n > max || (out.n && !dns_is_reply(out, q, q->id)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct str msg = str_make(p, n), names[] = { STR("web.net"), STR("a..b"), STR("x") };
	struct ip ips[] = { ip_of_v4(1), ip_of_v4(2), { .family = 6 } }, up[3];
	struct dns_records r = { .ips = ips, .nips = 3, .names = { names, 3 }, .ttl = 5 };
	struct dns_query q;
	struct str s, t;
	int rc = dns_parse(&a, msg, &q);

	dns_resolv_conf(msg, up, 3);
	dns_truncated(msg);
	if (rc < 0)
		return 0;
	dns_answer_error(&a, &q, rc ? (enum dns_rcode)rc : DNS_NXDOMAIN);
	if (rc)
		return 0;
	check(dns_answer(&a, &q, &r, q.udp_max), &q, q.udp_max);
	check(dns_answer(&a, &q, &r, 300), &q, 300);
	dns_reverse(q.name, &up[0]);
	dns_service_name(q.name, STR("dc1.triton.local"), &s, &t);
	s = dns_forward(&a, msg, 4711);
	if (dns_is_reply(s, &q, 4711))                    /* a query is no reply */
		abort();
	((char *)s.p)[2] |= (char)0x80;
	if (!dns_is_reply(s, &q, 4711))
		abort();
	check(dns_reply(&a, s, &q, 512), &q, 512);
	return 0;
}
