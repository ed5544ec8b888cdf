#include "model/command.h"

const char *command_name(int cmd)
{
	static const char *const names[CMD_MAX] = {
		[CMD_ACCOUNT_PUT] = "account.put", [CMD_ACCOUNT_RM] = "account.rm", [CMD_ACCOUNT_DISABLE] = "account.disable",
		[CMD_ACCOUNT_ENABLE] = "account.enable", [CMD_KEY_ADD] = "key.add", [CMD_KEY_RM] = "key.rm",
		[CMD_CONTAINER_CREATE] = "container.create", [CMD_CONTAINER_START] = "container.start",
		[CMD_CONTAINER_STOP] = "container.stop", [CMD_CONTAINER_RESTART] = "container.restart",
		[CMD_CONTAINER_KILL] = "container.kill", [CMD_CONTAINER_REMOVE] = "container.remove",
		[CMD_CONTAINER_RENAME] = "container.rename", [CMD_CONTAINER_PAUSE] = "container.pause",
		[CMD_CONTAINER_UNPAUSE] = "container.unpause", [CMD_CONTAINER_UPDATE] = "container.update",
		[CMD_CONTAINER_MOVE] = "container.move", [CMD_CONTAINER_EVENT] = "container.event",
		[CMD_CONTAINER_PROBE] = "container.probe",
		[CMD_EXEC_CREATE] = "exec.create", [CMD_EXEC_REPORT] = "exec.report",
		[CMD_NODE_REPORT] = "node.report", [CMD_NODE_REGISTER] = "node.register",
		[CMD_NODE_JOIN] = "node.join", [CMD_TOKEN_CREATE] = "token.create", [CMD_NODE_UPDATE] = "node.update",
		[CMD_NODE_REMOVE] = "node.remove", [CMD_NODE_STATE] = "node.state", [CMD_NODE_FORGET] = "node.forget",
		[CMD_IMAGE_PUT] = "image.put", [CMD_IMAGE_TAG] = "image.tag", [CMD_IMAGE_REMOVE] = "image.remove",
		[CMD_IMAGE_PRUNE] = "image.prune", [CMD_IMAGE_PARENT] = "image.parent", [CMD_VOLUME_CREATE] = "volume.create",
		[CMD_VOLUME_REMOVE] = "volume.remove", [CMD_NETWORK_CREATE] = "network.create",
		[CMD_NETWORK_REMOVE] = "network.remove", [CMD_NETWORK_CONNECT] = "network.connect",
		[CMD_NETWORK_DISCONNECT] = "network.disconnect", [CMD_CLUSTER_INIT] = "cluster.init",
		[CMD_NETWORK_SELF] = "network.self", [CMD_USAGE_PUT] = "usage.put",
	};

	return cmd > 0 && cmd < CMD_MAX && names[cmd] ? names[cmd] : "";
}

const struct field by_name_fields[] = { FIELD(1, by_name, name, "name", 0), FIELD_END };
const struct field by_id_fields[] = { FIELD(1, by_id, id, "id", 0), FIELD_END };

const struct field account_put_fields[] = {
	FIELD_OBJ(1, account_put, account, "account", 0, account_fields),
	FIELD_END
};

const struct field container_create_fields[] = {
	FIELD_OBJ(1, container_create, c, "c", 0, container_fields),
	FIELD(2, container_create, name, "name", 0),
	FIELD_END
};

const struct field container_stop_fields[] = {
	FIELD(1, container_stop, id,          "id",          0),
	FIELD(2, container_stop, timeout_s,   "timeout_s",   0),
	FIELD(3, container_stop, has_timeout, "has_timeout", 0),
	FIELD(4, container_stop, signal,      "signal",      0),
	FIELD_END
};

const struct field container_kill_fields[] = {
	FIELD(1, container_kill, id,     "id",     0),
	FIELD(2, container_kill, signal, "signal", 0),
	FIELD_END
};

const struct field container_remove_fields[] = {
	FIELD(1, container_remove, id,      "id",      0),
	FIELD(2, container_remove, force,   "force",   0),
	FIELD(3, container_remove, volumes, "volumes", 0),
	FIELD_END
};

const struct field container_rename_fields[] = {
	FIELD(1, container_rename, id,   "id",   0),
	FIELD(2, container_rename, name, "name", 0),
	FIELD_END
};

const struct field container_update_fields[] = {
	FIELD(1, container_update, id, "id", 0),
	FIELD_OBJ(2, container_update, host, "host", 0, host_config_fields),
	FIELD_END
};

const struct field network_join_fields[] = {
	FIELD(1, network_join, id,      "id",      0),
	FIELD(2, network_join, network, "network", 0),
	FIELD_OBJ(3, network_join, ep,  "ep",      0, endpoint_settings_fields),
	FIELD_END
};

const struct field container_event_fields[] = {
	FIELD(1, container_event, id,         "id",         0),
	FIELD(2, container_event, action,     "action",     0),
	FIELD(3, container_event, attributes, "attributes", 0),
	FIELD_END
};

