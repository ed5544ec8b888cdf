#include "role/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "codec/rec.h"
#include "ipc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define VIEW_TIMEOUT_MS 30000
#define SWEEP_MS        20000                         /* housekeeping */
#define UNTOLD_MS       3000                          /* stopping: for the state to take the ends of containers */


static void begin(struct node_role *n);

/* --- channels ----------------------------------------------------------------------------------------- */

static void closed(struct ipc_chan *c, void *ctx, const struct err *why)
{
	struct node_role *n = ctx;

	(void)why;
	if (c == n->state)
		n->state = NULL;
	if (c == n->api)
		n->api = NULL;
	if (c == n->peer)
		n->peer = NULL;
	if (c == n->dns)
		n->dns = NULL;
	if (c == n->serve)
		loop_stop(&n->loop);
}

static void event_failed(struct ipc_chan *c, void *ctx, uint16_t op, const struct err *e)
{
	(void)ctx;
	log_failed("event refused", e, L("partner", role_name(ipc_chan_role(c))), L("op", op));
}

static const struct ipc_chan_fns fns = { closed, event_failed };

static int on_revision(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = r->ctx;

	(void)e;
	n->alone = ((struct revision *)in)->alone;
	view_notify(n->view, ((struct revision *)in)->n);
	loop_after(&n->loop, &n->scan, 0);
	if (n->joined && !n->registered)
		begin(n);                             /* one that joined has waited for its first state */
	return 0;
}

static const struct ipc_op state_ops[] = {
	{ OP_REVISION, ROLE_STATE, revision_fields, sizeof(struct revision), on_revision },
	{ 0 }
};
static const struct ipc_op dns_ops[] = { { 0 } };

static void registered(void *ctx, const struct err *e, struct str payload)
{
	struct node_role *n = ctx;
	auto_arena a = ARENA_INIT;
	struct node now = { 0 };
	struct err ignored;

	if (e) {
		log_failed("this node could not be registered", e);
		loop_stop(&n->loop);                  /* serve starts us again */
		return;
	}
	lease_renew(n, n->introduced_ms);
	if (n->registered)
		return;
	n->registered = true;
	if (n->name.n && rec_decode(&a, payload, node_fields, &now, &ignored) == 0 && now.name.n && !str_eq(now.name, n->name))
		log_warn("another node has the name that --name gives; this one keeps its own", L("name", n->name), L("own", now.name));
	if (n->usage.again)
		usage_now(n);
	recover(n);
	pool_open(n);
	loop_after(&n->loop, &n->scan, 0);
	if (!n->ready)
		ipc_chan_event(n->serve, OP_READY, NULL, NULL, NULL, 0);
	n->ready = true;
}

static int64_t cpu_count(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 ? cpus : 1;
}

