/* Pulling, from a registry made here that may lie, stall and redirect (reliability.md I17), and from Debian's docker-registry. */
#include "image/address.h"
#include "image/registry.h"
#include "unit/image/node.h"

#include <netinet/in.h>
#include <time.h>

/* ---- a registry of one image, each connection in a process of its own ---- */

enum lie {
	HONEST, WRONG_LAYER, WRONG_MANIFEST, LONGER, SHORTER_ONCE, ALWAYS_CUT, STALL, TRICKLE, REDIRECT_LOOP, REDIRECT_AWAY, REDIRECT_METADATA,
	LOGIN_LOOP, LIMITED, SCHEMA_1, CONFUSED, GONE, WANTS_BASIC, NOT_HTTP, NO_RANGES, NOT_FOR_US,
};

struct fake {
	struct made image;
	enum lie    lie;
	int         port;
	pid_t       pid;
	int        *hits;                             /* shared: blob requests so far, credentials seen at the wrong place */
};

static void say(int fd, const char *status, const char *headers, struct str body, size_t announced)
{
	char head[2048];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, announced);

	if (write(fd, head, n) != n || (body.n && write(fd, body.p, body.n) != (ssize_t)body.n))
		_exit(0);
}

static void say_all(int fd, const char *status, const char *headers, struct str body)
{
	say(fd, status, headers, body, body.n);
}

static void answer_layer(struct fake *f, int fd, struct str request)
{
	struct str body = f->image.layer, bad = arena_str(&(struct arena){ 0 }, body);
	int hit = f->hits[0]++;
	ptrdiff_t range = str_find_str(request, STR("Range: bytes="));
	char headers[256], url[200];
	size_t from = range < 0 ? 0 : strtoul(request.p + range + 13, NULL, 10);

	if (range >= 0 && f->lie != NO_RANGES && f->lie != STALL) {
		snprintf(headers, sizeof headers, "Content-Range: bytes %zu-%zu/%zu\r\n", from, body.n - 1, body.n);
		say_all(fd, "206 Partial Content", headers, str_drop(body, from));
		return;
	}
	switch (f->lie) {
	case WRONG_LAYER:
		((char *)bad.p)[100] ^= 1;
		say_all(fd, "200 OK", "", bad);
		return;
	case LONGER:
		say(fd, "200 OK", "", body, body.n + 10);
		_exit(0);
	case SHORTER_ONCE: case NO_RANGES:
		if (hit > 0)
			break;
		say(fd, "200 OK", "", str_head(body, body.n / 2), body.n);
		_exit(0);
	case ALWAYS_CUT:
		say(fd, "200 OK", "", STR_NONE, body.n);
		_exit(0);
	case STALL:
		say(fd, "200 OK", "", str_head(body, 10), body.n);
		sleep(30);
		_exit(0);
	case TRICKLE:
		say(fd, "200 OK", "", STR_NONE, body.n);
		for (from = 0; write(fd, body.p + from, 1) == 1; from++)
			usleep(20000);
		_exit(0);
	case REDIRECT_LOOP:
		snprintf(url, sizeof url, "Location: http://127.0.0.1:%d/v2/tr/img/blobs/%s\r\n", f->port, f->image.layer_digest);
		say_all(fd, "307 Temporary Redirect", url, STR(""));
		return;
	case REDIRECT_AWAY:
		if (str_find_str(request, STR("/elsewhere")) >= 0) {
			f->hits[1] += str_find_str(request, STR("Authorization:")) >= 0;
			say_all(fd, "200 OK", "", body);
			return;
		}
		snprintf(url, sizeof url, "Location: http://127.0.0.2:%d/elsewhere/%s\r\n", f->port, f->image.layer_digest);
		say_all(fd, "307 Temporary Redirect", url, STR(""));
		return;
	case REDIRECT_METADATA:
		say_all(fd, "307 Temporary Redirect", "Location: http://169.254.169.254/latest\r\n", STR(""));
		return;
	default:
		break;
	}
	say_all(fd, "200 OK", "", body);
}

