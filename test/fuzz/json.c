/* Any bytes as JSON: into a struct and back, and what was written must read as the same. */
#include "codec/json.h"
#include "model/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	auto_buf one = BUF_INIT(64 << 20), two = BUF_INIT(64 << 20);
	struct container_config in = { 0 }, again = { 0 };
	struct err e = { 0 };
	struct str text = str_make(p, n);
	int check = json_check(text, &e);

	if (json_decode(&a, text, container_config_fields, &in, &e))
		return 0;
	if (check)
		abort();
	json_encode(&one, container_config_fields, &in);
	if (json_decode(&a, buf_as_str(&one), container_config_fields, &again, &e))
		abort();
	json_encode(&two, container_config_fields, &again);
	if (!str_eq(buf_as_str(&one), buf_as_str(&two)))
		abort();
	return 0;
}
