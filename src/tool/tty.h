/* Asking the person at the terminal, even when stdin and stdout are something else: always /dev/tty. Blocks. */
#ifndef TOOL_TTY_H
#define TOOL_TTY_H

#include "base/buf.h"
#include "base/err.h"

/* A line without echo, into `out` (caller uses buf_wipe). Errors: ENOTTY "there is no terminal", EINTR at Ctrl-C or end of file. */
int tty_secret(const char *prompt, struct buf *out, struct err *e);

/* "... [y/N] ": 1 yes, 0 no. Errors: ENOTTY. */
int tty_confirm(const char *question, struct err *e);

#endif
