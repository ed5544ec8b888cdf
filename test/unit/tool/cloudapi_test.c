#include "tool/cloudapi.h"

#include "unit/test.h"

#define PIN "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TEST(addresses)
{
	static const struct { const char *text, *base, *pin; } good[] = {
		{ "dc1", "https://dc1:8443", "" }, { "dc1:443", "https://dc1:443", "" }, { "https://dc1", "https://dc1:8443", "" },
		{ "https://10.0.0.1:1/", "https://10.0.0.1:1", "" }, { "https://dc1#" PIN, "https://dc1:8443", PIN },
		{ "https://dc1:8443/#" PIN, "https://dc1:8443", PIN }, { "[fd00::1]", "https://[fd00::1]:8443", "" },
		{ "https://[fd00::1]:9/", "https://[fd00::1]:9", "" },
	};
	static const struct { const char *text, *part; } bad[] = {
		{ "http://dc1", "https only" }, { "https://dc1/path", "no path" }, { "https://dc1#abc", "fingerprint" },
		{ "https://dc1#" PIN "0", "fingerprint" }, { "https://dc1:99999", "" }, { "", "" }, { "https://", "" }, { "ftp://dc1", "" },
	};
	struct cloudapi c;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		REQUIRE_OK(cloudapi_init(&c, good[i].text, &e), e);
		CHECK_STR(c.base, good[i].base);
		CHECK_STR(c.pin, good[i].pin);
		cloudapi_release(&c);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ERR(cloudapi_init(&c, bad[i].text, &e), e, bad[i].part);
		cloudapi_release(&c);
	}
}
