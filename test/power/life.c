#include "power/life.h"

#include "codec/rec.h"
#include "ipc/call.h"
#include "ipc/spawn.h"
#include "model/command.h"
#include "model/keys.h"
#include "model/op.h"
#include "role/state.h"
#include "store/replica.h"
#include "store/view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 20000

static char boot[64] = "boot";
static unsigned snapshot_bytes = 300 << 10;

void life_boot(const char *id)
{
	snprintf(boot, sizeof boot, "%s", id);
}

void life_snapshots(unsigned bytes)
{
	snapshot_bytes = bytes;
}

/* --- the process --- */

struct replica *__real_replica_open(const struct replica_config *cfg, const struct replica_hooks *hooks, struct err *e);

/* Linked with --wrap, like this one: the boot that the machine is in. */
int __wrap_db_boot_id(char out[64], struct err *e)
{
	(void)e;
	memcpy(out, boot, sizeof boot);
	return 0;
}

/* As the role asks, but with snapshots and short logs after a few commands. */
struct replica *__wrap_replica_open(const struct replica_config *cfg, const struct replica_hooks *hooks, struct err *e)
{
	struct replica_config c = *cfg;

	c.snapshot_bytes = snapshot_bytes;
	c.trailing = 4;
	return __real_replica_open(&c, hooks, e);
}

