/* What the pull process finds for a search, and the api reads: a JSON list of these. */
#ifndef IMAGE_LOOKUP_H
#define IMAGE_LOOKUP_H

#include "codec/field.h"

struct search_result {
	struct str name, description;
	bool       is_official, is_automated;
	int64_t    star_count;
};
struct search_results { struct search_result *v; size_t n; };
extern const struct field search_result_fields[];

#endif
