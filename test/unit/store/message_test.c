#include "store/message.h"

#include "unit/test.h"

#include <errno.h>

static struct str encode(struct buf *b, const struct message *m)
{
	b->n = 0;
	message_encode(b, m);
	return buf_as_str(b);
}

TEST(every_type_survives)
{
	auto_arena a = ARENA_INIT;
	auto_buf b = BUF_INIT(1 << 20);
	struct message out;
	struct err e;

	for (int type = MSG_RAFT; type < MSG_TYPES; type++) {
		struct message in = { .type = (enum message_type)type, .epoch = 7, .number = -3, .term = 4, .index = 5, .offset = 1ll << 40, .revision = 9,
			.cmd = 11, .server = 12, .code = EBUSY, .last = true, .again = true, .operator_ = true, .from_node = true, .account = STR("a"),
			.payload = str_make("p\0q", 3), .error = STR("why") };

		REQUIRE_OK(message_decode(&a, encode(&b, &in), &out, &e), e);
		CHECK_INT(out.type, type);
		CHECK(str_eq(out.payload, in.payload));
		if (type == MSG_RAFT)
			continue;
		CHECK_INT(out.epoch, 7);
		CHECK_INT(out.number, -3);
		CHECK_INT(out.offset, 1ll << 40);
		CHECK_INT(out.code, EBUSY);
		CHECK_INT(out.server, 12);
		CHECK(out.last && out.again && out.operator_ && out.from_node);
		CHECK_STR(out.error, "why");
	}
}

TEST(what_is_cut_or_unknown_is_refused)
{
	auto_arena a = ARENA_INIT;
	auto_buf b = BUF_INIT(1 << 20);
	struct message in = { .type = MSG_CHUNK, .index = 5, .payload = STR("0123456789") }, out;
	struct str all;
	struct err e;

	CHECK_INT(message_decode(&a, STR(""), &out, &e), -1);
	CHECK_INT(message_decode(&a, str_make("\0", 1), &out, &e), -1);
	CHECK_INT(message_decode(&a, STR("\x7f"), &out, &e), -1);
	all = encode(&b, &in);
	for (size_t n = 2; n < all.n; n++)
		if (message_decode(&a, str_head(all, n), &out, &e) == 0)
			CHECK(out.payload.n == 0);            /* a cut between fields is a message without them */
	in.index = -1;
	CHECK_INT(message_decode(&a, encode(&b, &in), &out, &e), -1);
}
