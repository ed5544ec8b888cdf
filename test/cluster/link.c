/* The wire between nodes: an Ethernet switch in one process, whose ways from node to node can be made bad while it runs. The kernels
 * that tests meet have no netem. Each node's e0 is a TAP device of this process in the node's network namespace, so that every frame
 * is one packet as the wire would carry it, with its checksums. Not for figures: those are measured over plain veth.
 *
 * Usage: link serve SOCKET SEED          runs until killed
 *        link SOCKET COMMAND...          one command:
 *          add NODE NETNS                e0 in the network namespace at that path
 *          remove NODE
 *          set FROM TO KEY=VALUE...      of the way from FROM to TO (one direction; `*`: all): drop= dup= reorder= corrupt= in parts of
 *                                        10,000, delay= jitter= in ms, rate= in KB/s (0: no bound), cut=0 or 1
 *          clear                         all ways are good again
 *          show                          what each way carried, lost, doubled, reordered, corrupted */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORTS     16
#define FRAME_MAX 2048
#define HELD_MAX  20000                               /* frames on their way; more are lost, as in any queue */
#define BACK_MS   5                                   /* a reordered frame comes this much later at least */

struct way {
	int64_t drop, dup, reorder, corrupt, delay, jitter, rate, cut;
	int64_t last_at, free_at;                     /* ns: nothing that keeps its place comes before; the line is busy until then */
	int64_t sent, dropped, doubled, reordered, corrupted;
};

struct port {
	char    name[32];                             /* empty: not there */
	int     fd;
	uint8_t mac[6];
	bool    known;                                /* mac is */
};

struct held {
	int64_t  at, order;
	int      from, to;
	uint16_t n;
	uint8_t *bytes;                               /* owned */
};

static struct port ports[PORTS];
static struct way ways[PORTS][PORTS];
static struct held heap[HELD_MAX];
static size_t n_heap;
static int64_t orders;
static uint64_t random_state;

static const struct { const char *name; size_t offset; int64_t max; } keys[] = {
	{ "drop", offsetof(struct way, drop), 10000 }, { "dup", offsetof(struct way, dup), 10000 },
	{ "reorder", offsetof(struct way, reorder), 10000 }, { "corrupt", offsetof(struct way, corrupt), 10000 },
	{ "delay", offsetof(struct way, delay), 60000 }, { "jitter", offsetof(struct way, jitter), 60000 },
	{ "rate", offsetof(struct way, rate), 1 << 30 }, { "cut", offsetof(struct way, cut), 1 },
};

static uint64_t roll(uint64_t n)                      /* splitmix64; 0 to n - 1 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % n;
}

/* --- frames that are on their way: a heap by time --- */

