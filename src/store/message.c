#include "store/message.h"

#include "codec/rec.h"

#include <errno.h>

static const struct field message_fields[] = {
	FIELD(1,  message, epoch,     "epoch",    0),
	FIELD(2,  message, number,    "number",   0),
	FIELD(3,  message, term,      "term",     0),
	FIELD(4,  message, index,     "index",    0),
	FIELD(5,  message, offset,    "offset",   0),
	FIELD(6,  message, revision,  "revision", 0),
	FIELD(7,  message, cmd,       "cmd",      0),
	FIELD(8,  message, code,      "code",     0),
	FIELD(9,  message, last,      "last",     0),
	FIELD(10, message, again,     "again",    0),
	FIELD(11, message, operator_, "operator", 0),
	FIELD(12, message, from_node, "from_node", 0),
	FIELD(13, message, account,   "account",  0),
	FIELD(14, message, payload,   "payload",  0),
	FIELD(15, message, error,     "error",    0),
	FIELD(16, message, server,    "server",   0),
	FIELD_END
};

void message_encode(struct buf *b, const struct message *m)
{
	buf_char(b, (char)m->type);
	if (m->type == MSG_RAFT)
		buf_str(b, m->payload);
	else
		rec_encode(b, message_fields, m);
}

int message_decode(struct arena *a, struct str bytes, struct message *out, struct err *e)
{
	*out = (struct message){ 0 };
	if (bytes.n == 0 || bytes.p[0] < MSG_RAFT || bytes.p[0] >= MSG_TYPES)
		return err_set(e, EBADMSG, "a message of unknown type");
	if (bytes.p[0] == MSG_RAFT)
		out->payload = str_drop(bytes, 1);
	else if (rec_decode(a, str_drop(bytes, 1), message_fields, out, e))
		return -1;
	out->type = (enum message_type)bytes.p[0];
	if (out->index < 0 || out->offset < 0 || out->term < 0 || out->server < 0)
		return err_set(e, EBADMSG, "a message with negative numbers");
	return 0;
}
