/* Time; see clock.h. */
#include "base/clock.h"

#include "base/fmt.h"

#include <errno.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

int64_t clock_boot_ms(void)
{
	return read_clock(CLOCK_BOOTTIME) / 1000000;
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void clock_sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

struct str clock_rfc3339(int64_t wall_ns, char out[RFC3339_MAX])
{
	time_t sec = wall_ns / SECOND;
	long frac = wall_ns % SECOND;
	struct tm tm;
	int n;

	if (wall_ns == 0)
		return str_make(memcpy(out, "0001-01-01T00:00:00Z", 21), 20);
	if (frac < 0)
		sec--, frac += SECOND;
	gmtime_r(&sec, &tm);
	n = fmt_to(out, RFC3339_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09ld", tm.tm_year + 1900,
	             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, frac);
	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n++] = 'Z';
	out[n] = 0;
	return str_make(out, n);
}

static bool digits(struct str *s, int count, int *v)
{
	*v = 0;
	if (s->n < (size_t)count)
		return false;
	for (; count; count--, s->p++, s->n--) {
		if (s->p[0] < '0' || s->p[0] > '9')
			return false;
		*v = *v * 10 + (s->p[0] - '0');
	}
	return true;
}

static bool skip(struct str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = str_drop(*s, 1);
	return true;
}

/* ".123" as nanoseconds; digits beyond the ninth are dropped. */
static bool fraction(struct str *s, int64_t *ns)
{
	int64_t unit = SECOND / 10;
	size_t seen = 0;

	for (*ns = 0; s->n && s->p[0] >= '0' && s->p[0] <= '9'; seen++) {
		*ns += (s->p[0] - '0') * unit;
		unit /= 10;
		*s = str_drop(*s, 1);
	}
	return seen > 0;
}

static bool parse_seconds(struct str s, int64_t *wall_ns)
{
	struct str whole, rest;
	bool minus = s.n && s.p[0] == '-';
	int64_t sec, ns = 0;

	if (str_cut(s, '.', &whole, &rest) && (!fraction(&rest, &ns) || rest.n))
		return false;
	if (!str_to_i64(whole, &sec) || sec > INT64_MAX / SECOND - 1 || sec < -(INT64_MAX / SECOND - 1))
		return false;
	*wall_ns = sec * SECOND + (minus ? -ns : ns);
	return true;
}

/* Nanoseconds of a calendar date and time; false when there is none such (February 30), or none in int64. */
static bool wall_of(struct tm tm, int64_t *ns)
{
	int day = tm.tm_mday, second = tm.tm_sec;
	time_t t;

	if (tm.tm_year < 1678 || tm.tm_year > 2261 || tm.tm_mon < 0 || tm.tm_mon > 11 || day < 1 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || second > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_sec = 0;                                /* apart, as a leap second reaches into the next day */
	t = timegm(&tm);                              /* normalizes the date in tm */
	if (tm.tm_mday != day)
		return false;
	*ns = (t + second) * SECOND;
	return true;
}

bool clock_parse(struct str s, int64_t *wall_ns)
{
	struct str whole = s;
	struct tm tm = { 0 };
	int64_t ns = 0, offset = 0, whole_ns;
	int h, m;
	bool minus;

	if (!digits(&s, 4, &tm.tm_year) || !skip(&s, '-'))
		return parse_seconds(whole, wall_ns);
	if (!digits(&s, 2, &tm.tm_mon) || !skip(&s, '-') || !digits(&s, 2, &tm.tm_mday) || !skip(&s, 'T') ||
	    !digits(&s, 2, &tm.tm_hour) || !skip(&s, ':') || !digits(&s, 2, &tm.tm_min) || !skip(&s, ':') ||
	    !digits(&s, 2, &tm.tm_sec) || (skip(&s, '.') && !fraction(&s, &ns)))
		return false;
	if (!skip(&s, 'Z')) {
		minus = s.n && s.p[0] == '-';
		if ((!skip(&s, '+') && !skip(&s, '-')) || !digits(&s, 2, &h) || !skip(&s, ':') || !digits(&s, 2, &m))
			return false;
		offset = (h * 60 + m) * (minus ? -60 : 60);
	}
	if (s.n || offset > 24 * 3600 || offset < -24 * 3600)
		return false;
	if (tm.tm_year >= 1 && tm.tm_year < 1678) {   /* Go's zero time and other dates before int64 ns */
		*wall_ns = 0;
		return true;
	}
	tm.tm_mon--;
	if (!wall_of(tm, &whole_ns))
		return false;
	*wall_ns = whole_ns - offset * SECOND + ns;
	return true;
}

bool clock_parse_span(struct str s, int64_t *ns)
{
	static const struct { const char *unit; int64_t ns; } units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", SECOND }, { "m", 60 * SECOND }, { "h", 3600 * SECOND },
	};

	*ns = 0;
	if (s.n == 0)
		return false;
	while (s.n) {
		size_t n = 0, u = 0, unit_n;
		int64_t count;

		while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
			n++;
		if (n == 0 || n > 9 || !str_to_i64(str_head(s, n), &count))
			return false;
		s = str_drop(s, n);
		for (unit_n = 0; unit_n < s.n && (s.p[unit_n] < '0' || s.p[unit_n] > '9');)
			unit_n++;
		while (u < sizeof(units) / sizeof(units[0]) && !str_is(str_head(s, unit_n), units[u].unit))
			u++;
		if (u == sizeof(units) / sizeof(units[0]) || __builtin_mul_overflow(count, units[u].ns, &count) ||
		    __builtin_add_overflow(*ns, count, ns))
			return false;
		s = str_drop(s, unit_n);
	}
	return true;
}

bool clock_parse_until(struct str s, int64_t *wall_ns)
{
	int64_t span;

	if (clock_parse(s, wall_ns))
		return true;
	if (!clock_parse_span(s, &span))
		return false;
	*wall_ns = clock_wall_ns() - span;
	return true;
}

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct str clock_http_date(int64_t wall_ns, char out[RFC3339_MAX])
{
	time_t sec = wall_ns / SECOND;
	struct tm tm;
	int n;

	gmtime_r(&sec, &tm);
	n = snprintf(out, RFC3339_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
	             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return str_make(out, n);
}

bool clock_parse_http_date(struct str s, int64_t *wall_ns)
{
	struct tm tm = { 0 };
	int i;

	if (s.n != 29 || s.p[3] != ',' || !str_ends(s, STR(" GMT")))
		return false;
	s = str_drop(s, 5);
	if (!digits(&s, 2, &tm.tm_mday) || !skip(&s, ' '))
		return false;
	for (i = 0; i < 12 && !str_starts(s, str_of(months[i])); i++)
		;
	tm.tm_mon = i;
	s = str_drop(s, 3);
	if (i == 12 || !skip(&s, ' ') || !digits(&s, 4, &tm.tm_year) || !skip(&s, ' ') || !digits(&s, 2, &tm.tm_hour) ||
	    !skip(&s, ':') || !digits(&s, 2, &tm.tm_min) || !skip(&s, ':') || !digits(&s, 2, &tm.tm_sec))
		return false;
	return wall_of(tm, wall_ns);
}
