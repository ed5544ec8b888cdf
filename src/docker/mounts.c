/* Mounts as clients write them (-v, --mount, --tmpfs, VOLUME of an image), turned into the model's list; see docker/ports.h. */
#include "docker/ports.h"
#include "docker/bodies.h"

#include "codec/json.h"
#include "docker/create.h"

#include <errno.h>

#define MOUNTS_MAX 128

/* "/a//b/../c/" is for the kernel to refuse or walk; here only what would confuse mount order. */
static int destination_check(struct arena *a, struct str *dest, struct err *e)
{
	struct str rest = *dest, part, clean = STR_NONE;

	if (!str_starts(*dest, STR("/")) || dest->n > 4096 || str_has_nul(*dest))
		return err_set(e, EINVAL, "invalid mount path: '%.*s' mount path must be absolute",
			       (int)(dest->n > 128 ? 128 : dest->n), dest->p);
	while (str_next(&rest, '/', &part)) {
		if (part.n == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			ptrdiff_t cut = str_rfind(clean, '/');

			clean = cut > 0 ? str_head(clean, (size_t)cut) : STR_NONE;
			continue;
		}
		clean = arena_printf(a, "%.*s/%.*s", STR_ARG(clean), STR_ARG(part));
	}
	if (clean.n == 0)
		return err_set(e, EINVAL, "invalid specification: destination can't be '/'");
	*dest = clean;
	return 0;
}

static bool mount_taken(const struct mount_points *out, struct str dest)
{
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].destination, dest))
			return true;
	return false;
}

static int mount_add(struct mount_points *out, struct mount_point m, struct err *e)
{
	if (mount_taken(out, m.destination))
		return err_set(e, EINVAL, "Duplicate mount point: %.*s", STR_ARG(m.destination));
	if (out->n == MOUNTS_MAX)
		return err_set(e, EINVAL, "more than %d mounts", MOUNTS_MAX);
	out->v[out->n++] = m;
	return 0;
}

static bool is_propagation(struct str word)
{
	static const char *const words[] = { "private", "rprivate", "slave", "rslave", "shared", "rshared", NULL };
	size_t i = 0;

	while (words[i] && !str_is(word, words[i]))
		i++;
	return words[i];
}

static int invalid_mode(struct str mode, struct err *e)
{
	return err_set(e, EINVAL, "invalid mode: %.*s", STR_ARG(str_head(mode, 64)));
}

/* The third part of -v: each kind of word once. */
static int bind_mode(struct str mode, struct mount_point *m, struct err *e)
{
	bool bind = str_is(m->type, "bind");
	int access = 0, label = 0, copy = 0, propagation = 0, consistency = 0;
	struct str rest = mode, word;

	while (mode.n && str_next(&rest, ',', &word)) {
		if (str_is(word, "ro") || str_is(word, "rw")) {
			access++;
			m->rw = str_is(word, "rw");
		} else if (str_is(word, "nocopy") && !bind) {
			copy++;
			m->no_copy = true;
		} else if (is_propagation(word) && bind) {
			propagation++;
			m->propagation = word;
		} else if (str_is(word, "z") || str_is(word, "Z")) {
			label++;
		} else if (str_is(word, "consistent") || str_is(word, "cached") || str_is(word, "delegated")) {
			consistency++;
		} else {
			return invalid_mode(mode, e);
		}
	}
	return access > 1 || label > 1 || copy > 1 || propagation > 1 || consistency > 1 ? invalid_mode(mode, e) : 0;
}

/* source:destination[:mode] */
static int bind_plan(struct arena *a, struct str bind, struct mount_points *out, struct err *e)
{
	struct mount_point m = { .rw = true };
	struct str source, rest, dest, mode = STR_NONE;

	if (!str_cut(bind, ':', &source, &rest) || source.n == 0)
		return err_set(e, EINVAL, "invalid volume specification: '%.*s'", STR_ARG(str_head(bind, 200)));
	str_cut(rest, ':', &dest, &mode);
	m.type = source.p[0] == '/' ? STR("bind") : STR("volume");
	if (destination_check(a, &dest, e) || bind_mode(mode, &m, e))
		return err_wrap(e, "invalid volume specification: '%.*s'", STR_ARG(str_head(bind, 100)));
	m.destination = dest;
	m.mode = mode;
	if (source.p[0] == '/') {
		m.source = source;
		m.create_source = true;
		if (!m.propagation.n)
			m.propagation = STR("rprivate");
	} else {
		if (volume_name_check(source, e))
			return -1;
		m.name = source;
		m.driver = STR("local");
	}
	return mount_add(out, m, e);
}

