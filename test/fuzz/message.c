/* What other nodes' replicas send: the envelope and the consensus engine's messages in it. */
#include "cluster/wire.h"
#include "store/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = ARENA_INIT;
	struct message m;
	struct raft_message raft;
	struct err e;

	if (message_decode(&a, str_make((const char *)data, size), &m, &e) || m.type != MSG_RAFT)
		return 0;
	if (wire_decode(m.payload, &raft, &e) == 0)
		wire_free(&raft);
	return 0;
}
