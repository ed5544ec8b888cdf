#include "power/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR    512
#define FILES_MAX 512
#define NAMES_MAX 64
#define PATH_LEN  128

const char *const loss_names[LOSS_KINDS] = { "nothing lost", "all unsynced lost", "data lost", "names lost", "writes lost", "torn" };

/* --- the trace --- */

void trace_load(struct trace *t, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t cap = 0;
	struct stat st;

	*t = (struct trace){ 0 };
	if (fd < 0 || fstat(fd, &st) || st.st_size == 0)
		abort();
	t->n = (size_t)st.st_size;
	t->bytes = mmap(NULL, t->n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (t->bytes == MAP_FAILED)
		abort();
	close(fd);
	for (size_t at = 0; at < t->n;) {
		struct record r;

		if (t->records == cap && !(t->at = realloc(t->at, (cap = cap ? cap * 2 : 4096) * sizeof *t->at)))
			abort();
		t->at[t->records++] = at;
		memcpy(&r, t->bytes + at, sizeof r);
		at += sizeof r + r.n_path + r.n_to + r.n_data;
	}
}

void trace_release(struct trace *t)
{
	munmap((void *)t->bytes, t->n);
	free(t->at);
}

const struct record *trace_at(const struct trace *t, size_t i)
{
	static struct record r;                       /* records are not aligned */

	memcpy(&r, t->bytes + t->at[i], sizeof r);
	return &r;
}

/* --- a disk --- */

struct file {
	unsigned char *p;                             /* durable content */
	size_t         size, cap;
	size_t        *pending, n_pending, cap_pending; /* records after the last sync */
	bool           dir;
};

struct name {
	char path[PATH_LEN];
	int  file;                                    /* -1: free */
};

struct names {
	struct name v[NAMES_MAX];
};

struct disk {
	const struct trace *t;
	uint64_t     seed;
	struct file  files[FILES_MAX];
	int          n_files;
	struct names now;                             /* as the process saw them */
	struct names durable;
	size_t       pending[4096], n_pending;        /* records that changed names since their directory was synced */
	int          pending_file[4096];              /* which file they are about */
	int          fds[256];                        /* file of each descriptor */
};

static uint64_t number(struct disk *d)                /* splitmix64 */
{
	uint64_t z = d->seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static struct name *name_find(struct names *n, const char *path)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (n->v[i].file >= 0 && strcmp(n->v[i].path, path) == 0)
			return &n->v[i];
	return NULL;
}

static void name_set(struct names *n, const char *path, int file)
{
	struct name *at = name_find(n, path);

	for (int i = 0; !at && i < NAMES_MAX; i++)
		if (n->v[i].file < 0)
			at = &n->v[i];
	if (!at)
		abort();
	snprintf(at->path, sizeof at->path, "%s", path);
	at->file = file;
}

static void name_drop(struct names *n, const char *path)
{
	struct name *at = name_find(n, path);

	if (at)
		at->file = -1;
}

static void name_apply(struct names *n, const struct record *r, const char *path, const char *to, int file)
{
	if (r->op == CALL_UNLINK) {
		name_drop(n, path);
		return;
	}
	if (r->op == CALL_RENAME)
		name_drop(n, path);
	name_set(n, r->op == CALL_RENAME ? to : path, file);
}

static void resize(struct file *f, size_t size)
{
	if (size > f->cap) {
		f->cap = size + (size >> 1) + 4096;
		f->p = realloc(f->p, f->cap);
		if (!f->p)
			abort();
	}
	if (size > f->size)
		memset(f->p + f->size, 0, size - f->size);
	f->size = size;
}

static void content(struct file *f, size_t off, const char *p, size_t n)
{
	if (off + n > f->size)
		resize(f, off + n);
	memcpy(f->p + off, p, n);
}

static const char *data_of(struct disk *d, size_t i, const struct record *r)
{
	return d->t->bytes + d->t->at[i] + sizeof *r + r->n_path + r->n_to;
}

static void apply(struct disk *d, struct file *f, size_t i)
{
	struct record r = *trace_at(d->t, i);

	if (r.op == CALL_WRITE)
		content(f, (size_t)r.off, data_of(d, i, &r), r.n_data);
	else if (r.op == CALL_OPEN)                     /* with O_TRUNC */
		resize(f, 0);
	else if (r.op == CALL_TRUNCATE || (size_t)r.off > f->size)
		resize(f, (size_t)r.off);
}

static void pend(struct file *f, size_t i)
{
	if (f->n_pending == f->cap_pending) {
		f->cap_pending = f->cap_pending ? f->cap_pending * 2 : 16;
		f->pending = realloc(f->pending, f->cap_pending * sizeof *f->pending);
		if (!f->pending)
			abort();
	}
	f->pending[f->n_pending++] = i;
}

static void strings(struct disk *d, size_t i, const struct record *r, char path[PATH_LEN], char to[PATH_LEN])
{
	const char *p = d->t->bytes + d->t->at[i] + sizeof *r;

	snprintf(path, PATH_LEN, "%.*s", (int)r->n_path, p);
	snprintf(to, PATH_LEN, "%.*s", (int)r->n_to, p + r->n_path);
}

static bool in_directory(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 ? !strchr(path, '/') : strncmp(path, dir, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void names_synced(struct disk *d, const char *dir)
{
	size_t kept = 0;

	for (size_t k = 0; k < d->n_pending; k++) {
		struct record r = *trace_at(d->t, d->pending[k]);
		char path[PATH_LEN], to[PATH_LEN];

		strings(d, d->pending[k], &r, path, to);
		if (in_directory(path, dir)) {
			name_apply(&d->durable, &r, path, to, d->pending_file[k]);
			continue;
		}
		d->pending[kept] = d->pending[k];
		d->pending_file[kept++] = d->pending_file[k];
	}
	d->n_pending = kept;
}

static void name_change(struct disk *d, size_t i, const struct record *r, const char *path, const char *to, int file)
{
	if (d->n_pending == sizeof d->pending / sizeof *d->pending)
		abort();
	name_apply(&d->now, r, path, to, file);
	d->pending[d->n_pending] = i;
	d->pending_file[d->n_pending++] = file;
}

static int file_new(struct disk *d, bool dir)
{
	if (d->n_files == FILES_MAX)
		abort();
	d->files[d->n_files] = (struct file){ .dir = dir };
	return d->n_files++;
}

static void replay_open(struct disk *d, size_t i, const struct record *r, const char *path)
{
	struct name *at = name_find(&d->now, path);
	int file;

	if (path[0] == '\0') {
		d->fds[r->fd] = 0;
		return;
	}
	file = at ? at->file : file_new(d, false);
	if (!at)
		name_change(d, i, r, path, "", file);
	else if (r->off & O_TRUNC)
		pend(&d->files[file], i);
	d->fds[r->fd] = file;
}

static bool lied(struct disk *d, int file)
{
	for (int k = 0; d->t->lie && k < NAMES_MAX; k++)
		if (d->now.v[k].file == file && strncmp(d->now.v[k].path, d->t->lie, strlen(d->t->lie)) == 0 &&
		    d->files[file].dir == !strchr(d->t->lie, '/'))
			return true;
	return false;
}

static void replay(struct disk *d, size_t i)
{
	struct record r = *trace_at(d->t, i);
	char path[PATH_LEN], to[PATH_LEN];
	struct name *at;
	struct file *f;

	strings(d, i, &r, path, to);
	switch (r.op) {
	case CALL_OPEN:
		replay_open(d, i, &r, path);
		break;
	case CALL_WRITE:
	case CALL_TRUNCATE:
	case CALL_RESERVE:
		pend(&d->files[d->fds[r.fd]], i);
		break;
	case CALL_SYNC:
		if (lied(d, d->fds[r.fd]))
			break;
		f = &d->files[d->fds[r.fd]];
		for (size_t k = 0; k < f->n_pending; k++)
			apply(d, f, f->pending[k]);
		f->n_pending = 0;
		for (int k = 0; f->dir && k < NAMES_MAX; k++)
			if (d->now.v[k].file == d->fds[r.fd])
				names_synced(d, d->now.v[k].path);
		break;
	case CALL_SYNC_FAILED:
		d->files[d->fds[r.fd]].n_pending = 0;
		break;
	case CALL_RENAME:
	case CALL_UNLINK:
		at = name_find(&d->now, path);
		if (!at)
			abort();
		name_change(d, i, &r, path, to, at->file);
		break;
	case CALL_MKDIR:
		name_change(d, i, &r, path, "", file_new(d, true));
		break;
	default:
		break;
	}
}

/* --- the moment --- */

/* Of one write: some of its sectors. */
static void tear(struct disk *d, struct file *f, size_t i)
{
	struct record r = *trace_at(d->t, i);
	const char *p = data_of(d, i, &r);

	for (size_t at = 0, part; at < r.n_data; at += part) {
		part = SECTOR - (size_t)((r.off + (int64_t)at) % SECTOR);
		if (part > r.n_data - at)
			part = r.n_data - at;
		if (number(d) % 2)
			content(f, (size_t)r.off + at, p + at, part);
	}
}

static void lose_content(struct disk *d, struct file *f, enum loss loss)
{
	for (size_t k = 0; k < f->n_pending; k++) {
		size_t i = f->pending[k];
		bool write = trace_at(d->t, i)->op == CALL_WRITE;
		uint64_t dice = number(d) % 4;

		if (loss == LOSS_ALL || (loss == LOSS_DATA && write) || (loss == LOSS_WRITES && dice < 2) ||
		    (loss == LOSS_SECTORS && dice == 0))
			continue;
		if (loss == LOSS_SECTORS && write && dice > 1)
			tear(d, f, i);
		else
			apply(d, f, i);
	}
}

static void lose_names(struct disk *d, enum loss loss)
{
	for (size_t k = 0; k < d->n_pending; k++) {
		struct record r = *trace_at(d->t, d->pending[k]);
		char path[PATH_LEN], to[PATH_LEN];

		if (loss == LOSS_ALL || loss == LOSS_NAMES || (loss >= LOSS_WRITES && number(d) % 2))
			continue;
		strings(d, d->pending[k], &r, path, to);
		name_apply(&d->durable, &r, path, to, d->pending_file[k]);
	}
}

static void put_file(const char *path, const struct file *f)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)f->size))
		abort();
	for (size_t at = 0; at < f->size; at += 4096) {
		size_t n = f->size - at < 4096 ? f->size - at : 4096, i = 0;

		while (i < n && !f->p[at + i])
			i++;
		if (i < n && pwrite(fd, f->p + at, n, (off_t)at) != (ssize_t)n)
			abort();
	}
	close(fd);
}

