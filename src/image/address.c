#include "image/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>

static enum address_class class_v4(uint32_t ip)       /* host byte order; ranges of RFC 6890 */
{
	static const struct { uint32_t net; int bits; enum address_class c; } ranges[] = {
		{ 0x7f000000, 8, ADDRESS_LOOPBACK },
		{ 0x0a000000, 8, ADDRESS_PRIVATE }, { 0xac100000, 12, ADDRESS_PRIVATE }, { 0xc0a80000, 16, ADDRESS_PRIVATE },
		{ 0x64400000, 10, ADDRESS_PRIVATE }, { 0xc6120000, 15, ADDRESS_PRIVATE },
		{ 0x00000000, 8, ADDRESS_FORBIDDEN }, { 0xa9fe0000, 16, ADDRESS_FORBIDDEN }, { 0xe0000000, 3, ADDRESS_FORBIDDEN },
	};
	size_t i;

	for (i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if ((ip ^ ranges[i].net) >> (32 - ranges[i].bits) == 0)
			return ranges[i].c;
	return ADDRESS_PUBLIC;
}

static enum address_class class_v6(const unsigned char *p)
{
	static const unsigned char zeros[16];
	uint32_t last = (uint32_t)p[12] << 24 | p[13] << 16 | p[14] << 8 | p[15];
	static const unsigned char nat64[12] = { 0, 0x64, 0xff, 0x9b };

	if (memcmp(p, zeros, 15) == 0 && p[15] == 1)
		return ADDRESS_LOOPBACK;
	if ((memcmp(p, zeros, 10) == 0 && p[10] == 0xff && p[11] == 0xff) || memcmp(p, nat64, 12) == 0)
		return class_v4(last);
	if (memcmp(p, zeros, 12) == 0)
		return ADDRESS_FORBIDDEN;
	if ((p[0] & 0xfe) == 0xfc)
		return ADDRESS_PRIVATE;
	if (p[0] == 0xff || (p[0] == 0xfe && p[1] & 0x80))
		return ADDRESS_FORBIDDEN;
	return ADDRESS_PUBLIC;
}

enum address_class address_class_of(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return class_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	if (sa->sa_family == AF_INET6)
		return class_v6(((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
	return ADDRESS_FORBIDDEN;
}

int address_find(struct arena *a, struct str host, enum address_class most, struct str *address, enum address_class *found,
                 struct err *e)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *list = NULL, *at;
	char *name = arena_cstr(a, host), text[INET6_ADDRSTRLEN + 20];
	int rc = getaddrinfo(name, NULL, &want, &list);

	if (rc)
		return err_set(e, EHOSTUNREACH, "lookup %s: %s", name, rc == EAI_NONAME ? "no such host" : gai_strerror(rc));
	for (at = list; at; at = at->ai_next) {
		*found = address_class_of(at->ai_addr);
		if (*found <= most && getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0) {
			*address = arena_str(a, str_of(text));
			freeaddrinfo(list);
			return 0;
		}
	}
	freeaddrinfo(list);
	return err_set(e, EACCES, "%s is at an address where registries are not allowed", name);
}
