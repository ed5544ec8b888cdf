/* Ports and mounts as clients write them, turned into the model's lists. Pure; nothing blocks. Errors are EINVAL with
 * Docker's sentences where there are some. Everything lives in `a`. */
#ifndef DOCKER_PORTS_H
#define DOCKER_PORTS_H

#include "model/container.h"

/* "80/tcp", "53/udp", "80" (tcp). */
int port_parse(struct str s, struct str *proto, int64_t *port, struct err *e);

/* PortBindings as sent, and with `publish_all` every exposed port that has none. */
int ports_plan(struct arena *a, const struct container_config *config, const struct host_config *host,
	       struct published_ports *out, struct err *e);

/* Binds, Mounts, Tmpfs and the Volumes of config (the image's included), in this order of precedence by
 * destination. Host paths become type "bind": whether the caller may is not decided here. */
int mounts_plan(struct arena *a, const struct container_config *config, const struct host_config *host,
		struct mount_points *out, struct err *e);

/* Options of a volume of the driver "local" as `volume create -o` and volume-opt say them: type, o, device, size. EINVAL; ENOTSUP names what is
 * not supported. Whether the caller may mount a host path is not decided here. */
int volume_options_check(struct arena *a, const struct pairs *options, int64_t *size, int64_t *mode, struct err *e);
bool volume_is_host_path(const struct pairs *options);
/* The options of --tmpfs, appended to `out` as a mount. */
int mounts_tmpfs(struct arena *a, struct str dest, struct str options, struct mount_points *out, struct err *e);

/* The mounts of another container (--volumes-from X[:ro]), where the destination is not taken yet. */
void mounts_from(const struct container *from, bool read_only, struct mount_points *out);

/* "64m", "1g", "512k", "1024": bytes. */
int size_parse(struct str s, int64_t *bytes, struct err *e);

#endif
