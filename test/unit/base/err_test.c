#include "base/err.h"

#include "unit/test.h"

#include <errno.h>

TEST(a_sentence_grows_outwards)
{
	struct err e = { 0 };

	errno = ENOENT;
	CHECK_INT(err_sys(&e, "open %s", "x"), -1);
	CHECK_INT(e.code, ENOENT);
	CHECK_STR(e.msg, "open x: No such file or directory");
	CHECK_INT(err_wrap(&e, "rootfs %d", 7), -1);
	CHECK_INT(e.code, ENOENT);
	CHECK_STR(e.msg, "rootfs 7: open x: No such file or directory");
	CHECK_INT(err_set(&e, EINVAL, "new"), -1);
	CHECK_INT(e.code, EINVAL);
	CHECK_STR(e.msg, "new");
}

TEST(nobody_has_to_care)
{
	CHECK_INT(err_set(NULL, EINVAL, "x"), -1);
	CHECK_INT(err_sys(NULL, "x"), -1);
	CHECK_INT(err_wrap(NULL, "x"), -1);
	CHECK(err_set_null(NULL, EINVAL, "x") == NULL);
}

TEST(an_error_is_never_success)
{
	struct err e = { 0 };

	errno = 0;
	err_sys(&e, "x");
	CHECK(e.code != 0);
	err_set(&e, 0, "x");
	CHECK(e.code != 0);
}

TEST(long_sentences_are_cut)
{
	struct err e = { 0 };
	char big[2000];
	int i;

	memset(big, 'a', sizeof big);
	big[sizeof big - 1] = 0;
	err_set(&e, EINVAL, "%s", big);
	CHECK_INT(strlen(e.msg), ERR_MSG_MAX - 1);
	for (i = 0; i < 3; i++)
		err_wrap(&e, "%s", i ? "outer" : big);
	CHECK_INT(strlen(e.msg), ERR_MSG_MAX - 1);
	CHECK(str_starts(str_of(e.msg), STR("outer: outer: aaa")));
}
