/* musl's start code for static programs relocates but never write-protects PT_GNU_RELRO, so the linker's
 * promise (read-only relocated data and GOT) would be empty. This keeps it, before main() and before any thread.
 * Not for anything else that could run early. */
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

extern const char __ehdr_start __attribute__((visibility("hidden")));   /* the linker's name for our first byte */

__attribute__((constructor(101))) static void protect_relro(void)
{
	const ElfW(Phdr) *h = (const void *)getauxval(AT_PHDR);
	size_t n = getauxval(AT_PHNUM), page = getauxval(AT_PAGESZ), i;
	uintptr_t base = (uintptr_t)&__ehdr_start, from, to;    /* linked at address 0 */

	for (i = 0; i < n; i++) {
		if (h[i].p_type != PT_GNU_RELRO)
			continue;
		from = (base + h[i].p_vaddr) & -page;
		to = (base + h[i].p_vaddr + h[i].p_memsz) & -page;
		if (to > from && mprotect((void *)from, to - from, PROT_READ) != 0)
			_exit(71);
	}
}
