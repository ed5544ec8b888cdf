#include "image/pullproto.h"

const struct field pull_start_fields[] = {
	FIELD(1, pull_start, kind,          "kind",          0),
	FIELD_OBJ(2, pull_start, call,      "call",          FIELD_SECRET, pull_call_fields),
	FIELD(3, pull_start, known_id,      "known_id",      0),
	FIELD(4, pull_start, is_private_ok, "is_private_ok", 0),
	FIELD_END
};

const struct field layer_call_fields[] = {
	FIELD(1, layer_call, diff_id, "diff_id", 0),
	FIELD(2, layer_call, blob,    "blob",    0),
	FIELD(3, layer_call, plain,   "plain",   0),
	FIELD_END
};

const struct field layer_reply_fields[] = {
	FIELD(1, layer_reply, have,    "have",    0),
	FIELD(2, layer_reply, diff_id, "diff_id", 0),
	FIELD(3, layer_reply, blob,    "blob",    0),
	FIELD(4, layer_reply, size,    "size",    0),
	FIELD_END
};

const struct field push_ask_fields[] = { FIELD(1, push_ask, index, "index", 0), FIELD_END };

const struct field push_item_fields[] = {
	FIELD(1, push_item, is_end,     "is_end",  0),
	FIELD(2, push_item, tag,        "tag",     0),
	FIELD_OBJ(3, push_item, image,  "image",   0, image_fields),
	FIELD(4, push_item, sources,    "sources", 0),
	FIELD_END
};

const struct field pull_finish_fields[] = {
	FIELD_LIST(1, pull_finish, puts, "puts", 0, image_put_fields, struct image_put),
	FIELD(2, pull_finish, blobs, "blobs", 0),
	FIELD_END
};

const struct field pull_failed_fields[] = {
	FIELD(1, pull_failed, code,    "code",    0),
	FIELD(2, pull_failed, message, "message", 0),
	FIELD_END
};
