/* Any bytes as a manifest or index, as an image configuration, and as a change: what is accepted keeps its promises. */
#include "codec/sha256.h"
#include "image/change.h"
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct str text = str_make(p, n);
	struct platform here = platform_host();
	struct container_config c = { 0 };
	struct image img = { 0 }, again = { 0 };
	struct manifest m = { 0 };
	struct err e;
	size_t i;

	if (manifest_parse(&a, text, STR_NONE, &m, &e) == 0) {
		if (!m.is_index && !digest_is(m.config.digest))
			abort();
		for (i = 0; i < m.layers.n; i++)
			if (!digest_is(m.layers.v[i].digest) || m.layers.v[i].size < 0)
				abort();
		if (m.is_index)
			manifest_choose(&m, &here);
	}
	if (image_config_parse(&a, text, &img, &e) == 0) {
		for (i = 0; i < img.layers.n; i++)
			if (!digest_is(img.layers.v[i]))
				abort();
		if (image_config_parse(&a, image_config_make(&a, &img), &again, &e) || again.layers.n != img.layers.n)
			abort();
	}
	image_config_change(&a, &c, text, &e);
	return 0;
}