static struct str pretty_os(struct arena *a)
{
	char text[4096], *at, *end;
	int fd = open("/etc/os-release", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = 0;
	at = strstr(text, "PRETTY_NAME=\"");
	end = at ? strchr(at + 13, '"') : NULL;
	return end ? arena_str(a, str_make(at + 13, (size_t)(end - at - 13))) : STR("Linux");
}

/* Who we are. The first one also makes the data center; EEXIST is what every later start hears. */
static void introduce(struct node_role *n)
{
	auto_arena a = ARENA_INIT;
	struct utsname u;
	struct sysinfo mem;
	struct statvfs fs = { 0 };
	struct cluster_init in = { .cluster = { .name = n->datacenter, .suffix = n->suffix } };

	n->introduced_ms = clock_boot_ms();
	uname(&u);
	sysinfo(&mem);
	statvfs(n->data_path, &fs);
	in.node = (struct node){ .id = n->id, .name = n->name, .hostname = str_of(u.nodename), .kernel = str_of(u.release), .os = pretty_os(&a),
		.arch = str_of(u.machine), .version = str_of(triton_version), .address = n->address,
		.key = n->key, .records = triton_records, .cpus = cpu_count(),
		.memory = (int64_t)mem.totalram * mem.mem_unit, .disk = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize };
	node_command(n, STR(OPERATOR_ACCOUNT), CMD_NODE_REGISTER, node_fields, &in.node, registered, n);
}

static void initialized(void *ctx, const struct err *e, struct str payload)
{
	(void)payload;
	if (e && e->code != EEXIST)
		registered(ctx, e, STR_NONE);
	else
		introduce(ctx);
}

static void begin(struct node_role *n)
{
	struct cluster_init in = { .cluster = { .name = n->datacenter, .suffix = n->suffix }, .node = { .id = n->id, .records = triton_records } };
	auto_view t = { 0 };
	auto_arena a = ARENA_INIT;
	struct cluster there = { 0 };
	struct err e;

	if (view_begin(n->view, &t, &e) == 0 && view_get(&t, &a, STR("m/cluster"), cluster_fields, &there, &e) == 1)
		introduce(n);
	else if (!n->joined)
		node_command(n, STR(OPERATOR_ACCOUNT), CMD_CLUSTER_INIT, cluster_init_fields, &in, initialized, n);
}

static int on_channel(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = r->ctx;
	unsigned role = ((struct channel *)in)->role;
	int fd = ipc_msg_take(r->msg, 0);
	struct ipc_chan **place = role == ROLE_STATE ? &n->state : role == ROLE_API ? &n->api : role == ROLE_PEER ? &n->peer : role == ROLE_DNS ? &n->dns : NULL;
	const struct ipc_op *ops = role == ROLE_STATE ? state_ops : role & (ROLE_API | ROLE_PEER) ? node_api_ops : dns_ops;

	if (fd < 0 || !place) {
		if (fd >= 0)
			close(fd);
		return err_set(e, EBADMSG, "a channel to role %u", role);
	}
	ipc_chan_free(*place);
	*place = ipc_chan_new(&n->loop, fd, role, ops, &fns, n, e);
	if (!*place)
		return -1;
	if (role == ROLE_STATE) {
		report_again(n);
		if (!n->registered)
			begin(n);
	}
	if (role == ROLE_DNS)
		life_networks_to_dns(n);
	return 0;
}

static int on_stop(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = r->ctx;

	(void)in;
	(void)e;
	stop_all(n);
	loop_after(&n->loop, &n->scan, 0);
	return 0;
}

static const struct ipc_op serve_ops[] = {
	{ OP_CHANNEL, ROLE_SERVE, channel_fields, sizeof(struct channel), on_channel },
	{ OP_STOP,    ROLE_SERVE, NULL,           0,                      on_stop },
	{ 0 }
};

/* --- the loop ----------------------------------------------------------------------------------------- */

/* All containers have ended, and that is recorded; or it cannot be for want of a leader, and the next start tells it. */
static bool all_stopped(struct node_role *n)
{
	int64_t now = clock_mono_ms();
	bool untold = false;
	size_t at = 0;
	struct str key;
	void *val;

	while (map_next(&n->locals, &at, &key, &val)) {
		const struct local *l = val;

		if (l->phase == STARTING || l->phase == RUNNING)
			return false;
		untold |= l->phase != IDLE || l->in_flight;
	}
	if (!untold)
		return true;
	if (!n->untold_ms)
		n->untold_ms = now + UNTOLD_MS;
	if (now >= n->untold_ms)
		return true;
	loop_after(&n->loop, &n->scan, n->untold_ms - now);
	return false;
}

static void scan(struct loop_timer *t)
{
	struct node_role *n = NODE_OF(t, scan);
	struct err e;

	life_scan(n);
	if (!n->stopping || !all_stopped(n))
		return;
	life_shims_end(n);
	if (n->overlay && overlay_remove_all(n->overlay, &e))
		log_failed("networks could not be removed", &e);
	ipc_chan_event(n->serve, OP_READY, NULL, NULL, NULL, 0);
}

static void sweep(struct loop_timer *t)
{
	struct node_role *n = NODE_OF(t, sweep);
	auto_view now = { 0 };
	struct err e;

	if (overlay_sync(n->overlay, &e))
		log_failed("networks could not be checked", &e);
	if (n->registered && view_begin(n->view, &now, &e) == 0) {
		recover_sweep(n, &now);
		copies_sweep(n, &now);
		net_sweep(n, &now);                   /* those of an account that was removed */
	}
	view_end(&now);
	images_sweep(n);
	if (fork() == 0) {                            /* deleting takes its time */
		runtime_empty_trash(&n->rt, &e);
		_exit(0);
	}
	loop_after(&n->loop, &n->sweep, SWEEP_MS);
}

static void images_ready(struct loop_watch *w, uint32_t events)
{
	(void)events;
	image_host_run(NODE_OF(w, images_watch)->images);
}

static void on_signal(struct loop_watch *w, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			while (waitpid(-1, NULL, WNOHANG) > 0) /* operation children; what they did arrives by their sockets */
				;
		else if (info.ssi_signo == SIGUSR1)
			usage_now(NODE_OF(w, signals));
		else
			loop_stop(&NODE_OF(w, signals)->loop);
	}
}

