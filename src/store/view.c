#include "store/view.h"

#include "base/clock.h"
#include "codec/rec.h"
#include "store/db.h"
#include "store/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct view {
	MDB_env        *env;
	MDB_dbi         dbi;
	pthread_mutex_t lock;
	pthread_cond_t  told;
	int64_t         newest;
};

/* db/ready holds the boot id once the state role vouches for the database. */
static bool is_ready(const char *path, const char *boot_id)
{
	char b[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && (size_t)n == strlen(boot_id) && memcmp(b, boot_id, (size_t)n) == 0;
}

static int wait_ready(const char *state_dir, int timeout_ms, struct err *e)
{
	int64_t end = clock_mono_ms() + timeout_ms;
	char path[4096], boot_id[64];

	if (db_boot_id(boot_id, e))
		return -1;
	if (snprintf(path, sizeof path, "%s/db/ready", state_dir) >= (int)sizeof path)
		return err_set(e, ENAMETOOLONG, "%s is too long a path", state_dir);
	while (!is_ready(path, boot_id)) {
		if (timeout_ms >= 0 && clock_mono_ms() >= end)
			return err_set(e, ETIMEDOUT, "the state is not open yet");
		clock_sleep_ms(10);
	}
	return 0;
}

static int env_open(struct view *v, const char *state_dir, struct err *e)
{
	char path[4096];
	MDB_txn *t;
	int rc = mdb_env_create(&v->env);

	if (rc)
		return lmdb_err(e, rc, "open the state");
	snprintf(path, sizeof path, "%s/db", state_dir);
	mdb_env_set_mapsize(v->env, DB_MAP_BYTES);
	mdb_env_set_maxreaders(v->env, DB_READERS_MAX);
	rc = mdb_env_open(v->env, path, MDB_RDONLY | MDB_NOTLS | MDB_NORDAHEAD, 0);
	if (rc == 0)
		rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &t);
	if (rc == 0) {
		rc = mdb_dbi_open(t, NULL, 0, &v->dbi);
		mdb_txn_abort(t);
	}
	if (rc == 0)
		return 0;
	mdb_env_close(v->env);
	return lmdb_err(e, rc, "open the state");
}

struct view *view_open(const char *state_dir, int timeout_ms, struct err *e)
{
	struct view *v = calloc(1, sizeof *v);
	pthread_condattr_t attr;

	if (!v)
		abort();
	if (wait_ready(state_dir, timeout_ms, e) || env_open(v, state_dir, e)) {
		free(v);
		return NULL;
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&v->told, &attr);
	pthread_mutex_init(&v->lock, NULL);
	return v;
}

void view_close(struct view *v)
{
	if (!v)
		return;
	mdb_env_close(v->env);
	pthread_cond_destroy(&v->told);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

int view_begin(struct view *v, struct view_txn *t, struct err *e)
{
	MDB_txn *m;
	int rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &m);

	if (rc)
		return lmdb_err(e, rc, "read the state");
	*t = (struct view_txn){ .view = v, .mdb = m };
	return 0;
}

void view_end(struct view_txn *t)
{
	if (t->mdb)
		mdb_txn_abort(t->mdb);
	t->mdb = NULL;
}

