/* Operations of the node's image host: load, import, errors, leftovers. Pulling is in pull_test.c. */
#include "image/save.h"
#include "unit/image/node.h"

__attribute__((constructor)) static void become_pull(void)
{
	static char text[4096];
	char *argv[8];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC), argc = 0;
	ssize_t n = read(fd, text, sizeof text - 1), at;

	close(fd);
	if (n <= 0 || strcmp(text, "triton-pull"))
		return;
	for (at = 0; at < n && argc < 7; at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	argv[argc] = NULL;
	spawn_begin(argv[0]);
	exit(role_pull(argc, argv));
}

static int saved(const struct made *i, const char *manifest_json)
{
	struct buf b = BUF_INIT(64 << 20);
	struct tar_writer w;
	struct err e = { 0 };

	tar_writer_init(&w, to_buf, &b);
	REQUIRE_OK(tar_write_file(&w, "abc/layer.tar", 0644, i->layer, &e), e);
	REQUIRE_OK(tar_write_file(&w, "config.json", 0644, i->config, &e), e);
	REQUIRE_OK(tar_write_file(&w, "manifest.json", 0644, str_of(manifest_json), &e), e);
	REQUIRE_OK(tar_write_end(&w, &e), e);
	return archive_fd(buf_as_str(&b));
}

#define GOOD_JSON "[{\"Config\":\"config.json\",\"RepoTags\":[\"tr/img:1\"],\"Layers\":[\"abc/layer.tar\"]}]"

static struct job load(struct tnode *n, int fd, const struct strs *owned)
{
	struct pull_call call = { .account = STR("alice") };
	struct job j = { 0 };

	start(n, &j, IMAGE_LOAD, &call, fd, owned);
	run(n, &j, 1);
	return j;
}

static int run_shell(const char *command)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

TEST(load_brings_an_image)
{
	struct made i = make_image("bin/sh", 100000);
	struct tnode n;
	struct job j;
	char path[400];
	struct stat st;

	SKIP_UNLESS_ROOT();
	n = node_new();
	j = load(&n, saved(&i, GOOD_JSON), NULL);
	CHECK_STR(j.result.err.msg, "");
	REQUIRE(j.result.puts.n == 1);
	CHECK_STR(j.result.puts.v[0].image.id, i.config_digest);
	CHECK_STR(j.result.puts.v[0].refs.v[0], "tr/img:1");
	CHECK_STR(j.result.puts.v[0].action, "load");
	CHECK_INT(j.result.puts.v[0].image.size, 100000);
	CHECK_HAS(&j, "Loaded image: tr/img:1");
	CHECK(image_layers_have(n.data, &j.result.puts.v[0].image.layers));
	snprintf(path, sizeof path, "fs/layers/%s/bin/sh", i.layer_digest + 7);
	CHECK(fstatat(n.data, path, &st, 0) == 0);
	CHECK_INT(st.st_size, 100000);
	CHECK_INT(st.st_uid, 0);
	snprintf(path, sizeof path, "blobs/sha256/%s", i.config_digest + 7);
	CHECK(fstatat(n.data, path, &st, 0) == 0);
	CHECK_INT(st.st_uid, 0);
	CHECK_INT(st.st_mode & 0777, 0400);
	CHECK_INT(count_in(n.data, "blobs/sha256"), 2);
	j = load(&n, saved(&i, GOOD_JSON), &j.result.puts.v[0].image.layers);
	CHECK_HAS(&j, "Loaded image: tr/img:1");
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
	CHECK_INT(image_layers_gc(n.data, &(struct strs){ 0 }, &(struct strs){ 0 }, NULL) > 100000, 1);
	CHECK_INT(count_in(n.data, "fs/layers") + count_in(n.data, "blobs/sha256"), 0);
}

static void add_blob(struct tar_writer *w, struct str digest, struct str data)
{
	char name[100];
	struct err e = { 0 };

	snprintf(name, sizeof name, "blobs/sha256/%.*s", STR_ARG(digest_hex(digest)));
	REQUIRE_OK(tar_write_file(w, name, 0644, data, &e), e);
}

