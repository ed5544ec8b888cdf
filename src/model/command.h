/* Commands: every change of the state. A command runs once, on the leader, inside the open write transaction: it
 * checks, decides and writes (design.md section 3); the code is store/cmd_*.c. The caller's account is in the
 * envelope; whatever belongs to another account is "No such ..." (ENOENT), never EPERM. Struct err codes:
 * ENOENT 404, EINVAL 400, EEXIST and EBUSY 409, EPERM 403, EALREADY 304 (already in that state), EAGAIN 503, others 500. */
#ifndef MODEL_COMMAND_H
#define MODEL_COMMAND_H

#include "model/account.h"
#include "model/health.h"
#include "model/image.h"
#include "model/usage.h"

/* Numbers are for ever: they cross nodes of different versions. */
enum command {
	CMD_ACCOUNT_PUT       = 1,  /* account_put -> account. Also creates its network "bridge" (172.17.0.0/16, a new vni). EEXIST "account X exists" */
	CMD_ACCOUNT_RM        = 2,  /* by_name. EBUSY while it has containers; removes keys, images, tags, networks, volumes. Never "operator" */
	CMD_ACCOUNT_DISABLE   = 3,  /* by_name */
	CMD_ACCOUNT_ENABLE    = 4,  /* by_name */
	CMD_KEY_ADD           = 5,  /* account_key. EEXIST "key <fp> is on account X already" when this or another account has it */
	CMD_KEY_RM            = 6,  /* account_key with account and fingerprint (md5 or SHA256: form) */

	/* container_create -> container. Decides id, name (given, or adjective_noun free in the account), package and
	 * resources, node, uid slot, address and MAC on its network, endpoint id, host ports that the client fixed; makes missing named volumes and
	 * the anonymous ones (64 hex digits); checks the image belongs to the account. Event create.
	 * network_mode: "", "default", "bridge" -> the builtin network; "none", "host": no endpoint; "container:X": no endpoint, X must exist;
	 * else a network's name or id. Names in Docker's words on conflict. */
	CMD_CONTAINER_CREATE  = 10,
	CMD_CONTAINER_START   = 11, /* by_id. want=running, start_gen+1, stopped_by_user=false; picks ephemeral host ports; EALREADY when running with want running. Pending work.
	                             * A published port in use: EBUSY "driver failed programming external connectivity on endpoint NAME: Bind for 0.0.0.0:80 failed: port is already allocated" */
	CMD_CONTAINER_STOP    = 12, /* container_stop. want=stopped, stopped_by_user. EALREADY when not running/restarting. Events kill (at once); stop comes with the exit report */
	CMD_CONTAINER_RESTART = 13, /* container_stop. start_gen+1, restart_gen=start_gen, want=running: node stops it first if it runs */
	CMD_CONTAINER_KILL    = 14, /* container_kill. kill_gen+1, kill_signal; EBUSY "Cannot kill container: X: container <id> is not running". stopped_by_user only for SIGKILL/SIGTERM/stop signal. Event kill {signal} */
	CMD_CONTAINER_REMOVE  = 15, /* container_remove. running without force: EBUSY in Docker's words; want=removed twice: EBUSY "removal of container X is already in progress"; the record goes when the node reports removed */
	CMD_CONTAINER_RENAME  = 16, /* container_rename. Event rename {oldName} */
	CMD_CONTAINER_PAUSE   = 17, /* by_id: want_paused=true. EBUSY when not running or paused already */
	CMD_CONTAINER_UNPAUSE = 18, /* by_id */
	CMD_CONTAINER_UPDATE  = 19, /* container_update: resources and restart policy */

	CMD_CONTAINER_MOVE    = 22, /* container_move, from the scheduler. Away from a lost or drained node, if it is still there: EALREADY when not; EPERM when it
	                             * cannot move (container_moves()); ENOSPC no node has room. From a lost node at once: event die {137}, a new start elsewhere. From a drained one
	                             * it is stopped first (`move`), and starts elsewhere with its exit report. Event move {from, to} */

	CMD_CONTAINER_EVENT   = 23, /* container_event: something happened to it that changes nothing: attach, top, resize, export, archive-path... */
	CMD_CONTAINER_PROBE   = 24, /* container_probe, from its node: events exec_create, exec_start and exec_die of a health check */

