#include "runtime/build.h"

#include "base/rand.h"
#include "codec/sha256.h"
#include "os/fd.h"
#include "os/mount.h"
#include "os/ns.h"
#include "os/path.h"
#include "os/proc.h"
#include "runtime/archive_parts.h"
#include "runtime/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define ROOTS "fs/build"

int build_root_new(struct runtime *rt, struct arena *a, struct str *id, struct err *e)
{
	static const char *const dirs[] = { "upper", "work", "merged", "from" };
	auto_fd root = -1;

	*id = rand_hex(a, 64);
	root = path_mkdirs(rt->data, arena_printf(a, ROOTS "/%.*s", STR_ARG(*id)).p, 0700, e);
	for (size_t i = 0; root >= 0 && i < sizeof dirs / sizeof *dirs; i++)
		if (mkdirat(root, dirs[i], i == 0 ? 0755 : 0700))
			return err_sys(e, "make %s", dirs[i]);
	return root < 0 ? -1 : 0;
}

int build_root_open(struct runtime *rt, struct str id, struct err *e)
{
	char path[128];

	if (!path_is_hex(id, 64))
		return err_set(e, ENOENT, "no such build");
	snprintf(path, sizeof path, ROOTS "/%.*s/upper", STR_ARG(id));
	return path_open(rt->data, path, O_RDONLY | O_DIRECTORY, 0, e);
}

static int to_trash(struct runtime *rt, struct str name, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str from = arena_printf(&a, ROOTS "/%.*s", STR_ARG(name)), to = arena_printf(&a, "fs/trash/%.*s", STR_ARG(rand_hex(&a, 16)));

	return renameat(rt->data, from.p, rt->data, to.p) && errno != ENOENT ? err_sys(e, "remove %s", from.p) : 0;
}

int build_root_remove(struct runtime *rt, struct str id, struct err *e)
{
	return to_trash(rt, id, e);
}

int build_roots_clear(struct runtime *rt, struct err *e)
{
	auto_fd all = path_mkdirs(rt->data, ROOTS, 0711, e);
	auto_fd list = all < 0 ? -1 : path_open(rt->data, ROOTS, O_RDONLY | O_DIRECTORY, 0, e);
	DIR *d = list < 0 ? NULL : fdopendir(dup(list));
	int rc = 0;

	if (!d)
		return -1;
	for (struct dirent *ent; rc == 0 && (ent = readdir(d));)
		if (path_is_name(str_of(ent->d_name)))
			rc = to_trash(rt, str_of(ent->d_name), e);
	closedir(d);
	return rc;
}

/* --- in the child ------------------------------------------------------------------------------------- */

struct answer {
	int  code;
	char text[ERR_MSG_MAX], hash[80];
};

enum { FD_SCRATCH, FD_LAYERS, FD_OWN, FDS };           /* detached mounts, in the order they are sent */

struct roots { int from, to, upper; };                /* what is read, what is written, the part of it that is new */

/* "/" takes any number of mounts on top of each other, and each stays reachable by its descriptor. */
static int stow(const int *mounts, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (mount_attach(mounts[i], AT_FDCWD, "/", e))
			return -1;
	return 0;
}

/* The layers put together on the directory `on` of `own`; with one's own part above them, or just to be read. Layers none: what is
 * new is all there is. */
static int assemble(int layers, const struct strs *ids, int own, const char *on, int upper, int work, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int *lower = arena_new_n(&a, int, ids->n + 1), root = -1;
	auto_fd target = path_open(own, on, O_PATH | O_DIRECTORY, 0, e);
	size_t n = 0;

	for (; target >= 0 && n < ids->n; n++) {
		lower[n] = path_open(layers, arena_cstr(&a, ids->v[ids->n - 1 - n]), O_PATH | O_DIRECTORY, 0, e);
		if (lower[n] < 0)
			break;
	}
	if (target >= 0 && n == ids->n) {
		if (n == 0 || (n == 1 && upper < 0))  /* nothing to put together */
			root = fcntl(n ? lower[0] : upper >= 0 ? upper : target, F_DUPFD_CLOEXEC, 3);
		else if (mount_overlay(target, lower, n, upper, work, e) == 0)
			root = path_open(own, on, O_PATH | O_DIRECTORY, 0, e);
	}
	while (n)
		close(lower[--n]);
	return root;
}

