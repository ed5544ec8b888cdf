#include "model/container.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

const struct field healthcheck_fields[] = {
	FIELD(1, healthcheck, test,           "Test",          0),
	FIELD(2, healthcheck, interval,       "Interval",      FIELD_OMIT_EMPTY),
	FIELD(3, healthcheck, timeout,        "Timeout",       FIELD_OMIT_EMPTY),
	FIELD(4, healthcheck, start_period,   "StartPeriod",   FIELD_OMIT_EMPTY),
	FIELD(5, healthcheck, start_interval, "StartInterval", FIELD_OMIT_EMPTY),
	FIELD(6, healthcheck, retries,        "Retries",       FIELD_OMIT_EMPTY),
	FIELD_END
};

const struct field container_config_fields[] = {
	FIELD(1,  container_config, hostname,          "Hostname",        0),
	FIELD(2,  container_config, domainname,        "Domainname",      0),
	FIELD(3,  container_config, user,              "User",            0),
	FIELD(4,  container_config, attach_stdin,      "AttachStdin",     0),
	FIELD(5,  container_config, attach_stdout,     "AttachStdout",    0),
	FIELD(6,  container_config, attach_stderr,     "AttachStderr",    0),
	FIELD(7,  container_config, exposed_ports,     "ExposedPorts",    FIELD_SET | FIELD_OMIT_EMPTY),
	FIELD(8,  container_config, tty,               "Tty",             0),
	FIELD(9,  container_config, open_stdin,        "OpenStdin",       0),
	FIELD(10, container_config, stdin_once,        "StdinOnce",       0),
	FIELD(11, container_config, env,               "Env",             FIELD_NULL_EMPTY),
	FIELD(12, container_config, cmd,               "Cmd",             FIELD_STR_OR_LIST | FIELD_NULL_EMPTY),
	FIELD_OBJ(13, container_config, healthcheck,   "Healthcheck",     FIELD_OMIT_EMPTY, healthcheck_fields),
	FIELD(14, container_config, args_escaped,      "ArgsEscaped",     FIELD_OMIT_EMPTY),
	FIELD(15, container_config, image,             "Image",           0),
	FIELD(16, container_config, volumes,           "Volumes",         FIELD_SET | FIELD_NULL_EMPTY),
	FIELD(17, container_config, working_dir,       "WorkingDir",      0),
	FIELD(18, container_config, entrypoint,        "Entrypoint",      FIELD_STR_OR_LIST | FIELD_NULL_EMPTY),
	FIELD(19, container_config, network_disabled,  "NetworkDisabled", FIELD_OMIT_EMPTY),
	FIELD(20, container_config, mac_address,       "MacAddress",      FIELD_OMIT_EMPTY),
	FIELD(21, container_config, on_build,          "OnBuild",         FIELD_NULL_EMPTY),
	FIELD(22, container_config, labels,            "Labels",          0),
	FIELD(23, container_config, stop_signal,       "StopSignal",      FIELD_OMIT_EMPTY),
	FIELD(24, container_config, stop_timeout_json, "StopTimeout",     FIELD_OMIT_EMPTY),
	FIELD(25, container_config, shell,             "Shell",           FIELD_STR_OR_LIST | FIELD_OMIT_EMPTY),
	FIELD_KEEP_UNKNOWN(container_config, unknown),
	FIELD_END
};

static const struct field restart_policy_fields[] = {
	FIELD(1, restart_policy, name,        "Name",              0),
	FIELD(2, restart_policy, max_retries, "MaximumRetryCount", 0),
	FIELD_END
};

static const struct field log_config_fields[] = {
	FIELD(1, log_config, type,   "Type",   0),
	FIELD(2, log_config, config, "Config", 0),
	FIELD_END
};

static const struct field ulimit_fields[] = {
	FIELD(1, ulimit, name, "Name", 0),
	FIELD(2, ulimit, soft, "Soft", 0),
	FIELD(3, ulimit, hard, "Hard", 0),
	FIELD_END
};

