/* Changes of a data center by many clients at once: each creates volumes through a node's root-only socket, one after another.
 * Usage: writes SOCKET CLIENTS SECONDS NAME. Prints changes per second and the median and 99th percentile of one, in ms. */
#include "base/clock.h"
#include "http/client.h"

#include <pthread.h>

#define CLIENTS_MAX 256
#define SAMPLES_MAX 200000

static const char *path, *name;
static int64_t until;
static double took[SAMPLES_MAX];
static _Atomic size_t n_took, n_failed;

static void *client(void *arg)
{
	struct http_client c = { .unix_path = str_of(path), .stall_ms = 30000 };
	auto_arena a = ARENA_INIT;
	char body[128];

	for (int i = 0; clock_mono_ns() < until; i++) {
		int64_t begin = clock_mono_ns();
		struct http_head head;
		struct str answer;
		struct err e;
		size_t at;

		snprintf(body, sizeof body, "{\"Name\":\"%s-%d-%d\"}", name, (int)(intptr_t)arg, i);
		if (http_request(&c, "POST", STR("/volumes/create"), STR("Content-Type: application/json\r\n"), str_of(body), &head, &e) ||
		    http_body(&c, &a, 1 << 20, &answer, &e) || head.status != 201) {
			n_failed++;
			continue;
		}
		at = n_took++;
		if (at < SAMPLES_MAX)
			took[at] = (double)(clock_mono_ns() - begin) / 1e6;
		arena_release(&a);
	}
	http_client_release(&c);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	pthread_t t[CLIENTS_MAX];
	int n = argc == 5 ? (int)strtol(argv[2], NULL, 10) : 0;
	int64_t begin = clock_mono_ns();

	if (n < 1 || n > CLIENTS_MAX) {
		fprintf(stderr, "usage: writes SOCKET CLIENTS SECONDS NAME\n");
		return 2;
	}
	path = argv[1];
	name = argv[4];
	until = begin + strtol(argv[3], NULL, 10) * 1000000000;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, client, (void *)(intptr_t)i))
			return 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	size_t got = n_took < SAMPLES_MAX ? n_took : SAMPLES_MAX;

	if (!got || n_failed)
		fprintf(stderr, "writes: %zu were refused\n", (size_t)n_failed);
	if (!got)
		return 1;
	qsort(took, got, sizeof *took, by_value);
	printf("%.0f %.2f %.2f\n", (double)n_took * 1e9 / (double)(clock_mono_ns() - begin), took[got / 2], took[got * 99 / 100]);
	return 0;
}
