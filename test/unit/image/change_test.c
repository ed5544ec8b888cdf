#include "image/manifest.h"

#include "unit/test.h"

static struct container_config changed(const char *const *lines)
{
	static struct arena a;
	struct container_config c = { 0 };
	struct err e = { 0 };

	strs_add(&a, &c.env, STR("PATH=/bin"));
	for (; *lines; lines++)
		CHECK_OK(image_config_change(&a, &c, str_of(*lines), &e), e);
	return c;
}
#define CHANGED(...) changed((const char *const[]){ __VA_ARGS__, NULL })

TEST(each_instruction)
{
	struct container_config c = CHANGED("CMD [\"a\", \"b c\"]", "ENV PATH=/usr/bin X=\"a b\"", "env Y 1 2", "EXPOSE 80 53/udp",
		"LABEL a=b c='d e'", "USER 1:2", "VOLUME /data [x", "WORKDIR /srv", "WORKDIR app", "STOPSIGNAL SIGINT", "ONBUILD RUN x",
		"HEALTHCHECK CMD curl localhost");

	CHECK_INT(c.cmd.n, 2);
	CHECK_STR(c.cmd.v[1], "b c");
	CHECK_INT(c.env.n, 3);
	CHECK_STR(c.env.v[0], "PATH=/usr/bin");
	CHECK_STR(c.env.v[1], "X=a b");
	CHECK_STR(c.env.v[2], "Y=1 2");
	CHECK_STR(c.exposed_ports.v[1].key, "53/udp");
	CHECK_STR(c.labels.v[1].val, "d e");
	CHECK_STR(c.user, "1:2");
	CHECK_INT(c.volumes.n, 2);
	CHECK_STR(c.working_dir, "/srv/app");
	CHECK_STR(c.stop_signal, "SIGINT");
	CHECK_STR(c.on_build.v[0], "RUN x");
	CHECK_STR(c.healthcheck.test.v[0], "CMD-SHELL");
	c = CHANGED("CMD x", "ENTRYPOINT run me");
	CHECK_INT(c.cmd.n, 0);
	CHECK_STR(c.entrypoint.v[2], "run me");
}

TEST(bad_instructions)
{
	static const char *const rows[] = { "", "RUN x", "FROM y", "CMD", "ENV", "ENV X", "ENV A=1 B", "EXPOSE 0", "EXPOSE 70000",
		"EXPOSE 80/xyz", "LABEL x", "HEALTHCHECK x", "USER a\nUSER b", "VOLUME [\"\"]" };
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_arena a = ARENA_INIT;
		struct container_config c = { 0 };
		struct err e = { 0 };

		if (image_config_change(&a, &c, str_of(rows[i]), &e) == 0)
			test_failed(__FILE__, __LINE__, "\"%s\" was accepted", rows[i]);
	}
}
