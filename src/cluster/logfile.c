#include "cluster/logfile.h"

#include "base/buf.h"
#include "base/rand.h"
#include "cluster/crc32c.h"
#include "cluster/logseg.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define META_MAGIC     "TRITMETA"
#define META_BYTES     56
#define NAME_MAX_LEN   32
#define SEGMENT_MAX    (LOG_SEGMENT_BYTES + LOG_ENTRY_MAX + 4096)

struct segment {
	uint64_t first;
	int      h;
	uint32_t salt;
	int64_t  end, reserved;                       /* bytes in use; bytes the file has */
};

struct slot {                                         /* where entry `first + i` stands */
	uint64_t term;
	uint32_t off, crc;
	uint8_t  type;
};

struct logfile {
	struct disk    *disk;
	struct segment *segments;
	size_t          n_segments, cap_segments;
	struct slot    *slots;
	size_t          n_slots, cap_slots;
	uint64_t        first;                        /* index of slots[0] */
	uint64_t        synced;
	uint32_t        base_crc;                     /* of the entry before `first` */
	uint64_t        term, vote, server, generation;
	bool            broken;                       /* a write failed: never used again */
	const char     *blank;                        /* while opening: the slot of term and vote that holds nothing */
};

static void *grow(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	*cap = *cap ? *cap * 2 : 16;
	v = realloc(v, *cap * size);
	if (!v)
		abort();
	return v;
}

/* --- segments --- */

static void segment_name(uint64_t first, char out[NAME_MAX_LEN])
{
	snprintf(out, NAME_MAX_LEN, "log-%016llx", (unsigned long long)first);
}

static struct segment *newest(struct logfile *l)
{
	return l->n_segments ? &l->segments[l->n_segments - 1] : NULL;
}

static struct segment *segment_of(struct logfile *l, uint64_t index)
{
	size_t i = l->n_segments;

	while (i > 0 && l->segments[i - 1].first > index)
		i--;
	return i ? &l->segments[i - 1] : NULL;
}

static uint32_t chain_before(const struct logfile *l, uint64_t index)
{
	return index == l->first ? l->base_crc : l->slots[index - l->first - 1].crc;
}

static struct segment *segment_add(struct logfile *l)
{
	l->segments = grow(l->segments, l->n_segments, &l->cap_segments, sizeof *l->segments);
	l->segments[l->n_segments] = (struct segment){ .h = -1 };
	return &l->segments[l->n_segments++];
}

/* Durable at once: of several removals a crash may undo some, and a gap would look like lost entries. */
static int segment_drop(struct logfile *l, size_t i, struct err *e)
{
	char name[NAME_MAX_LEN];

	segment_name(l->segments[i].first, name);
	l->disk->ops->close(l->disk, l->segments[i].h);
	memmove(l->segments + i, l->segments + i + 1, (--l->n_segments - i) * sizeof *l->segments);
	return l->disk->ops->remove(l->disk, name, e) || l->disk->ops->sync_names(l->disk, e) ? -1 : 0;
}

static int damaged(struct err *e, const struct segment *s, uint64_t index)
{
	char name[NAME_MAX_LEN];

	segment_name(s->first, name);
	return err_set(e, EUCLEAN, "%s: entry %llu is damaged", name, (unsigned long long)index);
}

/* A new segment for index last + 1 with room for `need` bytes of entries. On failure nothing is left behind. */
static int segment_create(struct logfile *l, size_t need, struct err *e)
{
	const struct disk_ops *ops = l->disk->ops;
	size_t bytes = SEGMENT_HEADER + need > LOG_SEGMENT_BYTES ? SEGMENT_HEADER + need : LOG_SEGMENT_BYTES;
	uint64_t first = logfile_last(l) + 1;
	unsigned char head[SEGMENT_HEADER];
	uint32_t salt = (uint32_t)rand_u64();
	char name[NAME_MAX_LEN];
	struct segment *s;
	int h;

	logseg_header_put(head, first, chain_before(l, first), salt);
	segment_name(first, name);
	if (ops->remove(l->disk, name, e) || (h = ops->open(l->disk, name, true, e)) < 0)
		return -1;
	if (ops->reserve(l->disk, h, 0, bytes, e) || ops->write(l->disk, h, 0, head, sizeof head, e) ||
	    ops->sync(l->disk, h, e) || ops->sync_names(l->disk, e)) {
		ops->close(l->disk, h);
		ops->remove(l->disk, name, NULL);
		return err_wrap(e, "new log segment");
	}
	s = segment_add(l);
	*s = (struct segment){ .first = first, .h = h, .salt = salt, .end = SEGMENT_HEADER, .reserved = (int64_t)bytes };
	return 0;
}

