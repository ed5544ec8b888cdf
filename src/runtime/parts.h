/* How the processes of one container talk while it is born (one binary, so plain structs), and the parts of runtime/ that only
 * runtime/ uses. See runtime.h for the picture. */
#ifndef RUNTIME_PARTS_H
#define RUNTIME_PARTS_H

#include "runtime/runtime.h"
#include "runtime/procview.h"

#include <sys/types.h>

/* Between start (or the shim, for exec) and the process inside, over a SEQPACKET pair that closes on exec. */
enum birth_kind {
	BIRTH_PID = 1,                                /* agent or joiner: `code` is the new process */
	BIRTH_MOUNTS,                                 /* to init: descriptors as in struct birth_fds */
	BIRTH_READY,                                  /* from init: root is ready; descriptor: terminal's master */
	BIRTH_GO,                                     /* to init: execute */
	BIRTH_LISTENER,                               /* from init or exec: descriptor of the calls that procview.h answers */
	BIRTH_FAILED,                                 /* `code` errno, `exit_code`, sentence */
	BIRTH_TAKEN,                                  /* from a zygote: the order is its own now */
	BIRTH_NETWORK,                                /* from a zygote: wire this namespace of process `code`; answer GO or FAILED */
};

struct birth_msg {
	int  kind, code, exit_code;
	char text[ERR_MSG_MAX];
};

/* BIRTH_MOUNTS: layers, own directory, /etc files (hosts, resolv.conf, hostname: only those whose text is not empty), then the file
 * system of the devices if the spec has any, /dev/shm if it joins IPC, one for each volume and bind in spec order, and with
 * cpu_view last the mount of procview_open(). */
int birth_send(int sock, const struct birth_msg *m, const int *fds, size_t nfds, struct err *e);
int birth_recv(int sock, struct birth_msg *m, int *fds, size_t *nfds, struct err *e); /* 1, 0 end (the exec happened), -1 */
_Noreturn void birth_fail(int sock, const struct err *e, int exit_code);

struct start_io {
	int sync;                                     /* this process's end */
	int in, out, err;                             /* what becomes 0, 1, 2; -1 with a terminal */
};

_Noreturn void init_main(const struct runtime_spec *s, const struct start_io *io); /* inside.c */
_Noreturn void exec_main(const struct exec_spec *x, const struct start_io *io, int pidfd, const char *title);
int become_root_inside(struct err *e);                /* of the user namespace just entered; nobody inside can look into it */

/* agent.c: a small process inside the container's control groups that clones init and execs, as children of its parent.
 * Moving a process into a version 1 group costs 11 ms; being born inside costs nothing. */
struct agent { pid_t pid; int sock; bool blank, stand_in; }; /* blank: it was forked before the container was known; sock -1: it is gone */
/* `s` and `init_io` NULL: a blank one, which hears of them with the call for init. */
int agent_start(struct agent *g, struct runtime *rt, const char *group, const struct runtime_spec *s, const struct start_io *init_io,
		struct err *e);
pid_t agent_spawn_init(struct agent *g, const struct runtime_spec *s, const struct start_io *init_io, struct err *e);
/* The container runs: the agent of a closed one (spec_is_closed()) enters it for good, or ends. */
void agent_settle(struct agent *g, int pidfd);
/* ECHILD: the agent is gone. *fate stays -1 where the process is a child of the caller; else its exit code comes there (an int), and its
 * number is not used again before the caller closes it. */
pid_t agent_spawn_exec(struct agent *g, const struct exec_spec *x, const struct start_io *io, int pidfd, int *fate, struct err *e);

/* ulimits.c. Allow: raise the hard limits of a process that will make those that take them. EINVAL: no such ulimit. */
int ulimits_allow(pid_t pid, const struct runtime_ulimits *u, struct err *e);
int ulimits_take(const struct runtime_ulimits *u, struct err *e);
int oom_score_set(pid_t pid, int64_t adj, struct err *e); /* 0: leave it; its children have it too */

