/* Any bytes as an image's /etc/passwd and /etc/group, with users that ask for what is in them; and as resolv.conf and detach keys. The
 * first line is the user asked for, the second an additional group. */
#include "model/detach.h"
#include "overlay/dns.h"
#include "runtime/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void users(struct str text)
{
	struct str spec = STR_NONE, group = STR_NONE;
	struct strs none = { 0 }, extra = { &group, 1 };
	static struct user u;
	struct err e;

	str_next(&text, '\n', &spec);
	str_next(&text, '\n', &group);
	user_resolve(text, text, STR("root"), &none, &u, &e);
	if (user_resolve(text, text, spec, &extra, &u, &e))
		return;
	if (u.uid > INT32_MAX || u.gid > INT32_MAX || u.ngroups > USER_GROUPS_MAX || u.ngroups == 0)
		abort();
	for (size_t i = 0; i < u.ngroups; i++)
		if (u.groups[i] > INT32_MAX)
			abort();
	if (!memchr(u.home, 0, sizeof u.home) || !memchr(u.name, 0, sizeof u.name))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = str_make(p, n);
	struct ip servers[3];
	uint8_t keys[DETACH_KEYS_MAX];
	size_t nkeys;
	struct err e;

	users(text);
	if (dns_resolv_conf(text, servers, 3) > 3)
		abort();
	if (detach_keys_parse(text, keys, &nkeys, &e) == 0 && nkeys > sizeof keys)
		abort();
	return 0;
}