static int room(struct logfile *l, size_t need, struct err *e)
{
	struct segment *s = newest(l);
	size_t more;

	if (s && s->reserved - s->end >= (int64_t)need)
		return 0;
	if (!s || s->end > SEGMENT_HEADER) {
		/* The old one is closed for good: whoever opens later relies on it being whole. */
		if (s && logfile_sync(l, e))
			return -1;
		return segment_create(l, need, e);
	}
	more = need - (size_t)(s->reserved - s->end);
	if (l->disk->ops->reserve(l->disk, s->h, s->reserved, more, e))
		return -1;
	s->reserved += (int64_t)more;
	return 0;
}

int logfile_reserve(struct logfile *l, size_t n, size_t bytes, struct err *e)
{
	if (l->broken)
		return err_set(e, EIO, "the log failed before");
	return room(l, n * (ENTRY_HEADER + 8) + bytes, e);
}

/* --- opening --- */

struct names {
	uint64_t *v;
	size_t    n, cap;
};

static int name_add(void *ctx, const char *name)
{
	struct names *s = ctx;
	unsigned long long first;
	char again[NAME_MAX_LEN];

	if (sscanf(name, "log-%16llx", &first) != 1)
		return 0;
	segment_name(first, again);
	if (strcmp(name, again) != 0)
		return 0;
	s->v = grow(s->v, s->n, &s->cap, sizeof *s->v);
	s->v[s->n++] = first;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void slot_add(struct logfile *l, uint64_t term, uint8_t type, size_t off, uint32_t crc)
{
	l->slots = grow(l->slots, l->n_slots, &l->cap_slots, sizeof *l->slots);
	l->slots[l->n_slots++] = (struct slot){ .term = term, .off = (uint32_t)off, .crc = crc, .type = type };
}

/* Read the entries of a segment whose header was good. `last`: no other segment follows. */
static int segment_read(struct logfile *l, struct segment *s, struct logseg_parser *p, bool last, struct err *e)
{
	const struct disk_ops *ops = l->disk->ops;
	struct log_entry en;

	for (size_t at = p->at; logseg_next(p, &en); at = p->at)
		slot_add(l, en.term, en.type, at, p->chain);
	s->end = (int64_t)p->at;
	s->reserved = (int64_t)p->bytes.n;
	if (s->end > s->reserved)                     /* the padding of the last entry was cut off */
		s->end = s->reserved = (int64_t)p->at;
	if (logseg_damaged(p))
		return damaged(e, s, p->next);
	if (!last || logseg_all_zero(str_drop(p->bytes, p->at)))
		return 0;
	if (ops->truncate(l->disk, s->h, s->end, e) ||
	    ops->reserve(l->disk, s->h, s->end, (size_t)(s->reserved - s->end), e))
		return err_wrap(e, "cut the torn end of the log");
	return 0;
}

static int segment_open(struct logfile *l, uint64_t first, bool last, struct err *e)
{
	const struct disk_ops *ops = l->disk->ops;
	struct logseg_parser p = { .at = SEGMENT_HEADER };
	uint64_t told;
	uint32_t chain;
	char name[NAME_MAX_LEN];
	struct segment *s = segment_add(l);
	int64_t size, got;
	char *bytes;
	int rc = -1;

	s->first = first;
	segment_name(first, name);
	s->h = ops->open(l->disk, name, false, e);
	if (s->h < 0) {
		l->n_segments--;
		return -1;
	}
	size = ops->size(l->disk, s->h);
	if (size < 0 || size > SEGMENT_MAX)
		return err_set(e, EUCLEAN, "%s has a size of %lld bytes", name, (long long)size);
	bytes = malloc((size_t)size + 1);
	if (!bytes)
		abort();
	got = ops->read(l->disk, s->h, 0, bytes, (size_t)size, e);
	if (got < 0)
		goto out;
	p.bytes = str_make(bytes, (size_t)got);
	if (!logseg_header(p.bytes, &told, &chain, &p.salt)) {
		/* Only a creation that never ended leaves zeros; nothing was in it. */
		if (last && logseg_all_zero(str_head(p.bytes, SEGMENT_HEADER)))
			rc = segment_drop(l, l->n_segments - 1, e);
		else
			err_set(e, EUCLEAN, "the header of %s is damaged", name);
		goto out;
	}
	if (l->n_segments == 1) {
		l->first = first;
		l->base_crc = chain;
	}
	p.chain = chain_before(l, logfile_last(l) + 1);
	p.next = first;
	p.term = l->n_slots ? l->slots[l->n_slots - 1].term : 0;
	s->salt = p.salt;
	if (told != first || first != logfile_last(l) + 1 || chain != p.chain)
		err_set(e, EUCLEAN, "log entries %llu to %llu, before %s, are missing", (unsigned long long)logfile_last(l) + 1,
		        (unsigned long long)first - 1, name);
	else
		rc = segment_read(l, s, &p, last, e);
out:
	free(bytes);
	return rc;
}

static int meta_read(struct logfile *l, const char *name, struct err *e)
{
	char b[META_BYTES + 1];
	int64_t got;
	int h = l->disk->ops->open(l->disk, name, true, e);

	if (h < 0)
		return -1;
	got = l->disk->ops->read(l->disk, h, 0, b, sizeof b, e);
	if (got >= 0 && l->disk->ops->sync(l->disk, h, e))
		got = -1;
	l->disk->ops->close(l->disk, h);
	if (got < 0)
		return -1;
	if (logseg_all_zero(str_make(b, (size_t)got))) {     /* never written, or its first write was lost */
		l->blank = name;
		return 0;
	}
	/* One sector: a power failure leaves the old or the new content. Anything else is damage, and going on with
	 * the other slot could vote twice in a term. */
	if (got != META_BYTES || memcmp(b, META_MAGIC, 8) != 0 || logseg_get32(b + 48) != crc32c(0, b, 48))
		return err_set(e, EUCLEAN, "%s (term and vote) is damaged", name);
	if (logseg_get64(b + 8) <= l->generation)
		return 0;
	l->generation = logseg_get64(b + 8);
	l->server = logseg_get64(b + 16);
	l->term = logseg_get64(b + 24);
	l->vote = logseg_get64(b + 32);
	return 0;
}

/* The second write made both slots durable, by name and content. */
static int metas_read(struct logfile *l, struct err *e)
{
	if (meta_read(l, "meta-0", e) || meta_read(l, "meta-1", e))
		return -1;
	if (l->blank && l->generation > 1)
		return err_set(e, EUCLEAN, "%s (term and vote) is lost", l->blank);
	return 0;
}

static int segments_open(struct logfile *l, struct err *e)
{
	struct names n = { 0 };
	int rc = l->disk->ops->list(l->disk, name_add, &n, e);

	if (n.n)
		qsort(n.v, n.n, sizeof *n.v, by_number);
	for (size_t i = 0; rc == 0 && i < n.n; i++)
		rc = segment_open(l, n.v[i], i + 1 == n.n, e);
	free(n.v);
	return rc;
}

/* Raft section 7: what follows a snapshot stays only if the log holds the snapshot's last entry. */
static int fit_snapshot(struct logfile *l, uint64_t index, uint64_t term, struct err *e)
{
	if (l->n_segments == 0) {
		l->first = index + 1;
		return 0;
	}
	if (l->first > index + 1)
		return err_set(e, EUCLEAN, "log entries %llu to %llu are missing", (unsigned long long)index + 1,
		               (unsigned long long)l->first - 1);
	if (logfile_last(l) >= index && (l->first > index || logfile_term_of(l, index) == term))
		return 0;
	return logfile_reset(l, index, term, e);
}

struct logfile *logfile_open(struct disk *d, uint64_t snapshot_index, uint64_t snapshot_term, struct err *e)
{
	struct logfile *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->disk = d;
	l->first = 1;
	/* After the death of a process names, term and vote, and the log's tail may be in the page cache only: before anybody builds on
	 * them they are made durable. */
	if (d->ops->sync_names(d, e) || metas_read(l, e) || segments_open(l, e) || fit_snapshot(l, snapshot_index, snapshot_term, e))
		goto fail;
	if (newest(l) && d->ops->sync(d, newest(l)->h, e))
		goto fail;
	l->synced = logfile_last(l);
	return l;
fail:
	logfile_close(l);
	return NULL;
}

void logfile_close(struct logfile *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_segments; i++)
		if (l->segments[i].h >= 0)
			l->disk->ops->close(l->disk, l->segments[i].h);
	free(l->segments);
	free(l->slots);
	free(l);
}

