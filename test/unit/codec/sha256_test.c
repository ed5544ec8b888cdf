#include "codec/sha256.h"

#include "unit/test.h"

static void check(struct str in, const char *hex)
{
	char out[DIGEST_TEXT + 1];

	sha256_digest_of(in, out);
	CHECK_STR(digest_hex(str_of(out)), hex);
}

TEST(known_answers)                               /* FIPS 180-4 examples */
{
	check(STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(any_cut_gives_bearssls_answer)
{
	char data[1000], got[DIGEST_TEXT + 1], want[DIGEST_TEXT + 1];
	int round;
	size_t i;

	for (round = 0; round < 500; round++) {
		size_t n = test_rand() % sizeof data, at = 0;
		struct sha256 s, soft;

		for (i = 0; i < n; i++)
			data[i] = test_rand();
		br_sha256_init(&soft.soft);
		br_sha256_update(&soft.soft, data, n);
		sha256_digest(&soft, want);
		sha256_init(&s);
		while (at < n) {
			size_t k = 1 + test_rand() % 200;

			k = k > n - at ? n - at : k;
			sha256_add(&s, data + at, k);
			at += k;
		}
		sha256_digest(&s, got);
		CHECK_STR(got, want);
	}
}

TEST(digest_text_is_strict)
{
	CHECK(digest_is(STR("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
	CHECK(!digest_is(STR("sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
	CHECK(!digest_is(STR("sha256:../../../../../../../../etc/passwd")));
	CHECK(!digest_is(STR("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
	CHECK(!digest_is(STR("")));
}