/* Directories first; what lies in a directory that is lost is lost. */
static void put_all(struct disk *d, const char *dir)
{
	char path[1024];

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < NAMES_MAX; i++) {
			const struct name *n = &d->durable.v[i];
			char parent[PATH_LEN];
			struct name *up;

			if (n->file <= 0 || d->files[n->file].dir != (pass == 0))
				continue;
			snprintf(parent, sizeof parent, "%s", n->path);
			*(strrchr(parent, '/') ?: parent) = '\0';
			up = name_find(&d->durable, parent);
			if (!up || !d->files[up->file].dir)
				continue;
			snprintf(path, sizeof path, "%s/%s", dir, n->path);
			if (pass == 1)
				put_file(path, &d->files[n->file]);
			else if (mkdir(path, 0700))
				abort();
		}
}

void image_build(const struct trace *t, size_t records, enum loss loss, uint64_t seed, const char *dir)
{
	struct disk *d = calloc(1, sizeof *d);

	if (!d || mkdir(dir, 0700))
		abort();
	d->t = t;
	d->seed = seed;
	for (int i = 0; i < NAMES_MAX; i++)
		d->now.v[i].file = d->durable.v[i].file = -1;
	file_new(d, true);                            /* 0: the root */
	name_set(&d->now, "", 0);
	name_set(&d->durable, "", 0);
	for (size_t i = 0; i < records; i++)
		replay(d, i);
	lose_names(d, loss);
	for (int i = 0; i < d->n_files; i++)
		lose_content(d, &d->files[i], loss);
	put_all(d, dir);
	for (int i = 0; i < d->n_files; i++) {
		free(d->files[i].p);
		free(d->files[i].pending);
	}
	free(d);
}