/* --- --mount ------------------------------------------------------------------------------------------ */

struct bind_options {
	struct str propagation;
	bool non_recursive, create_mountpoint, read_only_non_recursive, read_only_force_recursive;
};
const struct field bind_options_fields[] = {
	FIELD(1, bind_options, propagation,               "Propagation",            0),
	FIELD(2, bind_options, non_recursive,             "NonRecursive",           0),
	FIELD(3, bind_options, create_mountpoint,         "CreateMountpoint",       0),
	FIELD(4, bind_options, read_only_non_recursive,   "ReadOnlyNonRecursive",   0),
	FIELD(5, bind_options, read_only_force_recursive, "ReadOnlyForceRecursive", 0),
	FIELD_END
};

struct volume_driver { struct str name; struct pairs options; };
struct volume_options { bool no_copy; struct str subpath; struct pairs labels; struct volume_driver driver; };
static const struct field volume_driver_fields[] = {
	FIELD(1, volume_driver, name,    "Name",    0),
	FIELD(2, volume_driver, options, "Options", 0),
	FIELD_END
};
const struct field volume_options_fields[] = {
	FIELD(1, volume_options, no_copy, "NoCopy",  0),
	FIELD(2, volume_options, subpath, "Subpath", 0),
	FIELD(3, volume_options, labels,  "Labels",  0),
	FIELD_OBJ(4, volume_options, driver, "DriverConfig", 0, volume_driver_fields),
	FIELD_END
};

struct tmpfs_options { int64_t size, mode; struct raw options; };
const struct field tmpfs_options_fields[] = {
	FIELD(1, tmpfs_options, size,    "SizeBytes", 0),
	FIELD(2, tmpfs_options, mode,    "Mode",      0),
	FIELD(3, tmpfs_options, options, "Options",   0),
	FIELD_END
};

struct image_options { struct str subpath; };
const struct field image_options_fields[] = {
	FIELD(1, image_options, subpath, "Subpath", 0),
	FIELD_END
};

static int mount_invalid(const struct mount_request *q, const char *what, struct err *e)
{
	return err_set(e, EINVAL, "invalid mount config for type \"%.*s\": %s", STR_ARG(str_head(q->type, 20)), what);
}

static bool subpath_is_below(struct str path)
{
	return !str_starts(path, STR("/")) && !str_has_nul(path) && path.n <= 4095 && !str_is(path, "..") && !str_starts(path, STR("../")) &&
	       str_find_str(path, STR("/..")) < 0;
}

static int volume_plan(struct arena *a, const struct mount_request *q, struct mount_point *m, struct err *e)
{
	struct volume_options o = { 0 };

	if (raw_given(q->bind_options) || raw_given(q->tmpfs_options))
		return mount_invalid(q, "field BindOptions and TmpfsOptions must not be specified", e);
	if (raw_given(q->volume_options) && json_decode(a, q->volume_options.json, volume_options_fields, &o, e))
		return err_wrap(e, "VolumeOptions");
	if (o.driver.name.n && !str_is(o.driver.name, "local"))
		return err_set(e, EINVAL, "error looking up volume plugin %.*s: plugin \"%.*s\" not found", STR_ARG(str_head(o.driver.name, 40)),
			       STR_ARG(str_head(o.driver.name, 40)));
	if (volume_options_check(a, &o.driver.options, &m->tmpfs_size, &m->tmpfs_mode, e))
		return -1;
	if (o.subpath.n && !q->source.n)
		return mount_invalid(q, "must not set Subpath when using anonymous volumes", e);
	if (!subpath_is_below(o.subpath))
		return mount_invalid(q, "subpath must be a relative path within the volume", e);
	if (q->source.n && volume_name_check(q->source, e))
		return -1;
	m->name = q->source;
	m->anonymous = q->source.n == 0;
	m->no_copy = o.no_copy || o.subpath.n;
	m->subpath = o.subpath;
	m->labels = o.labels;
	m->options = o.driver.options;
	m->driver = STR("local");
	return 0;
}