/* What is large and called by a digest is unpacked before the manifest is there: a layer, one that no image has, and what is none at all. */
TEST(large_layers_are_unpacked_while_they_come)
{
	struct made i = make_image("bin/sh", 2 << 20), stray = make_image("bin/other", 3 << 20);
	static char garbage[2 << 20], path[400], manifest[400];
	struct buf b = BUF_INIT(64 << 20);
	struct tar_writer w;
	struct err e = { 0 };
	struct tnode n;
	struct job j;
	struct stat st;

	SKIP_UNLESS_ROOT();
	n = node_new();
	memset(garbage, 'x', sizeof garbage);
	snprintf(manifest, sizeof manifest, "[{\"Config\":\"config.json\",\"RepoTags\":[\"tr/img:1\"],\"Layers\":[\"blobs/sha256/%s\"]}]", i.layer_digest + 7);
	tar_writer_init(&w, to_buf, &b);
	add_blob(&w, str_of(i.config_digest), str_make(garbage, sizeof garbage));
	add_blob(&w, str_of(stray.layer_digest), stray.layer);
	add_blob(&w, str_of(i.layer_digest), i.layer);
	REQUIRE_OK(tar_write_file(&w, "config.json", 0644, i.config, &e), e);
	REQUIRE_OK(tar_write_file(&w, "manifest.json", 0644, str_of(manifest), &e), e);
	REQUIRE_OK(tar_write_end(&w, &e), e);
	j = load(&n, archive_fd(buf_as_str(&b)), NULL);
	CHECK_STR(j.result.err.msg, "");
	REQUIRE(j.result.puts.n == 1);
	CHECK_INT(j.result.puts.v[0].image.size, 2 << 20);
	CHECK_STR(j.result.puts.v[0].image.blobs.v[0], i.layer_digest);
	CHECK_HAS(&j, "Loaded image: tr/img:1");
	CHECK(image_layers_have(n.data, &j.result.puts.v[0].image.layers));
	CHECK_INT(count_in(n.data, "blobs/sha256"), 2);
	snprintf(path, sizeof path, "fs/layers/%s/bin/other", stray.layer_digest + 7);
	CHECK(fstatat(n.data, path, &st, 0) == 0);
	j = load(&n, archive_fd(buf_as_str(&b)), &j.result.puts.v[0].image.layers);
	CHECK_HAS(&j, "Loaded image: tr/img:1");
	CHECK_INT(image_layers_gc(n.data, &j.result.puts.v[0].image.layers, &(struct strs){ 0 }, NULL) >= 3 << 20, 1);
	CHECK(fstatat(n.data, path, &st, 0) != 0);
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
}

/* What was saved loads again, as Docker's archive and as an OCI layout. */
TEST(saved_images_load_again)
{
	struct made i = make_image("bin/sh", 100000);
	struct err e = { 0 };
	struct save_image v = { 0 };
	struct image missing;
	struct tnode n;
	struct job j, again;
	char path[400];
	int fd;

	SKIP_UNLESS_ROOT();
	n = node_new();
	j = load(&n, saved(&i, GOOD_JSON), NULL);
	REQUIRE(j.result.puts.n == 1);
	v.image = &j.result.puts.v[0].image;
	v.refs = j.result.puts.v[0].refs;
	fd = archive_fd(STR(""));
	CHECK_OK(images_save(n.data, &v, 1, fd, &e), e);
	image_layers_gc(n.data, &(struct strs){ 0 }, &(struct strs){ 0 }, NULL);
	lseek(fd, 0, SEEK_SET);
	again = load(&n, fd, NULL);
	CHECK_HAS(&again, "Loaded image: tr/img:1");
	REQUIRE(again.result.puts.n == 1);
	CHECK_STR(again.result.puts.v[0].image.id, i.config_digest);
	snprintf(path, sizeof path, "cd %s && mkdir oci && tar -C oci -xf /proc/%d/fd/%d && rm oci/manifest.json && tar -C oci -cf oci.tar .",
	         test_dir(), getpid(), fd);
	REQUIRE(run_shell(path) == 0);
	snprintf(path, sizeof path, "%s/oci.tar", test_dir());
	again = load(&n, open(path, O_RDONLY), NULL);
	CHECK_HAS(&again, "Loaded image: tr/img:1");
	missing = *v.image;
	missing.blobs = (struct strs){ &(struct str){ STR("sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb").p, DIGEST_TEXT }, 1 };
	v.image = &missing;
	fd = archive_fd(STR(""));
	CHECK_ERR(images_save(n.data, &v, 1, fd, &e), e, "save");
	CHECK_INT(lseek(fd, 0, SEEK_END), 0);
	image_host_free(n.host);
}

TEST(bad_archives_leave_nothing_I15_I16)
{
	static const struct { const char *json, *why; } rows[] = {
		{ "[{\"Config\":\"../../etc/passwd\",\"Layers\":[\"abc/layer.tar\"]}]", "is not in it" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[\"..\"]}]", "is not in it" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[]}]", "layers length mismatch" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[\"config.json\"]}]", "layer" },
		{ "{}", "manifest.json" }, { "[]", "0 images" }, { "", "manifest.json" },
		{ "[{\"Config\":\"config.json\",\"RepoTags\":[\"a:../x\"],\"Layers\":[\"abc/layer.tar\"]}]", "invalid reference format" },
		{ "[{\"Config\":\"abc/layer.tar\",\"Layers\":[\"abc/layer.tar\"]}]", "image config" },
	};
	struct made i = make_image("bin/sh", 1000);
	struct tnode n;
	size_t k;

	SKIP_UNLESS_ROOT();
	n = node_new();
	for (k = 0; k < sizeof rows / sizeof *rows; k++) {
		struct job j = load(&n, saved(&i, rows[k].json), NULL);

		CHECK(j.result.err.code != 0);
		CHECK_HAS(&j, rows[k].why);
		CHECK_HAS(&j, "errorDetail");
	}
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
	CHECK_INT(count_in(n.data, "fs/layers"), 0);
	CHECK_INT(count_in(n.data, "blobs/sha256"), 0);
}

