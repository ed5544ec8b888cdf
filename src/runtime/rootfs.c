/* The root file system of a container, made by its own init inside its user and mount namespace. What is the host's comes in as
 * descriptors of detached mounts (BIRTH_MOUNTS); all paths below the root are resolved in the root. */
#include "runtime/parts.h"
#include "os/mount.h"
#include "os/path.h"
#include "os/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define TMPFS_OPTIONS_MAX 12
#define LAYERS_MAX 500                                /* overlayfs' own limit */

static int mount_at(int root, const char *path, const char *fstype, const struct mount_option *o, size_t n, unsigned attrs, struct err *e)
{
	auto_fd target = path_root_mkdirs(root, path, 0755, e);
	auto_fd m = target < 0 ? -1 : mount_new(fstype, o, n, attrs, e);

	if (m < 0 || mount_attach(m, target, "", e))
		return err_wrap(e, "mount %s", path);
	return 0;
}

/* Where an attached mount can be reached although its mount point is hidden: "/" takes any number of mounts on top, and the
 * descriptor of the clone stays valid. */
static int stow(int mount, struct err *e)
{
	return mount_attach(mount, AT_FDCWD, "/", e);
}

static void lowers_close(const int *lower, size_t n)
{
	while (n)
		close(lower[--n]);
}

/* Of fs/layers, highest first, as overlayfs wants them: LAYERS_MAX descriptors at most. Returns how many, -1: none is open. */
static int lowers_open(int layers, const struct strs *names, int *lower, struct err *e)
{
	size_t n = 0;

	if (names->n == 0 || names->n > LAYERS_MAX)
		return err_set(e, EINVAL, "an image of %zu layers", names->n);
	for (; n < names->n; n++) {
		char name[72];

		snprintf(name, sizeof name, "%.*s", STR_ARG(names->v[names->n - 1 - n]));
		lower[n] = path_open(layers, name, O_PATH | O_DIRECTORY, 0, e);
		if (lower[n] < 0) {
			lowers_close(lower, n);
			return err_wrap(e, "image layer");
		}
	}
	return (int)n;
}

static int overlay(const struct runtime_spec *s, int layers, int own, struct err *e)
{
	int lower[LAYERS_MAX], n, upper = -1, work = -1, merged = -1, root = -1;

	if (stow(layers, e) || stow(own, e))
		return -1;
	n = lowers_open(layers, &s->layers, lower, e);
	if (n < 0)
		return -1;
	upper = path_open(own, "upper", O_PATH | O_DIRECTORY, 0, e);
	work = upper < 0 ? -1 : path_open(own, "work", O_PATH | O_DIRECTORY, 0, e);
	merged = work < 0 ? -1 : path_open(own, "merged", O_PATH | O_DIRECTORY, 0, e);
	if (merged >= 0 && mount_overlay(merged, lower, (size_t)n, upper, work, e) == 0)
		root = path_open(own, "merged", O_PATH | O_DIRECTORY, 0, e); /* now the overlay's root */
	lowers_close(lower, (size_t)n);
	fd_close(&upper);
	fd_close(&work);
	fd_close(&merged);
	return root;
}

/* The machine's own, as this process sees it: for namespaces that are the machine's, whose file systems only its root may mount. */
static int bind_host(int root, const char *path, unsigned attrs, struct err *e)
{
	char from[40];
	auto_fd target = path_root_mkdirs(root, path, 0755, e);
	auto_fd m = -1;

	snprintf(from, sizeof from, "/%s", path);
	m = target < 0 ? -1 : mount_clone(AT_FDCWD, from, true, e);
	if (m < 0 || mount_set(m, attrs, true, -1, e) || mount_attach(m, target, "", e))
		return err_wrap(e, "mount %s", from);
	return 0;
}

/* What was mounted there, now that all mount points in it are made. */
static int close_directory(int root, const char *path, unsigned attrs, struct err *e)
{
	auto_fd top = path_root_open(root, path, O_PATH | O_DIRECTORY, 0, e);

	return top < 0 ? -1 : mount_set(top, attrs, false, -1, e);
}

