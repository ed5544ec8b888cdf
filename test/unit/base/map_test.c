#include "base/map.h"

#include "unit/test.h"

#include <stdio.h>

TEST(put_get_replace_delete)
{
	struct map m = { 0 };
	int a, b;

	CHECK(map_get(&m, STR("x")) == NULL);
	CHECK(map_del(&m, STR("x")) == NULL);
	CHECK(map_put(&m, STR("x"), &a) == NULL);
	CHECK(map_put(&m, STR("x"), &b) == &a);
	CHECK(map_put(&m, STR(""), &a) == NULL);
	CHECK(map_put(&m, STR("x\0"), &a) == NULL);
	CHECK(map_get(&m, STR("x")) == &b);
	CHECK_INT(m.n, 3);
	CHECK(map_del(&m, STR("x")) == &b);
	CHECK(map_get(&m, STR("x")) == NULL);
	CHECK(map_get(&m, STR("x\0")) == &a);
	map_release(&m);
	CHECK(map_get(&m, STR_NONE) == NULL);
}

/* Against a plain array: the same operations, the same contents. */
TEST(behaves_like_an_array)
{
	static int values[300];
	static bool in[300];
	struct map m = { 0 };
	struct str key;
	size_t at, n;
	void *val;
	int i, k, step;

	for (step = 0; step < 20000; step++) {
		char name[16];

		i = test_rand() % 300;
		snprintf(name, sizeof name, "key-%d", i);
		if (test_rand() % 2) {
			CHECK((map_put(&m, str_of(name), &values[i]) != NULL) == in[i]);
			in[i] = true;
		} else {
			CHECK((map_del(&m, str_of(name)) != NULL) == in[i]);
			in[i] = false;
		}
		if (step % 1000)
			continue;
		for (k = 0, n = 0; k < 300; k++) {
			snprintf(name, sizeof name, "key-%d", k);
			CHECK(map_get(&m, str_of(name)) == (in[k] ? &values[k] : NULL));
			n += in[k];
		}
		CHECK_INT(m.n, n);
		for (at = 0; map_next(&m, &at, &key, &val); n--) {
			i = (int *)val - values;
			snprintf(name, sizeof name, "key-%d", i);
			CHECK_STR(key, name);
		}
		CHECK_INT(n, 0);
	}
	CHECK(m.cap <= 4096);                         /* graves are swept */
	map_release(&m);
}

TEST(entries_may_go_while_walking)
{
	struct map m = { 0 };
	struct str key;
	size_t at = 0;
	void *val;
	int i, seen = 0;

	for (i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof name, "%d", i);
		map_put(&m, str_of(name), &m);
	}
	while (map_next(&m, &at, &key, &val)) {
		char copy[16];
		size_t n = key.n;

		memcpy(copy, key.p, n);
		map_del(&m, str_make(copy, n));
		seen++;
	}
	CHECK_INT(seen, 100);
	CHECK_INT(m.n, 0);
	map_release(&m);
}
