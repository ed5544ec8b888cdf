#include "role/datadir.h"

#include "base/clock.h"
#include "base/rand.h"
#include "codec/pem.h"
#include "codec/x509.h"
#include "os/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256 << 10)
#define RENEW_SECONDS (30 * 86400)

int datadir_make(const char *path, int mode, struct err *e)
{
	auto_fd at = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct str rest = str_of(path), part;
	char name[256];

	while (str_next(&rest, '/', &part)) {
		int next;

		if (part.n == 0 || str_is(part, "."))
			continue;
		if (part.n >= sizeof(name))
			return err_set(e, ENAMETOOLONG, "%s: a part of the path is too long", path);
		snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
		if (mkdirat(at, name, (mode_t)mode) && errno != EEXIST)
			return err_sys(e, "create directory %s", path);
		next = openat(at, name, O_DIRECTORY | O_CLOEXEC | O_RDONLY);
		if (next < 0)
			return err_sys(e, "open directory %s", path);
		close(at);
		at = next;
	}
	return fd_take(&at);
}

static int file_read(struct arena *a, int dir, const char *name, struct str *out, struct err *e)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "open %s", name);
	if (st.st_size > FILE_MAX)
		return err_set(e, EFBIG, "%s is %lld bytes long, more than any file of ours", name, (long long)st.st_size);
	char *p = arena_alloc(a, (size_t)st.st_size + 1);
	ssize_t n = read(fd, p, (size_t)st.st_size);

	if (n < 0)
		return err_sys(e, "read %s", name);
	*out = str_make(p, (size_t)n);
	return 0;
}

/* Whole or not at all: written beside, synced, renamed. */
static int file_write(int dir, const char *name, int mode, struct str text, struct err *e)
{
	char beside[80];

	snprintf(beside, sizeof(beside), ".%s.new", name);
	unlinkat(dir, beside, 0);
	auto_fd fd = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return err_sys(e, "create %s", name);
	if (write(fd, text.p, text.n) != (ssize_t)text.n || fchmod(fd, (mode_t)mode) || fsync(fd))
		return err_sys(e, "write %s", name);
	if (renameat(dir, beside, dir, name) || fsync(dir))
		return err_sys(e, "rename %s", name);
	return 0;
}

