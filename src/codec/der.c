/* Distinguished encoding rules. What DER forbids (indefinite or padded lengths, padded integers, odd booleans) is
 * an error here too: two different encodings must never mean the same certificate. */
#include "codec/der.h"

#include <assert.h>
#include <stdio.h>

#define LENGTH_MAX (16u << 20)

struct der der_of(struct str bytes)
{
	return (struct der){ .rest = bytes };
}

int der_peek(const struct der *d)
{
	return d->bad || d->rest.n == 0 ? -1 : (unsigned char)d->rest.p[0];
}

static bool fail(struct der *d)
{
	d->bad = true;
	return false;
}

/* The size of the header (tag and length) and of the contents of the next element. */
static bool header(const struct str s, size_t *head, size_t *body)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = 0, count;

	if (s.n < 2 || (p[0] & 0x1f) == 0x1f)
		return false;
	if (p[1] < 0x80) {
		*head = 2;
		*body = p[1];
		return *body <= s.n - 2;
	}
	count = p[1] & 0x7f;
	if (count == 0 || count > 4 || s.n < 2 + count || p[2] == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		n = n << 8 | p[2 + i];
	*head = 2 + count;
	*body = n;
	return n >= 0x80 && n <= LENGTH_MAX && n <= s.n - *head;
}

static bool get(struct der *d, int tag, struct str *whole, struct str *body)
{
	size_t head, n;

	if (d->bad || d->rest.n == 0 || (tag >= 0 && (unsigned char)d->rest.p[0] != tag) || !header(d->rest, &head, &n))
		return fail(d);
	*whole = str_head(d->rest, head + n);
	*body = str_make(d->rest.p + head, n);
	d->rest = str_drop(d->rest, head + n);
	return true;
}

bool der_get(struct der *d, int tag, struct str *body)
{
	struct str whole;

	return get(d, tag, &whole, body);
}

bool der_get_whole(struct der *d, int tag, struct str *whole)
{
	struct str body;

	return get(d, tag, whole, &body);
}

bool der_get_any(struct der *d, int *tag, struct str *body)
{
	*tag = der_peek(d);
	return der_get(d, -1, body);
}

struct der der_enter(struct der *d, int tag)
{
	struct str body = STR_NONE;
	bool ok = der_get(d, tag, &body);

	return (struct der){ .rest = body, .bad = !ok };
}

bool der_skip(struct der *d)
{
	struct str body;

	return der_get(d, -1, &body);
}

bool der_done(const struct der *d)
{
	return !d->bad && d->rest.n == 0;
}

bool der_get_uint(struct der *d, struct str *big)
{
	struct str s;
	const unsigned char *p;

	if (!der_get(d, DER_INT, &s))
		return false;
	p = (const unsigned char *)s.p;
	if (s.n == 0 || p[0] & 0x80 || (s.n > 1 && p[0] == 0 && !(p[1] & 0x80)))
		return fail(d);
	*big = p[0] == 0 ? str_drop(s, 1) : s;
	return true;
}

bool der_get_small(struct der *d, int64_t *v)
{
	struct str s;
	uint64_t n = 0;

	if (!der_get_uint(d, &s))
		return false;
	if (s.n > 8 || (s.n == 8 && (unsigned char)s.p[0] & 0x80))
		return fail(d);
	for (size_t i = 0; i < s.n; i++)
		n = n << 8 | (unsigned char)s.p[i];
	*v = (int64_t)n;
	return true;
}

bool der_get_bool(struct der *d, bool *v)
{
	struct str s;

	if (!der_get(d, DER_BOOL, &s))
		return false;
	if (s.n != 1 || ((unsigned char)s.p[0] != 0 && (unsigned char)s.p[0] != 0xff))
		return fail(d);
	*v = s.p[0] != 0;
	return true;
}

bool der_get_bits(struct der *d, struct str *bytes)
{
	struct str s;

	if (!der_get(d, DER_BITS, &s))
		return false;
	if (s.n == 0 || s.p[0] != 0)
		return fail(d);
	*bytes = str_drop(s, 1);
	return true;
}

/* --- times ------------------------------------------------------------------------------------------ */

