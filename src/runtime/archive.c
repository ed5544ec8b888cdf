#include "runtime/archive.h"

#include "os/fd.h"
#include "os/mount.h"
#include "os/ns.h"
#include "os/path.h"
#include "os/proc.h"
#include "runtime/archive_parts.h"
#include "runtime/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* os.FileMode of Go, which Docker's clients read. */
uint32_t archive_go_mode(uint32_t m)
{
	uint32_t go = m & 0777;

	switch (m & S_IFMT) {
	case S_IFDIR: go |= 1u << 31; break;
	case S_IFLNK: go |= 1u << 27; break;
	case S_IFBLK: go |= 1u << 26; break;
	case S_IFCHR: go |= 1u << 26 | 1u << 21; break;
	case S_IFIFO: go |= 1u << 25; break;
	case S_IFSOCK: go |= 1u << 24; break;
	}
	return go | (m & S_ISUID ? 1u << 23 : 0) | (m & S_ISGID ? 1u << 22 : 0) | (m & S_ISVTX ? 1u << 20 : 0);
}

/* What the child says first: how it went, and for stat and get what it saw. */
struct answer {
	int      code;
	char     text[ERR_MSG_MAX];
	int64_t  size, mtime_ns;
	uint32_t mode;
	char     name[256], link[4096];
};

enum operation { OP_STAT, OP_GET, OP_PUT, OP_ALL, OP_DIFF, OP_LIST, OP_SIZE };  /* the last three: of the container's own part */

struct job {
	struct runtime *rt;
	const struct runtime_spec *s;
	enum operation op;
	struct str path;
	struct archive_put how;
	int   data;                                   /* out or in; -1 */
	pid_t init;
	int   pidfd;                                  /* of init */
};

static void say(int sock, struct answer *a, const struct err *e)
{
	if (e) {
		a->code = e->code ? e->code : EIO;
		snprintf(a->text, sizeof(a->text), "%s", e->msg);
	}
	send(sock, a, sizeof(*a), MSG_NOSIGNAL);
}

/* --- in the child ------------------------------------------------------------------------------------- */

/* The user namespace alone, with the two directories that a layer is made of: the image's layers and the container's own. */
static int enter_own(const struct job *j, int sock, int *layers, int *own, struct err *e)
{
	int fds[FD_PASS_MAX];
	size_t n = FD_PASS_MAX;
	char byte;

	if (fd_recv(sock, &byte, 1, fds, &n, e) < 1 || n < 2)
		return err_set(e, EIO, "the container's files could not be opened");
	*layers = fds[0];
	*own = fds[1];
	if (j->s->uid_first && (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0)))
		return err_sys(e, "become root of the container");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return 0;
}

/* As Docker's own copy: what the kernel shows is no file of the container. In a mount namespace of our own, whose mounts are the
 * container's, so they can be taken away. */
static int hide_kernel_files(struct err *e)
{
	if (unshare(CLONE_NEWNS))
		return err_sys(e, "copy the mount namespace");
	if (mount_make_private("/", e))
		return -1;
	mount_take_away("/sys");
	mount_take_away("/proc");
	return 0;
}

static int enter(const struct job *j, int sock, struct err *e)
{
	int fds[FD_PASS_MAX];
	size_t n = FD_PASS_MAX;
	char byte;

	if (j->init) {
		if (ns_enter(j->pidfd, CLONE_NEWNS | (j->s->uid_first ? CLONE_NEWUSER : 0), e))
			return -1;
	} else if (fd_recv(sock, &byte, 1, fds, &n, e) < 1) { /* comes when the ids are mapped and the mounts are there */
		return err_set(e, EIO, "the container's files could not be opened");
	}
	/* First root of the container: an overlay mounted by somebody without an id in it is read only. */
	if (j->s->uid_first && (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0)))
		return err_sys(e, "become root of the container");
	if (j->init ? hide_kernel_files(e) : rootfs_enter_files(j->s, fds, n, e))
		return -1;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (chdir("/"))
		return err_sys(e, "change to the root");
	return 0;
}

static int put(const struct job *j, const char *path, struct err *e)
{
	struct tree_put how = { .how = j->how };
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct user u;

	if (j->s->read_only)
		return err_set(e, EPERM, "container rootfs is marked read-only");
	if (j->how.copy_uid_gid) {
		if (user_find(root, j->s->user, &j->s->groups, &u, e))
			return -1;
		how.uid = u.uid;
		how.gid = u.gid;
	}
	return tree_read(path, &how, j->data, e);
}

