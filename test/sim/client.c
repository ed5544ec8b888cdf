/* Clients: each asks some node for one thing after another, and knows what the answers promise. Accounts stand for all objects with
 * names, where a second creation fails; volumes without one for all where it does not, so that what is run twice is there twice. `order`
 * is the order of events, finer than time. */
#include "sim/world.h"

#include "codec/rec.h"
#include "model/command.h"
#include "model/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MS 30000                               /* a command must have been answered by then, whatever happened */
#define FRESH_MS  15000                               /* a read; pauses and slow disks are in it */
#define SHARED    3

static bool said_removed(const struct err *e)
{
	return e->code == EPERM && strstr(e->msg, "was removed from the data center");
}

static bool said_unknown(const struct err *e)
{
	return strstr(e->msg, "not known") || strstr(e->msg, "the change was made");
}

/* --- asking --- */

static void ask(struct op *o, struct machine *n, int cmd, const char *account, const struct field *f, const void *in)
{
	auto_arena a = ARENA_INIT;

	replica_command(n->r, &(struct replica_call){ .ticket = o->ticket, .cmd = cmd, .account = str_of(account), .operator_ = true,
	                .payload = rec_encode_arena(&a, f, in) });
	n->dirty = true;
}

static void ask_put(struct world *w, struct op *o, struct machine *n)
{
	const struct name *nm = &w->names[o->name];
	struct account_put in = { .account.login = str_of(nm->login) };

	if (nm->volume)
		ask(o, n, CMD_VOLUME_CREATE, nm->login, volume_fields, &(struct volume){ 0 });
	else
		ask(o, n, CMD_ACCOUNT_PUT, "operator", account_put_fields, &in);
}

static void ask_remove(struct world *w, struct op *o, struct machine *n)
{
	struct by_name in = { str_of(w->names[o->name].login) };

	ask(o, n, CMD_ACCOUNT_RM, "operator", by_name_fields, &in);
}

/* Names 0 to SHARED - 1 belong to everybody. Rather a young one than another. */
static int some_name(struct world *w)
{
	int all = w->n_names - SHARED;

	return all == 0 ? 0 : roll(w, 2) ? SHARED + (int)roll(w, (uint64_t)all) : w->n_names - 1 - (int)roll(w, all > 8 ? 8 : 1);
}

static void choose(struct world *w, struct op *o)
{
	uint64_t kind = roll(w, 12);
	struct name *nm;

	o->name = some_name(w);
	if (o->undo) {
		kind = 4;
		o->name = o->undo;
		o->undo = 0;
	}
	nm = &w->names[o->name];
	if (kind < 4 && w->n_names > SHARED) {
		o->what = READ;
	} else if (kind < 6 && o->name >= SHARED && !nm->volume && nm->put == DONE && nm->rm == NOT_YET) {
		o->what = REMOVE;
		nm->rm = OPEN;
		nm->rm_asked = w->order;
	} else if (kind == 6) {
		o->name = (int)roll(w, SHARED);
		o->what = roll(w, 2) ? PUT : REMOVE;
		w->shared[o->name].maybe_puts += o->what == PUT;
		w->shared[o->name].maybe_rms += o->what == REMOVE;
	} else if (w->n_names < NAMES_MAX) {
		o->what = PUT;
		o->name = w->n_names++;
		nm = &w->names[o->name];
		*nm = (struct name){ .volume = roll(w, 2), .put = OPEN, .seen = NEVER, .gone = NEVER };
		snprintf(nm->login, sizeof nm->login, "user%d", o->name);
	} else {
		o->what = READ;
	}
}

static bool sleeps(const struct machine *n)
{
	return n->busy_until > n->w->now + 50;
}

/* One client asks it as soon as it is awake; the others have better things to do. */
static bool waited_for(struct world *w, const struct machine *n)
{
	for (int i = 0; i < w->n_clients; i++)
		if (w->clients[i].open && w->clients[i].node == n->i)
			return true;
	return false;
}

static void begin(struct world *w, struct op *o)
{
	struct machine *n = roll(w, 3) ? node_up(w) : &w->nodes[w->suspect];

	if (!n || n->life != UP || (sleeps(n) && waited_for(w, n))) {
		o->next = w->now + 20;
		return;
	}
	o->open = true;
	o->ticket = ++w->tickets;
	o->node = n->i;
	o->since = w->now;
	o->given = false;
}

