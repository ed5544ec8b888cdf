/* What every handler of the Docker API and CloudAPI works with: who is asking, the state's view, commands, the node.
 * One struct api for the process, shared by all request threads, read only after start but for what has its own lock. */
#ifndef DOCKER_API_H
#define DOCKER_API_H

#include "docker/answers.h"
#include "docker/filters.h"
#include "docker/render.h"
#include "http/pump.h"
#include "http/server.h"
#include "ipc/call.h"
#include "model/keys.h"
#include "model/op.h"
#include "store/view.h"

#include <stdatomic.h>

#define API_VERSION     "1.50"
#define API_VERSION_MIN "1.24"

struct api {
	struct view       *view;
	struct ipc_client *state, *node, *peer;
	struct pump       *pump;
	struct str         data_dir, node_id, datacenter, ca_pem, docker_endpoint, peer_endpoint;
	int64_t            start_ns;
	struct answers     lists;                     /* of containers */
	atomic_bool        alone;                     /* one node: what it has applied is the truth */
};

enum endpoint_flag {                                  /* of struct endpoint */
	PUBLIC = 1,                                   /* answers without a client certificate */
	ADMIN  = 2,                                   /* only on the local socket */
};

struct principal {
	struct str login;
	bool       operator_, local;                  /* local: root on the unix socket */
};

static inline struct api *api_of(struct req *r)
{
	return r->listener->ctx;
}

static inline const struct principal *who(struct req *r)
{
	return r->principal;
}

/* A read transaction for this request. Errors: EIO. */
int api_view(struct req *r, struct view_txn *t, struct err *e);

/* Run a command as the caller and wait until this node's view has it, so that a client reads its own writes. `out` (may be
 * NULL) takes the command's result. Errors: the command's; EAGAIN while the state role restarts. */
int api_command(struct req *r, int cmd, const struct field *f, const void *in, const struct field *of, void *out, struct err *e);

/* Ask the node role. `fds` (up to `nfds`) are handed over (copies); descriptors that come back go to `got` (room in
 * *ngot, count after). timeout_ms -1 waits for ever. */
int api_node(struct req *r, int op, const struct field *f, const void *in, const struct field *of, void *out,
	     const int *fds, size_t nfds, int *got, size_t *ngot, int timeout_ms, struct err *e);

#define NODE_TIMEOUT_MS 30000                         /* of what takes as long as there are files */

/* The same of another node's role, where a container is (its record says): STR_NONE or this node's id is this one. EAGAIN:
 * that node cannot be reached now. */
int api_on(struct req *r, struct str node, int op, const struct field *f, const void *in, const struct field *of, void *out,
	   const int *fds, size_t nfds, int *got, size_t *ngot, int timeout_ms, struct err *e);

/* OP_SIZE, OP_VOLUME_SIZE: the number that comes by the descriptor. EIO when none comes. Blocks. */
int api_count(struct req *r, struct str node, int op, const struct field *f, const void *in, int64_t *bytes, struct err *e);

/* The same for a thread beside the request's, with an arena of its own. `c` is used up. */
int api_ask(struct api *api, struct arena *a, struct str node, struct ipc_call *c, struct err *e);

/* The caller's container by name, id or unique prefix of an id. ENOENT "No such container: x"; EINVAL when ambiguous. */
int container_find(struct req *r, struct view_txn *t, struct str ref, struct container *c, struct err *e);
/* ... named by the {id} of the path, with a transaction of its own. */
int container_of(struct req *r, struct container *c, struct err *e);

/* The caller's image by reference, id or prefix: familiar normalisation ("busybox" is "busybox:latest"). ENOENT. */
int image_find(struct req *r, struct view_txn *t, struct str ref, struct image *i, struct err *e);
int platform_one(struct req *r, struct str *text, struct err *e); /* of the query, at most one; "os/arch[/variant]" */
/* Before an operation of this node on the image's layers: they are here when it returns 0. Blocks while they come from another node. */
int image_here(struct req *r, struct str id, struct err *e);
/* The references of an image of the caller. */
int image_refs(struct req *r, struct view_txn *t, struct str id, struct image_view *v, struct err *e);