/* --- term and vote --- */

static int meta_write(struct logfile *l, struct err *e)
{
	const struct disk_ops *ops = l->disk->ops;
	const char *name = (l->generation + 1) & 1 ? "meta-1" : "meta-0";
	unsigned char b[META_BYTES] = META_MAGIC;
	int h, rc;

	if (l->broken)
		return err_set(e, EIO, "the log failed before");
	logseg_put64(b + 8, ++l->generation);
	logseg_put64(b + 16, l->server);
	logseg_put64(b + 24, l->term);
	logseg_put64(b + 32, l->vote);
	logseg_put32(b + 48, crc32c(0, b, 48));
	h = ops->open(l->disk, name, true, e);
	rc = h < 0 || ops->write(l->disk, h, 0, b, sizeof b, e) || ops->sync(l->disk, h, e) ||
	     (l->generation <= 2 && ops->sync_names(l->disk, e));
	if (h >= 0)
		ops->close(l->disk, h);
	if (!rc)
		return 0;
	l->broken = true;
	return err_wrap(e, "write term and vote");
}

int logfile_set_term(struct logfile *l, uint64_t term, uint64_t vote, struct err *e)
{
	l->term = term;
	l->vote = vote;
	return meta_write(l, e);
}

int logfile_set_server(struct logfile *l, uint64_t server, struct err *e)
{
	l->server = server;
	return meta_write(l, e);
}

