#include "role/options.h"

#include "base/ip.h"
#include "model/image.h"

#include <errno.h>
#include <stddef.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

const char serve_usage[] =
	"usage: triton serve [flags]\n"
	"\n"
	"Runs this machine as a node of a data center. The first start makes the data center.\n"
	"\n"
	"  --data-dir DIR        what must survive (default /var/lib/triton)\n"
	"  --run-dir DIR         sockets and logs (default /run/triton)\n"
	"  --docker HOST:PORT    Docker API over TLS (default 0.0.0.0:2376)\n"
	"  --cloudapi HOST:PORT  CloudAPI over TLS, for triton setup (default 0.0.0.0:8443)\n"
	"  --peer HOST:PORT      other nodes (default 0.0.0.0:2377)\n"
	"  --name NAME           what this node is called (default: its host's, with a number if it is taken)\n"
	"  --join HOST:PORT      become a node of the data center that this node (its --peer) belongs to\n"
	"  --token TOKEN         with --join: what `triton token` printed there\n"
	"  --datacenter NAME     name of a new data center (default dc1)\n"
	"  --suffix DNS          DNS suffix of a new data center (default triton.local)\n"
	"  --hosts A,B           further names and addresses for the server certificate\n"
	"  --instance NAME       tells instances on one machine apart in cgroups and firewall tables (default main)\n"
	"  --uid-base N          first of six user ids for the roles (default 64000)\n"
	"  --stop-containers     SIGTERM stops the containers, too (without it they run on)\n"
	"  --usage-days N        keep the records of what containers used for N days (default 30)\n"
	"  --public-registries-only\n"
	"                        pull refuses registries at private and loopback addresses\n";

static int name_check(const char *flag, const char *s, struct err *e)
{
	size_t n = strlen(s);

	if (n == 0 || n > 24)
		return err_set(e, EINVAL, "%s takes 1 to 24 characters", flag);
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '-')
			return err_set(e, EINVAL, "%s %s: only a-z, 0-9 and '-' are allowed", flag, s);
	return 0;
}

int serve_options_parse(int argc, char **argv, struct serve_options *o, struct err *e)
{
	const char *uid = NULL, *usage_days = NULL;
	const struct { const char *flag; const char **value; } values[] = {
		{ "--data-dir", &o->data_dir }, { "--run-dir", &o->run_dir }, { "--docker", &o->docker }, { "--cloudapi", &o->cloudapi },
		{ "--peer", &o->peer }, { "--datacenter", &o->datacenter }, { "--suffix", &o->suffix }, { "--hosts", &o->hosts },
		{ "--instance", &o->instance }, { "--uid-base", &uid }, { "--usage-days", &usage_days },
		{ "--join", &o->join }, { "--token", &o->token }, { "--name", &o->name },
	};

	*o = (struct serve_options){ .data_dir = "/var/lib/triton", .run_dir = "/run/triton", .docker = "0.0.0.0:2376",
		.cloudapi = "0.0.0.0:8443", .peer = "0.0.0.0:2377", .datacenter = "dc1", .suffix = "triton.local", .hosts = "",
		.instance = "main", .uid_base = 64000, .private_registries = true, .usage_days = 30 };
	for (int i = 1; i < argc; i++) {
		size_t k = 0, count = sizeof(values) / sizeof(values[0]), n = strcspn(argv[i], "=");

		if (strcmp(argv[i], "--stop-containers") == 0) {
			o->stop_containers = true;
			continue;
		}
		if (strcmp(argv[i], "--public-registries-only") == 0) {
			o->private_registries = false;
			continue;
		}
		while (k < count && (strncmp(argv[i], values[k].flag, n) != 0 || values[k].flag[n]))
			k++;
		if (k == count)
			return err_set(e, EINVAL, "unknown flag %s; triton help serve lists all", argv[i]);
		if (argv[i][n] == '=')
			*values[k].value = argv[i] + n + 1;
		else if (i + 1 < argc)
			*values[k].value = argv[++i];
		else
			return err_set(e, EINVAL, "%s needs a value; triton help serve explains it", argv[i]);
	}
	if (uid && (!str_to_i64(str_of(uid), &o->uid_base) || o->uid_base < 1 || o->uid_base > 900000))
		return err_set(e, EINVAL, "--uid-base %s: a number from 1 to 900000", uid);
	if (usage_days && (!str_to_i64(str_of(usage_days), &o->usage_days) || o->usage_days < 1 || o->usage_days > 3650))
		return err_set(e, EINVAL, "--usage-days %s: a number from 1 to 3650", usage_days);
	if (!o->join != !o->token)
		return err_set(e, EINVAL, "--join and --token go together; `triton token` on a node of the data center prints both");
	if (o->join && !*o->peer)
		return err_set(e, EINVAL, "--join needs --peer: the other nodes must reach this one");
	if (o->name && node_name_check(str_of(o->name), e))
		return err_wrap(e, "--name");
	return name_check("--datacenter", o->datacenter, e) || name_check("--instance", o->instance, e) ? -1 : 0;
}

int host_port(const char *text, char host[256], char port[8], struct err *e)
{
	struct str h, p;

	if (!host_port_cut(str_of(text), &h, &p) || h.n >= 256 || p.n == 0 || p.n > 5)
		return err_set(e, EINVAL, "%s is not HOST:PORT", text);
	snprintf(host, 256, "%.*s", STR_ARG(h));
	snprintf(port, 8, "%.*s", STR_ARG(p));
	return 0;
}

int host_port_resolve(const char *flag, const char *text, char host[256], int64_t *port, struct err *e)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
	char name[256], digits[8];
	int rc;

	if (host_port(text, name, digits, e))
		return err_wrap(e, "%s", flag);
	rc = getaddrinfo(name, digits, &hints, &found);
	if (rc == 0)
		rc = getnameinfo(found->ai_addr, found->ai_addrlen, host, 256, NULL, 0, NI_NUMERICHOST);
	if (found)
		freeaddrinfo(found);
	*port = strtoll(digits, NULL, 10);
	return rc ? err_set(e, EINVAL, "%s %s: %s", flag, text, gai_strerror(rc)) : 0;
}
