/* What goes wrong: kills, power, disks, partitions, loss, pauses, the office handed over, machines that come and go. */
#include "sim/world.h"

#include "store/replica_parts.h"

static void heal(struct world *w)
{
	memset(w->cut, 0, sizeof w->cut);
}

static void split(struct world *w)
{
	uint64_t side = roll(w, 1u << NODES_MAX);

	for (int i = 0; i < NODES_MAX; i++)
		for (int k = 0; k < NODES_MAX; k++)
			w->cut[i][k] = (side >> i & 1) != (side >> k & 1);
}

/* In both directions, or it hears nobody, or nobody hears it. */
static void isolate(struct world *w, struct machine *n)
{
	uint64_t how = roll(w, 3);

	for (int k = 0; k < NODES_MAX; k++) {
		w->cut[n->i][k] = how != 0;
		w->cut[k][n->i] = how != 1;
	}
}

static void cut_some(struct world *w)
{
	for (int i = 0; i < NODES_MAX; i++)
		for (int k = 0; k < NODES_MAX; k++)
			w->cut[i][k] = roll(w, 3) == 0;
}

/* What is sent there, or comes from there, arrives late: a link that lost something and sends it again. */
static void stall(struct world *w, struct machine *n)
{
	int64_t until = w->now + (int64_t)roll(w, 4000);
	uint64_t how = roll(w, 3);

	for (int k = 0; k < NODES_MAX; k++) {
		int64_t *in = &w->link_free[k][n->i], *out = &w->link_free[n->i][k];

		if (how != 0 && roll(w, 2) && *in < until)
			*in = until;
		if (how != 1 && roll(w, 2) && *out < until)
			*out = until;
	}
}

/* For longer than a lease; then all is well for a moment. */
static void be_patient(struct world *w, struct machine *n)
{
	w->isolated = !w->isolated;
	heal(w);
	if (w->isolated)
		isolate(w, n);
	w->fault_at = w->now + (w->isolated ? 15000 + (int64_t)roll(w, 15000) : (int64_t)roll(w, 4000));
}

static void all_lose_power(struct world *w)
{
	for (int i = 0; i < NODES_MAX; i++)
		if (w->nodes[i].life == UP)
			node_kill(&w->nodes[i], true, (int64_t)roll(w, 1500));
}

void fault_work(struct world *w)
{
	static const char *const points[] = { "meta", "log", "snap", "names", "names" };
	struct machine *n = node_up(w), *leader = node_leader(w);

	w->fault_at = w->now + (int64_t)roll(w, 900);
	if (!n)
		return;
	if (leader && roll(w, 3) == 0)
		n = leader;
	w->suspect = n->i;
	if (w->patient && roll(w, 4)) {
		be_patient(w, n);
		return;
	}
	switch (roll(w, 22)) {
	case 0: case 1:
		node_kill(n, false, (int64_t)roll(w, roll(w, 3) ? 300 : 4000));
		break;
	case 2: case 3:
		node_kill(n, true, (int64_t)roll(w, roll(w, 3) ? 300 : 6000));
		break;
	case 4:
		if (roll(w, 3) == 0)
			all_lose_power(w);
		break;
	case 5: case 21:
		n->cut_short = roll(w, 3);
		if (n->cut_short && roll(w, 2))
			n->disk.dies_at = points[roll(w, sizeof points / sizeof points[0])];
		else
			n->disk.fail_after = (int64_t)roll(w, 60);
		break;
	case 6:
		split(w);
		break;
	case 7:
		isolate(w, n);
		break;
	case 8:
		cut_some(w);
		break;
	case 9: case 10: case 11:
		heal(w);
		break;
	case 12:
		w->loss = roll(w, 2) ? 0 : (int)roll(w, 31);
		break;
	case 13:
		n->slow_until = w->now + (int64_t)roll(w, 3000);
		break;
	case 14: case 15:
		if (leader && leader->busy_until <= w->now && replica_step_down(leader->r)) {
			leader->dirty = true;
			w->n.transfers++;
			trace(w, "n%d is to hand over", leader->i);
		}
		break;
	case 16:
		if (leader && roll(w, 2))
			w->suspect = (n = leader)->i;
		n->busy_until = n->asleep_until = w->now + (int64_t)roll(w, 5000);
		trace(w, "n%d pauses until %lld", n->i, (long long)n->busy_until);
		break;
	case 17:
		if (w->changing)
			admin_remove(w);
		break;
	case 18:
		if (w->changing)
			admin_lose(w);
		break;
	case 19:
		if (w->changing && admin_idle(w) && w->want < WANT_MAX)
			w->want++;
		break;
	case 20:
		stall(w, n);
		break;
	}
}

void fault_end(struct world *w)
{
	heal(w);
	w->loss = 0;
	w->fault_at = NEVER;
	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *n = &w->nodes[i];

		n->disk.fail_after = -1;
		n->disk.dies_at = NULL;
		n->cut_short = n->cut_short && n->disk.dead;
		n->slow_until = 0;
		n->power_at = NEVER;
		if (n->life == DOWN && n->up_at > w->now + 1000)
			n->up_at = w->now + 1000;
	}
}