/* The caller's images as a JSON array to `b`, and the bytes of all their layers, each layer counted once. */
int images_usage(struct req *r, struct view_txn *t, struct buf *b, int64_t *bytes, struct err *e);

/* ENOTSUP, naming `what`, while a node's build does not know what RECORDS_... `records` brought. Asked here and not of the leader, who may be
 * such a node, and would take it for something else. */
int records_need(struct req *r, int64_t records, const char *what, struct err *e);

/* Are there such containers ("db:alias")? EINVAL "could not get container for db: ...". */
int links_check(struct req *r, const struct strs *links, struct err *e);

/* Wait until `done` says so about the record, or the record is gone. Blocks. EPIPE: the client has gone. */
typedef bool record_done(const struct container *before, const struct container *now);
int record_wait(struct req *r, const struct container *before, record_done *done, struct err *e);

/* Something happened to it that Docker tells of and that changes nothing. Blocks; that it could not be told is no error of the request. */
void container_happened(struct req *r, struct str id, const char *action, const struct pairs *attributes);

int64_t node_cpus(struct req *r, struct view_txn *t); /* of the node that was asked; 1 where that is not known yet */

/* Pause or unpause, and wait until it is. EBUSY as CMD_CONTAINER_PAUSE. */
int container_freeze(struct req *r, const struct container *c, bool on, struct err *e);

/* The request's body into a pipe, which stays open. A reader that has heard enough is no error: its answer says why. */
int archive_body(struct req *r, int to, struct err *e);

/* Start it and wait until it runs or could not. Errors: why not. */
int container_run(struct req *r, const struct container *c, struct err *e);

/* --size: what the container wrote, counted by the node now, and what its image has, to env->size. Blocks. */
int container_sizes(struct req *r, const struct container *c, struct render_env *env, struct err *e);

/* An operation on images that is no stream to the client (OP_COMMIT, OP_LOGIN, OP_SEARCH...): *status is its last word, in the request's arena.
 * Blocks until it ends. EACCES: a registry refused the credentials. */
int image_job(struct req *r, int op, const struct pull_call *call, struct str *status, struct err *e);
int image_job_result(struct req *r, int progress, struct str *status, struct err *e); /* the end of one that was begun otherwise */
int image_job_with(struct req *r, struct str node, int op, const struct field *f, const void *in, struct str *status, struct err *e); /* OP_BUILD_COPY */

/* The registry's credentials from X-Registry-Auth into `call`, if there are any. EINVAL. */
int registry_auth_read(struct req *r, struct pull_call *call, struct err *e);
/* What X-Registry-Config has for the registry `host` ("docker.io", "localhost:5000") into a call; nothing when it has none. EINVAL. */
int registry_auth_for(struct req *r, struct str host, struct pull_call *call, struct err *e);
/* An operation on images (OP_PULL, OP_PUSH) whose progress is the answer, as it comes. */
int registry_stream(struct req *r, int op, const struct pull_call *call, struct err *e);

/* Answer with what a render function wrote. */
int reply_json(struct req *r, int status, struct buf *b, struct err *e);
struct render_env render_env_of(struct req *r);

/* Nodes that one answer speaks of, each read once; after view_end only those that were seen before. */
struct nodes_seen { struct node **v; size_t n, cap; };
const struct node *node_seen(struct req *r, struct view_txn *t, struct nodes_seen *seen, struct str id); /* NULL: no such node */
#define NODE_LABEL "com.triton.node"                  /* `docker ps` shows and filters by the node's name */

/* An event of this container since `revision`, or 0: *ev filled when found (1). */
int event_since(struct view_txn *t, struct arena *a, int64_t revision, struct str id, const char *action, struct event *ev, struct err *e);

/* Wait for a revision newer than `seen`, at most a second at a time. -1 (EPIPE) when the client has gone. */
int api_wait(struct req *r, int64_t seen, struct err *e);

extern const struct endpoint docker_endpoints[];

