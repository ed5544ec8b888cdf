#include "runtime/jsonlog.h"

#include "unit/test.h"

#include <stdio.h>

/* What stands between {"log":" and ","stream" for one byte of a line. */
static size_t escaped(unsigned char c, char out[8])
{
	static const char named[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
	const char *at = c ? strchr(named, c) : NULL;

	if (at)
		return (size_t)snprintf(out, 8, "\\%c", letters[at - named]);
	if (c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f)
		return (size_t)snprintf(out, 8, "\\u%04x", c);
	if (c >= 0x80)                                /* alone it is no UTF-8 */
		return (size_t)snprintf(out, 8, "\\ufffd");
	out[0] = (char)c;
	return 1;
}

TEST(every_byte_is_escaped_wherever_it_stands)
{
	static const char head[] = "{\"log\":\"";

	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < 20; at++) {
			auto_buf b = BUF_INIT(1 << 10);
			char line[20], want[64];
			size_t n;

			memset(line, 'a', sizeof line);
			line[at] = (char)c;
			jsonlog_line(&b, line, sizeof line, 0, "T");
			memset(want, 'a', sizeof want);
			n = at + escaped((unsigned char)c, want + at);
			want[n] = 'a';                /* snprintf ended it there */
			n += sizeof line - 1 - at;
			if (!str_starts(str_drop(buf_as_str(&b), sizeof head - 1), str_make(want, n)) ||
			    b.p[sizeof head - 1 + n] != '"')
				test_failed(__FILE__, __LINE__, "byte %u at %zu: %.*s", c, at, (int)b.n, b.p);
		}
}

TEST(utf8_stays_as_it_is)
{
	auto_buf b = BUF_INIT(1 << 10);

	jsonlog_line(&b, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7 \xc3\n", 18, 1, "T");
	CHECK_STR(buf_as_str(&b), "{\"log\":\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7 \\ufffd\\n\",\"stream\":\"stderr\",\"time\":\"T\"}\n");
}
