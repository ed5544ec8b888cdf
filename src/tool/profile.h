/* What `triton setup` leaves in the home directory: ~/.triton/docker/<account>/{key,cert,ca}.pem, env.sh, setup.json, and
 * ~/.triton/current, which names the account set up last. Blocks on the disk. */
#ifndef TOOL_PROFILE_H
#define TOOL_PROFILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct profile {
	struct str account, cloudapi, docker_host, key;    /* key: fingerprint of the SSH key that signed */
	struct str dir;                               /* not stored: where the files are */
};

/* Whole or not at all: a new directory takes the place of the old one. `key_pem` is secret: mode 0600, like the others. Fills p->dir. */
int profile_save(struct arena *a, struct profile *p, struct str key_pem, struct str cert_pem, struct str ca_pem, struct err *e);

/* `account` NULL: the current one. Errors: ENOENT with a sentence that says what to do. */
int profile_load(struct arena *a, const char *account, struct profile *p, struct err *e);

/* The authority that an earlier setup of this account trusted, or STR_NONE. */
struct str profile_ca(struct arena *a, struct str account);

enum shell { SHELL_SH, SHELL_FISH, SHELL_CSH };
bool shell_by_name(struct str name, enum shell *out); /* "sh", "bash", "zsh", ..., "fish", "csh", "tcsh"; a path's last part */

/* The lines that set (or, with `unset`, remove) the environment. */
void profile_env(const struct profile *p, enum shell shell, bool unset, struct buf *b);

#endif
