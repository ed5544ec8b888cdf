/* Any bytes as a record: what reads is written back, reads again, and is then the same bytes. */
#include "codec/rec.h"
#include "model/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct container in = { 0 }, again = { 0 }, copy = { 0 };
	struct str one, two, three;
	struct err e = { 0 };

	if (rec_decode(&a, str_make(p, n), container_fields, &in, &e))
		return 0;
	one = rec_encode_arena(&a, container_fields, &in);
	if (rec_decode(&a, one, container_fields, &again, &e))
		abort();
	two = rec_encode_arena(&a, container_fields, &again);
	rec_copy(&a, container_fields, &copy, &again);
	three = rec_encode_arena(&a, container_fields, &copy);
	if (!str_eq(one, two) || !str_eq(two, three))
		abort();
	return 0;
}
