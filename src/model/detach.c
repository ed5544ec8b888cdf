#include "model/detach.h"

#include <errno.h>
#include <string.h>

static int bad(struct str text, struct err *e)
{
	return err_set(e, EINVAL, "Invalid detach keys (%.*s) provided", STR_ARG(str_head(text, 100)));
}

int detach_keys_parse(struct str text, uint8_t keys[DETACH_KEYS_MAX], size_t *n, struct err *e)
{
	struct str rest = text.n ? text : STR("ctrl-p,ctrl-q"), one;

	*n = 0;
	while (str_next(&rest, ',', &one)) {
		if (*n == DETACH_KEYS_MAX)
			return bad(text, e);
		if (one.n == 1) {
			keys[(*n)++] = (uint8_t)one.p[0];
		} else if (one.n == 6 && memcmp(one.p, "ctrl-", 5) == 0) {
			char c = one.p[5];

			if (c >= 'a' && c <= 'z')
				keys[(*n)++] = (uint8_t)(c - 'a' + 1);
			else if (c >= '@' && c <= '_')
				keys[(*n)++] = (uint8_t)(c - '@');
			else
				return bad(text, e);
		} else {
			return bad(text, e);
		}
	}
	return 0;
}