static int make_proc_sys(const struct runtime_spec *s, int root, struct err *e)
{
	static const char *const v1[] = { "memory", "cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio", "pids" };
	unsigned safe = MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC, ro = s->privileged ? 0 : MOUNT_RO;
	struct err ignored;

	if (s->pid_host && s->uid_first ? bind_host(root, "proc", safe, e) : mount_at(root, "proc", "proc", NULL, 0, safe, e))
		return -1;
	if (mount_at(root, "sys", "sysfs", NULL, 0, safe | ro, e)) /* not the owner of the network namespace (net=host) */
		return bind_host(root, "sys", ro, e);
	if (s->cgroup_host && s->uid_first)
		return bind_host(root, "sys/fs/cgroup", ro, e);
	/* The container's own control group, as its root: what a JVM or a Go program reads its limits from. A kernel that does
	 * not want this is no reason not to start. */
	if (mount_at(root, "sys/fs/cgroup", "cgroup2", NULL, 0, safe | ro, &ignored) == 0 &&
	    faccessat(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", F_OK, 0) == 0)
		return 0;
	if (faccessat(AT_FDCWD, "/sys/fs/cgroup/memory", F_OK, 0))
		return 0;
	if (mount_at(root, "sys/fs/cgroup", "tmpfs", (struct mount_option[]){ { "mode", "755" } }, 1, safe, &ignored))
		return 0;
	for (size_t i = 0; i < sizeof v1 / sizeof *v1; i++) {
		char path[40];

		snprintf(path, sizeof path, "sys/fs/cgroup/%s", v1[i]);
		mount_at(root, path, "cgroup", (struct mount_option[]){ { v1[i], NULL } }, 1, safe | ro, &ignored);
	}
	return close_directory(root, "sys/fs/cgroup", safe | ro, e);
}

static int bind_device(int dev, const char *name, const char *host, struct err *e)
{
	auto_fd target = path_root_mkfile(dev, name, 0666, e);

	if (target < 0 || mount_bind_file(host, target, 0, e))
		return err_wrap(e, "device %s", name);
	return 0;
}

/* `nodes`: the mount of runtime/devices.c. A privileged container has the machine's own /dev. */
static int add_devices(const struct runtime_spec *s, int root, int nodes, struct err *e)
{
	if (stow(nodes, e))
		return -1;
	for (size_t i = 0; i < s->devices.n; i++) {
		auto_arena a = ARENA_INIT;
		auto_fd target = path_root_mkfile(root, arena_cstr(&a, s->devices.v[i].container_path), 0666, e);
		auto_fd node = -1;
		char name[24];

		snprintf(name, sizeof name, "%zu", i);
		node = target < 0 ? -1 : mount_clone(nodes, name, false, e);
		if (node < 0 || mount_attach(node, target, "", e))
			return err_wrap(e, "device %.*s", STR_ARG(str_head(s->devices.v[i].container_path, 100)));
	}
	return 0;
}

static int make_dev(const struct runtime_spec *s, int root, struct err *e)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
		{ "/proc/self/fd/2", "stderr" }, { "pts/ptmx", "ptmx" }, { "/proc/kcore", "core" },
	};
	unsigned safe = MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC;
	auto_arena a = ARENA_INIT;
	auto_fd dev = -1;
	struct str size = arena_printf(&a, "%lld", (long long)(s->shm_size > 0 ? s->shm_size : 64 << 20));
	struct mount_option tmpfs[] = { { "mode", "755" }, { "size", "65536k" } };
	struct mount_option pts[] = { { "newinstance", NULL }, { "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" } };
	struct mount_option shm[] = { { "mode", "1777" }, { "size", size.p } };

	/* A privileged container has the machine's devices: the kernel's one devtmpfs. */
	if (s->privileged ? mount_at(root, "dev", "devtmpfs", NULL, 0, MOUNT_NOSUID, e) :
	    mount_at(root, "dev", "tmpfs", tmpfs, 2, MOUNT_NOSUID, e))
		return -1;
	dev = path_root_open(root, "dev", O_PATH | O_DIRECTORY, 0, e);
	if (dev < 0)
		return -1;
	if (!s->privileged) {
		mode_t old = umask(0);

		for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
			char host[24];

			snprintf(host, sizeof host, "/dev/%s", nodes[i]);
			if (bind_device(dev, nodes[i], host, e))
				return -1;
		}
		umask(old);
		for (size_t i = 0; i < sizeof links / sizeof *links; i++)
			if (symlinkat(links[i][0], dev, links[i][1]))
				return err_sys(e, "link /dev/%s", links[i][1]);
	}
	if (mount_at(root, "dev/pts", "devpts", pts, 4, MOUNT_NOSUID | MOUNT_NOEXEC, e))
		return -1;
	if (s->ipc_host && s->uid_first) {            /* not every machine has queues mounted */
		if (faccessat(AT_FDCWD, "/dev/mqueue", F_OK, 0) == 0 && bind_host(root, "dev/mqueue", safe, e))
			return -1;
		return bind_host(root, "dev/shm", safe, e);
	}
	if (mount_at(root, "dev/mqueue", "mqueue", NULL, 0, safe, e))
		return -1;
	if (s->ipc_host)
		return bind_host(root, "dev/shm", safe, e);
	if (s->ipc_pid)                               /* the other one's comes by descriptor */
		return 0;
	return s->no_shm ? 0 : mount_at(root, "dev/shm", "tmpfs", shm, 2, safe, e);
}

