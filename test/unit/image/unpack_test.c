#include "image/unpack.h"

#include "base/buf.h"
#include "codec/tar.h"
#include "image/tree.h"
#include "os/path.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <zlib.h>

/* ---- archives ---- */

#define F(n)    { .name = STR(n), .mode = 0644 }
#define D(n)    { .name = STR(n), .mode = 0755, .type = TAR_DIR }
#define S(n, t) { .name = STR(n), .mode = 0777, .type = TAR_SYMLINK, .link = STR(t) }
#define H(n, t) { .name = STR(n), .mode = 0644, .type = TAR_LINK, .link = STR(t) }

static int memfd(void)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	REQUIRE(fd >= 0);
	return fd;
}

static int archive(const struct tar_entry *t, size_t n, char diff_id[DIGEST_TEXT + 1])
{
	int fd = memfd();
	struct tar_writer w;
	struct sha256 sum;
	struct err e = { 0 };
	char buf[4096];
	ssize_t got;
	size_t i;

	tar_writer_init(&w, tar_writer_to_fd, &fd);
	for (i = 0; i < n; i++) {
		char *data = calloc(1, t[i].size + 1);

		memset(data, 'd', t[i].size);
		REQUIRE_OK(tar_write_header(&w, &t[i], &e), e);
		REQUIRE_OK(tar_write_data(&w, data, t[i].size, &e), e);
		free(data);
	}
	REQUIRE_OK(tar_write_end(&w, &e), e);
	lseek(fd, 0, SEEK_SET);
	sha256_init(&sum);
	while ((got = read(fd, buf, sizeof buf)) > 0)
		sha256_add(&sum, buf, got);
	sha256_digest(&sum, diff_id);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int gzipped(int from)
{
	int fd = memfd();
	z_stream z = { 0 };
	unsigned char in[65536], out[65536];
	ssize_t n;

	REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	do {
		n = read(from, in, sizeof in);
		z.next_in = in;
		z.avail_in = n > 0 ? n : 0;
		do {
			z.next_out = out;
			z.avail_out = sizeof out;
			deflate(&z, n > 0 ? Z_NO_FLUSH : Z_FINISH);
			REQUIRE(write(fd, out, sizeof out - z.avail_out) >= 0);
		} while (z.avail_out == 0);
	} while (n > 0);
	deflateEnd(&z);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* ---- where they go: a directory beside a marker that nothing may touch ---- */

static int fresh_root(void)
{
	static int n;
	char path[300];
	int fd;

	if (!n) {
		snprintf(path, sizeof path, "%s/outside", test_dir());
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		REQUIRE(write(fd, "marker", 6) == 6);
		close(fd);
	}
	snprintf(path, sizeof path, "%s/root%d", test_dir(), n++);
	REQUIRE(mkdir(path, 0755) == 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(fd >= 0);
	return fd;
}

static void check_marker(void)
{
	char path[300], text[16];
	int fd;

	snprintf(path, sizeof path, "%s/outside", test_dir());
	fd = open(path, O_RDONLY);
	CHECK_INT(read(fd, text, sizeof text), 6);
	CHECK(memcmp(text, "marker", 6) == 0);
	close(fd);
	CHECK(access("/tmp/triton-escaped", F_OK) != 0);
}

/* Both ways must agree: in this process, and confined. Returns the confined one's directory. */
static int unpack(int blob, const struct unpack_job *job, struct unpack_result *out, struct err *e, int *rc)
{
	struct unpack_result other;
	struct err second = { 0 };
	int root = fresh_root(), rc2;

	e->code = 0;
	e->msg[0] = 0;
	*rc = unpack_sandboxed(blob, root, job, out, e);
	lseek(blob, 0, SEEK_SET);
	rc2 = unpack_stream(blob, fresh_root(), job, &other, &second);
	if (rc2 != *rc)
		test_failed(__FILE__, __LINE__, "confined: %d %s, here: %d %s", *rc, e->msg, rc2, second.msg);
	check_marker();
	return root;
}

static int unpack_entries(const struct tar_entry *t, size_t n, struct err *e, int *rc)
{
	struct unpack_job job = { .max_size = 1 << 20 };
	struct unpack_result out;
	int fd = archive(t, n, job.diff_id), root = unpack(fd, &job, &out, e, rc);

	close(fd);
	return root;
}

#define ENTRIES(...) (const struct tar_entry[]){ __VA_ARGS__ }, \
	sizeof((const struct tar_entry[]){ __VA_ARGS__ }) / sizeof(struct tar_entry)
#define REFUSED(why, ...) do { \
	struct err e_ = { 0 }; \
	int rc_; \
	close(unpack_entries(ENTRIES(__VA_ARGS__), &e_, &rc_)); \
	CHECK_ERR(rc_, e_, why); \
} while (0)

static int accepted(const struct tar_entry *t, size_t n)
{
	struct err e = { 0 };
	int rc, root = unpack_entries(t, n, &e, &rc);

	CHECK_OK(rc, e);
	return root;
}

static struct stat stat_at(int root, const char *path)
{
	struct stat st = { 0 };

	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW))
		test_failed(__FILE__, __LINE__, "%s is not there", path);
	return st;
}

