/* Configurations to and from bytes, and the first one. */
#include "cluster/engine_conf.h"

#include <errno.h>

int engine_conf_encode(const struct engine_server *v, size_t n, struct arena *a, struct str *out, struct err *e)
{
	struct raft_configuration conf;
	struct raft_buffer buf;
	int rv = 0;

	raft_configuration_init(&conf);
	for (size_t i = 0; i < n && rv == 0; i++)
		rv = raft_configuration_add(&conf, v[i].id, arena_cstr(a, v[i].address), v[i].voter ? RAFT_VOTER : RAFT_STANDBY);
	if (rv == 0)
		rv = raft_configuration_encode(&conf, &buf);
	raft_configuration_close(&conf);
	if (rv)
		return err_set(e, EINVAL, "raft configuration: %s", raft_strerror(rv));
	*out = arena_str(a, str_make(buf.base, buf.len));
	raft_free(buf.base);
	return 0;
}

int engine_conf_raw(struct str s, struct raft_configuration *conf, struct err *e)
{
	/* The decoder wants something it may write to; it does not. */
	struct raft_buffer buf = { .base = (void *)s.p, .len = s.n };

	raft_configuration_init(conf);
	if (s.n == 0)
		return 0;
	if (raft_configuration_decode(&buf, conf)) {
		raft_configuration_close(conf);
		return err_set(e, EUCLEAN, "raft configuration is malformed");
	}
	return 0;
}

int engine_conf_decode(struct str s, struct arena *a, struct engine_server **v, size_t *n, struct err *e)
{
	struct raft_configuration conf;

	if (engine_conf_raw(s, &conf, e))
		return -1;
	*n = conf.n;
	*v = arena_new_n(a, struct engine_server, conf.n);
	for (unsigned i = 0; i < conf.n; i++)
		(*v)[i] = (struct engine_server){ .id = conf.servers[i].id,
			.address = arena_str(a, str_of(conf.servers[i].address)), .voter = conf.servers[i].role == RAFT_VOTER };
	raft_configuration_close(&conf);
	return 0;
}

int engine_bootstrap(struct logfile *l, uint64_t id, const struct engine_server *v, size_t n, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct log_entry first = { .index = 1, .term = 1, .type = LOG_CHANGE };

	if (logfile_last(l))
		return err_set(e, EEXIST, "this log is in use already");
	/* The entry comes last: a crash before it leaves an empty log, and this is done again. */
	if (engine_conf_encode(v, n, &a, &first.data, e) || logfile_set_server(l, id, e) || logfile_set_term(l, 1, 0, e) ||
	    logfile_reserve(l, 1, first.data.n, e) || logfile_append(l, &first, 1, e))
		return -1;
	return logfile_sync(l, e);
}