	CMD_EXEC_CREATE       = 20, /* exec (container id resolved by the caller, config) -> exec. EBUSY "container X is not running" / "Container X is paused, unpause the container before exec". Event "exec_create: CMD" */
	CMD_EXEC_REPORT       = 21, /* exec (id, account, container, started/running/exited, pid, exit_code), from node. Events "exec_start: CMD", "exec_die" {execID, exitCode}.
	                             * At most 1,000 finished execs per account stay; they go with their container */

	/* node_report, from node: what became of one container. Idempotent; a report for a record that is gone is fine.
	 *   RUNNING: status running, gen=start_gen reported, pid, started; events network:connect (network), start; restart when restart_gen == gen
	 *   START_FAILED: error, error_code, exit_code (125/126/127), gen; status stays created or exited; want=stopped; auto_remove: also removed. No die event when it never ran; addresses stay
	 *   EXITED: exit_code, oom, finished, exits+1; event die {exitCode}, (oom before it), network:disconnect, stop when want is stopped.
	 *           want==running && start_gen==gen && container_restarts(): status restarting, next_start=finished+backoff, restart_count+1, pending work;
	 *           else status exited and want=stopped (unless a newer start_gen waits). auto_remove and not restarting: the report carries removed too, or want=removed
	 *   NETWORKED: net_done=net_gen, net_error; events connect of what is joined now, disconnect of what was leaving; what could not be joined (`failed_endpoint`) goes,
	 *           and the node looks again
	 *   KILLED: kill_done=kill_gen.   PAUSED / UNPAUSED: status, events pause / unpause
	 *   REMOVED: the record and its keys (name, address, ports, slot, execs, C/, w/) go; anonymous volumes when remove_volumes or auto_remove; events (die before if not yet) destroy
	 * Several facts may come in one report, in this order: exited, removed. The w/ key goes when container_settled(). */
	CMD_NODE_REPORT       = 30,
	CMD_NODE_REGISTER     = 31, /* node: at each start of the node role; seen=now */

	CMD_NODE_JOIN         = 32, /* node_join, from the peer role of any node -> node_joined: uses up a token, makes the node's record with a new server id.
	                             * EPERM "this token was used already" / "... expired" / "there is no such token"; the same node (id and key) may ask again */
	CMD_TOKEN_CREATE      = 33, /* join_token: hash and expires given. Operators */
	CMD_NODE_UPDATE       = 34, /* node_update: availability, labels. Operators. ENOENT "No such node: X" */
	CMD_NODE_REMOVE       = 35, /* node_update with only the id. EBUSY while it has containers and is not lost, unless force. It stays linked until it is out of the log */
	CMD_NODE_STATE        = 36, /* node_update: state, from the scheduler: "lost" or "up" */
	CMD_NODE_FORGET       = 37, /* by_id, from the leader's own replica: a removed node takes no part in the log any more, so its links may go */

	CMD_IMAGE_PUT         = 40, /* image_put: record i/, and t/ for each ref. Event pull/load/import (action given) on the ref.
	                             * Action push: only `packed` and refs by digest, when the image is still there */
	CMD_IMAGE_TAG         = 41, /* image_tag: a ref that exists moves. Event tag */
	CMD_IMAGE_REMOVE      = 42, /* image_remove {ref or id as given, image_id resolved by the caller, ref or "" , force} -> image_removed lists. Docker's conflict sentences */
	CMD_IMAGE_PRUNE       = 43, /* image_prune -> image_removed */
	CMD_IMAGE_PARENT      = 44, /* image_step: a build found an image that came from elsewhere to be what `step` makes of `parent`. One that has a parent
	                             * keeps it. No event. Leaders of older builds do not know it */

	CMD_VOLUME_CREATE     = 50, /* volume -> volume (the old one when it exists). Event create */
	CMD_VOLUME_REMOVE     = 51, /* by_name. EBUSY "remove X: volume is in use - [id]". Event destroy */

	CMD_NETWORK_CREATE    = 60, /* network -> network. Free subnet from 172.18.0.0/16.. when none given */
	CMD_NETWORK_REMOVE    = 61, /* by_id (name or prefix as well). EPERM "bridge is a pre-defined network and cannot be removed"; EPERM while a
	                             * running container is on it; stopped ones lose their address there and do not start any more */
	CMD_NETWORK_CONNECT   = 62, /* network_join. EPERM "endpoint with name X already exists in network Y". Of a running container: net_gen+1, event connect comes
	                             * with the node's report */
	CMD_NETWORK_DISCONNECT = 63, /* network_leave. Of a running container: the endpoint moves to `leaving`, net_gen+1 */