/* The next of the descriptors that a spec has or has not; -1 when it is missing. */
static int take_fd(const int **fds, size_t *nfds, const char *what, struct err *e)
{
	if (*nfds == 0)
		return err_set(e, EINVAL, "%s has no descriptor", what);
	--*nfds;
	return *(*fds)++;
}

static int add_shm(int root, int shm, struct err *e)
{
	auto_fd target = path_root_mkdirs(root, "dev/shm", 0755, e);

	return target < 0 || mount_attach(shm, target, "", e) ? err_wrap(e, "mount /dev/shm") : 0;
}

/* One word of a tmpfs' options: an attribute of the mount, or "key=value" for the file system itself. */
static void tmpfs_word(struct arena *a, struct str word, unsigned *attrs, struct mount_option *o, size_t *n)
{
	static const struct { const char *word; unsigned set, clear; } words[] = {
		{ "exec", 0, MOUNT_NOEXEC }, { "suid", 0, MOUNT_NOSUID }, { "dev", 0, MOUNT_NODEV }, { "noatime", MOUNT_NOATIME, 0 },
		{ "nodiratime", MOUNT_NODIRATIME, 0 }, { "strictatime", MOUNT_STRICTATIME, 0 },
	};
	static const char *const keys[] = { "uid", "gid", "nr_inodes", "nr_blocks", "mpol" };
	struct str key, val;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_is(word, words[i].word))
			*attrs = (*attrs & ~words[i].clear) | words[i].set;
	if (!str_cut(word, '=', &key, &val))
		return;
	for (size_t i = 0; i < sizeof keys / sizeof *keys && *n < TMPFS_OPTIONS_MAX; i++)
		if (str_is(key, keys[i]))
			o[(*n)++] = (struct mount_option){ keys[i], arena_cstr(a, val) };
}

/* Docker's defaults: nothing to execute, no setuid, no devices. */
static int add_tmpfs(const struct runtime_mount *m, int target, struct err *e)
{
	auto_arena a = ARENA_INIT;
	unsigned attrs = MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | (m->read_only ? MOUNT_RO : 0);
	struct mount_option o[TMPFS_OPTIONS_MAX];
	struct str rest = m->options, word;
	auto_fd fs = -1;
	size_t n = 0;

	o[n++] = (struct mount_option){ "mode", arena_printf(&a, "%llo", (long long)(m->tmpfs_mode ? m->tmpfs_mode : 01777)).p };
	if (m->tmpfs_size > 0)
		o[n++] = (struct mount_option){ "size", arena_printf(&a, "%lld", (long long)m->tmpfs_size).p };
	while (str_next(&rest, ',', &word))
		tmpfs_word(&a, word, &attrs, o, &n);
	fs = mount_new("tmpfs", o, n, attrs, e);
	return fs < 0 ? -1 : mount_attach(fs, target, "", e);
}

/* --mount type=image: what its layers make together, or the path in it, as a detached mount. It is put together on top of the container's
 * own upper directory, which the root's overlay has in hand and nobody looks up any more; that goes with the old root. */
static int image_open(const struct runtime_mount *m, int layers, int own, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int lower[LAYERS_MAX], n = lowers_open(layers, &m->layers, lower, e), rc = 0;
	auto_fd place = -1, top = -1, sub = -1;

	if (n < 0)
		return -1;
	if (n > 1) {                                  /* of one there is nothing to put together */
		place = path_open(own, "upper", O_PATH | O_DIRECTORY, 0, e);
		rc = place < 0 ? -1 : mount_overlay(place, lower, (size_t)n, -1, -1, e);
		top = rc ? -1 : path_open(own, "upper", O_PATH | O_DIRECTORY, 0, e);
	} else {
		top = fd_take(&lower[0]);
	}
	lowers_close(lower, n > 1 ? (size_t)n : 0);
	if (top < 0)
		return -1;
	if (!m->subpath.n)
		return mount_clone(top, "", false, e);
	sub = path_root_open(top, arena_cstr(&a, m->subpath), O_PATH, 0, e);
	return sub < 0 ? -1 : mount_clone(sub, "", false, e);
}

