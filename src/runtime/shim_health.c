/* Health checks of a container: its shim runs the probes, so that they go on whatever else of ours is restarted, and tells only
 * when the status changes. Nothing here is used without a check. */
#include "runtime/shim.h"
#include "base/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define PAUSED_LOOK_MS 250                            /* how soon probes go on after docker unpause */
#define PAUSE_MIN_MS   100                            /* between probes: each costs the machine more than its container */
#define TELL_MS        1000                           /* a change of status is an entry of the state's log */

/* Static: pages that nobody touches do not exist. */
static struct {
	struct healthcheck config;
	struct health now;
	struct health_result log[HEALTH_LOG_MAX];
	char       text[HEALTH_LOG_MAX][HEALTH_OUTPUT_MAX + 3];
	int        slots[HEALTH_LOG_MAX];             /* text of each log entry */
	struct str told;                              /* the status that was told last, and when */
	int64_t    told_ms, probe_told_ms;
	int64_t    began_ms, next_ms;                 /* monotonic; of the container, of the next probe */
	struct task *probe;                           /* running: started, or its start is watched */
	struct source starting;
	int64_t    probe_ms, probe_ns, deadline_ms;   /* its start, its limit */
	bool       late;                              /* it was killed at the limit */
	char       why[ERR_MSG_MAX + 40];             /* it could not be started */
	struct buf output;
} health;

static bool enabled(const struct shim *s)
{
	return s->spec->health_args.n > 0;
}

bool shim_health_event(struct shim *s, bool news, struct runtime_event *ev)
{
	if (!enabled(s))
		return false;
	*ev = (struct runtime_event){ .kind = EVENT_HEALTH, .id = str_of(s->id), .gen = s->spec->gen, .time = { clock_wall_ns() },
		.health = health.now, .news = news };
	return true;
}

/* --- a result ----------------------------------------------------------------------------------------- */

static void keep(const struct health_result *r)
{
	struct health_results *l = &health.now.log;
	int slot;

	if (l->n == HEALTH_LOG_MAX) {                 /* the oldest goes, its place is used again */
		slot = health.slots[0];
		memmove(health.log, health.log + 1, (HEALTH_LOG_MAX - 1) * sizeof *health.log);
		memmove(health.slots, health.slots + 1, (HEALTH_LOG_MAX - 1) * sizeof *health.slots);
		health.slots[HEALTH_LOG_MAX - 1] = slot;
		l->n--;
	}
	slot = health.slots[l->n];
	memcpy(health.text[slot], r->output.p, r->output.n);
	health.log[l->n] = *r;
	health.log[l->n].output = str_make(health.text[slot], r->output.n);
	l->n++;
}

static int64_t pause_ms(int64_t age_ms)
{
	int64_t ms = health_pause_ns(&health.now, &health.config, age_ms * 1000000) / 1000000;

	return ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : ms;
}

/* A change of status, at most once a second. Milliseconds until it may be told, -1: nothing is to be told. */
static int64_t tell(struct shim *s)
{
	int64_t left = health.told_ms + TELL_MS - clock_mono_ms();
	struct runtime_event ev;

	if (str_eq(health.told, health.now.status))
		return -1;
	if (left > 0)
		return left;
	health.told = health.now.status;
	health.told_ms = clock_mono_ms();
	if (shim_health_event(s, true, &ev))
		shim_conn_broadcast(s, &ev);
	return -1;
}

/* That there was one, for its events: at most one a second. */
static void tell_probe(struct shim *s, int64_t exit_code)
{
	struct runtime_event ev = { .kind = EVENT_PROBE, .id = str_of(s->id), .gen = s->spec->gen, .time = { clock_wall_ns() },
		.exit_code = exit_code };

	if (health.probe_told_ms && clock_mono_ms() - health.probe_told_ms < TELL_MS)
		return;
	health.probe_told_ms = clock_mono_ms();
	shim_conn_broadcast(s, &ev);
}

static void take(struct shim *s, int64_t exit_code, struct str output)
{
	struct health_result r = { .start = { health.probe_ns }, .end = { clock_wall_ns() }, .exit_code = exit_code, .output = output };
	int64_t now_ms = clock_mono_ms(), age_ns = (health.probe_ms - health.began_ms) * 1000000;

	health.probe = NULL;
	if (s->main.exited)
		return;                               /* it was killed with its container */
	keep(&r);
	health_judge(&health.now, &health.config, age_ns, exit_code);
	health.next_ms = now_ms + pause_ms(now_ms - health.began_ms);
	tell_probe(s, health.late ? 128 + SIGKILL : exit_code);
	tell(s);
}

void shim_health_start(struct shim *s)
{
	if (!enabled(s))
		return;
	health.config = health_defaults(s->spec->health);
	health.now = (struct health){ .status = STR("starting"), .log = { health.log, 0 } };
	health.began_ms = clock_mono_ms();
	health.told = health.now.status;
	health.told_ms = health.began_ms - TELL_MS;
	health.next_ms = health.began_ms + pause_ms(0);
	health.starting = (struct source){ .fd = -1 };
	for (int i = 0; i < HEALTH_LOG_MAX; i++)
		health.slots[i] = i;
}

