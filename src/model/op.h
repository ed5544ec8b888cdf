/* What the roles say to each other: operation numbers and the bodies of their messages (ipc/ carries them). */
#ifndef MODEL_OP_H
#define MODEL_OP_H

#include "model/command.h"

enum op {
	OP_COMMAND      = 1,   /* api, node, scheduler, peer -> state: command_call -> command_done */
	OP_REVISION     = 2,   /* state -> all, event: revision. Level-triggered: only the newest matters */
	OP_STATE_STATUS = 3,   /* api -> state: (empty) -> state_status */
	OP_CHANNEL      = 4,   /* serve -> a role, event: channel + one descriptor: a fresh channel to that partner */
	OP_READY        = 5,   /* a role -> serve, event: ready */
	OP_STOP         = 6,   /* serve -> node, event: stop all containers, then answer OP_READY */
	OP_JOINED       = 7,   /* state -> serve: joined_key: a token was used; the authority's key may be sealed for this one */
	OP_CA_SEAL      = 8,   /* peer -> serve: ca_seal with the machine's point -> ca_seal with what was sealed */

	/* state and peer: one link for each direction, frames of a length (4 bytes, little-endian) and a message */
	OP_LINK         = 70,  /* peer -> state, event: link (fd: messages of that server come here) */
	OP_LINK_OPEN    = 71,  /* state -> peer: link with `server` -> (fd: messages for it go there) */
	OP_FRESH        = 73,  /* api, node -> state: answered when all that was acknowledged before it can be read here */
	OP_PEERS        = 74,  /* scheduler -> state: peers, whose server ids are given -> peers, and how long they have been silent */
	OP_REMOTE       = 72,  /* api -> peer: remote_call (fds of the operation) -> the answer of the other node's role (its fds) */

	OP_FETCH        = 75,  /* node -> peer: save_call -> (fd: what OP_SAVE of a node that has it answers) */

	/* api -> node. Streams answer with one descriptor: a stream socket or pipe */
	OP_ATTACH       = 20,  /* stream_call -> (fd) */
	OP_EXEC_START   = 21,  /* exec_call -> (fd unless detached) */
	OP_RESIZE       = 22,  /* resize_call */
	OP_LOGS         = 23,  /* logs_call -> (fd) */
	OP_TOP          = 24,  /* top_call -> text_reply (JSON) */
	OP_STATS        = 25,  /* by_id -> stats_reply */
	OP_ARCHIVE_STAT = 26,  /* archive_call -> archive_stat */
	OP_ARCHIVE_GET  = 27,  /* archive_call -> archive_stat (fd: tar) */
	OP_ARCHIVE_PUT  = 28,  /* archive_call (fd: tar comes here) -> answer when unpacked */
	OP_PULL         = 30,  /* pull_call, ref with a tag or digest, or without one for all tags (fd: progress goes there) -> answer when done */
	OP_LOAD         = 31,  /* pull_call (fds: tar, progress) */
	OP_IMPORT       = 32,  /* pull_call (fds: tar, progress) */
	OP_COMMIT       = 41,  /* pull_call (fd: progress, whose last status is the new id) */
	OP_LOGIN        = 43,  /* pull_call, ref: the registry's host (fd: progress) */
	OP_PUSH         = 47,  /* pull_call, ref with a tag, or without one for all tags (fd: progress) */
	OP_SEARCH       = 48,  /* pull_call, ref: the registry's host, message: the term, limit (fd: progress, whose last status is JSON) */
	OP_DESCRIBE     = 49,  /* pull_call (fd: progress, whose last status is the distribution endpoint's JSON) */
	OP_SAVE         = 33,  /* save_call -> (fd: tar) */
	OP_CHANGES      = 34,  /* by_id -> (fd: JSON) */
	OP_SIZE         = 42,  /* by_id -> (fd: a number, the bytes of the writable layer) */
	OP_VOLUME_SIZE  = 66,  /* volume_call -> (fd: a number, the bytes of its files) */
	OP_EXPORT       = 35,  /* by_id -> (fd: tar) */
	OP_NODE_INFO    = 36,  /* (empty) -> node_info */
	OP_LIMITS       = 38,  /* by_id: the record's limits hold now for the running container */
	OP_HEALTH       = 46,  /* by_id -> health: the last results of its health check */
	OP_IMAGE_HERE   = 64,  /* image_call: answered when the layers are on this node; where they are not they come from one that has them */
	OP_BUILD_FETCH  = 65,  /* pull_call, ref: a URL, message: the file's name (fds: pipe for an archive with it, progress) */
	OP_BUILD_OPEN   = 60,  /* (empty) (fds: tar, guard) -> by_id: a scratch root of the archive's files, there until the guard hangs up */
	OP_BUILD_FILE   = 61,  /* build_file -> (fd: a regular file of the scratch root) */
	OP_BUILD_HASH   = 62,  /* build_copy -> text_reply: a digest of what would be copied */
	OP_BUILD_COPY   = 63,  /* build_copy (fd: progress, as OP_COMMIT) -> answer when the files are copied; the layer is being made */
	OP_EXEC_SYNC    = 37,  /* by_id of a container: answered when every exec exit heard of so far is recorded */

	/* node -> dns */
	OP_DNS_SOCKET   = 50,  /* dns_socket (fds: udp, tcp listener), event */
	OP_DNS_CLOSE    = 51,  /* by_id of the network, event */
};

