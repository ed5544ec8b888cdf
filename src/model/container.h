/* Containers: what the client asked for (Docker's Config and HostConfig), what the leader decided, what should be
 * (desired) and what is (observed). One struct, one record, one table: the JSON names are Docker's, so the
 * same tables read `POST /containers/create` and write inspect. Plain data and pure functions; nothing blocks. */
#ifndef MODEL_CONTAINER_H
#define MODEL_CONTAINER_H

#include "codec/field.h"
#include "model/seccomp.h"

struct healthcheck {
	struct strs test;
	int64_t interval, timeout, start_period, start_interval; /* ns */
	int64_t retries;
};
extern const struct field healthcheck_fields[];

struct container_config {
	struct str   hostname, domainname, user;
	bool         attach_stdin, attach_stdout, attach_stderr;
	struct pairs exposed_ports;                   /* set: "80/tcp" */
	bool         tty, open_stdin, stdin_once;
	struct strs  env;
	struct strs  cmd;
	struct healthcheck healthcheck;
	bool         args_escaped;
	struct str   image;                           /* as the client wrote it */
	struct pairs volumes;                         /* set: "/data" */
	struct str   working_dir;
	struct strs  entrypoint;
	bool         network_disabled;
	struct str   mac_address;
	struct strs  on_build;
	struct pairs labels;
	struct str   stop_signal;
	struct raw   stop_timeout_json;               /* as sent: a number, null or absent */
	struct strs  shell;
	struct str   unknown;
};
extern const struct field container_config_fields[];

struct restart_policy {
	struct str name;                              /* "", "no", "always", "unless-stopped", "on-failure" */
	int64_t    max_retries;
};

struct log_config {
	struct str   type;                            /* "" is json-file; model/logdest.h knows them all */
	struct pairs config;
};

struct ulimit {
	struct str name;
	int64_t    soft, hard;
};

struct device_mapping {
	struct str path_on_host, path_in_container, cgroup_permissions;
};

struct mount_request {                                /* HostConfig.Mounts */
	struct str type, source, target, consistency;
	bool       read_only;
	struct raw bind_options, volume_options, tmpfs_options, image_options; /* as sent */
};

struct device_limit {                                 /* of the BlkioDevice... lists; a weight for BlkioWeightDevice */
	struct str path;                              /* "/dev/sda" */
	int64_t    rate, weight;                      /* bytes or operations a second; 10..1000 */
};

struct ulimits { struct ulimit *v; size_t n; };
struct device_mappings { struct device_mapping *v; size_t n; };
struct mount_requests { struct mount_request *v; size_t n; };
struct device_limits { struct device_limit *v; size_t n; };

struct host_config {
	struct strs  binds;
	struct str   container_id_file;
	struct log_config log_config;
	struct str   network_mode;
	struct raw   port_bindings;                   /* {"80/tcp":[{"HostIp":"","HostPort":"8080"}]} as sent */
	struct restart_policy restart_policy;
	bool         auto_remove;
	struct str   volume_driver;
	struct strs  volumes_from;
	struct raw   console_size;                    /* [rows, columns] */
	struct pairs annotations;
	struct strs  cap_add, cap_drop;
	struct str   cgroupns_mode;
	struct strs  dns, dns_options, dns_search, extra_hosts, group_add;
	struct str   ipc_mode, cgroup;
	struct strs  links;
	int64_t      oom_score_adj;
	struct str   pid_mode;
	bool         privileged, publish_all_ports, readonly_rootfs;
	struct strs  security_opt;
	struct pairs storage_opt, tmpfs;
	struct str   uts_mode, userns_mode;
	int64_t      shm_size;                        /* bytes; 0 is 64 MiB */
	struct pairs sysctls;
	struct str   runtime, isolation;
	int64_t      cpu_shares, memory, nano_cpus;
	struct str   cgroup_parent;
	int64_t      blkio_weight;
	struct device_limits blkio_weight_device, blkio_read_bps, blkio_write_bps, blkio_read_iops, blkio_write_iops;
	int64_t      cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime;
	struct str   cpuset_cpus, cpuset_mems;
	struct device_mappings devices;
	struct strs  device_cgroup_rules;
	struct raw   device_requests;
	int64_t      memory_reservation, memory_swap, kernel_memory;
	struct raw   memory_swappiness, oom_kill_disable; /* number or null, bool or null */
	int64_t      pids_limit;
	struct ulimits ulimits;
	int64_t      cpu_count, cpu_percent, io_max_iops, io_max_bandwidth;
	struct mount_requests mounts;
	struct strs  masked_paths, readonly_paths;
	struct raw   init;                            /* bool or null */
	struct str   unknown;
};
extern const struct field host_config_fields[];