uint64_t logfile_term(const struct logfile *l)   { return l->term; }
uint64_t logfile_vote(const struct logfile *l)   { return l->vote; }
uint64_t logfile_server(const struct logfile *l) { return l->server; }
uint64_t logfile_first(const struct logfile *l)  { return l->first; }
uint64_t logfile_last(const struct logfile *l)   { return l->first + l->n_slots - 1; }
uint64_t logfile_synced(const struct logfile *l) { return l->synced; }

uint64_t logfile_bytes(const struct logfile *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->n_segments; i++)
		n += (uint64_t)l->segments[i].end;
	return n;
}

static const struct slot *slot_of(const struct logfile *l, uint64_t index)
{
	return index >= l->first && index - l->first < l->n_slots ? &l->slots[index - l->first] : NULL;
}

uint64_t logfile_term_of(const struct logfile *l, uint64_t index)
{
	const struct slot *s = slot_of(l, index);

	return s ? s->term : 0;
}

uint8_t logfile_type_of(const struct logfile *l, uint64_t index)
{
	const struct slot *s = slot_of(l, index);

	return s ? s->type : 0;
}

/* --- writing --- */

/* Forget entries from `index` on; newest first, so that a crash leaves a log without a gap. */
static int cut(struct logfile *l, uint64_t index, struct err *e)
{
	const struct disk_ops *ops = l->disk->ops;
	struct segment *s;
	int64_t at;

	if (index > logfile_last(l))
		return 0;
	at = l->slots[index - l->first].off;
	while ((s = newest(l))->first > index)
		if (segment_drop(l, l->n_segments - 1, e))
			return -1;
	l->n_slots = index - l->first;
	if (l->synced >= index)
		l->synced = index - 1;
	if (ops->sync_names(l->disk, e) || ops->truncate(l->disk, s->h, at, e) ||
	    ops->reserve(l->disk, s->h, at, (size_t)(s->reserved - at), e) || ops->sync(l->disk, s->h, e))
		return -1;
	s->end = at;
	return 0;
}

/* Entries that fit in the newest segment, as one write. */
static int write_some(struct logfile *l, const struct log_entry *v, size_t n, size_t bytes, struct err *e)
{
	struct segment *s = newest(l);
	unsigned char *b = calloc(1, bytes), *p = b;
	uint32_t chain = chain_before(l, v[0].index);
	int rc;

	if (!b)
		abort();
	for (size_t i = 0; i < n; i++) {
		chain = logseg_put(p, &v[i], l->synced, chain, s->salt);
		slot_add(l, v[i].term, v[i].type, (size_t)(s->end + (p - b)), chain);
		p += logseg_bytes(v[i].data.n);
	}
	rc = l->disk->ops->write(l->disk, s->h, s->end, b, bytes, e);
	free(b);
	s->end += (int64_t)bytes;
	return rc;
}

