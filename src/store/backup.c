#include "store/backup.h"

#include "codec/rec.h"
#include "model/image.h"
#include "model/room.h"
#include "cluster/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_HEAD "!backup"

const struct field backup_head_fields[] = {
	FIELD(1, backup_head, format,     "format",     FIELD_REQUIRED),
	FIELD(2, backup_head, made,       "made",       0),
	FIELD(3, backup_head, version,    "version",    0),
	FIELD(4, backup_head, node,       "node",       0),
	FIELD(5, backup_head, datacenter, "datacenter", FIELD_REQUIRED),
	FIELD(6, backup_head, suffix,     "suffix",     0),
	FIELD(7, backup_head, ca_cert,    "ca_cert",    FIELD_REQUIRED),
	FIELD(8, backup_head, ca_key,     "ca_key",     FIELD_REQUIRED),
	FIELD_KEEP_UNKNOWN(backup_head, unknown),
	FIELD_END
};

/* The directory that `path` is in, and its last part. */
static int split(struct arena *a, const char *path, struct disk_dir *d, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash == path ? "/" : slash ? arena_cstr(a, str_make(path, (size_t)(slash - path))) : ".";

	*name = slash ? slash + 1 : path;
	return disk_dir_open(d, dir, e);
}

/* --- writing --- */

static int write_state(struct view_txn *t, struct snap_writer *w, struct err *e)
{
	struct str key, val;
	struct view_scan s;
	int rc = view_scan(t, &s, STR(""), e);

	while (rc == 0 && view_next(&s, &key, &val))
		rc = snap_add(w, key, val, e);
	view_scan_end(&s);
	return rc;
}

static int write_to(struct disk *d, struct view_txn *t, const struct backup_head *h, int64_t revision, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct snap_meta meta = { .index = (uint64_t)revision, .term = 1 };
	struct snap_writer w;
	int rc;

	if (snap_begin(&w, d, &meta, e))
		return -1;
	rc = snap_add(&w, STR(KEY_HEAD), rec_encode_arena(&a, backup_head_fields, h), e) || write_state(t, &w, e) || snap_finish(&w, e) ? -1 : 0;
	snap_abort(&w);
	return rc;
}

static int name_it(int from, const char *made, int to, const char *name, struct err *e)
{
	if (linkat(from, made, to, name, 0))
		return err_sys(e, "%s", name);
	return fsync(to) ? err_sys(e, "sync the directory of %s", name) : 0;
}

int backup_write(struct view_txn *t, const char *path, struct arena *a, struct backup_head *h, int64_t *revision, struct err *e)
{
	char *beside = arena_cstr(a, arena_printf(a, "%s.XXXXXX", path)), made[64];
	struct disk_dir in = { .dir = -1 }, temporary = { .dir = -1 };
	struct cluster c = { 0 };
	const char *name;
	int rc;

	rc = view_get(t, a, STR("m/cluster"), cluster_fields, &c, e);
	if (rc <= 0)
		return rc ? -1 : err_set(e, EAGAIN, "this node has no state yet");
	h->format = BACKUP_FORMAT;
	h->datacenter = c.name;
	h->suffix = c.suffix;
	*revision = view_revision(t);
	if (access(path, F_OK) == 0)
		return err_set(e, EEXIST, "%s is there already", path);
	if (!mkdtemp(beside))
		return err_sys(e, "create %s", path);
	rc = split(a, path, &in, &name, e) || disk_dir_open(&temporary, beside, e) ? -1 : 0;
	if (rc == 0)
		rc = write_to(&temporary.disk, t, h, *revision, e);
	snprintf(made, sizeof made, "snap-%016llx", (unsigned long long)*revision);
	if (rc == 0)
		rc = name_it(temporary.dir, made, in.dir, name, e);
	if (temporary.dir >= 0) {
		unlinkat(temporary.dir, made, 0);
		unlinkat(temporary.dir, "snap.tmp", 0);
	}
	rmdir(beside);
	disk_dir_close(&temporary);
	disk_dir_close(&in);
	return rc;
}

/* --- reading --- */

struct check {
	struct arena       *a;
	struct backup_head *head;
	bool                found;
};