static const struct field device_mapping_fields[] = {
	FIELD(1, device_mapping, path_on_host,       "PathOnHost",        0),
	FIELD(2, device_mapping, path_in_container,  "PathInContainer",   0),
	FIELD(3, device_mapping, cgroup_permissions, "CgroupPermissions", 0),
	FIELD_END
};

static const struct field mount_request_fields[] = {
	FIELD(1, mount_request, type,           "Type",          0),
	FIELD(2, mount_request, source,         "Source",        FIELD_OMIT_EMPTY),
	FIELD(3, mount_request, target,         "Target",        0),
	FIELD(4, mount_request, consistency,    "Consistency",   FIELD_OMIT_EMPTY),
	FIELD(5, mount_request, read_only,      "ReadOnly",      FIELD_OMIT_EMPTY),
	FIELD(6, mount_request, bind_options,   "BindOptions",   FIELD_OMIT_EMPTY),
	FIELD(7, mount_request, volume_options, "VolumeOptions", FIELD_OMIT_EMPTY),
	FIELD(8, mount_request, tmpfs_options,  "TmpfsOptions",  FIELD_OMIT_EMPTY),
	FIELD(9, mount_request, image_options,  "ImageOptions",  FIELD_OMIT_EMPTY),
	FIELD_END
};

static const struct field device_limit_fields[] = {
	FIELD(1, device_limit, path,   "Path",   0),
	FIELD(2, device_limit, rate,   "Rate",   FIELD_OMIT_EMPTY),
	FIELD(3, device_limit, weight, "Weight", FIELD_OMIT_EMPTY),
	FIELD_END
};

#define DEVICE_LIMITS(tag, member, json) FIELD_LIST(tag, host_config, member, json, 0, device_limit_fields, struct device_limit)