static void answer(struct fake *f, int fd, struct str request)
{
	struct str wrong = arena_str(&(struct arena){ 0 }, f->image.manifest);
	const char *type = "Content-Type: " MEDIA_DOCKER_MANIFEST "\r\n";
	char headers[300];
	bool login = str_find_str(request, STR("Authorization: Basic Ym9iOnNlY3JldA==")) >= 0; /* bob:secret */

	if (f->lie == LOGIN_LOOP || ((f->lie == WANTS_BASIC || f->lie == REDIRECT_AWAY) && !login &&
	                             str_find_str(request, STR("/elsewhere")) < 0)) {
		snprintf(headers, sizeof headers, "WWW-Authenticate: %s\r\n", f->lie == LOGIN_LOOP ?
		         "Bearer realm=\"http://127.0.0.1:1/token\",service=\"x\"" : "Basic realm=\"x\"");
		if (f->lie == LOGIN_LOOP)
			snprintf(headers, sizeof headers, "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/token\",service=\"x\"\r\n", f->port);
		if (f->lie == LOGIN_LOOP && str_starts(request, STR("GET /token")))
			say_all(fd, "200 OK", "", STR("{\"token\":\"t\"}"));
		else
			say_all(fd, "401 Unauthorized", headers, STR("{}"));
		return;
	}
	if (str_find_str(request, STR("/blobs/")) >= 0 || str_find_str(request, STR("/elsewhere/")) >= 0) {
		if (str_find_str(request, str_of(f->image.config_digest)) >= 0)
			say_all(fd, "200 OK", "", f->image.config);
		else
			answer_layer(f, fd, request);
	} else if (f->lie == LIMITED) {
		say_all(fd, "429 Too Many Requests", "", STR("{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}]}"));
	} else if (f->lie == GONE) {
		say_all(fd, "404 Not Found", "", STR("{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}"));
	} else if (f->lie == SCHEMA_1) {
		say_all(fd, "200 OK", "", STR("{\"schemaVersion\":1,\"fsLayers\":[]}"));
	} else if (f->lie == CONFUSED) {
		say_all(fd, "200 OK", "Content-Type: " MEDIA_DOCKER_LIST "\r\n", f->image.manifest);
	} else if (f->lie == NOT_FOR_US) {
		say_all(fd, "200 OK", "Content-Type: " MEDIA_OCI_INDEX "\r\n", STR("{\"schemaVersion\":2,\"manifests\":[]}"));
	} else {
		if (f->lie == WRONG_MANIFEST)
			((char *)wrong.p)[wrong.n - 1] = ' ';
		say_all(fd, "200 OK", type, f->lie == WRONG_MANIFEST ? wrong : f->image.manifest);
	}
}

static void serve(struct fake *f, int fd)
{
	char buf[8192];
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, buf + n, sizeof buf - n)) > 0) {
		ptrdiff_t end;

		n += got;
		if (buf[0] == 0x16 || f->lie == NOT_HTTP) { /* TLS: we speak none */
			if (write(fd, "SSH-2.0-x\r\n\r\n", 13) < 0)
				_exit(0);
			_exit(0);
		}
		end = str_find_str(str_make(buf, n), STR("\r\n\r\n"));
		if (end < 0)
			continue;
		answer(f, fd, str_make(buf, end + 4));
		memmove(buf, buf + end + 4, n - end - 4);
		n -= end + 4;
	}
	_exit(0);
}

static struct fake fake_start(enum lie lie)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct fake f = { .image = make_image("bin/sh", 300000), .lie = lie };
	socklen_t len = sizeof at;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	f.hits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	at.sin_addr.s_addr = htonl(INADDR_ANY);
	REQUIRE(bind(s, (struct sockaddr *)&at, sizeof at) == 0 && listen(s, 50) == 0);
	getsockname(s, (struct sockaddr *)&at, &len);
	f.port = ntohs(at.sin_port);
	f.pid = fork();
	if (f.pid == 0) {
		signal(SIGCHLD, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int fd = accept(s, NULL, NULL);

			if (fd >= 0 && fork() == 0) {
				close(s);
				serve(&f, fd);
			}
			close(fd);
		}
	}
	close(s);
	return f;
}

static void fake_stop(struct fake *f)
{
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
}

static struct job pull(struct tnode *n, const struct fake *f, const char *user, const struct strs *owned)
{
	static struct arena a;
	struct pull_call call = { .account = STR("alice"), .username = str_of(user), .password = STR("secret") };
	struct job j = { 0 };

	call.ref = f->lie == WRONG_MANIFEST ? arena_printf(&a, "127.0.0.1:%d/tr/img@%s", f->port, f->image.manifest_digest) :
		arena_printf(&a, "127.0.0.1:%d/tr/img:1", f->port);
	if (!user)
		call.password = STR_NONE;
	start(n, &j, IMAGE_PULL, &call, -1, owned);
	run(n, &j, 1);
	return j;
}