/* ---- ordinary layers ---- */

TEST(everything_lands_as_it_was)
{
	struct pair caps = { STR("security.capability"), STR("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0") };
	struct pair mine = { STR("user.mine"), STR("x") };
	struct tar_entry t[] = {
		{ .name = STR("./"), .type = TAR_DIR, .mode = 0750, .mtime_ns = 1000000000 },
		{ .name = STR("bin/"), .type = TAR_DIR, .mode = 01777, .uid = 1, .gid = 2, .mtime_ns = 1500000000ll * 1000000000 },
		{ .name = STR("bin/su"), .mode = 04755, .size = 100000, .uid = 0, .gid = 65535, .mtime_ns = 1234567890123456789 },
		{ .name = STR("bin/ping"), .mode = 0755, .size = 10, .uid = 1000, .gid = 1000, .xattrs = { &caps, 1 } },
		{ .name = STR("bin/link"), .type = TAR_LINK, .link = STR("/bin/su") },
		{ .name = STR("lib"), .type = TAR_SYMLINK, .link = STR("/usr/lib"), .mode = 0777, .uid = 7, .gid = 8 },
		{ .name = STR("run/fifo"), .type = TAR_FIFO, .mode = 0620, .uid = 3 },
		{ .name = STR("x/attr"), .xattrs = { &mine, 1 } },
	};
	struct stat st;
	char value[64];
	int root, fd;

	SKIP_UNLESS_ROOT();
	root = accepted(t, sizeof t / sizeof *t);
	st = stat_at(root, ".");
	CHECK_INT(st.st_mode & 07777, 0750);
	CHECK_INT(st.st_uid, 0);
	CHECK_INT(st.st_mtime, 1);
	st = stat_at(root, "bin");
	CHECK_INT(st.st_mode & 07777, 01777);
	CHECK_INT(st.st_uid, 1);
	CHECK_INT(st.st_gid, 2);
	CHECK_INT(st.st_mtime, 1500000000);
	st = stat_at(root, "bin/su");
	CHECK_INT(st.st_mode & 07777, 04755);
	CHECK_INT(st.st_uid, 0);
	CHECK_INT(st.st_gid, 65535);
	CHECK_INT(st.st_size, 100000);
	CHECK_INT(st.st_mtim.tv_nsec, 123456789);
	CHECK_INT(st.st_nlink, 2);
	CHECK_INT(stat_at(root, "bin/link").st_ino, st.st_ino);
	st = stat_at(root, "lib");
	CHECK(S_ISLNK(st.st_mode));
	CHECK_INT(st.st_uid, 7);
	CHECK(S_ISFIFO(stat_at(root, "run/fifo").st_mode));
	CHECK_INT(stat_at(root, "run/fifo").st_mode & 07777, 0620);
	fd = openat(root, "bin/ping", O_RDONLY);
	CHECK_INT(fgetxattr(fd, "security.capability", value, sizeof value), 20); /* stored for root id 0, so the kernel shows */
	CHECK_INT(value[3], 2);                                               /* version 2 here (capabilities(7)) */
	close(fd);
	fd = openat(root, "x/attr", O_RDONLY);
	CHECK_INT(fgetxattr(fd, "user.mine", value, sizeof value), 1);
	close(fd);
}

static bool is_whiteout(int root, const char *path)
{
	struct stat st = stat_at(root, path);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(int root, const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY);
	char c = 0;
	bool yes = fgetxattr(fd, "user.overlay.opaque", &c, 1) == 1 && c == 'y';

	close(fd);
	return yes;
}

