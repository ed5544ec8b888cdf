/* The dns role as a sandboxed process: a database that this test writes, sockets on loopback as the gateway's, queries. */
#include "role/dns.h"

#include "base/buf.h"
#include "codec/rec.h"
#include "ipc/op.h"
#include "ipc/spawn.h"
#include "model/op.h"
#include "overlay/dns.h"
#include "unit/store/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID "64005"

static struct fixture f;
static int serve, state, node, client;
static pid_t role;

static void vouch(void)                               /* what the state role does when it has opened its database */
{
	char boot[64], path[300];
	FILE *out;

	REQUIRE_OK(db_boot_id(boot, &f.e), f.e);
	snprintf(path, sizeof path, "%s/db/ready", test_dir());
	out = fopen(path, "w");
	fputs(boot, out);
	fclose(out);
}

static void send_event(int fd, uint16_t op, const struct field *fields, const void *in, const int *fds, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m = { .kind = IPC_EVENT, .op = op, .body = rec_encode_arena(&a, fields, in), .nfds = n };

	if (n)
		memcpy(m.fds, fds, n * sizeof *fds);
	REQUIRE_OK(ipc_send(fd, &m, 1000, &f.e), f.e);
}

static int channel(unsigned to)
{
	int fds[2];

	REQUIRE_OK(ipc_pair(fds, &f.e), f.e);
	send_event(serve, OP_CHANNEL, channel_fields, &(struct channel){ to }, &fds[1], 1);
	close(fds[1]);
	return fds[0];
}

static int gateway(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	REQUIRE(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
	if (type == SOCK_STREAM)
		listen(fd, 4);
	return fd;
}

static void start(void)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m;
	int fds[2];

	SKIP_UNLESS_ROOT();
	fixture_open(&f);
	vouch();
	REQUIRE_OK(ipc_pair(fds, &f.e), f.e);
	role = fork();
	if (role == 0) {
		char *argv[] = { "triton-dns", (char *)test_dir(), UID, "dc1.triton.local", NULL };
		int fd;

		dup2(fcntl(fds[1], F_DUPFD, 20), 3);          /* what spawn() does before its exec */
		for (fd = 4; fd < 64; fd++)
			close(fd);
		setenv("TRITON_FDS", "serve", 1);
		spawn_begin(argv[0]);
		_exit(role_dns(4, argv));
	}
	close(fds[1]);
	serve = fds[0];
	REQUIRE(ipc_recv(serve, &a, &m, 5000, &f.e) == 1);
	CHECK_INT(m.op, OP_READY);
	state = channel(ROLE_STATE);
	node = channel(ROLE_NODE);
}

/* The network's sockets go to the role; `client` speaks to them from then on. */
static void listen_on(struct str network)
{
	int fds[2] = { gateway(SOCK_DGRAM), gateway(SOCK_STREAM) };
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	send_event(node, OP_DNS_SOCKET, dns_socket_fields, &(struct dns_socket){ network, STR("alice") }, fds, 2);
	getsockname(fds[0], (struct sockaddr *)&a, &len);
	if (client > 0)
		close(client);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	REQUIRE(connect(client, (struct sockaddr *)&a, len) == 0);
	close(fds[0]);
	close(fds[1]);
}

/* Queries come from this address from now on: that container asks. */
static void ask_from(struct str address)
{
	struct sockaddr_in server, me = { .sin_family = AF_INET };
	socklen_t len = sizeof server;
	auto_arena a = ARENA_INIT;

	getpeername(client, (struct sockaddr *)&server, &len);
	close(client);
	inet_pton(AF_INET, arena_cstr(&a, address), &me.sin_addr);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	REQUIRE(bind(client, (struct sockaddr *)&me, sizeof me) == 0 && connect(client, (struct sockaddr *)&server, len) == 0);
}

/* The answer's first address or name; or "rcode N", "empty", "silence". */
static struct str ask(const char *name, unsigned type)
{
	struct pollfd in = { client, POLLIN, 0 };
	struct str rest = str_of(name), label;
	auto_buf q = BUF_INIT(512);
	static char buf[1500], text[300];
	struct ip ip = { .family = 4 };
	ssize_t n;

	buf_add(&q, "\7\7\1\0\0\1\0\0\0\0\0\0", 12);
	while (str_next(&rest, '.', &label)) {
		buf_char(&q, (char)label.n);
		buf_str(&q, label);
	}
	buf_char(&q, 0);
	buf_char(&q, 0), buf_char(&q, (char)type), buf_char(&q, 0), buf_char(&q, 1);
	send(client, q.p, q.n, 0);
	if (poll(&in, 1, 3000) != 1 || (n = recv(client, buf, sizeof buf, 0)) < 12)
		return STR("silence");
	if (buf[3] & 15) {
		snprintf(text, sizeof text, "rcode %d", buf[3] & 15);
		return str_of(text);
	}
	if (!buf[7])
		return STR("empty");
	if (type == DNS_PTR) {
		size_t at = q.n + 12, out = 0;

		while (buf[at] && out < sizeof text - 64) {
			memcpy(text + out, buf + at + 1, (size_t)buf[at]);
			out += (size_t)buf[at];
			at += 1u + (size_t)buf[at];
			text[out++] = '.';
		}
		return str_make(text, out);
	}
	memcpy(ip.b, buf + q.n + 12, 4);
	return ip_format(ip, text);
}

static void running(struct str id)
{
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { .id = id }), f.e);
	fixture_started(&f, id);
}

static struct container create_on(const char *network, const char *name, const char *alias, const char *link, const char *service)
{
	struct pair label = { STR("triton.cns.services"), str_of(service) };
	struct container_create q = { .name = str_of(name), .c = { .image_id = f.image_id, .config.image = STR("busybox") } };
	struct endpoint_settings ep[2] = { { .network = str_of(network) }, { .network = STR("back") } };
	struct str alias_str = str_of(alias), link_str = str_of(link);
	struct container c = { 0 };

