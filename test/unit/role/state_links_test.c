/* Links between state roles, over socket pairs in the place of the peer role's streams. */
#include "role/state_links.h"

#include "unit/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct err e;

struct place {
	struct loop     loop;
	struct links   *links;
	struct ipc_chan *ours, *peers;                /* ends of the channel between the state and the peer role */
	int             far[8], opened;               /* far ends of the links that were asked for */
	int             lost;
};

static int on_open(struct ipc_req *r, void *in, struct err *err)
{
	struct place *p = r->ctx;
	int pair[2], rc;

	(void)in;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_sys(err, "pair");
	p->far[p->opened++] = pair[0];
	rc = ipc_reply(r, NULL, NULL, &pair[1], 1);
	close(pair[1]);
	return rc;
}

static const struct ipc_op peer_ops[] = { { OP_LINK_OPEN, ROLE_STATE, link_fields, sizeof(struct link), on_open }, { 0 } };
static const struct ipc_op state_ops[] = { { 0 } };
static const struct ipc_chan_fns chan_fns = { 0 };

static void receive(void *ctx, uint64_t from, struct str msg)
{
	(void)ctx;
	(void)from;
	(void)msg;
}

static void where(void *ctx, struct arena *a, struct link *to)
{
	(void)ctx;
	(void)a;
	(void)to;
}

static void lost(void *ctx, uint64_t from)
{
	(void)from;
	((struct place *)ctx)->lost++;
}

static const struct links_fns link_fns = { receive, where, lost };

static void begin(struct place *p)
{
	int fds[2];

	*p = (struct place){ 0 };
	REQUIRE_OK(loop_init(&p->loop, &e), e);
	REQUIRE_OK(ipc_pair(fds, &e), e);
	p->links = links_new(&p->loop, &link_fns, p);
	p->ours = ipc_chan_new(&p->loop, fds[0], ROLE_PEER, state_ops, &chan_fns, p, &e);
	p->peers = ipc_chan_new(&p->loop, fds[1], ROLE_STATE, peer_ops, &chan_fns, p, &e);
	REQUIRE(p->ours && p->peers);
	links_peer(p->links, p->ours);
}

static void steps(struct place *p, int n)
{
	while (n--)
		REQUIRE_OK(loop_step(&p->loop, 10, &e), e);
}

static void end(struct place *p)
{
	links_free(p->links);
	ipc_chan_free(p->ours);
	ipc_chan_free(p->peers);
	for (int i = 0; i < p->opened; i++)
		close(p->far[i]);
	loop_release(&p->loop);
}

/* What the call before last said of errno is of no interest: it made a link that had ended look open for three seconds. */
TEST(a_link_that_ended_is_opened_again_for_the_next_message)
{
	struct place p;
	char got[64];

	begin(&p);
	links_send(p.links, 7, STR("one"));
	steps(&p, 4);
	CHECK_INT(p.opened, 1);
	CHECK_INT(recv(p.far[0], got, sizeof got, MSG_DONTWAIT), 7);
	shutdown(p.far[0], SHUT_WR);                  /* its state role is gone, its stream lingers */
	errno = EAGAIN;
	steps(&p, 2);
	links_send(p.links, 7, STR("two"));
	steps(&p, 4);
	CHECK_INT(p.opened, 2);
	CHECK_INT(recv(p.far[1], got, sizeof got, MSG_DONTWAIT), 7);
	end(&p);
}
