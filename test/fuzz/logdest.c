/* Any bytes as a log driver and its options ("driver\0key\0value\0key\0value..."): what is taken can be sent, and its tag has an end. */
#include "model/logdest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct log_speaker who = { .id = STR("0123456789abcdef"), .name = STR("web"), .image = STR("busybox"), .image_id = STR("sha256:0123456789abcdef") };
	struct log_speaker s = who;
	auto_arena a = ARENA_INIT;
	auto_buf b = BUF_INIT(1 << 20);
	struct log_config l = { 0 };
	struct log_dest d;
	struct str rest = str_make(p, n), key, val;
	struct err e;

	str_cut(rest, 0, &l.type, &rest);
	while (rest.n) {
		str_cut(rest, 0, &key, &rest);
		str_cut(rest, 0, &val, &rest);
		pairs_set(&a, &l.config, key, val);
	}
	if (log_dest_parse(&l, &d, &e))
		return 0;
	if (d.driver >= LOG_SYSLOG && (!d.host.n || d.port < 1 || d.port > 65535))
		abort();
	s.tag = log_tag(&a, &d, &s);
	log_message(&b, &d, &s, &(struct log_line){ .text = str_make(p, n), .time_ns = 1 });
	return 0;
}