	if (*service)
		q.c.config.labels = (struct pairs){ &label, 1 };
	if (*alias)
		ep[0].aliases = (struct strs){ &alias_str, 1 };
	if (*link)
		ep[0].links = (struct strs){ &link_str, 1 };
	q.c.endpoints = (struct endpoints_settings){ ep, *link ? 2 : 1 };
	REQUIRE_OK(fixture_run(&f, CMD_CONTAINER_CREATE, container_create_fields, &q, container_fields, &c), f.e);
	return c;
}

TEST(names_of_running_containers)
{
	struct container web, db, hidden, asker;
	struct revision r = { 0 };
	char reverse[64];
	struct ip ip;
	struct str want;

	start();
	REQUIRE_OK(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("front"), .subnet = STR("127.0.0.0/24"), .gateway = STR("127.0.0.9") }), f.e);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("back") }), f.e);
	web = create_on("front", "web", "www", "", "shop,api:8080");
	db = create_on("front", "db.one", "", "", "");
	hidden = create_on("back", "hidden", "secret", "", "");
	REQUIRE(web.endpoints.n == 1 && db.endpoints.n == 1);
	listen_on(web.endpoints.v[0].network_id);
	CHECK_STR(ask("web", DNS_A), "rcode 3");          /* not running */
	running(web.id);
	running(db.id);
	r.n = f.revision;
	send_event(state, OP_REVISION, revision_fields, &r, NULL, 0);
	want = web.endpoints.v[0].ip;
	CHECK_STR(ask("web", DNS_A), want);
	CHECK_STR(ask("WEB", DNS_A), want);
	CHECK_STR(ask("web", DNS_AAAA), "empty");
	CHECK_STR(ask("db.one", DNS_A), db.endpoints.v[0].ip);
	CHECK_STR(ask("web.front", DNS_A), want);
	CHECK_STR(ask("nothere", DNS_A), "rcode 3");
	{
		char id[64];

		snprintf(id, sizeof id, "%.12s", web.id.p);
		CHECK_STR(ask(id, DNS_A), want);
		id[11] = id[11] == '0' ? '1' : '0';
		CHECK_STR(ask(id, DNS_A), "rcode 3");
		snprintf(id, sizeof id, "%.11s", web.id.p);
		CHECK_STR(ask(id, DNS_A), "rcode 3");
	}
	CHECK_STR(ask("www", DNS_A), want);
	CHECK_STR(ask("shop.svc.alice.dc1.triton.local", DNS_A), want);
	CHECK_STR(ask("api.svc.alice.dc1.triton.local", DNS_A), want);
	CHECK_STR(ask("shop.svc.bob.dc1.triton.local", DNS_A), "rcode 3");
	CHECK_STR(ask("other.svc.alice.dc1.triton.local", DNS_A), "rcode 3");
	REQUIRE(ip_parse(want, &ip));
	snprintf(reverse, sizeof reverse, "%d.%d.%d.%d.in-addr.arpa", ip.b[3], ip.b[2], ip.b[1], ip.b[0]);
	CHECK_STR(ask(reverse, DNS_PTR), "web.front.");
	snprintf(reverse, sizeof reverse, "%d.%d.%d.%d.in-addr.arpa", 200, 200, ip.b[1], ip.b[0]);
	CHECK_STR(ask(reverse, DNS_PTR), "rcode 3");

	asker = create_on("front", "asker", "", "db.one:database", "");
	running(hidden.id);
	running(asker.id);
	r.n = f.revision;
	send_event(state, OP_REVISION, revision_fields, &r, NULL, 0);
	CHECK_STR(ask("hidden", DNS_A), "rcode 3");       /* web asks, and is on one network only */
	CHECK_STR(ask("database", DNS_A), "rcode 3");
	ask_from(asker.endpoints.v[0].ip);
	CHECK_STR(ask("web", DNS_A), want);
	CHECK_STR(ask("hidden", DNS_A), hidden.endpoints.v[0].ip);
	CHECK_STR(ask("secret", DNS_A), hidden.endpoints.v[0].ip);
	CHECK_STR(ask("hidden.back", DNS_A), hidden.endpoints.v[0].ip);
	CHECK_STR(ask("database", DNS_A), db.endpoints.v[0].ip);
	REQUIRE(ip_parse(hidden.endpoints.v[0].ip, &ip));
	snprintf(reverse, sizeof reverse, "%d.%d.%d.%d.in-addr.arpa", ip.b[3], ip.b[2], ip.b[1], ip.b[0]);
	CHECK_STR(ask(reverse, DNS_PTR), "hidden.back.");
	ask_from(web.endpoints.v[0].ip);

	fixture_exited(&f, web.id, 0);
	CHECK_STR(ask("web", DNS_A), "rcode 3");
	CHECK_STR(ask("shop.svc.alice.dc1.triton.local", DNS_A), "rcode 3");

	listen_on(STR("0123"));                           /* a network that is not in the state */
	CHECK_STR(ask("db.one", DNS_A), "rcode 3");
	CHECK_STR(ask("example.com", DNS_A), "rcode 3");
	send_event(node, OP_DNS_CLOSE, by_id_fields, &(struct by_id){ .id = STR("0123") }, NULL, 0);
	usleep(100000);
	send(client, "x", 1, 0);
	CHECK(send(client, "x", 1, 0) == -1 && errno == ECONNREFUSED);

	close(serve);                                     /* its master is gone: it ends by itself */
	{
		int status = -1;

		CHECK_INT(waitpid(role, &status, 0), role);
		CHECK_INT(status, 0);
	}
	fixture_close(&f);
}
