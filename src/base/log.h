/* Structured logs: one bunyan-compatible JSON line per event, or a line for people when the log is a
 * terminal. The message is constant and lower case, the facts are fields:
 *     log_info("container started", L("id", id), L("pid", pid));
 * Only roles and endpoints log; everything below returns its struct err. Thread safe (one write(2) per line).
 * Never pass secrets, keys or environment values. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_TRACE = 10, LOG_DEBUG = 20, LOG_INFO = 30, LOG_WARN = 40, LOG_ERROR = 50, LOG_FATAL = 60 };

struct log_field {
	const char *name;
	enum { LOG_STR, LOG_INT } kind;
	struct str  s;
	int64_t     i;
};

static inline struct log_field log_of_str(const char *n, struct str s) { return (struct log_field){ n, LOG_STR, s, 0 }; }
static inline struct log_field log_of_z(const char *n, const char *z) { return (struct log_field){ n, LOG_STR, str_of(z), 0 }; }
static inline struct log_field log_of_int(const char *n, int64_t i) { return (struct log_field){ n, LOG_INT, STR_NONE, i }; }

#define L(name, value) _Generic((value), struct str: log_of_str, char *: log_of_z, const char *: log_of_z, \
	default: log_of_int)(name, value)

/* Open this process's log: `role` names it in every line, `fd` is where lines go (usually 2). Human form
 * when `fd` is a terminal. Before the first call everything goes to fd 2. */
void log_open(const char *role, int fd, enum log_level least);

void log_event(enum log_level level, const char *msg, const struct log_field *f, size_t n);

#define LOG_FIELDS(...) (const struct log_field[]){ __VA_ARGS__ }, \
	sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field)
#define log_at(level, msg, ...) log_event(level, msg, LOG_FIELDS(__VA_ARGS__))
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

/* log_failed("start container", &e, L("id", id)): error level, with the sentence as field "err". */
#define log_failed(what, e, ...) log_at(LOG_ERROR, what, L("err", (const char *)(e)->msg), ##__VA_ARGS__)

#endif
