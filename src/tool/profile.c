#include "tool/profile.h"

#include "codec/json.h"
#include "codec/privkey.h"
#include "model/account.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct field profile_fields[] = {
	FIELD(0, profile, account,     "account",     FIELD_REQUIRED),
	FIELD(0, profile, cloudapi,    "cloudapi",    FIELD_REQUIRED),
	FIELD(0, profile, docker_host, "docker_host", FIELD_REQUIRED),
	FIELD(0, profile, key,         "key",         0),
	FIELD_END
};

static const char *const files[] = { "key.pem", "cert.pem", "ca.pem", "env.sh", "setup.json" };
#define FILES (sizeof(files) / sizeof(files[0]))

/* --- directories -------------------------------------------------------------------------------------- */

static const char *home(struct err *e)
{
	const char *h = getenv("HOME");

	if (!h || h[0] != '/')
		return err_set_null(e, ENOENT, "HOME is not set to a directory");
	return h;
}

static struct str dir_of(struct arena *a, const char *h, struct str account)
{
	return arena_printf(a, "%s/.triton/docker/%.*s", h, STR_ARG(account));
}

static int make_dir(const char *path, struct err *e)
{
	return mkdir(path, 0700) && errno != EEXIST ? err_sys(e, "cannot make %s", path) : 0;
}

/* A file that was not there before, on the disk when this returns. */
static int write_new(int dir, const char *name, struct str text, struct err *e)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "cannot make %s", name);
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, "cannot write %s", name);
		text = str_drop(text, (size_t)n);
	}
	return fsync(fd) ? err_sys(e, "cannot write %s", name) : 0;
}

static void remove_dir(const char *path)
{
	auto_fd dir = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	for (size_t i = 0; dir >= 0 && i < FILES; i++)
		unlinkat(dir, files[i], 0);
	rmdir(path);
}