static int check_one(void *ctx, struct str key, struct str val, struct err *e)
{
	struct check *c = ctx;

	if (c->found || !str_is(key, KEY_HEAD))
		return c->found ? 0 : err_set(e, EUCLEAN, "it is a snapshot of a log, not a backup");
	c->found = true;
	if (rec_decode(c->a, arena_str(c->a, val), backup_head_fields, c->head, e))
		return err_set(e, EUCLEAN, "its first record is malformed");
	if (c->head->format > BACKUP_FORMAT)
		return err_set(e, EUCLEAN, "it was made by a later build (%.*s); restore it with that one", STR_ARG(c->head->version));
	return 0;
}

int backup_check(const char *path, struct arena *a, struct backup_head *h, int64_t *revision, struct err *e)
{
	struct check c = { a, h, false };
	struct disk_dir d = { .dir = -1 };
	struct snap_meta meta;
	const char *name;
	int rc;

	*h = (struct backup_head){ 0 };
	if (split(a, path, &d, &name, e))
		return -1;
	d.read_only = true;
	rc = snap_read_file(&d.disk, name, a, &meta, check_one, &c, e);
	if (rc == 0 && (!c.found || meta.index == 0))
		rc = err_set(e, EUCLEAN, "it is empty");
	if (rc && e->code == EUCLEAN)
		err_wrap(e, "%s is no whole backup of triton", path);
	*revision = (int64_t)meta.index;
	disk_dir_close(&d);
	return rc;
}

/* --- restoring --- */

struct restore {
	struct snap_writer w;
	struct arena       a;                         /* of one record */
};

static int lost_node(struct restore *r, struct str key, struct str val, struct err *e)
{
	struct node n = { 0 };

	if (rec_decode(&r->a, arena_str(&r->a, val), node_fields, &n, e))
		return err_wrap(e, "%.*s", STR_ARG(key));
	n.state = STR("lost");
	n.key = STR_NONE;
	n.server = 0;
	return snap_add(&r->w, key, rec_encode_arena(&r->a, node_fields, &n), e);
}

static int lost_room(struct restore *r, struct str key, struct str val, struct err *e)
{
	struct node_room n = { 0 };

	if (rec_decode(&r->a, arena_str(&r->a, val), node_room_fields, &n, e))
		return err_wrap(e, "%.*s", STR_ARG(key));
	n.lost = true;
	return snap_add(&r->w, key, rec_encode_arena(&r->a, node_room_fields, &n), e);
}

/* What is of nodes and of joining does not come back: whoever was there has to join again. */
static int restore_one(void *ctx, struct str key, struct str val, struct err *e)
{
	struct restore *r = ctx;
	int rc;

	if (key.p[0] == '!' || str_starts(key, STR("F/")) || str_starts(key, STR("D/")) || str_starts(key, STR("T/")))
		return 0;
	rc = str_starts(key, STR("d/")) ? lost_node(r, key, val, e) : str_starts(key, STR("R/")) ? lost_room(r, key, val, e)
	     : snap_add(&r->w, key, val, e);
	arena_release(&r->a);
	return rc;
}

static int begin_log(struct disk *d, uint64_t server, uint64_t index, struct err *e)
{
	struct logfile *l = logfile_open(d, index, 1, e);
	int rc = l ? 0 : -1;

	if (rc == 0)
		rc = logfile_set_server(l, server, e) || logfile_set_term(l, 1, 0, e) || logfile_sync(l, e) ? -1 : 0;
	logfile_close(l);
	return rc;
}

int backup_restore(const char *path, const char *log_dir, uint64_t server, struct str node, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct engine_server me = { server, node, true };
	struct disk_dir from = { .dir = -1 }, to = { .dir = -1 };
	struct backup_head h;
	struct restore r = { 0 };
	struct snap_meta meta = { .term = 1 }, ignored;
	int64_t revision;
	const char *name;
	int rc = -1;

	if (backup_check(path, &a, &h, &revision, e) || split(&a, path, &from, &name, e))
		return -1;
	from.read_only = true;
	meta.index = meta.conf_index = (uint64_t)revision;
	if (disk_dir_open(&to, log_dir, e) == 0 && engine_conf_encode(&me, 1, &a, &meta.conf, e) == 0 &&
	    snap_begin(&r.w, &to.disk, &meta, e) == 0) {
		rc = snap_read_file(&from.disk, name, &a, &ignored, restore_one, &r, e) || snap_finish(&r.w, e) ||
		     begin_log(&to.disk, server, meta.index, e) ? -1 : 0;
		snap_abort(&r.w);
	}
	arena_release(&r.a);
	disk_dir_close(&from);
	disk_dir_close(&to);
	return rc;
}
