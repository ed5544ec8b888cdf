#include "codec/tar.h"

#include "base/buf.h"
#include "unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

static struct buf archive_of(const struct tar_entry *t, size_t n, const char *data)
{
	struct buf b = BUF_INIT(16 << 20);
	struct tar_writer w;
	struct err e = { 0 };
	size_t i;

	tar_writer_init(&w, to_buf, &b);
	for (i = 0; i < n; i++) {
		REQUIRE_OK(tar_write_header(&w, &t[i], &e), e);
		if (t[i].size)
			REQUIRE_OK(tar_write_data(&w, data, t[i].size, &e), e);
	}
	REQUIRE_OK(tar_write_end(&w, &e), e);
	return b;
}

/* Read everything; the number of entries, or -1. `last` is a copy of the last entry. */
static int read_all(struct str text, size_t step, const struct tar_limits *limits, struct tar_entry *last, struct str *data,
                    struct arena *a, struct err *e)
{
	struct source_slice s = { text.p, text.n, step };
	struct tar_reader *r = tar_reader_new(source_of_slice(&s), limits);
	struct tar_entry t;
	int n = 0, rc;
	size_t i;

	e->msg[0] = 0;
	while ((rc = tar_next(r, &t, e)) > 0) {
		struct buf b = BUF_INIT(8 << 20);
		struct str piece;

		n++;
		do {
			rc = tar_data(r, &piece, e);
			buf_str(&b, piece);
		} while (rc == 0 && piece.n);
		if (rc < 0)
			break;
		*last = t;
		last->name = arena_str(a, t.name);
		last->link = arena_str(a, t.link);
		last->xattrs = (struct pairs){ 0 };
		for (i = 0; i < t.xattrs.n; i++)
			pairs_set(a, &last->xattrs, arena_str(a, t.xattrs.v[i].key), arena_str(a, t.xattrs.v[i].val));
		if (data)
			*data = arena_str(a, buf_as_str(&b));
		buf_release(&b);
	}
	tar_reader_free(r);
	return rc < 0 ? -1 : n;
}

static void check_same(const struct tar_entry *t)
{
	struct buf b = archive_of(t, 1, "0123456789");
	auto_arena a = ARENA_INIT;
	struct tar_entry got;
	struct err e = { 0 };
	struct str data = STR_NONE;
	size_t step, i;

	CHECK_INT(b.n % TAR_BLOCK, 0);
	for (step = 0; step < 1000; step += 333) {
		CHECK_INT(read_all(buf_as_str(&b), step, NULL, &got, &data, &a, &e), 1);
		CHECK_STR(e.msg, "");
		CHECK_STR(got.name, t->name);
		CHECK_STR(got.link, t->link);
		CHECK_INT(got.type, t->type);
		CHECK_INT(got.mode, t->mode);
		CHECK_INT(got.uid, t->uid);
		CHECK_INT(got.gid, t->gid);
		CHECK_INT(got.mtime_ns, t->mtime_ns);
		CHECK_INT(got.size, t->size);
		CHECK_INT(got.dev_minor, t->dev_minor);
		CHECK_INT(got.xattrs.n, t->xattrs.n);
		for (i = 0; i < t->xattrs.n && i < got.xattrs.n; i++)
			CHECK_STR(got.xattrs.v[i].val, t->xattrs.v[i].val);
		if (t->size)
			CHECK_STR(data, "0123456789");
	}
	buf_release(&b);
}

static struct str repeat(char c, size_t n)
{
	char *p = malloc(n + 1);

	memset(p, c, n);
	p[n] = 0;
	return str_make(p, n);
}

TEST(writer_and_reader_agree)
{
	struct pair x[] = { { STR("user.a"), STR("\0\n=b") }, { STR("security.capability"), STR("\1\0\0\2") } };

	check_same(&(struct tar_entry){ .name = STR("a"), .mode = 0644, .size = 10 });
	check_same(&(struct tar_entry){ .name = STR("dir/"), .type = TAR_DIR, .mode = 01777, .uid = 65535, .gid = 7 });
	check_same(&(struct tar_entry){ .name = STR("l"), .type = TAR_SYMLINK, .link = STR("../x"), .mode = 0777 });
	check_same(&(struct tar_entry){ .name = STR("h"), .type = TAR_LINK, .link = STR("a") });
	check_same(&(struct tar_entry){ .name = STR("c"), .type = TAR_CHAR, .dev_major = 1, .dev_minor = 3 });
	check_same(&(struct tar_entry){ .name = repeat('n', 100), .mode = 06755, .size = 10 });
	check_same(&(struct tar_entry){ .name = repeat('n', 101), .type = TAR_SYMLINK, .link = repeat('l', 4096) });
	check_same(&(struct tar_entry){ .name = repeat('n', 4096), .size = 10 });
	check_same(&(struct tar_entry){ .name = STR("t"), .mtime_ns = 1700000000123456789, .xattrs = { x, 2 } });
	check_same(&(struct tar_entry){ .name = STR("t"), .mtime_ns = -1500000000 });
	check_same(&(struct tar_entry){ .name = STR("t"), .mtime_ns = 8589934592ll * 1000000000 });
	check_same(&(struct tar_entry){ .name = STR("big id"), .uid = 2147483653, .gid = 1ll << 40 });
	check_same(&(struct tar_entry){ .name = STR("new\nline \x1b[31m") });
}

