#include "codec/pem.h"

#include "codec/base64.h"

#include <errno.h>

static bool next_line(struct str *rest, struct str *line)
{
	ptrdiff_t at;

	if (rest->n == 0)
		return false;
	at = str_find(*rest, '\n');
	*line = at < 0 ? *rest : str_head(*rest, (size_t)at);
	*rest = at < 0 ? STR_NONE : str_drop(*rest, (size_t)at + 1);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	*line = str_trim(*line);
	return true;
}

/* "-----BEGIN LABEL-----" */
static bool marker(struct str line, struct str word, struct str *label)
{
	if (!str_starts(line, word) || !str_ends(line, STR("-----")) || line.n < word.n + 5)
		return false;
	*label = str_make(line.p + word.n, line.n - word.n - 5);
	return true;
}

int pem_next(struct arena *a, struct str *rest, struct pem *out, struct err *e)
{
	struct str line, label, body, name, value;

	do {
		if (!next_line(rest, &line))
			return 0;
	} while (!marker(line, STR("-----BEGIN "), &label));

	*out = (struct pem){ .label = label };
	body = *rest;
	for (;;) {
		struct str before = *rest;

		if (!next_line(rest, &line))
			return err_set(e, EINVAL, "PEM block \"%.*s\" has no end", STR_ARG(str_head(label, 40)));
		if (str_starts(line, STR("-----END "))) {
			struct str end;

			if (!marker(line, STR("-----END "), &end) || !str_eq(end, label))
				return err_set(e, EINVAL, "PEM block \"%.*s\" ends as something else", STR_ARG(str_head(label, 40)));
			body.n = (size_t)(before.p - body.p);
			break;
		}
		if (str_cut(line, ':', &name, &value)) {
			pairs_set(a, &out->headers, name, str_trim(value));
			body = *rest;
		}
	}
	if (!base64_decode_lines(a, body, &out->bytes))
		return err_set(e, EINVAL, "PEM block \"%.*s\" is not base64", STR_ARG(str_head(label, 40)));
	return 1;
}

struct str pem_encode(struct arena *a, const char *label, struct str bytes)
{
	struct str text = base64_encode(a, bytes);
	size_t lines = (text.n + 63) / 64, n = 0;
	char *out = arena_alloc(a, text.n + lines + 2 * strlen(label) + 40);

	struct str begin = arena_printf(a, "-----BEGIN %s-----\n", label);

	memcpy(out, begin.p, begin.n);
	n = begin.n;
	for (; text.n > 0; text = str_drop(text, 64)) {
		struct str part = str_head(text, 64);

		memcpy(out + n, part.p, part.n);
		n += part.n;
		out[n++] = '\n';
	}
	struct str end = arena_printf(a, "-----END %s-----\n", label);

	memcpy(out + n, end.p, end.n);
	return str_make(out, n + end.n);
}
