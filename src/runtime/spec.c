/* The field tables of runtime.h: how specs, calls and events travel between node and shim, also across versions. */
#include "runtime/runtime.h"
#include "runtime/archive.h"
#include "runtime/shim_call.h"

static const struct field mount_fields[] = {
	FIELD(1, runtime_mount, kind, "Kind", 0),
	FIELD(2, runtime_mount, source, "Source", 0),
	FIELD(3, runtime_mount, target, "Target", 0),
	FIELD(4, runtime_mount, read_only, "ReadOnly", 0),
	FIELD(5, runtime_mount, no_copy, "NoCopy", 0),
	FIELD(9, runtime_mount, tmpfs_size, "Size", 0),
	FIELD(10, runtime_mount, tmpfs_mode, "Mode", 0),
	FIELD(12, runtime_mount, subpath, "Subpath", 0),
	FIELD(13, runtime_mount, top_read_only, "TopReadOnly", 0),
	FIELD(14, runtime_mount, options, "Options", 0),
	FIELD(15, runtime_mount, propagation, "Propagation", 0),
	FIELD(16, runtime_mount, not_recursive, "NotRecursive", 0),
	FIELD(17, runtime_mount, create_source, "CreateSource", 0),
	FIELD(18, runtime_mount, layers, "Layers", 0),
	FIELD_END
};

static const struct field device_fields[] = {
	FIELD(1, runtime_device, host_path, "HostPath", 0),
	FIELD(2, runtime_device, container_path, "ContainerPath", 0),
	FIELD(3, runtime_device, permissions, "Permissions", 0),
	FIELD_END
};

static const struct field ulimit_fields[] = {
	FIELD(1, runtime_ulimit, name, "Name", 0),
	FIELD(2, runtime_ulimit, soft, "Soft", 0),
	FIELD(3, runtime_ulimit, hard, "Hard", 0),
	FIELD_END
};

static const struct field io_fields[] = {
	FIELD(1, runtime_io, path, "Path", 0),
	FIELD(2, runtime_io, weight, "Weight", 0),
	FIELD(3, runtime_io, read_bps, "ReadBps", 0),
	FIELD(4, runtime_io, write_bps, "WriteBps", 0),
	FIELD(5, runtime_io, read_iops, "ReadIOps", 0),
	FIELD(6, runtime_io, write_iops, "WriteIOps", 0),
	FIELD_END
};

#define SPEC(tag, member) FIELD(tag, runtime_spec, member, #member, 0)

const struct field runtime_spec_fields[] = {
	SPEC(1, id), SPEC(2, gen), SPEC(3, layers), SPEC(4, uid_first), SPEC(5, args), SPEC(6, env), SPEC(7, cwd), SPEC(8, user),
	SPEC(9, groups), SPEC(10, hostname), SPEC(11, domainname), SPEC(12, tty), SPEC(13, stdin_open), SPEC(14, stdin_once),
	SPEC(15, rows), SPEC(16, cols),
	FIELD_LIST(17, runtime_spec, mounts, "mounts", 0, mount_fields, struct runtime_mount),
	SPEC(18, shm_size), SPEC(19, read_only), SPEC(20, caps), SPEC(21, seccomp), SPEC(22, no_new_privs), SPEC(23, privileged),
	SPEC(25, masked_paths), SPEC(26, readonly_paths), SPEC(27, sysctls),
	FIELD_LIST(28, runtime_spec, ulimits, "ulimits", 0, ulimit_fields, struct runtime_ulimit),
	SPEC(29, oom_score_adj), SPEC(30, memory), SPEC(31, swap), SPEC(32, memory_reservation), SPEC(33, swappiness),
	SPEC(34, oom_kill_disable), SPEC(35, cpu_quota_us), SPEC(36, cpu_period_us), SPEC(37, cpu_shares), SPEC(38, pids),
	SPEC(39, io_weight), SPEC(40, cpuset_cpus), SPEC(41, cpuset_mems),
	FIELD_LIST(42, runtime_spec, devices, "devices", 0, device_fields, struct runtime_device),
	SPEC(43, device_rules), SPEC(44, etc_hosts), SPEC(45, etc_resolv), SPEC(46, etc_hostname), SPEC(47, net), SPEC(48, net_pid),
	SPEC(49, pid_host), SPEC(50, ipc_host), SPEC(51, uts_host), SPEC(52, cgroup_host), SPEC(54, pid_pid),
	SPEC(55, ipc_pid), SPEC(56, userns_pid), SPEC(57, init), SPEC(58, log_driver), SPEC(59, log_max_size), SPEC(60, log_max_file),
	SPEC(61, cpu_view), SPEC(62, cpu_rt_runtime_us), SPEC(63, cpu_rt_period_us),
	FIELD_LIST(64, runtime_spec, io, "io", 0, io_fields, struct runtime_io), SPEC(65, no_shm), SPEC(66, health_args),
	FIELD_OBJ(67, runtime_spec, health, "health", 0, healthcheck_fields),
	FIELD_OBJ(68, runtime_spec, profile, "profile", 0, seccomp_profile_fields), SPEC(69, disk),
	FIELD_END
};

