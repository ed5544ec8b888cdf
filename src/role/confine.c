/* The sandboxes of the roles; see confine.h. */
#include "role/confine.h"

#include <sys/resource.h>

#define LIMITS(l) .limits = l, .nlimits = sizeof l / sizeof *l

static const struct sandbox_limit api_limits[] = { { RLIMIT_NOFILE, CLIENT_FILES_MAX }, { RLIMIT_NPROC, 8192 }, { RLIMIT_CORE, 0 } };
static const char *const api_calls[] = { "@base", "@threads", "@net", "pipe2", "accept4", "fcntl", "getuid", "geteuid", "uname", "sysinfo",
	"mremap", "gettid", "tgkill", "rt_sigtimedwait", "sched_yield", "set_robust_list", "get_robust_list", "fstat", "pread64", NULL };
const struct sandbox confine_api = { LIMITS(api_limits), .syscalls = api_calls };

static const char *const peer_calls[] = { "@base", "@threads", "@net", "pipe2", "accept4", "fcntl", "getuid", "geteuid", "uname", "sysinfo",
	"mremap", "gettid", "tgkill", "rt_sigtimedwait", "sched_yield", "set_robust_list", "get_robust_list", "fstat", "pread64", "eventfd2", NULL };
const struct sandbox confine_peer = { LIMITS(api_limits), .syscalls = peer_calls };

static const struct sandbox_limit state_limits[] = { { RLIMIT_NOFILE, STATE_FILES_MAX }, { RLIMIT_CORE, 0 }, { RLIMIT_NPROC, 64 } };
static const char *const state_calls[] = { "@base", "@threads", "@files", "get_robust_list", "set_robust_list", "pwritev",
	"preadv", "fallocate", "ftruncate", "fdatasync", "fsync", "mkdir", "open", "openat", "unlinkat", "renameat",
	"getdents64", "fstat", "newfstatat", "statfs", "fstatfs", "fcntl", "mmap", "munmap", "madvise", "msync",
	"getrandom", NULL };
const struct sandbox confine_state = { LIMITS(state_limits), .syscalls = state_calls };

static const struct sandbox_limit dns_limits[] = { { RLIMIT_NOFILE, DNS_FILES_MAX }, { RLIMIT_CORE, 0 }, { RLIMIT_NPROC, 1 } };
static const char *const dns_calls[] = { "@base", "@net", "accept4", "fcntl", "fstat", "newfstatat", "pread64", "mremap", "gettid",
	"getpid", "getrandom", "set_robust_list", "get_robust_list", NULL };
const struct sandbox confine_dns = { LIMITS(dns_limits), .syscalls = dns_calls };

static const struct sandbox_limit scheduler_limits[] = { { RLIMIT_NOFILE, 32 }, { RLIMIT_CORE, 0 }, { RLIMIT_NPROC, 1 } };
static const char *const scheduler_calls[] = { "@base", "fcntl", "fstat", "pread64", "mremap", "gettid", "getpid", "getrandom", "set_robust_list",
	"get_robust_list", NULL };
const struct sandbox confine_scheduler = { LIMITS(scheduler_limits), .syscalls = scheduler_calls };

static const struct sandbox_limit pull_limits[] = { { RLIMIT_CORE, 0 }, { RLIMIT_NOFILE, 256 } };
static const char *const pull_calls[] = { "@base", "@threads", "@files", "@net", NULL };
const struct sandbox confine_pull = { LIMITS(pull_limits), .syscalls = pull_calls, .deny_eperm = true };

int confine(const struct sandbox *box, unsigned uid, const char *root, struct err *e)
{
	struct sandbox s = *box;

	s.uid = s.gid = uid;
	s.root = root;
	return sandbox_enter(&s, e);
}
