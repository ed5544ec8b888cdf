/* Bytes: from the workload to log and clients, from clients to the workload. */
#include "runtime/shim.h"
#include "base/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char chunk[64 << 10];                          /* one thread, one read at a time; untouched while nothing flows */

/* --- detach keys ------------------------------------------------------------------------------------ */

/* Takes the keys out of the stream. What was held back and turns out to be something else is put in again. True: detach. */
static bool match_keys(struct attach *a, const char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];

		if (a->nkeys && c == a->keys[a->matched]) {
			if (++a->matched == a->nkeys)
				return true;
			continue;
		}
		if (a->matched) {
			buf_add(out, a->keys, a->matched);
			a->matched = a->nkeys && c == a->keys[0] ? 1 : 0;
			if (a->matched == 1 && a->nkeys > 1)
				continue;
			a->matched = 0;
		}
		buf_char(out, (char)c);
	}
	return false;
}

/* --- to clients ------------------------------------------------------------------------------------- */

static void attach_free(struct shim *s, struct attach *a)
{
	source_close(s, &a->io);
	list_remove(&a->link);
	buf_release(&a->out);
	buf_release(&a->in);
	free(a);
}

static void update_reading(struct shim *s, struct task *t);

static void attach_events(struct shim *s, struct attach *a)
{
	uint32_t ev = EPOLLRDHUP;

	if (a->out.n)
		ev |= EPOLLOUT;
	if (!a->in_done && a->in.n == 0)
		ev |= EPOLLIN;
	if (a->in_done)
		ev &= ~(uint32_t)EPOLLRDHUP;          /* half-closed: level-triggered, it would wake us for ever */
	source_set(s, &a->io, ev ? ev : EPOLLERR);
}

/* False when the client is gone (and freed). */
static bool attach_flush(struct shim *s, struct attach *a)
{
	while (a->out.n) {
		ssize_t w = send(a->io.fd, a->out.p, a->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN)
			break;
		if (w < 0) {
			attach_free(s, a);
			return false;
		}
		buf_consume(&a->out, (size_t)w);
	}
	if (a->out.n == 0 && a->out.cap > STDIN_CHUNK)
		buf_release(&a->out);
	return true;
}

static void attach_output(struct shim *s, struct attach *a, int stream, const char *p, size_t n)
{
	unsigned char head[8] = { (unsigned char)(stream + 1), 0, 0, 0, (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n };
	size_t headn = a->task->tty ? 0 : sizeof head;
	struct iovec v[2] = { { head, headn }, { (char *)p, n } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	ssize_t w = 0;

	if (a->out.n == 0) {
		w = sendmsg(a->io.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno != EAGAIN && errno != EINTR) {
			attach_free(s, a);
			return;
		}
		if (w < 0)
			w = 0;
	}
	if ((size_t)w < headn)
		buf_add(&a->out, head + w, headn - (size_t)w);
	w = (size_t)w < headn ? 0 : w - (ssize_t)headn;
	buf_add(&a->out, p + w, n - (size_t)w);
	if (a->out.n)
		attach_events(s, a);
}

void attach_finish(struct shim *s, struct attach *a)
{
	if (!attach_flush(s, a))
		return;
	if (a->out.n == 0) {
		attach_free(s, a);
		return;
	}
	list_remove(&a->link);
	list_add_tail(&s->orphans, &a->link);
	a->task = NULL;
	a->in_done = true;
	attach_events(s, a);
}

/* --- from the workload ------------------------------------------------------------------------------ */

static bool clients_full(struct task *t)
{
	struct list *p, *tmp;

	list_each(p, tmp, &t->attaches)
		if (list_entry(p, struct attach, link)->out.n > ATTACH_PENDING)
			return true;
	return false;
}

static void update_reading(struct shim *s, struct task *t)
{
	uint32_t ev = clients_full(t) ? 0 : EPOLLIN;
	bool writing = false;
	struct list *p, *tmp;

	list_each(p, tmp, &t->attaches)
		writing = writing || list_entry(p, struct attach, link)->in.n > 0;
	if (t->tty) {
		source_set(s, &t->out, ev | (writing ? EPOLLOUT : 0));
		return;
	}
	source_set(s, &t->out, ev);
	source_set(s, &t->err, ev);
	source_set(s, &t->in, writing ? EPOLLOUT : 0);
}

/* Reads once. 1 got something, 0 nothing there now, -1 the end. */
static int read_output(struct shim *s, struct task *t, struct source *src)
{
	int stream = src == &t->err;
	struct list *p, *tmp;
	ssize_t n = read(src->fd, chunk, sizeof chunk);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {                                 /* a terminal says EIO when its last user is gone */
		if (t->tty && !t->exited) {
			/* The workload may close its terminal and open it again: look later. */
			source_set(s, src, 0);
			return 0;
		}
		source_close(s, src);
		return -1;
	}
	if (t->is_main)
		jsonlog_write(&s->log, stream, chunk, (size_t)n);
	if (t->is_probe)
		shim_health_output(s, chunk, (size_t)n);
	list_each(p, tmp, &t->attaches) {
		struct attach *a = list_entry(p, struct attach, link);

		if (stream ? a->want_stderr : a->want_stdout)
			attach_output(s, a, stream, chunk, (size_t)n);
	}
	return 1;
}

static void check_end(struct shim *s, struct task *t)
{
	if (t->ended || !t->exited || t->out.fd >= 0 || t->err.fd >= 0)
		return;
	t->ended = true;
	task_ended(s, t);
}

static void write_stdin(struct shim *s, struct task *t);

static void output_ready(struct shim *s, struct source *src, uint32_t events)
{
	struct task *t = src->owner;

	if (events & EPOLLOUT && t->tty)
		write_stdin(s, t);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && read_output(s, t, src) > 0 && clients_full(t))
		update_reading(s, t);
	check_end(s, t);
}

void task_drain(struct shim *s, struct task *t)
{
	struct source *both[] = { &t->out, &t->err };

	for (int i = 0; i < 2; i++) {
		if (both[i]->fd < 0)
			continue;
		while (!clients_full(t) && read_output(s, t, both[i]) > 0)
			;
	}
	/* The terminal's buffer is empty and nobody of the container can write any more. */
	if (t->tty && t->exited && t->is_main && !clients_full(t))
		source_close(s, &t->out);
	if (t->exited && clock_mono_ms() > t->drain_until_ms && !clients_full(t)) {
		source_close(s, &t->out);
		source_close(s, &t->err);
	}
	check_end(s, t);
}

/* --- to the workload -------------------------------------------------------------------------------- */

static struct source *stdin_of(struct task *t)
{
	return t->tty ? &t->out : &t->in;
}

static void close_stdin(struct shim *s, struct task *t)
{
	struct list *p, *tmp;

	list_each(p, tmp, &t->attaches)
		if (list_entry(p, struct attach, link)->in.n)
			return;                       /* comes back when that is written */
	if (!t->tty)
		source_close(s, &t->in);
	t->in_closing = false;
}

static void write_stdin(struct shim *s, struct task *t)
{
	struct source *to = stdin_of(t);
	struct list *p, *tmp;

	list_each(p, tmp, &t->attaches) {
		struct attach *a = list_entry(p, struct attach, link);

		while (a->in.n && to->fd >= 0) {
			ssize_t w = write(to->fd, a->in.p, a->in.n);

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0 && errno == EAGAIN)
				break;
			if (w < 0)
				source_close(s, to == &t->in ? to : &(struct source){ .fd = -1 });
			buf_consume(&a->in, w < 0 ? a->in.n : (size_t)w);
		}
		if (to->fd < 0)
			a->in.n = 0;
		attach_events(s, a);
	}
	if (t->in_closing)
		close_stdin(s, t);
	update_reading(s, t);
}

