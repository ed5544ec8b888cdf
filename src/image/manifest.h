/* Manifests (Docker image manifest v2 schema 2, OCI image-spec 1.1), lists and indexes, and the image configuration. They come from
 * registries and archives: sizes, counts, digests and media types are checked here. Pure functions; results live in the arena. */
#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H

#include "model/image.h"

#define MANIFEST_MAX     (4 << 20)                    /* bytes of a manifest, index or config document */
#define MANIFEST_LAYERS  1000
#define MANIFEST_ENTRIES 1000                         /* of an index */

#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"

struct platform {
	struct str os, architecture, variant;         /* as Go names them: linux, amd64, "" */
};

struct descriptor {
	struct str media_type, digest;
	int64_t    size;
	struct platform platform;                     /* in an index */
	struct pairs annotations;
};
struct descriptors { struct descriptor *v; size_t n; };

struct manifest {
	bool is_index;
	struct str media_type;
	struct descriptor config;                     /* of a manifest */
	struct descriptors layers;                    /* of a manifest, lowest first */
	struct descriptors manifests;                 /* of an index */
};

/* `content_type` (what the registry said, "" unknown) must agree with the document's own mediaType and with its members: a document
 * with both layers and manifests is refused (CVE-2021-41190). Schema 1, foreign layers, unknown layer types: ENOTSUP. Malformed: EBADMSG. */
int manifest_parse(struct arena *a, struct str text, struct str content_type, struct manifest *out, struct err *e);

struct platform platform_host(void);                  /* linux/<this machine> */
/* "linux/arm64/v8", "linux/amd64", "arm64", "linux". "" is the host's. EINVAL. */
int platform_parse(struct arena *a, struct str text, struct platform *out, struct err *e);
struct str platform_text(struct arena *a, const struct platform *p);
/* The best entry for `want`: same os and architecture, its variant or the nearest lower one; NULL when none fits. Attestations
 * (platform unknown/unknown) never fit. */
const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *want);
bool platform_fits(const struct platform *want, const struct platform *have);
int image_check_platform(struct arena *a, struct str platform, struct str ref, const struct image *img, struct err *e); /* "": any fits. ENOENT */

/* The configuration JSON of an image into `out`: everything but account, blobs, size, manifest, put. `id` is the digest of the bytes.
 * History without rootfs entries of the same count, diff ids that are none, an os other than linux: EBADMSG or ENOTSUP. */
int image_config_parse(struct arena *a, struct str json, struct image *out, struct err *e);

/* A configuration for `img` (import, commit): its bytes; img->id is set to their digest. */
struct str image_config_make(struct arena *a, struct image *img);

/* A manifest of img: config size and layer sizes as given (img->blobs are the layers' digests). Docker schema 2, or OCI when the layers' types are. */
struct str manifest_make(struct arena *a, const struct image *img, int64_t config_size, const int64_t *sizes, const struct strs *types);

#endif
