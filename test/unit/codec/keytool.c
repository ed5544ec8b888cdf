#include "unit/codec/keytool.h"

#include "unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int keytool_run(const char *const argv[])
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		SKIP("openssl or ssh-keygen is not installed");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

const char *keytool_path(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s", test_dir(), name).p;
}

struct str keytool_read(struct arena *a, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *p = arena_alloc(a, 65536);
	ssize_t n = fd < 0 ? -1 : read(fd, p, 65536);

	close(fd);
	REQUIRE(n >= 0);
	return str_make(p, (size_t)n);
}

void keytool_write(const char *path, struct str bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0 && write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
	close(fd);
}
