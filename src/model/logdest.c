/* See logdest.h. */
#include "model/logdest.h"

#include "codec/json.h"

#include <errno.h>
#include <time.h>

#define SECOND   1000000000ll
#define SEVERITY(l) ((l)->is_stderr ? 3 : 6)          /* error, informational: RFC 5424, 6.2.1 */

static const char *const facilities[] = { "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7" };

static const struct { const char *name; enum log_driver driver; const char *options[10]; } drivers[] = {
	{ "json-file", LOG_FILE,    { "max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", NULL } },
	{ "local",     LOG_FILE,    { "max-size", "max-file", "compress", NULL } },
	{ "none",      LOG_NONE,    { NULL } },
	{ "syslog",    LOG_SYSLOG,  { "syslog-address", "syslog-facility", "syslog-format", "tag", NULL } },
	{ "gelf",      LOG_GELF,    { "gelf-address", "gelf-compression-type", "tag", NULL } },
	{ "fluentd",   LOG_FLUENTD, { "fluentd-address", "fluentd-async", "fluentd-sub-second-precision", "tag", NULL } },
};
static const char *const everywhere[] = { "mode", "max-buffer-size", NULL }; /* a container never waits for its log */
static const char *const parts[] = { "{{.ID}}", "{{.FullID}}", "{{.Name}}", "{{.ImageName}}", "{{.ImageID}}", "{{.ImageFullID}}",
	"{{.DaemonName}}" };
#define NPARTS (sizeof parts / sizeof *parts)

static bool among(struct str s, const char *const *list)
{
	while (*list && !str_is(s, *list))
		list++;
	return *list;
}

static int bad(const struct pair *o, const char *why, struct err *e)
{
	return err_set(e, EINVAL, "log-opt %.*s: '%.*s' %s", STR_ARG(str_head(o->key, 40)), STR_ARG(str_head(o->val, 80)), why);
}

/* "[tcp|udp://]host[:port]". */
static int address(const struct pair *o, struct log_dest *d, const char *schemes, int port, struct err *e)
{
	struct str rest = o->val, scheme = STR_NONE, host;
	ptrdiff_t at = str_find_str(rest, STR("://"));
	int64_t n = port;

	if (at >= 0) {
		scheme = str_head(rest, (size_t)at);
		rest = str_drop(rest, (size_t)at + 3);
	}
	if (scheme.n && (!str_is(scheme, "tcp") || !strstr(schemes, "tcp")) && (!str_is(scheme, "udp") || !strstr(schemes, "udp")))
		return err_set(e, ENOTSUP, "log-opt %.*s: %.*s:// is not supported (%s)", STR_ARG(o->key), STR_ARG(str_head(scheme, 20)), schemes);
	d->udp = str_is(scheme, "udp") || (!scheme.n && !strstr(schemes, "tcp"));
	if (str_starts(rest, STR("["))) {
		if (!str_cut(str_drop(rest, 1), ']', &host, &rest))
			return bad(o, "is not an address", e);
		rest = str_starts(rest, STR(":")) ? str_drop(rest, 1) : rest;
	} else {
		str_cut(rest, ':', &host, &rest);
	}
	if (!host.n || host.n > 255 || str_find(host, '/') >= 0 || str_has_nul(host) || (rest.n && (!str_to_i64(rest, &n) || n < 1 || n > 65535)))
		return bad(o, "is not an address", e);
	if (!n)
		return bad(o, "needs a port", e);
	d->host = host;
	d->port = (int)n;
	return 0;
}

static int facility(const struct pair *o, struct log_dest *d, struct err *e)
{
	int64_t n;

	for (d->facility = 0; d->facility < 24; d->facility++)
		if (o->val.n && str_is(o->val, facilities[d->facility]))
			return 0;
	if (!str_to_i64(o->val, &n) || n < 0 || n > 23)
		return bad(o, "is no facility", e);
	d->facility = (int)n;
	return 0;
}

/* Only what log_tag() knows to fill in. */
static int tag(const struct pair *o, struct log_dest *d, struct err *e)
{
	struct str rest = o->val;
	ptrdiff_t at;

	if (o->val.n > 1000)
		return bad(o, "is too long", e);
	for (; (at = str_find_str(rest, STR("{{"))) >= 0;) {
		size_t k = 0;

		rest = str_drop(rest, (size_t)at);
		while (k < NPARTS && !str_starts(rest, str_of(parts[k])))
			k++;
		if (k == NPARTS)
			return err_set(e, ENOTSUP, "log-opt tag: %.*s is not supported: {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageID}}, "
				       "{{.ImageFullID}} and {{.DaemonName}} are", STR_ARG(str_head(rest, 40)));
		rest = str_drop(rest, strlen(parts[k]));
	}
	d->tag = o->val;
	return 0;
}

