/* The user's commands: each file here is one of them. They take the argv of the applet and return the exit status: 0 done,
 * 1 it failed (one sentence on stderr), 2 wrong usage. */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#include "tool/options.h"

int tool_account(int argc, char **argv);
int tool_backup(int argc, char **argv);
int tool_restore(int argc, char **argv);
int tool_env(int argc, char **argv);
int tool_key(int argc, char **argv);
int tool_node(int argc, char **argv);                 /* `node` and `state` are names of roles as well; see triton.c */
int tool_setup(int argc, char **argv);
int tool_state(int argc, char **argv);
int tool_status(int argc, char **argv);
int tool_token(int argc, char **argv);
int tool_usage(int argc, char **argv);
int tool_version(int argc, char **argv);

extern const char account_usage[], backup_usage[], restore_usage[], env_usage[], key_usage[], node_usage[], setup_usage[], state_usage[], status_usage[], token_usage[], usage_usage[], version_usage[];
extern const struct option account_options[], backup_options[], restore_options[], env_options[], key_options[], node_options[], setup_options[], state_options[], status_options[], token_options[], usage_options[], version_options[];

#endif
