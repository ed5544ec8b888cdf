#include "image/change.h"

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
	static const char *const rows[] = { "", "RUN x", "FROM y", "ENV", "ENV X", "ENV A=1 B", "EXPOSE 0", "EXPOSE 70000",
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

static struct config_change change;
static struct arena arena;

static struct str apply(const char *text)
{
	struct instruction i;
	struct str line = STR("(refused)");
	struct err e;

	if (instruction_parse(&arena, str_of(text), '\\', 0, &i, &e) == 0)
		config_apply(&arena, &change, &i, &line, &e);
	return line;
}

TEST(variables_have_the_values_from_before_the_instruction)
{
	struct pair arg = { STR("V"), STR("arg") };
	struct pairs args = { &arg, 1 };
	struct container_config c = { 0 };

	change = (struct config_change){ .config = &c, .args = &args, .escape = '\\' };
	CHECK_STR(apply("ENV A=1 B=$V"), "ENV A=1 B=arg");
	CHECK_STR(apply("ENV A=2 C=$A D=\"x y\""), "ENV A=2 C=1 D=x y");
	CHECK_STR(apply("ENV V=env"), "ENV V=env");
	CHECK_STR(apply("LABEL $V=\"${A}\""), "LABEL env=2");
	CHECK_STR(apply("WORKDIR /a/$A/"), "WORKDIR /a/2");
	CHECK_STR(apply("WORKDIR b"), "WORKDIR /a/2/b");
	CHECK_STR(apply("USER ${U:-app}"), "USER app");
	CHECK_STR(apply("EXPOSE $A 8000-8002/UDP"), "EXPOSE $A 8000-8002/UDP");
	CHECK_INT(c.exposed_ports.n, 4);
	CHECK_STR(c.exposed_ports.v[3].key, "8002/udp");
	CHECK_STR(apply("CMD echo $A"), "CMD [\"/bin/sh\" \"-c\" \"echo $A\"]");
	CHECK_STR(apply("VOLUME /v $A"), "VOLUME [/v 2]");
	CHECK_STR(apply("HEALTHCHECK --interval=90s --timeout=1500ms --retries=3 CMD t"),
		  "HEALTHCHECK &{[\"CMD-SHELL\" \"t\"] \"1m30s\" \"1.5s\" \"0s\" \"0s\" '\\x03'}");
	CHECK_STR(apply("HEALTHCHECK --start-period=1h --start-interval=20ms CMD [\"t\"]"),
		  "HEALTHCHECK &{[\"CMD\" \"t\"] \"0s\" \"0s\" \"1h0m0s\" \"20ms\" '\\x00'}");
}

TEST(shell_and_entrypoint)
{
	struct container_config c = { 0 };

	change = (struct config_change){ .config = &c, .escape = '\\' };
	strs_add(&arena, &c.cmd, STR("image's"));
	CHECK_STR(apply("SHELL [\"/bin/bash\", \"-ec\"]"), "SHELL [/bin/bash -ec]");
	CHECK_STR(apply("ENTRYPOINT run \"a\\\\b\""), "ENTRYPOINT [\"/bin/bash\" \"-ec\" \"run \\\"a\\\\\\\\b\\\"\"]");
	CHECK_INT(c.cmd.n, 0);
	CHECK_INT(c.entrypoint.n, 3);
	CHECK_STR(c.entrypoint.v[1], "-ec");
	apply("CMD x");
	apply("ENTRYPOINT [\"y\"]");
	CHECK_INT(c.cmd.n, 3);
	CHECK_STR(apply("SHELL sh -c"), "(refused)");
	CHECK_STR(apply("ONBUILD ONBUILD RUN x"), "(refused)");
	CHECK_STR(apply("ONBUILD RUN x"), "ONBUILD RUN x");
}

TEST(health_flags)
{
	struct container_config c = { 0 };

	change = (struct config_change){ .config = &c, .escape = '\\' };
	apply("HEALTHCHECK --interval=1m30s --timeout=5s --start-period=1ms --retries=4 CMD [\"a\", \"b\"]");
	CHECK_INT(c.healthcheck.interval, 90000000000);
	CHECK_INT(c.healthcheck.retries, 4);
	CHECK_INT(c.healthcheck.test.n, 3);
	CHECK_STR(apply("HEALTHCHECK --interval=1us CMD x"), "(refused)");
	CHECK_STR(apply("HEALTHCHECK --interval=x CMD x"), "(refused)");
	CHECK_STR(apply("HEALTHCHECK NONE x"), "(refused)");
}