/* `fresh` takes the name `path`; what had it before is removed. */
static int take_place(const char *fresh, const char *path, struct err *e)
{
	if (syscall(SYS_renameat2, AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
		remove_dir(fresh);
		return 0;
	}
	/* No such directory yet; or a file system that cannot exchange: then there is a moment without any. */
	if (errno != ENOENT)
		remove_dir(path);
	return rename(fresh, path) ? err_sys(e, "cannot make %s", path) : 0;
}

static int set_current(struct arena *a, const char *h, struct str account, struct err *e)
{
	const char *path = arena_printf(a, "%s/.triton/current", h).p;
	const char *fresh = arena_printf(a, "%s/.triton/.current.%d", h, (int)getpid()).p;

	unlink(fresh);
	if (write_new(AT_FDCWD, fresh, arena_printf(a, "%.*s\n", STR_ARG(account)), e))
		return -1;
	return rename(fresh, path) ? err_sys(e, "cannot write %s", path) : 0;
}

static int write_files(const char *fresh, const struct profile *p, struct str pem[3], struct err *e)
{
	auto_fd dir = open(fresh, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_buf env = BUF_INIT(64 << 10), json = BUF_INIT(64 << 10);

	if (dir < 0)
		return err_sys(e, "cannot open %s", fresh);
	profile_env(p, SHELL_SH, false, &env);
	json_encode(&json, profile_fields, p);
	buf_char(&json, '\n');
	return write_new(dir, "key.pem", pem[0], e) || write_new(dir, "cert.pem", pem[1], e) || write_new(dir, "ca.pem", pem[2], e) ||
	       write_new(dir, "env.sh", buf_as_str(&env), e) || write_new(dir, "setup.json", buf_as_str(&json), e) || fsync(dir) ? -1 : 0;
}

int profile_save(struct arena *a, struct profile *p, struct str key_pem, struct str cert_pem, struct str ca_pem, struct err *e)
{
	const char *h = home(e), *fresh;

	if (!h || account_login_check(p->account, e))
		return -1;
	p->dir = dir_of(a, h, p->account);
	if (make_dir(arena_printf(a, "%s/.triton", h).p, e) || make_dir(arena_printf(a, "%s/.triton/docker", h).p, e))
		return -1;
	fresh = arena_printf(a, "%s/.triton/docker/.%.*s.%d", h, STR_ARG(p->account), (int)getpid()).p;
	remove_dir(fresh);
	if (mkdir(fresh, 0700))
		return err_sys(e, "cannot make %s", fresh);
	if (write_files(fresh, p, (struct str[3]){ key_pem, cert_pem, ca_pem }, e) || take_place(fresh, arena_cstr(a, p->dir), e)) {
		remove_dir(fresh);
		return -1;
	}
	return set_current(a, h, p->account, e);
}

/* --- reading it again --------------------------------------------------------------------------------- */

static int read_small(struct arena *a, const char *path, struct str *out, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char *p = arena_alloc(a, 64 << 10);
	ssize_t n = fd < 0 ? -1 : read(fd, p, 64 << 10);

	if (n < 0)
		return err_sys(e, "cannot read %s", path);
	*out = str_make(p, (size_t)n);
	return 0;
}

int profile_load(struct arena *a, const char *account, struct profile *p, struct err *e)
{
	const char *h = home(e), *path;
	struct str login = str_of(account), text;

	*p = (struct profile){ 0 };
	if (!h)
		return -1;
	if (!account) {
		if (read_small(a, arena_printf(a, "%s/.triton/current", h).p, &login, NULL))
			return err_set(e, ENOENT, "nothing is set up yet; run `triton setup -k KEY`");
		login = str_head(login, login.n && login.p[login.n - 1] == '\n' ? login.n - 1 : login.n);
	}
	if (account_login_check(login, e))
		return -1;
	path = arena_printf(a, "%s/.triton/docker/%.*s/setup.json", h, STR_ARG(login)).p;
	if (read_small(a, path, &text, NULL))
		return err_set(e, ENOENT, "account %.*s is not set up; run `triton setup -k KEY -a %.*s`", STR_ARG(login), STR_ARG(login));
	if (json_decode(a, text, profile_fields, p, e))
		return err_wrap(e, "%s", path);
	p->dir = dir_of(a, h, login);
	return 0;
}

struct str profile_ca(struct arena *a, struct str account)
{
	const char *h = home(NULL);
	struct str text;

	if (!h || account_login_check(account, NULL) ||
	    read_small(a, arena_printf(a, "%.*s/ca.pem", STR_ARG(dir_of(a, h, account))).p, &text, NULL))
		return STR_NONE;
	return text;
}

/* --- shells ------------------------------------------------------------------------------------------- */

bool shell_by_name(struct str name, enum shell *out)
{
	static const struct { const char *name; enum shell shell; } table[] = {
		{ "sh", SHELL_SH }, { "bash", SHELL_SH }, { "zsh", SHELL_SH }, { "dash", SHELL_SH }, { "ash", SHELL_SH }, { "ksh", SHELL_SH },
		{ "mksh", SHELL_SH }, { "fish", SHELL_FISH }, { "csh", SHELL_CSH }, { "tcsh", SHELL_CSH },
	};

	name = str_drop(name, (size_t)(str_rfind(name, '/') + 1));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (str_is(name, table[i].name)) {
			*out = table[i].shell;
			return true;
		}
	return false;
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("/._-:@+,[]", c))
			return false;
	}
	return s.n > 0 && str_find(s, '[') < 0;
}

/* One word of the shell, whatever is in it. */
static void quote(struct buf *b, enum shell shell, struct str s)
{
	if (is_plain(s))
		return buf_str(b, s);
	buf_char(b, '\'');
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\'')
			buf_puts(b, shell == SHELL_FISH ? "\\'" : "'\\''");
		else if ((c == '\\' && shell == SHELL_FISH) || (c == '!' && shell == SHELL_CSH))
			buf_printf(b, "\\%c", c);
		else
			buf_char(b, c);
	}
	buf_char(b, '\'');
}

static void put_line(struct buf *b, enum shell shell, const char *name, struct str value, bool unset)
{
	static const char *const set[] = { "export %s=", "set -gx %s ", "setenv %s " };
	static const char *const drop[] = { "unset %s", "set -e %s", "unsetenv %s" };
	char text[64];

	snprintf(text, sizeof(text), unset ? drop[shell] : set[shell], name);
	buf_puts(b, text);
	if (!unset)
		quote(b, shell, value);
	buf_puts(b, shell == SHELL_SH ? "\n" : ";\n");
}

void profile_env(const struct profile *p, enum shell shell, bool unset, struct buf *b)
{
	put_line(b, shell, "DOCKER_CERT_PATH", p->dir, unset);
	put_line(b, shell, "DOCKER_HOST", p->docker_host, unset);
	put_line(b, shell, "DOCKER_TLS_VERIFY", STR("1"), unset);
	/* Pulling a large image may keep compose waiting for longer than its minute. */
	put_line(b, shell, "COMPOSE_HTTP_TIMEOUT", STR("300"), unset);
}
