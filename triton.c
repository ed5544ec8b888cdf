/* The program's entry: the applet is chosen by the name it was started under (`triton-api`) or by the first argument. */
#include "ipc/spawn.h"
#include "os/proc.h"
#include "role/api.h"
#include "role/dns.h"
#include "role/node.h"
#include "role/join.h"
#include "role/options.h"
#include "role/peer.h"
#include "role/pull.h"
#include "role/scheduler.h"
#include "role/serve.h"
#include "role/state.h"
#include "tool/applet.h"
#include "tool/commands.h"

#include <string.h>

static int help(int argc, char **argv);

/* `state` and `node` are two things: the role, started by serve under the name triton-state, and the user's `triton state dump`. */
static int state(int argc, char **argv)
{
	return spawn_fd("serve", 0) >= 0 ? role_state(argc, argv) : tool_state(argc, argv);
}

static int node(int argc, char **argv)
{
	return spawn_fd("serve", 0) >= 0 ? role_node(argc, argv) : tool_node(argc, argv);
}

static const struct applet applets[] = {
	{ "serve",   role_serve,   "run this machine as a node; the first start makes a data center", serve_usage, NULL, false },
	{ "setup",   tool_setup,   "make a Docker client certificate from your SSH key", setup_usage, setup_options, false },
	{ "env",     tool_env,     "print the environment for the docker command", env_usage, env_options, false },
	{ "status",  tool_status,  "nodes, state and processes of this instance", status_usage, status_options, false },
	{ "account", tool_account, "add, list, disable and remove accounts", account_usage, account_options, false },
	{ "key",     tool_key,     "the SSH public keys of accounts", key_usage, key_options, false },
	{ "token",   tool_token,   "a token with which another machine can join", token_usage, token_options, false },
	{ "node",    node,         "the machines of the data center: list, drain, label, remove", node_usage, node_options, false },
	{ "usage",   tool_usage,   "what accounts used, to look at or to bill from", usage_usage, usage_options, false },
	{ "backup",  tool_backup,  "the state of the data center as a file", backup_usage, backup_options, false },
	{ "restore", tool_restore, "a new data directory from such a file", restore_usage, restore_options, false },
	{ "state",   state,        "print the replicated state", state_usage, state_options, false },
	{ "pull",    role_pull,    "fetch an image (started by the node)", NULL, NULL, true },
	{ "version", tool_version, "version and licences", version_usage, version_options, false },
	{ "help",    help,         "this list, or all about one command", "usage: triton help [COMMAND]\n", NULL, false },
	{ "api",     role_api,     "a role: TLS, HTTP, the APIs", NULL, NULL, true },
	{ "peer",    role_peer,    "a role: links to the other nodes", NULL, NULL, true },
	{ "join",    role_join,    "asks to join a data center (started by serve)", NULL, NULL, true },
	{ "scheduler", role_scheduler, "a role: lost and drained nodes", NULL, NULL, true },
	{ "dns",     role_dns,     "a role: names of containers", NULL, NULL, true },
	{ 0 }
};

static int help(int argc, char **argv)
{
	return help_main(applets, argc, argv);
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "triton";
	const struct applet *a = NULL;

	proc_keep_argv(argc, argv);
	spawn_begin(argc > 0 ? argv[0] : "triton");
	if (strncmp(name, "triton-", 7) == 0)
		a = applet_find(applets, name + 7);
	if (a)
		return a->run(argc, argv);
	if (argc < 2) {
		help_list(applets, stderr);
		return 2;
	}
	if (is_help(argv[1]))
		return help(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = "version";
	a = applet_find(applets, argv[1]);
	if (!a) {
		fprintf(stderr, "triton: there is no command %s; `triton help` lists all\n", argv[1]);
		return 2;
	}
	if (argc == 3 && is_help(argv[2])) {
		argv[2] = argv[1];
		argv[1] = "help";
		return help(argc - 1, argv + 1);
	}
	return a->run(argc - 1, argv + 1);
}
