/* `triton backup` and `triton restore`: the state of a data center as one file, and a first node of it again from that file. As root, on
 * the machine itself: the file holds the authority's key. */
#include "tool/admin.h"
#include "tool/commands.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/version.h"
#include "codec/json.h"
#include "os/fd.h"
#include "os/path.h"
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_BYTES (64 << 10)
#define VIEW_MS   5000

const char backup_usage[] =
	"usage: triton backup FILE\n"
	"\n"
	"Writes the whole state of the data center, as it is at this moment, and its authority to a new file. Images, volumes and what\n"
	"containers wrote are not in it. The file holds every secret of the data center: keep it safe.\n";

const char restore_usage[] =
	"usage: triton restore FILE\n"
	"\n"
	"Makes a new data directory from what `triton backup` wrote. `triton serve` on it is the only node of the data center as it\n"
	"was then; others join it with new tokens. The nodes of then are shown as lost; `triton node remove` forgets them.\n";

struct backup_command { struct admin admin; };
struct restore_command { const char *data_dir; };

const struct option backup_options[] = {
	OPTION_VALUE(backup_command, admin.run_dir, "run-dir", 0, "DIR", "the instance: its --run-dir (default " ADMIN_RUN_DIR ")"),
	OPTION_END
};
const struct option restore_options[] = {
	OPTION_VALUE(restore_command, data_dir, "data-dir", 0, "DIR", "the new data directory (default /var/lib/triton)"),
	OPTION_END
};

/* One word is wanted: the file. 0: go on; else the exit status. */
static int one_word(const char *command, int words, struct err *e)
{
	if (words == 1)
		return 0;
	if (words >= 0)
		err_set(e, EINVAL, "it takes one file; `triton help %s` shows how", command);
	fprintf(stderr, "triton %s: %s\n", command, e->msg);
	return 2;
}

/* --- backup --- */

struct where { struct str root; };
static const struct field where_fields[] = { FIELD(1, where, root, "DockerRootDir", FIELD_REQUIRED), FIELD_END };

static int text_at(struct admin *c, const char *dir, const char *name, struct str *out, struct err *e)
{
	return admin_file(c, arena_cstr(&c->arena, arena_printf(&c->arena, "%s/%s", dir, name)), PEM_BYTES, out, e);
}

static int backup(struct admin *c, const char *path, struct err *e)
{
	struct backup_head h = { .version = str_of(triton_version), .made.ns = clock_wall_ns() };
	struct where w = { 0 };
	auto_view t = { 0 };
	struct view *v;
	struct str answer;
	const char *dir;
	int64_t revision;
	int rc;

	/* A list is fresh by a majority: what was acknowledged anywhere before now is in this node's state when the answer comes. */
	if (admin_call(c, "GET", STR("/volumes"), STR_NONE, &answer, e) || admin_call(c, "GET", STR("/info"), STR_NONE, &answer, e) ||
	    json_decode(&c->arena, answer, where_fields, &w, e))
		return -1;
	dir = arena_cstr(&c->arena, w.root);
	if (text_at(c, dir, "node", &h.node, e) || text_at(c, dir, "ca/cert.pem", &h.ca_cert, e) || text_at(c, dir, "ca/key.pem", &h.ca_key, e))
		return -1;
	h.node = str_trim(h.node);
	v = view_open(arena_cstr(&c->arena, arena_printf(&c->arena, "%s/state", dir)), VIEW_MS, e);
	if (!v)
		return -1;
	rc = view_begin(v, &t, e) || backup_write(&t, path, &c->arena, &h, &revision, e) ? -1 : 0;
	view_end(&t);
	view_close(v);
	if (rc == 0)
		printf("The state of data center %.*s at revision %lld is in %s. It holds the key of the authority: keep it safe.\n",
		       STR_ARG(h.datacenter), (long long)revision, path);
	return rc;
}

int tool_backup(int argc, char **argv)
{
	struct backup_command c = { ADMIN_INIT };
	struct err e = { 0 };
	int rc = one_word("backup", options_parse(backup_options, "backup", argc, argv, &c, &e), &e);

	if (rc)
		return rc;
	umask(077);
	rc = backup(&c.admin, argv[1], &e);
	if (rc)
		fprintf(stderr, "triton backup: %s\n", e.msg);
	http_client_release(&c.admin.http);
	arena_release(&c.admin.arena);
	return rc ? 1 : 0;
}

/* --- restore --- */

static int must_be_empty(const char *path, int dir, struct err *e)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *n;
	bool empty = true;

	if (!d)
		return err_sys(e, "open %s", path);
	while ((n = readdir(d)))
		empty &= strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0;
	closedir(d);
	return empty ? 0 : err_set(e, EEXIST, "%s is not empty; restore makes a new data directory", path);
}

static int make_dir(int dir, const char *name, struct err *e)
{
	int fd = mkdirat(dir, name, 0700) ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(dir) ? err_sys(e, "create %s", name) : fd;
}

/* The certificate comes last: with it the directory belongs to the data center (role/datadir.h). */
static int authority(int dir, const struct backup_head *h, struct err *e)
{
	auto_fd ca = make_dir(dir, "ca", e);

	return ca < 0 || path_write(ca, "key.pem", h->ca_key, 0600, true, e) || path_write(ca, "cert.pem", h->ca_cert, 0644, true, e) ||
	       fsync(ca) ? -1 : 0;
}

static int identity(struct arena *a, int dir, struct str node, uint64_t server, const struct backup_head *h, struct err *e)
{
	return path_write(dir, "node", arena_printf(a, "%.*s\n", STR_ARG(node)), 0644, true, e) ||
	       path_write(dir, "joined", arena_printf(a, "%llu %.*s %.*s\n", (unsigned long long)server, STR_ARG(h->datacenter), STR_ARG(h->suffix)),
	                  0644, true, e) ? -1 : 0;
}

static int restore(const char *path, const char *data_dir, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str node = rand_hex(&a, 32);
	uint64_t server = (rand_u64() >> 1) | 1;
	struct backup_head h = { 0 };
	int64_t revision;

	if (geteuid())
		return err_set(e, EPERM, "it makes a data directory for triton serve, as root");
	if (backup_check(path, &a, &h, &revision, e))
		return -1;
	if (mkdir(data_dir, 0711) && errno != EEXIST)
		return err_sys(e, "create %s", data_dir);
	auto_fd dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open %s", data_dir);
	if (must_be_empty(data_dir, dir, e))
		return -1;
	auto_fd state = make_dir(dir, "state", e);
	auto_fd log = state < 0 ? -1 : make_dir(state, "log", e);

	if (log < 0 || backup_restore(path, arena_cstr(&a, arena_printf(&a, "%s/state/log", data_dir)), server, node, e) ||
	    identity(&a, dir, node, server, &h, e) || authority(dir, &h, e) || fsync(dir))
		return err_wrap(e, "%s is half made; remove it", data_dir);
	printf("%s holds data center %.*s as it was at revision %lld. Start it: triton serve --data-dir %s\n", data_dir,
	       STR_ARG(h.datacenter), (long long)revision, data_dir);
	return 0;
}

int tool_restore(int argc, char **argv)
{
	struct restore_command c = { "/var/lib/triton" };
	struct err e = { 0 };
	int rc = one_word("restore", options_parse(restore_options, "restore", argc, argv, &c, &e), &e);

	if (rc)
		return rc;
	rc = restore(argv[1], c.data_dir, &e);
	if (rc)
		fprintf(stderr, "triton restore: %s\n", e.msg);
	return rc ? 1 : 0;
}
