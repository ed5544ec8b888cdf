/* Against a real ssh-agent with a key of every kind. */
#include "tool/agent.h"

#include "unit/codec/keytool.h"
#include "unit/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t agent_pid;

static void agent_start(struct arena *a)
{
	const char *path = keytool_path(a, "agent");

	if (KEYTOOL("ssh-add", "-h") == 127)
		SKIP("ssh-add is not installed");
	setenv("SSH_AUTH_SOCK", path, 1);
	agent_pid = fork();
	if (agent_pid == 0) {
		close(1);                             /* it says where it listens */
		execlp("ssh-agent", "ssh-agent", "-D", "-a", path, NULL);
		_exit(127);
	}
	for (int i = 0; i < 100 && access(path, F_OK); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static void agent_stop(void)
{
	kill(agent_pid, SIGTERM);
	waitpid(agent_pid, NULL, 0);
}

TEST(signs_with_every_kind_of_key)
{
	auto_arena a = ARENA_INIT;
	static const char *const kinds[][2] = { { "rsa", "2048" }, { "ecdsa", "256" }, { "ecdsa", "384" }, { "ecdsa", "521" }, { "ed25519", "256" } };
	struct agent g;
	struct agent_keys keys;
	struct err e = { 0 };

	agent_start(&a);
	for (size_t i = 0; i < 5; i++) {
		const char *path = keytool_path(&a, arena_printf(&a, "%s%s", kinds[i][0], kinds[i][1]).p);

		REQUIRE(KEYTOOL("ssh-keygen", "-q", "-t", kinds[i][0], "-b", kinds[i][1], "-N", "", "-C", "me", "-f", path) == 0);
		REQUIRE(KEYTOOL("ssh-add", "-q", path) == 0);
	}
	REQUIRE_OK(agent_open(&g, &e), e);
	REQUIRE_OK(agent_list(&a, &g, &keys, &e), e);
	CHECK_INT(keys.n, 5);
	for (size_t i = 0; i < keys.n; i++) {
		struct str sig;

		CHECK_STR(keys.v[i].comment, "me");
		g.key = keys.v[i].key;
		for (int round = 0; round < 20; round++) {   /* an ECDSA number has leading zeros once in a while */
			struct str msg = arena_printf(&a, "message %d", round);

			CHECK_OK(agent_sign(&a, &g, pubkey_hash(&g.key), msg, &sig, &e), e);
			CHECK(pubkey_verify(&keys.v[i].key, pubkey_hash(&g.key), msg, sig));
		}
	}
	REQUIRE(KEYTOOL("ssh-add", "-q", "-D") == 0);
	CHECK_ERR(agent_sign(&a, &g, pubkey_hash(&g.key), STR("x"), &(struct str){ 0 }, &e), e, "refused to sign");
	agent_close(&g);
	agent_stop();
}

TEST(no_agent)
{
	auto_arena a = ARENA_INIT;
	struct agent g;
	struct err e = { 0 };

	unsetenv("SSH_AUTH_SOCK");
	CHECK_ERR(agent_open(&g, &e), e, "no ssh-agent is running");
	setenv("SSH_AUTH_SOCK", keytool_path(&a, "nobody"), 1);
	CHECK_ERR(agent_open(&g, &e), e, "No such file");
	CHECK_INT(g.fd, -1);
}

/* What a broken agent answers must end in a sentence. */
TEST(hostile_answers)
{
	static const struct str answers[] = {
		STR(""), STR("\x00\x00"), STR("\x00\x00\x00\x00"), STR("\xff\xff\xff\xff"), STR("\x00\x00\x00\x01\x05"), STR("\x00\x00\x00\x01\x0c"),
		STR("\x00\x00\x00\x05\x0c\xff\xff\xff\xff"), STR("\x00\x00\x00\x09\x0c\x00\x00\x00\x01\x00\x00\x00\x09"),
		STR("\x00\x00\x00\x64\x0c"),
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		auto_arena a = ARENA_INIT;
		struct agent_keys keys;
		struct err e = { 0 };
		int pair[2];

		REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		REQUIRE(write(pair[1], answers[i].p, answers[i].n) == (ssize_t)answers[i].n);
		shutdown(pair[1], SHUT_WR);
		struct agent g = { .fd = pair[0] };

		CHECK_INT(agent_list(&a, &g, &keys, &e), -1);
		CHECK(e.code != 0);
		agent_close(&g);
		close(pair[1]);
	}
}
