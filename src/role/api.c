#include "role/api.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/version.h"
#include "cloud/cloud.h"
#include "codec/clientcert.h"
#include "codec/rec.h"
#include "docker/api.h"
#include "http/tls.h"
#include "ipc/spawn.h"
#include "role/confine.h"
#include "role/front.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX   4096
#define CONNECTIONS_ADDR  1024                        /* of one client address */
#define DRAIN_MS          3000
#define VIEW_TIMEOUT_MS   30000
#define CERTS_REMEMBERED  1024

/* --- who is asking ------------------------------------------------------------------------------------ */

/* Verifying a certificate takes milliseconds and gives the same result each time; what can change (the key, the account)
 * is looked up for each request. */
struct known_cert {
	struct str login, md5;
	int64_t    not_after;
};

static struct {
	pthread_mutex_t lock;
	struct map      certs;                        /* DER -> known_cert */
	struct arena    arena;
} known = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool known_get(struct arena *a, struct str der, struct known_cert *out)
{
	struct known_cert *k;

	pthread_mutex_lock(&known.lock);
	k = map_get(&known.certs, der);
	if (k)
		*out = (struct known_cert){ arena_str(a, k->login), arena_str(a, k->md5), k->not_after };
	pthread_mutex_unlock(&known.lock);
	return k != NULL;
}

static void known_put(struct str der, const struct known_cert *cert)
{
	struct known_cert *k;

	pthread_mutex_lock(&known.lock);
	if (known.certs.n >= CERTS_REMEMBERED) {      /* start over: cheaper than an order of use */
		map_release(&known.certs);
		arena_release(&known.arena);
	}
	k = arena_new(&known.arena, struct known_cert);
	*k = (struct known_cert){ arena_str(&known.arena, cert->login), arena_str(&known.arena, cert->md5), cert->not_after };
	map_put(&known.certs, der, k);
	pthread_mutex_unlock(&known.lock);
}

static int key_get(struct view_txn *t, struct arena *a, struct str login, struct str md5, struct account_key *key)
{
	struct err ignored;

	return view_get(t, a, key_make(a, "k", login, md5, STR_NONE), account_key_fields, key, &ignored);
}

static struct str key_find(void *ctx, struct arena *a, struct str login, struct str md5)
{
	struct account_key key = { 0 };
	struct err ignored;
	struct view_scan s;
	struct str k, v;

	if (login.n && account_login_check(login, &ignored) == 0)
		return key_get(ctx, a, login, md5, &key) == 1 ? key.line : STR_NONE;
	/* A certificate without a login, from another tool: the key itself tells whose it is. */
	if (view_scan(ctx, &s, key_prefix(a, "K", md5, STR_NONE), &ignored))
		return STR_NONE;
	if (view_next(&s, &k, &v))
		key_get(ctx, a, arena_str(a, str_drop(k, (size_t)str_rfind(k, '/') + 1)), md5, &key);
	view_scan_end(&s);
	return key.line;
}

/* The account that owns a key, when the certificate does not say. */
static struct str login_of(struct view_txn *t, struct arena *a, struct str login, struct str md5)
{
	struct account_key key = { 0 };
	struct err ignored;
	struct view_scan s;
	struct str k, v, found = STR_NONE;

	if (login.n && account_login_check(login, &ignored) == 0 && key_get(t, a, login, md5, &key) == 1)
		return login;
	if (view_scan(t, &s, key_prefix(a, "K", md5, STR_NONE), &ignored))
		return STR_NONE;
	if (view_next(&s, &k, &v))
		found = arena_str(a, str_drop(k, (size_t)str_rfind(k, '/') + 1));
	view_scan_end(&s);
	return found;
}

static int refused(struct err *e)
{
	return err_set(e, EACCES, "no account goes with this client certificate; run `triton setup -k KEY` with a key of your account");
}