/* What the leader decided about a size: the package's figures with the client's smaller wishes. */
struct resources {
	struct str package;
	int64_t memory, swap, memory_reservation;     /* bytes; swap is on top of memory, -1 none asked: package's */
	int64_t cpu_quota_us, cpu_period_us;          /* CFS bandwidth */
	int64_t cpu_shares;
	int64_t pids, io_weight, disk;
	struct str cpuset_cpus, cpuset_mems;
};
extern const struct field resources_fields[];

struct endpoint_settings {                            /* one network the container is on */
	struct str  network;                          /* network's name; element key for JSON maps */
	struct str  network_id, endpoint_id;
	struct str  ip, gateway, mac;                 /* "172.17.0.2", "02:42:ac:11:00:02" */
	int64_t     prefix_len;
	struct strs aliases, links;
	struct str  ip6, gateway6;                    /* "fd00::2"; "": the network has no IPv6 */
	int64_t     prefix6_len;
	struct str  want_ip, want_ip6, want_mac;      /* asked for by the client, or "" */
	struct pairs driver_opts;
	int64_t     slot;                             /* it is eth<slot> in the container */
	int64_t     gw_priority;                      /* the highest has the default route */
	bool        internal;                         /* as the network: no default route goes here */
	bool        joined;                           /* observed: the running container is on it; event connect was sent */
};
struct endpoints_settings { struct endpoint_settings *v; size_t n; };
extern const struct field endpoint_settings_fields[];

struct published_port {
	struct str proto;                             /* "tcp" or "udp" */
	int64_t    container_port;
	struct str host_ip;                           /* "" is every address, "::" every IPv6 one */
	bool       v4_only;                           /* host_ip is "" and means IPv4 ones: 0.0.0.0 */
	int64_t    host_port;                         /* what was decided; 0 not decided yet */
	bool       ephemeral;                         /* the client left the choice to us: chosen anew at each start */
	int64_t    first, last;                       /* among these (-p 8000-8010:80); 0: among the ephemeral ones */
};
struct published_ports { struct published_port *v; size_t n; };
extern const struct field published_port_fields[];

struct mount_point {
	struct str type;                              /* "volume", "bind" (operator), "tmpfs", "image" */
	struct str name;                              /* of the volume */
	struct str source, destination, driver, mode; /* mode: as in -v name:/path:mode */
	bool       rw;
	struct str propagation;
	bool       anonymous;                         /* made for this container; removed with `rm -v` and --rm */
	bool       no_copy;                           /* no copy-up of the image's content */
	int64_t    tmpfs_size, tmpfs_mode;            /* bytes (0: half of memory), mode bits (0: 1777); of a volume: what its options say */
	struct str subpath;                           /* of the volume or image */
	struct pairs labels, options;                 /* of the volume; what is said here holds if it is made with the container */
	bool       not_recursive, top_read_only;      /* bind-nonrecursive, bind-recursive=writable */
	bool       create_source;                     /* a host path that is not there becomes a directory */
	struct str  image_id;                         /* of an image, whose reference is the source: its id and layers at create */
	struct strs layers;
};
struct mount_points { struct mount_point *v; size_t n; };
extern const struct field mount_point_fields[];

enum container_want { WANT_STOPPED, WANT_RUNNING, WANT_REMOVED };

enum container_status {
	STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_RESTARTING, STATUS_EXITED, STATUS_REMOVING, STATUS_DEAD,
};
#define LABEL_BUILD "com.triton.build"                /* of a container that RUN made: the build's id; it ends with the build */
const char *container_status_name(int64_t status);    /* Docker's words: "created", "running", ... */

struct container {
	struct str id, name;                          /* 64 hex digits; name without '/' */
	struct str account, node;                     /* login; node id */
	struct field_time created;
	struct container_config config;               /* merged with the image's */
	struct host_config      host;
	struct str  image_id;                         /* "sha256:..." */
	struct strs layers;                           /* diff ids, lowest first: "sha256:..." */
	struct str  path;                             /* what runs: first word, then args */
	struct strs args;
	struct resources           resources;
	struct endpoints_settings  endpoints;         /* empty with network none and host */
	struct endpoints_settings  leaving;           /* disconnected; the node has not said yet that the link is gone, so the
	                                                 address has no other holder */
	struct published_ports     ports;
	struct mount_points        mounts;
	struct seccomp_profile     seccomp;           /* of --security-opt seccomp=FILE */
	int64_t     uid_slot;                         /* on its node: host ids are UID_BASE + slot * UID_RANGE */

