/* The unit test harness. A test registers itself, runs in a forked child of its own with a time limit, and
 * may leak or crash without harming the others:
 *
 *     #include "unit/test.h"
 *
 *     TEST(str_trim_removes_blanks) {
 *             CHECK_STR(str_trim(STR(" a ")), "a");
 *     }
 *
 * Every test/unit/<folder>/<name>_test.c is linked into build/unit; its tests are called
 * <folder>/<name>/<test>. `build/unit codec/` runs those whose name contains "codec/". A failed check prints
 * both sides and goes on; REQUIRE ends the test at once. Output is for test/run: `ok NAME`, `not ok NAME`,
 * `skip NAME REASON`, with `# ` before details. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct test {
	const char  *file, *name;
	void       (*run)(void);
	int          limit_s;                         /* seconds; the child is killed after that */
	struct test *next;
};

void test_register(struct test *t);
void test_failed(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *reason);
_Noreturn void test_stop(void);
void test_check_int(const char *file, int line, const char *text, int64_t got, int64_t want);
void test_check_str(const char *file, int line, const char *text, struct str got, struct str want);

/* A fresh directory of this test, removed after it by the parent however the test ended. Valid until then. */
const char *test_dir(void);

/* The bytes of a file below test/unit/, for example test_file("codec/ca.pem"). Ends the test when it is not there. */
struct str test_file(const char *path);

/* A repeatable pseudo-random number (the same sequence in every run of a test). */
uint64_t test_rand(void);

static inline struct str test_str_of_z(const char *z) { return str_of(z); }
static inline struct str test_str_same(struct str s) { return s; }
#define TEST_STR(x) _Generic((x), struct str: test_str_same, default: test_str_of_z)(x)

#define TEST_LIMIT(ident, seconds) \
	static void test_##ident(void); \
	static struct test test_entry_##ident = { __FILE__, #ident, test_##ident, seconds, NULL }; \
	__attribute__((constructor)) static void test_register_##ident(void) { test_register(&test_entry_##ident); } \
	static void test_##ident(void)
#define TEST(ident) TEST_LIMIT(ident, 20)

#define CHECK(cond) ((cond) ? (void)0 : test_failed(__FILE__, __LINE__, "%s", #cond))
#define REQUIRE(cond) ((cond) ? (void)0 : (test_failed(__FILE__, __LINE__, "%s", #cond), test_stop()))
#define CHECK_INT(got, want) test_check_int(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define CHECK_STR(got, want) test_check_str(__FILE__, __LINE__, #got, TEST_STR(got), TEST_STR(want))

/* The call must succeed (not -1) or fail with this sentence in it. `e` is a struct err of the test. */
#define CHECK_OK(call, e) ((call) != -1 ? (void)0 : test_failed(__FILE__, __LINE__, "%s: %s", #call, (e).msg))
#define REQUIRE_OK(call, e) ((call) != -1 ? (void)0 : \
	(test_failed(__FILE__, __LINE__, "%s: %s", #call, (e).msg), test_stop()))
#define CHECK_ERR(call, e, part) ((call) == -1 && strstr((e).msg, part) ? (void)0 : \
	test_failed(__FILE__, __LINE__, "%s: wanted an error with \"%s\", got \"%s\"", #call, part, (e).msg))

#define SKIP(reason) test_skip(reason)
#define SKIP_UNLESS_ROOT() (geteuid() == 0 ? (void)0 : test_skip("needs root"))

#endif