static int get(struct view_txn *t, struct str key, struct str *val, struct err *e)
{
	MDB_val k = lmdb_val(key), v;
	int rc;

	if (key.n == 0 || key.n > 511)                /* LMDB's limit: nothing can have that key */
		return 0;
	rc = mdb_get(t->mdb, t->view->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return lmdb_err(e, rc, "read the state");
	*val = lmdb_str(v);
	return 1;
}

int64_t view_revision(struct view_txn *t)
{
	struct str val = STR_NONE;

	if (get(t, KEY_APPLIED, &val, NULL) != 1)
		return 0;
	return (int64_t)lmdb_u64(lmdb_val(val));
}

int view_get_raw(struct view_txn *t, struct arena *a, struct str key, struct str *val, struct err *e)
{
	int rc = get(t, key, val, e);

	if (rc == 1)
		*val = arena_str(a, *val);
	return rc;
}

int view_get(struct view_txn *t, struct arena *a, struct str key, const struct field *f, void *out, struct err *e)
{
	struct str val;
	int rc = view_get_raw(t, a, key, &val, e);

	if (rc <= 0)
		return rc;
	return rec_decode(a, val, f, out, e) ? err_wrap(e, "%.*s", STR_ARG(key)) : 1;
}

int view_scan_from(struct view_txn *t, struct view_scan *s, struct str prefix, struct str from, struct err *e)
{
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->view->dbi, &c);

	*s = (struct view_scan){ 0 };
	if (rc)
		return lmdb_err(e, rc, "scan the state");
	*s = (struct view_scan){ .cursor = c, .prefix = prefix, .from = from };
	return 0;
}

int view_scan(struct view_txn *t, struct view_scan *s, struct str prefix, struct err *e)
{
	return view_scan_from(t, s, prefix, prefix, e);
}

bool view_next(struct view_scan *s, struct str *key, struct str *val)
{
	MDB_val k = lmdb_val(s->from), v;

	while (!s->done) {
		int rc = mdb_cursor_get(s->cursor, &k, &v, s->begun ? MDB_NEXT : s->from.n ? MDB_SET_RANGE : MDB_FIRST);

		s->begun = true;
		if (rc || !str_starts(lmdb_str(k), s->prefix)) {
			s->done = true;
			break;
		}
		if (lmdb_own_key(lmdb_str(k)))
			continue;
		*key = lmdb_str(k);
		*val = lmdb_str(v);
		return true;
	}
	return false;
}

void view_scan_end(struct view_scan *s)
{
	if (s->cursor)
		mdb_cursor_close(s->cursor);
	s->cursor = NULL;
	s->done = true;
}

size_t view_count(struct view_txn *t, struct str prefix)
{
	struct str key, val;
	struct view_scan s;
	size_t n = 0;

	if (view_scan(t, &s, prefix, NULL))
		return 0;
	while (view_next(&s, &key, &val))
		n++;
	view_scan_end(&s);
	return n;
}

int view_list(struct view_txn *t, struct arena *a, struct str prefix, const struct field *f, size_t size,
              void *list, struct err *e)
{
	struct field_list *out = list;
	struct str key, val;
	struct view_scan s;
	size_t n = view_count(t, prefix), i = 0;

	out->v = arena_array(a, n ? n : 1, size);
	out->n = 0;
	if (view_scan(t, &s, prefix, e))
		return -1;
	for (; i < n && view_next(&s, &key, &val); i++)
		if (rec_decode(a, arena_str(a, val), f, (char *)out->v + i * size, e)) {
			view_scan_end(&s);
			return err_wrap(e, "%.*s", STR_ARG(key));
		}
	view_scan_end(&s);
	out->n = i;
	return 0;
}

void view_notify(struct view *v, int64_t revision)
{
	pthread_mutex_lock(&v->lock);
	if (revision > v->newest) {
		v->newest = revision;
		pthread_cond_broadcast(&v->told);
	}
	pthread_mutex_unlock(&v->lock);
}

int64_t view_newest(struct view *v)
{
	int64_t n;

	pthread_mutex_lock(&v->lock);
	n = v->newest;
	pthread_mutex_unlock(&v->lock);
	return n;
}

int64_t view_wait(struct view *v, int64_t revision, int timeout_ms)
{
	int64_t end = clock_mono_ns() + (int64_t)timeout_ms * 1000000, n;
	struct timespec at = { end / 1000000000, end % 1000000000 };
	int rc = 0;

	pthread_mutex_lock(&v->lock);
	while (v->newest < revision && rc == 0)
		rc = timeout_ms < 0 ? pthread_cond_wait(&v->told, &v->lock) : pthread_cond_timedwait(&v->told, &v->lock, &at);
	n = v->newest < revision ? 0 : v->newest;
	pthread_mutex_unlock(&v->lock);
	return n;
}
