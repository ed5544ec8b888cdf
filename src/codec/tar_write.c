/* The writer of tar archives; see tar.h. ustar, and a pax extended header in front where ustar has no room. */
#include "codec/tar.h"

#include "base/buf.h"

#include <errno.h>
#include <unistd.h>

static const char zeros[2 * TAR_BLOCK];

void tar_writer_init(struct tar_writer *w, tar_write_fn *write, void *ctx)
{
	*w = (struct tar_writer){ .write = write, .ctx = ctx };
}

/* n - 1 octal digits; 0 and false when it does not fit. */
static bool put_octal(char *p, size_t n, int64_t v)
{
	size_t i;
	bool fits = v >= 0 && (n > 21 || v < 1ll << (3 * (n - 1)));

	if (!fits)
		v = 0;
	for (i = n - 1; i-- > 0; v >>= 3)
		p[i] = '0' + (v & 7);
	p[n - 1] = 0;
	return fits;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct buf *b, const char *prefix, struct str key, struct str val)
{
	size_t body = strlen(prefix) + key.n + val.n + 3, n = body + 1, digits;
	char text[24];

	for (;;) {
		digits = snprintf(text, sizeof text, "%zu", n);
		if (body + digits == n)
			break;
		n = body + digits;
	}
	buf_printf(b, "%zu %s", n, prefix);
	buf_str(b, key);
	buf_char(b, '=');
	buf_str(b, val);
	buf_char(b, '\n');
}

static void add_number(struct buf *b, const char *key, int64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)v);
	add_record(b, "", str_of(key), str_of(text));
}

static void fill(char *h, const char *name, size_t name_n, char type, uint32_t mode, int64_t size)
{
	memset(h, 0, TAR_BLOCK);
	memcpy(h, name, name_n < 100 ? name_n : 100);
	put_octal(h + 100, 8, mode);
	put_octal(h + 108, 8, 0);
	put_octal(h + 116, 8, 0);
	put_octal(h + 124, 12, size);
	put_octal(h + 136, 12, 0);
	h[156] = type;
	memcpy(h + 257, "ustar\0" "00", 8);
	put_octal(h + 329, 8, 0);
	put_octal(h + 337, 8, 0);
}

static int put(struct tar_writer *w, char *h, struct err *e)
{
	unsigned sum = 0;
	int i;

	memset(h + 148, ' ', 8);
	for (i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h[i];
	put_octal(h + 148, 7, sum);
	return w->write(w->ctx, h, TAR_BLOCK, e);
}

static int put_extended(struct tar_writer *w, const struct buf *records, struct err *e)
{
	static const char name[] = "PaxHeaders/entry";
	char h[TAR_BLOCK];
	size_t pad = -records->n & (TAR_BLOCK - 1);

	fill(h, name, sizeof name - 1, 'x', 0644, records->n);
	if (put(w, h, e) || w->write(w->ctx, records->p, records->n, e))
		return -1;
	return pad ? w->write(w->ctx, zeros, pad, e) : 0;
}

int tar_write_header(struct tar_writer *w, const struct tar_entry *t, struct err *e)
{
	static const char types[] = { [TAR_FILE] = '0', [TAR_DIR] = '5', [TAR_SYMLINK] = '2', [TAR_LINK] = '1',
		[TAR_CHAR] = '3', [TAR_BLOCKDEV] = '4', [TAR_FIFO] = '6' };
	auto_buf x = BUF_INIT(4 << 20);
	int64_t sec = t->mtime_ns / 1000000000, frac = t->mtime_ns % 1000000000, size = t->type == TAR_FILE ? t->size : 0;
	struct str name = t->name;
	char h[TAR_BLOCK];
	size_t i;

	if (w->left)
		return err_set(e, EINVAL, "tar: %lld bytes of the entry before are missing", (long long)w->left);
	fill(h, name.p, name.n, types[t->type], t->mode, 0);
	if (name.n > 100)
		add_record(&x, "", STR("path"), name);
	if (t->link.n > 100)
		add_record(&x, "", STR("linkpath"), t->link);
	else if (t->link.n)
		memcpy(h + 157, t->link.p, t->link.n);
	if (!put_octal(h + 108, 8, t->uid))
		add_number(&x, "uid", t->uid);
	if (!put_octal(h + 116, 8, t->gid))
		add_number(&x, "gid", t->gid);
	if (!put_octal(h + 124, 12, size))
		add_number(&x, "size", size);
	if (!put_octal(h + 136, 12, sec) || frac) {
		char text[48];

		snprintf(text, sizeof text, "%s%lld.%09lld", t->mtime_ns < 0 ? "-" : "", (long long)llabs(sec),
		         (long long)llabs(frac));
		add_record(&x, "", STR("mtime"), str_of(text));
	}
	if (t->type == TAR_CHAR || t->type == TAR_BLOCKDEV) {
		put_octal(h + 329, 8, t->dev_major);
		put_octal(h + 337, 8, t->dev_minor);
	}
	for (i = 0; i < t->xattrs.n; i++)
		add_record(&x, "SCHILY.xattr.", t->xattrs.v[i].key, t->xattrs.v[i].val);
	if (!buf_ok(&x))
		return err_set(e, EFBIG, "tar: extended attributes of an entry are over %d bytes", 4 << 20);
	if (x.n && put_extended(w, &x, e))
		return -1;
	w->left = size;
	w->pad = -size & (TAR_BLOCK - 1);
	return put(w, h, e);
}

int tar_write_data(struct tar_writer *w, const void *p, size_t n, struct err *e)
{
	if ((int64_t)n > w->left)
		return err_set(e, EINVAL, "tar: more data than the header said");
	if (n && w->write(w->ctx, p, n, e))
		return -1;
	w->left -= n;
	if (w->left == 0 && w->pad) {
		int64_t pad = w->pad;

		w->pad = 0;
		return w->write(w->ctx, zeros, pad, e);
	}
	return 0;
}

int tar_write_end(struct tar_writer *w, struct err *e)
{
	if (w->left)
		return err_set(e, EINVAL, "tar: %lld bytes of the last entry are missing", (long long)w->left);
	return w->write(w->ctx, zeros, sizeof zeros, e);
}

int tar_write_file(struct tar_writer *w, const char *name, uint32_t mode, struct str data, struct err *e)
{
	struct tar_entry t = { .name = str_of(name), .mode = mode, .size = data.n };

	return tar_write_header(w, &t, e) || tar_write_data(w, data.p, data.n, e) ? -1 : 0;
}

int tar_writer_to_fd(void *ctx, const void *p, size_t n, struct err *e)
{
	const int *fd = ctx;

	while (n) {
		ssize_t k = write(*fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, "write");
		p = (const char *)p + k;
		n -= k;
	}
	return 0;
}
