#include "model/room.h"

static const struct field amounts_fields[] = {
	FIELD(1, amounts, memory,    "memory",    0),
	FIELD(2, amounts, nano_cpus, "nano_cpus", 0),
	FIELD(3, amounts, disk,      "disk",      0),
	FIELD_END
};

const struct field node_room_fields[] = {
	FIELD(1, node_room, node,        "node",       0),
	FIELD_OBJ(2, node_room, has,     "has",        0, amounts_fields),
	FIELD_OBJ(3, node_room, kept,    "kept",       0, amounts_fields),
	FIELD_OBJ(4, node_room, elastic, "elastic",    0, amounts_fields),
	FIELD(5, node_room, containers,  "containers", 0),
	FIELD(6, node_room, drained,     "drained",    0),
	FIELD(7, node_room, lost,        "lost",       0),
	FIELD_KEEP_UNKNOWN(node_room, unknown),
	FIELD_END
};
