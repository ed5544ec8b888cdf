#include "model/logdest.h"

#include "unit/test.h"

#include <errno.h>

static struct arena a;
static struct log_dest d;
static struct err err;

static int parse(const char *driver, const char *key, const char *val)
{
	struct log_config l = { .type = str_of(driver) };

	if (key)
		pairs_set(&a, &l.config, str_of(key), str_of(val));
	return log_dest_parse(&l, &d, &err);
}

#define REFUSED(call, errno_, part) do { CHECK((call) < 0); CHECK_INT(err.code, errno_); CHECK(strstr(err.msg, part)); } while (0)

TEST(drivers_and_their_options)
{
	CHECK(parse("", NULL, NULL) == 0 && d.driver == LOG_FILE);
	CHECK(parse("local", "max-file", "3") == 0 && d.driver == LOG_FILE);
	CHECK(parse("none", NULL, NULL) == 0 && d.driver == LOG_NONE);
	REFUSED(parse("none", "mode", "blocking"), EINVAL, "unknown log opt 'mode' for none");
	REFUSED(parse("journald", NULL, NULL), EINVAL, "no log driver named 'journald'");
	REFUSED(parse("local", "tag", "x"), EINVAL, "unknown log opt 'tag'");
	REFUSED(parse("syslog", NULL, NULL), EINVAL, "needs its syslog-address");
	REFUSED(parse("syslog", "mode", "never"), EINVAL, "neither blocking");
	REFUSED(parse("gelf", "gelf-compression-type", "gzip"), ENOTSUP, "gelf-compression-type=gzip");
	REFUSED(parse("fluentd", "fluentd-async", "maybe"), EINVAL, "neither true nor false");
	REFUSED(parse("syslog", "syslog-facility", "nosuch"), EINVAL, "no facility");
	REFUSED(parse("syslog", "syslog-format", "rfc1"), EINVAL, "no format");
	REFUSED(parse("syslog", "tag", "{{.Nosuch}}"), ENOTSUP, "{{.Nosuch}}");
	REFUSED(parse("syslog", "tag", "{{"), ENOTSUP, "{{");
	arena_release(&a);
}

TEST(addresses)
{
	CHECK(parse("syslog", "syslog-address", "udp://192.0.2.1") == 0 && d.udp && d.port == 514);
	CHECK_STR(d.host, "192.0.2.1");
	CHECK(parse("syslog", "syslog-address", "tcp://[2001:db8::1]:601") == 0 && !d.udp && d.port == 601);
	CHECK_STR(d.host, "2001:db8::1");
	CHECK(parse("fluentd", "fluentd-address", "logs.example") == 0 && !d.udp && d.port == 24224);
	CHECK(parse("gelf", "gelf-address", "udp://logs.example:12201") == 0 && d.udp && d.port == 12201);
	REFUSED(parse("gelf", "gelf-address", "udp://logs.example"), EINVAL, "needs a port");
	REFUSED(parse("syslog", "syslog-address", "unix:///dev/log"), ENOTSUP, "unix:// is not supported");
	REFUSED(parse("syslog", "syslog-address", "tcp+tls://h:1"), ENOTSUP, "tcp+tls:// is not supported");
	REFUSED(parse("fluentd", "fluentd-address", "udp://h:1"), ENOTSUP, "udp:// is not supported");
	REFUSED(parse("syslog", "syslog-address", "tcp://h:0"), EINVAL, "not an address");
	REFUSED(parse("syslog", "syslog-address", "tcp://h:99999"), EINVAL, "not an address");
	REFUSED(parse("syslog", "syslog-address", "tcp://"), EINVAL, "not an address");
	REFUSED(parse("syslog", "syslog-address", "tcp://[::1"), EINVAL, "not an address");
	arena_release(&a);
}

static struct log_speaker speaker(void)
{
	return (struct log_speaker){ .id = STR("0123456789abcdef"), .name = STR("web"), .image = STR("busybox"), .image_id = STR("sha256:fedcba9876543210"),
		.command = STR("sh"), .host = STR("box"), .pid = 7 };
}

static void message_is(const char *want, size_t n, bool is_stderr, const char *text)
{
	auto_buf b = BUF_INIT(4096);
	struct log_speaker s = speaker();
	struct log_line l = { str_of(text), is_stderr, 981173106123456789ll };

	s.tag = log_tag(&a, &d, &s);
	log_message(&b, &d, &s, &l);
	CHECK_INT(b.n, n);
	CHECK(b.n == n && memcmp(b.p, want, n) == 0);
}
#define MESSAGE(want, is_stderr, text) message_is(want, sizeof(want) - 1, is_stderr, text)

TEST(messages)
{
	struct log_config l = { .type = STR("syslog") };

	CHECK(parse("syslog", "syslog-address", "udp://h") == 0);
	MESSAGE("<30>Feb  3 04:05:06 0123456789ab[7]: hi\n", false, "hi");
	MESSAGE("<27>Feb  3 04:05:06 0123456789ab[7]: \n", true, "");
	pairs_set(&a, &l.config, STR("syslog-address"), STR("tcp://h"));
	pairs_set(&a, &l.config, STR("syslog-facility"), STR("local7"));
	pairs_set(&a, &l.config, STR("syslog-format"), STR("rfc5424micro"));
	pairs_set(&a, &l.config, STR("tag"), STR("{{.ImageID}}/{{.Name}}!"));
	CHECK(log_dest_parse(&l, &d, &err) == 0);
	MESSAGE("<190>1 2001-02-03T04:05:06.123456Z box fedcba987654/web! 7 fedcba987654/web! - hi\n", false, "hi");
	CHECK(parse("gelf", "gelf-address", "tcp://h:1") == 0);
	MESSAGE("{\"version\":\"1.1\",\"host\":\"box\",\"short_message\":\"a\\\"b\",\"timestamp\":981173106.123,\"level\":3,\"_command\":\"sh\","
		"\"_container_id\":\"0123456789abcdef\",\"_container_name\":\"web\",\"_image_id\":\"sha256:fedcba9876543210\","
		"\"_image_name\":\"busybox\",\"_tag\":\"0123456789ab\"}\0", true, "a\"b");
	CHECK(parse("fluentd", "fluentd-address", "h") == 0);
	MESSAGE("\x93\xac" "0123456789ab\xce\x3a\x7b\x83\x72\x84\xac" "container_id\xb0" "0123456789abcdef\xae" "container_name\xa3web\xa6source\xa6stdout"
		"\xa3log\xa2hi", false, "hi");
	arena_release(&a);
}
