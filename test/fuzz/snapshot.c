/* Any bytes as a snapshot file. */
#include "cluster/crc32c.h"
#include "cluster/snapfile.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A disk that has this one file. */
struct one_file {
	struct disk disk;
	struct str  text;
};

static int one_open(struct disk *d, const char *name, bool create, struct err *e)
{
	(void)d, (void)name, (void)create, (void)e;
	return 0;
}

static void one_close(struct disk *d, int h)
{
	(void)d, (void)h;
}

static int64_t one_read(struct disk *d, int h, int64_t off, void *p, size_t n, struct err *e)
{
	struct str rest = str_drop(((struct one_file *)d)->text, (size_t)off);

	(void)h, (void)e;
	n = n < rest.n ? n : rest.n;
	if (n)
		memcpy(p, rest.p, n);
	return (int64_t)n;
}

static int one_list(struct disk *d, disk_list_fn fn, void *ctx, struct err *e)
{
	(void)d, (void)e;
	return fn(ctx, "snap-0000000000000007") < 0 ? -1 : 0;
}

static int look(void *ctx, struct str key, struct str val, struct err *e)
{
	size_t *left = ctx;

	(void)e;
	if (key.n == 0 || key.n > SNAP_KEY_MAX || key.n + val.n > *left) /* more than the file has */
		abort();
	*left -= key.n + val.n;
	crc32c(crc32c(0, key.p, key.n), val.p, val.n); /* every byte must be readable */
	return 0;
}

static void read_all(struct str text)
{
	static const struct disk_ops ops = { .open = one_open, .close = one_close, .read = one_read, .list = one_list };
	struct one_file d = { { &ops }, text };
	auto_arena a = ARENA_INIT;
	struct snap_meta m;
	size_t left = text.n;
	struct err e;

	if (snap_find(&d.disk, &a, &m, &e))
		return;
	if (m.index != 7 || m.conf.n > SNAP_CONF_MAX)
		abort();
	snap_read(&d.disk, 7, look, &left, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char head[] = "TRITSNP1\7\0\0\0\0\0\0";
	char copy[4096];
	size_t conf;

	read_all(str_make(p, n));
	/* Once more with a right header, so that the fuzzer gets behind its checksum. */
	if (n < 40 || n > sizeof copy)
		return 0;
	memcpy(copy, p, n);
	memcpy(copy, head, sizeof head);
	conf = (unsigned char)copy[32] % 8;
	memcpy(copy + 32, (char[4]){ (char)conf }, 4);
	if (36 + conf + 4 > n)
		return 0;
	for (uint32_t crc = crc32c(0, copy, 36 + conf), i = 0; i < 4; i++)
		copy[36 + conf + i] = (char)(crc >> 8 * i);
	read_all(str_make(copy, n));
	return 0;
}
