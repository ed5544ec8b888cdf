/* Where layers and blobs lie in the data directory, and putting them there durably. Root only; blocks on the disk. */
#ifndef IMAGE_LAYERS_H
#define IMAGE_LAYERS_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/sha256.h"

struct layer_note {                                   /* the file beside a layer */
	int64_t size;
	char    blob[DIGEST_TEXT + 1];
};

/* 1 there, 0 not, -1. */
int layer_find(int data, struct str diff_id, struct layer_note *note, struct err *e);

/* Move directory from/name to its place, synced before and after. One that is there already wins, `name` stays then. */
int layer_place(int data, int from, const char *name, const char *diff_id, const struct layer_note *note, struct err *e);

/* Move files from/<hex> into blobs/sha256: owned by root, read only, synced. Those up to 8 MiB are hashed again here; larger ones were
 * by the unpacker. One that is there already wins. */
int blobs_place(int data, int from, const struct strs *digests, struct err *e);

#endif
