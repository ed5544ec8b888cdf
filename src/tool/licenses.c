/* Licence texts; see licenses.h. The build collects build/notices.txt from the unpacked sources (vendor/notices). */
#include "tool/licenses.h"

__asm__(".pushsection .rodata.licenses, \"a\", @progbits\n"
	".globl licenses_begin, licenses_end\n"
	".hidden licenses_begin, licenses_end\n"
	"licenses_begin: .incbin \"build/notices.txt\"\n"
	"licenses_end: .byte 0\n"
	".popsection\n");

extern const char licenses_begin[] __attribute__((visibility("hidden")));
extern const char licenses_end[] __attribute__((visibility("hidden")));

struct str licenses_text(void)
{
	return str_make(licenses_begin, licenses_end - licenses_begin);
}
