/* JSON by field tables. */
#include "codec/json.h"

#include "unit/test.h"

struct port { struct str key; uint32_t number; struct str proto; };
static const struct field port_fields[] = {
	FIELD(1, port, number, "Number", 0),
	FIELD(2, port, proto, "Proto", FIELD_OMIT_EMPTY),
	FIELD_END
};
struct ports { struct port *v; size_t n; };
struct limits { int64_t memory; double cpus; };
static const struct field limits_fields[] = {
	FIELD(1, limits, memory, "Memory", 0),
	FIELD(2, limits, cpus, "Cpus", FIELD_OMIT_EMPTY),
	FIELD_END
};
struct box {
	struct str image;
	struct strs cmd;
	struct pairs labels, exposed;
	bool tty;
	int32_t small;
	uint64_t big;
	struct limits limits;
	struct ports list, map;
	struct raw extra;
	struct field_time created;
	struct str secret;
};
static const struct field box_fields[] = {
	FIELD(1, box, image, "Image", FIELD_REQUIRED),
	FIELD(2, box, cmd, "Cmd", FIELD_NULL_EMPTY | FIELD_STR_OR_LIST),
	FIELD(3, box, labels, "Labels", 0),
	FIELD(4, box, exposed, "ExposedPorts", FIELD_SET | FIELD_OMIT_EMPTY),
	FIELD(5, box, tty, "Tty", 0),
	FIELD(6, box, small, "Small", FIELD_OMIT_EMPTY),
	FIELD(7, box, big, "Big", FIELD_OMIT_EMPTY),
	FIELD_OBJ(8, box, limits, "HostConfig", FIELD_OMIT_EMPTY, limits_fields),
	FIELD_LIST(9, box, list, "List", FIELD_OMIT_EMPTY, port_fields, struct port),
	FIELD_MAP(10, box, map, "Map", FIELD_OMIT_EMPTY, port_fields, struct port),
	FIELD(11, box, extra, "Extra", FIELD_OMIT_EMPTY),
	FIELD(12, box, created, "Created", FIELD_OMIT_EMPTY),
	FIELD(13, box, secret, "Secret", FIELD_NO_JSON),
	FIELD_END
};

static struct arena arena;
static struct err err;

static int decode(struct box *b, const char *text)
{
	*b = (struct box){ 0 };
	err.msg[0] = 0;
	return json_decode(&arena, str_of(text), box_fields, b, &err);
}

static struct str encode(const struct box *b)
{
	auto_buf out = BUF_INIT(1 << 20);

	json_encode(&out, box_fields, b);
	return arena_str(&arena, buf_as_str(&out));
}

TEST(every_kind_goes_round)
{
	static const char text[] = "{\"Image\":\"a\\\"b\",\"Cmd\":[\"x\",\"\"],\"Labels\":{\"k\":\"v\"},"
		"\"ExposedPorts\":{\"80/tcp\":{}},\"Tty\":true,\"Small\":-7,\"Big\":18446744073709551615,"
		"\"HostConfig\":{\"Memory\":9007199254740993,\"Cpus\":0.1},\"List\":[{\"Number\":1,\"Proto\":\"udp\"}],"
		"\"Map\":{\"n\":{\"Number\":2}},\"Extra\":{\"a\": [1]},\"Created\":\"2026-11-24T03:05:42.5Z\"}";
	struct box b;

	REQUIRE_OK(decode(&b, text), err);
	CHECK_STR(encode(&b), text);
}

TEST(empty_values_are_left_out_or_null)
{
	struct box b;

	REQUIRE_OK(decode(&b, " { \"Image\" : \"i\" } \r\n"), err);
	CHECK_STR(encode(&b), "{\"Image\":\"i\",\"Cmd\":null,\"Labels\":{},\"Tty\":false}");
}

TEST(names_ignore_case_and_the_last_duplicate_wins)
{
	struct box b;

	REQUIRE_OK(decode(&b, "{\"image\":\"a\",\"IMAGE\":\"b\",\"Cmd\":[\"1\",\"2\"],\"cmd\":[\"3\"],"
	                      "\"Labels\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"},\"\\u0054ty\":true}"), err);
	CHECK_STR(b.image, "b");
	CHECK_INT(b.cmd.n, 1);
	CHECK_INT(b.labels.n, 2);
	CHECK_STR(b.labels.v[0].val, "3");
	CHECK(b.tty);
}

TEST(null_is_absence_and_unknown_members_are_skipped)
{
	struct box b;

	REQUIRE_OK(decode(&b, "{\"What\":{\"x\":[1,{\"y\":null}]},\"Image\":\"a\",\"Cmd\":null,\"Tty\":null,\"Secret\":\"s\"}"), err);
	CHECK_INT(b.cmd.n, 0);
	CHECK_INT(b.secret.n, 0);
	CHECK_ERR(decode(&b, "{\"Image\":null}"), err, "Image is required");
	CHECK_ERR(decode(&b, "{}"), err, "Image is required");
}

TEST(a_list_of_strings_may_be_one_string)
{
	struct box b;

	REQUIRE_OK(decode(&b, "{\"Image\":\"a\",\"Cmd\":\"echo\"}"), err);
	CHECK_INT(b.cmd.n, 1);
	CHECK_STR(b.cmd.v[0], "echo");
}