const struct field host_config_fields[] = {
	FIELD(1,  host_config, binds,              "Binds",             FIELD_NULL_EMPTY),
	FIELD(2,  host_config, container_id_file,  "ContainerIDFile",   0),
	FIELD_OBJ(3, host_config, log_config,      "LogConfig",         0, log_config_fields),
	FIELD(4,  host_config, network_mode,       "NetworkMode",       0),
	FIELD(5,  host_config, port_bindings,      "PortBindings",      0),
	FIELD_OBJ(6, host_config, restart_policy,  "RestartPolicy",     0, restart_policy_fields),
	FIELD(7,  host_config, auto_remove,        "AutoRemove",        0),
	FIELD(8,  host_config, volume_driver,      "VolumeDriver",      0),
	FIELD(9,  host_config, volumes_from,       "VolumesFrom",       FIELD_NULL_EMPTY),
	FIELD(10, host_config, console_size,       "ConsoleSize",       FIELD_OMIT_EMPTY),
	FIELD(11, host_config, annotations,        "Annotations",       FIELD_OMIT_EMPTY),
	FIELD(12, host_config, cap_add,            "CapAdd",            FIELD_NULL_EMPTY),
	FIELD(13, host_config, cap_drop,           "CapDrop",           FIELD_NULL_EMPTY),
	FIELD(14, host_config, cgroupns_mode,      "CgroupnsMode",      0),
	FIELD(15, host_config, dns,                "Dns",               0),
	FIELD(16, host_config, dns_options,        "DnsOptions",        0),
	FIELD(17, host_config, dns_search,         "DnsSearch",         0),
	FIELD(18, host_config, extra_hosts,        "ExtraHosts",        FIELD_NULL_EMPTY),
	FIELD(19, host_config, group_add,          "GroupAdd",          FIELD_NULL_EMPTY),
	FIELD(20, host_config, ipc_mode,           "IpcMode",           0),
	FIELD(21, host_config, cgroup,             "Cgroup",            0),
	FIELD(22, host_config, links,              "Links",             FIELD_NULL_EMPTY),
	FIELD(23, host_config, oom_score_adj,      "OomScoreAdj",       0),
	FIELD(24, host_config, pid_mode,           "PidMode",           0),
	FIELD(25, host_config, privileged,         "Privileged",        0),
	FIELD(26, host_config, publish_all_ports,  "PublishAllPorts",   0),
	FIELD(27, host_config, readonly_rootfs,    "ReadonlyRootfs",    0),
	FIELD(28, host_config, security_opt,       "SecurityOpt",       FIELD_NULL_EMPTY),
	FIELD(29, host_config, storage_opt,        "StorageOpt",        FIELD_OMIT_EMPTY),
	FIELD(30, host_config, tmpfs,              "Tmpfs",             FIELD_OMIT_EMPTY),
	FIELD(31, host_config, uts_mode,           "UTSMode",           0),
	FIELD(32, host_config, userns_mode,        "UsernsMode",        0),
	FIELD(33, host_config, shm_size,           "ShmSize",           0),
	FIELD(34, host_config, sysctls,            "Sysctls",           FIELD_OMIT_EMPTY),
	FIELD(35, host_config, runtime,            "Runtime",           0),
	FIELD(36, host_config, isolation,          "Isolation",         0),
	FIELD(37, host_config, cpu_shares,         "CpuShares",         0),
	FIELD(38, host_config, memory,             "Memory",            0),
	FIELD(39, host_config, nano_cpus,          "NanoCpus",          0),
	FIELD(40, host_config, cgroup_parent,      "CgroupParent",      0),
	FIELD(41, host_config, blkio_weight,       "BlkioWeight",       0),
	/* 42 to 46 were these five as raw JSON */
	DEVICE_LIMITS(71, blkio_weight_device, "BlkioWeightDevice"),
	DEVICE_LIMITS(72, blkio_read_bps,      "BlkioDeviceReadBps"),
	DEVICE_LIMITS(73, blkio_write_bps,     "BlkioDeviceWriteBps"),
	DEVICE_LIMITS(74, blkio_read_iops,     "BlkioDeviceReadIOps"),
	DEVICE_LIMITS(75, blkio_write_iops,    "BlkioDeviceWriteIOps"),
	FIELD(47, host_config, cpu_period,         "CpuPeriod",         0),
	FIELD(48, host_config, cpu_quota,          "CpuQuota",          0),
	FIELD(49, host_config, cpu_rt_period,      "CpuRealtimePeriod", 0),
	FIELD(50, host_config, cpu_rt_runtime,     "CpuRealtimeRuntime", 0),
	FIELD(51, host_config, cpuset_cpus,        "CpusetCpus",        0),
	FIELD(52, host_config, cpuset_mems,        "CpusetMems",        0),
	FIELD_LIST(53, host_config, devices,       "Devices",           0, device_mapping_fields, struct device_mapping),
	FIELD(54, host_config, device_cgroup_rules, "DeviceCgroupRules", FIELD_NULL_EMPTY),
	FIELD(55, host_config, device_requests,    "DeviceRequests",    0),
	FIELD(56, host_config, memory_reservation, "MemoryReservation", 0),
	FIELD(57, host_config, memory_swap,        "MemorySwap",        0),
	FIELD(58, host_config, kernel_memory,      "KernelMemory",      FIELD_OMIT_EMPTY),
	FIELD(59, host_config, memory_swappiness,  "MemorySwappiness",  0),
	FIELD(60, host_config, oom_kill_disable,   "OomKillDisable",    0),
	FIELD(61, host_config, pids_limit,         "PidsLimit",         0),
	FIELD_LIST(62, host_config, ulimits,       "Ulimits",           0, ulimit_fields, struct ulimit),
	FIELD(63, host_config, cpu_count,          "CpuCount",          0),
	FIELD(64, host_config, cpu_percent,        "CpuPercent",        0),
	FIELD(65, host_config, io_max_iops,        "IOMaximumIOps",     0),
	FIELD(66, host_config, io_max_bandwidth,   "IOMaximumBandwidth", 0),
	FIELD_LIST(67, host_config, mounts,        "Mounts",            FIELD_OMIT_EMPTY, mount_request_fields, struct mount_request),
	FIELD(68, host_config, masked_paths,       "MaskedPaths",       0),
	FIELD(69, host_config, readonly_paths,     "ReadonlyPaths",     0),
	FIELD(70, host_config, init,               "Init",              FIELD_OMIT_EMPTY),
	FIELD_KEEP_UNKNOWN(host_config, unknown),
	FIELD_END
};

