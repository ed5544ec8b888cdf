/* Structured logs; see log.h. Format: bunyan version 0 records (name, hostname, pid, level, msg, time, v). */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <sys/utsname.h>
#include <unistd.h>

#define LINE_MAX_BYTES 16384

static struct {
	const char *role;
	int fd;
	int least;
	bool human;
	char host[65];
} log_state = { "triton", 2, LOG_INFO, false, "" };

void log_open(const char *role, int fd, enum log_level least)
{
	struct utsname u;

	log_state.role = role;
	log_state.fd = fd;
	log_state.least = least;
	log_state.human = isatty(fd);
	if (uname(&u) == 0)
		snprintf(log_state.host, sizeof log_state.host, "%s", u.nodename);
}

/* JSON string content; bytes that are not UTF-8 become U+FFFD so that a line is always valid JSON. */
static void quote(struct buf *b, struct str s)
{
	bool ok = str_is_utf8(s);
	size_t i;

	buf_char(b, '"');
	for (i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\u%04x", c);
		else if (c >= 0x80 && !ok)
			buf_puts(b, "\\ufffd");
		else
			buf_char(b, c);
	}
	buf_char(b, '"');
}

static const char *level_name(int level)
{
	return level >= LOG_FATAL ? "FATAL" : level >= LOG_ERROR ? "ERROR" : level >= LOG_WARN ? "WARN" :
	       level >= LOG_INFO ? "INFO" : "DEBUG";
}

static void line_json(struct buf *b, int level, const char *msg, const struct log_field *f, size_t n)
{
	char when[RFC3339_MAX];
	size_t i;

	buf_printf(b, "{\"v\":0,\"name\":\"triton\",\"role\":\"%s\",\"hostname\":", log_state.role);
	quote(b, str_of(log_state.host));
	buf_printf(b, ",\"pid\":%d,\"level\":%d,\"time\":\"%s\",\"msg\":", getpid(), level,
	           clock_rfc3339(clock_wall_ns() / 1000000 * 1000000, when).p);
	quote(b, str_of(msg));
	for (i = 0; i < n; i++) {
		buf_char(b, ',');
		quote(b, str_of(f[i].name));
		buf_char(b, ':');
		if (f[i].kind == LOG_STR)
			quote(b, f[i].s);
		else
			buf_printf(b, "%lld", (long long)f[i].i);
	}
	buf_puts(b, "}\n");
}

static void line_human(struct buf *b, int level, const char *msg, const struct log_field *f, size_t n)
{
	char when[RFC3339_MAX];
	size_t i;

	clock_rfc3339(clock_wall_ns(), when);
	buf_printf(b, "%.8s %-5s %s: %s", when + 11, level_name(level), log_state.role, msg);
	for (i = 0; i < n; i++) {
		buf_printf(b, " %s=", f[i].name);
		if (f[i].kind == LOG_STR)
			quote(b, f[i].s);
		else
			buf_printf(b, "%lld", (long long)f[i].i);
	}
	buf_char(b, '\n');
}

void log_event(enum log_level level, const char *msg, const struct log_field *f, size_t n)
{
	auto_buf b = BUF_INIT(LINE_MAX_BYTES);

	if ((int)level < log_state.least)
		return;
	if (log_state.human)
		line_human(&b, level, msg, f, n);
	else
		line_json(&b, level, msg, f, n);
	if (!buf_ok(&b)) {                            /* facts too long for one line: keep the event itself */
		buf_release(&b);
		line_json(&b, level, msg, NULL, 0);
	}
	if (write(log_state.fd, b.p, b.n) < 0)
		return;                               /* a log that cannot be written has nowhere to say so */
}