/* Days from 1970-01-01 in the proleptic Gregorian calendar; months counted from March so that February ends the year. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static bool two_digits(const char *p, int least, int most, int *v)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*v = (p[0] - '0') * 10 + p[1] - '0';
	return *v >= least && *v <= most;
}

static bool parse_time(struct str s, bool general, int64_t *unix_s)
{
	static const int month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	size_t at = general ? 4 : 2;
	int century = 0, year, month, day, hour, minute, second;

	if (s.n != at + 11 || s.p[s.n - 1] != 'Z')
		return false;
	if (general && !two_digits(s.p, 0, 99, &century))
		return false;
	if (!two_digits(s.p + at - 2, 0, 99, &year))
		return false;
	year += general ? century * 100 : year >= 50 ? 1900 : 2000;
	if (!two_digits(s.p + at, 1, 12, &month) || !two_digits(s.p + at + 2, 1, month_days[month - 1], &day) ||
	    !two_digits(s.p + at + 4, 0, 23, &hour) || !two_digits(s.p + at + 6, 0, 59, &minute) ||
	    !two_digits(s.p + at + 8, 0, 59, &second))
		return false;
	*unix_s = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

bool der_get_time(struct der *d, int64_t *unix_s)
{
	bool general = der_peek(d) == DER_TIME;
	struct str s;

	if (!der_get(d, general ? DER_TIME : DER_UTC_TIME, &s))
		return false;
	return parse_time(s, general, unix_s) || fail(d);
}

/* --- writing ---------------------------------------------------------------------------------------- */

static void put_length(struct buf *b, size_t n)
{
	if (n < 0x80)
		return buf_char(b, (char)n);
	size_t count = n < 0x100 ? 1 : n < 0x10000 ? 2 : 3;

	assert(n <= LENGTH_MAX - 1);
	buf_char(b, (char)(0x80 | count));
	while (count-- > 0)
		buf_char(b, (char)(n >> (8 * count)));
}

size_t der_open(struct buf *b, int tag)
{
	buf_char(b, (char)tag);
	return b->n;
}

void der_close(struct buf *b, size_t mark)
{
	size_t n = b->n - mark, grow;

	if (!buf_ok(b))
		return;
	put_length(b, n);                             /* at the end first, to learn its size; then rotate it to the front */
	if (!buf_ok(b))
		return;
	grow = b->n - mark - n;
	char length[8];

	memcpy(length, b->p + mark + n, grow);
	memmove(b->p + mark + grow, b->p + mark, n);
	memcpy(b->p + mark, length, grow);
}

void der_put(struct buf *b, int tag, struct str body)
{
	buf_char(b, (char)tag);
	put_length(b, body.n);
	buf_str(b, body);
}

void der_put_uint(struct buf *b, struct str big)
{
	while (big.n > 0 && big.p[0] == 0)
		big = str_drop(big, 1);
	bool pad = big.n == 0 || (unsigned char)big.p[0] & 0x80;

	buf_char(b, DER_INT);
	put_length(b, big.n + pad);
	if (pad)
		buf_char(b, 0);
	buf_str(b, big);
}

void der_put_small(struct buf *b, int64_t v)
{
	char be[8];

	assert(v >= 0);
	for (int i = 0; i < 8; i++)
		be[i] = (char)(v >> (56 - 8 * i));
	der_put_uint(b, str_make(be, 8));
}

void der_put_bool(struct buf *b, bool v)
{
	der_put(b, DER_BOOL, v ? STR("\xff") : STR("\0"));
}

void der_put_bits(struct buf *b, struct str bytes)
{
	buf_char(b, DER_BITS);
	put_length(b, bytes.n + 1);
	buf_char(b, 0);
	buf_str(b, bytes);
}

void der_put_null(struct buf *b)
{
	der_put(b, DER_NULL, STR(""));
}

void der_put_time(struct buf *b, int64_t unix_s)
{
	int64_t days = unix_s / 86400, rest = unix_s % 86400;
	int year, month, day;
	char text[48];

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	date_of(days, &year, &month, &day);
	bool utc = year >= 1950 && year < 2050;
	int n = snprintf(text, sizeof(text), "%0*d%02d%02d%02d%02d%02dZ", utc ? 2 : 4, utc ? year % 100 : year, month, day,
			 (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));

	der_put(b, utc ? DER_UTC_TIME : DER_TIME, str_make(text, (size_t)n));
}