/* When the process has time for it. */
static void give(struct world *w, struct op *o, struct machine *n)
{
	o->given = true;
	o->asked = ++w->order;
	o->since = w->now;
	choose(w, o);
	if (o->what == PUT)
		ask_put(w, o, n);
	else if (o->what == REMOVE)
		ask_remove(w, o, n);
	else
		replica_fresh(n->r, o->ticket);
	n->dirty = true;
}

static void end(struct world *w, struct op *o)
{
	o->open = false;
	o->next = w->now + 1 + (o->undo ? 0 : (int64_t)roll(w, (uint64_t)w->think_ms * 2));
}

/* --- what the answers promise --- */

static void put_ended(struct world *w, struct op *o, const struct err *e, bool lost)
{
	struct name *nm = &w->names[o->name];

	if (o->name < SHARED) {
		struct shared *s = &w->shared[o->name];

		s->puts += !lost && !e;
		s->maybe_puts -= !lost && (!e || !said_unknown(e));
		if (s->puts > s->rms + s->maybe_rms + 1)
			fail(w, "name %s was given %d times, and freed at most %d times", nm->login, s->puts, s->rms + s->maybe_rms);
	} else if (!lost && !e) {
		nm->put = DONE;
		nm->put_done = ++w->order;
		w->n.done++;
		o->undo = roll(w, 4) ? 0 : o->name;
	} else if (lost || said_unknown(e)) {
		nm->put = UNKNOWN;
		w->n.unknown++;
	} else {
		nm->put = REFUSED;
		w->n.refused++;
		if (e->code == EEXIST)
			fail(w, "the creation of %s was run twice (on n%d)", nm->login, o->node);
		else if (e->code != EAGAIN && e->code != EIO && !said_removed(e))
			fail(w, "the creation of %s was refused: %s", nm->login, e->msg);
	}
}

static void remove_ended(struct world *w, struct op *o, const struct err *e, bool lost)
{
	struct name *nm = &w->names[o->name];

	if (o->name < SHARED) {
		struct shared *s = &w->shared[o->name];

		s->rms += !lost && !e;
		s->maybe_rms -= !lost && (!e || !said_unknown(e));
		if (s->rms > s->puts + s->maybe_puts)
			fail(w, "name %s was freed %d times, and given at most %d times", nm->login, s->rms, s->puts + s->maybe_puts);
	} else if (!lost && !e) {
		nm->rm = DONE;
		nm->rm_done = ++w->order;
		w->n.done++;
	} else if (lost || said_unknown(e)) {
		nm->rm = UNKNOWN;
		w->n.unknown++;
	} else {
		nm->rm = REFUSED;
		w->n.refused++;
		if (e->code == ENOENT)
			fail(w, "acknowledged %s is lost, or its removal was run twice", nm->login);
		else if (e->code != EAGAIN && e->code != EIO && !said_removed(e))
			fail(w, "the removal of %s was refused: %s", nm->login, e->msg);
	}
}

/* A read between the moments `asked` and now. */
static void saw(struct world *w, struct name *nm, int64_t asked, int there, const char *who, int i)
{
	int64_t now = ++w->order;
	bool must = (nm->put == DONE && nm->put_done < asked) || nm->seen < asked;

	if (there > 1)
		fail(w, "%s n%d: the creation of %s was run %d times", who, i, nm->login, there);
	if (there) {
		if (nm->put == REFUSED)
			fail(w, "%s n%d: %s is there, though its creation was refused", who, i, nm->login);
		if (nm->rm == DONE && nm->rm_done < asked)
			fail(w, "%s n%d: %s is still there after its removal", who, i, nm->login);
		if (nm->gone < asked)
			fail(w, "%s n%d: %s came back", who, i, nm->login);
		if (now < nm->seen)
			nm->seen = now;
		return;
	}
	if (must && (nm->rm == NOT_YET || nm->rm == REFUSED))
		fail(w, "%s n%d: acknowledged %s is not there", who, i, nm->login);
	if (must && now < nm->gone)
		nm->gone = now;
}

static struct op *op_of(struct world *w, uint64_t ticket)
{
	for (int i = 0; i < w->n_clients; i++)
		if (w->clients[i].open && w->clients[i].ticket == ticket)
			return &w->clients[i];
	return NULL;
}

static void command_ended(struct world *w, struct op *o, const struct err *e, bool lost)
{
	trace(w, "n%d %s %s: %s", o->node, o->what == PUT ? "put" : "remove", w->names[o->name].login, lost ? "lost" : e ? e->msg : "done");
	if (o->what == PUT)
		put_ended(w, o, e, lost);
	else
		remove_ended(w, o, e, lost);
	end(w, o);
}

