#include "store/commands.h"

#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

#define CMD(number, type, function) { number, type##_fields, sizeof(struct type), function, false }
#define NODE_CMD(number, type, function) { number, type##_fields, sizeof(struct type), function, true }

static const struct command_def commands[] = {
	CMD(CMD_ACCOUNT_PUT,       account_put,      cmd_account_put),
	CMD(CMD_ACCOUNT_RM,        by_name,          cmd_account_rm),
	CMD(CMD_ACCOUNT_DISABLE,   by_name,          cmd_account_disable),
	CMD(CMD_ACCOUNT_ENABLE,    by_name,          cmd_account_enable),
	CMD(CMD_KEY_ADD,           account_key,      cmd_key_add),
	CMD(CMD_KEY_RM,            account_key,      cmd_key_rm),
	CMD(CMD_CONTAINER_CREATE,  container_create, cmd_container_create),
	CMD(CMD_CONTAINER_START,   by_id,            cmd_container_start),
	CMD(CMD_CONTAINER_STOP,    container_stop,   cmd_container_stop),
	CMD(CMD_CONTAINER_RESTART, container_stop,   cmd_container_restart),
	CMD(CMD_CONTAINER_KILL,    container_kill,   cmd_container_kill),
	CMD(CMD_CONTAINER_REMOVE,  container_remove, cmd_container_remove),
	CMD(CMD_CONTAINER_RENAME,  container_rename, cmd_container_rename),
	CMD(CMD_CONTAINER_PAUSE,   by_id,            cmd_container_pause),
	CMD(CMD_CONTAINER_UNPAUSE, by_id,            cmd_container_unpause),
	CMD(CMD_CONTAINER_UPDATE,  container_update, cmd_container_update),
	CMD(CMD_CONTAINER_EVENT,   container_event,  cmd_container_event),
	NODE_CMD(CMD_CONTAINER_PROBE, container_probe, cmd_container_probe),
	CMD(CMD_EXEC_CREATE,       exec,             cmd_exec_create),
	NODE_CMD(CMD_EXEC_REPORT,  exec,             cmd_exec_report),
	NODE_CMD(CMD_NODE_REPORT,  node_report,      cmd_node_report),
	NODE_CMD(CMD_NODE_REGISTER, node,            cmd_node_register),
	NODE_CMD(CMD_NODE_JOIN,    node_join,        cmd_node_join),
	CMD(CMD_TOKEN_CREATE,      join_token,       cmd_token_create),
	CMD(CMD_NODE_UPDATE,       node_update,      cmd_node_update),
	CMD(CMD_NODE_REMOVE,       node_update,      cmd_node_remove),
	NODE_CMD(CMD_NODE_STATE,   node_update,      cmd_node_state),
	NODE_CMD(CMD_NODE_FORGET,  by_id,            cmd_node_forget),
	NODE_CMD(CMD_CONTAINER_MOVE, container_move, cmd_container_move),
	CMD(CMD_IMAGE_PUT,         image_put,        cmd_image_put),
	CMD(CMD_IMAGE_TAG,         image_tag,        cmd_image_tag),
	CMD(CMD_IMAGE_REMOVE,      image_remove,     cmd_image_remove),
	CMD(CMD_IMAGE_PRUNE,       image_prune,      cmd_image_prune),
	CMD(CMD_IMAGE_PARENT,      image_step,       cmd_image_parent),
	CMD(CMD_VOLUME_CREATE,     volume,           cmd_volume_create),
	CMD(CMD_VOLUME_REMOVE,     by_name,          cmd_volume_remove),
	CMD(CMD_NETWORK_CREATE,    network,          cmd_network_create),
	CMD(CMD_NETWORK_REMOVE,    by_id,            cmd_network_remove),
	CMD(CMD_NETWORK_CONNECT,   network_join,     cmd_network_connect),
	CMD(CMD_NETWORK_DISCONNECT, network_leave,   cmd_network_disconnect),
	NODE_CMD(CMD_NETWORK_SELF, by_id,            cmd_network_self),
	NODE_CMD(CMD_USAGE_PUT,    usage_put,        cmd_usage_put),
	NODE_CMD(CMD_CLUSTER_INIT, cluster_init,     cmd_cluster_init),
	{ 0 }
};

const struct command_def *command_find(int cmd)
{
	for (const struct command_def *d = commands; d->cmd; d++)
		if (d->cmd == cmd)
			return d;
	return NULL;
}

int command_run(struct command_env *c, int cmd, struct str payload, struct str *result, struct err *e)
{
	const struct command_def *d = command_find(cmd);
	struct txn_mark mark = txn_mark(c->t);
	int64_t events = *c->event_n;
	void *in;

	*result = STR_NONE;
	if (!d)
		return err_set(e, EINVAL, "unknown command %d", cmd);
	if (d->from_node && !c->from_node)
		return err_set(e, EPERM, "%s is not for clients", command_name(cmd));
	in = arena_alloc(c->a, d->in_size);
	if (rec_decode(c->a, payload, d->in, in, e))
		return err_wrap(e, "%s", command_name(cmd));
	if (d->fn(c, in, result, e) == 0 && !c->t->broken && buf_ok(&c->t->set))
		return 0;
	if (buf_ok(&c->t->set) && c->t->broken)
		return err_set(e, EIO, "the state could not be written");
	if (!buf_ok(&c->t->set))
		err_set(e, E2BIG, "%s changes too much at once", command_name(cmd));
	*c->event_n = events;
	*result = STR_NONE;
	if (txn_undo(c->t, mark, NULL))
		return err_set(e, EIO, "the state could not be written");
	return -1;
}
