#include "role/join.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/rec.h"
#include "codec/seal.h"
#include "codec/x509.h"
#include "http/client.h"
#include "ipc/spawn.h"
#include "model/token.h"
#include "os/fd.h"
#include "role/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX (64 << 10)

const struct field join_request_fields[] = {
	FIELD(1, join_request, protocol, "protocol", FIELD_REQUIRED),
	FIELD(2, join_request, token,    "token",    FIELD_REQUIRED),
	FIELD(3, join_request, id,       "id",       FIELD_REQUIRED),
	FIELD(4, join_request, name,     "name",     FIELD_REQUIRED),
	FIELD(5, join_request, address,  "address",  FIELD_REQUIRED),
	FIELD(6, join_request, version,  "version",  0),
	FIELD(7, join_request, point,    "point",    FIELD_REQUIRED),
	FIELD(8, join_request, now,      "now",      FIELD_REQUIRED),
	FIELD(9, join_request, records,  "records",  0),
	FIELD(10, join_request, named,   "named",    0),
	FIELD_END
};

const struct field join_answer_fields[] = {
	FIELD(1, join_answer, ca_pem,     "ca_pem",     0),
	FIELD(2, join_answer, sealed,     "sealed",     0),
	FIELD(3, join_answer, server,     "server",     0),
	FIELD(4, join_answer, datacenter, "datacenter", 0),
	FIELD(5, join_answer, suffix,     "suffix",     0),
	FIELD(6, join_answer, name,       "name",       0),
	FIELD_END
};

struct join_message { struct str message; };          /* how the other side says no */
static const struct field join_message_fields[] = { FIELD(1, join_message, message, "message", 0), FIELD_END };

/* What goes to the child and what comes back; records in a pipe. */
struct join_call { struct str host, authority; int64_t port; struct join_request request; };
static const struct field join_call_fields[] = {
	FIELD(1, join_call, host,      "host",      0),
	FIELD(2, join_call, authority, "authority", 0),
	FIELD(3, join_call, port,      "port",      0),
	FIELD_OBJ(4, join_call, request, "request", 0, join_request_fields),
	FIELD_END
};
struct join_heard { struct str problem; struct join_answer answer; };
static const struct field join_heard_fields[] = {
	FIELD(1, join_heard, problem, "problem", 0),
	FIELD_OBJ(2, join_heard, answer, "answer", 0, join_answer_fields),
	FIELD_END
};

/* --- the child ----------------------------------------------------------------------------------------- */

static int said_no(struct arena *a, struct http_client *c, const struct join_call *call, int status, struct err *e)
{
	struct join_message m = { 0 };
	struct str body;
	struct err ignored;

	if (http_body(c, a, ANSWER_MAX, &body, &ignored) == 0 && json_decode(a, body, join_message_fields, &m, &ignored) == 0 && m.message.n)
		return err_set(e, EPERM, "%.*s:%lld says: %.*s", STR_ARG(call->host), (long long)call->port,
		               (int)(m.message.n > 400 ? 400 : m.message.n), m.message.p);
	return err_set(e, EPROTO, "%.*s:%lld answered with status %d; is it the --peer address of a node?", STR_ARG(call->host),
	               (long long)call->port, status);
}

static int ask(struct arena *a, const struct join_call *call, struct join_answer *out, struct err *e)
{
	struct http_client c = { .host = STR(PEER_ANY_NODE), .address = call->host, .port = (int)call->port, .tls = true,
		.trust = { .pin = call->authority }, .stall_ms = 30000 };
	auto_buf b = BUF_INIT(ANSWER_MAX);
	struct http_head head = { 0 };
	struct str body;
	int rc;

	json_encode(&b, join_request_fields, &call->request);
	rc = http_request(&c, "POST", STR("/join"), STR("Content-Type: application/json\r\n"), buf_as_str(&b), &head, e);
	if (rc && strstr(e->msg, "pinned"))
		err_set(e, EPROTO, "%.*s:%lld belongs to another data center than the token: its certificate is of another authority",
		        STR_ARG(call->host), (long long)call->port);
	else if (rc)
		err_wrap(e, "%.*s:%lld", STR_ARG(call->host), (long long)call->port);
	else if (head.status != 200)
		rc = said_no(a, &c, call, head.status, e);
	else
		rc = http_body(&c, a, ANSWER_MAX, &body, e) || json_decode(a, body, join_answer_fields, out, e) ? -1 : 0;
	http_client_release(&c);
	return rc;
}

/* Only what the token names may be believed. */
static int check_authority(struct arena *a, struct str pem, struct str authority, struct err *e)
{
	struct str der;

	if (x509_from_pem(a, pem, &der, e))
		return -1;
	return str_eq(x509_fingerprint(a, der), authority) ? 0 : err_set(e, EPROTO, "the authority is another one than the token says");
}

static void write_all(int fd, struct str s)
{
	ssize_t n;

	while (s.n && (n = write(fd, s.p, s.n)) > 0)
		s = str_drop(s, (size_t)n);
}