/* An archive whose config names a layer of somebody else, without bringing it. */
TEST(a_layer_of_another_account_must_be_proved)
{
	struct made mine = make_image("secret", 1000), theirs = make_image("other", 1000);
	struct tnode n;
	struct job j;

	SKIP_UNLESS_ROOT();
	n = node_new();
	j = load(&n, saved(&mine, GOOD_JSON), NULL);
	CHECK_INT(j.result.err.code, 0);
	theirs.config = mine.config;                  /* tells of mine's diff id, brings another layer */
	j = load(&n, saved(&theirs, GOOD_JSON), NULL);
	CHECK_INT(j.result.err.code, EBADMSG);
	CHECK_HAS(&j, "does not match");
	j = load(&n, saved(&mine, GOOD_JSON), NULL);  /* whoever has the bytes may share the layer */
	CHECK_INT(j.result.err.code, 0);
	CHECK_INT(j.result.puts.v[0].image.size, 1000);
	image_host_free(n.host);
}

TEST(import_makes_an_image_of_one_layer)
{
	struct made i = make_image("etc/os-release", 5000);
	struct str changes[] = { STR("CMD [\"/bin/true\"]"), STR("ENV A=b") };
	struct pull_call call = { .account = STR("alice"), .ref = STR("docker.io/tr/imported:2"), .changes = { changes, 2 } };
	struct pull_call bad = { .account = STR("alice"), .ref = STR("x"), .changes = { (struct str[]){ STR("RUN x") }, 1 } };
	struct job j[2] = { 0 };
	struct tnode n;

	SKIP_UNLESS_ROOT();
	n = node_new();
	start(&n, &j[0], IMAGE_IMPORT, &call, archive_fd(i.layer), NULL);
	start(&n, &j[1], IMAGE_IMPORT, &bad, archive_fd(i.layer), NULL);
	run(&n, j, 2);
	CHECK_STR(j[0].result.err.msg, "");
	REQUIRE(j[0].result.puts.n == 1);
	CHECK_STR(j[0].result.puts.v[0].refs.v[0], "tr/imported:2");
	CHECK_STR(j[0].result.puts.v[0].image.layers.v[0], i.layer_digest);
	CHECK_HAS(&j[0], "{\"status\":\"sha256:");
	CHECK_HAS(&j[1], "not a valid change command");
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
}

TEST(an_error_of_the_node_reaches_the_client)
{
	struct made i = make_image("f", 10);
	struct pull_call call = { .account = STR("alice") };
	struct job j = { 0 };
	struct tnode n;

	SKIP_UNLESS_ROOT();
	n = node_new();
	err_set(&j.answer, EAGAIN, "the state has no quorum");
	start(&n, &j, IMAGE_LOAD, &call, saved(&i, GOOD_JSON), NULL);
	run(&n, &j, 1);
	CHECK_HAS(&j, "{\"errorDetail\":{\"message\":\"the state has no quorum\"}");
	CHECK(!has(&j, "Loaded image"));
	image_host_free(n.host);
}

TEST(cancel_ends_everything)
{
	struct pull_call call = { .account = STR("alice") };
	struct job j = { 0 };
	struct tnode n;
	int fds[2];

	SKIP_UNLESS_ROOT();
	n = node_new();
	REQUIRE(pipe(fds) == 0);                      /* an archive that never comes */
	start(&n, &j, IMAGE_LOAD, &call, fds[0], NULL);
	image_op_cancel(j.op);
	run(&n, &j, 1);
	CHECK_INT(j.result.err.code, ECANCELED);
	j = (struct job){ 0 };
	start(&n, &j, IMAGE_LOAD, &call, fds[0], NULL);
	image_host_free(n.host);                      /* a node that stops does not wait either */
	CHECK_INT(count_in(n.data, "staging"), 0);
}

TEST(leftovers_go_at_the_start_I20)
{
	struct tnode n;
	struct err e = { 0 };
	int fd;

	SKIP_UNLESS_ROOT();
	n = node_new();
	image_host_free(n.host);
	fd = path_mkdirs(n.data, "staging/op1-0/layers/17/deep/er", 0700, &e);
	CHECK_OK(fd, e);
	close(fd);
	n = node_new();
	CHECK_INT(count_in(n.data, "staging"), 0);
	image_host_free(n.host);
}