static int enter(const struct build_files *f, int sock, bool with_own, struct roots *r, struct err *e)
{
	int fds[FDS];
	size_t n = FDS;
	auto_fd work = -1;
	char byte;

	if (fd_recv(sock, &byte, 1, fds, &n, e) < 1 || n < (with_own ? FDS : FD_LAYERS))
		return err_set(e, EIO, "the files of the build could not be opened");
	if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return err_sys(e, "become the user of the build");
	umask(0);
	if (mount_make_private("/", e) || stow(fds, n, e))
		return -1;
	r->from = f->from_image ? assemble(fds[FD_LAYERS], &f->from_layers, fds[FD_SCRATCH], "from", -1, -1, e) :
		path_open(fds[FD_SCRATCH], "upper", O_RDONLY | O_DIRECTORY, 0, e);
	if (r->from < 0)
		return -1;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!with_own)
		return 0;
	r->upper = path_open(fds[FD_OWN], "upper", O_RDONLY | O_DIRECTORY, 0, e);
	work = path_open(fds[FD_OWN], "work", O_PATH | O_DIRECTORY, 0, e);
	if (r->upper < 0 || work < 0)
		return -1;
	r->to = assemble(fds[FD_LAYERS], &f->layers, fds[FD_OWN], "merged", r->upper, work, e);
	return r->to < 0 ? -1 : 0;
}

static bool nothing(const struct tree_diff *d, struct str path, const struct stat *st, int dir)
{
	(void)d, (void)path, (void)st, (void)dir;
	return false;
}

static _Noreturn void child(const struct build_files *f, int sock, int out)
{
	static struct answer a;
	struct tree_diff diff = { .hidden = nothing };
	struct roots r = { -1, -1, -1 };
	const int keep[] = { sock, out };
	struct err e = { 0 };
	int rc;

	proc_reset_signals();
	proc_set_name("triton-build");
	fd_close_others(keep, 2);
	rc = enter(f, sock, out >= 0, &r, &e);
	if (rc == 0)
		rc = out >= 0 ? build_put(f, r.from, r.to, &e) : build_digest(f, r.from, a.hash, &e);
	if (rc) {
		a.code = e.code ? e.code : EIO;
		snprintf(a.text, sizeof(a.text), "%s", e.msg);
	}
	send(sock, &a, sizeof(a), MSG_NOSIGNAL);
	if (rc == 0 && out >= 0)
		rc = tree_write_diff(r.upper, &diff, out, &e);
	_exit(rc ? 1 : 0);
}

/* --- in the node -------------------------------------------------------------------------------------- */

static int hand_mounts(struct runtime *rt, const struct build_files *f, pid_t pid, int sock, bool with_own, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int fds[FDS] = { -1, -1, -1 }, rc;
	auto_fd userns = -1;

	if (ns_map_ids(pid, f->uid_first, 65536, e) || (userns = ns_open(pid, "user", e)) < 0)
		return -1;
	fds[FD_SCRATCH] = mapped_clone(rt->data, arena_printf(&a, ROOTS "/%.*s", STR_ARG(f->scratch)).p, userns, e);
	fds[FD_LAYERS] = fds[FD_SCRATCH] < 0 ? -1 : mapped_clone(rt->data, "fs/layers", userns, e);
	rc = fds[FD_LAYERS] < 0 ? -1 : 0;
	if (rc == 0 && with_own)
		rc = (fds[FD_OWN] = mapped_clone(rt->data, arena_printf(&a, ROOTS "/%.*s", STR_ARG(f->own)).p, userns, e)) < 0 ? -1 : 0;
	if (rc == 0)
		rc = fd_send(sock, "m", 1, fds, with_own ? FDS : FD_OWN, e);
	for (size_t i = 0; i < FDS; i++)
		fd_close(&fds[i]);
	return rc;
}

static int begin(struct runtime *rt, const struct build_files *f, int out, int *report, struct err *e)
{
	auto_fd mine = -1, theirs = -1;
	int pair[2];
	pid_t pid;

	if (!path_is_hex(f->scratch, 64))
		return err_set(e, ENOENT, "no such build");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "socketpair");
	mine = pair[0];
	theirs = pair[1];
	pid = proc_clone(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC, -1, NULL, e);
	if (pid < 0)
		return -1;
	if (pid == 0)
		child(f, theirs, out);
	fd_close(&theirs);
	if (hand_mounts(rt, f, pid, mine, out >= 0, e)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	*report = fd_take(&mine);
	return 0;
}

int build_hash(struct runtime *rt, const struct build_files *f, int *report, struct err *e)
{
	return begin(rt, f, -1, report, e);
}

int build_copy(struct runtime *rt, const struct build_files *f, int out, int *report, struct err *e)
{
	return begin(rt, f, out, report, e);
}

int build_result(struct arena *a, int report, struct str *hash, struct err *e)
{
	struct answer r;

	if (recv(report, &r, sizeof(r), MSG_DONTWAIT) != (ssize_t)sizeof(r))
		return err_set(e, EIO, "the process that copies files of the build ended without a word");
	r.text[sizeof(r.text) - 1] = r.hash[sizeof(r.hash) - 1] = 0;
	if (r.code)
		return err_set(e, r.code > 0 && r.code < 4096 ? r.code : EIO, "%s", r.text);
	*hash = arena_str(a, str_of(r.hash));
	return 0;
}