static int is_bool(const struct pair *o, bool *out, struct err *e)
{
	*out = str_is(o->val, "true") || str_is(o->val, "1");
	return *out || str_is(o->val, "false") || str_is(o->val, "0") ? 0 : bad(o, "is neither true nor false", e);
}

static int one(const struct pair *o, struct log_dest *d, struct err *e)
{
	static const char *const formats[] = { "", "rfc3164", "rfc5424", "rfc5424micro", NULL };
	bool ignored;

	if (str_is(o->key, "mode"))
		return str_is(o->val, "blocking") || str_is(o->val, "non-blocking") ? 0 : bad(o, "is neither blocking nor non-blocking", e);
	if (str_is(o->key, "tag"))
		return tag(o, d, e);
	if (str_is(o->key, "syslog-address"))
		return address(o, d, "udp:// and tcp:// are", 514, e);
	if (str_is(o->key, "gelf-address"))
		return address(o, d, "udp:// and tcp:// are", 0, e);
	if (str_is(o->key, "fluentd-address"))
		return address(o, d, "tcp:// is", 24224, e);
	if (str_is(o->key, "syslog-facility"))
		return facility(o, d, e);
	if (str_is(o->key, "gelf-compression-type"))
		return str_is(o->val, "none") ? 0 : err_set(e, ENOTSUP, "log-opt gelf-compression-type=%.*s is not supported: messages are sent as they are",
							     STR_ARG(str_head(o->val, 20)));
	if (str_is(o->key, "syslog-format")) {
		d->format = o->val;
		return among(o->val, formats) ? 0 : bad(o, "is no format", e);
	}
	if (str_is(o->key, "fluentd-sub-second-precision"))
		return is_bool(o, &d->precise, e);
	if (str_is(o->key, "compress") || str_is(o->key, "fluentd-async"))
		return is_bool(o, &ignored, e);
	return 0;                                     /* sizes: checked with the file's limits */
}

int log_dest_parse(const struct log_config *l, struct log_dest *out, struct err *e)
{
	struct str name = l->type.n ? l->type : STR("json-file");
	size_t k = 0;

	*out = (struct log_dest){ .facility = 3, .tag = STR("{{.ID}}") };
	while (k < sizeof drivers / sizeof *drivers && !str_is(name, drivers[k].name))
		k++;
	if (k == sizeof drivers / sizeof *drivers)
		return err_set(e, EINVAL, "logger: no log driver named '%.*s' is registered (json-file, local, none, syslog, gelf and fluentd are)",
			       STR_ARG(str_head(name, 40)));
	out->driver = drivers[k].driver;
	for (size_t i = 0; i < l->config.n; i++) {
		const struct pair *o = &l->config.v[i];

		if (!among(o->key, drivers[k].options) && (out->driver == LOG_NONE || !among(o->key, everywhere)))
			return err_set(e, EINVAL, "unknown log opt '%.*s' for %s log driver", STR_ARG(str_head(o->key, 40)), drivers[k].name);
		if (one(o, out, e))
			return -1;
	}
	if (out->driver >= LOG_SYSLOG && !out->host.n)
		return err_set(e, EINVAL, "log driver %s needs its %s option", drivers[k].name, drivers[k].options[0]);
	return 0;
}

struct str log_tag(struct arena *a, const struct log_dest *d, const struct log_speaker *s)
{
	const struct str values[NPARTS] = { str_head(s->id, 12), s->id, s->name, s->image,
		str_head(str_starts(s->image_id, STR("sha256:")) ? str_drop(s->image_id, 7) : s->image_id, 12), s->image_id, STR("docker") };
	struct str rest = d->tag, out = STR_NONE;
	ptrdiff_t at;

	while ((at = str_find_str(rest, STR("{{"))) >= 0) {
		size_t k = 0;

		while (k < NPARTS && !str_starts(str_drop(rest, (size_t)at), str_of(parts[k])))
			k++;
		if (k == NPARTS)
			break;
		out = arena_printf(a, "%.*s%.*s%.*s", STR_ARG(out), STR_ARG(str_head(rest, (size_t)at)), STR_ARG(values[k]));
		rest = str_drop(rest, (size_t)at + strlen(parts[k]));
	}
	return arena_printf(a, "%.*s%.*s", STR_ARG(out), STR_ARG(rest));
}

