/* COPY and ADD between two directories, as root; that neither can be left is test/e2e's part as well. */
#include "runtime/build.h"

#include "os/path.h"

#include "unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct box { struct arena a; int from, to; struct err e; };

static struct box box_make(void)
{
	struct box b = { 0 };
	int top;

	SKIP_UNLESS_ROOT();
	umask(022);
	top = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(top >= 0 && mkdirat(top, "from", 0755) == 0 && mkdirat(top, "to", 0755) == 0);
	b.from = openat(top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b.to = openat(top, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(top);
	return b;
}

static void put_file(struct box *b, int at, const char *path, const char *text)
{
	struct str p = str_of(path);
	ptrdiff_t cut = str_rfind(p, '/');

	if (cut > 0)
		close(path_mkdirs(at, arena_cstr(&b->a, str_head(p, (size_t)cut)), 0755, &b->e));
	int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static struct str text_of(struct box *b, const char *path)
{
	struct str out = STR("(not there)");

	path_read(&b->a, b->to, path, 4096, &out, &b->e);
	return out;
}

static int copy(struct box *b, const char *sources, const char *dest)
{
	struct build_files f = { .dest = str_of(dest), .chmod = -1 };
	struct str rest = str_of(sources), one;

	while (rest.n && str_next(&rest, ' ', &one))
		strs_add(&b->a, &f.sources, one);
	return build_put(&f, b->from, b->to, &b->e);
}

static struct str digest(struct box *b, const char *source)
{
	struct str s = str_of(source);
	struct build_files f = { .sources = { &s, 1 }, .dest = STR("/") };
	char out[80] = "";

	REQUIRE_OK(build_digest(&f, b->from, out, &b->e), b->e);
	return arena_str(&b->a, str_of(out));
}

TEST(a_file_goes_into_a_directory_or_under_a_name)
{
	struct box b = box_make();
	struct stat st;

	put_file(&b, b.from, "f", "text");
	CHECK_OK(copy(&b, "f", "/new"), b.e);
	CHECK_STR(text_of(&b, "new"), "text");
	CHECK_OK(copy(&b, "f", "/dir/"), b.e);
	CHECK_STR(text_of(&b, "dir/f"), "text");
	CHECK_OK(copy(&b, "f", "/dir"), b.e);                 /* it is one by now */
	CHECK_OK(copy(&b, "f", "/a/b/c"), b.e);
	CHECK_STR(text_of(&b, "a/b/c"), "text");
	CHECK(fstatat(b.to, "a/b/c", &st, 0) == 0 && (st.st_mode & 07777) == 0640);
}

TEST(a_directory_is_what_is_in_it)
{
	struct box b = box_make();

	put_file(&b, b.from, "d/x", "1");
	put_file(&b, b.from, "d/e/y", "2");
	put_file(&b, b.to, "there/x", "old");
	put_file(&b, b.to, "there/z", "kept");
	CHECK_OK(copy(&b, "d", "/there"), b.e);
	CHECK_STR(text_of(&b, "there/x"), "1");
	CHECK_STR(text_of(&b, "there/e/y"), "2");
	CHECK_STR(text_of(&b, "there/z"), "kept");
	put_file(&b, b.to, "other/e", "a file in the way");
	CHECK_OK(copy(&b, "d", "/other/"), b.e);
	CHECK_STR(text_of(&b, "other/e/y"), "2");
}

TEST(patterns_and_several_sources)
{
	struct box b = box_make();

	put_file(&b, b.from, "a.txt", "a");
	put_file(&b, b.from, "b.txt", "b");
	put_file(&b, b.from, "sub/c.txt", "c");
	CHECK_OK(copy(&b, "*.txt */c.*", "/out/"), b.e);
	CHECK_STR(text_of(&b, "out/a.txt"), "a");
	CHECK_STR(text_of(&b, "out/c.txt"), "c");
	CHECK_ERR(copy(&b, "*.txt", "/out"), b.e, "the destination must be a directory and end with a /");
	CHECK_ERR(copy(&b, "*.none", "/out/"), b.e, "no source files were specified");
	CHECK_ERR(copy(&b, "none", "/out/"), b.e, "file not found in build context or excluded by .dockerignore: stat none: file does not exist");
	CHECK_OK(copy(&b, "a.txt *.none", "/out/"), b.e);     /* as long as something is */
}

/* Links in both trees are followed, and end at the root they are in. */
TEST(links_do_not_lead_out)
{
	struct box b = box_make();

	put_file(&b, b.from, "etc/passwd", "inner");
	REQUIRE(symlinkat("../../../../../etc", b.from, "up") == 0 && symlinkat("/etc/passwd", b.from, "abs") == 0);
	CHECK_OK(copy(&b, "up/passwd abs", "/got/"), b.e);
	CHECK_STR(text_of(&b, "got/passwd"), "inner");
	CHECK_STR(text_of(&b, "got/abs"), "inner");
	REQUIRE(symlinkat("/../../made", b.to, "out") == 0 && mkdirat(b.to, "made", 0755) == 0);
	CHECK_OK(copy(&b, "etc/passwd", "/out/"), b.e);
	CHECK_STR(text_of(&b, "made/passwd"), "inner");
	REQUIRE(symlinkat("nowhere", b.to, "dangling") == 0);
	CHECK(copy(&b, "etc/passwd", "/dangling/x") == -1);
	REQUIRE(symlinkat("/etc/shadow", b.to, "got/shadow") == 0);
	put_file(&b, b.from, "shadow", "mine");
	CHECK_OK(copy(&b, "shadow", "/got/"), b.e);           /* the link is replaced, not written through */
	CHECK_STR(text_of(&b, "got/shadow"), "mine");
}

TEST(what_is_no_file_is_refused_or_left_out)
{
	struct box b = box_make();

	REQUIRE(mkfifoat(b.from, "fifo", 0600) == 0 && mkdirat(b.from, "d", 0755) == 0 && mknodat(b.from, "d/null", S_IFCHR | 0600, 259) == 0);
	CHECK_ERR(copy(&b, "fifo", "/x"), b.e, "neither a file nor a directory");
	CHECK_OK(copy(&b, "d", "/d"), b.e);
	CHECK(faccessat(b.to, "d/null", F_OK, 0) == -1);
	for (int i = 0; i < 250; i++) {                       /* deeper than is allowed */
		CHECK(mkdirat(b.from, "deep", 0755) == 0 || i);
		char name[24];

		snprintf(name, sizeof(name), "deep%d", i);
		REQUIRE(mkdirat(b.from, name, 0755) == 0 && renameat(b.from, "deep", b.from, arena_printf(&b.a, "%s/deep", name).p) == 0 &&
			renameat(b.from, name, b.from, "deep") == 0);
	}
	CHECK_ERR(copy(&b, "deep", "/deep"), b.e, "directories deep");
}

TEST(owner_mode_and_files_of_the_order_itself)
{
	struct box b = box_make();
	struct str source = STR("f");
	struct pair doc = { STR("doc"), STR("inline\n") };
	struct build_files f = { .sources = { &source, 1 }, .texts = { &doc, 1 }, .dest = STR("/new/"), .chown = STR("7:8"), .chmod = 0711 };
	struct stat st;

	put_file(&b, b.from, "f", "x");
	REQUIRE(fchownat(b.from, "f", 5, 6, 0) == 0);
	CHECK_OK(build_put(&f, b.from, b.to, &b.e), b.e);
	CHECK(fstatat(b.to, "new/f", &st, 0) == 0 && st.st_uid == 7 && st.st_gid == 8 && (st.st_mode & 07777) == 0711);
	CHECK(fstatat(b.to, "new", &st, 0) == 0 && st.st_uid == 7 && (st.st_mode & 07777) == 0755);
	CHECK(fstatat(b.to, "new/doc", &st, 0) == 0 && st.st_uid == 7 && (st.st_mode & 07777) == 0711);
	CHECK_STR(text_of(&b, "new/doc"), "inline\n");
	f = (struct build_files){ .sources = { &source, 1 }, .dest = STR("/kept"), .chmod = -1, .keep_owner = true };
	CHECK_OK(build_put(&f, b.from, b.to, &b.e), b.e);
	CHECK(fstatat(b.to, "kept", &st, 0) == 0 && st.st_uid == 5 && st.st_gid == 6);
	f = (struct build_files){ .sources = { &source, 1 }, .dest = STR("/who"), .chmod = -1, .chown = STR("nosuch") };
	CHECK_ERR(build_put(&f, b.from, b.to, &b.e), b.e, "unable to find user nosuch");
}

TEST(the_digest_is_of_content_names_and_modes)
{
	struct box b = box_make();
	struct str first;
	const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };

	put_file(&b, b.from, "d/a", "1");
	put_file(&b, b.from, "d/b", "2");
	first = digest(&b, "d");
	CHECK(utimensat(b.from, "d/a", old, 0) == 0);
	CHECK_STR(digest(&b, "d"), first);
	put_file(&b, b.from, "d/a", "3");
	CHECK(!str_eq(digest(&b, "d"), first));
	put_file(&b, b.from, "d/a", "1");
	CHECK_STR(digest(&b, "d"), first);
	CHECK(fchmodat(b.from, "d/a", 0600, 0) == 0);
	CHECK(!str_eq(digest(&b, "d"), first));
	CHECK(fchmodat(b.from, "d/a", 0640, 0) == 0 && renameat(b.from, "d/b", b.from, "d/c") == 0);
	CHECK(!str_eq(digest(&b, "d"), first));
	CHECK(!str_eq(digest(&b, "d/a"), digest(&b, "d/c")));
	CHECK(symlinkat("a", b.from, "d/link") == 0);
	CHECK(!str_eq(digest(&b, "d/link"), digest(&b, "d")));
}
