#include "image/unpack.h"

#include "codec/inflate.h"
#include "image/tree.h"
#include "ipc/sandbox.h"
#include "os/mount.h"
#include "os/ns.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE  (64ll << 30)
#define PIPE_SIZE (1 << 20)

static int64_t max_size(const struct unpack_job *job)
{
	return job->max_size ? job->max_size : MAX_SIZE;
}

static int compare(const char *what, const char *wanted, const char *got, struct err *e)
{
	if (*wanted && strcmp(wanted, got))
		return err_set(e, EBADMSG, "%s does not match: expected %.19s, got %.19s", what, wanted, got);
	return 0;
}

/* All entries of the archive; its digest; what follows its end counts for the digest, too. */
static int apply(struct source archive, int root, const struct unpack_job *job, struct unpack_result *out, struct err *e)
{
	struct tar_limits limits = { .max_entries = job->max_entries, .max_size = max_size(job) };
	struct tar_reader *r;
	struct tar_entry entry;
	struct hashing h;
	struct tree t;
	int rc;

	hashing_init(&h, archive);
	if (job->verify_only) {
		if (source_drain(source_of_hashing(&h), SIZE_MAX / 2, e) < 0)
			return -1;
		sha256_digest(&h.sum, out->diff_id);
		return compare("the layer's diff id", job->diff_id, out->diff_id, e);
	}
	tree_init(&t, root, max_size(job));
	t.as_is = job->as_is;
	r = tar_reader_new(source_of_hashing(&h), &limits);
	while ((rc = tar_next(r, &entry, e)) > 0)
		if ((rc = tree_entry(&t, r, &entry, e)))
			break;
	if (rc == 0 && (source_drain(source_of_hashing(&h), SIZE_MAX / 2, e) < 0 || tree_finish(&t, e)))
		rc = -1;
	out->size = t.size;
	out->entries = t.entries;
	sha256_digest(&h.sum, out->diff_id);
	tree_release(&t);
	tar_reader_free(r);
	return rc ? -1 : compare("the layer's diff id", job->diff_id, out->diff_id, e);
}

/* The blob as a stream of the archive in it. */
struct blob {
	int             fd;
	struct hashing  hash;
	struct inflate *z;
};

static void blob_open(struct blob *b, int fd, const struct unpack_job *job)
{
	struct inflate_limits limits = { .max_out = 2 * max_size(job) + (16 << 20) };

	b->fd = fd;
	hashing_init(&b->hash, source_of_fd(&b->fd));
	b->z = inflate_new(INFLATE_AUTO, source_of_hashing(&b->hash), &limits);
}

static int blob_end(struct blob *b, const struct unpack_job *job, struct unpack_result *out, struct err *e)
{
	sha256_digest(&b->hash.sum, out->blob);
	inflate_free(b->z);
	return compare("the blob's digest", job->blob, out->blob, e);
}

int unpack_stream(int fd, int root, const struct unpack_job *job, struct unpack_result *out, struct err *e)
{
	mode_t mask = umask(0);
	struct err second;
	struct blob b;
	int rc;

	memset(out, 0, sizeof *out);
	blob_open(&b, fd, job);
	rc = apply(source_of_inflate(b.z), root, job, out, e);
	if (blob_end(&b, job, out, rc ? &second : e))
		rc = -1;
	umask(mask);
	return rc;
}

/* ---- in two confined processes ---- */

struct jail {
	int userns, root;                             /* descriptors: the namespace to live in, the directory to be "/" */
	int keep[4];                                  /* what else may stay open */
	uint64_t caps;
};

static const char *const writer_calls[] = { "@base", "@files", "mknodat", "fsetxattr", NULL };
static const char *const inflater_calls[] = { "@base", NULL };

/* From root in a fresh set of namespaces to root of `userns` only, with "/" at the jail's root. */
static int enter(const struct jail *j, const char *const *calls, struct err *e)
{
	const struct sandbox_limit limits[] = { { RLIMIT_CORE, 0 }, { RLIMIT_NPROC, 0 }, { RLIMIT_NOFILE, 128 } };
	const struct sandbox box = { .caps = j->caps, .limits = limits, .nlimits = 3, .syscalls = calls };

	proc_reset_signals();
	signal(SIGPIPE, SIG_IGN);
	umask(0);
	if (ns_enter(j->userns, CLONE_NEWUSER, e))
		return -1;
	if (setresgid(0, 0, 0) || setgroups(0, NULL) || setresuid(0, 0, 0))
		return err_sys(e, "become the user of the unpacker");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fchdir(j->root) || chroot("."))
		return err_sys(e, "enter the layer");
	fd_close_others(j->keep, 4);
	return sandbox_enter(&box, e);
}

static int inflate_into(int fd, int to, const struct unpack_job *job, struct unpack_result *out, struct err *e)
{
	char *buf = malloc(PIPE_SIZE / 4);
	struct blob b;
	ssize_t n;

	if (!buf)
		abort();
	blob_open(&b, fd, job);
	while ((n = inflate_read(b.z, buf, PIPE_SIZE / 4, e)) > 0)
		if (fd_write_all(to, buf, n))
			return err_sys(e, "hand over to the writer");
	return n < 0 ? -1 : blob_end(&b, job, out, e);
}