static _Noreturn void child(const struct job *j, int sock)
{
	static struct answer a;
	struct archive_info info;
	auto_arena arena = ARENA_INIT;
	const char *path = arena_cstr(&arena, j->path);
	int keep[4] = { sock, j->data, j->pidfd }, layers = -1, own = -1, rc;
	struct err e = { 0 };

	proc_reset_signals();
	proc_set_name("triton-archive");
	fd_close_others(keep, 3);
	rc = j->op >= OP_DIFF ? enter_own(j, sock, &layers, &own, &e) : enter(j, sock, &e);
	if (rc == 0 && (j->op == OP_STAT || j->op == OP_GET)) {
		rc = tree_stat(path, &info, a.name, a.link, &e);
		a.size = info.size;
		a.mode = info.mode;
		a.mtime_ns = info.mtime.ns;
	}
	if (rc == 0 && j->op == OP_PUT)
		rc = put(j, path, &e);
	say(sock, &a, rc ? &e : NULL);
	if (rc == 0 && (j->op == OP_GET || j->op == OP_ALL))
		rc = tree_write(path, j->op == OP_ALL, j->data, &e);
	if (rc == 0 && j->op >= OP_DIFF)
		rc = (j->op == OP_DIFF ? changes_layer : j->op == OP_LIST ? changes_list : changes_size)(j->s, layers, own, j->data, &e);
	_exit(rc ? 1 : 0);
}

/* --- in the node -------------------------------------------------------------------------------------- */

/* The mounts of a container that does not run, to the child that waits for them. */
static int hand_mounts(const struct job *j, pid_t pid, int sock, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int fds[FD_PASS_MAX], rc = 0;
	auto_fd userns = -1;
	size_t n = 0;

	if (j->s->uid_first) {
		if (ns_map_ids(pid, (uint32_t)j->s->uid_first, 65536, e))
			return -1;
		userns = ns_open(pid, "user", e);
		if (userns < 0)
			return -1;
	}
	fds[0] = mapped_clone(j->rt->data, "fs/layers", userns, e);
	if (fds[0] < 0)
		return -1;
	fds[1] = mapped_clone(j->rt->data, arena_printf(&a, "fs/containers/%.*s", STR_ARG(j->s->id)).p, userns, e);
	n = fds[1] < 0 ? 1 : 2;
	rc = n == 2 ? 0 : -1;
	for (size_t i = 0; rc == 0 && j->op < OP_DIFF && i < j->s->mounts.n; i++) {
		if (!mount_has_source(&j->s->mounts.v[i]) || n == FD_PASS_MAX)
			continue;
		fds[n] = mount_source(j->rt, &a, &j->s->mounts.v[i], userns, e);
		rc = fds[n] < 0 ? -1 : 0;
		n += fds[n] >= 0;
	}
	if (rc == 0)
		rc = fd_send(sock, "m", 1, fds, n, e);
	while (n)
		close(fds[--n]);
	return rc;
}

/* Start the child; `*sock` is where its answer comes from. */
static int begin(struct job *j, int *sock, pid_t *pid, struct err *e)
{
	struct runtime_spec files = *j->s;            /* tmpfs mounts exist only while it runs */
	uint64_t flags = j->init ? 0 : CLONE_NEWNS | (j->s->uid_first ? CLONE_NEWUSER : 0);
	auto_fd mine = -1, theirs = -1, pidfd = -1;
	auto_arena a = ARENA_INIT;
	int pair[2];

	if (!j->init) {
		size_t k = 0;

		files.mounts.v = arena_new_n(&a, struct runtime_mount, j->s->mounts.n + 1);
		for (size_t i = 0; i < j->s->mounts.n; i++)
			if (j->s->mounts.v[i].kind != MOUNT_TMPFS)
				files.mounts.v[k++] = j->s->mounts.v[i];
		files.mounts.n = k;
		j->s = &files;
	}
	j->pidfd = -1;
	if (j->init) {
		j->pidfd = pidfd = proc_pidfd(j->init, e);
		if (pidfd < 0)
			return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "socketpair");
	mine = pair[0];
	theirs = pair[1];
	*pid = proc_clone(flags, -1, NULL, e);
	if (*pid < 0)
		return -1;
	if (*pid == 0)
		child(j, theirs);
	fd_close(&theirs);
	if (!j->init && hand_mounts(j, *pid, mine, e)) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
		return -1;
	}
	*sock = fd_take(&mine);
	return 0;
}

