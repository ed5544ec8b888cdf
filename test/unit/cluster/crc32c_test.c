#include "cluster/crc32c.h"

#include "unit/test.h"

/* RFC 3720, appendix B.4. */
TEST(known_sums)
{
	unsigned char b[32];

	memset(b, 0, sizeof b);
	CHECK_INT(crc32c(0, b, 32), 0x8a9136aa);
	memset(b, 0xff, sizeof b);
	CHECK_INT(crc32c(0, b, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (unsigned char)i;
	CHECK_INT(crc32c(0, b, 32), 0x46dd794e);
	CHECK_INT(crc32c(crc32c(0, b, 5), b + 5, 27), 0x46dd794e);
}
