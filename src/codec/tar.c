/* The reader of tar archives; see tar.h. Formats: POSIX.1-2017 `pax` (ustar and extended headers), GNU tar's manual appendix
 * "Tar Internals" for long names and base-256 numbers. */
#include "codec/tar.h"

#include <errno.h>
#include <limits.h>

#define BUFFER (256 << 10)

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], dev_major[8], dev_minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header is one block");

struct tar_reader {
	struct source from;
	struct tar_limits limits;
	char   *buf;
	size_t  at, have;                             /* unread part of buf */
	bool    input_ended, ended;
	int64_t left, pad;                            /* of the current entry: data, then padding to a block */
	int64_t entries;
	struct arena arena;                           /* of the current entry */
};

struct tar_reader *tar_reader_new(struct source from, const struct tar_limits *limits)
{
	struct tar_reader *r = calloc(1, sizeof *r);

	if (!r || !(r->buf = malloc(BUFFER)))
		abort();
	r->from = from;
	if (limits)
		r->limits = *limits;
	if (!r->limits.max_entries)
		r->limits.max_entries = 2000000;
	if (!r->limits.max_size)
		r->limits.max_size = 1ll << 40;
	if (!r->limits.max_xattrs)
		r->limits.max_xattrs = 1 << 20;
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	arena_release(&r->arena);
	free(r->buf);
	free(r);
}

/* At least `n` (at most BUFFER) unread bytes, unless the input ends before. */
static int want(struct tar_reader *r, size_t n, struct err *e)
{
	if (r->have - r->at >= n || r->input_ended)
		return 0;
	if (r->at && BUFFER - r->at < n) {
		memmove(r->buf, r->buf + r->at, r->have - r->at);
		r->have -= r->at;
		r->at = 0;
	}
	if (r->at == r->have)
		r->at = r->have = 0;
	while (r->have - r->at < n && !r->input_ended) {
		ssize_t got = source_read(r->from, r->buf + r->have, BUFFER - r->have, e);

		if (got < 0)
			return -1;
		r->input_ended = got == 0;
		r->have += got;
	}
	return 0;
}

static int ends_early(struct err *e)
{
	return err_set(e, EBADMSG, "tar: the archive ends early");
}

/* Throw away what is left of the current entry. */
static int skip(struct tar_reader *r, struct err *e)
{
	int64_t n = r->left + r->pad;

	while (n > 0) {
		size_t k;

		if (want(r, 1, e))
			return -1;
		k = r->have - r->at;
		if (k == 0)
			return ends_early(e);
		if ((int64_t)k > n)
			k = n;
		r->at += k;
		n -= k;
	}
	r->left = r->pad = 0;
	return 0;
}

int tar_data(struct tar_reader *r, struct str *piece, struct err *e)
{
	size_t k;

	*piece = STR_NONE;
	if (r->left == 0)
		return 0;
	if (want(r, 1, e))
		return -1;
	k = r->have - r->at;
	if (k == 0)
		return ends_early(e);
	if ((int64_t)k > r->left)
		k = r->left;
	*piece = str_make(r->buf + r->at, k);
	r->at += k;
	r->left -= k;
	return 0;
}

/* The data of a small entry (long name, extended header), whole, into the arena. */
static int read_small(struct tar_reader *r, size_t max, struct str *out, struct err *e)
{
	char *p;
	size_t n = 0;

	if (r->left > (int64_t)max)
		return err_set(e, ENAMETOOLONG, "tar: a name or extended header has %lld bytes, over the limit of %zu",
		               (long long)r->left, max);
	p = arena_alloc(&r->arena, r->left + 1);
	while (r->left > 0) {
		struct str piece;

		if (tar_data(r, &piece, e))
			return -1;
		memcpy(p + n, piece.p, piece.n);
		n += piece.n;
	}
	*out = str_make(p, n);
	return skip(r, e);
}

