/* Any bytes as a raft message from another node. */
#include "cluster/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct raft_message m;
	struct err e;

	if (wire_decode(str_make(p, n), &m, &e))
		return 0;
	if (m.type == RAFT_APPEND_ENTRIES)
		for (unsigned i = 0; i < m.append_entries.n_entries; i++) {
			const struct raft_entry *en = &m.append_entries.entries[i];

			if (en->batch != m.append_entries.entries[0].batch || en->term == 0)
				abort();
			for (size_t k = 0; k < en->buf.len; k++)
				*(volatile char *)&(char){ 0 } = ((char *)en->buf.base)[k];
		}
	wire_free(&m);
	return 0;
}