	/* desired: written by commands */
	int64_t     want;                             /* enum container_want */
	int64_t     start_gen;                        /* grows with each start and restart command */
	int64_t     restart_gen;                      /* equal to start_gen when that start was a `restart`: stop first */
	int64_t     stop_timeout_s;                   /* of the last stop or restart; -1 waits for ever */
	struct str  stop_signal;                      /* of the last stop or restart; "" is the config's */
	int64_t     kill_gen;                         /* grows with each kill command */
	int64_t     kill_signal;                      /* number */
	int64_t     net_gen;                          /* grows with each connect and disconnect of a running container */
	bool        want_paused;
	bool        remove_volumes, remove_force;     /* of the remove command */
	bool        stopped_by_user;                  /* a stop or kill came after the last start */
	bool        move;                             /* its node is drained: stop it there, its exit starts it elsewhere */

	/* observed: written by node.report */
	int64_t     status;                           /* enum container_status */
	int64_t     gen;                              /* start_gen that the last start answered (running or failed) */
	int64_t     kill_done;                        /* kill_gen delivered */
	int64_t     net_done;                         /* net_gen reached */
	struct str  net_error;                        /* why the last connect failed, or "" */
	int64_t     pid, exit_code;
	bool        oom_killed;
	struct str  error;                            /* why the last start failed: one sentence */
	int64_t     error_code;                       /* errno of it */
	struct field_time started, finished;
	int64_t     restart_count;
	int64_t     exits;                            /* grows with each exit: what `wait next-exit` watches */
	struct field_time next_start;                 /* STATUS_RESTARTING: not before */
	int64_t     backoff_ms;                       /* of the restart policy */
	struct str  health;                           /* status as in struct health; "": nothing is checked */
	struct str  unknown;
};
extern const struct field container_fields[];

/* Parts of the same record, for who reads many: what lists show and filter by; only when it was made. */
extern const struct field container_listed_fields[], container_age_fields[], container_place_fields[]; /* place: account and node */

#define UID_BASE  1000000
#define UID_RANGE 65536
#define SHM_SIZE_DEFAULT (64 << 20)
#define LOG_SIZE_DEFAULT (50 << 20)                   /* of a file of a json-file log without max-size */
#define LOG_FILES_DEFAULT 2                           /* and so many */
#define LOG_TOTAL_MAX    (INT64_C(1) << 30)           /* of all files of one log */

/* [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most 255. Error in Docker's words (EINVAL). */
int container_name_check(struct str name, struct err *e);

/* Does the restart policy start it again after an exit with `exit_code`? `c` is the record before the exit. */
bool container_restarts(const struct container *c, int64_t exit_code);

/* The pause before the next automatic start: 100 ms doubling to one minute; back to 100 ms after 10 s of running. */
int64_t container_backoff(const struct container *c, int64_t ran_ms);

/* Has the node nothing to do for this record? (then the pending-work key is removed) */
bool container_settled(const struct container *c);

bool container_is_running(const struct container *c); /* running, paused */
bool container_uses_image(const struct container *c, struct str image_id); /* its own, or one that is mounted */

/* May it be started on another node, with a fresh writable layer? It is to run, its restart policy is always or
 * unless-stopped, and nothing of the machine is in it: no volume, host path or device, no namespace of another container. */
bool container_moves(const struct container *c);

/* The endpoint that has the default route and the published ports: of those whose networks have a way out the one with the
 * highest gw_priority, then the first by network name, as in Docker. NULL when there is none. */
const struct endpoint_settings *container_gateway(const struct container *c);
const struct endpoint_settings *container_gateway6(const struct container *c); /* the same for IPv6, of the networks that have it */

/* The addresses on which a port is published: "0.0.0.0" and "::" for every one of a family. Returns how many; 0 when the container has no
 * network for it. */
int published_addresses(const struct container *c, const struct published_port *p, struct str out[2]);
const struct endpoint_settings *container_endpoint(const struct container *c, struct str network_id); /* NULL: not on it */

/* "SIGTERM", "TERM", "15" -> 15. -1 with "invalid signal: X". */
int signal_parse(struct str s, struct err *e);

/* `docker exec`: a state record, so that every node can tell its exit code. */
struct exec_config {
	struct strs cmd, env;
	struct str  user, working_dir, detach_keys;
	bool        tty, attach_stdin, attach_stdout, attach_stderr, privileged, detach;
	struct raw  console_size;
};
extern const struct field exec_config_fields[];

struct exec {
	struct str  id, account, container;           /* 64 hex digits each */
	struct exec_config config;
	bool        started, running, exited;
	int64_t     pid, exit_code;
	struct field_time created;
	struct str  unknown;
};
extern const struct field exec_fields[];

#endif
