/* Usage records, as far as the loop goes: what ended is written into a journal at once, and at each minute's end a child does the
 * rest. What it wants told to the state comes back here; whether it was counted the next child reads in the state. */
#include "role/node_meter.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/path.h"
#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNSAVED_MAX (8 << 20)
#define SAID_MAX    (256 << 10)

static void fire(struct loop_timer *t);
static void said(struct loop_watch *w, uint32_t events);

/* The first journal that nobody can have read. Files first: one that was read and removed meanwhile stands in `last`. */
static int64_t journal_first(int dir)
{
	auto_arena a = ARENA_INIT;
	struct meter_last last;
	struct err ignored;
	int64_t most = 0, number;
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	for (struct dirent *f; d && (f = readdir(d));)
		if (str_starts(str_of(f->d_name), STR("ended-")) && str_to_i64(str_of(f->d_name + 6), &number) && number > most)
			most = number;
	if (d)
		closedir(d);
	meter_last_read(&a, dir, &last, &ignored);
	return (last.consumed > most ? last.consumed : most) + 1;
}

/* Without a `last` records begin now: what ran before is not charged. One that cannot be read is put aside. */
static int last_begin(int dir, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct meter_last last;
	char boot[64];

	if (meter_last_read(&a, dir, &last, e) == 0)
		return 0;
	if (e->code != ENOENT)
		log_failed("what was written of usage cannot be read; records begin anew", e);
	if (db_boot_id(boot, e))
		return -1;
	last = (struct meter_last){ .boot = str_of(boot), .to.ns = clock_wall_ns(), .boot_ms = clock_boot_ms() };
	return meter_last_write(dir, &last, e);
}

int usage_open(struct node_role *n, struct err *e)
{
	struct err full;

	if (mkdirat(n->rt.data, "usage", 0700) && errno != EEXIST)
		return err_sys(e, "make usage");
	n->usage.dir = path_open(n->rt.data, "usage", O_RDONLY | O_DIRECTORY, 0, e);
	if (n->usage.dir < 0)
		return -1;
	n->usage.journal = journal_first(n->usage.dir);
	if (last_begin(n->usage.dir, &full))
		log_failed("usage cannot be written down", &full);
	n->usage.file = n->usage.said.fd = -1;
	n->usage.unsaved = BUF_INIT(UNSAVED_MAX);
	n->usage.said.ready = said;
	n->usage.timer.fire = fire;
	loop_after(&n->loop, &n->usage.timer, meter_wait_ms(clock_wall_ns()));
	return 0;
}

/* --- the journal -------------------------------------------------------------------------------------- */

static int journal_write(struct node_role *n, struct err *e)
{
	struct buf *b = &n->usage.unsaved;
	char name[40];
	off_t end;

	snprintf(name, sizeof name, "ended-%lld", (long long)n->usage.journal);
	if (n->usage.file < 0)
		n->usage.file = path_open(n->usage.dir, name, O_WRONLY | O_CREAT, 0600, e);
	if (n->usage.file < 0)
		return -1;
	end = lseek(n->usage.file, 0, SEEK_END);
	if (fd_write_all(n->usage.file, b->p, b->n)) {
		err_sys(e, "write usage/%s", name);
		if (ftruncate(n->usage.file, end))    /* half a frame would hide what comes after it */
			fd_close(&n->usage.file), n->usage.journal++;
		return -1;
	}
	b->n = 0;
	if (n->usage.lost)
		log_warn("usage of containers that ended was lost", L("ends", n->usage.lost));
	n->usage.lost = 0;
	return 0;
}

/* Said once until it goes well again. */
static void failed(struct node_role *n, const struct err *e)
{
	if (!n->usage.failed)
		log_failed("usage cannot be written down; what is missing is added when it can", e);
	n->usage.failed = true;
}

static void unsaved_write(struct node_role *n)
{
	struct err e = { 0 };

	if (n->usage.unsaved.n && journal_write(n, &e))
		failed(n, &e);
}