static int by_certificate(struct req *r, struct principal *p, struct err *e)
{
	auto_view t = { 0 };
	struct arena *a = &r->arena;
	struct known_cert cert;
	struct account account = { 0 };
	struct account_key key = { 0 };
	int64_t now = clock_wall_ns() / 1000000000;

	if (api_view(r, &t, e))
		return -1;
	if (!known_get(a, r->conn->cert, &cert)) {
		struct clientcert cc;

		if (clientcert_account(a, r->conn->cert, now, key_find, &t, &cc, e)) {
			e->code = EACCES;
			return -1;
		}
		cert = (struct known_cert){ login_of(&t, a, cc.login, cc.md5), cc.md5, cc.cert.not_after };
		known_put(r->conn->cert, &cert);
	}
	if (now > cert.not_after)
		return err_set(e, EACCES, "the client certificate has expired; run `triton setup -k KEY` again");
	if (key_get(&t, a, cert.login, cert.md5, &key) != 1 ||
	    view_get(&t, a, key_make(a, "a", cert.login, STR_NONE, STR_NONE), account_fields, &account, e) != 1)
		return refused(e);
	if (account.disabled)
		return err_set(e, EACCES, "account %.*s is disabled; ask the operator of this data center", STR_ARG(account.login));
	*p = (struct principal){ .login = account.login, .operator_ = account.operator_ };
	return 0;
}

static int version_check(struct req *r, struct err *e)
{
	if (!r->api_major && !r->api_minor)
		return 0;
	if (r->api_major > 1 || r->api_minor > 50)
		return err_set(e, EINVAL, "client version %d.%d is too new. Maximum supported API version is %s", r->api_major, r->api_minor, API_VERSION);
	if (r->api_major < 1 || r->api_minor < 24)
		return err_set(e, EINVAL, "client version %d.%d is too old. Minimum supported API version is %s, please upgrade your client to a newer version",
			       r->api_major, r->api_minor, API_VERSION_MIN);
	return 0;
}

/* Everything that was acknowledged anywhere before this request came can be read here from now on. */
static int fresh(void *ctx, struct arena *a, struct err *e)
{
	struct api *api = ctx;
	struct ipc_call c = { .op = OP_FRESH, .timeout_ms = 5000 };

	return api->alone ? 0 : ipc_call(api->state, a, &c, e);
}

static int authorize_docker(struct req *r, struct err *e)
{
	struct principal *p = arena_new(&r->arena, struct principal);

	r->principal = p;
	if (r->endpoint && r->endpoint->flags & ADMIN)
		return err_set(e, ENOENT, "page not found");
	if (r->endpoint && r->endpoint->flags & PUBLIC)
		return version_check(r, e);
	if (r->conn->cert.n == 0)
		return err_set(e, EACCES, "no client certificate; run `triton setup -k KEY` and use what it prints");
	return fresh(api_of(r), &r->arena, e) || by_certificate(r, p, e) || version_check(r, e) ? -1 : 0;
}

static int authorize_local(struct req *r, struct err *e)
{
	struct principal *p = arena_new(&r->arena, struct principal);

	*p = (struct principal){ .login = STR(OPERATOR_ACCOUNT), .operator_ = true, .local = true };
	r->principal = p;
	if (r->conn->uid != 0)
		return err_set(e, EPERM, "the local socket is for root");
	/* Root looks at what is here also when the others cannot be reached. */
	if (!(r->endpoint && r->endpoint->flags & PUBLIC) && fresh(api_of(r), &r->arena, e))
		reply_header(r, "Triton-Stale", str_head(str_of(e->msg), 200));
	return version_check(r, e);
}

static void docker_headers(struct req *r, struct buf *b)
{
	(void)r;
	buf_printf(b, "Api-Version: %s\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Triton/%s (linux)\r\n", API_VERSION, triton_version);
}

/* --- channels ----------------------------------------------------------------------------------------- */

static void on_state_event(void *ctx, struct ipc_msg *m)
{
	auto_arena a = ARENA_INIT;
	struct revision rev = { 0 };
	struct err e;

	if (m->op != OP_REVISION || rec_decode(&a, m->body, revision_fields, &rev, &e))
		return;
	((struct api *)ctx)->alone = rev.alone;
	view_notify(((struct api *)ctx)->view, rev.n);
}