const struct field resources_fields[] = {
	FIELD(1,  resources, package,            "package",            0),
	FIELD(2,  resources, memory,             "memory",             0),
	FIELD(3,  resources, swap,               "swap",               0),
	FIELD(4,  resources, memory_reservation, "memory_reservation", 0),
	FIELD(5,  resources, cpu_quota_us,       "cpu_quota_us",       0),
	FIELD(6,  resources, cpu_period_us,      "cpu_period_us",      0),
	FIELD(7,  resources, cpu_shares,         "cpu_shares",         0),
	FIELD(8,  resources, pids,               "pids",               0),
	FIELD(9,  resources, io_weight,          "io_weight",          0),
	FIELD(10, resources, disk,               "disk",               0),
	FIELD(11, resources, cpuset_cpus,        "cpuset_cpus",        0),
	FIELD(12, resources, cpuset_mems,        "cpuset_mems",        0),
	FIELD_END
};

const struct field endpoint_settings_fields[] = {
	FIELD(1,  endpoint_settings, network,     "network",     0),
	FIELD(2,  endpoint_settings, network_id,  "network_id",  0),
	FIELD(3,  endpoint_settings, endpoint_id, "endpoint_id", 0),
	FIELD(4,  endpoint_settings, ip,          "ip",          0),
	FIELD(5,  endpoint_settings, gateway,     "gateway",     0),
	FIELD(6,  endpoint_settings, mac,         "mac",         0),
	FIELD(7,  endpoint_settings, prefix_len,  "prefix_len",  0),
	FIELD(8,  endpoint_settings, aliases,     "aliases",     0),
	FIELD(9,  endpoint_settings, links,       "links",       0),
	FIELD(10, endpoint_settings, want_ip,     "want_ip",     0),
	FIELD(11, endpoint_settings, driver_opts, "driver_opts", 0),
	FIELD(12, endpoint_settings, want_mac,    "want_mac",    0),
	FIELD(13, endpoint_settings, slot,        "slot",        0),
	FIELD(14, endpoint_settings, gw_priority, "gw_priority", 0),
	FIELD(15, endpoint_settings, internal,    "internal",    0),
	FIELD(16, endpoint_settings, joined,      "joined",      0),
	FIELD(17, endpoint_settings, ip6,         "ip6",         0),
	FIELD(18, endpoint_settings, gateway6,    "gateway6",    0),
	FIELD(19, endpoint_settings, prefix6_len, "prefix6_len", 0),
	FIELD(20, endpoint_settings, want_ip6,    "want_ip6",    0),
	FIELD_END
};

const struct field published_port_fields[] = {
	FIELD(1, published_port, proto,          "proto",          0),
	FIELD(2, published_port, container_port, "container_port", 0),
	FIELD(3, published_port, host_ip,        "host_ip",        0),
	FIELD(4, published_port, host_port,      "host_port",      0),
	FIELD(5, published_port, ephemeral,      "ephemeral",      0),
	FIELD(6, published_port, first,          "first",          0),
	FIELD(7, published_port, last,           "last",           0),
	FIELD(8, published_port, v4_only,        "v4_only",        0),
	FIELD_END
};

