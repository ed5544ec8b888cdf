/* What a node has and what of it is promised: the leader's books, one record for each node (key R/<node id>), changed in
 * the transaction that creates, moves, resizes or removes a container. Plain data. */
#ifndef MODEL_ROOM_H
#define MODEL_ROOM_H

#include "codec/field.h"

struct amounts { int64_t memory, nano_cpus, disk; };  /* bytes; 1e9 = one core; bytes */

struct node_room {
	struct str     node;                          /* id */
	struct amounts has;                           /* of the machine; 0 where nobody has said: no limit */
	struct amounts kept;                          /* promised to containers of a stated size (-m, a package's label) */
	struct amounts elastic;                       /* ... to those of the default package: may be promised several times */
	int64_t        containers;
	bool           drained, lost;                 /* as struct node says; then it is in no list of candidates */
	struct str     unknown;
};
extern const struct field node_room_fields[];

#endif
