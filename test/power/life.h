/* The state role as a process on a directory, commands sent to it, and what must be there afterwards. The commands are one
 * sequence; each is sent when the one before was answered or its fate is known. So the state that a start finds must be
 * that of the commands known to be done, with or without the one that was on its way: everything else is loss or worse. */
#ifndef POWER_LIFE_H
#define POWER_LIFE_H

#include "base/err.h"
#include "power/record.h"

#include <stdbool.h>

struct change {
	enum { INIT, CREATE, REMOVE } kind;
	unsigned id;                                  /* of the volume */
	unsigned bytes;                               /* of its label */
	bool     was_void;                            /* was never answered, and was not there afterwards */
};

struct history {
	struct change *v;
	size_t          n, cap;
	unsigned        next_id;
	bool            unknown;                      /* the last one got no answer */
};

struct life {
	pid_t pid;
	int   fd;                                     /* commands go here */
	int   serve;
	int   status;                                 /* of its end */
	const char *dir;
	int   trace;                                  /* -1: not recorded */
};

/* The boot of the machine that the next process thinks it runs in. */
void life_boot(const char *id);
/* After how many bytes of log the next process takes a snapshot (300 KiB). */
void life_snapshots(unsigned bytes);

/* Start the role. 0 when it serves; -1 with its last sentence when it ended instead. */
int  life_start(struct life *l, const char *dir, int trace, const struct fault *f, struct err *e);
bool life_alive(struct life *l);
/* SIGTERM (a clean end) or SIGKILL, or just wait (0). Returns the exit status, -1 for a signal. */
int  life_stop(struct life *l, int sig);
const char *life_said(const struct life *l);          /* the last line that it logged */

/* Send a command and wait. Errors: what it answered, ECONNRESET when it died: then its fate is unknown. */
int  change_send(struct life *l, struct history *h, struct change c, struct err *e);

/* Compare what is there (a process serves it) with the history. Settles the fate of an unknown command.
 * `sent`: how many commands count; `last`: what the last of them must be. */
enum last { MAY_BE_THERE, MUST_BE_THERE, MUST_BE_ABSENT };
int  history_check(struct history *h, size_t sent, enum last last, const char *dir, bool *last_there, struct err *e);
/* The same for the end of the history, which learns whether the command without an answer is there; tells the trace. */
int  history_settle(struct history *h, struct life *l, struct err *e);
void history_release(struct history *h);

/* A command that makes sense now: a new volume of about `bytes`, or one removed. */
struct change change_new(struct history *h, unsigned bytes);
struct change change_remove(unsigned id);

#endif
