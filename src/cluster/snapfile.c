#include "cluster/snapfile.h"

#include "cluster/crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_BYTES  36                                /* before the configuration */
#define FOOT_BYTES  24
#define FLUSH_BYTES (256u << 10)
#define READ_BYTES  (256u << 10)

static void add32(struct buf *b, uint32_t v)
{
	unsigned char p[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

	buf_add(b, p, 4);
}

static void add64(struct buf *b, uint64_t v)
{
	add32(b, (uint32_t)v);
	add32(b, (uint32_t)(v >> 32));
}

static uint32_t get32(const char *v)
{
	const unsigned char *p = (const unsigned char *)v;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const char *v)
{
	return get32(v) | (uint64_t)get32(v + 4) << 32;
}

static void snap_name(uint64_t index, char out[32])
{
	snprintf(out, 32, "snap-%016llx", (unsigned long long)index);
}

/* --- writing --- */

static int flush(struct snap_writer *w, struct err *e)
{
	w->crc = crc32c(w->crc, w->out.p, w->out.n);
	if (w->disk->ops->write(w->disk, w->h, w->at, w->out.p, w->out.n, e))
		return err_wrap(e, "write snapshot");
	w->at += (int64_t)w->out.n;
	w->out.n = 0;
	return 0;
}

int snap_begin(struct snap_writer *w, struct disk *d, const struct snap_meta *meta, struct err *e)
{
	*w = (struct snap_writer){ .disk = d, .h = -1, .index = meta->index, .out = BUF_INIT(SNAP_VALUE_MAX * 2) };
	if (meta->conf.n > SNAP_CONF_MAX)
		return err_set(e, EINVAL, "raft configuration of %zu bytes", meta->conf.n);
	snprintf(w->tmp, sizeof w->tmp, "snap.tmp");
	if (d->ops->remove(d, w->tmp, e) || (w->h = d->ops->open(d, w->tmp, true, e)) < 0)
		return -1;
	buf_puts(&w->out, "TRITSNP1");
	add64(&w->out, meta->index);
	add64(&w->out, meta->term);
	add64(&w->out, meta->conf_index);
	add32(&w->out, (uint32_t)meta->conf.n);
	buf_str(&w->out, meta->conf);
	add32(&w->out, crc32c(0, w->out.p, w->out.n));
	return 0;
}

int snap_add(struct snap_writer *w, struct str key, struct str val, struct err *e)
{
	if (key.n == 0 || key.n > SNAP_KEY_MAX || val.n > SNAP_VALUE_MAX)
		return err_set(e, EINVAL, "snapshot record of %zu and %zu bytes", key.n, val.n);
	add32(&w->out, (uint32_t)key.n);
	add32(&w->out, (uint32_t)val.n);
	buf_str(&w->out, key);
	buf_str(&w->out, val);
	w->n++;
	return w->out.n >= FLUSH_BYTES ? flush(w, e) : 0;
}

struct old {
	struct disk *disk;
	uint64_t     keep;
};

static bool snap_index(const char *name, uint64_t *index)
{
	unsigned long long i;
	char again[32];

	if (sscanf(name, "snap-%16llx", &i) != 1)
		return false;
	snap_name(i, again);
	*index = i;
	return strcmp(again, name) == 0;
}

static int remove_old(void *ctx, const char *name)
{
	struct old *o = ctx;
	uint64_t index;

	if (snap_index(name, &index) && index < o->keep)
		o->disk->ops->remove(o->disk, name, NULL);
	return 0;
}

int snap_finish(struct snap_writer *w, struct err *e)
{
	struct disk *d = w->disk;
	char name[32];

	add32(&w->out, 0);
	if (flush(w, e))
		return -1;
	add32(&w->out, w->crc);
	add64(&w->out, w->n);
	buf_puts(&w->out, "TRITEND1");
	snap_name(w->index, name);
	if (flush(w, e) || d->ops->sync(d, w->h, e) || d->ops->rename(d, w->tmp, name, e) || d->ops->sync_names(d, e))
		return -1;
	d->ops->list(d, remove_old, &(struct old){ d, w->index }, NULL);
	snap_abort(w);
	return 0;
}

void snap_abort(struct snap_writer *w)
{
	if (w->h >= 0)
		w->disk->ops->close(w->disk, w->h);
	w->h = -1;
	buf_release(&w->out);
}

/* --- reading --- */

static int newest(void *ctx, const char *name)
{
	uint64_t index, *best = ctx;

	if (snap_index(name, &index) && index > *best)
		*best = index;
	return 0;
}

struct reader {
	struct disk *disk;
	int          h;
	int64_t      at;                              /* file offset after what is in `in` */
	struct buf   in;
	size_t       pos;                             /* consumed bytes of `in` */
	uint32_t     crc;                             /* of what was consumed */
};

static const char *here(const struct reader *r)
{
	return r->in.p + r->pos;
}

/* At least `n` bytes from here on. 1: yes, 0: the file ends before, -1: error. */
static int need(struct reader *r, size_t n, struct err *e)
{
	if (r->in.n - r->pos >= n)
		return 1;
	buf_consume(&r->in, r->pos);
	r->pos = 0;
	while (r->in.n < n) {
		size_t more = n - r->in.n > READ_BYTES ? n - r->in.n : READ_BYTES;
		char *p = buf_reserve(&r->in, more);
		int64_t got = p ? r->disk->ops->read(r->disk, r->h, r->at, p, more, e) : err_set(e, ENOMEM, "snapshot record");

		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		r->in.n += (size_t)got;
		r->at += got;
	}
	return 1;
}

static void consume(struct reader *r, size_t n)
{
	r->crc = crc32c(r->crc, here(r), n);
	r->pos += n;
}

static int damaged(struct err *e, const char *name)
{
	return err_set(e, EUCLEAN, "%s is damaged", name);
}

/* `index` 0: that of the file. */
static int reader_open(struct reader *r, struct disk *d, const char *name, uint64_t index, struct arena *a, struct snap_meta *meta,
                       struct err *e)
{
	size_t conf;
	int rc;

	*r = (struct reader){ .disk = d, .in = BUF_INIT(SNAP_VALUE_MAX * 2) };
	r->h = d->ops->open(d, name, false, e);
	if (r->h < 0)
		return -1;
	rc = need(r, HEAD_BYTES, e);
	if (rc > 0 && (conf = get32(here(r) + 32)) <= SNAP_CONF_MAX && (rc = need(r, HEAD_BYTES + conf + 4, e)) > 0 &&
	    memcmp(here(r), "TRITSNP1", 8) == 0 && (index == 0 || get64(here(r) + 8) == index) &&
	    get32(here(r) + HEAD_BYTES + conf) == crc32c(0, here(r), HEAD_BYTES + conf)) {
		meta->index = get64(here(r) + 8);
		meta->term = get64(here(r) + 16);
		meta->conf_index = get64(here(r) + 24);
		meta->conf = a ? arena_str(a, str_make(here(r) + HEAD_BYTES, conf)) : STR_NONE;
		consume(r, HEAD_BYTES + conf + 4);
		return 0;
	}
	d->ops->close(d, r->h);
	buf_release(&r->in);
	return rc < 0 ? -1 : damaged(e, name);
}

static void reader_close(struct reader *r)
{
	r->disk->ops->close(r->disk, r->h);
	buf_release(&r->in);
}

int snap_find(struct disk *d, struct arena *a, struct snap_meta *meta, struct err *e)
{
	struct reader r;
	uint64_t index = 0;
	char name[32];

	*meta = (struct snap_meta){ 0 };
	if (d->ops->list(d, newest, &index, e))
		return -1;
	if (index == 0)
		return 0;
	snap_name(index, name);
	if (reader_open(&r, d, name, index, a, meta, e))
		return -1;
	reader_close(&r);
	return 0;
}

static int footer(struct reader *r, uint64_t n, const char *name, struct err *e)
{
	uint32_t crc;
	int rc;

	consume(r, 4);
	crc = r->crc;
	rc = need(r, FOOT_BYTES - 4, e);
	if (rc < 0)
		return -1;
	if (rc == 0 || get32(here(r)) != crc || get64(here(r) + 4) != n || memcmp(here(r) + 12, "TRITEND1", 8) != 0)
		return damaged(e, name);
	return 0;
}

static int read_through(struct disk *d, const char *name, uint64_t index, struct arena *a, struct snap_meta *meta, snap_fn fn, void *ctx,
                        struct err *e)
{
	struct reader r;
	uint64_t n = 0;
	int rc;

	if (reader_open(&r, d, name, index, a, meta, e))
		return -1;
	while ((rc = need(&r, 4, e)) > 0) {
		size_t klen = get32(here(&r)), vlen;

		if (klen == 0) {
			rc = footer(&r, n, name, e);
			reader_close(&r);
			return rc;
		}
		if (klen > SNAP_KEY_MAX || (rc = need(&r, 8, e)) <= 0)
			break;
		vlen = get32(here(&r) + 4);
		if (vlen > SNAP_VALUE_MAX || (rc = need(&r, 8 + klen + vlen, e)) <= 0)
			break;
		if (fn && fn(ctx, str_make(here(&r) + 8, klen), str_make(here(&r) + 8 + klen, vlen), e)) {
			rc = -1;
			break;
		}
		consume(&r, 8 + klen + vlen);
		n++;
	}
	reader_close(&r);
	return rc < 0 ? -1 : damaged(e, name);
}

int snap_read(struct disk *d, uint64_t index, snap_fn fn, void *ctx, struct err *e)
{
	struct snap_meta meta;
	char name[32];

	snap_name(index, name);
	return read_through(d, name, index, NULL, &meta, fn, ctx, e);
}

int snap_read_file(struct disk *d, const char *name, struct arena *a, struct snap_meta *meta, snap_fn fn, void *ctx, struct err *e)
{
	return read_through(d, name, 0, a, meta, fn, ctx, e);
}

/* --- copies that come from another server --- */

#define COPY_NAME "snap-copy.tmp"

int snap_copy_begin(struct snap_copy *c, struct disk *d, uint64_t index, struct err *e)
{
	*c = (struct snap_copy){ .disk = d, .index = index, .h = -1 };
	if (d->ops->remove(d, COPY_NAME, e))
		return -1;
	c->h = d->ops->open(d, COPY_NAME, true, e);
	return c->h < 0 ? -1 : 0;
}

int snap_copy_add(struct snap_copy *c, struct str bytes, struct err *e)
{
	if (c->disk->ops->write(c->disk, c->h, c->at, bytes.p, bytes.n, e))
		return -1;
	c->at += (int64_t)bytes.n;
	return 0;
}

int snap_copy_finish(struct snap_copy *c, struct arena *a, struct snap_meta *meta, struct err *e)
{
	struct disk *d = c->disk;
	char name[32];

	snap_name(c->index, name);
	if (d->ops->sync(d, c->h, e) || read_through(d, COPY_NAME, c->index, a, meta, NULL, NULL, e) ||
	    d->ops->rename(d, COPY_NAME, name, e) || d->ops->sync_names(d, e))
		return -1;
	d->ops->list(d, remove_old, &(struct old){ d, c->index }, NULL);
	snap_copy_abort(c);
	return 0;
}

void snap_copy_abort(struct snap_copy *c)
{
	if (c->disk && c->h >= 0)
		c->disk->ops->close(c->disk, c->h);
	c->h = -1;
}

int snap_open(struct disk *d, uint64_t index, struct err *e)
{
	char name[32];

	snap_name(index, name);
	return d->ops->open(d, name, false, e);
}
