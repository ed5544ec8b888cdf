/* Which nodes keep an image that no registry has. It follows from the image and the nodes that are there, so nobody has to agree upon
 * it or to write it down, and a node that goes moves only what it kept (rendezvous hashing; Thaler and Ravishankar, 1998). Pure. */
#ifndef SCHED_COPIES_H
#define SCHED_COPIES_H

#include "model/image.h"

#define COPIES 2

/* Whether `node` is one of the COPIES that keep it: the node where it was made, then those whose hash with the image is lowest. Nodes
 * that are lost or drained keep nothing. */
bool copies_keeps(const struct node *nodes, size_t n, struct str image, struct str made_on, struct str node);

#endif