TEST(strings_are_unpacked)
{
	struct box b;

	REQUIRE_OK(decode(&b, "{\"Image\":\"\\u00e9\\ud83d\\ude00\\n\\/\\u20ac\xc3\xa9\"}"), err);
	CHECK_STR(b.image, "\xc3\xa9\xf0\x9f\x98\x80\n/\xe2\x82\xac\xc3\xa9");
	CHECK_INT(b.image.p[b.image.n], 0);
}

TEST(content_errors_name_the_member)
{
	static const struct { const char *text, *part; } bad[] = {
		{ "{\"Image\":1}", "Image must be a string" },
		{ "{\"Image\":\"a\",\"Cmd\":[\"x\",null]}", "Cmd[1] must be a string" },
		{ "{\"Image\":\"a\",\"Cmd\":{}}", "Cmd must be an array" },
		{ "{\"Image\":\"a\",\"Small\":2147483648}", "Small must be an integer in range" },
		{ "{\"Image\":\"a\",\"Big\":-1}", "Big must be an integer in range" },
		{ "{\"Image\":\"a\",\"hostconfig\":{\"memory\":1e30}}", "HostConfig.Memory must be an integer in range" },
		{ "{\"Image\":\"a\",\"HostConfig\":{\"Memory\":1.5}}", "HostConfig.Memory must be an integer in range" },
		{ "{\"Image\":\"a\",\"HostConfig\":{\"Cpus\":1e999}}", "HostConfig.Cpus is a number out of range" },
		{ "{\"Image\":\"a\",\"List\":[{},{\"Proto\":7}]}", "List[1].Proto must be a string" },
		{ "{\"Image\":\"a\",\"List\":[null]}", "List[0] must be an object" },
		{ "{\"Image\":\"a\",\"Map\":{\"x\":{\"Number\":\"\"}}}", "Map.x.Number must be a number" },
		{ "{\"Image\":\"a\",\"ExposedPorts\":{\"x\":\"y\"}}", "ExposedPorts.x must be an empty object" },
		{ "{\"Image\":\"a\",\"Tty\":\"yes\"}", "Tty must be true or false" },
		{ "{\"Image\":\"a\",\"Created\":\"noon\"}", "Created must be a time" },
		{ "[]", "must be an object" },
	};
	struct box b;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_ERR(decode(&b, bad[i].text), err, bad[i].part);
}

TEST(syntax_is_strict)
{
	static const char *const bad[] = {
		"", " ", "{", "}", "{]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}",
		"{\"a\":1}x", "{}{}", "01", "+1", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN", "nul", "tru", "truex", "nullnull",
		"\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
		"\"\\udc00\"", "\"\n\"", "\"\x01\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"", "// x\n1", "[1]/**/",
	};
	static const char *const good[] = { "0", "-0", "1.5e-7", "\"\"", "[]", "{}", " [ 1 , [ ] , { } ] ", "null", "true",
		"\"\\ud83d\\ude00\"", "\"\x7f\"" };
	struct err e;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (json_check(str_of(bad[i]), &e) == 0)
			test_failed(__FILE__, __LINE__, "accepted: %s", bad[i]);
	for (i = 0; i < sizeof good / sizeof *good; i++)
		CHECK_OK(json_check(str_of(good[i]), &e), e);
	CHECK(json_check(STR("\"a\0b\""), &e) == -1);
	CHECK(json_check(STR_NONE, &e) == -1);
}

TEST(depth_is_bounded)
{
	static char deep[200000];
	struct err e;

	memset(deep, '[', sizeof deep);
	CHECK_ERR(json_check(str_make(deep, sizeof deep), &e), e, "too deeply");
	memset(deep, ']', sizeof deep);
	memset(deep, '[', 64);
	CHECK_OK(json_check(str_make(deep, 128), &e), e);
	memset(deep, '[', 65);
	CHECK(json_check(str_make(deep, 130), &e) == -1);
}

TEST(small_text_cannot_ask_for_much_memory)
{
	size_t n = 1 << 20, i;
	char *text = malloc(n + 32);
	struct box b = { 0 };

	memcpy(text, "{\"Image\":\"i\",\"List\":[", 21);
	for (i = 21; i + 3 < n; i += 3)
		memcpy(text + i, "{},", 3);
	memcpy(text + i - 1, "]}", 2);
	CHECK_OK(json_check(str_make(text, i + 1), &err), err);
	CHECK_ERR(json_decode(&arena, str_make(text, i + 1), box_fields, &b, &err), err, "List has too many elements");
	CHECK(arena.total < 80u << 20);
	free(text);
}

TEST(many_keys_are_not_quadratic)
{
	auto_buf t = BUF_INIT(8 << 20);
	struct box b = { 0 };
	int i;

	buf_puts(&t, "{\"Image\":\"i\",\"Labels\":{");
	for (i = 0; i < 200000; i++)
		buf_printf(&t, "%s\"k%d\":\"\"", i ? "," : "", i % 150000);
	buf_puts(&t, "}}");
	REQUIRE_OK(json_decode(&arena, buf_as_str(&t), box_fields, &b, &err), err);
	CHECK_INT(b.labels.n, 150000);
}

