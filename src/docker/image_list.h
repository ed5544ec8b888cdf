/* What `docker system df` shows of images. */
#ifndef DOCKER_IMAGE_LIST_H
#define DOCKER_IMAGE_LIST_H

#include "docker/api.h"

/* The caller's images as a JSON array to `b`, and the bytes of all their layers, each layer counted once. */
int images_usage(struct req *r, struct view_txn *t, struct buf *b, int64_t *bytes, struct err *e);

#endif
