/* Writing a container's json-file log: a line of JSON for each line of output, as Docker writes it, with rotation. */
#ifndef RUNTIME_JSONLOG_H
#define RUNTIME_JSONLOG_H

#include "base/buf.h"
#include "base/err.h"

#define JSONLOG_LINE_MAX (16 << 10)                   /* longer lines are logged in pieces without the newline */

struct jsonlog {
	int     dir, fd;                              /* -1: nothing is logged */
	int64_t size, max_size;                       /* 0: no limit */
	int     max_file;                             /* 1: the file is emptied when it is full */
	struct buf partial[2];                        /* stdout, stderr: an unfinished line */
	struct buf out;
};

/* Continues the file "log" in `dir` (borrowed). */
int jsonlog_open(struct jsonlog *l, int dir, int64_t max_size, int max_file, struct err *e);

/* `stream`: 0 stdout, 1 stderr. Whatever the disk says, output goes on: a line that cannot be written is lost. */
void jsonlog_write(struct jsonlog *l, int stream, const char *p, size_t n);
void jsonlog_flush(struct jsonlog *l);                /* unfinished lines too: at the end of output */
void jsonlog_close(struct jsonlog *l);

/* One line of the file, for tests: appended to b. */
void jsonlog_line(struct buf *b, const char *p, size_t n, int stream, const char *time);

#endif
