#include "unit/cluster/simdisk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct simdisk *self(struct disk *d)
{
	return (struct simdisk *)d;
}

uint64_t sim_random(struct simdisk *d)                /* splitmix64 */
{
	uint64_t z = d->seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static int broken(struct simdisk *d, struct err *e)
{
	if (d->fail_after == 0)
		d->dead = true;
	else if (d->fail_after > 0)
		d->fail_after--;
	return d->dead ? err_set(e, EIO, "the simulated disk failed") : 0;
}

static int broken_at(struct simdisk *d, const char *name, struct err *e)
{
	if (d->dies_at && strncmp(name, d->dies_at, strlen(d->dies_at)) == 0)
		d->fail_after = 0;
	return broken(d, e);
}

static struct sim_file *by_name(struct simdisk *d, const char *name)
{
	for (int i = 0; i < SIM_FILES; i++)
		if (strcmp(d->files[i].name, name) == 0)
			return &d->files[i];
	return NULL;
}

struct sim_file *sim_file(struct simdisk *d, const char *prefix)
{
	struct sim_file *best = NULL;

	for (int i = 0; i < SIM_FILES; i++)
		if (d->files[i].name[0] && strncmp(d->files[i].name, prefix, strlen(prefix)) == 0 &&
		    (!best || strcmp(d->files[i].name, best->name) > 0))
			best = &d->files[i];
	return best;
}

static void forget(struct sim_file *f)
{
	for (size_t i = 0; i < f->n_writes; i++)
		free(f->writes[i].p);
	f->n_writes = 0;
}

static void clear(struct sim_file *f)
{
	forget(f);
	free(f->writes);
	free(f->now);
	free(f->durable);
	*f = (struct sim_file){ 0 };
}

static void put(unsigned char **to, int64_t *size, int64_t off, const void *p, size_t n)
{
	if (off + (int64_t)n > *size) {
		*to = realloc(*to, (size_t)off + n);
		memset(*to + *size, 0, (size_t)(off + (int64_t)n - *size));
		*size = off + (int64_t)n;
	}
	if (n)
		memcpy(*to + off, p, n);
}

static void cut(unsigned char **to, int64_t *size, int64_t want)
{
	static const unsigned char zero;

	if (want < *size)
		*size = want;
	else if (want > *size)
		put(to, size, want - 1, &zero, 1);
}

static int sim_open(struct disk *disk, const char *name, bool create, struct err *e)
{
	struct simdisk *d = self(disk);
	struct sim_file *f = by_name(d, name);

	if (broken(d, e))
		return -1;
	for (int i = 0; !f && create && i < SIM_FILES; i++)
		if (!d->files[i].name[0] && !d->files[i].durable_name[0] && !d->files[i].open) {
			f = &d->files[i];
			clear(f);
			snprintf(f->name, sizeof f->name, "%s", name);
		}
	if (!f)
		return err_set(e, ENOENT, "open %s: no such file", name);
	f->open++;
	return (int)(f - d->files);
}

static void sim_close(struct disk *disk, int h)
{
	struct sim_file *f = &self(disk)->files[h];

	if (f->open && --f->open == 0 && !f->name[0] && !f->durable_name[0])
		clear(f);
}

static int64_t sim_size(struct disk *disk, int h)
{
	return self(disk)->files[h].size;
}

static int64_t sim_read(struct disk *disk, int h, int64_t off, void *p, size_t n, struct err *e)
{
	struct sim_file *f = &self(disk)->files[h];

	if (self(disk)->dead)
		return err_set(e, EIO, "the simulated disk failed");
	if (off >= f->size)
		return 0;
	if ((int64_t)n > f->size - off)
		n = (size_t)(f->size - off);
	memcpy(p, f->now + off, n);
	return (int64_t)n;
}

static void note(struct sim_file *f, int64_t off, const void *p, size_t n, bool truncate)
{
	if (f->n_writes == f->cap_writes) {
		f->cap_writes = f->cap_writes ? f->cap_writes * 2 : 16;
		f->writes = realloc(f->writes, f->cap_writes * sizeof *f->writes);
	}
	f->writes[f->n_writes] = (struct sim_write){ off, n, truncate ? NULL : malloc(n + 1) };
	if (!truncate)
		memcpy(f->writes[f->n_writes].p, p, n);
	f->n_writes++;
}

static int sim_write(struct disk *disk, int h, int64_t off, const void *p, size_t n, struct err *e)
{
	struct simdisk *d = self(disk);
	struct sim_file *f = &d->files[h];

	if (broken(d, e))
		return -1;
	if (d->space >= 0 && off + (int64_t)n > f->size) {
		if (off + (int64_t)n - f->size > d->space)
			return err_set(e, ENOSPC, "write: no space left on device");
		d->space -= off + (int64_t)n - f->size;
	}
	put(&f->now, &f->size, off, p, n);
	note(f, off, p, n, false);
	return 0;
}

static int sim_reserve(struct disk *disk, int h, int64_t off, size_t n, struct err *e)
{
	struct simdisk *d = self(disk);
	struct sim_file *f = &d->files[h];
	int64_t more = off + (int64_t)n - f->size;

	if (broken(d, e))
		return -1;
	if (more <= 0)
		return 0;
	if (d->space >= 0 && more > d->space)
		return err_set(e, ENOSPC, "reserve space: no space left on device");
	if (d->space >= 0)
		d->space -= more;
	cut(&f->now, &f->size, off + (int64_t)n);
	note(f, off + (int64_t)n, NULL, 0, true);
	return 0;
}

static int sim_truncate(struct disk *disk, int h, int64_t size, struct err *e)
{
	struct simdisk *d = self(disk);
	struct sim_file *f = &d->files[h];

	if (broken(d, e))
		return -1;
	if (d->space >= 0)
		d->space += f->size - size;
	cut(&f->now, &f->size, size);
	note(f, size, NULL, 0, true);
	return 0;
}

static int sim_sync(struct disk *disk, int h, struct err *e)
{
	struct sim_file *f = &self(disk)->files[h];

	if (broken_at(self(disk), f->name, e))
		return -1;
	self(disk)->syncs++;
	for (size_t i = 0; i < f->n_writes; i++) {
		const struct sim_write *w = &f->writes[i];

		if (w->p)
			put(&f->durable, &f->durable_size, w->off, w->p, w->n);
		else
			cut(&f->durable, &f->durable_size, w->off);
	}
	forget(f);
	return 0;
}

static int sim_rename(struct disk *disk, const char *from, const char *to, struct err *e)
{
	struct simdisk *d = self(disk);
	struct sim_file *f = by_name(d, from), *old = by_name(d, to);

	if (broken(d, e))
		return -1;
	if (!f)
		return err_set(e, ENOENT, "rename");
	if (old)
		old->name[0] = '\0';
	snprintf(f->name, sizeof f->name, "%s", to);
	return 0;
}

static int sim_remove(struct disk *disk, const char *name, struct err *e)
{
	struct simdisk *d = self(disk);
	struct sim_file *f = by_name(d, name);

	if (broken(d, e))
		return -1;
	if (f) {
		if (d->space >= 0)
			d->space += f->size;
		f->name[0] = '\0';
	}
	return 0;
}

static int sim_sync_names(struct disk *disk, struct err *e)
{
	struct simdisk *d = self(disk);

	if (broken_at(d, "names", e))
		return -1;
	for (int i = 0; i < SIM_FILES; i++) {
		memcpy(d->files[i].durable_name, d->files[i].name, sizeof d->files[i].name);
		if (!d->files[i].name[0] && !d->files[i].open)
			clear(&d->files[i]);
	}
	return 0;
}

static int sim_list(struct disk *disk, disk_list_fn fn, void *ctx, struct err *e)
{
	struct simdisk *d = self(disk);

	if (broken(d, e))
		return -1;
	for (int i = 0; i < SIM_FILES; i++) {
		char name[40];

		memcpy(name, d->files[i].name, sizeof name); /* `fn` may remove it */
		if (name[0] && fn(ctx, name))
			break;
	}
	return 0;
}

static const struct disk_ops ops = {
	sim_open, sim_close, sim_size, sim_read, sim_write, sim_reserve, sim_truncate, sim_sync, sim_rename, sim_remove,
	sim_sync_names, sim_list,
};

void sim_init(struct simdisk *d, uint64_t seed)
{
	*d = (struct simdisk){ .disk.ops = &ops, .seed = seed, .space = -1, .fail_after = -1 };
}

void sim_release(struct simdisk *d)
{
	for (int i = 0; i < SIM_FILES; i++)
		clear(&d->files[i]);
}

/* Of one unsynced write: all, nothing, or some of its sectors. */
static void maybe_write(struct simdisk *d, struct sim_file *f, const struct sim_write *w)
{
	uint64_t how = sim_random(d) % 4;

	if (!w->p) {
		if (how)
			cut(&f->durable, &f->durable_size, w->off);
		return;
	}
	for (size_t at = 0; at < w->n;) {
		size_t part = 512 - (size_t)((w->off + (int64_t)at) % 512);

		if (part > w->n - at)
			part = w->n - at;
		if (how == 1 || (how >= 2 && sim_random(d) % 2))
			put(&f->durable, &f->durable_size, w->off + (int64_t)at, w->p + at, part);
		at += part;
	}
}

void sim_crash(struct simdisk *d)
{
	for (int i = 0; i < SIM_FILES; i++) {
		struct sim_file *f = &d->files[i];
		bool keep_new_name = sim_random(d) % 2;

		for (size_t k = 0; k < f->n_writes; k++)
			maybe_write(d, f, &f->writes[k]);
		forget(f);
		if (keep_new_name)
			memcpy(f->durable_name, f->name, sizeof f->name);
		memcpy(f->name, f->durable_name, sizeof f->name);
		if (!f->name[0]) {
			clear(f);
			continue;
		}
		cut(&f->now, &f->size, 0);
		put(&f->now, &f->size, 0, f->durable, (size_t)f->durable_size);
	}
	/* Two generations of one name: a rename that was lost for one and not for the other. The newer one wins. */
	for (int i = 0; i < SIM_FILES; i++)
		for (int k = 0; k < i; k++)
			if (d->files[i].name[0] && strcmp(d->files[i].name, d->files[k].name) == 0)
				clear(&d->files[k]);
	sim_reap(d);
}

void sim_reap(struct simdisk *d)
{
	for (int i = 0; i < SIM_FILES; i++) {
		struct sim_file *f = &d->files[i];

		f->open = 0;
		if (!f->name[0] && !f->durable_name[0])
			clear(f);
	}
	d->dead = false;
	d->dies_at = NULL;
	d->fail_after = -1;
}