/* start.c: runtime_start() by a zygote that has an agent, in a control group that gets the container's name. NULL: neither. */
struct birthplace { const char *group; struct agent agent; };
_Noreturn void start_at(struct runtime *rt, const struct runtime_spec *s, const struct runtime_attach *attaches, size_t n, int report,
			const struct birthplace *place);

/* /etc/passwd and /etc/group of the root the caller stands in. Container ids. */
#define USER_GROUPS_MAX 256
struct user {
	uint32_t uid, gid, groups[USER_GROUPS_MAX];
	size_t   ngroups;
	char     home[256], name[64];
};
int user_find(int root, struct str spec, const struct strs *extra_groups, struct user *u, struct err *e);

/* The pure core: `passwd` and `group` are the files' text. */
int user_resolve(struct str passwd, struct str group, struct str spec, const struct strs *extra_groups, struct user *u, struct err *e);

/* rootfs.c, in init: the root from the descriptors of BIRTH_MOUNTS; afterwards it is "/". */
int rootfs_enter(const struct runtime_spec *s, const int *fds, size_t nfds, struct err *e);
/* Only the files: layers, volumes and binds, for archives of a container that does not run. */
int rootfs_enter_files(const struct runtime_spec *s, const int *fds, size_t nfds, struct err *e);
int rootfs_terminal(const struct runtime_spec *s, int *slave, struct err *e); /* master; bound on /dev/console */
int rootfs_finish(const struct runtime_spec *s, struct err *e);               /* sysctls, masks, read-only paths */

/* copy.c: everything below `from` into the empty directory `to`, with owners, modes, times, xattrs. */
int copy_tree(int from, int to, struct err *e);
struct copy_how {
	bool     keep_owner;
	uint32_t uid, gid;                            /* of everything, unless keep_owner */
	int64_t  mode;                                /* of everything but links; -1: as it is */
};
/* Into what is there already: files are replaced, directories merged. A file that is open; what is below a directory. */
int copy_file(int from, int to, const char *to_name, const struct copy_how *how, struct err *e);
int copy_into(int from, int to, const struct copy_how *how, struct err *e);
bool copy_is_empty(int dir);                          /* no entry but "lost+found" */

/* The spec's cgroup part. EINVAL when it names a device that this machine does not have. */
int runtime_limits(const struct runtime_spec *s, struct arena *a, struct cgroup_limits *l, struct err *e);

/* Is it something of the machine, which comes by descriptor? Memory and images are put together inside. */
static inline bool mount_has_source(const struct runtime_mount *m) { return m->kind == MOUNT_VOLUME || m->kind == MOUNT_BIND; }
/* mounts.c. A directory of ours, and a volume or host path, as detached mounts whose ids are those of `userns` (-1: as they are). */
int mapped_clone(int dir, const char *path, int userns, struct err *e);
int mount_source(struct runtime *rt, struct arena *a, const struct runtime_mount *m, int userns, struct err *e);

/* devices.c. Expand: each entry is one device node afterwards. Mount: a detached file system with a node for each, named "0", "1".. */
int devices_expand(struct arena *a, const struct runtime_devices *in, struct runtime_devices *out, struct err *e);
int devices_mount(const struct runtime_devices *devices, uint32_t uid_first, struct err *e);

/* shim.c */
struct shim_io { int in, out, err, master; };         /* our ends: in is written, out and err are read; master with a terminal */
struct shim_start {
	struct runtime *rt;
	const struct runtime_spec *spec;
	pid_t pid;
	int   pidfd, report, listen;
	struct agent agent;
	struct shim_io io;
	struct procview *view;                            /* fuse.fd -1: none */
	int   listener;                               /* of init's calls, -1: none */
	const struct runtime_attach *attaches;
	size_t nattaches;
};
_Noreturn void shim_run(const struct shim_start *s);
/* Names in a directory that are a container id and then `end`: the ids are added. */
int runtime_names(struct arena *a, int dir, const char *path, const char *end, struct strs *ids, struct err *e);
int shim_listen(struct runtime *rt, struct str id, struct err *e);

void event_send(int sock, const struct runtime_event *ev); /* best effort, never blocks for long */

#endif