TEST(an_honest_registry)
{
	struct tnode n;
	struct fake f;
	struct job j, again;
	char want[200];

	SKIP_UNLESS_ROOT();
	n = node_new();
	f = fake_start(HONEST);
	j = pull(&n, &f, NULL, NULL);
	CHECK_STR(j.result.err.msg, "");
	REQUIRE(j.result.puts.n == 1);
	CHECK_STR(j.result.puts.v[0].image.id, f.image.config_digest);
	CHECK_STR(j.result.puts.v[0].image.manifest, f.image.manifest_digest);
	CHECK_HAS(&j, "{\"status\":\"Pulling from tr/img\",\"progressDetail\":{},\"id\":\"1\"}");
	CHECK_HAS(&j, "Pulling fs layer");
	CHECK_HAS(&j, "\"status\":\"Downloading\",\"progressDetail\":{\"current\":");
	CHECK_HAS(&j, "Verifying Checksum");
	CHECK_HAS(&j, "Download complete");
	CHECK_HAS(&j, "Extracting");
	CHECK_HAS(&j, "Pull complete");
	snprintf(want, sizeof want, "Digest: %s", f.image.manifest_digest);
	CHECK_HAS(&j, want);
	CHECK_HAS(&j, "Status: Downloaded newer image for 127.0.0.1");
	CHECK_INT(count_in(n.data, "blobs/sha256"), 3);
	CHECK_INT(f.hits[0], 1);
	again = pull(&n, &f, NULL, &j.result.puts.v[0].image.layers);
	CHECK_HAS(&again, "Already exists");
	CHECK_INT(f.hits[0], 1);
	fake_stop(&f);
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
}

TEST_LIMIT(lying_registries_I17, 60)
{
	static const struct { enum lie lie; const char *why; } rows[] = {
		{ WRONG_LAYER, "layer verification failed for digest sha256:" },
		{ WRONG_MANIFEST, "manifest verification failed for digest sha256:" },
		{ LONGER, "announces more than" },
		{ REDIRECT_LOOP, "redirects more than 5 times" }, { REDIRECT_METADATA, "not allowed" },
		{ LOGIN_LOOP, "unauthorized" }, { LIMITED, "toomanyrequests" }, { SCHEMA_1, "schema version 1" },
		{ CONFUSED, "content type" }, { GONE, "manifest for 127.0.0.1" }, { NOT_HTTP, "" },
		{ NOT_FOR_US, "no matching manifest for linux/" }, { WANTS_BASIC, "no basic auth credentials" },
	};
	struct tnode n;
	size_t i;

	SKIP_UNLESS_ROOT();
	n = node_new();
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fake f = fake_start(rows[i].lie);
		struct job j = pull(&n, &f, NULL, NULL);

		if (j.result.err.code == 0)
			test_failed(__FILE__, __LINE__, "lie %d was believed", rows[i].lie);
		CHECK_HAS(&j, rows[i].why);
		CHECK_HAS(&j, "errorDetail");
		fake_stop(&f);
	}
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
	CHECK_INT(count_in(n.data, "fs/layers"), 0);
	CHECK_INT(count_in(n.data, "blobs/sha256"), 0);
}

TEST_LIMIT(interrupted_downloads_go_on_I17, 60)
{
	static const enum lie lies[] = { SHORTER_ONCE, NO_RANGES };
	size_t i;

	SKIP_UNLESS_ROOT();
	for (i = 0; i < 2; i++) {
		struct tnode n = node_new();
		struct fake f = fake_start(lies[i]);
		struct job j = pull(&n, &f, NULL, NULL);

		CHECK_STR(j.result.err.msg, "");
		CHECK_INT(f.hits[0], 2);
		fake_stop(&f);
		image_host_free(n.host);
		image_layers_gc(n.data, &(struct strs){ 0 }, &(struct strs){ 0 }, NULL);
	}
}

/* In this process, with little patience. */
static int blob_from(enum lie lie, int stall_ms, int slow_ms, struct err *e)
{
	struct fake f = fake_start(lie);
	struct registry_config c = { .is_private_ok = true, .stall_ms = stall_ms, .slow_ms = slow_ms, .retry_ms = 1 };
	struct descriptor d = { .digest = str_of(f.image.layer_digest), .size = f.image.layer.n };
	auto_arena a = ARENA_INIT;
	int fd = memfd_create("blob", MFD_CLOEXEC), rc;
	struct registry *r;

	e->msg[0] = 0;
	REQUIRE(reference_parse(&a, arena_printf(&a, "127.0.0.1:%d/tr/img", f.port), &c.ref, e) == 0);
	r = registry_new(&c);
	rc = registry_blob(r, &d, fd, NULL, NULL, e);
	registry_free(r);
	close(fd);
	fake_stop(&f);
	return rc;
}

TEST(stalling_and_cutting_registries_end_in_a_sentence_I17)
{
	struct err e = { 0 };

	CHECK_OK(blob_from(HONEST, 0, 0, &e), e);
	CHECK_ERR(blob_from(ALWAYS_CUT, 0, 0, &e), e, "connection ended");
	CHECK_ERR(blob_from(STALL, 200, 0, &e), e, "no bytes");
	CHECK_ERR(blob_from(TRICKLE, 0, 300, &e), e, "sends too slowly");
}