const struct field mount_point_fields[] = {
	FIELD(1,  mount_point, type,        "Type",        0),
	FIELD(2,  mount_point, name,        "Name",        FIELD_OMIT_EMPTY),
	FIELD(3,  mount_point, source,      "Source",      0),
	FIELD(4,  mount_point, destination, "Destination", 0),
	FIELD(5,  mount_point, driver,      "Driver",      FIELD_OMIT_EMPTY),
	FIELD(6,  mount_point, mode,        "Mode",        0),
	FIELD(7,  mount_point, rw,          "RW",          0),
	FIELD(8,  mount_point, propagation, "Propagation", 0),
	FIELD(9,  mount_point, anonymous,   "anonymous",   FIELD_NO_JSON),
	FIELD(10, mount_point, no_copy,     "no_copy",     FIELD_NO_JSON),
	FIELD(11, mount_point, tmpfs_size,  "tmpfs_size",  FIELD_NO_JSON),
	FIELD(12, mount_point, tmpfs_mode,  "tmpfs_mode",  FIELD_NO_JSON),
	FIELD(13, mount_point, subpath,     "subpath",     FIELD_NO_JSON),
	FIELD(14, mount_point, labels,      "labels",      FIELD_NO_JSON),
	FIELD(15, mount_point, not_recursive, "not_recursive", FIELD_NO_JSON),
	FIELD(16, mount_point, top_read_only, "top_read_only", FIELD_NO_JSON),
	FIELD(17, mount_point, create_source, "create_source", FIELD_NO_JSON),
	FIELD(18, mount_point, options,     "options",     FIELD_NO_JSON),
	FIELD(19, mount_point, image_id,    "image_id",    FIELD_NO_JSON),
	FIELD(20, mount_point, layers,      "layers",      FIELD_NO_JSON),
	FIELD_END
};

const struct field container_fields[] = {
	FIELD(1,  container, id,              "id",              0),
	FIELD(2,  container, name,            "name",            0),
	FIELD(3,  container, account,         "account",         0),
	FIELD(4,  container, node,            "node",            0),
	FIELD(5,  container, created,         "created",         0),
	FIELD_OBJ(6, container, config,       "config",          0, container_config_fields),
	FIELD_OBJ(7, container, host,         "host",            0, host_config_fields),
	FIELD(8,  container, image_id,        "image_id",        0),
	FIELD(9,  container, layers,          "layers",          0),
	FIELD(10, container, path,            "path",            0),
	FIELD(11, container, args,            "args",            0),
	FIELD_OBJ(12, container, resources,   "resources",       0, resources_fields),
	FIELD_LIST(13, container, endpoints,  "endpoints",       0, endpoint_settings_fields, struct endpoint_settings),
	FIELD_LIST(14, container, ports,      "ports",           0, published_port_fields, struct published_port),
	FIELD_LIST(15, container, mounts,     "mounts",          0, mount_point_fields, struct mount_point),
	FIELD(16, container, uid_slot,        "uid_slot",        0),
	FIELD_OBJ(17, container, seccomp,     "seccomp",         0, seccomp_profile_fields),
	FIELD(20, container, want,            "want",            0),
	FIELD(21, container, start_gen,       "start_gen",       0),
	FIELD(22, container, restart_gen,     "restart_gen",     0),
	FIELD(23, container, stop_timeout_s,  "stop_timeout_s",  0),
	FIELD(24, container, stop_signal,     "stop_signal",     0),
	FIELD(25, container, kill_gen,        "kill_gen",        0),
	FIELD(26, container, kill_signal,     "kill_signal",     0),
	FIELD(27, container, want_paused,     "want_paused",     0),
	FIELD(28, container, remove_volumes,  "remove_volumes",  0),
	FIELD(29, container, remove_force,    "remove_force",    0),
	FIELD(30, container, stopped_by_user, "stopped_by_user", 0),
	FIELD(31, container, move,            "move",            0),
	FIELD_LIST(38, container, leaving,    "leaving",         0, endpoint_settings_fields, struct endpoint_settings),
	FIELD(39, container, net_gen,         "net_gen",         0),
	FIELD(40, container, status,          "status",          0),
	FIELD(41, container, gen,             "gen",             0),
	FIELD(42, container, kill_done,       "kill_done",       0),
	FIELD(43, container, pid,             "pid",             0),
	FIELD(44, container, exit_code,       "exit_code",       0),
	FIELD(45, container, oom_killed,      "oom_killed",      0),
	FIELD(46, container, error,           "error",           0),
	FIELD(47, container, error_code,      "error_code",      0),
	FIELD(48, container, started,         "started",         0),
	FIELD(49, container, finished,        "finished",        0),
	FIELD(50, container, restart_count,   "restart_count",   0),
	FIELD(51, container, exits,           "exits",           0),
	FIELD(52, container, next_start,      "next_start",      0),
	FIELD(53, container, backoff_ms,      "backoff_ms",      0),
	FIELD(54, container, health,          "health",          0),
	FIELD(68, container, net_done,        "net_done",        0),
	FIELD(69, container, net_error,       "net_error",       0),
	FIELD_KEEP_UNKNOWN(container, unknown),
	FIELD_END
};