TEST(whiteouts_become_overlayfs_ones)
{
	int root;

	SKIP_UNLESS_ROOT();
	root = accepted(ENTRIES(F("a/.wh.gone"), D("o/"), F("o/.wh..wh..opq"), F("o/kept"), F("r/.wh.back"), D("r/back/"),
		D("q/later/"), F("q/.wh.later"), F("f"), F(".wh.f"), F(".wh..wh.plnk")));
	CHECK(is_whiteout(root, "a/gone"));
	CHECK(is_opaque(root, "o"));
	CHECK(!is_opaque(root, "a"));
	CHECK(S_ISREG(stat_at(root, "o/kept").st_mode));
	CHECK(is_opaque(root, "r/back"));
	CHECK(is_opaque(root, "q/later"));
	CHECK(S_ISREG(stat_at(root, "f").st_mode));
	CHECK(faccessat(root, ".wh..wh.plnk", F_OK, 0) != 0);
	CHECK(faccessat(root, ".wh.f", F_OK, 0) != 0);
}

TEST(later_entries_replace_earlier_ones)
{
	int root;

	SKIP_UNLESS_ROOT();
	root = accepted(ENTRIES(F("a"), D("a/"), F("a/b"), F("d/x/y"), F("d"), D("e/"), F("e/kept"), D("e/"), S("l", "x"), F("l")));
	CHECK(S_ISREG(stat_at(root, "a/b").st_mode));
	CHECK(S_ISREG(stat_at(root, "d").st_mode));
	CHECK(S_ISREG(stat_at(root, "e/kept").st_mode));
	CHECK(S_ISREG(stat_at(root, "l").st_mode));
}

/* ---- hostile layers: reliability.md section 3.3 ---- */

TEST(traversal_and_absolute_names_I01)
{
	int root;

	SKIP_UNLESS_ROOT();
	REFUSED("leaves the layer", F("../outside"));
	REFUSED("leaves the layer", F("a/../../outside"));
	REFUSED("leaves the layer", F(".."));
	REFUSED("leaves the layer", D("a/.."));
	root = accepted(ENTRIES(F("/tmp/triton-escaped"), F("//etc//./x")));
	CHECK(S_ISREG(stat_at(root, "tmp/triton-escaped").st_mode));
	CHECK(S_ISREG(stat_at(root, "etc/x").st_mode));
}

TEST(files_below_links_I02)
{
	SKIP_UNLESS_ROOT();
	REFUSED("symbolic link", S("l", ".."), F("l/outside"));
	REFUSED("symbolic link", S("l", "/tmp"), F("l/triton-escaped"));
	REFUSED("symbolic link", S("a/l", "../.."), F("a/l/x/y"));
	REFUSED("symbolic link", S("self", "."), F("self/x"));
	REFUSED("symbolic link", S("l", "/"), D("l/"), D("k/"), S("m", "k"), F("m/x"));
}

TEST(hard_links_out_or_through_links_I03)
{
	SKIP_UNLESS_ROOT();
	REFUSED("outside of the layer", H("h", "../outside"));
	REFUSED("hard link", H("h", "/etc/passwd"));
	REFUSED("through a symbolic link", S("l", ".."), H("h", "l/outside"));
	REFUSED("hard link", H("h", "missing"));
	REFUSED("hard link to a directory", D("d/"), H("h", "d"));
	REFUSED("outside of the layer", H("h", ""));
}

TEST(folder_replaced_by_a_link_I04)
{
	SKIP_UNLESS_ROOT();
	REFUSED("symbolic link", D("d/"), F("d/a"), S("d", ".."), F("d/outside"));
	REFUSED("symbolic link", F("d/e/a"), S("d", "/tmp"), F("d/triton-escaped"));
}

TEST(file_replaces_link_not_target_I05)
{
	int root;

	SKIP_UNLESS_ROOT();
	root = accepted(ENTRIES(S("l", "../outside"), F("l"), S("m", "/tmp/triton-escaped"), F("m")));
	CHECK(S_ISREG(stat_at(root, "l").st_mode));
	/* A link to a link is a second name of the link, and still not followed. */
	root = accepted(ENTRIES(S("l", "../outside"), H("h", "l"), F("h")));
	CHECK(S_ISLNK(stat_at(root, "l").st_mode));
	CHECK(S_ISREG(stat_at(root, "h").st_mode));
}