static int host_plan(struct arena *a, const struct mount_request *q, struct mount_point *m, struct err *e)
{
	struct bind_options o = { 0 };

	if (raw_given(q->volume_options) || raw_given(q->tmpfs_options))
		return mount_invalid(q, "field VolumeOptions and TmpfsOptions must not be specified", e);
	if (!str_starts(q->source, STR("/")) || str_has_nul(q->source))
		return err_set(e, EINVAL, "invalid mount config for type \"bind\": invalid mount path: '%.*s' mount path must be absolute",
			       STR_ARG(str_head(q->source, 100)));
	if (raw_given(q->bind_options) && json_decode(a, q->bind_options.json, bind_options_fields, &o, e))
		return err_wrap(e, "BindOptions");
	if (o.propagation.n && !is_propagation(o.propagation))
		return mount_invalid(q, "invalid propagation", e);
	if ((o.read_only_non_recursive || o.read_only_force_recursive) && !q->read_only)
		return mount_invalid(q, "bind-recursive=writable and readonly need a read-only mount", e);
	if (o.read_only_non_recursive && o.read_only_force_recursive)
		return mount_invalid(q, "ReadOnlyForceRecursive and ReadOnlyNonRecursive exclude each other", e);
	m->source = q->source;
	m->not_recursive = o.non_recursive;
	m->propagation = o.propagation.n ? o.propagation : STR("rprivate");
	m->top_read_only = o.read_only_non_recursive;
	m->create_source = o.create_mountpoint;
	return 0;
}

/* Which image of the account's that is, container_create() looks up. */
static int image_plan(struct arena *a, const struct mount_request *q, struct mount_point *m, struct err *e)
{
	struct image_options o = { 0 };

	if (raw_given(q->bind_options) || raw_given(q->volume_options) || raw_given(q->tmpfs_options))
		return mount_invalid(q, "field BindOptions, VolumeOptions and TmpfsOptions must not be specified", e);
	if (raw_given(q->image_options) && json_decode(a, q->image_options.json, image_options_fields, &o, e))
		return err_wrap(e, "ImageOptions");
	if (!q->source.n)
		return mount_invalid(q, "field Source must not be empty", e);
	if (!subpath_is_below(o.subpath))
		return mount_invalid(q, "subpath must be a relative path within the image", e);
	m->source = q->source;
	m->subpath = o.subpath;
	m->rw = false;
	return 0;
}

static int memory_plan(struct arena *a, const struct mount_request *q, struct mount_point *m, struct err *e)
{
	struct tmpfs_options o = { 0 };

	if (raw_given(q->bind_options) || raw_given(q->volume_options))
		return mount_invalid(q, "field BindOptions and VolumeOptions must not be specified", e);
	if (q->source.n)
		return mount_invalid(q, "field Source must not be specified", e);
	if (raw_given(q->tmpfs_options) && json_decode(a, q->tmpfs_options.json, tmpfs_options_fields, &o, e))
		return err_wrap(e, "TmpfsOptions");
	if (raw_given(o.options))
		return err_set(e, ENOTSUP, "TmpfsOptions.Options is not supported: --tmpfs takes options");
	if (o.size < 0 || o.mode < 0 || o.mode > 07777)
		return mount_invalid(q, "the size must not be negative, the mode at most 7777", e);
	m->tmpfs_size = o.size;
	m->tmpfs_mode = o.mode;
	return 0;
}

static int mount_plan(struct arena *a, const struct mount_request *q, struct mount_points *out, struct err *e)
{
	struct mount_point m = { .type = q->type, .rw = !q->read_only, .destination = q->target };
	int rc;

	if (destination_check(a, &m.destination, e))
		return -1;
	if (raw_given(q->image_options) && !str_is(q->type, "image"))
		return mount_invalid(q, "field ImageOptions must not be specified", e);
	if (str_is(q->type, "volume"))
		rc = volume_plan(a, q, &m, e);
	else if (str_is(q->type, "bind"))
		rc = host_plan(a, q, &m, e);
	else if (str_is(q->type, "tmpfs"))
		rc = memory_plan(a, q, &m, e);
	else if (str_is(q->type, "image"))
		rc = image_plan(a, q, &m, e);
	else
		return err_set(e, EINVAL, "mount type unknown: \"%.*s\"", STR_ARG(str_head(q->type, 40)));
	return rc ? -1 : mount_add(out, m, e);
}

