/* Processes: clone3, pidfd, waiting, names. Linux 6.1. */
#ifndef OS_PROC_H
#define OS_PROC_H

#include "base/err.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

/* clone3(2) like fork: 0 in the child, the pid here, -1 with `e`. `flags`: CLONE_NEW*, CLONE_PARENT. `cgroup` is a
 * directory of the unified hierarchy to be born in (CLONE_INTO_CGROUP), or -1. */
pid_t proc_clone(uint64_t flags, int cgroup, int *pidfd, struct err *e);

int proc_pidfd(pid_t pid, struct err *e);             /* pidfd_open(2) */
int proc_pidfd_signal(int pidfd, int sig, struct err *e);

/* Exit status as a shell and Docker tell it: code, or 128 + signal. */
int proc_exit_code(int wait_status);

/* Name in ps: comm (15 bytes) and, where `title` fits into the memory of argv, the command line. */
void proc_set_name(const char *name);
void proc_keep_argv(int argc, char **argv);           /* once in main, so that proc_set_name may overwrite the command line */


/* Memory given back by a process that will do nothing for long. The pages that lie wholly in a static buffer: they read as zeroes again. */
void proc_trim(void *p, size_t n);
/* With one thread: those below the caller's frame. A fork has the pages of its parent's deepest call. */
void proc_trim_stack(void);

/* In a forked child: default dispositions of all signals, nothing blocked, no parent-death signal. */
void proc_reset_signals(void);

#endif