/* --- where a trace begins --- */

static void put_record(int fd, struct record r, const char *path, const void *data)
{
	if (write(fd, &r, sizeof r) != sizeof r || write(fd, path, r.n_path) != (ssize_t)r.n_path ||
	    write(fd, data, r.n_data) != (ssize_t)r.n_data)
		abort();
}

static void base_file(const char *root, const char *path, int trace)
{
	static char block[64 << 10];
	char full[1024];
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(full, sizeof full, "%s/%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		abort();
	put_record(trace, (struct record){ .op = CALL_OPEN, .fd = 9, .created = 1, .n_path = (uint32_t)strlen(path) }, path, NULL);
	put_record(trace, (struct record){ .op = CALL_TRUNCATE, .fd = 9, .off = st.st_size }, path, NULL);
	for (int64_t at = 0; (n = read(fd, block, sizeof block)) > 0; at += n)
		put_record(trace, (struct record){ .op = CALL_WRITE, .fd = 9, .off = at, .n_data = (uint32_t)n }, path, block);
	put_record(trace, (struct record){ .op = CALL_SYNC, .fd = 9 }, path, NULL);
	close(fd);
}

static void base_below(const char *root, const char *dir, int trace)
{
	char full[1024], path[PATH_LEN];
	struct dirent *n;
	struct stat st;
	DIR *in;

	snprintf(full, sizeof full, "%s/%s", root, dir);
	in = opendir(full);
	while (in && (n = readdir(in))) {
		if (n->d_name[0] == '.' ||
		    snprintf(path, sizeof path, "%s%s%s", dir, dir[0] ? "/" : "", n->d_name) >= (int)sizeof path)
			continue;
		snprintf(full, sizeof full, "%s/%s", root, path);
		if (stat(full, &st))
			abort();
		if (!S_ISDIR(st.st_mode)) {
			base_file(root, path, trace);
			continue;
		}
		put_record(trace, (struct record){ .op = CALL_MKDIR, .n_path = (uint32_t)strlen(path) }, path, NULL);
		base_below(root, path, trace);
	}
	if (in)
		closedir(in);
	put_record(trace, (struct record){ .op = CALL_OPEN, .fd = 9, .n_path = (uint32_t)strlen(dir) }, dir, NULL);
	put_record(trace, (struct record){ .op = CALL_SYNC, .fd = 9 }, dir, NULL);
}

void image_base(const char *root, int trace)
{
	base_below(root, "", trace);
}