TEST(devices_are_left_out_I06)
{
	struct tar_entry t[] = {
		{ .name = STR("sda"), .type = TAR_BLOCKDEV, .dev_major = 8, .mode = 0666 },
		{ .name = STR("mem"), .type = TAR_CHAR, .dev_major = 1, .dev_minor = 1, .mode = 0666 },
		{ .name = STR("zero"), .type = TAR_CHAR, .mode = 0666 },
		F("file"),
	};
	int root;

	SKIP_UNLESS_ROOT();
	root = accepted(t, 4);
	CHECK(faccessat(root, "sda", F_OK, AT_SYMLINK_NOFOLLOW) != 0);
	CHECK(faccessat(root, "mem", F_OK, AT_SYMLINK_NOFOLLOW) != 0);
	CHECK(faccessat(root, "zero", F_OK, AT_SYMLINK_NOFOLLOW) != 0);
	CHECK(S_ISREG(stat_at(root, "file").st_mode));
}

TEST(odd_whiteouts_I08)
{
	SKIP_UNLESS_ROOT();
	REFUSED("whiteout of nothing", F(".wh."));
	REFUSED("whiteout of nothing", F(".wh..."));
	REFUSED("whiteout of nothing", F("a/.wh.."));
	REFUSED("leaves the layer", F(".wh../../outside"));
	REFUSED("symbolic link", S("l", ".."), F("l/.wh.outside"));
	close(accepted(ENTRIES(F(".wh..wh.aufs"), D(".wh..wh.orph/"))));
}

static struct str deep(size_t levels)
{
	char *p = malloc(2 * levels + 1);
	size_t i;

	for (i = 0; i < levels; i++)
		memcpy(p + 2 * i, "d/", 2);
	return str_make(p, 2 * levels);
}

TEST_LIMIT(deep_paths_I09, 90)
{
	char *long_name = malloc(301);
	struct err e = { 0 };
	int at;

	SKIP_UNLESS_ROOT();
	close(accepted(ENTRIES({ .name = deep(2000), .type = TAR_DIR, .mode = 0755 })));
	at = open(test_dir(), O_RDONLY | O_DIRECTORY);
	CHECK_OK(path_remove_tree(at, "root0", &e), e); /* too deep for nftw(3), which cleans up after us */
	CHECK_OK(path_remove_tree(at, "root1", &e), e);
	close(at);
	memset(long_name, 'n', 300);
	REFUSED("longer than 255", { .name = str_make(long_name, 300) });
}

TEST(odd_ids_times_and_names_I10_I11)
{
	int root;

	SKIP_UNLESS_ROOT();
	REFUSED("outside of 0 to 65535", { .name = STR("a"), .uid = 2147483653 });
	REFUSED("outside of 0 to 65535", { .name = STR("a"), .gid = 65536 });
	REFUSED("outside of 0 to 65535", { .name = STR("a"), .uid = -1 });
	REFUSED("without a name", { .name = STR("/") , .type = TAR_FIFO });
	root = accepted(ENTRIES({ .name = STR("."), .type = TAR_DIR, .mode = 0 }, { .name = STR("late"), .mtime_ns = 8589934592ll * 1000000000 },
		F("new\nline"), F("\x1b[31m")));
	CHECK_INT(stat_at(root, ".").st_mode & 07777, 0);
	CHECK_INT(stat_at(root, "late").st_mtime, 8589934592ll);
	CHECK(S_ISREG(stat_at(root, "new\nline").st_mode));
	REFUSED("a\\x0a\\x1b/..: leaves", F("a"), F("a\n\x1b/.."));
}

TEST(overlay_attributes_are_dropped)
{
	struct pair x[] = { { STR("user.overlay.redirect"), STR("/etc") }, { STR("trusted.overlay.opaque"), STR("y") },
		{ STR("user.overlay.opaque"), STR("y") }, { STR("system.posix_acl_access"), STR("z") } };
	struct tar_entry t = { .name = STR("d/"), .type = TAR_DIR, .mode = 0755, .xattrs = { x, 4 } };
	char list[256];
	int root, fd;

	SKIP_UNLESS_ROOT();
	root = accepted(&t, 1);
	fd = openat(root, "d", O_RDONLY);
	CHECK_INT(flistxattr(fd, list, sizeof list), 0);
	close(fd);
}

TEST(bombs_I13)
{
	struct unpack_job job = { .max_size = 1 << 20 };
	struct unpack_result out;
	struct tar_entry t = { .name = STR("big"), .size = 16 << 20 };
	struct err e = { 0 };
	char zeros[65536] = { 0 };
	int fd, rc, i;

	SKIP_UNLESS_ROOT();
	fd = gzipped(archive(&t, 1, job.diff_id));
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_ERR(rc, e, "limit");
	CHECK_INT(e.code, EFBIG);
	fd = memfd();                                 /* zeros: an empty archive, and no end */
	for (i = 0; i < 1024; i++)
		REQUIRE(write(fd, zeros, sizeof zeros) > 0);
	lseek(fd, 0, SEEK_SET);
	fd = gzipped(fd);
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_ERR(rc, e, "limit");
}