static void on_serve_event(void *ctx, struct ipc_msg *m)
{
	struct api *api = ctx;
	auto_arena a = ARENA_INIT;
	struct channel ch = { 0 };
	struct err e;
	int fd;

	if (m->op != OP_CHANNEL || rec_decode(&a, m->body, channel_fields, &ch, &e) || (fd = ipc_msg_take(m, 0)) < 0)
		return;
	if (ch.role == ROLE_STATE)
		ipc_client_arm(api->state, fd);
	else if (ch.role == ROLE_NODE)
		ipc_client_arm(api->node, fd);
	else if (ch.role == ROLE_PEER)
		ipc_client_arm(api->peer, fd);
	else
		close(fd);
}

/* --- starting ----------------------------------------------------------------------------------------- */

static int listeners(struct server *s, struct api *api, const struct tls_identity *tls, struct err *e)
{
	const struct listener docker = { .name = "docker", .fd = spawn_fd("docker", 0), .tls = tls, .endpoints = docker_endpoints,
		.authorize = authorize_docker, .headers = docker_headers, .versions = true, .ctx = api };
	const struct listener local = { .name = "local", .fd = spawn_fd("unix", 0), .endpoints = docker_endpoints,
		.authorize = authorize_local, .headers = docker_headers, .versions = true, .ctx = api };

	static struct cloud cloud;
	static struct replay replay = REPLAY_INIT;
	struct listener cloudapi;

	cloud = (struct cloud){ api->view, api->datacenter, api->ca_pem, api->docker_endpoint, &replay, fresh, api };
	cloudapi = cloud_listener(&cloud, spawn_fd("cloudapi", 0), tls);
	if (docker.fd >= 0 && server_listen(s, &docker, e))
		return -1;
	if (cloudapi.fd >= 0 && server_listen(s, &cloudapi, e))
		return -1;
	return server_listen(s, &local, e);
}

static int api_start(struct api *api, char **argv, struct server **server, struct err *e)
{
	static struct arena a;
	struct ipc_client *serve;
	struct tls_identity *tls;
	unsigned uid = (unsigned)strtoul(argv[4], NULL, 10);
	struct str key = front_file(&a, "key");
	char state_dir[4096];

	*api = (struct api){ .data_dir = str_of(argv[1]), .node_id = str_of(argv[2]), .datacenter = str_of(argv[3]),
		.docker_endpoint = str_of(argv[5]), .peer_endpoint = str_of(argv[6]), .ca_pem = front_file(&a, "ca"), .start_ns = clock_mono_ns() };
	tls = tls_identity_new(front_file(&a, "cert"), key, e);
	secret_wipe((char *)key.p, key.n);
	if (!tls)
		return err_wrap(e, "server certificate");
	snprintf(state_dir, sizeof(state_dir), "%s/state", argv[1]);
	api->view = view_open(state_dir, VIEW_TIMEOUT_MS, e);
	if (!api->view || (uid && confine(&confine_api, uid, "", e)))
		return -1;
	*server = server_new(CONNECTIONS_MAX, CONNECTIONS_ADDR);
	if (front_signals(*server, DRAIN_MS, e))
		return -1;
	api->pump = pump_new(e);
	api->state = ipc_client_new(ROLE_STATE, on_state_event, api, e);
	api->node = ipc_client_new(ROLE_NODE, NULL, api, e);
	api->peer = ipc_client_new(ROLE_PEER, NULL, api, e);
	serve = ipc_client_new(ROLE_SERVE, on_serve_event, api, e);
	if (!api->pump || !api->state || !api->node || !api->peer || !serve || listeners(*server, api, tls, e))
		return -1;
	ipc_client_arm(serve, spawn_fd("serve", 0));
	return ipc_client_event(serve, OP_READY, NULL, NULL, NULL, 0, e);
}

int role_api(int argc, char **argv)
{
	static struct api api;
	struct server *server;
	struct err e = { 0 };

	log_open("api", 2, LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 7) {
		err_set(&e, EINVAL, "the api role is started by triton serve");
		log_failed("api role cannot start", &e);
		return 2;
	}
	if (api_start(&api, argv, &server, &e) || server_run(server, &e)) {
		log_failed("api role failed", &e);
		return 1;
	}
	return 0;
}