void client_answer(struct machine *n, uint64_t ticket, const struct err *e, struct str result)
{
	struct world *w = n->w;
	struct op *o = op_of(w, ticket);

	if (ticket & LEASE_TICKET)
		return;
	if (w->admin.op.open && ticket == w->admin.op.ticket) {
		w->admin.op.open = false;
		w->admin.ok = !e;
		snprintf(w->admin.said, sizeof w->admin.said, "%s", e ? e->msg : "");
		free((char *)w->admin.result.p);
		w->admin.result = str_make(memcpy(calloc(1, result.n + 1), result.n ? result.p : "", result.n), result.n);
		trace(w, "n%d admin: %s", n->i, e ? e->msg : "done");
		return;
	}
	if (!o || o->node != n->i)
		fail(w, "n%d answers a command twice, or one that it was not given", n->i);
	else
		command_ended(w, o, e, false);
	/* Read your writes: at once, on the node that was asked. */
	if (o && !e && o->name >= SHARED && !w->failed)
		saw(w, &w->names[o->name], w->order, node_has(n, &w->names[o->name]), "after the answer,", n->i);
}

void client_fresh(struct machine *n, uint64_t ticket, const struct err *e)
{
	struct world *w = n->w;
	struct op *o = op_of(w, ticket);

	if (ticket & LEASE_TICKET) {
		lease_fresh(n, ticket, e);
		return;
	}
	if (!o || o->what != READ) {
		fail(w, "n%d answers a read twice", n->i);
		return;
	}
	trace(w, "n%d read %s (asked at %lld): %s", n->i, w->names[o->name].login, (long long)o->since, e ? e->msg : "done");
	if (e) {
		w->n.unread++;
	} else {
		w->n.reads++;
		if (o->name >= SHARED)
			saw(w, &w->names[o->name], o->asked, node_has(n, &w->names[o->name]), "a read on", n->i);
	}
	end(w, o);
}

void client_lost(struct machine *n)
{
	struct world *w = n->w;

	for (int i = 0; i < w->n_clients; i++) {
		struct op *o = &w->clients[i];

		if (!o->open || o->node != n->i)
			continue;
		if (o->what == READ || !o->given)
			end(w, o);
		else
			command_ended(w, o, NULL, true);
	}
	if (w->admin.op.open && w->admin.op.node == n->i)
		w->admin.op.open = w->admin.ok = false;
}

/* --- all of them --- */

void client_start(struct world *w)
{
	w->n_names = SHARED;
	for (int i = 0; i < SHARED; i++)
		snprintf(w->names[i].login, sizeof w->names[i].login, "shared%d", i);
	w->n_clients = 2 + (int)roll(w, CLIENTS_MAX - 1);
	w->think_ms = roll(w, 4) ? 20 + (int64_t)roll(w, 150) : 4 + (int64_t)roll(w, 10); /* many: snapshots are needed */
	for (int i = 0; i < w->n_clients; i++)
		w->clients[i] = (struct op){ .next = w->now + (int64_t)roll(w, 100) };
}

void client_work(struct world *w)
{
	for (int i = 0; i < w->n_clients; i++) {
		struct op *o = &w->clients[i];

		if (!o->open && o->next <= w->now)
			begin(w, o);
		if (o->open && !o->given && w->nodes[o->node].busy_until <= w->now)
			give(w, o, &w->nodes[o->node]);
		if (o->open && w->now - o->since > (o->what == READ ? FRESH_MS : ANSWER_MS))
			fail(w, "n%d does not answer %s", o->node, o->what == READ ? "a read" : "a command");
	}
}

int64_t client_next(struct world *w)
{
	int64_t at = NEVER;

	for (int i = 0; i < w->n_clients; i++) {
		struct op *o = &w->clients[i];
		int64_t t = !o->open ? o->next : !o->given ? w->nodes[o->node].busy_until : NEVER;

		at = t < at ? t : at;
	}
	return at;
}

void client_final(struct world *w)
{
	for (int i = 0; i < NODES_MAX; i++)
		for (int k = SHARED; w->nodes[i].life == UP && !w->nodes[i].expelled && k < w->n_names; k++)
			saw(w, &w->names[k], w->order, node_has(&w->nodes[i], &w->names[k]), "in the end,", i);
}