static void stdin_ready(struct shim *s, struct source *src, uint32_t events)
{
	(void)events;
	write_stdin(s, src->owner);
}

static void client_input_end(struct shim *s, struct attach *a)
{
	a->in_done = true;
	attach_events(s, a);
	if (a->want_stdin && a->task && (a->task->stdin_once || !a->task->is_main)) {
		a->task->in_closing = true;
		close_stdin(s, a->task);
	}
}

static void client_ready(struct shim *s, struct source *src, uint32_t events)
{
	struct attach *a = src->owner;
	struct task *t = a->task;
	char data[STDIN_CHUNK];
	ssize_t n;

	if (events & EPOLLOUT) {
		if (!attach_flush(s, a)) {
			if (t)
				update_reading(s, t);
			return;
		}
		if (!t) {
			if (a->out.n == 0)
				attach_free(s, a);
			return;
		}
		attach_events(s, a);
		update_reading(s, t);
	}
	if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLIN)) {
		if (t && !a->in_done)
			client_input_end(s, a);
		attach_free(s, a);
		if (t)
			update_reading(s, t);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLRDHUP)) || a->in_done || !t || a->in.n)
		return;
	n = recv(a->io.fd, data, sizeof data, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_input_end(s, a);
		return;
	}
	if (!a->want_stdin || stdin_of(t)->fd < 0)
		return;                               /* nobody reads it: dropped, as with Docker */
	if (match_keys(a, data, (size_t)n, &a->in)) {
		struct runtime_event ev = { .kind = EVENT_DETACH, .id = str_of(s->id), .exec = t->is_main ? STR_NONE : str_of(t->id),
			.gen = s->spec->gen };

		shim_conn_broadcast(s, &ev);
		attach_free(s, a);
		update_reading(s, t);
		return;
	}
	write_stdin(s, t);
}

int attach_add(struct shim *s, struct task *t, const struct attach_opts *o, int fd, struct err *e)
{
	struct attach *a = calloc(1, sizeof *a);

	if (!a)
		return err_set(e, ENOMEM, "attach: no memory");
	*a = (struct attach){ .task = t, .io = { .fd = fd, .ready = client_ready, .owner = a }, .want_stdin = o->stdin_,
		.want_stdout = o->stdout_, .want_stderr = o->stderr_, .out = BUF_INIT(ATTACH_PENDING + 4 * sizeof chunk),
		.in = BUF_INIT(2 * STDIN_CHUNK) };
	if (detach_keys_parse(o->detach_keys, a->keys, &a->nkeys, e)) {
		free(a);
		return -1;
	}
	if (!t->tty)
		a->nkeys = 0;                         /* without a terminal every byte is the program's */
	fd_nonblock(fd, true);
	list_add_tail(&t->attaches, &a->link);
	attach_events(s, a);
	return 0;
}

void task_watch(struct shim *s, struct task *t)
{
	t->out.ready = output_ready;
	t->err.ready = output_ready;
	t->in.ready = stdin_ready;
	t->out.owner = t->err.owner = t->in.owner = t;
	update_reading(s, t);
}