TEST(credentials_do_not_follow_redirects_I17)
{
	struct tnode n;
	struct fake f;
	struct job j;

	SKIP_UNLESS_ROOT();
	n = node_new();
	f = fake_start(REDIRECT_AWAY);
	j = pull(&n, &f, "bob", NULL);
	CHECK_STR(j.result.err.msg, "");
	CHECK_INT(f.hits[1], 0);
	CHECK_INT(f.hits[0], 2);
	fake_stop(&f);
	image_host_free(n.host);
}

TEST(two_pulls_of_one_image_share_I20)
{
	static struct arena a;
	struct pull_call call = { .account = STR("alice") }, other = { .account = STR("bob") };
	struct job j[3] = { 0 };
	struct tnode n;
	struct fake f;
	int i;

	SKIP_UNLESS_ROOT();
	n = node_new();
	f = fake_start(HONEST);
	call.ref = other.ref = arena_printf(&a, "127.0.0.1:%d/tr/img:1", f.port);
	start(&n, &j[0], IMAGE_PULL, &call, -1, NULL);
	start(&n, &j[1], IMAGE_PULL, &call, -1, NULL);
	start(&n, &j[2], IMAGE_PULL, &other, -1, NULL);
	run(&n, j, 3);
	for (i = 0; i < 3; i++)
		CHECK_STR(j[i].result.err.msg, "");
	/* Bob has to prove that he may have it. Alice's second pull shares the first one's, unless that had ended before it asked: what
	 * an account owns already is the caller's knowledge, and here nobody tells. */
	CHECK(f.hits[0] == 2 || f.hits[0] == 3);
	CHECK_INT(count_in(n.data, "fs/layers"), 2);  /* the layer and its note */
	fake_stop(&f);
	image_host_free(n.host);
}

TEST(private_addresses_can_be_refused)
{
	static struct arena a;
	struct pull_call call = { .account = STR("alice") };
	struct image_job job = { .kind = IMAGE_PULL, .call = &call, .input = -1, .done = on_done };
	struct job j = { .text = BUF_INIT(1 << 20) };
	struct tnode n;
	struct err e = { 0 };
	int fds[2];

	SKIP_UNLESS_ROOT();
	n = node_new();
	REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	call.ref = arena_printf(&a, "127.0.0.1:1/x");
	job.ctx = &j;
	job.progress = fds[1];
	j.progress = fds[0];
	REQUIRE(image_host_start(n.host, &job, &e));
	close(fds[1]);
	run(&n, &j, 1);
	CHECK_HAS(&j, "registries are not allowed");
	image_host_free(n.host);
}

TEST(address_classes)
{
	static const struct { const char *text; enum address_class c; } rows[] = {
		{ "8.8.8.8", ADDRESS_PUBLIC }, { "10.1.2.3", ADDRESS_PRIVATE }, { "172.16.0.1", ADDRESS_PRIVATE }, { "172.32.0.1", ADDRESS_PUBLIC },
		{ "192.168.1.1", ADDRESS_PRIVATE }, { "127.3.2.1", ADDRESS_LOOPBACK }, { "169.254.169.254", ADDRESS_FORBIDDEN },
		{ "0.0.0.0", ADDRESS_FORBIDDEN }, { "224.0.0.1", ADDRESS_FORBIDDEN }, { "255.255.255.255", ADDRESS_FORBIDDEN },
		{ "::1", ADDRESS_LOOPBACK }, { "::", ADDRESS_FORBIDDEN }, { "fe80::1", ADDRESS_FORBIDDEN }, { "fd00::1", ADDRESS_PRIVATE },
		{ "::ffff:127.0.0.1", ADDRESS_LOOPBACK }, { "::ffff:169.254.1.1", ADDRESS_FORBIDDEN }, { "2001:4860::1", ADDRESS_PUBLIC },
		{ "64:ff9b::7f00:1", ADDRESS_LOOPBACK }, { "::127.0.0.1", ADDRESS_FORBIDDEN },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
		struct sockaddr_in four = { .sin_family = AF_INET };
		bool is_four = inet_pton(AF_INET, rows[i].text, &four.sin_addr) == 1;

		REQUIRE(is_four || inet_pton(AF_INET6, rows[i].text, &six.sin6_addr) == 1);
		if (address_class_of(is_four ? (void *)&four : (void *)&six) != rows[i].c)
			test_failed(__FILE__, __LINE__, "%s is in another class", rows[i].text);
	}
}