/* A number: octal text ended by blank or NUL, or base-256 with the top bit of the first byte set. */
static int number(const char *p, size_t n, const char *what, int64_t *out, struct err *e)
{
	uint64_t v = 0;
	size_t i = 0;

	if ((unsigned char)p[0] & 0x80) {
		bool negative = p[0] & 0x40;

		v = negative ? UINT64_MAX : 0;
		for (i = 0; i < n; i++) {
			unsigned char c = p[i];

			if (i == 0)
				c = negative ? c | 0x80 : c & 0x7f;
			if ((v >> 55) != (negative ? 0x1ff : 0))
				return err_set(e, EBADMSG, "tar: %s is out of range", what);
			v = v << 8 | c;
		}
		*out = (int64_t)v;
		return 0;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (unsigned)(p[i] - '0');  /* at most 12 digits: no overflow */
	if (i < n && p[i] != ' ' && p[i] != 0)
		return err_set(e, EBADMSG, "tar: %s is not a number", what);
	*out = v;
	return 0;
}

static bool all_zero(const char *p)
{
	return p[0] == 0 && memcmp(p, p + 1, TAR_BLOCK - 1) == 0;
}

/* The sum counts the checksum field as blanks. Old programs summed signed bytes: both are accepted, as POSIX advises. */
static int check_sum(const struct header *h, struct err *e)
{
	const unsigned char *p = (const unsigned char *)h;
	int64_t sum = 0, signed_sum = 0, said;
	size_t i;

	for (i = 0; i < TAR_BLOCK; i++) {
		bool own = i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);

		sum += own ? ' ' : p[i];
		signed_sum += own ? ' ' : (signed char)p[i];
	}
	if (number(h->checksum, sizeof h->checksum, "checksum", &said, e))
		return -1;
	return said == sum || said == signed_sum ? 0 : err_set(e, EBADMSG, "tar: checksum of a header is wrong");
}

static struct str field_text(const char *p, size_t n)
{
	return str_make(p, strnlen(p, n));
}

/* What extended headers say about the next entry; has_* because zero is a value. */
struct extended {
	struct str name, link;
	int64_t size, uid, gid, mtime_ns;
	bool has_size, has_uid, has_gid, has_mtime;
	struct pairs xattrs;
};

static int take_name(struct str val, struct str *out, struct err *e)
{
	if (str_has_nul(val))
		return err_set(e, EBADMSG, "tar: a name holds a NUL");
	if (val.n > TAR_NAME_MAX)
		return err_set(e, ENAMETOOLONG, "tar: a name has %zu bytes, over the limit of %d", val.n, TAR_NAME_MAX);
	*out = val;
	return 0;
}

/* "1234567890.123456789", perhaps negative. */
static bool parse_seconds(struct str s, int64_t *ns)
{
	struct str whole, part;
	int64_t sec, frac = 0;
	bool negative = s.n && s.p[0] == '-';
	size_t i;

	str_cut(s, '.', &whole, &part);
	if (!str_to_i64(whole, &sec) || sec > INT64_MAX / 1000000000 - 1 || sec < INT64_MIN / 1000000000 + 1)
		return false;
	for (i = 0; i < 9; i++) {
		if (i < part.n && (part.p[i] < '0' || part.p[i] > '9'))
			return false;
		frac = frac * 10 + (i < part.n ? part.p[i] - '0' : 0);
	}
	*ns = sec * 1000000000 + (negative ? -frac : frac);
	return true;
}

