/* Put the entries of a layer's archive into a directory. Writes with the rights of the caller, which should be few: see
 * unpack.h for what is done with whiteouts, links, devices and attributes. Blocks. */
#ifndef IMAGE_TREE_H
#define IMAGE_TREE_H

#include "codec/tar.h"
#include "os/fd.h"

struct tree_dir;

struct tree {
	int     root;                                 /* borrowed */
	int64_t max_size, size, entries;              /* limit and sum of file bytes; 0: 64 GiB */
	bool    as_is;                                /* set after tree_init: no whiteouts, all belongs to root */
	/* private */
	int     parent;                               /* the directory used last, open */
	struct str parent_path;                       /* its path, in parent_buf */
	char    parent_buf[TAR_NAME_MAX + 1];
	struct tree_dir *dirs;                        /* whose times are set at the end */
	struct arena arena;
};

void tree_init(struct tree *t, int root, int64_t max_size);
void tree_release(struct tree *t);

/* One entry, its data read from r. Errors name it, escaped: EACCES leaves the layer, EFBIG, ERANGE ids, ENOSPC... */
int tree_entry(struct tree *t, struct tar_reader *r, const struct tar_entry *entry, struct err *e);
int tree_finish(struct tree *t, struct err *e);       /* after the last: directory times */

/* "./a//b/" -> "a/b" into out (at least name.n + 1 bytes), "" is the root. False when a part is "..". */
bool tree_clean_name(struct str name, char *out);

#endif