/* --- --tmpfs ------------------------------------------------------------------------------------------ */

static int octal_parse(struct str s, int64_t *mode)
{
	*mode = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7' || s.n > 5)
			return -1;
		*mode = *mode * 8 + (s.p[i] - '0');
	}
	return s.n ? 0 : -1;
}

static bool plain_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'z') || strchr(":-=", s.p[i])))
			return false;
	return s.n > 0 && s.n < 64;
}

/* --tmpfs path:options; what is not size or mode stays in m.mode for the mount itself. Words that say what is so anyway, or make no
 * difference to memory (sync), are taken and have no effect. */
int mounts_tmpfs(struct arena *a, struct str dest, struct str options, struct mount_points *out, struct err *e)
{
	static const char *const flags[] = { "rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "dirsync",
		"mand", "nomand", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
		NULL };
	static const char *const numbers[] = { "uid", "gid", "nr_inodes", "nr_blocks", NULL };
	struct mount_point m = { .type = STR("tmpfs"), .rw = true, .destination = dest, .mode = options };
	struct str rest = options, word, key, val;
	int64_t n;

	if (destination_check(a, &m.destination, e))
		return -1;
	while (options.n && str_next(&rest, ',', &word)) {
		size_t i = 0, k = 0;

		str_cut(word, '=', &key, &val);
		if (str_is(key, "size") && size_parse(val, &m.tmpfs_size, e) == 0)
			continue;
		if (str_is(key, "mode") && octal_parse(val, &m.tmpfs_mode) == 0)
			continue;
		while (numbers[k] && !str_is(key, numbers[k]))
			k++;
		if ((numbers[k] && str_to_i64(val, &n) && n >= 0) || (str_is(key, "mpol") && plain_word(val)))
			continue;
		while (flags[i] && !str_is(word, flags[i]))
			i++;
		if (!flags[i])
			return err_set(e, EINVAL, "invalid tmpfs option [\"%.*s\"]", STR_ARG(str_head(word, 64)));
		if (str_is(word, "ro"))
			m.rw = false;
	}
	return mount_add(out, m, e);
}

int mounts_plan(struct arena *a, const struct container_config *config, const struct host_config *host,
		struct mount_points *out, struct err *e)
{
	*out = (struct mount_points){ arena_new_n(a, struct mount_point, MOUNTS_MAX), 0 };
	for (size_t i = 0; i < host->binds.n; i++)
		if (bind_plan(a, host->binds.v[i], out, e))
			return -1;
	for (size_t i = 0; i < host->mounts.n; i++)
		if (mount_plan(a, &host->mounts.v[i], out, e))
			return -1;
	for (size_t i = 0; i < host->tmpfs.n; i++)
		if (mounts_tmpfs(a, host->tmpfs.v[i].key, host->tmpfs.v[i].val, out, e))
			return -1;
	for (size_t i = 0; i < config->volumes.n; i++) {
		struct mount_point m = { .type = STR("volume"), .driver = STR("local"), .rw = true, .anonymous = true,
					 .destination = config->volumes.v[i].key };

		if (destination_check(a, &m.destination, e))
			return -1;
		if (!mount_taken(out, m.destination) && mount_add(out, m, e))
			return -1;
	}
	return 0;
}

void mounts_from(const struct container *from, bool read_only, struct mount_points *out)
{
	struct err ignored;

	for (size_t i = 0; i < from->mounts.n; i++) {
		struct mount_point m = from->mounts.v[i];

		if (str_is(m.type, "tmpfs") || mount_taken(out, m.destination))
			continue;
		m.rw = m.rw && !read_only;
		m.anonymous = false;                  /* the volume belongs to the other one */
		mount_add(out, m, &ignored);
	}
}
