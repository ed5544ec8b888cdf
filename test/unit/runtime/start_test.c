#include "unit/runtime/box.h"

TEST(start_exit_code)
{
	struct box b;

	box_open(&b);
	box_sh(&b, "echo out; echo err >&2; exit 7");
	CHECK_INT(box_run(&b), 7);
	CHECK_STR(box_output(&b, "stdout"), "out\n");
	CHECK_STR(box_output(&b, "stderr"), "err\n");
	box_close(&b);
}
