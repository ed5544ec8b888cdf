/* For tests of the image host: a node with real pull processes (this program starts itself as triton-pull), and small images. */
#ifndef UNIT_IMAGE_NODE_H
#define UNIT_IMAGE_NODE_H

#include "image/host.h"

#include "base/buf.h"
#include "codec/sha256.h"
#include "codec/tar.h"
#include "image/manifest.h"
#include "ipc/spawn.h"
#include "os/path.h"
#include "role/pull.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a node ---- */

struct tnode {
	struct image_host *host;
	int data;
};

struct job {
	struct image_result result;
	struct arena arena;
	bool done;
	struct err answer;
	struct str lines;                             /* what the client read */
	int progress;
	struct buf text;
	struct image_op *op;
};

static inline struct tnode node_new(void)
{
	char path[300];
	struct image_host_config c = { .pull_uid = 64004 };
	struct tnode n;
	struct err e = { 0 };

	snprintf(path, sizeof path, "%s/data", test_dir());
	mkdir(path, 0711);
	n.data = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c.data = n.data;
	n.host = image_host_new(&c, &e);
	if (!n.host)
		test_failed(__FILE__, __LINE__, "%s", e.msg);
	REQUIRE(n.host);
	return n;
}

static inline void on_done(void *ctx, struct image_op *op, const struct image_result *r)
{
	struct job *j = ctx;
	struct image_put *v = arena_new_n(&j->arena, struct image_put, r->puts.n);
	size_t i;

	j->result = *r;
	for (i = 0; i < r->puts.n; i++) {
		v[i] = r->puts.v[i];
		v[i].image.id = arena_str(&j->arena, v[i].image.id);
		v[i].image.manifest = arena_str(&j->arena, v[i].image.manifest);
		v[i].image.layers.v = arena_new_n(&j->arena, struct str, v[i].image.layers.n);
		for (size_t k = 0; k < v[i].image.layers.n; k++)
			v[i].image.layers.v[k] = arena_str(&j->arena, r->puts.v[i].image.layers.v[k]);
		v[i].image.blobs = (struct strs){ 0 };
		for (size_t k = 0; k < r->puts.v[i].image.blobs.n; k++)
			strs_add(&j->arena, &v[i].image.blobs, arena_str(&j->arena, r->puts.v[i].image.blobs.v[k]));
		v[i].refs = (struct strs){ 0 };
		for (size_t k = 0; k < r->puts.v[i].refs.n; k++)
			strs_add(&j->arena, &v[i].refs, arena_str(&j->arena, r->puts.v[i].refs.v[k]));
	}
	j->result.puts.v = v;
	j->done = true;
	image_op_answer(op, r->err.code ? &r->err : j->answer.code ? &j->answer : NULL);
}

static inline void start(struct tnode *n, struct job *j, enum image_job_kind kind, const struct pull_call *call, int input,
                  const struct strs *owned)
{
	int fds[2];
	struct image_job job = { .kind = kind, .call = call, .input = input, .owned = owned, .is_private_ok = true,
		.done = on_done, .ctx = j };
	struct err e = { 0 };

	REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	j->progress = fds[0];
	j->text = BUF_INIT(4 << 20);
	job.progress = fds[1];
	j->op = image_host_start(n->host, &job, &e);
	if (!j->op)
		test_failed(__FILE__, __LINE__, "%s", e.msg);
	close(fds[1]);
}

/* Run the node until the clients have read everything. */
static inline void run(struct tnode *n, struct job *jobs, int count)
{
	int open_jobs = count;

	while (open_jobs || image_host_busy(n->host)) {
		struct pollfd p[9] = { { image_host_fd(n->host), POLLIN, 0 } };
		int i;

		for (i = 0; i < count; i++)
			p[i + 1] = (struct pollfd){ jobs[i].progress, POLLIN, 0 };
		poll(p, count + 1, 1000);
		image_host_run(n->host);
		for (i = 0; i < count; i++) {
			char text[4096];
			ssize_t got;

			if (!(p[i + 1].revents))
				continue;
			got = read(jobs[i].progress, text, sizeof text);
			if (got > 0) {
				buf_add(&jobs[i].text, text, got);
				continue;
			}
			close(jobs[i].progress);
			jobs[i].progress = -1;
			open_jobs--;
		}
	}
	while (count-- > 0)
		jobs[count].lines = buf_as_str(&jobs[count].text);
}

static inline bool has(const struct job *j, const char *part)
{
	return str_find_str(j->lines, str_of(part)) >= 0;
}

#define CHECK_HAS(j, part) (has(j, part) ? (void)0 : \
	test_failed(__FILE__, __LINE__, "the client did not read \"%s\" but: %.*s", part, STR_ARG(str_head((j)->lines, 3000))))

static inline int count_in(int data, const char *path)
{
	struct err e;
	int fd = path_open(data, path, O_RDONLY | O_DIRECTORY, 0, &e), n = 0;
	DIR *d = fdopendir(fd);
	struct dirent *ent;

	while ((ent = readdir(d)))
		n += ent->d_name[0] != '.';
	closedir(d);
	return n;
}

/* ---- archives and images ---- */

struct made {                                         /* an image of one layer */
	struct str layer, config, manifest;
	char layer_digest[DIGEST_TEXT + 1], config_digest[DIGEST_TEXT + 1], manifest_digest[DIGEST_TEXT + 1];
};

static inline int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

static inline struct made make_image(const char *file, size_t size)
{
	struct buf b = BUF_INIT(64 << 20), c = BUF_INIT(1 << 20), m = BUF_INIT(1 << 20);
	char *data = malloc(size + 1);
	struct tar_writer w;
	struct made i;
	struct err e = { 0 };

	memset(data, 'x', size);
	for (size_t k = 0; k < size; k += 7)
		data[k] = test_rand();
	tar_writer_init(&w, to_buf, &b);
	REQUIRE_OK(tar_write_file(&w, file, 0755, str_make(data, size), &e), e);
	REQUIRE_OK(tar_write_end(&w, &e), e);
	i.layer = buf_as_str(&b);
	sha256_digest_of(i.layer, i.layer_digest);
	buf_printf(&c, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-01T00:00:00Z\",\"config\":{\"Cmd\":[\"%s\"]},"
	           "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]},\"history\":[{\"created_by\":\"test\"}]}", file, i.layer_digest);
	i.config = buf_as_str(&c);
	sha256_digest_of(i.config, i.config_digest);
	buf_printf(&m, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\"},"
	           "\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar\",\"size\":%zu,\"digest\":\"%s\"}]}",
	           MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_CONFIG, i.config.n, i.config_digest, i.layer.n, i.layer_digest);
	i.manifest = buf_as_str(&m);
	sha256_digest_of(i.manifest, i.manifest_digest);
	return i;
}

static inline int archive_fd(struct str text)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	REQUIRE(write(fd, text.p, text.n) == (ssize_t)text.n);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

#endif