TEST(truncated_anywhere_is_an_error_I12)
{
	struct tar_entry t[] = { { .name = repeat('n', 200), .size = 10 }, { .name = STR("b"), .size = 10 } };
	struct buf b = archive_of(t, 2, "0123456789");
	auto_arena a = ARENA_INIT;
	struct tar_entry got;
	struct err e = { 0 };
	size_t n;

	for (n = 1; n < b.n - 2 * TAR_BLOCK; n++) {
		int rc = read_all(str_head(buf_as_str(&b), n), 0, NULL, &got, NULL, &a, &e);

		if (n == 4 * TAR_BLOCK)
			CHECK_INT(rc, 1);              /* the end of the source between entries counts as the end */
		else
			CHECK_INT(rc, -1);
	}
	CHECK_INT(read_all(buf_as_str(&b), 0, NULL, &got, NULL, &a, &e), 2);
}

static int with_header(size_t at, const char *bytes, size_t n, const struct tar_limits *limits, struct err *e)
{
	struct tar_entry t = { .name = STR("a"), .size = 10 };
	struct buf b = archive_of(&t, 1, "0123456789");
	auto_arena a = ARENA_INIT;
	struct tar_entry got;
	unsigned sum = 0;
	int i;

	memcpy(b.p + at, bytes, n);
	if (at != 148) {
		memset(b.p + 148, ' ', 8);
		for (i = 0; i < TAR_BLOCK; i++)
			sum += (unsigned char)b.p[i];
		snprintf(b.p + 148, 8, "%06o", sum);
	}
	return read_all(buf_as_str(&b), 0, limits, &got, NULL, &a, e);
}

