/* Answering system calls of others (seccomp_unotify(2)): those that would tell a container about the machine.
 *
 * The filter is one of its own, below whatever else is installed: for calls that it lets pass the kernel remembers so and does
 * not run it. A task can have one listener among all its filters: who wants one of his own inside gets EBUSY. */
#ifndef OS_SECCOMP_NOTIFY_H
#define OS_SECCOMP_NOTIFY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* sysinfo(2) and sched_getaffinity(2) about themselves, of this process and those it becomes and makes, wait from now on for
 * who has the returned descriptor (close-on-exec). Needs CAP_SYS_ADMIN in the user namespace, or no_new_privs. */
int seccomp_listen(struct err *e);

struct seccomp_call {
	uint64_t id;
	pid_t    tid;                                 /* as the listener sees it */
	bool     is_sysinfo;                          /* or sched_getaffinity */
	uint64_t room, address;                       /* of the answer */
};

/* When the listener is readable. 1 a call, 0 none any more, -1 nobody is left who could call. */
int seccomp_call_next(int listener, struct seccomp_call *c);

/* `n` bytes to the caller, which then gets `result` (EFAULT when they cannot be written). n 0: only the result, -errno. `proc`: a
 * directory with the processes of this pid namespace. With bytes it waits for the caller's memory, which may be a file of anybody: not in a process that others wait for. */
void seccomp_call_answer(int proc, int listener, const struct seccomp_call *c, const void *p, size_t n, int64_t result);

#endif
