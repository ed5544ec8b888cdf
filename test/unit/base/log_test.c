#include "base/log.h"

#include "unit/test.h"

#include <fcntl.h>
#include <unistd.h>

static char line[40000];

/* Logs into a pipe; returns what came out. */
static struct str logged(int pipe_read)
{
	ssize_t n = read(pipe_read, line, sizeof line);

	return str_make(line, n > 0 ? n : 0);
}

static int open_log(enum log_level least)
{
	int fd[2];

	REQUIRE(pipe2(fd, O_NONBLOCK) == 0);
	log_open("tester", fd[1], least);
	return fd[0];
}

static bool has(struct str s, const char *part)
{
	return str_find_str(s, str_of(part)) >= 0;
}

TEST(one_event_is_one_json_line)
{
	int fd = open_log(LOG_INFO);
	struct str s;

	log_info("container started", L("id", STR("a\"b\\\n\x01")), L("pid", 42), L("name", "web"));
	s = logged(fd);
	CHECK(str_starts(s, STR("{\"v\":0,")) && str_ends(s, STR("}\n")));
	CHECK_INT(str_find(s, '\n'), s.n - 1);
	CHECK(has(s, "\"role\":\"tester\"") && has(s, "\"level\":30") && has(s, "\"msg\":\"container started\""));
	CHECK(has(s, "\"id\":\"a\\\"b\\\\\\u000a\\u0001\""));
	CHECK(has(s, "\"pid\":42") && has(s, "\"name\":\"web\""));
}

TEST(bytes_that_are_no_text_stay_valid_json)
{
	int fd = open_log(LOG_INFO);
	struct str s;

	log_info("x", L("a", STR("\xff\xc3")), L("b", STR("\xc3\xa4")), L("c", (const char *)NULL));
	s = logged(fd);
	CHECK(str_is_utf8(s));
	CHECK(has(s, "\"a\":\"\\ufffd\\ufffd\"") && has(s, "\"b\":\"\xc3\xa4\"") && has(s, "\"c\":\"\""));
}

TEST(levels_below_the_least_are_silent)
{
	int fd = open_log(LOG_WARN);

	log_info("quiet", L("a", 1));
	CHECK_INT(logged(fd).n, 0);
	log_warn("loud", L("a", 1));
	CHECK(has(logged(fd), "\"level\":40"));
}

TEST(an_event_survives_facts_that_are_too_long)
{
	static char big[30000];
	int fd = open_log(LOG_INFO);
	struct str s;

	memset(big, 'a', sizeof big);
	log_info("kept", L("big", str_make(big, sizeof big)));
	s = logged(fd);
	CHECK(s.n < 1000 && has(s, "\"msg\":\"kept\"") && str_ends(s, STR("}\n")));
}

TEST(failures_carry_the_sentence)
{
	int fd = open_log(LOG_INFO);
	struct err e = { 5, "open x: no" };
	struct str s;

	log_failed("start container", &e, L("id", 1));
	s = logged(fd);
	CHECK(has(s, "\"level\":50") && has(s, "\"err\":\"open x: no\"") && has(s, "\"id\":1"));
}