static void report(int to, struct unpack_result *out, int rc)
{
	if (rc == 0)
		out->err.code = 0;
	fd_write_all(to, out, sizeof *out);
	_exit(0);
}

static pid_t start_inflater(struct jail j, int blob, int to, int report_to, const struct unpack_job *job, struct err *e)
{
	struct unpack_result out = { 0 };
	pid_t pid = proc_clone(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, -1, NULL, e);

	if (pid)
		return pid;
	j.keep[0] = blob;
	j.keep[1] = to;
	j.keep[2] = j.keep[3] = report_to;
	report(report_to, &out, enter(&j, inflater_calls, &out.err) || inflate_into(blob, to, job, &out, &out.err));
	_exit(1);
}

static pid_t start_writer(struct jail j, int from, int report_to, const struct unpack_job *job, struct err *e)
{
	struct unpack_result out = { 0 };
	pid_t pid = proc_clone(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, -1, NULL, e);

	if (pid)
		return pid;
	j.keep[0] = from;
	j.keep[1] = j.root;
	j.keep[2] = j.keep[3] = report_to;
	j.caps = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_SETFCAP;
	report(report_to, &out, enter(&j, writer_calls, &out.err) || apply(source_of_fd(&from), j.root, job, &out, &out.err));
	_exit(1);
}

/* What a child said; it may have died, and it is not trusted to end its strings. */
static void read_report(int fd, pid_t pid, const char *who, struct unpack_result *out)
{
	int status = 0;
	ssize_t n = fd_read_full(fd, out, sizeof *out);

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof *out) {
		memset(out, 0, sizeof *out);
		err_set(&out->err, EIO, "the %s of the layer ended with %s %d", who, WIFSIGNALED(status) ? "signal" : "code",
		        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	out->err.msg[sizeof out->err.msg - 1] = 0;
	out->blob[DIGEST_TEXT] = out->diff_id[DIGEST_TEXT] = 0;
}

/* A damaged blob makes the writer see an early end, a writer that fails makes the inflater see a broken pipe: the cause wins. */
static int judge(const struct unpack_result *inflater, const struct unpack_result *writer, const struct unpack_job *job,
                 struct unpack_result *out, struct err *e)
{
	const struct err *cause = inflater->err.code && inflater->err.code != EPIPE ? &inflater->err :
		writer->err.code ? &writer->err : inflater->err.code ? &inflater->err : NULL;

	if (cause)
		return err_set(e, cause->code, "%s", cause->msg);
	*out = *writer;
	memcpy(out->blob, job->plain ? writer->diff_id : inflater->blob, sizeof out->blob);
	if (!digest_is(str_of(out->blob)) || !digest_is(str_of(out->diff_id)) || out->size < 0 || out->entries < 0)
		return err_set(e, EBADMSG, "the unpacker's report is damaged");
	if (compare("the blob's digest", job->blob, out->blob, e))
		return -1;
	return compare("the layer's diff id", job->diff_id, out->diff_id, e);
}

static int empty_root(struct err *e)
{
	const struct mount_option opts[] = { { "size", "4096" }, { "mode", "0555" } };

	return mount_new("tmpfs", opts, 2, MOUNT_RO | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC, e);
}

static int layer_root(int root, int userns, struct err *e)
{
	auto_fd m = mount_clone(root, "", false, e);

	if (m < 0 || mount_set(m, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC, false, userns, e))
		return -1;
	return fd_take(&m);
}

int unpack_sandboxed(int blob, int root, const struct unpack_job *job, struct unpack_result *out, struct err *e)
{
	auto_fd userns = ns_user_new(UNPACK_ID_FIRST, UNPACK_ID_COUNT, e), empty = empty_root(e), layer = -1;
	int data[2] = { -1, -1 }, from_a[2] = { -1, -1 }, from_b[2] = { -1, -1 }, from;
	struct unpack_result a = { 0 }, b = { 0 };
	pid_t inflater = -1, writer = -1;

	memset(out, 0, sizeof *out);
	if (userns < 0 || empty < 0)
		return err_wrap(e, "confine the unpacker");
	layer = job->verify_only ? empty_root(e) : layer_root(root, userns, e);
	if (layer < 0)
		return err_wrap(e, "confine the unpacker");
	if (pipe2(data, O_CLOEXEC) || pipe2(from_a, O_CLOEXEC) || pipe2(from_b, O_CLOEXEC)) {
		err_sys(e, "make a pipe");
	} else {
		fcntl(data[1], F_SETPIPE_SZ, PIPE_SIZE);
		if (!job->plain)
			inflater = start_inflater((struct jail){ userns, empty, { 0 }, 0 }, blob, data[1], from_a[1], job, e);
		from = job->plain ? blob : data[0];
		if (job->plain || inflater > 0)
			writer = start_writer((struct jail){ userns, layer, { 0 }, 0 }, from, from_b[1], job, e);
	}
	fd_close(&data[0]);
	fd_close(&data[1]);
	fd_close(&from_a[1]);
	fd_close(&from_b[1]);
	if (writer > 0)
		read_report(from_b[0], writer, "writer", &b);
	if (inflater > 0)
		read_report(from_a[0], inflater, "inflater", &a);
	fd_close(&from_a[0]);
	fd_close(&from_b[0]);
	return writer > 0 ? judge(&a, &b, job, out, e) : -1;
}