/* --- syslog: RFC 3164, RFC 5424 ------------------------------------------------------------------------ */

static void syslog_message(struct buf *b, const struct log_dest *d, const struct log_speaker *s, const struct log_line *l)
{
	time_t sec = l->time_ns / SECOND;
	bool micro = str_is(d->format, "rfc5424micro");
	char stamp[48];
	struct tm tm;

	gmtime_r(&sec, &tm);
	buf_printf(b, "<%d>", d->facility * 8 + SEVERITY(l));
	if (micro || str_is(d->format, "rfc5424")) {
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
		buf_printf(b, "1 %s", stamp);
		if (micro)
			buf_printf(b, ".%06d", (int)(l->time_ns % SECOND / 1000));
		buf_printf(b, "Z %.*s %.*s %lld %.*s - ", STR_ARG(s->host), STR_ARG(s->tag), (long long)s->pid, STR_ARG(s->tag));
	} else {
		strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &tm);
		buf_printf(b, "%s ", stamp);
		if (d->format.n)
			buf_printf(b, "%.*s ", STR_ARG(s->host));
		buf_printf(b, "%.*s[%lld]: ", STR_ARG(s->tag), (long long)s->pid);
	}
	buf_str(b, l->text);
	buf_char(b, '\n');
}

/* --- GELF 1.1 ----------------------------------------------------------------------------------------- */

static void member(struct buf *b, const char *name, struct str val)
{
	buf_printf(b, ",\"%s\":", name);
	json_quote(b, val);
}

static void gelf_message(struct buf *b, const struct log_dest *d, const struct log_speaker *s, const struct log_line *l)
{
	buf_puts(b, "{\"version\":\"1.1\"");
	member(b, "host", s->host);
	member(b, "short_message", l->text);
	buf_printf(b, ",\"timestamp\":%lld.%03d,\"level\":%d", (long long)(l->time_ns / SECOND), (int)(l->time_ns % SECOND / 1000000), SEVERITY(l));
	member(b, "_command", s->command);
	member(b, "_container_id", s->id);
	member(b, "_container_name", s->name);
	member(b, "_image_id", s->image_id);
	member(b, "_image_name", s->image);
	member(b, "_tag", s->tag);
	buf_char(b, '}');
	if (!d->udp)
		buf_char(b, 0);
}

/* --- fluentd: the forward protocol's message mode, in MessagePack --------------------------------------- */

static void be(struct buf *b, uint64_t v, int bytes)
{
	while (bytes--)
		buf_char(b, (char)(v >> (8 * bytes)));
}

static void packed(struct buf *b, struct str s)
{
	if (s.n < 32) {
		buf_char(b, (char)(0xa0 | s.n));
	} else if (s.n < 65536) {
		buf_char(b, (char)0xda);
		be(b, s.n, 2);
	} else {
		buf_char(b, (char)0xdb);
		be(b, s.n, 4);
	}
	buf_str(b, s);
}

static void fluentd_message(struct buf *b, const struct log_dest *d, const struct log_speaker *s, const struct log_line *l)
{
	buf_char(b, (char)0x93);                      /* [tag, time, record] */
	packed(b, s->tag);
	if (d->precise) {                             /* EventTime: extension type 0 of 8 bytes */
		be(b, 0xd700, 2);
		be(b, (uint64_t)(l->time_ns / SECOND), 4);
		be(b, (uint64_t)(l->time_ns % SECOND), 4);
	} else {
		buf_char(b, (char)0xce);
		be(b, (uint64_t)(l->time_ns / SECOND), 4);
	}
	buf_char(b, (char)0x84);
	packed(b, STR("container_id"));
	packed(b, s->id);
	packed(b, STR("container_name"));
	packed(b, s->name);
	packed(b, STR("source"));
	packed(b, l->is_stderr ? STR("stderr") : STR("stdout"));
	packed(b, STR("log"));
	packed(b, l->text);
}

void log_message(struct buf *b, const struct log_dest *d, const struct log_speaker *s, const struct log_line *l)
{
	if (d->driver == LOG_SYSLOG)
		syslog_message(b, d, s, l);
	else if (d->driver == LOG_GELF)
		gelf_message(b, d, s, l);
	else if (d->driver == LOG_FLUENTD)
		fluentd_message(b, d, s, l);
}
