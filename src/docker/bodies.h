/* The field tables of request bodies, beside those of model/container.h. For the files that own them, and for the table of
 * docs/api.md and the tests that walk them (test/unit/docker/apitable.h). */
#ifndef DOCKER_BODIES_H
#define DOCKER_BODIES_H

#include "codec/field.h"

extern const struct field create_request_fields[];    /* what stands beside container_config_fields */
extern const struct field bind_options_fields[], volume_options_fields[], tmpfs_options_fields[], image_options_fields[]; /* of Mounts */
extern const struct field port_binding_fields[];      /* of PortBindings */
extern const struct field device_request_fields[];    /* of DeviceRequests */
extern const struct field endpoint_config_fields[], network_request_fields[], connect_request_fields[], disconnect_request_fields[];
extern const struct field volume_request_fields[], registry_auth_fields[];

#endif