static int take_record(struct tar_reader *r, struct extended *x, struct str key, struct str val, struct err *e)
{
	bool ok = true;

	if (str_is(key, "path"))
		return take_name(val, &x->name, e);
	if (str_is(key, "linkpath"))
		return take_name(val, &x->link, e);
	if (str_is(key, "size"))
		ok = x->has_size = str_to_i64(val, &x->size) && x->size >= 0;
	else if (str_is(key, "uid"))
		ok = x->has_uid = str_to_i64(val, &x->uid);
	else if (str_is(key, "gid"))
		ok = x->has_gid = str_to_i64(val, &x->gid);
	else if (str_is(key, "mtime"))
		ok = x->has_mtime = parse_seconds(val, &x->mtime_ns);
	else if (str_starts(key, STR("SCHILY.xattr.")) && key.n > 13 && !str_has_nul(key))
		pairs_set(&r->arena, &x->xattrs, arena_str(&r->arena, str_drop(key, 13)), val);
	else if (str_starts(key, STR("GNU.sparse.")))
		return err_set(e, ENOTSUP, "tar: sparse files are not supported");
	return ok ? 0 : err_set(e, EBADMSG, "tar: extended header has a bad %.*s", STR_ARG(str_head(key, 40)));
}

/* "LENGTH KEY=VALUE\n" records; LENGTH counts the whole record. */
static int parse_extended(struct tar_reader *r, struct str text, struct extended *x, struct err *e)
{
	while (text.n) {
		struct str number_text, rest, key, val, record;
		uint64_t n;

		if (!str_cut(str_head(text, 21), ' ', &number_text, &rest) || !str_to_u64(number_text, &n) ||
		    n <= number_text.n + 2 || n > text.n || text.p[n - 1] != '\n')
			return err_set(e, EBADMSG, "tar: extended header is malformed");
		record = str_make(text.p + number_text.n + 1, n - number_text.n - 2);
		if (!str_cut(record, '=', &key, &val))
			return err_set(e, EBADMSG, "tar: extended header is malformed");
		if (take_record(r, x, key, val, e))
			return -1;
		text = str_drop(text, n);
	}
	return 0;
}

static int entry_type(const struct header *h, struct tar_entry *t, struct err *e)
{
	switch (h->type) {
	case '0': case 0: case '7':
		t->type = str_ends(t->name, STR("/")) ? TAR_DIR : TAR_FILE; /* before ustar, that was a directory */
		return 0;
	case '1': t->type = TAR_LINK; return 0;
	case '2': t->type = TAR_SYMLINK; return 0;
	case '3': t->type = TAR_CHAR; return 0;
	case '4': t->type = TAR_BLOCKDEV; return 0;
	case '5': t->type = TAR_DIR; return 0;
	case '6': t->type = TAR_FIFO; return 0;
	case 'S': return err_set(e, ENOTSUP, "tar: sparse files are not supported");
	}
	return err_set(e, ENOTSUP, "tar: entry of unknown type 0x%02x", (unsigned char)h->type);
}

static struct str header_name(struct tar_reader *r, const struct header *h)
{
	struct str name = field_text(h->name, sizeof h->name);
	struct str prefix = field_text(h->prefix, sizeof h->prefix);

	/* GNU's old format uses the prefix field for other things; its magic is "ustar  ". */
	if (memcmp(h->magic, "ustar", 6) == 0 && prefix.n)
		return arena_printf(&r->arena, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(name));
	return arena_str(&r->arena, name);
}

static int fill_entry(struct tar_reader *r, const struct header *h, const struct extended *x, struct tar_entry *t,
                      struct err *e)
{
	int64_t mode, size, mtime, major = 0, minor = 0;

