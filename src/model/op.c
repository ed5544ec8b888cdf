#include "model/op.h"

const struct field command_call_fields[] = {
	FIELD(1, command_call, cmd,        "cmd",        0),
	FIELD(2, command_call, account,    "account",    0),
	FIELD(3, command_call, operator_,  "operator",   0),
	FIELD(4, command_call, request_id, "request_id", 0),
	FIELD(5, command_call, payload,    "payload",    0),
	FIELD(6, command_call, silent,     "silent",     0),
	FIELD(7, command_call, silent_ms,  "silent_ms",  0),
	FIELD_END
};

const struct field command_done_fields[] = {
	FIELD(1, command_done, revision, "revision", 0),
	FIELD(2, command_done, payload,  "payload",  0),
	FIELD_END
};

const struct field revision_fields[] = {
	FIELD(1, revision, n,       "n",       0),
	FIELD(2, revision, alone,   "alone",   0),
	FIELD(3, revision, current, "current", 0),
	FIELD_END
};

const struct field state_status_fields[] = {
	FIELD(1, state_status, revision,       "revision",       0),
	FIELD(2, state_status, term,           "term",           0),
	FIELD(3, state_status, last_index,     "last_index",     0),
	FIELD(4, state_status, snapshot_index, "snapshot_index", 0),
	FIELD(5, state_status, log_bytes,      "log_bytes",      0),
	FIELD(6, state_status, leader,         "leader",         0),
	FIELD(7, state_status, node,           "node",           0),
	FIELD(8,  state_status, server,        "server",        0),
	FIELD(9,  state_status, leader_server, "leader_server", 0),
	FIELD(10, state_status, members,       "members",       0),
	FIELD(11, state_status, voters,        "voters",        0),
	FIELD_END
};

static const struct field peer_heard_fields[] = {
	FIELD(1, peer_heard, server,    "server",    0),
	FIELD(2, peer_heard, silent_ms, "silent_ms", 0),
	FIELD_END
};

const struct field peers_fields[] = {
	FIELD(1, peers, leader, "leader", 0),
	FIELD_LIST(2, peers, peers, "peers", 0, peer_heard_fields, struct peer_heard),
	FIELD(3, peers, leading_ms, "leading_ms", 0),
	FIELD_END
};

const struct field channel_fields[] = { FIELD(1, channel, role, "role", 0), FIELD_END };

const struct field stream_call_fields[] = {
	FIELD(1, stream_call, id,          "id",          0),
	FIELD(2, stream_call, account,     "account",     0),
	FIELD(3, stream_call, stdin_,      "stdin",       0),
	FIELD(4, stream_call, stdout_,     "stdout",      0),
	FIELD(5, stream_call, stderr_,     "stderr",      0),
	FIELD(6, stream_call, stream,      "stream",      0),
	FIELD(7, stream_call, logs,        "logs",        0),
	FIELD(8, stream_call, detach_keys, "detach_keys", 0),
	FIELD_END
};

const struct field exec_call_fields[] = {
	FIELD(1, exec_call, id,        "id",        0),
	FIELD(2, exec_call, account,   "account",   0),
	FIELD(3, exec_call, container, "container", 0),
	FIELD_OBJ(4, exec_call, config, "config",   0, exec_config_fields),
	FIELD(5, exec_call, rows,      "rows",      0),
	FIELD(6, exec_call, cols,      "cols",      0),
	FIELD_END
};

const struct field resize_call_fields[] = {
	FIELD(1, resize_call, id,      "id",      0),
	FIELD(2, resize_call, account, "account", 0),
	FIELD(3, resize_call, exec,    "exec",    0),
	FIELD(4, resize_call, rows,    "rows",    0),
	FIELD(5, resize_call, cols,    "cols",    0),
	FIELD_END
};

