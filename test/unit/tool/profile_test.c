#include "tool/profile.h"

#include "unit/codec/keytool.h"
#include "unit/test.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct profile make(void)
{
	return (struct profile){ .account = STR("alice"), .cloudapi = STR("https://dc:8443"), .docker_host = STR("tcp://dc:2376"), .key = STR("SHA256:x") };
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = -2;                                   /* . and .. */

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

TEST(saved_and_loaded)
{
	auto_arena a = ARENA_INIT;
	struct profile p = make(), q;
	struct stat st;
	struct err e = { 0 };
	const char *docker;

	setenv("HOME", test_dir(), 1);
	docker = keytool_path(&a, ".triton/docker");
	CHECK_ERR(profile_load(&a, NULL, &q, &e), e, "nothing is set up yet");
	REQUIRE_OK(profile_save(&a, &p, STR("KEY"), STR("CERT"), STR("CA"), &e), e);
	p.docker_host = STR("tcp://other:2376");
	REQUIRE_OK(profile_save(&a, &p, STR("KEY2"), STR("CERT2"), STR("CA2"), &e), e);
	CHECK_INT(entries(docker), 1);                /* nothing half made, nothing old */
	CHECK_INT(entries(arena_printf(&a, "%s/alice", docker).p), 5);
	CHECK_STR(keytool_read(&a, arena_printf(&a, "%s/alice/key.pem", docker).p), "KEY2");
	REQUIRE(stat(arena_printf(&a, "%s/alice/key.pem", docker).p, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	REQUIRE(stat(arena_printf(&a, "%s/alice", docker).p, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	REQUIRE_OK(profile_load(&a, NULL, &q, &e), e);
	CHECK_STR(q.account, "alice");
	CHECK_STR(q.docker_host, "tcp://other:2376");
	CHECK_STR(q.dir, arena_printf(&a, "%s/alice", docker));
	CHECK_STR(profile_ca(&a, STR("alice")), "CA2");
	CHECK(profile_ca(&a, STR("../alice")).p == NULL);
	CHECK_ERR(profile_load(&a, "bob", &q, &e), e, "account bob is not set up");
	p.account = STR("../up");
	CHECK_ERR(profile_save(&a, &p, STR("K"), STR("C"), STR("A"), &e), e, "login");
}

/* Every shell must read back exactly the directory's name. */
TEST(quoting)
{
	auto_arena a = ARENA_INIT;
	struct profile p = make();

	p.dir = STR("/home/o'brien $x `y` \"z\" \\ !");
	static const char *const wanted[] = {
		"export DOCKER_CERT_PATH='/home/o'\\''brien $x `y` \"z\" \\ !'\n",
		"set -gx DOCKER_CERT_PATH '/home/o\\'brien $x `y` \"z\" \\\\ !';\n",
		"setenv DOCKER_CERT_PATH '/home/o'\\''brien $x `y` \"z\" \\ \\!';\n",
	};
	for (int shell = SHELL_SH; shell <= SHELL_CSH; shell++) {
		auto_buf b = BUF_INIT(8192);

		profile_env(&p, (enum shell)shell, false, &b);
		CHECK(str_starts(buf_as_str(&b), str_of(wanted[shell])));
		if (shell == SHELL_SH) {
			const char *script = keytool_path(&a, "script");

			keytool_write(script, arena_printf(&a, "%.*stest \"$DOCKER_CERT_PATH\" = \"$1\"\n", STR_ARG(buf_as_str(&b))));
			CHECK(KEYTOOL("sh", script, p.dir.p) == 0);
		}
	}
}

TEST(names_of_shells)
{
	enum shell s;

	CHECK(shell_by_name(STR("/usr/bin/fish"), &s) && s == SHELL_FISH);
	CHECK(shell_by_name(STR("zsh"), &s) && s == SHELL_SH);
	CHECK(shell_by_name(STR("/bin/tcsh"), &s) && s == SHELL_CSH);
	CHECK(!shell_by_name(STR("powershell"), &s) && !shell_by_name(STR(""), &s));
}
