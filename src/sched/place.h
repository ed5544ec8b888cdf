/* Which node a container goes to: pure functions over the leader's books (model/room.h). Nothing here reads the state;
 * store/placement.c offers candidates one after the other, in an order that lets it stop early.
 *
 * What is never overbooked is memory that somebody asked for (-m, or a package by its label). A container of which nobody
 * said a size gets the default package, and counts fully while nodes are chosen, but a node that is full of such
 * promises takes more of them until a PLACE_ELASTIC-th of each is all that is left. CPUs are weights and disks are
 * thin, so of both a node promises several times what it has. */
#ifndef SCHED_PLACE_H
#define SCHED_PLACE_H

#include "model/container.h"
#include "model/room.h"

#define PLACE_ELASTIC 64                              /* a default package is sure of this part of its size */
#define PLACE_CPUS    16                              /* times its CPUs, and ... */
#define PLACE_DISK    16                              /* ... times its disk, that a node promises */

struct place_need {
	struct amounts size;
	bool           elastic;                       /* nobody said a size: HostConfig.Memory is 0 */
};
struct place_need place_need_of(const struct container *c);

/* Take (`sign` 1) or give back (-1) a container's size. */
void room_book(struct node_room *n, const struct place_need *need, int sign);
bool room_open(const struct node_room *n);            /* neither drained nor lost */

/* Where a node stands in the order of candidates: what is not promised, as memory, CPUs and disk by the measure of a
 * standard package; negative when more is promised than there is. A node of which less than place_least() is left cannot
 * take it in full. */
int64_t room_left(const struct node_room *n);
int64_t place_least(const struct place_need *need);

enum place_why {                                      /* why a node does not take a container */
	PLACE_OK, PLACE_LOST, PLACE_DRAINED, PLACE_PINNED, PLACE_CONSTRAINT, PLACE_AFFINITY, PLACE_MEMORY, PLACE_CPU, PLACE_DISK_FULL,
	PLACE_WHYS,
};
/* By state and size only; the other reasons are the caller's. */
enum place_why place_fits(const struct node_room *n, const struct place_need *need);
bool place_in_full(const struct node_room *n, const struct place_need *need); /* without overbooking anything elastic */

/* Candidates that fit are offered in the order: those that take it in full, fullest first; then the others, emptiest
 * first. The best has the highest liking (soft rules), then takes it in full, then has the fewest siblings (containers of
 * the same account), then came first. */
struct place_choice {
	bool       liking_counts;                     /* there are soft rules: look at all */
	bool       found, in_full;
	int64_t    liking, siblings;
	struct str node;                              /* borrowed from the offer */
};
void place_offer(struct place_choice *c, struct str node, bool in_full, int64_t siblings, int64_t liking);
/* Can nothing that follows be better? `in_full`: there may be candidates still that take it in full. */
bool place_done(const struct place_choice *c, bool in_full);

struct place_tally { int64_t n[PLACE_WHYS]; };
/* "no node has room for this container (1024 MiB): of 6 nodes 3 have too little memory left, 1 is drained". -1, ENOSPC. */
int place_refused(const struct place_tally *t, const struct place_need *need, struct err *e);

#endif