static bool earlier(const struct held *a, const struct held *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct held h)
{
	size_t i = n_heap++;

	for (; i && earlier(&h, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = h;
}

static struct held heap_pop(void)
{
	struct held first = heap[0], last = heap[--n_heap];
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < n_heap; i = child) {
		if (child + 1 < n_heap && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!earlier(&heap[child], &last))
			break;
		heap[i] = heap[child];
	}
	heap[i] = last;
	return first;
}

/* --- what a way does to a frame --- */

/* Two bits of one column of the TCP payload change places, so that the checksum still holds and only TLS can see it. */
static bool corrupt(uint8_t *f, size_t n)
{
	size_t ip = 14, tcp, data, a, b;
	uint8_t bit;

	if (n < ip + 20 || f[12] != 8 || f[13] != 0 || f[ip + 9] != 6)
		return false;
	tcp = ip + (f[ip] & 15) * 4u;
	if (n < tcp + 20)
		return false;
	data = tcp + (f[tcp + 12] >> 4) * 4u;
	if (n < data + 8)
		return false;
	a = data + roll(n - data);
	bit = (uint8_t)(1u << roll(8));
	for (b = a + 2; b < n; b += 2)
		if ((f[a] ^ f[b]) & bit) {
			f[a] ^= bit;
			f[b] ^= bit;
			return true;
		}
	return false;
}

static void hold(struct way *w, int from, int to, const uint8_t *frame, size_t n, int64_t now)
{
	int64_t at = now + w->delay * 1000000;
	struct held h = { .order = ++orders, .from = from, .to = to, .n = (uint16_t)n };

	if (n_heap == HELD_MAX) {
		w->dropped++;
		return;
	}
	if (w->jitter)
		at += (int64_t)roll((uint64_t)w->jitter * 2000000) - w->jitter * 1000000;
	if (w->rate) {
		w->free_at = (w->free_at > now ? w->free_at : now) + (int64_t)n * 1000000 / w->rate;
		at = at > w->free_at ? at : w->free_at;
	}
	if (w->reorder && roll(10000) < (uint64_t)w->reorder) {
		at += (BACK_MS + (int64_t)roll((uint64_t)(BACK_MS + w->jitter + 1))) * 1000000;
		w->reordered++;
	} else {
		w->last_at = at = at > w->last_at ? at : w->last_at;
	}
	h.at = at;
	h.bytes = memcpy(malloc(n), frame, n);
	if (w->corrupt && roll(10000) < (uint64_t)w->corrupt)
		w->corrupted += corrupt(h.bytes, n);
	w->sent++;
	heap_push(h);
}

static void pass(int from, int to, const uint8_t *frame, size_t n, int64_t now)
{
	struct way *w = &ways[from][to];

	if (w->cut || (w->drop && roll(10000) < (uint64_t)w->drop)) {
		w->dropped++;
		return;
	}
	hold(w, from, to, frame, n, now);
	if (w->dup && roll(10000) < (uint64_t)w->dup) {
		w->doubled++;
		hold(w, from, to, frame, n, now);
	}
}

static void switch_frame(int from, const uint8_t *frame, size_t n)
{
	int64_t now = clock_mono_ns();

	memcpy(ports[from].mac, frame + 6, 6);
	ports[from].known = true;
	for (int i = 0; i < PORTS; i++)
		if (ports[i].name[0] && ports[i].known && i != from && memcmp(ports[i].mac, frame, 6) == 0) {
			pass(from, i, frame, n, now);
			return;
		}
	for (int i = 0; i < PORTS; i++)
		if (ports[i].name[0] && i != from)
			pass(from, i, frame, n, now);
}

static void deliver(int64_t now)
{
	while (n_heap && heap[0].at <= now) {
		struct held h = heap_pop();

		/* A cut counts for what is under way, too. A full queue of the receiver loses the frame. */
		if (!ports[h.to].name[0] || ways[h.from][h.to].cut || write(ports[h.to].fd, h.bytes, h.n) != h.n)
			ways[h.from][h.to].dropped++;
		free(h.bytes);
	}
}

/* --- commands --- */

static int port_find(struct str name)
{
	for (int i = 0; i < PORTS; i++)
		if (ports[i].name[0] && str_eq(name, str_of(ports[i].name)))
			return i;
	return -1;
}

static void port_remove(int i)
{
	close(ports[i].fd);
	ports[i] = (struct port){ 0 };
	for (int k = 0; k < PORTS; k++)
		ways[i][k] = ways[k][i] = (struct way){ 0 };
}

/* The TAP device is made inside the namespace, and this process comes back. */
static int tap_open(const char *netns, struct err *e)
{
	auto_fd home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = open(netns, O_RDONLY | O_CLOEXEC), tap = -1;
	struct ifreq ifr = { .ifr_name = "e0", .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		return err_sys(e, "enter %s", netns);
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr))
		err_sys(e, "make e0 in %s", netns);
	if (setns(home, CLONE_NEWNET))
		abort();
	return e->code ? -1 : fd_take(&tap);
}

static int cmd_add(struct str name, struct str netns, struct err *e)
{
	char path[256];
	int i = 0, fd;

	while (i < PORTS && ports[i].name[0])
		i++;
	if (i == PORTS || name.n == 0 || name.n >= sizeof ports[0].name || netns.n >= sizeof path || port_find(name) >= 0)
		return err_set(e, EINVAL, "no room for %.*s, or it is there", STR_ARG(name));
	snprintf(path, sizeof path, "%.*s", STR_ARG(netns));
	fd = tap_open(path, e);
	if (fd < 0)
		return -1;
	ports[i] = (struct port){ .fd = fd };
	snprintf(ports[i].name, sizeof ports[i].name, "%.*s", STR_ARG(name));
	return 0;
}

static int way_set(struct way *w, struct str words, struct err *e)
{
	struct str word, key, value;

	while (str_next(&words, ' ', &word)) {
		size_t k = 0;
		int64_t n;

		str_cut(word, '=', &key, &value);
		while (k < sizeof keys / sizeof *keys && !str_eq(key, str_of(keys[k].name)))
			k++;
		if (k == sizeof keys / sizeof *keys || !str_to_i64(value, &n) || n < 0 || n > keys[k].max)
			return err_set(e, EINVAL, "%.*s is none of a way's properties, or out of range", STR_ARG(word));
		memcpy((char *)w + keys[k].offset, &n, sizeof n);
	}
	return 0;
}

static int cmd_set(struct str from, struct str to, struct str words, struct err *e)
{
	int hits = 0;

	for (int i = 0; i < PORTS; i++)
		for (int k = 0; k < PORTS; k++) {
			if (i == k || !ports[i].name[0] || !ports[k].name[0] || !(str_eq(from, STR("*")) || port_find(from) == i) ||
			    !(str_eq(to, STR("*")) || port_find(to) == k))
				continue;
			hits++;
			if (way_set(&ways[i][k], words, e))
				return -1;
		}
	return hits ? 0 : err_set(e, ENOENT, "no way from %.*s to %.*s", STR_ARG(from), STR_ARG(to));
}

