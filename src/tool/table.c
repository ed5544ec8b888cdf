#include "tool/table.h"

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

struct str table_clean(struct arena *a, struct str text)
{
	char *p = arena_alloc(a, text.n + 1);

	if (!str_is_utf8(text)) {
		for (size_t i = 0; i < text.n; i++)
			p[i] = is_control(text.p[i]) || (text.p[i] & 0x80) ? '?' : text.p[i];
		return str_make(p, text.n);
	}
	for (size_t i = 0; i < text.n; i++)           /* C1 controls are C2 80..9F */
		if (is_control(text.p[i]))
			p[i] = '?';
		else if ((unsigned char)text.p[i] == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0)
			p[i] = p[i + 1] = '?', i++;
		else
			p[i] = text.p[i];
	return str_make(p, text.n);
}

struct table table_make(struct arena *a, const char *heading)
{
	struct table t = { .arena = a };
	struct str rest = str_of(heading), name;

	while (str_next(&rest, '|', &name)) {
		if (str_starts(name, STR(">"))) {
			t.right |= 1u << t.columns;
			name = str_drop(name, 1);
		}
		t.columns++;
		table_cell(&t, name);
	}
	return t;
}

void table_cell(struct table *t, struct str text)
{
	strs_add(t->arena, &t->cells, text.n ? table_clean(t->arena, text) : STR("-"));
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	table_cell(t, arena_vprintf(t->arena, fmt, ap));
	va_end(ap);
}

static int width_of(struct str s)
{
	int n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;         /* bytes that begin a character */
	return n;
}

void table_print(const struct table *t, FILE *to)
{
	int width[TABLE_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->cells.n; i++) {
		int w = width_of(t->cells.v[i]), c = (int)(i % (size_t)t->columns);

		width[c] = w > width[c] ? w : width[c];
	}
	for (size_t i = 0; i < t->cells.n; i++) {
		struct str s = t->cells.v[i];
		int c = (int)(i % (size_t)t->columns), pad = width[c] - width_of(s);
		bool right = t->right >> c & 1, last = c == t->columns - 1;

		fprintf(to, "%*s%.*s", right ? pad : 0, "", STR_ARG(s));
		fprintf(to, "%*s%s", right || last ? 0 : pad, "", last ? "\n" : "  ");
	}
}

struct str table_size(struct arena *a, int64_t bytes)
{
	static const char units[] = "BKMGTP";
	double n = (double)bytes;
	int u = 0;

	while (n >= 1024 && u < 5) {
		n /= 1024;
		u++;
	}
	return arena_printf(a, n < 10 && u ? "%.1f%c" : "%.0f%c", n, units[u]);
}

struct str table_span(struct arena *a, int64_t s)
{
	if (s < 60)
		return arena_printf(a, "%llds", (long long)(s < 0 ? 0 : s));
	if (s < 3600)
		return arena_printf(a, "%lldm", (long long)s / 60);
	if (s < 86400)
		return arena_printf(a, "%lldh %lldm", (long long)s / 3600, (long long)s / 60 % 60);
	return arena_printf(a, "%lldd %lldh", (long long)s / 86400, (long long)s / 3600 % 24);
}
