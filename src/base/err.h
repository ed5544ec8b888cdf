/* An error is a code plus a sentence, made where it happened and wrapped on the way up (style.md).
 * The struct lives on the caller's stack; nothing here allocates, blocks or logs. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define ERR_MSG_MAX 512

struct err {
	int  code;                                    /* an errno value; 0: no error was set */
	char msg[ERR_MSG_MAX];                        /* one sentence, NUL-terminated, cut if too long */
};

/* All three return -1 so that `return err_set(...)` reads well; `e` may be NULL (the caller does not care). */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* adds strerror(errno) */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* "prefix: old sentence" */

/* The same for functions that return a pointer. */
#define err_set_null(...)  (err_set(__VA_ARGS__), NULL)
#define err_sys_null(...)  (err_sys(__VA_ARGS__), NULL)
#define err_wrap_null(...) (err_wrap(__VA_ARGS__), NULL)

#endif
