/* What a container sees of memory, CPUs and time: files over those of /proc and /sys (os/fuse.h), and the answers to two system
 * calls (os/seccomp_notify.h). Served by the container's shim, from its birth on; nothing happens while nobody reads. The files have
 * a thread: sendfile(2) from them into the container's output holds that pipe until the file is read, and whoever reads the pipe
 * waits meanwhile, non-blocking or not. */
#ifndef RUNTIME_PROCVIEW_H
#define RUNTIME_PROCVIEW_H

#include "os/fuse.h"
#include "runtime/runtime.h"
#include "runtime/procview_text.h"

#include <pthread.h>

#define PROCVIEW_BURST    200                             /* answers in one window; more wait for the next */
#define PROCVIEW_WINDOW_MS 20
#define PROCVIEW_WRITERS 4

struct procview {
	struct fuse     fuse;
	struct runtime *rt;
	char            id[65];
	int64_t         boot_ns, wall_s;              /* when the container began */
	bool            threaded;
	pthread_mutex_t lock;                         /* of what follows, but the writers */
	struct procview_numbers numbers;
	struct procview_memory  memory;
	int64_t         read_ns;                      /* of the numbers: those of a few milliseconds ago will do */
	int64_t         window_ms;
	int             answers;                      /* in this window */
	pid_t           writers[PROCVIEW_WRITERS];    /* children that write into a caller's memory; 0: free */
};

/* Returns the mount that init takes the files from, or -1: then `v` is closed and everything works without. */
int  procview_open(struct procview *v, struct runtime *rt, const struct runtime_spec *s, struct err *e);
int  procview_thread(struct procview *v, struct err *e);      /* from now on a thread with the rights of this one serves the files */
void procview_answer(struct procview *v, int listener); /* one call, by a child; does not block. Not while procview_pause_ms() says so */
void procview_reaped(struct procview *v, pid_t pid);  /* a child of this process has ended */
int  procview_wait(struct procview *v, int fd, int timeout_ms); /* until `fd` is readable; serves the files until then if no thread does. 1, 0 timeout, -1 with errno */

/* For procview_answer(): have more been answered than a window allows, or are all writers busy? Milliseconds until it may go on, else 0. What reads cost
 * is the shim's, not the container's: without this a container could make the machine work beyond its share. */
int  procview_pause_ms(struct procview *v);

/* In init, whose root is the container's: put the files over those of /proc and /sys. */
int  procview_attach(int mount, struct err *e);

#endif
