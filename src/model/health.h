/* Health checks: what the last probes said and what follows from it. The shim of a container runs them (runtime/shim_health.c); the
 * state has the status in the container's record and the results of its last change in a record of their own. Pure. */
#ifndef MODEL_HEALTH_H
#define MODEL_HEALTH_H

#include "model/container.h"

#define HEALTH_LOG_MAX    5                           /* results kept */
#define HEALTH_OUTPUT_MAX 4096                        /* bytes of each */

struct health_result {
	struct field_time start, end;
	int64_t    exit_code;                         /* -1: not started, or killed at its time limit */
	struct str output;
};
struct health_results { struct health_result *v; size_t n; };

struct health {
	struct str status;                            /* "starting", "healthy", "unhealthy"; "": no health check */
	int64_t    failing_streak;
	struct health_results log;                    /* oldest first */
};
extern const struct field health_fields[];

/* Docker's defaults in place of what is 0. */
struct healthcheck health_defaults(struct healthcheck h);

/* What runs: nothing (n 0) without a check, with NONE, or an unknown kind. */
struct strs health_args(struct arena *a, const struct container_config *c);

/* The image's check fills what the client left open. */
struct healthcheck health_merge(struct healthcheck client, struct healthcheck image);

/* The user's figures, in Docker's words. */
int health_check(const struct healthcheck *h, struct err *e);

/* Takes one result in: status and streak; `h` as health_defaults() gave it, `age_ns` from the container's start to the probe's. */
void health_judge(struct health *now, const struct healthcheck *h, int64_t age_ns, int64_t exit_code);

/* The pause before the next probe. */
int64_t health_pause_ns(const struct health *now, const struct healthcheck *h, int64_t age_ns);

#endif
