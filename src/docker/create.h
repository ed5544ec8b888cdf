/* `POST /containers/create`: decode the body, merge the image's configuration, refuse what is not possible, plan
 * ports and mounts. Pure: the caller looks up the image and the --volumes-from containers. Nothing blocks. */
#ifndef DOCKER_CREATE_H
#define DOCKER_CREATE_H

#include "model/command.h"

struct endpoint_ipam { struct str ipv4, ipv6; struct strs link_local; };
struct endpoint_config {                              /* NetworkingConfig.EndpointsConfig */
	struct str  key;                              /* network's name or id */
	struct endpoint_ipam ipam;
	struct strs links, aliases;
	struct str  mac_address;
	struct pairs driver_opts;
	int64_t     gw_priority;
};
extern const struct field endpoint_config_fields[];
struct endpoint_configs { struct endpoint_config *v; size_t n; };
struct networking_config { struct endpoint_configs endpoints; };

struct create_request {
	struct container_config  config;
	struct host_config       host;
	struct networking_config net;
	struct raw masked_paths, readonly_paths;      /* as sent: null and [] differ */
};

/* Body (JSON) to request. Errors: EINVAL. */
int create_decode(struct arena *a, struct str body, struct create_request *out, struct err *e);

/* Everything that is refused whatever the image is: EINVAL (nonsense), EPERM (operator accounts only),
 * ENOTSUP (not there yet); each sentence names the option. `cpus` are the data center's largest node's. */
int create_check(const struct create_request *q, bool operator_, int64_t cpus, struct err *e);

/* Request + image -> what CMD_CONTAINER_CREATE takes. `out->c` shares memory with both. */
int create_plan(struct arena *a, const struct create_request *q, const struct image *image,
		struct container_create *out, struct err *e);

/* One network's wishes, checked: EINVAL, ENOTSUP. */
int endpoint_wish(const struct endpoint_config *q, struct endpoint_settings *out, struct err *e);
/* The networks of a container that is to be created, that of NetworkMode first. Part of create_plan. */
int endpoints_plan(struct arena *a, const struct create_request *q, struct container *c, struct err *e);
/* "db:alias", "/db:alias" or "db" (its own alias). */
void link_cut(struct str link, struct str *target, struct str *alias);

/* What the client did not say is as in the image (or, for commit, as in the container). */
void config_merge(struct arena *a, struct container_config *c, const struct container_config *image);

/* "seccomp=unconfined", or as in old days "seccomp:unconfined". `val` is empty when there is none. */
void security_opt_cut(struct str opt, struct str *key, struct str *val);

/* The system call profile that the options hold, if any. EINVAL, ENOTSUP. */
int security_profile(struct arena *a, const struct host_config *h, bool operator_, struct seccomp_profile *out, struct err *e);

/* What `docker update` may change. */
int update_check(const struct host_config *h, bool operator_, int64_t cpus, struct err *e);

/* Parts of the two: check_resources.c and check_rights.c. */
int resources_check(const struct host_config *h, bool operator_, int64_t cpus, struct err *e);
int rights_check(const struct create_request *q, bool operator_, struct err *e);
int only_operator(bool operator_, const char *option, struct err *e); /* EPERM with the option's name */

static inline bool raw_given(struct raw r)
{
	return r.json.n && !str_is(r.json, "null") && !str_is(r.json, "[]") && !str_is(r.json, "{}");
}

#endif