TEST(truncated_gzip_and_tar_I12_I14)
{
	struct unpack_job job = { 0 };
	struct unpack_result out;
	struct tar_entry t[] = { F("a"), { .name = STR("b"), .size = 100000 } };
	struct err e = { 0 };
	int fd, rc;

	SKIP_UNLESS_ROOT();
	fd = archive(t, 2, job.diff_id);
	REQUIRE(ftruncate(fd, 50000) == 0);
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_ERR(rc, e, "ends early");
	fd = gzipped(archive(t, 2, job.diff_id));
	REQUIRE(ftruncate(fd, lseek(fd, 0, SEEK_END) - 5) == 0);
	lseek(fd, 0, SEEK_SET);
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_ERR(rc, e, "gzip: ends early");
}

TEST(wrong_digests_I15)
{
	struct tar_entry t = { .name = STR("a"), .size = 1000 };
	struct unpack_job job = { 0 };
	struct unpack_result out;
	struct err e = { 0 };
	int fd, rc;

	SKIP_UNLESS_ROOT();
	fd = gzipped(archive(&t, 1, job.diff_id));
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_OK(rc, e);
	CHECK_STR(out.diff_id, job.diff_id);
	CHECK_INT(out.size, 1000);
	CHECK_INT(out.entries, 1);
	memcpy(job.blob, out.blob, sizeof job.blob);
	lseek(fd, 0, SEEK_SET);
	job.verify_only = 1;
	CHECK_OK(unpack_sandboxed(fd, -1, &job, &out, &e), e);
	job.verify_only = 0;
	job.diff_id[20] ^= 1;
	lseek(fd, 0, SEEK_SET);
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_ERR(rc, e, "diff id does not match");
	memset(job.diff_id, 0, sizeof job.diff_id);
	job.blob[20] ^= 1;
	lseek(fd, 0, SEEK_SET);
	close(unpack(fd, &job, &out, &e, &rc));
	CHECK_ERR(rc, e, "blob's digest does not match");
}

TEST_LIMIT(a_hundred_thousand_entries_I18, 60)
{
	size_t n = 100000, i;
	struct tar_entry *t = calloc(n, sizeof *t);
	struct unpack_job job = { 0 };
	struct unpack_result out;
	struct err e = { 0 };
	int fd, root;

	SKIP_UNLESS_ROOT();
	for (i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof name, "d%zu/f%zu", i % 10, i);
		t[i] = (struct tar_entry){ .name = str_of(strdup(name)), .mode = 0644 };
	}
	fd = archive(t, n, job.diff_id);
	root = fresh_root();
	CHECK_OK(unpack_sandboxed(fd, root, &job, &out, &e), e);
	CHECK_INT(out.entries, n);
	CHECK(S_ISREG(stat_at(root, "d9/f99999").st_mode));
	lseek(fd, 0, SEEK_SET);
	job.max_entries = 1000;
	CHECK_ERR(unpack_sandboxed(fd, fresh_root(), &job, &out, &e), e, "more than 1000 entries");
}

TEST(a_full_disk_says_so)
{
	struct tar_entry t = { .name = STR("a"), .size = 1 << 20 };
	struct unpack_job job = { 0 };
	struct unpack_result out;
	struct err e = { 0 };
	int fd, root;
	char path[300];

	SKIP_UNLESS_ROOT();
	snprintf(path, sizeof path, "%s/full", test_dir());
	if (mkdir(path, 0755) || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", path, "tmpfs", 0, "size=256k"))
		SKIP("cannot mount a tmpfs");
	root = open(path, O_RDONLY | O_DIRECTORY);
	fd = archive(&t, 1, job.diff_id);
	CHECK_ERR(unpack_sandboxed(fd, root, &job, &out, &e), e, "No space left on device");
	CHECK_INT(e.code, ENOSPC);
}

TEST(clean_names)
{
	char out[64];

	CHECK(tree_clean_name(STR("./a//b/./c/"), out));
	CHECK_STR(out, "a/b/c");
	CHECK(tree_clean_name(STR("/"), out));
	CHECK_STR(out, "");
	CHECK(!tree_clean_name(STR("a/.."), out));
	CHECK(tree_clean_name(STR("..a/b.."), out));
	CHECK_STR(out, "..a/b..");
}