/* "200ms", "1.5s", "2m30s", as Go writes it. */
static void add_span(struct buf *b, int64_t ns)
{
	int64_t minutes = ns / 60000000000ll;

	if (ns < 1000000000) {
		buf_printf(b, "%gms", (double)ns / 1e6);
		return;
	}
	if (minutes >= 60)
		buf_printf(b, "%lldh", (long long)(minutes / 60));
	if (minutes)
		buf_printf(b, "%lldm", (long long)(minutes % 60));
	buf_printf(b, "%gs", (double)(ns % 60000000000ll) / 1e9);
}

/* What the probe wrote, cut as Docker cuts it, in a buffer that is one byte larger so that the cut is known. */
static void take_output(struct shim *s, int64_t exit_code)
{
	auto_buf b = BUF_INIT(2 * HEALTH_OUTPUT_MAX);
	struct str out = buf_as_str(&health.output);

	if (health.late) {
		buf_puts(&b, "Health check exceeded timeout (");
		add_span(&b, health.config.timeout);
		buf_puts(&b, out.n ? "): " : ")");
	}
	buf_str(&b, str_head(out, HEALTH_OUTPUT_MAX - b.n));
	if (out.n > HEALTH_OUTPUT_MAX)
		buf_puts(&b, "...");
	take(s, health.late ? -1 : exit_code, str_head(buf_as_str(&b), HEALTH_OUTPUT_MAX + 3));
	buf_release(&health.output);
}

void shim_health_output(struct shim *s, const char *p, size_t n)
{
	(void)s;
	if (health.output.n <= HEALTH_OUTPUT_MAX)
		buf_add(&health.output, p, n > HEALTH_OUTPUT_MAX + 1 - health.output.n ? HEALTH_OUTPUT_MAX + 1 - health.output.n : n);
}

/* What the process says on its way to the program. Its start is watched like everything else: a container may take its time
 * for it. False: that was all. */
static bool read_start(struct shim *s)
{
	struct birth_msg m;
	struct err e = { 0 };
	size_t nfds = 1;
	int fd = -1, n = birth_recv(health.starting.fd, &m, &fd, &nfds, &e);

	if (n == 1 && m.kind == BIRTH_LISTENER && nfds == 1) {
		shim_view_listen(s, fd);
		return true;
	}
	fd_close(&fd);
	if (n < 0 && e.code == EAGAIN)
		return false;
	if (n == 1 && m.kind == BIRTH_FAILED)
		snprintf(health.why, sizeof health.why, "OCI runtime exec failed: %s", m.text);
	if (n <= 0)
		source_close(s, &health.starting);
	return n > 0;
}

static void start_ready(struct shim *s, struct source *src, uint32_t events)
{
	(void)src;
	(void)events;
	read_start(s);
}

void shim_health_done(struct shim *s, struct task *t)
{
	while (health.starting.fd >= 0 && read_start(s))
		;                                     /* it may have ended before it was heard */
	source_close(s, &health.starting);
	if (health.why[0])
		take(s, -1, str_head(str_of(health.why), HEALTH_OUTPUT_MAX));
	else
		take_output(s, t->code);
}

/* --- a probe ------------------------------------------------------------------------------------------ */

static void probe(struct shim *s)
{
	const struct runtime_spec *p = s->spec;
	struct exec_spec x = { .args = p->health_args, .env = p->env, .user = p->user, .cwd = p->cwd, .groups = p->groups,
		.stdout_ = true, .stderr_ = true, .caps = p->caps, .seccomp = p->seccomp, .no_new_privs = p->no_new_privs, .profile = p->profile,
		.privileged = p->privileged };
	struct err e = { 0 };

	health.probe_ms = clock_mono_ms();
	health.probe_ns = clock_wall_ns();
	health.deadline_ms = health.probe_ms + health.config.timeout / 1000000;
	health.late = false;
	health.why[0] = 0;
	buf_release(&health.output);
	health.output = BUF_INIT(HEALTH_OUTPUT_MAX + 1);
	health.probe = shim_exec_begin(s, &x, &health.starting.fd, &e);
	if (!health.probe) {
		take(s, -1, str_head(str_of(e.msg), HEALTH_OUTPUT_MAX));
		return;
	}
	health.starting.ready = start_ready;
	source_set(s, &health.starting, EPOLLIN);
	task_watch(s, health.probe);
}

/* Milliseconds until something is due, -1 never. */
int shim_health_tend(struct shim *s)
{
	int64_t now = clock_mono_ms(), left, untold;

	if (!enabled(s) || s->main.exited)
		return -1;
	untold = tell(s);
	if (health.probe && now >= health.deadline_ms && !health.late && !health.probe->exited) {
		health.late = true;
		kill(-health.probe->pid, SIGKILL);    /* it leads a session of its own */
		kill(health.probe->pid, SIGKILL);
	}
	if (!health.probe && now >= health.next_ms) {
		/* The agent that makes processes is frozen with its container; or it is gone, and the node makes another. */
		if (s->agent.sock < 0)
			shim_conn_broadcast(s, &(struct runtime_event){ .kind = EVENT_HELPER_GONE, .id = str_of(s->id), .gen = s->spec->gen });
		if (s->agent.sock < 0 || cgroup_is_frozen(&s->rt->cgroups, s->id))
			health.next_ms = now + PAUSED_LOOK_MS;
		else
			probe(s);
	}
	if (health.probe && health.late)
		return (int)untold;                   /* its end comes by a signal */
	left = (health.probe ? health.deadline_ms : health.next_ms) - clock_mono_ms();
	left = untold >= 0 && untold < left ? untold : left;
	return left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}
