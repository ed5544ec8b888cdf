#include "cloud/cloud.h"

#include "unit/test.h"

#include <errno.h>

TEST(versions_that_clients_accept)
{
	static const char *const fit[] = { "", " ", "*", "x", "~9", "^8.1", ">=7.2", "9.0.0", "v7.3", "~6||~7", "~99 || ~8", ">6", "7", "=9" };
	static const char *const not[] = { "~6", "6.5.0", "~10", ">=10", ">10.1", "nine", "~6||~10", "|| ~6", "99999999999999999999", "-1" };

	for (size_t i = 0; i < sizeof fit / sizeof *fit; i++)
		if (!cloud_version_fits(str_of(fit[i])))
			test_failed(__FILE__, __LINE__, "%s", fit[i]);
	for (size_t i = 0; i < sizeof not / sizeof *not; i++)
		if (cloud_version_fits(str_of(not[i])))
			test_failed(__FILE__, __LINE__, "%s", not[i]);
}

TEST(keys_are_found_by_name_and_by_both_fingerprints)
{
	struct account_key v[] = {
		{ .name = STR("laptop"), .fingerprint = STR("aa:bb"), .sha256 = STR("SHA256:one") },
		{ .name = STR("aa:cc"), .fingerprint = STR("dd:ee"), .sha256 = STR("SHA256:two") },
	};
	struct account_keys keys = { v, 2 };

	CHECK(cloud_key_find(&keys, STR("laptop")) == &v[0]);
	CHECK(cloud_key_find(&keys, STR("aa:bb")) == &v[0]);
	CHECK(cloud_key_find(&keys, STR("SHA256:two")) == &v[1]);
	CHECK(cloud_key_find(&keys, STR("aa:cc")) == &v[1]);
	CHECK(!cloud_key_find(&keys, STR("Laptop")));
	CHECK(!cloud_key_find(&keys, STR("SHA256:")));
	CHECK(!cloud_key_find(&keys, STR("")));
	CHECK(!cloud_key_find(&(struct account_keys){ 0 }, STR("laptop")));
}

/* Nobody else's name tells whether there is such an account. */
TEST(a_path_is_the_callers_own)
{
	static const struct { const char *login; bool own; } paths[] = {
		{ "me", true }, { "my", true }, { "other", false }, { "Me", false }, { "", false }, { "mee", false },
	};
	struct account me = { .login = STR("me") };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct req r = { .principal = &me };
		struct err e = { 0 };

		r.vars = (struct pairs){ &(struct pair){ STR("account"), str_of(paths[i].login) }, 1 };
		CHECK((cloud_owns(&r, &e) == 0) == paths[i].own);
		CHECK(paths[i].own || e.code == ENOENT);
	}
}