static _Noreturn void run(const char *dir, int serve, int api, int trace, const struct fault *f)
{
	char *argv[] = { "triton-state", (char *)dir, "node1", "0", "0", NULL };
	char err_path[1024];
	int to[4] = { serve, api, trace, -1 };

	snprintf(err_path, sizeof err_path, "%s.err", dir);
	to[3] = open(err_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (int i = 0; i < 4; i++)
		to[i] = to[i] < 0 ? -1 : fcntl(to[i], F_DUPFD, 20);
	dup2(to[0], 3);                               /* what spawn() does before its exec */
	dup2(to[1], 4);
	dup2(to[3], 2);
	if (trace >= 0)
		dup2(to[2], 200);
	for (int fd = 5; fd < 200; fd++)
		close(fd);
	setenv("TRITON_FDS", "serve,api", 1);
	spawn_begin(argv[0]);
	record_begin(dir, trace >= 0 ? 200 : -1, f);
	_exit(role_state(5, argv));
}

bool life_alive(struct life *l)
{
	siginfo_t info = { 0 };

	return l->pid > 0 && waitid(P_PID, (id_t)l->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

const char *life_said(const struct life *l)
{
	static char line[2048];
	char path[1024];
	size_t n;
	FILE *f;
	char *last;

	snprintf(path, sizeof path, "%s.err", l->dir);
	f = fopen(path, "r");
	if (!f)
		return "";
	fseek(f, 0, SEEK_END);
	if (ftell(f) > 1500)
		fseek(f, -1500, SEEK_CUR);
	else
		rewind(f);
	n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	while (n && line[n - 1] == '\n')
		n--;
	line[n] = '\0';
	last = strrchr(line, '\n');
	return last ? last + 1 : line;
}

int life_start(struct life *l, const char *dir, int trace, const struct fault *f, struct err *e)
{
	struct state_status st = { 0 };
	struct ipc_call c = { .op = OP_STATE_STATUS, .out_fields = state_status_fields, .out = &st, .timeout_ms = ANSWER_MS };
	auto_arena a = ARENA_INIT;
	int serve[2], api[2];

	*l = (struct life){ .dir = dir, .trace = trace };
	if (ipc_pair(serve, e) || ipc_pair(api, e))
		abort();
	fflush(stdout);
	l->pid = fork();
	if (l->pid == 0)
		run(dir, serve[1], api[1], trace, f);
	close(serve[1]);
	close(api[1]);
	l->serve = serve[0];
	l->fd = api[0];
	if (ipc_call_sync(l->fd, &a, &c, NULL, NULL, e) == 0)
		return 0;
	if (e->code == ETIMEDOUT) {
		life_stop(l, SIGKILL);
		return err_set(e, ETIMEDOUT, "the role did not answer; it said: %s", life_said(l));
	}
	return err_set(e, EUCLEAN, "the role ended with %d and said: %s", life_stop(l, 0), life_said(l));
}

int life_stop(struct life *l, int sig)
{
	int status = 0;

	if (l->pid <= 0)
		return l->status;
	if (sig)
		kill(l->pid, sig);
	waitpid(l->pid, &status, 0);
	close(l->serve);
	close(l->fd);
	l->pid = 0;
	l->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return l->status;
}

/* --- commands --- */

static char label_char(unsigned id, size_t i)
{
	return (char)('a' + (id * 7 + i * 13 + (i >> 9)) % 26);
}

static struct str label_of(struct arena *a, unsigned id, unsigned bytes)
{
	char *p = arena_alloc(a, bytes + 1);

	for (unsigned i = 0; i < bytes; i++)
		p[i] = label_char(id, i);
	return str_make(p, bytes);
}

static struct str name_of(struct arena *a, unsigned id)
{
	return arena_printf(a, "vol-%u", id);
}

static int send(int fd, int cmd, const struct field *f, const void *in, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct command_done done = { 0 };
	struct command_call call = { .cmd = (uint32_t)cmd, .account = STR("operator"), .operator_ = true,
		.payload = rec_encode_arena(&a, f, in) };
	struct ipc_call c = { .op = OP_COMMAND, .in_fields = command_call_fields, .in = &call,
		.out_fields = command_done_fields, .out = &done, .timeout_ms = ANSWER_MS };

	return ipc_call_sync(fd, &a, &c, NULL, NULL, e);
}

static void history_add(struct history *h, struct change c)
{
	if (h->n == h->cap && !(h->v = realloc(h->v, (h->cap = h->cap ? h->cap * 2 : 256) * sizeof *h->v)))
		abort();
	h->v[h->n++] = c;
}

void history_release(struct history *h)
{
	free(h->v);
	*h = (struct history){ 0 };
}

struct change change_new(struct history *h, unsigned bytes)
{
	return (struct change){ .kind = CREATE, .id = h->next_id++, .bytes = bytes };
}

struct change change_remove(unsigned id)
{
	return (struct change){ .kind = REMOVE, .id = id };
}

int change_send(struct life *l, struct history *h, struct change c, struct err *e)
{
	struct cluster_init init = { .cluster.name = STR("dc1") };
	auto_arena a = ARENA_INIT;
	struct by_name by = { name_of(&a, c.id) };
	struct pair label = { STR("text"), label_of(&a, c.id, c.bytes) };
	struct volume vol = { .name = by.name, .labels = { &label, 1 } };
	int rc;

	history_add(h, c);
	if (l->trace >= 0)
		record_mark(l->trace, MARK_SENT, (int64_t)h->n - 1);
	rc = c.kind == INIT ? send(l->serve, CMD_CLUSTER_INIT, cluster_init_fields, &init, e)
	   : c.kind == CREATE ? send(l->fd, CMD_VOLUME_CREATE, volume_fields, &vol, e)
	   : send(l->fd, CMD_VOLUME_REMOVE, by_name_fields, &by, e);
	if (rc == 0) {
		if (l->trace >= 0)
			record_mark(l->trace, MARK_ACKED, (int64_t)h->n - 1);
		return 0;
	}
	/* EAGAIN and a broken connection leave it open whether it was done; any other answer says that it was not. */
	h->unknown = e->code == ECONNRESET || e->code == EAGAIN || e->code == EPIPE || e->code == ETIMEDOUT;
	if (!h->unknown)
		h->v[h->n - 1].was_void = true;
	return -1;
}

/* --- what must be there --- */

struct found {
	bool      init;
	size_t    n;
	unsigned  wrong;                              /* volumes with another label than theirs */
	unsigned *bytes;                              /* by id; 0: absent (labels are never empty) */
};

static void read_volume(struct found *f, unsigned ids, const struct volume *v)
{
	unsigned id;
	struct str text = v->labels.n == 1 ? v->labels.v[0].val : STR_NONE;
	char name[32];

	snprintf(name, sizeof name, "%.*s", STR_ARG(v->name));
	if (sscanf(name, "vol-%u", &id) != 1 || id >= ids) {
		f->wrong++;
		return;
	}
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != label_char(id, i)) {
			f->wrong++;
			return;
		}
	f->bytes[id] = (unsigned)text.n;
	f->n++;
}

static int read_state(const char *dir, unsigned ids, struct found *f, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct { struct volume *v; size_t n; } all = { 0 };
	struct view *v = view_open(dir, 5000, e);
	auto_view t = { 0 };
	struct str raw;
	int rc;

	if (!v)
		return -1;
	rc = view_begin(v, &t, e);
	if (rc == 0)
		rc = view_list(&t, &a, STR("v/"), volume_fields, sizeof(struct volume), &all, e);
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		read_volume(f, ids, &all.v[i]);
	if (rc == 0)
		f->init = view_get_raw(&t, &a, STR("m/cluster"), &raw, e) == 1;
	view_end(&t);
	view_close(v);
	return rc;
}

static void expected(const struct history *h, size_t n, bool with_last, struct found *f)
{
	for (size_t i = 0; i < n; i++) {
		const struct change *c = &h->v[i];

		if (i + 1 == n ? !with_last : c->was_void)
			continue;
		if (c->kind == INIT)
			f->init = true;
		else
			f->bytes[c->id] = c->kind == CREATE ? c->bytes : 0;
	}
}

static bool same(const struct found *a, const struct found *b, unsigned ids)
{
	return a->init == b->init && memcmp(a->bytes, b->bytes, ids * sizeof *a->bytes) == 0;
}

static int differs(const struct found *got, const struct found *want, unsigned ids, struct err *e)
{
	unsigned missing = 0, more = 0;

	for (unsigned i = 0; i < ids; i++) {
		missing += want->bytes[i] && !got->bytes[i];
		more += got->bytes[i] && got->bytes[i] != want->bytes[i];
	}
	return err_set(e, EUCLEAN, "the state is wrong: %u acknowledged changes are missing, %u are there that should not be, %u damaged%s",
	               missing, more, got->wrong, got->init == want->init ? "" : "; the first command is not as it was");
}

int history_check(struct history *h, size_t sent, enum last last, const char *dir, bool *last_there, struct err *e)
{
	unsigned ids = h->next_id + 1;
	struct found got = { .bytes = calloc(ids, sizeof *got.bytes) };
	struct found with = { .bytes = calloc(ids, sizeof *got.bytes) }, without = { .bytes = calloc(ids, sizeof *got.bytes) };
	bool is_with, is_without;
	int rc = read_state(dir, ids, &got, e);

	expected(h, sent, true, &with);
	expected(h, sent, false, &without);
	is_with = same(&got, &with, ids) && last != MUST_BE_ABSENT;
	is_without = same(&got, &without, ids) && last != MUST_BE_THERE;
	if (rc == 0 && (got.wrong || !(is_with || is_without)))
		rc = differs(&got, last == MUST_BE_ABSENT ? &without : &with, ids, e);
	if (last_there)
		*last_there = is_with;
	free(got.bytes);
	free(with.bytes);
	free(without.bytes);
	return rc;
}

int history_settle(struct history *h, struct life *l, struct err *e)
{
	bool there;

	if (h->n == 0)
		return 0;
	if (!h->unknown)
		return history_check(h, h->n, h->v[h->n - 1].was_void ? MUST_BE_ABSENT : MUST_BE_THERE, l->dir, NULL, e);
	if (history_check(h, h->n, MAY_BE_THERE, l->dir, &there, e))
		return -1;
	h->v[h->n - 1].was_void = !there;
	if (there && l->trace >= 0)                   /* whoever reads may see it from now on */
		record_mark(l->trace, MARK_ACKED, (int64_t)h->n - 1);
	h->unknown = false;
	return 0;
}