static void journal_add(struct node_role *n, const struct usage_ended *in)
{
	if (!meter_frame_add(&n->usage.unsaved, in) && n->usage.lost++ == 0)
		log_error("usage of containers that end now is lost: too many ended since it could be written down");
	unsaved_write(n);
}

void usage_ended(struct local *l, const struct runtime_event *ev, bool removed)
{
	struct usage_ended in = { .run = ev->used };

	if (!l->rec.id.n)
		return;
	if (!in.run.started.ns)
		in.run.started.ns = l->started_ns ? l->started_ns : l->rec.started.ns;
	meter_facts(&l->rec, &in.facts);
	in.facts.status = removed ? STR("removed") : STR("exited");
	in.facts.started = in.run.started;
	in.facts.finished = ev->time;
	journal_add(l->n, &in);
}

void usage_removed(struct local *l)
{
	struct usage_ended in = { 0 };

	if (!l->rec.id.n || !str_eq(l->rec.node, l->n->id))
		return;
	meter_facts(&l->rec, &in.facts);
	in.facts.status = STR("removed");
	journal_add(l->n, &in);
}

/* --- each minute -------------------------------------------------------------------------------------- */

static int child_start(struct node_role *n, bool now, struct err *e)
{
	int fds[2];
	pid_t pid;

	unsaved_write(n);
	fd_close(&n->usage.file);
	n->usage.journal++;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return err_sys(e, "socketpair");
	pid = fork();
	if (pid == 0)
		meter_child(n, n->usage.dir, n->usage.journal, now, fds[1]);
	close(fds[1]);
	n->usage.said.fd = fds[0];
	if (pid > 0 && fd_nonblock(fds[0], true) == 0 && loop_add(&n->loop, &n->usage.said, EPOLLIN, e) == 0)
		return 0;
	err_sys(e, "usage: start a process");
	fd_close(&n->usage.said.fd);
	return -1;
}

static void start(struct node_role *n, bool now)
{
	struct err e = { 0 };

	n->usage.again = n->usage.again || now;
	if (n->usage.said.fd >= 0 || !n->registered)
		return;
	now = n->usage.again;
	n->usage.again = false;
	if (child_start(n, now, &e))
		failed(n, &e);
}

static void fire(struct loop_timer *t)
{
	struct node_role *n = NODE_OF(t, usage.timer);

	start(n, false);
	loop_after(&n->loop, t, meter_wait_ms(clock_wall_ns()));
}

void usage_now(struct node_role *n)
{
	start(n, true);
}

static void told(void *ctx, const struct err *e, struct str payload)
{
	struct node_role *n = ctx;

	(void)payload;
	n->usage.telling = false;
	if (e)
		log_warn("usage was not counted; it is told again", L("why", e->msg));
}

static void said(struct loop_watch *w, uint32_t events)
{
	struct node_role *n = NODE_OF(w, usage.said);
	static char text[SAID_MAX];
	auto_arena a = ARENA_INIT;
	struct meter_said s = { 0 };
	struct err e = { 0 };
	size_t nfds = 0;
	ssize_t got = fd_recv(w->fd, text, sizeof text, NULL, &nfds, &e);

	(void)events;
	if (got < 0 && e.code == EAGAIN)
		return;
	loop_remove(&n->loop, w);
	fd_close(&w->fd);
	if (got <= 0)
		err_set(&e, EIO, "usage: the process that writes it has died");
	else if (rec_decode(&a, str_make(text, (size_t)got), meter_said_fields, &s, &e) == 0 && s.error.n)
		err_set(&e, EIO, "%.*s", STR_ARG(s.error));
	if (e.code)
		failed(n, &e);
	else
		n->usage.failed = false;
	if (s.put.seq && !n->usage.telling) {
		n->usage.telling = true;
		node_command(n, STR(OPERATOR_ACCOUNT), CMD_USAGE_PUT, usage_put_fields, &s.put, told, n);
	}
	if (n->usage.again)
		start(n, true);
}