static int subdir(int dir, const char *path, int mode, unsigned uid, struct err *e)
{
	if (mkdirat(dir, path, (mode_t)mode) && errno != EEXIST)
		return err_sys(e, "create directory %s", path);
	if (fchmodat(dir, path, (mode_t)mode, 0) || fchownat(dir, path, uid, uid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "set mode and owner of %s", path);
	return 0;
}

static int layout(int dir, struct datadir_owner owner, struct err *e)
{
	const struct { const char *path; int mode; unsigned uid; } dirs[] = {
		{ "ca", 0700, 0 }, { "tls", 0700, 0 }, { "state", 0700, owner.state_uid }, { "blobs", 0711, 0 },
		{ "blobs/sha256", 0711, 0 }, { "staging", 0711, 0 }, { "certs.d", 0755, 0 },
		{ "fs", 0700, 0 }, { "fs/layers", 0711, 0 }, { "fs/containers", 0711, 0 }, { "fs/volumes", 0711, 0 },
		{ "fs/trash", 0700, 0 }, { "containers", 0711, 0 },
	};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (subdir(dir, dirs[i].path, dirs[i].mode, dirs[i].uid, e))
			return -1;
	return 0;
}

static int ec_pem(struct arena *a, const struct privkey *k, struct str *out, struct err *e)
{
	struct buf b = BUF_INIT(FILE_MAX);
	int rc = privkey_ec_pem(k, &b, e);

	if (rc == 0)
		*out = arena_str(a, buf_as_str(&b));
	buf_wipe(&b);
	return rc;
}

static int ca_make(struct arena *a, int dir, struct str datacenter, struct err *e)
{
	auto_privkey key = { 0 };
	struct str der, pem;

	privkey_generate_p256(a, &key);
	return x509_make_ca(a, datacenter, &key, clock_wall_ns() / 1000000000, &der, e) || ec_pem(a, &key, &pem, e) ||
	       file_write(dir, "key.pem", 0600, pem, e) ||
	       file_write(dir, "cert.pem", 0644, pem_encode(a, "CERTIFICATE", der), e) ? -1 : 0;
}

struct ca {
	struct x509 cert;
	struct privkey key;
};

static int ca_load(struct arena *a, int dir, struct datadir *d, struct ca *ca, struct err *e)
{
	struct str der, key;

	if (file_read(a, dir, "cert.pem", &d->ca_pem, e) || x509_from_pem(a, d->ca_pem, &der, e) ||
	    x509_parse(a, der, &ca->cert, e) || file_read(a, dir, "key.pem", &key, e) ||
	    privkey_parse(a, key, STR_NONE, &ca->key, e))
		return err_wrap(e, "the data center's authority (ca/)");
	secret_wipe((char *)key.p, key.n);
	d->ca_fingerprint = x509_fingerprint(a, der);
	return 0;
}

static bool is_address(struct str host)
{
	unsigned char raw[16];
	char text[64];

	if (host.n >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", STR_ARG(host));
	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

static int server_make(struct arena *a, int dir, const struct ca *ca, struct str datacenter, struct strs hosts, struct err *e)
{
	auto_privkey key = { 0 };
	struct strs dns = { 0 }, ip = { 0 };
	struct str der, pem, list = STR_NONE;

	for (size_t i = 0; i < hosts.n; i++) {
		strs_add(a, is_address(hosts.v[i]) ? &ip : &dns, hosts.v[i]);
		list = arena_printf(a, "%.*s%.*s\n", STR_ARG(list), STR_ARG(hosts.v[i]));
	}
	privkey_generate_p256(a, &key);
	return x509_make_server(a, &ca->cert, &ca->key, &key.pub, datacenter, dns, ip, clock_wall_ns() / 1000000000, &der, e) ||
	       ec_pem(a, &key, &pem, e) || file_write(dir, "key.pem", 0600, pem, e) ||
	       file_write(dir, "cert.pem", 0644, pem_encode(a, "CERTIFICATE", der), e) ||
	       file_write(dir, "hosts", 0644, list, e) ? -1 : 0;
}

/* Is the certificate there, for these hosts, and good for a while? */
static bool server_fits(struct arena *a, int dir, struct strs hosts)
{
	struct str pem, der, list, want = STR_NONE;
	struct x509 cert;
	struct err e;

	for (size_t i = 0; i < hosts.n; i++)
		want = arena_printf(a, "%.*s%.*s\n", STR_ARG(want), STR_ARG(hosts.v[i]));
	return file_read(a, dir, "cert.pem", &pem, &e) == 0 && x509_from_pem(a, pem, &der, &e) == 0 &&
	       x509_parse(a, der, &cert, &e) == 0 && cert.not_after > clock_wall_ns() / 1000000000 + RENEW_SECONDS &&
	       file_read(a, dir, "hosts", &list, &e) == 0 && str_eq(list, want) && faccessat(dir, "key.pem", R_OK, 0) == 0;
}

static int node_identity(struct arena *a, struct datadir *d, struct err *e)
{
	struct str line;

	if (faccessat(d->fd, "node", F_OK, 0)) {
		line = arena_printf(a, "%.*s\n", STR_ARG(rand_hex(a, 32)));
		if (file_write(d->fd, "node", 0644, line, e))
			return -1;
	}
	if (file_read(a, d->fd, "node", &line, e))
		return -1;
	d->node_id = str_head(line, 32);
	if (d->node_id.n != 32)
		return err_set(e, EINVAL, "%.*s/node does not hold a node id of 32 digits", STR_ARG(d->path));
	return 0;
}

static int certificates(struct arena *a, struct datadir *d, struct str datacenter, struct strs hosts, struct err *e)
{
	auto_fd ca_dir = openat(d->fd, "ca", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd tls_dir = openat(d->fd, "tls", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ca ca = { 0 };
	int rc;

	if (ca_dir < 0 || tls_dir < 0)
		return err_sys(e, "open %.*s/ca", STR_ARG(d->path));
	d->fresh = faccessat(ca_dir, "cert.pem", F_OK, 0) != 0;
	if (d->fresh && ca_make(a, ca_dir, datacenter, e))
		return -1;
	rc = ca_load(a, ca_dir, d, &ca, e);
	if (rc == 0 && !server_fits(a, tls_dir, hosts))
		rc = server_make(a, tls_dir, &ca, datacenter, hosts, e);
	privkey_wipe(&ca.key);
	return rc || file_read(a, tls_dir, "cert.pem", &d->cert_pem, e) || file_read(a, tls_dir, "key.pem", &d->key_pem, e) ? -1 : 0;
}

int datadir_open(struct arena *a, const char *path, struct str datacenter, struct strs hosts, struct datadir_owner owner,
		 struct datadir *d, struct err *e)
{
	char real[4096];

	d->fd = datadir_make(path, 0711, e);
	if (d->fd < 0)
		return -1;
	if (!realpath(path, real))
		return err_sys(e, "resolve %s", path);
	d->path = arena_str(a, str_of(real));
	d->lock = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock < 0)
		return err_sys(e, "open %s/lock", path);
	if (flock(d->lock, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? err_set(e, EBUSY, "another triton serve uses %s; choose another --data-dir", path)
					    : err_sys(e, "lock %s", path);
	return layout(d->fd, owner, e) || certificates(a, d, datacenter, hosts, e) || node_identity(a, d, e) ? -1 : 0;
}
