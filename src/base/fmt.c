#include "base/fmt.h"

#include "base/str.h"

#include <limits.h>
#include <stdio.h>

struct out {
	char  *p;
	size_t n, room;                               /* n: of all that was to be written */
};

static void add(struct out *o, const char *p, size_t n)
{
	size_t left = o->n < o->room ? o->room - o->n : 0;

	bytes_copy(o->p + (left ? o->n : 0), p, n < left ? n : left);
	o->n += n;
}

size_t fmt_u64(char to[FMT_DIGITS], uint64_t v)
{
	char digits[FMT_DIGITS];
	size_t at = FMT_DIGITS;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	bytes_copy(to, digits + at, FMT_DIGITS - at);
	return FMT_DIGITS - at;
}

/* With zeros in front up to `width`. */
static void add_number(struct out *o, uint64_t v, bool minus, int width)
{
	char digits[FMT_DIGITS];
	size_t n = fmt_u64(digits, minus ? 0 - v : v);

	if (minus)
		add(o, "-", 1);
	for (int zeros = width - minus - (int)n; zeros > 0; zeros--)
		add(o, "0", 1);
	add(o, digits, n);
}

/* One conversion, `f` behind its %. Returns the rest of the format; NULL: not one of ours. */
static const char *convert(struct out *o, const char *f, va_list *ap)
{
	bool slice = f[0] == '.' && f[1] == '*' && f[2] == 's', wide;
	int width = 0;
	int64_t i;

	if (slice || *f == 's') {
		int n = slice ? va_arg(*ap, int) : -1;
		const char *s = va_arg(*ap, const char *);

		if (!s)
			s = n < 0 ? "(null)" : "";
		add(o, s, n < 0 ? strlen(s) : strnlen(s, (size_t)n));
		return f + (slice ? 3 : 1);
	}
	if (*f == '%' || *f == 'c') {
		char c = *f == 'c' ? (char)va_arg(*ap, int) : '%';

		add(o, &c, 1);
		return f + 1;
	}
	if (*f == '0')
		while (*++f >= '0' && *f <= '9' && width < 100)
			width = width * 10 + (*f - '0');
	wide = *f == 'z' || *f == 'l';                /* all of them are 64 bits wide */
	while (*f == 'z' || *f == 'l')
		f++;
	if (*f == 'd') {
		i = wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);
		add_number(o, (uint64_t)i, i < 0, width);
	} else if (*f == 'u') {
		add_number(o, wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned), false, width);
	} else {
		return NULL;
	}
	return f + 1;
}

int fmt_to(char *to, size_t room, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = fmt_print(to, room, fmt, ap);
	va_end(ap);
	return n;
}

int fmt_print(char *to, size_t room, const char *fmt, va_list ap)
{
	struct out o = { to, 0, room ? room - 1 : 0 };
	const char *f = fmt, *percent;
	va_list at;

	va_copy(at, ap);
	while (f && *f) {
		percent = strchrnul(f, '%');
		add(&o, f, (size_t)(percent - f));
		f = *percent ? convert(&o, percent + 1, &at) : percent;
	}
	va_end(at);
	if (!f)
		return vsnprintf(to, room, fmt, ap);
	if (room)
		to[o.n < o.room ? o.n : o.room] = 0;
	return o.n <= INT_MAX ? (int)o.n : -1;
}
