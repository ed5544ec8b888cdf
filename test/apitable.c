/* Prints what the Docker API takes as JSON, for the end to end test that walks it (test/unit/docker/apitable.h). */
#include "unit/docker/apitable.h"

#include <stdio.h>

int main(void)
{
	struct buf b = BUF_INIT(4 << 20);

	apitable_json(&b);
	return buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0 ? 0 : 1;
}
