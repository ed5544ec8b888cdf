/* Between the program and its disk: linked with --wrap (Makefile), these stand in for the file calls of a process that is
 * under test. They write down what is done below one directory, in order, and can make the n-th call of a kind fail, wait
 * or be the process's last. A sync costs nothing here: what it promises is modelled by the images (image.h).
 * Not for calls through mmap (LMDB's lock file): those are not recorded. */
#ifndef POWER_RECORD_H
#define POWER_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum call {                                             /* kinds of record; the first ones are calls that can be made to fail */
	CALL_OPEN, CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_RESERVE, CALL_RENAME, CALL_UNLINK, CALL_MKDIR, CALLS,
	MARK_LIFE = CALLS, CALL_CLOSE, CALL_SYNC_FAILED, MARK_SENT, MARK_ACKED
};
extern const char *const call_names[CALLS];

struct record {                                       /* followed by n_path bytes of path, n_to of second path, n_data */
	uint32_t op;
	int32_t  fd;
	int64_t  off;                                 /* MARK_SENT, MARK_ACKED: the number of the command */
	uint32_t n_path, n_to, n_data;
	uint32_t created;                             /* CALL_OPEN: was not there before */
};

enum harm { HARM_NONE, HARM_ERROR, HARM_KILL, HARM_KILL_AFTER, HARM_DELAY };

struct fault {
	enum call call;
	enum harm harm;
	unsigned  nth;                                /* from 1 */
	bool      sticky;                             /* that call and each later one */
	int       error, delay_ms;
};

/* Shared with the children that are forked after record_init. */
struct record_shared {
	unsigned calls[CALLS];                     /* of the life that began last */
	bool     struck, lifted;                      /* the fault happened; set by the parent: it happens no more */
	char     where[128];                          /* the file that it happened to */
};
extern struct record_shared *record_shared;

void record_init(void);
/* In a process: from now on, what happens below `root` goes to the descriptor `trace` (opened O_APPEND; -1: nowhere). */
void record_begin(const char *root, int trace, const struct fault *f);
void record_mark(int trace, enum call op, int64_t n);

#endif
