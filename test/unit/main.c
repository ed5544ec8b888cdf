/* Runs the unit tests; see unit/test.h. `build/unit [-v] [part of a name...]`. */
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED_CHECKS = 1, EXIT_SKIPPED = 77 };

static struct test *tests;                        /* sorted by file, then in order of registration */
static int failures;                              /* of the running test; only its child counts */
static char dir[64];
static uint64_t rand_state;

static struct {                                   /* shared with the child */
	char dir[64], skip[256];
} *shared;

static int order(const struct test *a, const struct test *b)
{
	return strcmp(a->file, b->file);
}

void test_register(struct test *t)
{
	struct test **at = &tests;

	while (*at && order(*at, t) <= 0)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
}

void test_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (++failures > 20)
		test_stop();
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

_Noreturn void test_stop(void)
{
	fflush(stdout);
	_exit(EXIT_FAILED_CHECKS);
}

_Noreturn void test_skip(const char *reason)
{
	snprintf(shared->skip, sizeof shared->skip, "%s", reason);
	fflush(stdout);
	_exit(failures ? EXIT_FAILED_CHECKS : EXIT_SKIPPED);
}

void test_check_int(const char *file, int line, const char *text, int64_t got, int64_t want)
{
	if (got != want)
		test_failed(file, line, "%s is %lld, not %lld", text, (long long)got, (long long)want);
}

static void print_quoted(struct str s)
{
	size_t i, n = s.n < 2000 ? s.n : 2000;

	putchar('"');
	for (i = 0; i < n; i++) {
		unsigned char c = s.p[i];

		if (c == '\n')
			fputs("\\n", stdout);
		else if (c < 0x20 || c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	puts(n < s.n ? "\"..." : "\"");
}

void test_check_str(const char *file, int line, const char *text, struct str got, struct str want)
{
	if (str_eq(got, want))
		return;
	test_failed(file, line, "%s (%zu bytes) is not as wanted (%zu bytes)", text, got.n, want.n);
	fputs("#   got    ", stdout);
	print_quoted(got);
	fputs("#   wanted ", stdout);
	print_quoted(want);
}

const char *test_dir(void)
{
	if (!dir[0]) {
		snprintf(dir, sizeof dir, "/tmp/triton-unit.XXXXXX");
		if (!mkdtemp(dir)) {
			test_failed(__FILE__, __LINE__, "mkdtemp %s: %s", dir, strerror(errno));
			test_stop();
		}
		memcpy(shared->dir, dir, sizeof dir);
	}
	return dir;
}

struct str test_file(const char *path)
{
	char full[512];
	char *p = NULL;
	long n = -1;
	FILE *f;

	snprintf(full, sizeof full, "test/unit/%s", path);
	f = fopen(full, "r");
	if (f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0)
		p = malloc(n + 1);
	if (!p || fread(p, 1, n, f) != (size_t)n) {
		test_failed(__FILE__, __LINE__, "cannot read %s (tests run from the top of the tree)", full);
		test_stop();
	}
	fclose(f);
	return str_make(p, n);
}

uint64_t test_rand(void)                          /* xorshift64*, Vigna 2016 */
{
	rand_state ^= rand_state >> 12;
	rand_state ^= rand_state << 25;
	rand_state ^= rand_state >> 27;
	return rand_state * 0x2545f4914f6cdd1du;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

/* "test/unit/base/str_test.c" and "trim" become "base/str/trim". */
static void name_of(const struct test *t, char out[256])
{
	const char *file = strstr(t->file, "unit/");
	int n;

	file = file ? file + 5 : t->file;
	n = strlen(file);
	if (n > 7 && strcmp(file + n - 7, "_test.c") == 0)
		n -= 7;
	snprintf(out, 256, "%.*s/%s", n, file, t->name);
}

/* What a test left behind has become our child (PR_SET_CHILD_SUBREAPER), whatever group or session it made. */
static void end_orphans(void)
{
	int pid, round;
	bool any = true;
	FILE *f;

	for (round = 0; any && round < 100; round++) {
		any = false;
		f = fopen("/proc/thread-self/children", "r");
		while (f && fscanf(f, "%d", &pid) == 1) {
			any = true;
			kill(pid, SIGKILL);
		}
		if (f)
			fclose(f);
		while (any && waitpid(-1, NULL, 0) > 0)
			;
	}
}

/* Waits at most the test's limit; then kills its process group, so that children of its own end with it. */
static int wait_for(pid_t pid, const struct test *t)
{
	struct timespec limit = { t->limit_s, 0 };
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN) {
			printf("# still running after %d s\n", t->limit_s);
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
	}
	kill(-pid, SIGKILL);
	end_orphans();
	return status;
}

static int run(const struct test *t, const char *name, bool verbose)
{
	int status;
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("# fork: %s\nnot ok %s\n", strerror(errno), name);
		return 1;
	}
	if (pid == 0) {
		sigset_t none;

		setpgid(0, 0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		rand_state = 0x9e3779b97f4a7c15u;
		t->run();
		fflush(stdout);
		_exit(failures ? EXIT_FAILED_CHECKS : 0);
	}
	setpgid(pid, pid);
	status = wait_for(pid, t);
	if (shared->dir[0])
		nftw(shared->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (status == 0) {
		if (verbose)
			printf("# %s\n", name);
		printf("ok %s\n", name);
		return 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		printf("skip %s %s\n", name, shared->skip);
		return 0;
	}
	if (WIFSIGNALED(status))
		printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != EXIT_FAILED_CHECKS)
		printf("# exited with %d\n", WEXITSTATUS(status));
	printf("not ok %s\n", name);
	return 1;
}

static bool wanted(const char *name, char **filter)
{
	if (!*filter)
		return true;
	for (; *filter; filter++)
		if (strstr(name, *filter))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	int failed = 0, n = 0;
	struct test *t;
	sigset_t child;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (t = tests; t; t = t->next) {
		char name[256];

		name_of(t, name);
		if (!wanted(name, argv + 1 + verbose))
			continue;
		failed += run(t, name, verbose);
		n++;
	}
	if (n == 0) {
		printf("# no test has such a name\nnot ok unit\n");
		return 1;
	}
	return failed != 0;
}