const struct field logs_call_fields[] = {
	FIELD(1,  logs_call, id,         "id",         0),
	FIELD(2,  logs_call, account,    "account",    0),
	FIELD(3,  logs_call, follow,     "follow",     0),
	FIELD(4,  logs_call, stdout_,    "stdout",     0),
	FIELD(5,  logs_call, stderr_,    "stderr",     0),
	FIELD(6,  logs_call, timestamps, "timestamps", 0),
	FIELD(7,  logs_call, details,    "details",    0),
	FIELD(8,  logs_call, tty,        "tty",        0),
	FIELD(9,  logs_call, since_ns,   "since_ns",   0),
	FIELD(10, logs_call, until_ns,   "until_ns",   0),
	FIELD(11, logs_call, tail,       "tail",       0),
	FIELD(12, logs_call, labels,     "labels",     0),
	FIELD_END
};

const struct field top_call_fields[] = {
	FIELD(1, top_call, id,      "id",      0),
	FIELD(2, top_call, account, "account", 0),
	FIELD(3, top_call, ps_args, "ps_args", 0),
	FIELD_END
};

const struct field text_reply_fields[] = { FIELD(1, text_reply, text, "text", 0), FIELD_END };

const struct field archive_call_fields[] = {
	FIELD(1, archive_call, id,                       "id",           0),
	FIELD(2, archive_call, account,                  "account",      0),
	FIELD(3, archive_call, path,                     "path",         0),
	FIELD(4, archive_call, no_overwrite_dir_non_dir, "no_overwrite", 0),
	FIELD(5, archive_call, copy_uid_gid,             "copy_uid_gid", 0),
	FIELD_END
};

const struct field archive_stat_fields[] = {
	FIELD(1, archive_stat, name,        "name",       0),
	FIELD(2, archive_stat, size,        "size",       0),
	FIELD(3, archive_stat, mode,        "mode",       0),
	FIELD(4, archive_stat, mtime,       "mtime",      0),
	FIELD(5, archive_stat, link_target, "linkTarget", 0),
	FIELD_END
};

const struct field pull_call_fields[] = {
	FIELD(1,  pull_call, account,        "account",        0),
	FIELD(2,  pull_call, ref,            "ref",            0),
	FIELD(3,  pull_call, platform,       "platform",       0),
	FIELD(4,  pull_call, username,       "username",       0),
	FIELD(5,  pull_call, password,       "password",       FIELD_SECRET),
	FIELD(6,  pull_call, identity_token, "identity_token", FIELD_SECRET),
	FIELD(7,  pull_call, registry_token, "registry_token", FIELD_SECRET),
	FIELD(8,  pull_call, message,        "message",        0),
	FIELD(9,  pull_call, changes,        "changes",        0),
	FIELD(10, pull_call, quiet,          "quiet",          0),
	FIELD(11, pull_call, container,      "container",      0),
	FIELD(12, pull_call, created_by,     "created_by",     0),
	FIELD_OBJ(13, pull_call, base,       "base",           0, image_fields),
	FIELD(14, pull_call, limit,          "limit",          0),
	FIELD(15, pull_call, is_whole,       "is_whole",       0),
	FIELD_END
};

const struct field build_file_fields[] = {
	FIELD(1, build_file, account, "account", 0),
	FIELD(2, build_file, id,      "id",      0),
	FIELD(3, build_file, path,    "path",    0),
	FIELD(4, build_file, remove,  "remove",  0),
	FIELD_END
};

const struct field build_copy_fields[] = {
	FIELD(1,  build_copy, account,    "account",    0),
	FIELD(2,  build_copy, id,         "id",         0),
	FIELD(3,  build_copy, from_image, "from_image", 0),
	FIELD(4,  build_copy, from,       "from",       0),
	FIELD(5,  build_copy, sources,    "sources",    0),
	FIELD(6,  build_copy, dest,       "dest",       0),
	FIELD(7,  build_copy, texts,      "texts",      0),
	FIELD(8,  build_copy, chown,      "chown",      0),
	FIELD(9,  build_copy, chmod,      "chmod",      0),
	FIELD(10, build_copy, keep_owner, "keep_owner", 0),
	FIELD(11, build_copy, unpack,     "unpack",     0),
	FIELD_OBJ(12, build_copy, commit, "commit",     0, pull_call_fields),
	FIELD_END
};

const struct field save_call_fields[] = {
	FIELD(1, save_call, account, "account", 0),
	FIELD(2, save_call, refs,    "refs",    0),
	FIELD_END
};

