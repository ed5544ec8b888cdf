/* Prints what the Docker API takes as JSON, for the end to end test that walks it (test/unit/docker/apitable.h); with an argument what
 * CloudAPI answers. */
#include "unit/docker/apitable.h"

#include "cloud/cloud.h"

#include <stdio.h>

static void fields_json(struct buf *b, const struct field *f)
{
	static const char *const kinds[] = { [F_STR] = "string", [F_BOOL] = "bool", [F_I64] = "int", [F_TIME] = "time" };

	for (size_t n = 0; f && f->kind != F_END; f++)
		buf_printf(b, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"always\":%s}", n++ ? "," : "", f->json, kinds[f->kind],
			   f->flags & FIELD_OMIT_EMPTY ? "false" : "true");
}

/* [{"path","public","options":[...],"fields":[{"name","kind","always"}...]}...] */
static void cloud_json(struct buf *b)
{
	static const struct { endpoint_fn *fn; const struct field *fields; } objects[] = {
		{ cloud_account, account_view_fields }, { cloud_key_list, key_view_fields }, { cloud_key_get, key_view_fields },
		{ cloud_services, services_fields }, { cloud_package_list, package_view_fields }, { cloud_package_get, package_view_fields },
	};

	buf_char(b, '[');
	for (const struct endpoint *p = cloud_endpoints; p->method; p++) {
		struct str rest = str_of(p->options), name;
		const struct field *fields = NULL;
		size_t k = 0;

		for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
			if (objects[i].fn == p->fn)
				fields = objects[i].fields;
		buf_printf(b, "%s{\"path\":\"%s\",\"public\":%s,\"options\":[", p == cloud_endpoints ? "" : ",\n", p->path,
			   p->flags & CLOUD_PUBLIC ? "true" : "false");
		while (rest.n && str_next(&rest, ' ', &name))
			buf_printf(b, "%s\"%.*s\"", k++ ? "," : "", STR_ARG(name));
		buf_puts(b, "],\"fields\":[");
		fields_json(b, fields);
		buf_puts(b, "]}");
	}
	buf_puts(b, "]\n");
}

int main(int argc, char **argv)
{
	struct buf b = BUF_INIT(4 << 20);

	(void)argv;
	(argc > 1 ? cloud_json : apitable_json)(&b);
	return buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0 ? 0 : 1;
}
