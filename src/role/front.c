#include "role/front.h"

#include "base/fd.h"
#include "ipc/spawn.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#define FILE_MAX (1 << 20)

struct str front_file(struct arena *a, const char *name)
{
	auto_fd fd = spawn_fd(name, 0);
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st) || st.st_size > FILE_MAX)
		return STR_NONE;
	p = arena_alloc(a, (size_t)st.st_size + 1);
	return str_make(p, pread(fd, p, (size_t)st.st_size, 0) == st.st_size ? (size_t)st.st_size : 0);
}

static struct { struct server *server; int drain_ms; } end;

static void *signal_wait(void *arg)
{
	int sig;

	sigwait(arg, &sig);
	server_stop(end.server, end.drain_ms);
	return NULL;
}

int front_signals(struct server *s, int drain_ms, struct err *e)
{
	static sigset_t set;
	pthread_t thread;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	end.server = s;
	end.drain_ms = drain_ms;
	return pthread_create(&thread, NULL, signal_wait, &set) ? err_sys(e, "start a thread") : 0;
}
