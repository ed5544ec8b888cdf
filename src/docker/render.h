/* Records to the JSON shapes of the Docker API: containers/json items, container inspect, image inspect and list,
 * network and volume objects. Pure: time and places are arguments; nothing blocks; results live in `a`. */
#ifndef DOCKER_RENDER_H
#define DOCKER_RENDER_H

#include "model/account.h"
#include "model/health.h"
#include "model/image.h"

/* What the shapes need besides the record. */
struct render_env {
	struct arena *a;
	int64_t       now_ns;
	struct str    data_dir;                       /* paths shown in inspect: where things lie on the node */
	struct strs   exec_ids;                       /* of the inspected container */
	struct { struct raw rw, root; } size;         /* bytes of the writable layer, and with the image; "" where nobody asked */
	struct raw    usage;                          /* of a volume, for `system df`; "" elsewhere */
	struct health health;                         /* the inspected one's; status "": nothing is checked */
	const struct node *node;                      /* where the container is; NULL: not known */
};

/* "3 seconds", "About a minute", "5 weeks": Docker's words for a span. */
struct str render_duration(struct arena *a, int64_t ns);
/* "Up 3 seconds", "Exited (0) 2 minutes ago", "Created": the STATUS column; "Up 3 minutes (node lost)" when nobody knows. */
struct str render_status(struct arena *a, const struct container *c, bool lost, int64_t now_ns);
int64_t render_status_until(const struct container *c, int64_t now_ns); /* when these words change, or earlier */
bool node_is_lost(const struct node *n);              /* n may be NULL */

void render_container_item(struct render_env *env, struct buf *b, const struct container *c);
void render_container(struct render_env *env, struct buf *b, const struct container *c);

struct image_view {                                   /* an image with its references */
	const struct image *image;
	struct strs tags, digests;                    /* "busybox:latest", "busybox@sha256:..." */
	int64_t     containers, shared_size;          /* shared_size: bytes of its layers that other images have too; -1: not counted */
};
void render_image_item(struct render_env *env, struct buf *b, const struct image_view *v);
void render_image(struct render_env *env, struct buf *b, const struct image_view *v);
void render_history(struct render_env *env, struct buf *b, const struct image_view *v);

/* `containers`: those attached to the network, for inspect; NULL in lists. */
struct containers { struct container *v; size_t n; };
void render_network(struct render_env *env, struct buf *b, const struct network *n, const struct containers *on_it);
void render_volume(struct render_env *env, struct buf *b, const struct volume *v);

struct str volume_mountpoint(struct render_env *env, struct str account, struct str name);

#endif