static int append(struct logfile *l, const struct log_entry *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n;) {
		size_t k = i, bytes = 0;

		if (room(l, logseg_bytes(v[i].data.n), e))
			return -1;
		while (k < n && (int64_t)(bytes + logseg_bytes(v[k].data.n)) <= newest(l)->reserved - newest(l)->end)
			bytes += logseg_bytes(v[k++].data.n);
		if (write_some(l, v + i, k - i, bytes, e))
			return -1;
		i = k;
	}
	return 0;
}

int logfile_append(struct logfile *l, const struct log_entry *v, size_t n, struct err *e)
{
	if (l->broken)
		return err_set(e, EIO, "the log failed before");
	if (n == 0)
		return 0;
	assert(v[0].index >= l->first && v[0].index <= logfile_last(l) + 1);
	for (size_t i = 0; i < n; i++)
		if (v[i].data.n > LOG_ENTRY_MAX)
			return err_set(e, E2BIG, "log entry of %zu bytes", v[i].data.n);
	if (cut(l, v[0].index, e) || append(l, v, n, e)) {
		l->broken = true;
		return err_wrap(e, "write the log");
	}
	return 0;
}

int logfile_sync(struct logfile *l, struct err *e)
{
	struct segment *s = newest(l);

	if (l->broken)
		return err_set(e, EIO, "the log failed before");
	if (l->synced == logfile_last(l))
		return 0;
	if (l->disk->ops->sync(l->disk, s->h, e)) {
		l->broken = true;                     /* what is dirty may be marked clean: a retry would lie */
		return err_wrap(e, "sync the log");
	}
	l->synced = logfile_last(l);
	return 0;
}

int logfile_read(struct logfile *l, uint64_t index, struct arena *a, struct log_entry *out, struct err *e)
{
	const struct slot *slot = slot_of(l, index);
	struct segment *s = segment_of(l, index);
	unsigned char head[ENTRY_HEADER];
	int64_t got;
	size_t len, padded;
	char *data;

	if (!slot || !s)
		return err_set(e, ENOENT, "log entry %llu is not here", (unsigned long long)index);
	got = l->disk->ops->read(l->disk, s->h, slot->off, head, sizeof head, e);
	if (got < 0)
		return err_wrap(e, "log entry %llu", (unsigned long long)index);
	if (got != sizeof head || logseg_get32(head) != slot->crc || (len = logseg_get32(head + 4)) > LOG_ENTRY_MAX)
		return damaged(e, s, index);
	padded = logseg_bytes(len) - ENTRY_HEADER;
	data = arena_alloc(a, padded + 1);
	got = l->disk->ops->read(l->disk, s->h, slot->off + ENTRY_HEADER, data, padded, e);
	if (got < 0)
		return err_wrap(e, "log entry %llu", (unsigned long long)index);
	if (got != (int64_t)padded || crc32c(crc32c(s->salt, head + 4, ENTRY_HEADER - 4), data, padded) != slot->crc)
		return damaged(e, s, index);
	logseg_veil(data, padded, s->salt, index);
	*out = (struct log_entry){ .index = index, .term = slot->term, .type = slot->type, .data = str_make(data, len) };
	return 0;
}

int logfile_compact(struct logfile *l, uint64_t keep, struct err *e)
{
	size_t gone;

	while (l->n_segments > 1 && l->segments[1].first <= keep) {
		gone = l->segments[1].first - l->first;
		l->base_crc = chain_before(l, l->segments[1].first);
		l->first = l->segments[1].first;
		memmove(l->slots, l->slots + gone, (l->n_slots - gone) * sizeof *l->slots);
		l->n_slots -= gone;
		if (segment_drop(l, 0, e))
			return -1;
	}
	return 0;
}

int logfile_reset(struct logfile *l, uint64_t snapshot_index, uint64_t snapshot_term, struct err *e)
{
	(void)snapshot_term;
	while (l->n_segments)
		if (segment_drop(l, l->n_segments - 1, e))
			return -1;
	l->n_slots = 0;
	l->first = snapshot_index + 1;
	l->base_crc = 0;
	l->synced = snapshot_index;
	return l->disk->ops->sync_names(l->disk, e);
}