const struct field container_probe_fields[] = {
	FIELD(1, container_probe, id,        "id",        0),
	FIELD(2, container_probe, account,   "account",   0),
	FIELD(3, container_probe, exit_code, "exit_code", 0),
	FIELD_END
};

const struct field network_leave_fields[] = {
	FIELD(1, network_leave, id,      "id",      0),
	FIELD(2, network_leave, network, "network", 0),
	FIELD_END
};

const struct field node_report_fields[] = {
	FIELD(1,  node_report, id,           "id",           0),
	FIELD(2,  node_report, account,      "account",      0),
	FIELD(3,  node_report, running,      "running",      0),
	FIELD(4,  node_report, start_failed, "start_failed", 0),
	FIELD(5,  node_report, exited,       "exited",       0),
	FIELD(6,  node_report, killed,       "killed",       0),
	FIELD(7,  node_report, paused,       "paused",       0),
	FIELD(8,  node_report, unpaused,     "unpaused",     0),
	FIELD(9,  node_report, removed,      "removed",      0),
	FIELD(10, node_report, gen,          "gen",          0),
	FIELD(11, node_report, kill_gen,     "kill_gen",     0),
	FIELD(12, node_report, pid,          "pid",          0),
	FIELD(13, node_report, exit_code,    "exit_code",    0),
	FIELD(14, node_report, error_code,   "error_code",   0),
	FIELD(15, node_report, oom_killed,   "oom_killed",   0),
	FIELD(16, node_report, error,        "error",        0),
	FIELD(17, node_report, started,      "started",      0),
	FIELD(18, node_report, finished,     "finished",     0),
	FIELD_OBJ(19, node_report, health,   "health",       0, health_fields),
	FIELD(30, node_report, networked,    "networked",    0),
	FIELD(31, node_report, net_gen,      "net_gen",      0),
	FIELD(32, node_report, failed_endpoint, "failed_endpoint", 0),
	FIELD_END
};

const struct field image_put_fields[] = {
	FIELD_OBJ(1, image_put, image, "image", 0, image_fields),
	FIELD(2, image_put, refs,   "refs",   0),
	FIELD(3, image_put, action, "action", 0),
	FIELD(4, image_put, container, "container", 0),
	FIELD_END
};

const struct field image_remove_fields[] = {
	FIELD(1, image_remove, given,    "given",    0),
	FIELD(2, image_remove, image_id, "image_id", 0),
	FIELD(3, image_remove, ref,      "ref",      0),
	FIELD(4, image_remove, force,    "force",    0),
	FIELD(5, image_remove, no_prune, "no_prune", 0),
	FIELD_END
};

const struct field image_prune_fields[] = {
	FIELD(1, image_prune, all,       "all",       0),
	FIELD(2, image_prune, image_ids, "image_ids", 0),
	FIELD_END
};

const struct field image_delete_item_fields[] = {
	FIELD(1, image_delete_item, untagged, "Untagged", FIELD_OMIT_EMPTY),
	FIELD(2, image_delete_item, deleted,  "Deleted",  FIELD_OMIT_EMPTY),
	FIELD_END
};

const struct field image_removed_fields[] = {
	FIELD_LIST(1, image_removed, items, "ImagesDeleted", FIELD_NULL_EMPTY, image_delete_item_fields, struct image_delete_item),
	FIELD(2, image_removed, reclaimed, "SpaceReclaimed", 0),
	FIELD_END
};

const struct field node_join_fields[] = {
	FIELD(1, node_join, token, "token", 0),
	FIELD_OBJ(2, node_join, node, "node", 0, node_fields),
	FIELD(3, node_join, named, "named", 0),
	FIELD_END
};

const struct field node_joined_fields[] = {
	FIELD_OBJ(1, node_joined, node,    "node",    0, node_fields),
	FIELD_OBJ(2, node_joined, cluster, "cluster", 0, cluster_fields),
	FIELD_END
};

const struct field container_move_fields[] = {
	FIELD(1, container_move, id,      "id",      0),
	FIELD(2, container_move, account, "account", 0),
	FIELD(3, container_move, node,    "node",    0),
	FIELD(4, container_move, lost,    "lost",    0),
	FIELD_END
};

const struct field node_update_fields[] = {
	FIELD(1, node_update, id,           "id",           0),
	FIELD(2, node_update, availability, "availability", 0),
	FIELD(3, node_update, state,        "state",        0),
	FIELD(4, node_update, labels,       "labels",       0),
	FIELD(5, node_update, labels_rm,    "labels_rm",    0),
	FIELD(6, node_update, force,        "force",        0),
	FIELD_END
};

const struct field cluster_init_fields[] = {
	FIELD_OBJ(1, cluster_init, cluster, "cluster", 0, cluster_fields),
	FIELD_OBJ(2, cluster_init, node,    "node",    0, node_fields),
	FIELD_END
};