/* Handlers, by file. */
int sys_ping(struct req *r, struct err *e), sys_version(struct req *r, struct err *e), sys_info(struct req *r, struct err *e),
	sys_ca(struct req *r, struct err *e), sys_events(struct req *r, struct err *e), sys_df(struct req *r, struct err *e),
	sys_no_swarm(struct req *r, struct err *e), sys_not_in_swarm(struct req *r, struct err *e),
	sys_no_swarm_mode(struct req *r, struct err *e), sys_no_plugin(struct req *r, struct err *e),
	sys_no_plugins(struct req *r, struct err *e), sys_empty_list(struct req *r, struct err *e), sys_no_buildkit(struct req *r, struct err *e),
	sys_no_experiments(struct req *r, struct err *e);
int containers_get(struct req *r, struct err *e), container_create(struct req *r, struct err *e),
	container_inspect(struct req *r, struct err *e), container_start(struct req *r, struct err *e),
	container_stop(struct req *r, struct err *e), container_restart(struct req *r, struct err *e),
	container_kill(struct req *r, struct err *e), container_remove(struct req *r, struct err *e),
	container_rename(struct req *r, struct err *e), container_wait(struct req *r, struct err *e),
	container_pause(struct req *r, struct err *e), container_unpause(struct req *r, struct err *e),
	container_update(struct req *r, struct err *e), container_prune(struct req *r, struct err *e);
int container_attach(struct req *r, struct err *e), container_attach_ws(struct req *r, struct err *e), container_logs(struct req *r, struct err *e),
	container_resize(struct req *r, struct err *e), container_top(struct req *r, struct err *e),
	container_stats(struct req *r, struct err *e), container_changes(struct req *r, struct err *e),
	container_export(struct req *r, struct err *e), exec_create(struct req *r, struct err *e),
	exec_start(struct req *r, struct err *e), exec_inspect(struct req *r, struct err *e), exec_resize(struct req *r, struct err *e);
int archive_head(struct req *r, struct err *e), archive_read(struct req *r, struct err *e), archive_write(struct req *r, struct err *e);
int image_list(struct req *r, struct err *e), image_create(struct req *r, struct err *e), image_inspect(struct req *r, struct err *e),
	image_history(struct req *r, struct err *e), image_tag_add(struct req *r, struct err *e), image_delete(struct req *r, struct err *e),
	image_load(struct req *r, struct err *e), image_prune(struct req *r, struct err *e), image_save(struct req *r, struct err *e),
	image_commit(struct req *r, struct err *e), image_login(struct req *r, struct err *e), image_build(struct req *r, struct err *e), build_prune(struct req *r, struct err *e),
	image_push(struct req *r, struct err *e), image_search(struct req *r, struct err *e), image_distribution(struct req *r, struct err *e);
int networks_get(struct req *r, struct err *e), network_inspect(struct req *r, struct err *e), network_create(struct req *r, struct err *e),
	network_remove(struct req *r, struct err *e), network_prune(struct req *r, struct err *e),
	network_connect(struct req *r, struct err *e), network_disconnect(struct req *r, struct err *e);
int volume_list(struct req *r, struct err *e), volume_create(struct req *r, struct err *e), volume_inspect(struct req *r, struct err *e),
	volume_remove(struct req *r, struct err *e), volume_prune(struct req *r, struct err *e);
int admin_accounts(struct req *r, struct err *e), admin_account_add(struct req *r, struct err *e), admin_account_show(struct req *r, struct err *e),
	admin_account_rm(struct req *r, struct err *e), admin_account_disable(struct req *r, struct err *e),
	admin_account_enable(struct req *r, struct err *e), admin_keys(struct req *r, struct err *e), admin_key_add(struct req *r, struct err *e),
	admin_nodes(struct req *r, struct err *e), admin_node_show(struct req *r, struct err *e), admin_node_update(struct req *r, struct err *e),
	admin_node_remove(struct req *r, struct err *e), admin_key_rm(struct req *r, struct err *e), admin_usage(struct req *r, struct err *e), admin_status(struct req *r, struct err *e), admin_dump(struct req *r, struct err *e),
	admin_token_add(struct req *r, struct err *e);

#endif