	CMD_NETWORK_SELF      = 64, /* by_id, from node, with the network's account: an address of that node's own in the network, for published
	                             * ports whose container is elsewhere. Nothing when it has one */

	CMD_CLUSTER_INIT      = 70, /* cluster_init: once, by serve's first start: cluster, packages, operator account */

	/* usage_put, from a node: what its containers used since its last roll-up, by account, hour and package. Counted once: `seq` grows
	 * with each roll-up, and one that was seen already changes nothing. EPERM while a node's build does not know the totals' records */
	CMD_USAGE_PUT         = 80,
	CMD_MAX
};
const char *command_name(int cmd);                    /* "container.create"; "" when unknown */

struct by_name { struct str name; };
extern const struct field by_name_fields[];
struct by_id { struct str id; };                      /* a full id; callers resolve names and prefixes in their view */
extern const struct field by_id_fields[];

struct account_put { struct account account; };
extern const struct field account_put_fields[];

struct container_create {
	struct container c;                           /* config and host merged and checked; image_id, layers, path, args, ports (container_port, wish), mounts (wish) */
	struct str  name;                             /* "" for a random one */
};
extern const struct field container_create_fields[];

struct container_stop { struct str id; int64_t timeout_s; bool has_timeout; struct str signal; };
extern const struct field container_stop_fields[];
struct container_kill { struct str id; int64_t signal; };
extern const struct field container_kill_fields[];
struct container_remove { struct str id; bool force, volumes; };
extern const struct field container_remove_fields[];
struct container_rename { struct str id, name; };
extern const struct field container_rename_fields[];
struct network_join { struct str id, network; struct endpoint_settings ep; }; /* id: of the container */
extern const struct field network_join_fields[];
struct container_event { struct str id, action; struct pairs attributes; };
extern const struct field container_event_fields[];
struct container_probe { struct str id, account; int64_t exit_code; };
extern const struct field container_probe_fields[];
struct network_leave { struct str id, network; };
extern const struct field network_leave_fields[];
struct container_update { struct str id; struct host_config host; };
extern const struct field container_update_fields[];

struct node_report {
	struct str id, account;
	bool       running, start_failed, exited, killed, paused, unpaused, removed; /* which facts this report carries */
	int64_t    gen, kill_gen;                     /* start_gen / kill_gen this answers */
	int64_t    pid, exit_code, error_code;
	bool       oom_killed;
	struct str error;
	struct field_time started, finished;
	struct health health;                         /* status "": this report does not tell */
	bool       networked;
	int64_t    net_gen;
	struct str failed_endpoint;                   /* id; `error` says why */
};
extern const struct field node_report_fields[];

struct image_put { struct image image; struct strs refs; struct str action, container; }; /* container: commit of one, for its event */
extern const struct field image_put_fields[];
struct image_remove { struct str given, image_id, ref; bool force, no_prune; };
extern const struct field image_remove_fields[];
struct image_prune { bool all; struct strs image_ids; };  /* candidates chosen by the caller's filters; checked again here */
extern const struct field image_prune_fields[];
struct image_delete_item { struct str untagged, deleted; };
struct image_delete_items { struct image_delete_item *v; size_t n; };
extern const struct field image_delete_item_fields[];
struct image_removed { struct image_delete_items items; int64_t reclaimed; };
extern const struct field image_removed_fields[];

struct node_join { struct str token; struct node node; bool named; }; /* the secret; id, name, key, address of the one that joins; --name was given */
extern const struct field node_join_fields[];
struct node_joined { struct node node; struct cluster cluster; };
extern const struct field node_joined_fields[];
struct node_update { struct str id, availability, state; struct pairs labels; struct strs labels_rm; bool force; };
extern const struct field node_update_fields[];

struct container_move { struct str id, account, node; bool lost; }; /* node: where it is to leave; lost: its lease is over */
extern const struct field container_move_fields[];

struct cluster_init { struct cluster cluster; struct node node; };
extern const struct field cluster_init_fields[];

#endif
