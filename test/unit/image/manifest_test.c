#include "image/manifest.h"

#include "unit/test.h"

#include <errno.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CONFIG "\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":2,\"digest\":\"" A "\"}"
#define LAYER  "{\"mediaType\":\"" MEDIA_DOCKER_LAYER "\",\"size\":5,\"digest\":\"" B "\"}"

static int parse(const char *text, const char *type, struct manifest *m, struct err *e)
{
	static struct arena a;

	return manifest_parse(&a, str_of(text), str_of(type), m, e);
}

TEST(manifest_of_schema_2)
{
	const char *text = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"," CONFIG ",\"layers\":[" LAYER "," LAYER "]}";
	struct manifest m = { 0 };
	struct err e = { 0 };

	CHECK_OK(parse(text, MEDIA_DOCKER_MANIFEST, &m, &e), e);
	CHECK(!m.is_index);
	CHECK_STR(m.config.digest, A);
	CHECK_INT(m.layers.n, 2);
	CHECK_INT(m.layers.v[1].size, 5);
	CHECK_OK(parse(text, "", &m, &e), e);
	CHECK_OK(parse(text, MEDIA_DOCKER_MANIFEST "; charset=utf-8", &m, &e), e);
}

TEST(malformed_or_confused_manifests_I16_I17)
{
	static const struct { const char *text, *type, *why; } rows[] = {
		{ "", "", "" }, { "[]", "", "" }, { "null", "", "" }, { "{}", "", "schemaVersion" },
		{ "{\"schemaVersion\":1,\"fsLayers\":[]}", "", "schema version 1" },
		{ "{\"schemaVersion\":3," CONFIG "}", "", "schemaVersion" },
		{ "{\"schemaVersion\":2}", "", "neither" },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "],\"manifests\":[]}", "", "both" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"," CONFIG ",\"layers\":[]}", "", "media type" },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", MEDIA_OCI_INDEX, "content type" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"," CONFIG ",\"layers\":[]}", MEDIA_DOCKER_MANIFEST, "content type" },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":2,\"digest\":\"../../etc/passwd\"}}", "", "digest" },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":-1,\"digest\":\"" A "\"}}", "", "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":99999999,\"digest\":\"" A "\"}}", "", "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"size\":2,\"digest\":\"" A "\"}}", "", "not a container image" },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", "", "" },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"size\":1,\"digest\":\"" A "\"}]}", "", "not supported" },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_DOCKER_LAYER "\",\"size\":1,\"digest\":\"sha256:..\"}]}", "", "digest" },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct manifest m = { 0 };
		struct err e = { 0 };

		CHECK_ERR(parse(rows[i].text, rows[i].type, &m, &e), e, rows[i].why);
	}
}

#define ENTRY(n, arch, variant) "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"size\":" #n ",\"digest\":\"" A "\"," \
	"\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"" variant "}}"
#define VARIANT(v) ",\"variant\":\"" v "\""

TEST(the_nearest_platform_is_chosen)
{
	static const struct { const char *want; int size; } rows[] = {
		{ "linux/amd64", 1 }, { "amd64", 1 }, { "x86_64", 1 }, { "linux/amd64/v3", 2 }, { "linux/amd64/v2", 1 }, { "linux/arm64", 3 }, { "linux/arm64/v8", 3 },
		{ "linux/arm/v7", 5 }, { "linux/arm", 5 }, { "linux/arm/v6", 4 }, { "linux/arm/v5", 0 }, { "linux/s390x", 0 }, { "windows/amd64", 0 },
	};
	const char *text = "{\"schemaVersion\":2,\"manifests\":["
		ENTRY(9, "unknown", "") "," ENTRY(2, "amd64", VARIANT("v3")) "," ENTRY(1, "amd64", "") "," ENTRY(3, "arm64", VARIANT("v8")) ","
		ENTRY(4, "arm", VARIANT("v6")) "," ENTRY(5, "arm", VARIANT("v7")) "]}";
	struct manifest m = { 0 };
	struct err e = { 0 };
	size_t i;

	REQUIRE_OK(parse(text, MEDIA_OCI_INDEX, &m, &e), e);
	CHECK(m.is_index);
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_arena a = ARENA_INIT;
		const struct descriptor *d;
		struct platform p;

		CHECK_OK(platform_parse(&a, str_of(rows[i].want), &p, &e), e);
		d = manifest_choose(&m, &p);
		if ((d ? d->size : 0) != rows[i].size)
			test_failed(__FILE__, __LINE__, "%s chose %d, not %d", rows[i].want, d ? (int)d->size : 0, rows[i].size);
	}
}

TEST(bad_platforms)
{
	static const char *const rows[] = { "/", "linux/", "a/b/c/d", "linux//v8", "lin ux", "linux/../x", "-\n" };
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_arena a = ARENA_INIT;
		struct platform p;
		struct err e = { 0 };

		CHECK_ERR(platform_parse(&a, str_of(rows[i]), &p, &e), e, "invalid platform");
	}
}

static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-02T03:04:05Z\","
	"\"config\":{\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\"],\"ExposedPorts\":{\"80/tcp\":{}},\"Labels\":{\"a\":\"b\"},\"Volumes\":null},"
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\",\"" B "\"]},"
	"\"history\":[{\"created_by\":\"x\"},{\"created_by\":\"ENV\",\"empty_layer\":true},{\"created_by\":\"y\"}],\"unknown\":{\"a\":[1]}}";

TEST(config_is_read)
{
	auto_arena a = ARENA_INIT;
	struct image img = { 0 }, again = { 0 };
	struct err e = { 0 };
	struct str id;

	REQUIRE_OK(image_config_parse(&a, str_of(config), &img, &e), e);
	CHECK_STR(img.config.cmd.v[0], "sh");
	CHECK_STR(img.layers.v[1], B);
	CHECK_INT(img.layers.n, 2);
	CHECK_INT(img.history.n, 3);
	CHECK(img.history.v[1].empty_layer);
	CHECK_STR(img.config.labels.v[0].val, "b");
	CHECK_STR(str_head(img.id, 7), "sha256:");
	REQUIRE_OK(image_config_parse(&a, image_config_make(&a, &img), &again, &e), e);
	id = img.id;
	CHECK_STR(again.id, id);
	CHECK_STR(again.config.exposed_ports.v[0].key, "80/tcp");
	CHECK_INT(again.created.ns, img.created.ns);
}

TEST(bad_configs_I15_I16)
{
	static const struct { const char *text, *why; } rows[] = {
		{ "", "" }, { "[]", "" }, { "{\"os\":\"windows\"}", "windows" },
		{ "{\"rootfs\":{\"diff_ids\":[\"../x\"]}}", "diff id 1" },
		{ "{\"rootfs\":{\"diff_ids\":[]},\"history\":[{}]}", "history" },
		{ "{\"rootfs\":{\"type\":\"base\"}}", "rootfs type" },
		{ "{\"config\":{\"Env\":[\"a\\u0000b\"]}}", "" },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_arena a = ARENA_INIT;
		struct image img = { 0 };
		struct err e = { 0 };

		CHECK_ERR(image_config_parse(&a, str_of(rows[i].text), &img, &e), e, rows[i].why);
	}
}