static const struct field config_listed_fields[] = {
	FIELD(7,  container_config, exposed_ports, "ExposedPorts", FIELD_SET | FIELD_OMIT_EMPTY),
	FIELD(15, container_config, image,         "Image",        0),
	FIELD(22, container_config, labels,        "Labels",       0),
	FIELD_END
};

static const struct field host_listed_fields[] = {
	FIELD(4,  host_config, network_mode, "NetworkMode", 0),
	FIELD(30, host_config, tmpfs,        "Tmpfs",       FIELD_OMIT_EMPTY),
	FIELD_END
};

const struct field container_listed_fields[] = {
	FIELD(1,  container, id,             "id",        0),
	FIELD(2,  container, name,           "name",      0),
	FIELD(3,  container, account,        "account",   0),
	FIELD(4,  container, node,           "node",      0),
	FIELD(5,  container, created,        "created",   0),
	FIELD_OBJ(6, container, config,      "config",    0, config_listed_fields),
	FIELD_OBJ(7, container, host,        "host",      0, host_listed_fields),
	FIELD(8,  container, image_id,       "image_id",  0),
	FIELD(10, container, path,           "path",      0),
	FIELD(11, container, args,           "args",      0),
	FIELD_LIST(13, container, endpoints, "endpoints", 0, endpoint_settings_fields, struct endpoint_settings),
	FIELD_LIST(14, container, ports,     "ports",     0, published_port_fields, struct published_port),
	FIELD_LIST(15, container, mounts,    "mounts",    0, mount_point_fields, struct mount_point),
	FIELD(40, container, status,         "status",    0),
	FIELD(44, container, exit_code,      "exit_code", 0),
	FIELD(48, container, started,        "started",   0),
	FIELD(49, container, finished,       "finished",  0),
	FIELD(54, container, health,         "health",    0),
	FIELD_END
};

const struct field container_age_fields[] = {
	FIELD(5, container, created, "created", 0),
	FIELD_END
};

const struct field container_place_fields[] = {
	FIELD(3, container, account, "account", 0),
	FIELD(4, container, node,    "node",    0),
	FIELD_END
};

const struct field exec_config_fields[] = {
	FIELD(1,  exec_config, cmd,           "Cmd",          FIELD_STR_OR_LIST),
	FIELD(2,  exec_config, env,           "Env",          0),
	FIELD(3,  exec_config, user,          "User",         0),
	FIELD(4,  exec_config, working_dir,   "WorkingDir",   0),
	FIELD(5,  exec_config, detach_keys,   "DetachKeys",   0),
	FIELD(6,  exec_config, tty,           "Tty",          0),
	FIELD(7,  exec_config, attach_stdin,  "AttachStdin",  0),
	FIELD(8,  exec_config, attach_stdout, "AttachStdout", 0),
	FIELD(9,  exec_config, attach_stderr, "AttachStderr", 0),
	FIELD(10, exec_config, privileged,    "Privileged",   0),
	FIELD(11, exec_config, detach,        "Detach",       0),
	FIELD(12, exec_config, console_size,  "ConsoleSize",  FIELD_OMIT_EMPTY),
	FIELD_END
};