/* `fd`: of what is not made here; `base`: fs/layers and the container's own files, as in rootfs_enter(). */
static int add_mount(const struct runtime_mount *m, int root, int fd, const int *base, struct err *e)
{
	auto_arena a = ARENA_INIT;
	const char *path = arena_cstr(&a, m->target);
	auto_fd target = -1, image = -1;
	struct stat st;

	if (m->kind == MOUNT_TMPFS) {
		target = path_root_mkdirs(root, path, 0755, e);
		return target < 0 ? -1 : add_tmpfs(m, target, e);
	}
	if (m->kind == MOUNT_IMAGE) {
		fd = image = image_open(m, base[0], base[1], e);
		if (fd < 0)
			return err_wrap(e, "image %.*s", STR_ARG(str_head(m->source, 200)));
	}
	if (fstat(fd, &st))
		return err_sys(e, "look at a volume");
	target = S_ISDIR(st.st_mode) ? path_root_mkdirs(root, path, 0755, e) : path_root_mkfile(root, path, 0644, e);
	if (target < 0)
		return -1;
	if (m->kind == MOUNT_VOLUME && !m->no_copy && !copy_is_empty(target) && copy_is_empty(fd) && copy_tree(target, fd, e))
		return err_wrap(e, "copy the image's files into the volume");
	if (mount_set(fd, m->read_only ? MOUNT_RO : 0, !m->top_read_only, -1, e))
		return -1;
	return mount_attach(fd, target, "", e);
}

static size_t depth_of(struct str path)
{
	struct str rest = path, part;
	size_t n = 0;

	while (str_next(&rest, '/', &part))
		n += part.n > 0;
	return n;
}

/* Outer mount points first, whatever the order in the spec. */
static int add_mounts(const struct runtime_spec *s, int root, const int *base, const int *fds, size_t nfds, struct err *e)
{
	for (size_t depth = 0, left = s->mounts.n; left && depth < 2048; depth++) {
		size_t fd = 0;

		for (size_t i = 0; i < s->mounts.n; i++) {
			const struct runtime_mount *m = &s->mounts.v[i];
			bool has_fd = mount_has_source(m);

			if (has_fd && fd >= nfds)
				return err_set(e, EINVAL, "a mount has no descriptor");
			if (depth_of(m->target) == depth) {
				left--;
				if (depth == 0)
					return err_set(e, EINVAL, "invalid mount: the destination can't be '/'");
				if (add_mount(m, root, has_fd ? fds[fd] : -1, base, e))
					return err_wrap(e, "mount %.*s", STR_ARG(path_printable(&(struct arena){ 0 }, m->target)));
			}
			fd += has_fd;
		}
	}
	return 0;
}

static int add_etc(const struct runtime_spec *s, int root, const int **fds, size_t *nfds, struct err *e)
{
	const struct { struct str text; const char *path; } files[] = {
		{ s->etc_hosts, "etc/hosts" }, { s->etc_resolv, "etc/resolv.conf" }, { s->etc_hostname, "etc/hostname" },
	};

	for (size_t i = 0; i < 3; i++) {
		auto_fd target = -1;
		int fd;

		if (files[i].text.n == 0)
			continue;
		fd = take_fd(fds, nfds, files[i].path, e);
		target = fd < 0 ? -1 : path_root_mkfile(root, files[i].path, 0644, e);
		if (target < 0 || mount_attach(fd, target, "", e))
			return err_wrap(e, "mount %s", files[i].path);
	}
	return 0;
}

