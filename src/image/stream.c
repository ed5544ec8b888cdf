#include "image/pull.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void *ask_to_unpack(void *arg)
{
	struct layer_stream *s = arg;
	struct layer_call call = { .plain = s->plain };
	struct ipc_call c = { .op = PULL_UNPACK, .in_fields = layer_call_fields, .in = &call, .out_fields = layer_reply_fields,
		.out = &s->reply, .fds = &s->from, .nfds = 1, .timeout_ms = -1 };

	s->rc = ipc_call(s->p->node, &s->arena, &c, &s->err);
	fd_close(&s->from);
	return NULL;
}

int layer_stream_begin(struct layer_stream *s, struct pull *p, bool plain, struct err *e)
{
	int ends[2];

	*s = (struct layer_stream){ .p = p, .plain = plain };
	if (pipe2(ends, O_CLOEXEC))
		return err_sys(e, "make a pipe to the unpacker");
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	s->from = ends[0];
	s->to = ends[1];
	if (pthread_create(&s->thread, NULL, ask_to_unpack, s))
		abort();
	return 0;
}

int layer_stream_end(struct layer_stream *s, struct layer_reply *out, struct err *e)
{
	struct arena *a = s->p->arena;

	fd_close(&s->to);
	pthread_join(s->thread, NULL);
	if (s->rc)
		*e = s->err;
	else
		*out = (struct layer_reply){ s->reply.have, arena_str(a, s->reply.diff_id), arena_str(a, s->reply.blob), s->reply.size };
	arena_release(&s->arena);
	return s->rc;
}