int role_join(int argc, char **argv)
{
	auto_arena a = ARENA_INIT;
	struct join_call call = { 0 };
	struct join_heard heard = { 0 };
	char *text = arena_alloc(&a, ANSWER_MAX);
	int in = spawn_fd("call", 0), out = spawn_fd("answer", 0);
	struct err e = { 0 };
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || in < 0 || out < 0) {
		fputs("triton-join is started by serve\n", stderr);
		return 2;
	}
	log_open("join", 2, LOG_INFO);
	n = fd_read_full(in, text, ANSWER_MAX);
	if (n < 0 || confine(&confine_pull, (unsigned)strtoul(argv[1], NULL, 10), "", &e) ||
	    rec_decode(&a, str_make(text, (size_t)n), join_call_fields, &call, &e) || ask(&a, &call, &heard.answer, &e) ||
	    check_authority(&a, heard.answer.ca_pem, call.authority, &e))
		heard = (struct join_heard){ .problem = e.code ? str_of(e.msg) : STR("the join process failed") };
	write_all(out, rec_encode_arena(&a, join_heard_fields, &heard));
	return heard.problem.n ? 1 : 0;
}

/* --- serve's side -------------------------------------------------------------------------------------- */

static int run_child(struct arena *a, const struct join_call *call, int64_t uid, struct join_heard *out, struct err *e)
{
	const char *args[] = { arena_cstr(a, arena_printf(a, "%lld", (long long)uid)), NULL };
	struct str text = rec_encode_arena(a, join_call_fields, call);
	char *answer = arena_alloc(a, ANSWER_MAX);
	int in[2], back[2];
	struct spawned child;
	ssize_t n = -1;

	if (pipe2(in, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	if (pipe2(back, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return err_sys(e, "make a pipe");
	}
	struct spawn_fd fds[] = { { "call", in[0] }, { "answer", back[1] } };
	int rc = spawn(&(struct spawn){ .role = "join", .args = args, .fds = fds, .nfds = 2, .log_fd = -1, .death_signal = SIGKILL }, &child, e);

	close(in[0]);
	close(back[1]);
	if (rc == 0) {
		write_all(in[1], text);               /* a few hundred bytes: a pipe holds them */
		close(in[1]);
		n = fd_read_full(back[0], answer, ANSWER_MAX);
		waitpid(child.pid, NULL, 0);
		close(child.pidfd);
	} else {
		close(in[1]);
	}
	close(back[0]);
	if (rc)
		return -1;
	return n > 0 ? rec_decode(a, str_make(answer, (size_t)n), join_heard_fields, out, e) : err_set(e, EIO, "the join process ended without an answer");
}

static int adopt(struct arena *a, struct datadir *d, const struct join_answer *in, struct err *e)
{
	struct datadir_adopted got = { .ca_pem = in->ca_pem, .datacenter = in->datacenter, .suffix = in->suffix, .server = in->server };
	struct str sealed;
	int rc;

	if (!hex_decode(a, in->sealed, &sealed) || in->server <= 0)
		return err_set(e, EPROTO, "the answer is malformed");
	if (unseal(a, &d->node_key, sealed, &got.ca_key, e))
		return -1;
	rc = datadir_adopt(a, d, &got, e);
	secret_wipe((char *)got.ca_key.p, got.ca_key.n);
	if (rc == 0) {
		d->server = in->server;
		d->datacenter = in->datacenter;
		d->suffix = in->suffix;
	}
	return rc;
}

int join(struct arena *a, const struct serve_options *o, struct datadir *d, struct str machine, struct str address, struct err *e)
{
	struct str name = o->name ? str_of(o->name) : node_name_of_host(a, machine);
	struct join_call call = { .request = { .protocol = PEER_PROTOCOL, .id = d->node_id, .name = name, .named = o->name, .address = address,
		.version = str_of(triton_version), .point = hex_encode(a, d->node_key.pub.q), .now.ns = clock_wall_ns(), .records = triton_records } };
	struct join_heard heard = { 0 };
	struct token t;
	char host[256];

	if (token_parse(a, str_of(o->token), &t, e) || host_port_resolve("--join", o->join, host, &call.port, e))
		return -1;
	call.host = str_of(host);
	call.authority = t.authority;
	call.request.token = t.secret;
	if (run_child(a, &call, o->uid_base + UID_PULL, &heard, e))
		return err_wrap(e, "cannot join");
	if (heard.problem.n)
		return err_set(e, EPERM, "cannot join: %.*s", (int)(heard.problem.n > 400 ? 400 : heard.problem.n), heard.problem.p);
	if (adopt(a, d, &heard.answer, e))
		return err_wrap(e, "cannot join");
	if (heard.answer.name.n)
		printf("joined data center %.*s as node %.*s\n", STR_ARG(heard.answer.datacenter), STR_ARG(heard.answer.name));
	return 0;
}