/* silent_ms: from the scheduler. Run here or not at all, and only if this node has led, and heard nothing of `silent`, for so long. */
struct command_call { uint32_t cmd; struct str account; bool operator_; struct str request_id; struct str payload; int64_t silent, silent_ms; };
extern const struct field command_call_fields[];
struct command_done { int64_t revision; struct str payload; };
extern const struct field command_done_fields[];
/* alone: one node, so that what is here is all there is. current: a leader is known and its state is here, so who has no record is
 * no member. */
struct revision { int64_t n; bool alone, current; };
extern const struct field revision_fields[];
struct state_status { int64_t revision, term, last_index, snapshot_index, log_bytes; bool leader; struct str node; int64_t server, leader_server, members, voters; };
extern const struct field state_status_fields[];
struct peer_heard { int64_t server, silent_ms; };     /* silent_ms: INT64_MAX when nothing ever came from it */
struct peers_heard { struct peer_heard *v; size_t n; };
struct peers { bool leader; int64_t leading_ms; struct peers_heard peers; }; /* leader: this node is, and for how long */
extern const struct field peers_fields[];
struct channel { uint32_t role; };                    /* enum role of the partner */
extern const struct field channel_fields[];

struct joined_key { struct str key; };                /* SHA-256 of the public key, hex */
extern const struct field joined_key_fields[];
struct ca_seal { struct str point; };                 /* raw bytes */
extern const struct field ca_seal_fields[];
struct link { int64_t server; struct str node, address; }; /* id in the raft configuration; node id and where it is, as the log says */
extern const struct field link_fields[];
struct remote_call { struct str node; int64_t op; struct str body; int64_t timeout_ms; }; /* body: record of the operation */
extern const struct field remote_call_fields[];

struct stream_call { struct str id, account; bool stdin_, stdout_, stderr_, stream, logs; struct str detach_keys; };
extern const struct field stream_call_fields[];
struct exec_call { struct str id, account, container; struct exec_config config; int64_t rows, cols; };
extern const struct field exec_call_fields[];
struct resize_call { struct str id, account, exec; int64_t rows, cols; };
extern const struct field resize_call_fields[];
struct logs_call {
	struct str id, account;
	bool    follow, stdout_, stderr_, timestamps, details, tty;
	int64_t since_ns, until_ns, tail;             /* tail -1: all */
	struct pairs labels;                          /* for details */
};
extern const struct field logs_call_fields[];
struct top_call { struct str id, account, ps_args; };
extern const struct field top_call_fields[];
struct text_reply { struct str text; };
extern const struct field text_reply_fields[];
struct archive_call { struct str id, account, path; bool no_overwrite_dir_non_dir, copy_uid_gid; };
extern const struct field archive_call_fields[];
struct archive_stat { struct str name; int64_t size; uint32_t mode; struct field_time mtime; struct str link_target; };
extern const struct field archive_stat_fields[];      /* mode: Go's os.FileMode; JSON names are those of X-Docker-Container-Path-Stat */
struct pull_call {
	struct str account, ref, platform;            /* normalised reference */
	struct str username, password, identity_token, registry_token; /* secrets: never logged */
	struct str message; struct strs changes;      /* import; message: commit as well */
	bool       quiet;                             /* load: only the end is told; commit: no event */
	int64_t    limit;                             /* search: results at most */
	struct str container, created_by;             /* commit: whose changes become a layer ("": none do); for the history */
	struct image base;                            /* commit: the image below with the new config and author; id "" is scratch */
	bool       is_whole;                          /* commit: base has its last layer and line of history already; its id is the image's below */
};
extern const struct field pull_call_fields[];
struct build_file { struct str account, id, path; bool remove; }; /* id: of the scratch root. remove: it goes, no fd */
extern const struct field build_file_fields[];
struct build_copy {
	struct str account, id;                       /* of the scratch root */
	bool       from_image;                        /* the files are an image's, not the scratch root's */
	struct str from;                              /* its id; "" is scratch */
	struct strs sources;                          /* paths and patterns; none: only the directory `dest` is made */
	struct str dest;                              /* absolute; ends in "/" when it is to be a directory */
	struct pairs texts;                           /* files of the Dockerfile itself: name, text */
	struct str chown;                             /* "user[:group]", looked up in the image that it goes into; "": root */
	int64_t    chmod;                             /* -1: as it is */
	bool       keep_owner, unpack;                /* unpack: what is an archive becomes its files */
	struct pull_call commit;                      /* the image that it becomes; commit.base.id: what it goes into, "" is scratch */
};
extern const struct field build_copy_fields[];
struct image_call { struct str account, image; };     /* image: its id */
extern const struct field image_call_fields[];
struct volume_call { struct str account, name; };
extern const struct field volume_call_fields[];
struct save_call { struct str account; struct strs refs; };
extern const struct field save_call_fields[];
struct disk_stats { uint64_t major, minor, read, write, read_ops, write_ops; };
struct disk_stats_list { struct disk_stats *v; size_t n; };
struct stat_part { struct str name; uint64_t value; };
struct stat_parts { struct stat_part *v; size_t n; };
struct stats_reply {
	bool     running;
	uint64_t cpu_total, cpu_user, cpu_kernel, system_cpu, online_cpus, throttled_periods, periods, throttled_time; /* ns */
	uint64_t memory, memory_max, memory_limit, inactive_file, pids, pids_limit, failcnt;
	struct net_stats_list nets;
	struct disk_stats_list disks;
	struct stat_parts memory_parts;               /* bytes, by the names of this kernel's memory.stat */
};
extern const struct field stats_reply_fields[];
struct node_info { struct str kernel, os, arch, cgroup_version; int64_t cpus, memory, memory_free, disk, disk_free; bool quotas; };
extern const struct field node_info_fields[];
struct dns_socket { struct str network, account; };
extern const struct field dns_socket_fields[];

#endif