const struct field exec_fields[] = {
	FIELD(1,  exec, id,        "id",        0),
	FIELD(2,  exec, account,   "account",   0),
	FIELD(3,  exec, container, "container", 0),
	FIELD_OBJ(4, exec, config, "config",    0, exec_config_fields),
	FIELD(5,  exec, started,   "started",   0),
	FIELD(6,  exec, running,   "running",   0),
	FIELD(7,  exec, exited,    "exited",    0),
	FIELD(8,  exec, pid,       "pid",       0),
	FIELD(9,  exec, exit_code, "exit_code", 0),
	FIELD(10, exec, created,   "created",   0),
	FIELD_KEEP_UNKNOWN(exec, unknown),
	FIELD_END
};

const char *container_status_name(int64_t status)
{
	static const char *const names[] = { "created", "running", "paused", "restarting", "exited", "removing", "dead" };

	return status >= 0 && status < (int64_t)(sizeof(names) / sizeof(names[0])) ? names[status] : "dead";
}

int container_name_check(struct str name, struct err *e)
{
	if (!str_is_name(name, 2, 255))
		return err_set(e, EINVAL, "Invalid container name (%.*s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			       (int)(name.n > 255 ? 255 : name.n), name.p);
	return 0;
}

bool container_restarts(const struct container *c, int64_t exit_code)
{
	const struct restart_policy *p = &c->host.restart_policy;

	if (c->stopped_by_user || c->want != WANT_RUNNING)
		return false;
	if (str_is(p->name, "always") || str_is(p->name, "unless-stopped"))
		return true;
	return str_is(p->name, "on-failure") && exit_code != 0 &&
	       (p->max_retries == 0 || c->restart_count < p->max_retries);
}

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   60000
#define BACKOFF_RESET_MS 10000                        /* ran this long: it works, start over */

int64_t container_backoff(const struct container *c, int64_t ran_ms)
{
	if (c->backoff_ms == 0 || ran_ms >= BACKOFF_RESET_MS)
		return BACKOFF_FIRST_MS;
	return c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

bool container_is_running(const struct container *c)
{
	return c->status == STATUS_RUNNING || c->status == STATUS_PAUSED;
}

bool container_uses_image(const struct container *c, struct str image_id)
{
	bool uses = str_eq(c->image_id, image_id);

	for (size_t i = 0; i < c->mounts.n; i++)
		uses = uses || str_eq(c->mounts.v[i].image_id, image_id);
	return uses;
}

bool container_moves(const struct container *c)
{
	const struct str policy = c->host.restart_policy.name;
	const struct str modes[] = { c->host.network_mode, c->host.pid_mode, c->host.ipc_mode };

	if (c->want != WANT_RUNNING || c->stopped_by_user || (!str_is(policy, "always") && !str_is(policy, "unless-stopped")))
		return false;
	for (size_t i = 0; i < c->mounts.n; i++)
		if (!str_is(c->mounts.v[i].type, "tmpfs") && !str_is(c->mounts.v[i].type, "image"))
			return false;
	for (size_t i = 0; i < 3; i++)
		if (str_starts(modes[i], STR("container:")) || str_is(modes[i], "host"))
			return false;
	return c->host.devices.n == 0 && !c->host.privileged;
}

bool container_settled(const struct container *c)
{
	bool running = container_is_running(c);

	if (c->want == WANT_REMOVED || c->status == STATUS_RESTARTING)
		return false;
	if (c->want == WANT_RUNNING ? !running || c->gen != c->start_gen : running)
		return false;
	return !running || (!c->move && c->kill_gen == c->kill_done && c->net_gen == c->net_done && c->want_paused == (c->status == STATUS_PAUSED));
}

static const struct { const char *name; int number; } signals[] = {
	{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ILL", SIGILL }, { "TRAP", SIGTRAP }, { "ABRT", SIGABRT },
	{ "IOT", SIGABRT }, { "BUS", SIGBUS }, { "FPE", SIGFPE }, { "KILL", SIGKILL }, { "USR1", SIGUSR1 },
	{ "SEGV", SIGSEGV }, { "USR2", SIGUSR2 }, { "PIPE", SIGPIPE }, { "ALRM", SIGALRM }, { "TERM", SIGTERM },
	{ "STKFLT", 16 }, { "CHLD", SIGCHLD }, { "CLD", SIGCHLD }, { "CONT", SIGCONT }, { "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG }, { "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH }, { "IO", SIGIO },
	{ "POLL", SIGIO }, { "PWR", 30 }, { "SYS", SIGSYS },
};

/* The kernel's numbers, not libc's: real-time signals are 34..64 for programs of every libc. */
#define RTMIN_NUMBER 34
#define RTMAX_NUMBER 64

int signal_parse(struct str s, struct err *e)
{
	struct str name = str_starts(s, STR("SIG")) ? str_drop(s, 3) : s;
	int64_t n, off = 0;

	if (str_to_i64(s, &n)) {
		if (n >= 1 && n <= RTMAX_NUMBER)
			return (int)n;
		return err_set(e, EINVAL, "invalid signal: %.*s", (int)(s.n > 40 ? 40 : s.n), s.p);
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (str_eq_nocase(name, str_of(signals[i].name)))
			return signals[i].number;
	if (str_starts(name, STR("RTMIN"))) {
		struct str tail = str_drop(name, 5);

		if (tail.n == 0 || (tail.p[0] == '+' && str_to_i64(str_drop(tail, 1), &off) && off >= 0 && off <= 30))
			return RTMIN_NUMBER + (int)off;
	}
	if (str_starts(name, STR("RTMAX"))) {
		struct str tail = str_drop(name, 5);

		if (tail.n == 0 || (tail.p[0] == '-' && str_to_i64(str_drop(tail, 1), &off) && off >= 0 && off <= 30))
			return RTMAX_NUMBER - (int)off;
	}
	return err_set(e, EINVAL, "invalid signal: %.*s", (int)(s.n > 40 ? 40 : s.n), s.p);
}

static bool better_gateway(const struct endpoint_settings *a, const struct endpoint_settings *b)
{
	return a->gw_priority != b->gw_priority ? a->gw_priority > b->gw_priority : str_cmp(a->network, b->network) < 0;
}

static const struct endpoint_settings *gateway_of(const struct container *c, bool v6)
{
	const struct endpoint_settings *best = NULL;

	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct endpoint_settings *ep = &c->endpoints.v[i];

		if (!ep->internal && (!v6 || ep->ip6.n) && (!best || better_gateway(ep, best)))
			best = ep;
	}
	return best;
}

const struct endpoint_settings *container_gateway(const struct container *c)
{
	return gateway_of(c, false);
}

const struct endpoint_settings *container_gateway6(const struct container *c)
{
	return gateway_of(c, true);
}

int published_addresses(const struct container *c, const struct published_port *p, struct str out[2])
{
	bool v6 = str_find(p->host_ip, ':') >= 0;
	int n = 0;

	if (!v6 && container_gateway(c))
		out[n++] = p->host_ip.n ? p->host_ip : STR("0.0.0.0");
	if ((v6 || (!p->host_ip.n && !p->v4_only)) && container_gateway6(c))
		out[n++] = v6 ? p->host_ip : STR("::");
	return n;
}

const struct endpoint_settings *container_endpoint(const struct container *c, struct str network_id)
{
	for (size_t i = 0; i < c->endpoints.n; i++)
		if (str_eq(c->endpoints.v[i].network_id, network_id))
			return &c->endpoints.v[i];
	return NULL;
}
