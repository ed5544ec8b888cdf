#include "role/datadir.h"

#include "base/clock.h"
#include "base/rand.h"
#include "codec/pem.h"
#include "codec/seal.h"
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
	auto_fd at = open(path[0] == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str rest = str_of(path), part;
	char name[256];

	while (str_next(&rest, '/', &part)) {
		int next, made;

		if (part.n == 0 || str_is(part, "."))
			continue;
		if (part.n >= sizeof(name))
			return err_set(e, ENAMETOOLONG, "%s: a part of the path is too long", path);
		snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
		made = mkdirat(at, name, (mode_t)mode) == 0;
		if (!made && errno != EEXIST)
			return err_sys(e, "create directory %s", path);
		if (made && fsync(at))                /* else all that is kept below could go with the name */
			return err_sys(e, "sync the directory of %s", path);
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

/* The state role's files stay its user's; with another one it could not open them. */
static int same_owner(int dir, const char *path, struct datadir_owner owner, struct err *e)
{
	struct stat st;

	if (fstatat(dir, "state", &st, AT_SYMLINK_NOFOLLOW) || st.st_uid == owner.state_uid || st.st_uid == 0)
		return 0;
	return err_set(e, EEXIST, "the state in %s belongs to user %u: start with --uid-base %u as before", path, st.st_uid,
		       st.st_uid - owner.state_uid_offset);
}

static int layout(int dir, struct datadir_owner owner, struct err *e)
{
	const struct { const char *path; int mode; unsigned uid; } dirs[] = {
		{ "ca", 0700, 0 }, { "tls", 0700, 0 }, { "peer", 0700, 0 }, { "state", 0700, owner.state_uid }, { "blobs", 0711, 0 },
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

/* The key that other nodes know this one by; made before anything is known of a data center. */
static int node_key(struct arena *a, struct datadir *d, struct err *e)
{
	auto_fd dir = openat(d->fd, "peer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str pem;

	if (dir < 0)
		return err_sys(e, "open %.*s/peer", STR_ARG(d->path));
	if (faccessat(dir, "key.pem", F_OK, 0) == 0) {
		if (file_read(a, dir, "key.pem", &pem, e) || privkey_parse(a, pem, STR_NONE, &d->node_key, e))
			return err_wrap(e, "%.*s/peer/key.pem", STR_ARG(d->path));
		secret_wipe((char *)pem.p, pem.n);
	} else {
		privkey_generate_p256(a, &d->node_key);
		if (ec_pem(a, &d->node_key, &pem, e) || file_write(dir, "key.pem", 0600, pem, e))
			return -1;
		secret_wipe((char *)pem.p, pem.n);
	}
	d->node_key_hash = hash_sha256_hex(a, pubkey_spki(a, &d->node_key.pub));
	return 0;
}

/* The certificate beside that key. Other nodes ask for it by the node's id; one that joins knows no id yet, but the authority. */
static int node_certificate(struct arena *a, struct datadir *d, const struct ca *ca, struct err *e)
{
	auto_fd dir = openat(d->fd, "peer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t now = clock_wall_ns() / 1000000000;
	struct strs dns = { 0 };
	struct str pem, der;
	struct x509 cert;
	struct err ignored;

	if (dir < 0)
		return err_sys(e, "open %.*s/peer", STR_ARG(d->path));
	if (file_read(a, dir, "cert.pem", &pem, &ignored) == 0 && x509_from_pem(a, pem, &der, &ignored) == 0 &&
	    x509_parse(a, der, &cert, &ignored) == 0 && cert.not_after > now + RENEW_SECONDS && x509_signed_by(&cert, &ca->cert.key) &&
	    pubkey_eq(&cert.key, &d->node_key.pub))
		return 0;
	strs_add(a, &dns, d->node_id);
	strs_add(a, &dns, STR(PEER_ANY_NODE));
	if (x509_make_node(a, &ca->cert, &ca->key, &d->node_key.pub, d->node_id, dns, (struct strs){ 0 }, now, &der, e))
		return -1;
	pem = arena_printf(a, "%.*s%.*s", STR_ARG(pem_encode(a, "CERTIFICATE", der)), STR_ARG(d->ca_pem));
	return file_write(dir, "cert.pem", 0644, pem, e);
}

static int server_certificate(struct arena *a, struct datadir *d, const struct ca *ca, struct str datacenter, struct strs hosts, struct err *e)
{
	auto_fd dir = openat(d->fd, "tls", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open %.*s/tls", STR_ARG(d->path));
	return server_fits(a, dir, hosts) ? 0 : server_make(a, dir, ca, datacenter, hosts, e);
}

int datadir_certificates(struct arena *a, struct datadir *d, struct str datacenter, struct strs hosts, struct err *e)
{
	auto_fd dir = openat(d->fd, "ca", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ca ca = { 0 };
	int rc;

	if (dir < 0)
		return err_sys(e, "open %.*s/ca", STR_ARG(d->path));
	if (d->fresh && !d->joined.n && ca_make(a, dir, datacenter, e))
		return -1;
	rc = ca_load(a, dir, d, &ca, e);
	if (rc == 0)
		rc = server_certificate(a, d, &ca, datacenter, hosts, e) || node_certificate(a, d, &ca, e) ? -1 : 0;
	privkey_wipe(&ca.key);
	return rc;
}

/* The certificate is written last: with it the directory belongs to the data center. */
int datadir_adopt(struct arena *a, struct datadir *d, const struct datadir_adopted *in, struct err *e)
{
	auto_fd dir = openat(d->fd, "ca", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "open %.*s/ca", STR_ARG(d->path));
	d->joined = arena_printf(a, "%lld %.*s %.*s\n", (long long)in->server, STR_ARG(in->datacenter), STR_ARG(in->suffix));
	return file_write(d->fd, "joined", 0644, d->joined, e) || file_write(dir, "key.pem", 0600, in->ca_key, e) ||
	       file_write(dir, "cert.pem", 0644, in->ca_pem, e) ? -1 : 0;
}

int datadir_seal_authority(struct arena *a, struct datadir *d, struct str point, struct str *sealed, struct err *e)
{
	auto_fd dir = openat(d->fd, "ca", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str key;
	int rc;

	if (dir < 0 || file_read(a, dir, "key.pem", &key, e))
		return dir < 0 ? err_sys(e, "open %.*s/ca", STR_ARG(d->path)) : -1;
	rc = seal(a, point, key, sealed, e);
	secret_wipe((char *)key.p, key.n);
	return rc;
}

static int read_joined(struct arena *a, struct datadir *d, struct err *e)
{
	struct str rest;
	struct str server;

	if (faccessat(d->fd, "joined", F_OK, 0))
		return 0;
	if (file_read(a, d->fd, "joined", &d->joined, e))
		return -1;
	rest = str_trim(d->joined);
	if (!str_cut(rest, ' ', &server, &rest) || !str_to_i64(server, &d->server) || !str_cut(rest, ' ', &d->datacenter, &d->suffix))
		return err_set(e, EINVAL, "%.*s/joined is damaged", STR_ARG(d->path));
	while (d->suffix.n && d->suffix.p[d->suffix.n - 1] == '\n')
		d->suffix.n--;
	return 0;
}

int datadir_open(struct arena *a, const char *path, struct datadir_owner owner, struct datadir *d, struct err *e)
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
	if (same_owner(d->fd, path, owner, e) || layout(d->fd, owner, e) || node_identity(a, d, e) || node_key(a, d, e) || read_joined(a, d, e))
		return -1;
	d->fresh = faccessat(d->fd, "ca/cert.pem", F_OK, 0) != 0;
	return 0;
}
