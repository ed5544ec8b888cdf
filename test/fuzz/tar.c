/* Any bytes as a tar archive: read to the end, and every entry must survive being written and read again. */
#include "base/buf.h"
#include "codec/tar.h"
#include "image/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

static void check_again(const struct tar_entry *t)
{
	auto_buf b = BUF_INIT(16 << 20);
	struct tar_entry header = *t, got;
	struct tar_writer w;
	struct source_slice s;
	struct tar_reader *r;
	struct err e;

	header.size = 0;
	if (t->type == TAR_FILE && str_ends(t->name, STR("/")))
		return;
	tar_writer_init(&w, to_buf, &b);
	if (tar_write_header(&w, &header, &e))
		return;
	s = (struct source_slice){ b.p, b.n, 0 };
	r = tar_reader_new(source_of_slice(&s), NULL);
	/* A name may be empty, which pax cannot say; and an id may be too large for a header without one. */
	if (tar_next(r, &got, &e) == 1 && (!str_eq(got.name, t->name) || got.mode != t->mode || got.uid != t->uid ||
	                                   got.mtime_ns != t->mtime_ns || got.xattrs.n != t->xattrs.n))
		abort();
	tar_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct source_slice s = { (const char *)p, n, 0 };
	struct tar_reader *r = tar_reader_new(source_of_slice(&s), NULL);
	struct tar_entry t;
	struct err e;

	while (tar_next(r, &t, &e) > 0) {
		char name[TAR_NAME_MAX + 1];
		struct str piece;

		if (t.name.n > TAR_NAME_MAX || str_has_nul(t.name))
			abort();
		if (tree_clean_name(t.name, name) && (name[0] == '/' || strstr(name, "/../") || strcmp(name, "..") == 0))
			abort();
		check_again(&t);
		while (tar_data(r, &piece, &e) == 0 && piece.n)
			;
	}
	tar_reader_free(r);
	return 0;
}
