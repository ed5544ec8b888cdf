/* Polite answers for what is not here: swarm mode and plugins as an engine without them gives. */
#include "docker/api.h"

#include <errno.h>

int sys_no_swarm(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, EAGAIN, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
}

int sys_not_in_swarm(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, EAGAIN, "This node is not part of a swarm");
}

int sys_no_swarm_mode(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, ENOTSUP, "swarm mode is not supported: all nodes of the data center are one Docker host already");
}

int sys_no_plugin(struct req *r, struct err *e)
{
	return err_set(e, ENOENT, "plugin \"%.*s\" not found", STR_ARG(str_head(req_var(r, "name"), 100)));
}

int sys_no_plugins(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, ENOTSUP, "plugins are not supported: they would be programs with the machine's own rights");
}

int sys_empty_list(struct req *r, struct err *e)
{
	return reply_text(r, 200, "application/json", STR("[]\n"), e);
}

int sys_no_buildkit(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, ENOTSUP, "BuildKit is not part of this engine: set DOCKER_BUILDKIT=0, or use a docker buildx builder of your own");
}

int sys_no_experiments(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, ENOTSUP, "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it.");
}