	t->name = x->name.p ? arena_str(&r->arena, x->name) : header_name(r, h);
	t->link = arena_str(&r->arena, x->link.p ? x->link : field_text(h->link, sizeof h->link));
	t->xattrs = x->xattrs;
	if (entry_type(h, t, e) ||
	    number(h->mode, sizeof h->mode, "mode", &mode, e) ||
	    number(h->uid, sizeof h->uid, "uid", &t->uid, e) ||
	    number(h->gid, sizeof h->gid, "gid", &t->gid, e) ||
	    number(h->size, sizeof h->size, "size", &size, e) ||
	    number(h->mtime, sizeof h->mtime, "mtime", &mtime, e))
		return -1;
	if ((t->type == TAR_CHAR || t->type == TAR_BLOCKDEV) &&
	    (number(h->dev_major, sizeof h->dev_major, "device", &major, e) ||
	     number(h->dev_minor, sizeof h->dev_minor, "device", &minor, e)))
		return -1;
	t->mode = mode & 07777;
	t->dev_major = major;
	t->dev_minor = minor;
	if (mtime > INT64_MAX / 1000000000 - 1 || mtime < INT64_MIN / 1000000000 + 1)
		return err_set(e, EBADMSG, "tar: mtime is out of range");
	t->mtime_ns = x->has_mtime ? x->mtime_ns : mtime * 1000000000;
	if (x->has_uid)
		t->uid = x->uid;
	if (x->has_gid)
		t->gid = x->gid;
	if (x->has_size)
		size = x->size;
	if (size < 0 || size > r->limits.max_size)
		return err_set(e, size < 0 ? EBADMSG : EFBIG, "tar: a file of %lld bytes is over the limit of %lld",
		               (long long)size, (long long)r->limits.max_size);
	/* Some writers note a size on links and directories, without data. */
	t->size = t->type == TAR_FILE ? size : 0;
	r->left = t->size;
	r->pad = -r->left & (TAR_BLOCK - 1);
	return 0;
}

/* 1: a header, 0: the end. A single zero block in the middle is let pass, as GNU tar does. */
static int next_header(struct tar_reader *r, struct header *h, struct err *e)
{
	int zeros = 0;

	for (;;) {
		if (want(r, TAR_BLOCK, e))
			return -1;
		if (r->have - r->at < TAR_BLOCK)
			return r->have == r->at ? 0 : ends_early(e);
		memcpy(h, r->buf + r->at, TAR_BLOCK);
		r->at += TAR_BLOCK;
		if (!all_zero((const char *)h))
			return check_sum(h, e) ? -1 : 1;
		if (++zeros == 2)
			return 0;
	}
}

static int read_entry(struct tar_reader *r, struct tar_entry *t, struct err *e)
{
	struct extended x = { 0 };
	bool expects_more = false;
	struct header h;

	for (;;) {
		int64_t size;
		struct str text;
		int rc = next_header(r, &h, e);

		if (rc == 0 && expects_more)
			return ends_early(e);
		if (rc <= 0)
			return rc;
		if (++r->entries > r->limits.max_entries)
			return err_set(e, EFBIG, "tar: more than %lld entries", (long long)r->limits.max_entries);
		if (h.type != 'x' && h.type != 'g' && h.type != 'L' && h.type != 'K')
			return fill_entry(r, &h, &x, t, e) ? -1 : 1;
		if (number(h.size, sizeof h.size, "size", &size, e))
			return -1;
		if (size < 0)
			return err_set(e, EBADMSG, "tar: size is negative");
		r->left = size;
		r->pad = -size & (TAR_BLOCK - 1);
		expects_more = h.type != 'g';
		if (h.type == 'x' || h.type == 'g') {
			struct extended global = { 0 };

			/* A global header's values (git's comment, mostly) are for programs that want them: read, not applied. */
			if (read_small(r, r->limits.max_xattrs, &text, e) ||
			    parse_extended(r, text, h.type == 'x' ? &x : &global, e))
				return -1;
			continue;
		}
		if (read_small(r, TAR_NAME_MAX + 1, &text, e) ||
		    take_name(field_text(text.p, text.n), h.type == 'L' ? &x.name : &x.link, e))
			return -1;
	}
}

int tar_next(struct tar_reader *r, struct tar_entry *entry, struct err *e)
{
	int rc;

	if (r->ended)
		return 0;
	if (skip(r, e))
		return -1;
	arena_release(&r->arena);
	memset(entry, 0, sizeof *entry);
	rc = read_entry(r, entry, e);
	r->ended = rc <= 0;
	return rc;
}
