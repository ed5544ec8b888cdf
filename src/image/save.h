/* `docker save`: images as one archive, in both forms at once: manifest.json (docker load of any version) and an OCI layout (index.json). Layers go
 * out as the blobs they are kept as. */
#ifndef IMAGE_SAVE_H
#define IMAGE_SAVE_H

#include "model/image.h"

struct save_image {
	const struct image *image;
	struct strs refs;                             /* familiar, with tags: "busybox:latest"; may be empty */
};

/* Write the archive to `out`. Blocks on the reader: call it in a child. Every blob is checked against its digest on the way; one that is
 * missing (ENOENT) is told before the first byte, one that is damaged (EBADMSG) ends the archive early. */
int images_save(int data, const struct save_image *v, size_t n, int out, struct err *e);

#endif
