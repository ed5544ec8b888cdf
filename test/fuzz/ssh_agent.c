/* Any bytes as the answers of an ssh-agent: a list of keys, then a signature by the first of them. */
#include "tool/agent.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void talk(struct agent *g)
{
	auto_arena a = ARENA_INIT;
	struct agent_keys keys = { 0 };
	struct str sig;
	struct err e;

	if (agent_list(&a, g, &keys, &e) || keys.n == 0)
		return;
	g->key = keys.v[0].key;
	if (agent_sign(&a, g, HASH_SHA256, STR("message"), &sig, &e) == 0 && !pubkey_verify(&g->key, HASH_SHA256, STR("message"), sig))
		abort();
}

/* The answers lie in the socket before the questions are asked, and the questions are never read: both are small. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct agent g = { .fd = -1 };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		abort();
	g.fd = ends[0];
	if (n == 0 || send(ends[1], p, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n) {
		shutdown(ends[1], SHUT_WR);
		talk(&g);
	}
	agent_close(&g);
	close(ends[1]);
	return 0;
}