static const struct field disk_stats_fields[] = {
	FIELD(1, disk_stats, major,     "major",     0),
	FIELD(2, disk_stats, minor,     "minor",     0),
	FIELD(3, disk_stats, read,      "read",      0),
	FIELD(4, disk_stats, write,     "write",     0),
	FIELD(5, disk_stats, read_ops,  "read_ops",  0),
	FIELD(6, disk_stats, write_ops, "write_ops", 0),
	FIELD_END
};

static const struct field stat_part_fields[] = {
	FIELD(1, stat_part, name,  "name",  0),
	FIELD(2, stat_part, value, "value", 0),
	FIELD_END
};

const struct field stats_reply_fields[] = {
	FIELD(1,  stats_reply, running,           "running",           0),
	FIELD(2,  stats_reply, cpu_total,         "cpu_total",         0),
	FIELD(3,  stats_reply, cpu_user,          "cpu_user",          0),
	FIELD(4,  stats_reply, cpu_kernel,        "cpu_kernel",        0),
	FIELD(5,  stats_reply, system_cpu,        "system_cpu",        0),
	FIELD(6,  stats_reply, online_cpus,       "online_cpus",       0),
	FIELD(7,  stats_reply, throttled_periods, "throttled_periods", 0),
	FIELD(8,  stats_reply, periods,           "periods",           0),
	FIELD(9,  stats_reply, throttled_time,    "throttled_time",    0),
	FIELD(10, stats_reply, memory,            "memory",            0),
	FIELD(11, stats_reply, memory_max,        "memory_max",        0),
	FIELD(12, stats_reply, memory_limit,      "memory_limit",      0),
	FIELD(13, stats_reply, inactive_file,     "inactive_file",     0),
	FIELD(14, stats_reply, pids,              "pids",              0),
	FIELD(15, stats_reply, pids_limit,        "pids_limit",        0),
	FIELD(16, stats_reply, failcnt,           "failcnt",           0),
	FIELD_LIST(21, stats_reply, nets,         "nets",              0, net_stats_fields, struct net_stats),
	FIELD_LIST(22, stats_reply, disks,        "disks",             0, disk_stats_fields, struct disk_stats),
	FIELD_LIST(23, stats_reply, memory_parts, "memory_parts",      0, stat_part_fields, struct stat_part),
	FIELD_END
};

const struct field node_info_fields[] = {
	FIELD(1, node_info, kernel,         "kernel",         0),
	FIELD(2, node_info, os,             "os",             0),
	FIELD(3, node_info, arch,           "arch",           0),
	FIELD(4, node_info, cgroup_version, "cgroup_version", 0),
	FIELD(5, node_info, cpus,           "cpus",           0),
	FIELD(6, node_info, memory,         "memory",         0),
	FIELD(7, node_info, memory_free,    "memory_free",    0),
	FIELD(8, node_info, disk,           "disk",           0),
	FIELD(9, node_info, disk_free,      "disk_free",      0),
	FIELD(10, node_info, quotas,        "quotas",         0),
	FIELD_END
};

const struct field dns_socket_fields[] = {
	FIELD(1, dns_socket, network, "network", 0),
	FIELD(2, dns_socket, account, "account", 0),
	FIELD_END
};

const struct field joined_key_fields[] = { FIELD(1, joined_key, key, "key", 0), FIELD_END };
const struct field ca_seal_fields[] = { FIELD(1, ca_seal, point, "point", 0), FIELD_END };
const struct field link_fields[] = {
	FIELD(1, link, server,  "server",  0),
	FIELD(2, link, node,    "node",    0),
	FIELD(3, link, address, "address", 0),
	FIELD_END
};
const struct field remote_call_fields[] = {
	FIELD(1, remote_call, node,       "node",       0),
	FIELD(2, remote_call, op,         "op",         0),
	FIELD(3, remote_call, body,       "body",       0),
	FIELD(4, remote_call, timeout_ms, "timeout_ms", 0),
	FIELD_END
};

const struct field volume_call_fields[] = {
	FIELD(1, volume_call, account, "account", 0),
	FIELD(2, volume_call, name,    "name",    0),
	FIELD_END
};

const struct field image_call_fields[] = {
	FIELD(1, image_call, account, "account", 0),
	FIELD(2, image_call, image,   "image",   0),
	FIELD_END
};
