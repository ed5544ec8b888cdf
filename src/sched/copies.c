#include "sched/copies.h"

#include "codec/sha256.h"

#include <string.h>

static bool counts(const struct node *n)
{
	return !str_is(n->state, "lost") && !str_is(n->availability, "drain");
}

static void rank_of(struct str image, struct str node, unsigned char out[32])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, image.p, image.n);
	sha256_add(&s, node.p, node.n);
	sha256_end(&s, out);
}

bool copies_keeps(const struct node *nodes, size_t n, struct str image, struct str made_on, struct str node)
{
	unsigned char own[32], other[32];
	size_t before = 0;
	bool here = false;

	rank_of(image, node, own);
	for (size_t i = 0; i < n; i++) {
		if (!counts(&nodes[i]))
			continue;
		if (str_eq(nodes[i].id, node)) {
			here = true;
			continue;
		}
		rank_of(image, nodes[i].id, other);
		before += str_eq(nodes[i].id, made_on) || memcmp(other, own, sizeof own) < 0;
	}
	return here && (str_eq(node, made_on) || before < COPIES);
}
