/* Placement rules as classic Docker Swarm had them: constraints on nodes and affinities to containers.
 *
 *     docker run -e constraint:region==us* -e affinity:container!=db* ...
 *     docker run --label 'com.docker.swarm.constraints=["node==n1"]' --label 'com.docker.swarm.affinities=["image==~redis"]' ...
 *
 * KEY==VALUE or KEY!=VALUE; a ~ after the operator makes it soft: a preference. VALUE is exact, with * and ? a glob, between
 * slashes a regular expression (regex.h). Keys of constraints: node (id or name), a label of the node, kernelversion,
 * operatingsystem, architecture. Keys of affinities: container (id, a prefix of it, or name), image, or a label of a
 * container. Only the account's own containers count. Pure; results live in the arena. */
#ifndef SCHED_RULES_H
#define SCHED_RULES_H

#include "model/image.h"
#include "sched/regex.h"

#define LABEL_CONSTRAINTS "com.docker.swarm.constraints"
#define LABEL_AFFINITIES  "com.docker.swarm.affinities"
#define RULES_MAX         32                          /* of each kind */

struct rule {
	struct str    text, key, value;
	bool          not_, soft;
	bool          glob;
	struct regex *regex;                          /* NULL: exact or glob */
};
struct rules { struct rule *v; size_t n; };

/* Errors: EINVAL with a sentence that has the rule. */
int rule_parse(struct arena *a, struct str text, struct rule *out, struct err *e);

/* Of the labels above; absent ones are no rules. EINVAL: not a JSON list of strings, too many, a bad rule. */
int rules_of(struct arena *a, const struct pairs *labels, const char *label, struct rules *out, struct err *e);

/* Move `constraint:` and `affinity:` entries from the environment to the labels, and check all of them. */
int rules_take(struct arena *a, struct container_config *c, struct err *e);

/* Does the node meet it, != included? */
bool rule_meets(const struct rule *r, const struct node *n);
/* Is this a container that the rule speaks of (whether by == or by !=)? */
bool rule_names(const struct rule *r, const struct container *c);

#endif