static int answer_read(int sock, struct answer *a, struct err *e)
{
	ssize_t n = recv(sock, a, sizeof(*a), 0);

	if (n != (ssize_t)sizeof(*a))
		return err_set(e, EIO, "the process that reads the container's files ended without a word");
	return a->code ? err_set(e, a->code, "%.*s", ERR_MSG_MAX - 1, a->text) : 0;
}

static int info_read(struct arena *arena, int sock, struct archive_info *info, struct err *e)
{
	struct answer a;

	if (answer_read(sock, &a, e))
		return -1;
	*info = (struct archive_info){ .name = arena_str(arena, str_of(a.name)), .link_target = arena_str(arena, str_of(a.link)), .size = a.size,
		.mode = a.mode, .mtime.ns = a.mtime_ns };
	return 0;
}

int archive_stat(struct arena *a, struct runtime *rt, const struct runtime_spec *s, pid_t init, struct str path,
	struct archive_info *out, struct err *e)
{
	struct job j = { .rt = rt, .s = s, .op = OP_STAT, .path = path, .data = -1, .init = init };
	auto_fd sock = -1;
	pid_t pid;

	if (begin(&j, &sock, &pid, e))
		return -1;
	return info_read(a, sock, out, e);
}

int archive_get(struct arena *a, struct runtime *rt, const struct runtime_spec *s, pid_t init, struct str path,
	struct archive_info *info, int out, pid_t *pid, struct err *e)
{
	struct job j = { .rt = rt, .s = s, .op = OP_GET, .path = path, .data = out, .init = init };
	auto_fd sock = -1;

	if (begin(&j, &sock, pid, e))
		return -1;
	return info_read(a, sock, info, e);
}

int archive_put(struct runtime *rt, const struct runtime_spec *s, pid_t init, struct str path, const struct archive_put *how,
	int in, int *report, pid_t *pid, struct err *e)
{
	struct job j = { .rt = rt, .s = s, .op = OP_PUT, .path = path, .how = *how, .data = in, .init = init };

	return begin(&j, report, pid, e);
}

int archive_result(int report, struct err *e)
{
	struct answer a;

	return answer_read(report, &a, e);
}

int archive_export(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e)
{
	struct job j = { .rt = rt, .s = s, .op = OP_ALL, .path = STR("/"), .data = out, .init = init };
	auto_fd sock = -1;
	struct answer a;

	if (begin(&j, &sock, pid, e))
		return -1;
	return answer_read(sock, &a, e);
}

static int own_part(struct runtime *rt, const struct runtime_spec *s, enum operation op, int out, pid_t *pid, struct err *e)
{
	struct job j = { .rt = rt, .s = s, .op = op, .data = out };
	auto_fd sock = -1;
	struct answer a;

	if (begin(&j, &sock, pid, e))
		return -1;
	return answer_read(sock, &a, e);
}

int archive_diff(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e)
{
	(void)init;                                   /* the overlay's own part is the same while it runs */
	return own_part(rt, s, OP_DIFF, out, pid, e);
}

int archive_changes(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e)
{
	(void)init;                                   /* the overlay's own part is the same while it runs */
	return own_part(rt, s, OP_LIST, out, pid, e);
}

int archive_size(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e)
{
	(void)init;                                   /* the overlay's own part is the same while it runs */
	return own_part(rt, s, OP_SIZE, out, pid, e);
}

int archive_volume_size(struct runtime *rt, struct str account, struct str name, int out, pid_t *pid, struct err *e)
{
	auto_fd data = runtime_volume_open(rt, account, name, e);

	if (data < 0 && e->code != ENOENT)
		return -1;
	*pid = proc_clone(0, -1, NULL, e);
	if (*pid == 0) {
		if (data < 0)                         /* nothing has mounted it yet */
			dprintf(out, "0");
		else if (changes_tree_size(data, out, e))
			_exit(1);
		_exit(0);
	}
	return *pid < 0 ? -1 : 0;
}