int rootfs_enter(const struct runtime_spec *s, const int *fds, size_t nfds, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd root = -1, cwd = -1;
	const int *base = fds;
	int fd;

	if (nfds < 2)
		return err_set(e, EINVAL, "the root file system has no descriptors");
	/* Nothing of what is mounted from here on may reach the host's mount table. */
	if (mount_make_private("/", e))
		return -1;
	root = overlay(s, fds[0], fds[1], e);
	if (root < 0)
		return -1;
	fds += 2;
	nfds -= 2;
	if (make_proc_sys(s, root, e) || make_dev(s, root, e) || add_etc(s, root, &fds, &nfds, e))
		return -1;
	if (s->devices.n && !s->privileged && ((fd = take_fd(&fds, &nfds, "--device", e)) < 0 || add_devices(s, root, fd, e)))
		return -1;
	if (s->ipc_pid && ((fd = take_fd(&fds, &nfds, "/dev/shm", e)) < 0 || add_shm(root, fd, e)))
		return -1;
	if (add_mounts(s, root, base, fds, nfds, e))
		return -1;
	if (s->cwd.n > 1) {
		cwd = path_root_mkdirs(root, arena_cstr(&a, s->cwd), 0755, e);
		if (cwd < 0)
			return err_wrap(e, "working directory");
	}
	if (s->read_only && mount_set(root, MOUNT_RO, false, -1, e))
		return -1;
	return mount_pivot(root, e);
}

int rootfs_enter_files(const struct runtime_spec *s, const int *fds, size_t nfds, struct err *e)
{
	auto_fd root = -1;

	if (nfds < 2)
		return err_set(e, EINVAL, "the root file system has no descriptors");
	if (mount_make_private("/", e))
		return -1;
	root = overlay(s, fds[0], fds[1], e);
	if (root < 0 || add_mounts(s, root, fds, fds + 2, nfds - 2, e))
		return -1;
	return mount_pivot(root, e);
}

int rootfs_terminal(const struct runtime_spec *s, int *slave, struct err *e)
{
	char name[32];
	unsigned number;
	auto_fd master = pty_open("/dev/pts/ptmx", slave, &number, e);
	auto_fd target = -1;

	if (master < 0)
		return -1;
	snprintf(name, sizeof name, "/dev/pts/%u", number);
	if (!s->privileged) {                         /* there /dev is the machine's: its console stays */
		auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		target = path_root_mkfile(root, "dev/console", 0600, e);
		if (target < 0 || mount_bind_file(name, target, 0, e))
			return err_wrap(e, "console");
	}
	if (s->rows > 0 && s->cols > 0)
		pty_resize(master, (uint16_t)s->rows, (uint16_t)s->cols, NULL);
	return fd_take(&master);
}

/* A file is hidden by /dev/null, a directory by an empty, read-only tmpfs. Absent is fine. */
static int mask(int root, const char *path, struct err *e)
{
	auto_fd target = path_root_open(root, path, O_PATH, 0, NULL);
	auto_fd m = -1;
	struct stat st;

	if (target < 0 || fstat(target, &st))
		return 0;
	if (S_ISDIR(st.st_mode)) {
		m = mount_new("tmpfs", (struct mount_option[]){ { "size", "0" }, { "nr_inodes", "2" } }, 2, MOUNT_RO, e);
		return m < 0 || mount_attach(m, target, "", e) ? err_wrap(e, "mask %s", path) : 0;
	}
	return mount_bind_file("/dev/null", target, 0, e);
}

static int protect(int root, const char *path, struct err *e)
{
	auto_fd target = path_root_open(root, path, O_PATH, 0, NULL);
	auto_fd m = -1;

	if (target < 0)
		return 0;
	m = mount_clone(target, "", true, e);
	if (m < 0 || mount_set(m, MOUNT_RO, true, -1, e) || mount_attach(m, target, "", e))
		return err_wrap(e, "make %s read only", path);
	return 0;
}

int rootfs_finish(const struct runtime_spec *s, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < s->sysctls.n; i++) {
		char *path = arena_cstr(&a, arena_printf(&a, "proc/sys/%.*s", STR_ARG(s->sysctls.v[i].key)));

		for (char *p = path + 9; *p; p++)
			*p = *p == '.' ? '/' : *p;
		if (path_put(root, path, arena_cstr(&a, s->sysctls.v[i].val), e))
			return err_wrap(e, "sysctl %.*s", STR_ARG(s->sysctls.v[i].key));
	}
	for (size_t i = 0; i < s->readonly_paths.n; i++)
		if (protect(root, arena_cstr(&a, s->readonly_paths.v[i]), e))
			return -1;
	for (size_t i = 0; i < s->masked_paths.n; i++)
		if (mask(root, arena_cstr(&a, s->masked_paths.v[i]), e))
			return -1;
	return 0;
}
