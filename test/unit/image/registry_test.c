/* Pulling from Debian's docker-registry on loopback: plain HTTP; TLS with an authority from certs.d, and basic authentication. */
#include "unit/image/node.h"

#include "base/buf.h"
#include "codec/base64.h"
#include "http/client.h"

#include <netinet/in.h>

struct real {
	char dir[256];
	int  port;
	pid_t pid;
};

static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(bind(s, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(s, (struct sockaddr *)&at, &len) == 0);
	close(s);
	return ntohs(at.sin_port);
}

static int shell(const char *dir, const char *command)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		if (chdir(dir) == 0)
			execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	struct err e = { 0 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	CHECK_OK(path_write(fd, name, str_of(text), 0644, false, &e), e);
	close(fd);
}

static struct real registry_start(bool secure)
{
	struct real r;
	char config[2000];
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int tries;

	if (access("/usr/bin/docker-registry", X_OK))
		SKIP("docker-registry is not installed");
	snprintf(r.dir, sizeof r.dir, "%s/registry-%d", test_dir(), secure);
	REQUIRE(mkdir(r.dir, 0755) == 0);
	r.port = free_port();
	if (secure) {
		REQUIRE(shell(r.dir, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 "
			"-subj /CN=testca && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -out s.csr -subj /CN=localhost && "
			"printf 'subjectAltName=DNS:localhost' >ext && openssl x509 -req -in s.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
			"-out s.crt -days 2 -extfile ext") == 0);
		/* bcrypt of "secret", 5 rounds */
		write_file(r.dir, "htpasswd", "bob:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
	}
	snprintf(config, sizeof config, "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s/data\nhttp:\n"
	         "  addr: 127.0.0.1:%d\n%s%s", r.dir, r.port,
	         secure ? "  tls:\n    certificate: s.crt\n    key: s.key\n" : "",
	         secure ? "auth:\n  htpasswd:\n    realm: test\n    path: htpasswd\n" : "");
	write_file(r.dir, "config.yml", config);
	r.pid = fork();
	if (r.pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		if (chdir(r.dir) == 0)
			execl("/usr/bin/docker-registry", "docker-registry", "serve", "config.yml", NULL);
		_exit(127);
	}
	at.sin_port = htons(r.port);
	for (tries = 0; tries < 100; tries++) {
		int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = connect(s, (struct sockaddr *)&at, sizeof at);

		close(s);
		if (rc == 0)
			return r;
		usleep(50000);
	}
	test_failed(__FILE__, __LINE__, "docker-registry does not answer");
	test_stop();
}

/* PUT a blob or manifest. */
static void put(struct http_client *c, const char *auth, struct str body, const char *digest, bool manifest)
{
	auto_arena a = ARENA_INIT;
	struct http_head h;
	struct err e = { 0 };
	struct str target, location;

	if (manifest) {
		CHECK_OK(http_request(c, "PUT", STR("/v2/tr/img/manifests/1"), arena_printf(&a, "%sContent-Type: " MEDIA_DOCKER_MANIFEST "\r\n",
			auth), body, &h, &e), e);
		CHECK_INT(h.status, 201);
		return;
	}
	CHECK_OK(http_request(c, "POST", STR("/v2/tr/img/blobs/uploads/"), str_of(auth), STR_NONE, &h, &e), e);
	CHECK_INT(h.status, 202);
	location = arena_str(&a, http_header(&h, "Location"));
	location = str_drop(location, str_find_str(location, STR("/v2/")));
	target = arena_printf(&a, "%.*s&digest=%s", STR_ARG(location), digest);
	CHECK_OK(http_request(c, "PUT", target, arena_printf(&a, "%sContent-Type: application/octet-stream\r\n", auth), body, &h, &e), e);
	CHECK_INT(h.status, 201);
}

static void push(const struct real *r, const struct made *i, bool secure)
{
	auto_arena a = ARENA_INIT;
	struct http_client c = { .host = STR("localhost"), .port = r->port, .tls = secure, .trust = { .insecure = secure } };
	const char *auth = secure ? "Authorization: Basic Ym9iOnNlY3JldA==\r\n" : "";

	put(&c, auth, i->layer, i->layer_digest, false);
	put(&c, auth, i->config, i->config_digest, false);
	put(&c, auth, i->manifest, NULL, true);
	http_client_release(&c);
}

static struct job pull(struct tnode *n, const struct real *r, const char *password)
{
	static struct arena a;
	struct pull_call call = { .account = STR("alice"), .ref = arena_printf(&a, "localhost:%d/tr/img:1", r->port) };
	struct job j = { 0 };

	if (password) {
		call.username = STR("bob");
		call.password = str_of(password);
	}
	start(n, &j, IMAGE_PULL, &call, -1, NULL);
	run(n, &j, 1);
	return j;
}

TEST_LIMIT(plain, 30)
{
	struct made i = make_image("bin/sh", 3000000);
	struct tnode n;
	struct real r;
	struct job j;

	SKIP_UNLESS_ROOT();
	r = registry_start(false);
	push(&r, &i, false);
	n = node_new();
	j = pull(&n, &r, NULL);
	CHECK_STR(j.result.err.msg, "");
	REQUIRE(j.result.puts.n == 1);
	CHECK_STR(j.result.puts.v[0].image.id, i.config_digest);
	CHECK_HAS(&j, "Status: Downloaded newer image for localhost:");
	image_host_free(n.host);
	kill(r.pid, SIGKILL);
}

TEST_LIMIT(tls_with_an_own_authority_and_a_password, 30)
{
	struct made i = make_image("bin/sh", 3000000);
	struct tnode n;
	struct real r;
	struct job j;
	char command[600];

	SKIP_UNLESS_ROOT();
	r = registry_start(true);
	push(&r, &i, true);
	n = node_new();
	j = pull(&n, &r, "secret");
	CHECK_HAS(&j, "authority");                   /* nobody we trust signed it yet */
	snprintf(command, sizeof command, "d=%s/data/certs.d/localhost:%d && mkdir -p $d && cp ca.crt $d/ && chmod -R a+rX %s/data/certs.d",
	         test_dir(), r.port, test_dir());
	REQUIRE(shell(r.dir, command) == 0);
	j = pull(&n, &r, NULL);
	CHECK_HAS(&j, "no basic auth credentials");
	j = pull(&n, &r, "wrong");
	CHECK_HAS(&j, "incorrect username or password");
	j = pull(&n, &r, "secret");
	CHECK_STR(j.result.err.msg, "");
	REQUIRE(j.result.puts.n == 1);
	CHECK_STR(j.result.puts.v[0].image.id, i.config_digest);
	image_host_free(n.host);
	CHECK_INT(count_in(n.data, "staging"), 0);
	kill(r.pid, SIGKILL);
}