const struct field attach_opts_fields[] = {
	FIELD(1, attach_opts, stdin_, "stdin", 0),
	FIELD(2, attach_opts, stdout_, "stdout", 0),
	FIELD(3, attach_opts, stderr_, "stderr", 0),
	FIELD(4, attach_opts, detach_keys, "detach_keys", 0),
	FIELD_END
};

const struct field runtime_event_fields[] = {
	FIELD(1, runtime_event, kind, "kind", 0),
	FIELD(2, runtime_event, id, "id", 0),
	FIELD(3, runtime_event, exec, "exec", 0),
	FIELD(4, runtime_event, gen, "gen", 0),
	FIELD(5, runtime_event, pid, "pid", 0),
	FIELD(6, runtime_event, exit_code, "exit_code", 0),
	FIELD(7, runtime_event, oom_killed, "oom_killed", 0),
	FIELD(8, runtime_event, time, "time", 0),
	FIELD(9, runtime_event, error_code, "error_code", 0),
	FIELD(10, runtime_event, error, "error", 0),
	FIELD_OBJ(11, runtime_event, health, "health", 0, health_fields),
	FIELD(12, runtime_event, news, "news", 0),
	FIELD_OBJ(13, runtime_event, used, "used", 0, run_figures_fields),
	FIELD_END
};

const struct field exec_spec_fields[] = {
	FIELD(1, exec_spec, id, "id", 0),
	FIELD(2, exec_spec, args, "args", 0),
	FIELD(3, exec_spec, env, "env", 0),
	FIELD(4, exec_spec, user, "user", 0),
	FIELD(5, exec_spec, cwd, "cwd", 0),
	FIELD(6, exec_spec, detach_keys, "detach_keys", 0),
	FIELD(7, exec_spec, groups, "groups", 0),
	FIELD(8, exec_spec, tty, "tty", 0),
	FIELD(9, exec_spec, stdin_, "stdin", 0),
	FIELD(10, exec_spec, stdout_, "stdout", 0),
	FIELD(11, exec_spec, stderr_, "stderr", 0),
	FIELD(12, exec_spec, privileged, "privileged", 0),
	FIELD(13, exec_spec, caps, "caps", 0),
	FIELD(14, exec_spec, seccomp, "seccomp", 0),
	FIELD(15, exec_spec, no_new_privs, "no_new_privs", 0),
	FIELD(16, exec_spec, rows, "rows", 0),
	FIELD(17, exec_spec, cols, "cols", 0),
	FIELD(18, exec_spec, cpu_view, "cpu_view", 0),
	FIELD_OBJ(19, exec_spec, profile, "profile", 0, seccomp_profile_fields),
	FIELD_LIST(20, exec_spec, ulimits, "ulimits", 0, ulimit_fields, struct runtime_ulimit),
	FIELD_END
};

const struct field shim_call_fields[] = {
	FIELD(1, shim_call, op, "op", 0),
	FIELD(2, shim_call, signal, "signal", 0),
	FIELD(3, shim_call, exec_id, "exec_id", 0),
	FIELD(4, shim_call, rows, "rows", 0),
	FIELD(5, shim_call, cols, "cols", 0),
	FIELD_OBJ(6, shim_call, attach, "attach", 0, attach_opts_fields),
	FIELD_OBJ(7, shim_call, exec, "exec", 0, exec_spec_fields),
	FIELD_END
};

const struct field shim_reply_fields[] = {
	FIELD(1, shim_reply, error, "error", 0),
	FIELD(2, shim_reply, message, "message", 0),
	FIELD(3, shim_reply, pid, "pid", 0),
	FIELD(4, shim_reply, exit_code, "exit_code", 0),
	FIELD_OBJ(5, shim_reply, health, "health", 0, health_fields),
	FIELD_END
};

const struct field archive_info_fields[] = {
	FIELD(1, archive_info, name, "name", 0),
	FIELD(2, archive_info, link_target, "link_target", 0),
	FIELD(3, archive_info, size, "size", 0),
	FIELD(4, archive_info, mode, "mode", 0),
	FIELD(5, archive_info, mtime, "mtime", 0),
	FIELD_END
};
