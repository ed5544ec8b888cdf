#include "world.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/pem.h"
#include "codec/x509.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct world world;

void world_certificates(void)
{
	struct world *w = &world;
	struct privkey ca_key, server_key, client_key, account_key;
	struct arena *a = &w->arena;
	struct signer by;
	struct buf pem = BUF_INIT(64 << 10);
	struct str name = STR("localhost"), ip = STR("127.0.0.1");
	int64_t now = time(NULL);
	struct x509 ca;
	struct err e = { 0 };

	privkey_generate_p256(a, &ca_key);
	privkey_generate_p256(a, &server_key);
	privkey_generate_p256(a, &client_key);
	privkey_generate_p256(a, &account_key);
	by = privkey_signer(&account_key);
	REQUIRE_OK(x509_make_ca(a, STR("test"), &ca_key, now, &w->ca_der, &e), e);
	REQUIRE_OK(x509_parse(a, w->ca_der, &ca, &e), e);
	REQUIRE_OK(x509_make_server(a, &ca, &ca_key, &server_key.pub, STR("test"), (struct strs){ &name, 1 }, (struct strs){ &ip, 1 },
				    now, &w->server_der, &e), e);
	REQUIRE_OK(x509_make_client(a, STR("alice"), &client_key.pub, &by, now, 30, &w->client_der, &e), e);
	w->ca_pem = pem_encode(a, "CERTIFICATE", w->ca_der);
	REQUIRE_OK(privkey_ec_pem(&server_key, &pem, &e), e);
	/* The authority goes along, so that clients may pin it. */
	w->server_id = tls_identity_new(arena_printf(a, "%.*s%.*s", STR_ARG(pem_encode(a, "CERTIFICATE", w->server_der)),
						     STR_ARG(w->ca_pem)), buf_as_str(&pem), &e);
	w->server_key_pem = arena_str(a, buf_as_str(&pem));
	buf_release(&pem);
	REQUIRE_OK(privkey_ec_pem(&client_key, &pem, &e), e);
	w->client_id = tls_identity_new(pem_encode(a, "CERTIFICATE", w->client_der), buf_as_str(&pem), &e);
	w->client_key_pem = arena_str(a, buf_as_str(&pem));
	buf_release(&pem);
	REQUIRE(w->server_id && w->client_id);
}

static int listen_on(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 1024) == 0 &&
		getsockname(fd, (struct sockaddr *)&at, &n) == 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void *run(void *arg)
{
	struct err e = { 0 };

	if (server_run(arg, &e))
		abort();
	return NULL;
}

void world_start(const struct endpoint *endpoints, bool tls, int max_connections, int max_per_address)
{
	struct listener l = { .name = "test", .endpoints = endpoints, .versions = true };
	struct world *w = &world;
	pthread_t thread;
	struct err e = { 0 };

	if (!getenv("TEST_LOG"))
		log_open("test", 2, LOG_FATAL);
	w->server = server_new(max_connections, max_per_address);
	w->pump = pump_new(&e);
	REQUIRE(w->pump != NULL);
	l.fd = listen_on(&w->port);
	REQUIRE_OK(server_listen(w->server, &l, &e), e);
	if (tls) {
		world_certificates();
		l.fd = listen_on(&w->tls_port);
		l.tls = w->server_id;
		REQUIRE_OK(server_listen(w->server, &l, &e), e);
	}
	REQUIRE(pthread_create(&thread, NULL, run, w->server) == 0);
}

struct http_client world_client(bool tls)
{
	struct http_client c = { .host = STR("127.0.0.1"), .port = world.port, .stall_ms = 5000 };

	if (tls) {
		c.tls = true;
		c.port = world.tls_port;
		c.trust.ca_pem = world.ca_pem;
		c.identity = world.client_id;
	}
	return c;
}

int world_connect(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port) };
	struct timeval wait = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	return fd;
}

void world_send(int fd, const char *text)
{
	CHECK_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

struct str world_read_all(int fd)
{
	static char all[1 << 20];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof all && (got = recv(fd, all + n, sizeof all - n, 0)) > 0)
		n += (size_t)got;
	CHECK(got == 0);
	return str_make(all, n);
}

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = -2;

	REQUIRE(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

int world_threads(void)
{
	return count_entries("/proc/self/task");
}

int world_fds(void)
{
	return count_entries("/proc/self/fd") - 1;
}

long world_rss_kib(void)
{
	long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	REQUIRE(f != NULL && fscanf(f, "%ld %ld", &size, &pages) == 2);
	fclose(f);
	return pages * 4;
}
