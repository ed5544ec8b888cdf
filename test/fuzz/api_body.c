/* Any bytes as the body of a request: what the tables take can be checked, planned and written, and reads back the same. */
#include "codec/json.h"
#include "codec/rec.h"
#include "docker/create.h"
#include "docker/network_request.h"
#include "model/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What a table took must come out of what it writes: the second writing is the first. */
static void round_trip(struct arena *a, const struct field *f, const void *in, void *again)
{
	struct buf first = BUF_INIT(4 << 20), second = BUF_INIT(4 << 20);
	struct err e;

	json_encode(&first, f, in);
	if (buf_ok(&first)) {
		if (json_decode(a, buf_as_str(&first), f, again, &e))
			abort();
		json_encode(&second, f, again);
		if (!buf_ok(&second) || !str_eq(buf_as_str(&first), buf_as_str(&second)))
			abort();
	}
	buf_release(&first);
	buf_release(&second);
}

static void create(struct arena *a, struct str body)
{
	struct container_create out = { 0 };
	struct create_request q = { 0 };
	struct container_config config = { 0 };
	struct host_config host = { 0 };
	struct image image = { 0 };
	struct err e;

	if (create_decode(a, body, &q, &e))
		return;
	round_trip(a, container_config_fields, &q.config, &config);
	round_trip(a, host_config_fields, &q.host, &host);
	if (create_check(&q, body.n % 2 == 1, 64, &e) == 0)
		create_plan(a, &q, &image, &out, &e);
}

static void network(struct arena *a, struct str body)
{
	struct network_request q = { 0 }, again = { 0 };
	struct network made, kept = { 0 };
	struct err e;

	if (json_decode(a, body, network_request_fields, &q, &e))
		return;
	round_trip(a, network_request_fields, &q, &again);
	if (network_request_check(&q, &e))
		return;
	made = network_request_plan(&q);
	if (rec_decode(a, rec_encode_arena(a, network_fields, &made), network_fields, &kept, &e) || !str_eq(kept.subnet, made.subnet))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct str body = str_make(p, n);
	struct exec_config exec = { 0 }, exec_again = { 0 };
	struct endpoint_config ep = { 0 };
	struct endpoint_settings wish = { 0 };
	struct host_config host = { 0 };
	struct err e;

	create(&a, body);
	network(&a, body);
	if (json_decode(&a, body, exec_config_fields, &exec, &e) == 0)
		round_trip(&a, exec_config_fields, &exec, &exec_again);
	if (json_decode(&a, body, endpoint_config_fields, &ep, &e) == 0)
		endpoint_wish(&ep, &wish, &e);
	if (json_decode(&a, body, host_config_fields, &host, &e) == 0)
		update_check(&host, false, 64, &e);
	return 0;
}