/* A container takes two or three descriptors here, a network some more; a shell or a unit often gives 1,024. */
static void files_raise(struct node_role *n)
{
	struct rlimit all;

	getrlimit(RLIMIT_NOFILE, &n->files);
	all = (struct rlimit){ n->files.rlim_max, n->files.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &all))
		log_warn("the limit of open files stays as it was", L("error", strerror(errno)));
}

static int node_open(struct node_role *n, char **argv, struct err *e)
{
	struct overlay_config oc = { .run_dir = argv[2], .instance = strcmp(argv[4], "main") ? argv[4] : "" };
	struct image_host_config ic = { 0 };
	char state_dir[4096];

	files_raise(n);
	n->data_path = argv[1];
	n->run_path = argv[2];
	n->id = str_of(argv[3]);
	n->datacenter = str_of(argv[5]);
	n->suffix = str_of(argv[6]);
	n->private_registries = strcmp(argv[8], "1") == 0;
	n->address = str_of(argv[9]);
	n->key = str_of(argv[10]);
	n->joined = strcmp(argv[11], "1") == 0;
	n->usage.days = (int)strtol(argv[12], NULL, 10);
	n->name = str_of(argv[13]);
	list_init(&n->reports);
	list_init(&n->fetches);
	snprintf(state_dir, sizeof(state_dir), "%s/state", argv[1]);
	if (access("/dev/fuse", R_OK | W_OK))
		log_warn("there is no /dev/fuse: containers see the memory and CPUs of the machine", L("error", strerror(errno)));
	if (runtime_open(&n->rt, n->data_path, n->run_path, argv[4], e))
		return -1;
	if (nursery_open(&n->rt, e))                  /* before there is much in memory */
		return -1;
	if (!n->rt.quotas)
		log_warn("no disk quotas: the disk of a package is not held; put the data directory on ext4 or XFS mounted with prjquota",
			 L("data_dir", n->data_path));
	address_ip(n->address, &oc.vtep);
	n->overlay = overlay_open(&oc, e);
	if (!n->overlay)
		return -1;
	ic.data = n->rt.data;
	ic.pull_uid = n->sender_uid = (uid_t)strtoul(argv[7], NULL, 10);
	n->images = image_host_new(&ic, e);
	if (!n->images)
		return -1;
	n->view = view_open(state_dir, VIEW_TIMEOUT_MS, e);
	return n->view ? 0 : -1;
}

static int node_run(struct node_role *n, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGCHLD, SIGUSR1, 0 };

	n->scan.fire = scan;
	n->sweep.fire = sweep;
	n->report_timer.fire = report_later;
	n->copies_timer.fire = copies_later;
	n->signals = (struct loop_watch){ .fd = loop_signals(signals, e), .ready = on_signal };
	n->images_watch = (struct loop_watch){ .fd = image_host_fd(n->images), .ready = images_ready };
	if (n->signals.fd < 0 || loop_add(&n->loop, &n->signals, EPOLLIN, e) || loop_add(&n->loop, &n->images_watch, EPOLLIN, e))
		return -1;
	n->serve = ipc_chan_new(&n->loop, spawn_fd("serve", 0), ROLE_SERVE, serve_ops, &fns, n, e);
	if (!n->serve)
		return -1;
	if (usage_open(n, e))
		return -1;
	loop_after(&n->loop, &n->sweep, 2000);
	lease_open(n);
	return loop_run(&n->loop, e);
}

int role_node(int argc, char **argv)
{
	static struct node_role n;
	struct err e = { 0 };

	log_open("node", 2, LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);                     /* until the loop has it */
	if (argc < 14) {
		err_set(&e, EINVAL, "the node role is started by triton serve");
		log_failed("node role cannot start", &e);
		return 2;
	}
	if (loop_init(&n.loop, &e) || node_open(&n, argv, &e) || node_run(&n, &e)) {
		log_failed("node role failed", &e);
		return 1;
	}
	return 0;
}