static struct str quoted(struct str s)
{
	auto_buf out = BUF_INIT(1000);

	json_quote(&out, s);
	return arena_str(&arena, buf_as_str(&out));
}

TEST(quoting)
{
	CHECK_STR(quoted(STR("a<b>&\"\\/\b\f\n\r\t\x01\x1f\x7f")), "\"a<b>&\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
	CHECK_STR(quoted(STR("\xc3\xa9\xff\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x82")), "\"\xc3\xa9\\ufffd\xe2\x82\xac\xf0\x9f\x98\x80\\ufffd\\ufffd\"");
	CHECK_STR(quoted(STR("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa")), "\"\\u2028\\u2029\xe2\x80\xaa\"");
	CHECK_STR(quoted(STR("\0")), "\"\\u0000\"");
}

/* Strings are looked at eight bytes at a time: every byte, at every place of strings of every length up to three steps. */
TEST(quoting_finds_what_needs_it_anywhere)
{
	for (int c = 0; c < 256; c++)
		for (size_t n = 1; n <= 24; n++)
			for (size_t at = 0; at < n; at++) {
				bool plain = c >= ' ' && c < 0x80 && c != '"' && c != '\\';
				auto_buf b = BUF_INIT(1000);
				char text[24], quoted[26];

				memset(text, 'x', sizeof text);
				text[at] = (char)c;
				quoted[0] = quoted[n + 1] = '"';
				memcpy(quoted + 1, text, n);
				json_quote(&b, str_make(text, n));
				CHECK(str_eq(buf_as_str(&b), str_make(quoted, n + 2)) == plain);
			}
}

TEST(doubles_print_shortest)
{
	static const struct { double v; const char *text; } cases[] = {
		{ 0, "0" }, { 0.1, "0.1" }, { 1.5, "1.5" }, { 100, "100" }, { 123456.789, "123456.789" }, { -2.25, "-2.25" },
		{ 1e20, "100000000000000000000" }, { 1e21, "1e+21" }, { 1e-7, "1e-07" }, { 0.000001, "0.000001" },
		{ 1.0 / 3, "0.3333333333333333" },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_buf out = BUF_INIT(1000);
		struct limits l = { .cpus = cases[i].v };
		static const struct field f[] = { FIELD(1, limits, cpus, "c", 0), FIELD_END };

		json_encode(&out, f, &l);
		CHECK_STR(arena_printf(&arena, "{\"c\":%s}", cases[i].text), buf_as_str(&out));
	}
}

TEST(the_zero_time_is_that_of_go)
{
	static const struct field f[] = { FIELD(1, box, created, "t", 0), FIELD_END };
	struct box b = { 0 };
	auto_buf out = BUF_INIT(100);

	json_encode(&out, f, &b);
	CHECK_STR(buf_as_str(&out), "{\"t\":\"0001-01-01T00:00:00Z\"}");
	b.created.ns = 5;
	CHECK_OK(json_decode(&arena, buf_as_str(&out), f, &b, &err), err);
	CHECK_INT(b.created.ns, 0);
}

TEST(lists_at_the_top)
{
	struct ports l = { 0 };
	auto_buf out = BUF_INIT(1000);

	REQUIRE_OK(json_decode_list(&arena, STR("[{\"number\":3},{}]"), port_fields, sizeof(struct port), &l, &err), err);
	CHECK_INT(l.n, 2);
	json_encode_list(&out, port_fields, sizeof(struct port), &l);
	CHECK_STR(buf_as_str(&out), "[{\"Number\":3},{\"Number\":0}]");
	CHECK(json_decode_list(&arena, STR("{}"), port_fields, sizeof(struct port), &l, &err) == -1);
}

TEST(the_pull_reader)
{
	struct json_reader r = json_reader_of(&arena, STR("{\"a\":[1,true],\"b\":{\"c\":\"d\"},\"n\":null}"));
	struct str name, s;
	bool yes = false;
	int64_t i;

	CHECK(json_enter_object(&r) && json_next_member(&r, &name));
	CHECK_STR(name, "a");
	CHECK(json_enter_array(&r) && json_next_item(&r) && json_read_i64(&r, &i) && json_next_item(&r) && json_read_bool(&r, &yes));
	CHECK(yes && i == 1 && !json_next_item(&r));
	CHECK(json_next_member(&r, &name) && json_read_raw(&r, &s));
	CHECK_STR(s, "{\"c\":\"d\"}");
	CHECK(json_next_member(&r, &name) && json_peek(&r) == JSON_NULL && json_skip(&r) && !json_next_member(&r, &name));
	CHECK_OK(json_finish(&r, &err), err);

	r = json_reader_of(&arena, STR("{\"a\":7}"));
	CHECK(json_enter_object(&r) && json_next_member(&r, &name) && !json_read_str(&r, &s));
	CHECK(!json_next_member(&r, &name) && json_peek(&r) == JSON_ERROR);
	CHECK(json_finish(&r, &err) == -1);
}
