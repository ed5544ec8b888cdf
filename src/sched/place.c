#include "sched/place.h"

#include <errno.h>
#include <stdio.h>

/* A standard package has 2 GiB for each CPU and 25 bytes of disk for each byte of memory. */
#define CPU_MEMORY (2ll << 30)
#define DISK_RATIO 25
#define NANO       1000000000ll
#define ROOM_MAX   (1ll << 60)

struct place_need place_need_of(const struct container *c)
{
	const struct resources *r = &c->resources;

	return (struct place_need){ .size = { .memory = r->memory, .nano_cpus = r->cpu_shares * NANO / 1024, .disk = r->disk },
		.elastic = c->host.memory == 0 };
}

void room_book(struct node_room *n, const struct place_need *need, int sign)
{
	struct amounts *to = need->elastic ? &n->elastic : &n->kept;

	to->memory += sign * need->size.memory;
	to->nano_cpus += sign * need->size.nano_cpus;
	to->disk += sign * need->size.disk;
	n->containers += sign;
}

bool room_open(const struct node_room *n)
{
	return !n->drained && !n->lost;
}

/* --- arithmetic: `has` 0 is no limit --- */

static int64_t left(int64_t has, int64_t times, int64_t promised)
{
	return has > 0 ? has * times - promised : ROOM_MAX;
}

static struct amounts left_in_full(const struct node_room *n)
{
	return (struct amounts){ left(n->has.memory, 1, n->kept.memory + n->elastic.memory),
		left(n->has.nano_cpus, PLACE_CPUS, n->kept.nano_cpus + n->elastic.nano_cpus),
		left(n->has.disk, PLACE_DISK, n->kept.disk + n->elastic.disk) };
}

static struct amounts left_for_sure(const struct node_room *n)
{
	return (struct amounts){ left(n->has.memory, 1, n->kept.memory + n->elastic.memory / PLACE_ELASTIC),
		left(n->has.nano_cpus, PLACE_CPUS, n->kept.nano_cpus + n->elastic.nano_cpus / PLACE_ELASTIC),
		left(n->has.disk, PLACE_DISK, n->kept.disk + n->elastic.disk / PLACE_ELASTIC) };
}

static int64_t cpus_as_memory(int64_t nano_cpus)
{
	return nano_cpus >= ROOM_MAX ? ROOM_MAX : (int64_t)((__int128)nano_cpus * CPU_MEMORY / NANO);
}

static int64_t least_of(const struct amounts *a)
{
	int64_t cpus = cpus_as_memory(a->nano_cpus), disk = a->disk >= ROOM_MAX ? ROOM_MAX : a->disk / DISK_RATIO;
	int64_t least = a->memory < cpus ? a->memory : cpus;

	return least < disk ? least : disk;
}

int64_t room_left(const struct node_room *n)
{
	struct amounts full = left_in_full(n);

	return least_of(&full);
}

int64_t place_least(const struct place_need *need)
{
	return least_of(&need->size);
}

enum place_why place_fits(const struct node_room *n, const struct place_need *need)
{
	const int64_t part = need->elastic ? PLACE_ELASTIC : 1;
	struct amounts sure = left_for_sure(n);

	if (n->lost)
		return PLACE_LOST;
	if (n->drained)
		return PLACE_DRAINED;
	if (need->size.memory / part > sure.memory)
		return PLACE_MEMORY;
	if (need->size.nano_cpus / part > sure.nano_cpus)
		return PLACE_CPU;
	return need->size.disk / part > sure.disk ? PLACE_DISK_FULL : PLACE_OK;
}

bool place_in_full(const struct node_room *n, const struct place_need *need)
{
	struct amounts full = left_in_full(n);

	return need->size.memory <= full.memory && need->size.nano_cpus <= full.nano_cpus && need->size.disk <= full.disk;
}

/* --- choosing --- */

static bool better(const struct place_choice *c, bool in_full, int64_t siblings, int64_t liking)
{
	if (!c->found || liking != c->liking)
		return !c->found || liking > c->liking;
	if (in_full != c->in_full)
		return in_full;
	return siblings < c->siblings;
}

void place_offer(struct place_choice *c, struct str node, bool in_full, int64_t siblings, int64_t liking)
{
	if (!better(c, in_full, siblings, liking))
		return;
	c->found = true;
	c->in_full = in_full;
	c->liking = liking;
	c->siblings = siblings;
	c->node = node;
}

bool place_done(const struct place_choice *c, bool in_full)
{
	return c->found && !c->liking_counts && c->siblings == 0 && (c->in_full || !in_full);
}

int place_refused(const struct place_tally *t, const struct place_need *need, struct err *e)
{
	/* one and many */
	static const char *const words[PLACE_WHYS][2] = {
		[PLACE_LOST] = { "is lost", "are lost" }, [PLACE_DRAINED] = { "is drained", "are drained" },
		[PLACE_PINNED] = { "is not where its volumes or the container it joins are", "are not where its volumes or the container it joins are" },
		[PLACE_CONSTRAINT] = { "does not meet its constraints", "do not meet its constraints" },
		[PLACE_AFFINITY] = { "is ruled out by its affinities", "are ruled out by its affinities" },
		[PLACE_MEMORY] = { "has too little memory left", "have too little memory left" },
		[PLACE_CPU] = { "has too little CPU left", "have too little CPU left" },
		[PLACE_DISK_FULL] = { "has too little disk left", "have too little disk left" },
	};
	char text[512] = "";
	int64_t all = 0;
	size_t at = 0;

	for (int i = 1; i < PLACE_WHYS; i++)
		all += t->n[i];
	for (int i = 1; i < PLACE_WHYS && at < sizeof(text); i++)
		if (t->n[i])
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lld %s", at ? ", " : "", (long long)t->n[i], words[i][t->n[i] > 1]);
	if (!all)
		return err_set(e, ENOSPC, "no node has room for this container: there is no node");
	return err_set(e, ENOSPC, "no node has room for this container (%lld MiB): of %lld %s %s", (long long)(need->size.memory >> 20),
	               (long long)all, all > 1 ? "nodes" : "node", text);
}