TEST(bad_headers_are_errors_I12)
{
	struct tar_limits small = { .max_size = 1 << 20 };
	struct err e = { 0 };

	CHECK_ERR(with_header(148, "000001\0 ", 8, NULL, &e), e, "checksum");
	CHECK_ERR(with_header(124, "xxxxxxxxxxx", 12, NULL, &e), e, "size is not a number");
	CHECK_ERR(with_header(124, "77777777777", 12, &small, &e), e, "over the limit"); /* 8 GiB */
	CHECK_ERR(with_header(124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, NULL, &e), e, "over the limit");
	CHECK_ERR(with_header(124, "\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, NULL, &e), e, "out of range");
	CHECK_ERR(with_header(156, "S", 1, NULL, &e), e, "sparse");
	CHECK_ERR(with_header(156, "?", 1, NULL, &e), e, "unknown type");
	CHECK_ERR(with_header(136, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", 12, NULL, &e), e, "mtime");
	CHECK_INT(with_header(156, "\0", 1, NULL, &e), 1);
}

TEST(random_bytes_are_an_error_I12)
{
	char junk[10240];
	auto_arena a = ARENA_INIT;
	struct tar_entry got;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < sizeof junk; i++)
		junk[i] = test_rand();
	CHECK_INT(read_all(str_make(junk, sizeof junk), 0, NULL, &got, NULL, &a, &e), -1);
	CHECK_INT(e.code, EBADMSG);
}

static int extended(struct str records, struct tar_entry *got, struct arena *a, struct err *e)
{
	struct tar_entry t[] = { { .name = STR("x"), .size = records.n }, { .name = STR("a"), .size = 10 } };
	struct buf b = BUF_INIT(16 << 20);
	struct tar_writer w;
	unsigned sum = 0;
	int i;

	tar_writer_init(&w, to_buf, &b);
	REQUIRE_OK(tar_write_header(&w, &t[0], e), *e);
	REQUIRE_OK(tar_write_data(&w, records.p, records.n, e), *e);
	b.p[156] = 'x';
	memset(b.p + 148, ' ', 8);
	for (i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)b.p[i];
	snprintf(b.p + 148, 8, "%06o", sum);
	REQUIRE_OK(tar_write_header(&w, &t[1], e), *e);
	REQUIRE_OK(tar_write_data(&w, "0123456789", 10, e), *e);
	REQUIRE_OK(tar_write_end(&w, e), *e);
	i = read_all(buf_as_str(&b), 0, NULL, got, NULL, a, e);
	buf_release(&b);
	return i;
}

TEST(extended_headers_are_checked)
{
	auto_arena a = ARENA_INIT;
	struct tar_entry got;
	struct err e = { 0 };

	CHECK_INT(extended(STR("11 path=b/c\n"), &got, &a, &e), -1);
	CHECK_INT(extended(STR("12 path=b/c\n17 comment=a=b\nc\n"), &got, &a, &e), 1);
	CHECK_STR(got.name, "b/c");
	CHECK_ERR(extended(STR("12 path=b\0c\n"), &got, &a, &e), e, "NUL");
	CHECK_ERR(extended(STR("99999999999999999999999 path=b\n"), &got, &a, &e), e, "malformed");
	CHECK_ERR(extended(STR("0 path=b\n"), &got, &a, &e), e, "malformed");
	CHECK_ERR(extended(STR("3 \n"), &got, &a, &e), e, "malformed");
	CHECK_ERR(extended(STR("10 size=-1\n"), &got, &a, &e), e, "malformed");
	CHECK_ERR(extended(STR("11 size=-1\n"), &got, &a, &e), e, "bad size");
	CHECK_ERR(extended(STR("22 GNU.sparse.major=1\n"), &got, &a, &e), e, "sparse");
	CHECK_ERR(extended(STR("20 mtime=99999999999\n"), &got, &a, &e), e, "malformed");
	CHECK_ERR(extended(STR("22 mtime=999999999999\n"), &got, &a, &e), e, "bad mtime");
}

TEST(names_of_64_KiB_are_refused_I09)
{
	auto_arena a = ARENA_INIT;
	struct tar_entry got, t = { .name = repeat('n', 65536) };
	struct buf b = archive_of(&t, 1, NULL);
	struct err e = { 0 };

	CHECK_ERR(read_all(buf_as_str(&b), 0, NULL, &got, NULL, &a, &e), e, "over the limit of 4096");
	CHECK_INT(e.code, ENAMETOOLONG);
	buf_release(&b);
}

TEST(entries_are_counted_I18)
{
	struct tar_limits few = { .max_entries = 3 };
	struct tar_entry got, t[4] = { { .name = STR("a") }, { .name = STR("b") }, { .name = STR("c") }, { .name = STR("d") } };
	struct buf b = archive_of(t, 4, NULL);
	auto_arena a = ARENA_INIT;
	struct err e = { 0 };

	CHECK_ERR(read_all(buf_as_str(&b), 0, &few, &got, NULL, &a, &e), e, "more than 3 entries");
	CHECK_INT(read_all(str_head(buf_as_str(&b), 3 * TAR_BLOCK), 0, &few, &got, NULL, &a, &e), 3);
	buf_release(&b);
}

static struct str run_tar(const char *dir, const char *command)
{
	struct buf b = BUF_INIT(16 << 20);
	char piece[4096];
	int fds[2];
	ssize_t n;
	pid_t pid;

	REQUIRE(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		if (chdir(dir) == 0)
			execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], piece, sizeof piece)) > 0)
		buf_add(&b, piece, n);
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return buf_as_str(&b);
}

TEST(reads_what_gnu_tar_writes)
{
	static const char *const formats[] = { "gnu", "ustar", "pax", "v7", "oldgnu" };
	const char *dir = test_dir();
	size_t i;

	run_tar(dir, "mkdir -p d; echo hello >d/f; ln -s f d/s; ln d/f d/h; touch -d @1700000000 d/f");
	for (i = 0; i < sizeof formats / sizeof *formats; i++) {
		char command[200];
		auto_arena a = ARENA_INIT;
		struct tar_entry got;
		struct err e = { 0 };

		snprintf(command, sizeof command, "tar --sort=name --format=%s -cf - d", formats[i]);
		CHECK_INT(read_all(run_tar(dir, command), 0, NULL, &got, NULL, &a, &e), 4);
		CHECK_STR(got.name, "d/s");
		CHECK_INT(got.type, TAR_SYMLINK);
		CHECK_STR(got.link, "f");
		if (i == 0 || i == 2) {           /* GNU's L and pax's path */
			snprintf(command, sizeof command, "mkdir -p $(printf %%0200d 1)/d; touch $(printf %%0200d 1)/d/f; "
			         "tar --format=%s -cf - $(printf %%0200d 1)/d/f", formats[i]);
			CHECK_INT(read_all(run_tar(dir, command), 0, NULL, &got, NULL, &a, &e), 1);
			CHECK_INT(got.name.n, 204);
		}
	}
}
