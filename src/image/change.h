/* Dockerfile instructions that change only a configuration: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, MAINTAINER, ONBUILD, SHELL,
 * STOPSIGNAL, USER, VOLUME, WORKDIR. For `docker build`, import --change and commit --change. Pure; results live in the arena. */
#ifndef IMAGE_CHANGE_H
#define IMAGE_CHANGE_H

#include "image/dockerfile.h"
#include "model/container.h"

struct config_change {
	struct container_config *config;
	const struct pairs *args;                     /* of a build: variables after the configuration's own. May be NULL */
	char escape;
	bool cmd_set;                                 /* a CMD came before: ENTRYPOINT keeps it */
	struct str author;                            /* MAINTAINER */
};

bool config_changes(const struct instruction *i);     /* is it one of these? */

/* EINVAL in Docker's words; then the configuration may be half changed. `*line` (may be NULL) is the instruction with its variables
 * replaced, as history shows it: "ENV A=b". */
int config_apply(struct arena *a, struct config_change *c, const struct instruction *i, struct str *line, struct err *e);

/* One line of --change. */
int image_config_change(struct arena *a, struct container_config *c, struct str line, struct err *e);

/* NAME=VALUE into a list of such; replaces. */
void env_set(struct arena *a, struct strs *env, struct str name, struct str value);

/* What runs a command in shell form: SHELL, or /bin/sh -c; then the command. */
struct strs shell_command(struct arena *a, const struct container_config *c, struct str command);

#endif
