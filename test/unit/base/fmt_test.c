#include "base/fmt.h"

#include "unit/test.h"

#include <limits.h>
#include <stdio.h>

/* Both print it, into `room` bytes: the same text, the same length. */
__attribute__((format(printf, 2, 3))) static void same(size_t room, const char *fmt, ...)
{
	char ours[128], theirs[128];
	va_list ap, again;
	int n, m;

	memset(ours, 'x', sizeof ours);
	memset(theirs, 'x', sizeof theirs);
	va_start(ap, fmt);
	va_copy(again, ap);
	n = fmt_print(ours, room, fmt, ap);
	m = vsnprintf(theirs, room, fmt, again);
	va_end(again);
	va_end(ap);
	CHECK_INT(n, m);
	CHECK(memcmp(ours, theirs, sizeof ours) == 0);
}

TEST(what_it_prints_itself_is_what_vsnprintf_prints)
{
	static const char *volatile none;
	size_t rooms[] = { 128, 12, 6, 2, 1, 0 };

	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		same(rooms[i], "%s", "");
		same(rooms[i], "a text without any");
		same(rooms[i], "%s/%.*s/%.*s", "c", 5, "login and more", 3, "ab\0c");
		same(rooms[i], "%.*s|%.*s", 0, none, -1, "all of it");
		same(rooms[i], "%d %d %d %d", 0, -1, INT_MIN, INT_MAX);
		same(rooms[i], "%u%% %c%c", UINT_MAX, 'x', '%');
		same(rooms[i], "%ld %lld %lld", LONG_MIN, LLONG_MIN, LLONG_MAX);
		same(rooms[i], "%lu %llu %zu", ULONG_MAX, 10ull, (size_t)99);
		same(rooms[i], "%04d-%02d %09ld %020lld", 2026, 7, 12l, 42ll);
		same(rooms[i], "%04d %02d %03d %0d %01u", -5, -5, 1234, 7, 0u);
	}
}

TEST(what_it_does_not_know_is_left_to_vsnprintf)
{
	same(128, "%s %20lld %s", "before", 42ll, "behind");
	same(128, "%d %.2f %08.3f", 7, 1.5, 2.5);
	same(128, "%-5s|%5s|%.3s", "ab", "cd", "efgh");
	same(128, "%x %#o %+d", 255u, 8u, 3);
	same(128, "%hd %hhu", (short)-3, (unsigned char)200);
}