static void cmd_clear(void)
{
	for (int i = 0; i < PORTS; i++)
		for (int k = 0; k < PORTS; k++)
			way_set(&ways[i][k], STR("drop=0 dup=0 reorder=0 corrupt=0 delay=0 jitter=0 rate=0 cut=0"), &(struct err){ 0 });
}

static void cmd_show(struct buf *out)
{
	for (int i = 0; i < PORTS; i++)
		for (int k = 0; k < PORTS; k++) {
			struct way *w = &ways[i][k];

			if (w->sent || w->dropped)
				buf_printf(out, "%s %s sent %lld dropped %lld doubled %lld reordered %lld corrupted %lld\n", ports[i].name,
					   ports[k].name, (long long)w->sent, (long long)w->dropped, (long long)w->doubled,
					   (long long)w->reordered, (long long)w->corrupted);
		}
}

static int command(struct str line, struct buf *out, struct err *e)
{
	struct str verb = STR_NONE, a = STR_NONE, b = STR_NONE;

	str_next(&line, ' ', &verb);
	if (str_eq(verb, STR("show")))
		return cmd_show(out), 0;
	if (str_eq(verb, STR("clear")))
		return cmd_clear(), 0;
	str_next(&line, ' ', &a);
	if (str_eq(verb, STR("remove"))) {
		if (port_find(a) < 0)
			return err_set(e, ENOENT, "there is no %.*s", STR_ARG(a));
		return port_remove(port_find(a)), 0;
	}
	str_next(&line, ' ', &b);
	if (str_eq(verb, STR("add")))
		return cmd_add(a, b, e);
	if (str_eq(verb, STR("set")))
		return cmd_set(a, b, line, e);
	return err_set(e, EINVAL, "no command %.*s", STR_ARG(verb));
}

static void command_serve(int listener)
{
	auto_fd fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	auto_buf out = BUF_INIT(1 << 16);
	struct err e = { 0 };
	char line[1024];
	ssize_t n = fd < 0 ? -1 : recv(fd, line, sizeof line, 0);

	if (n <= 0)
		return;
	if (command(str_make(line, (size_t)n), &out, &e))
		buf_printf(&out, "link: %s\n", e.msg);
	send(fd, out.p ? out.p : "", out.n, MSG_NOSIGNAL);
}

/* --- the two programs --- */

static int socket_at(const char *path, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(at->sun_path, sizeof at->sun_path, "%s", path);
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static void frames_take(int i)
{
	uint8_t frame[FRAME_MAX];
	ssize_t n;

	for (int k = 0; k < 64 && (n = read(ports[i].fd, frame, sizeof frame)) > 0; k++)
		if (n >= 14)
			switch_frame(i, frame, (size_t)n);
	if (n < 0 && errno == EBADFD)                 /* its namespace is gone */
		port_remove(i);
}

static int serve(const char *path, const char *seed)
{
	struct sockaddr_un at;
	int listener = socket_at(path, &at);

	random_state = strtoull(seed, NULL, 10);
	unlink(path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 16)) {
		perror(path);
		return 1;
	}
	for (;;) {
		struct pollfd p[PORTS + 1] = { { .fd = listener, .events = POLLIN } };
		int64_t now = clock_mono_ns(), wait = n_heap ? heap[0].at - now : 1000000000;
		struct timespec ts = { .tv_sec = wait > 0 ? wait / 1000000000 : 0, .tv_nsec = wait > 0 ? wait % 1000000000 : 0 };

		for (int i = 0; i < PORTS; i++)
			p[i + 1] = (struct pollfd){ .fd = ports[i].name[0] ? ports[i].fd : -1, .events = POLLIN };
		if (ppoll(p, PORTS + 1, &ts, NULL) < 0 && errno != EINTR)
			return perror("poll"), 1;
		for (int i = 0; i < PORTS; i++)
			if (p[i + 1].revents & POLLIN && ports[i].name[0])
				frames_take(i);
			else if (p[i + 1].revents && ports[i].name[0])
				port_remove(i);
		deliver(clock_mono_ns());
		if (p[0].revents)
			command_serve(listener);
	}
}

static int ask(const char *path, int n, char **words)
{
	struct sockaddr_un at;
	auto_fd fd = socket_at(path, &at);
	auto_buf line = BUF_INIT(1024);
	char answer[1 << 16];
	ssize_t got;

	for (int i = 0; i < n; i++)
		buf_printf(&line, "%s%s", i ? " " : "", words[i]);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) || send(fd, line.p, line.n, 0) < 0 ||
	    (got = recv(fd, answer, sizeof answer, 0)) < 0)
		return perror(path), 1;
	fwrite(answer, 1, (size_t)got, stdout);
	return got >= 6 && memcmp(answer, "link: ", 6) == 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);
	if (argc >= 3)
		return ask(argv[1], argc - 2, argv + 2);
	fprintf(stderr, "usage: link serve SOCKET SEED | link SOCKET COMMAND...\n");
	return 2;
}
