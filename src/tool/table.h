/* Tables for people: columns as wide as their longest cell. Bytes that could move the cursor are shown as '?'. */
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include "base/arena.h"

#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table {
	struct arena *arena;
	int           columns;
	struct strs   cells;                          /* row by row, the heading first */
	unsigned      right;                          /* bit i: column i is aligned to the right */
};

/* `heading` is "NAME|STATE|..." with '>' before the names of columns that are aligned to the right. */
struct table table_make(struct arena *a, const char *heading);
void table_cell(struct table *t, struct str text);    /* an empty text shows as "-" */
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, FILE *to);

struct str table_size(struct arena *a, int64_t bytes);     /* "1.5G" */
struct str table_span(struct arena *a, int64_t seconds);   /* "3d 4h", "12m", "5s" */
struct str table_clean(struct arena *a, struct str text);  /* without control characters */

#endif
