/* Options of volumes: what Docker's driver "local" takes. */
#include "docker/ports.h"

#include <errno.h>

static struct str option(const struct pairs *options, const char *name)
{
	const struct str *val = pairs_get(options, str_of(name));

	return val ? *val : STR_NONE;
}

static bool is_host_type(struct str type)
{
	return str_is(type, "none") || str_is(type, "bind");
}

bool volume_is_host_path(const struct pairs *options)
{
	return is_host_type(option(options, "type"));
}

/* "bind", "rbind", "ro", "rw", and nothing else. */
static int host_options_check(struct str type, struct str o, struct str device, struct err *e)
{
	struct str rest = o, word;
	bool bind = str_is(type, "bind");

	while (o.n && str_next(&rest, ',', &word)) {
		bind |= str_is(word, "bind") || str_is(word, "rbind");
		if (!str_is(word, "bind") && !str_is(word, "rbind") && !str_is(word, "ro") && !str_is(word, "rw"))
			return err_set(e, ENOTSUP, "the mount option %.*s of a volume is not supported", STR_ARG(str_head(word, 40)));
	}
	if (!bind)
		return err_set(e, EINVAL, "a volume of type none needs o=bind");
	if (!device.n)
		return err_set(e, EINVAL, "missing required option: \"device\"");
	if (!str_starts(device, STR("/")) || device.n > 4095 || str_has_nul(device))
		return err_set(e, EINVAL, "the device of a volume must be an absolute path: %.*s", STR_ARG(str_head(device, 100)));
	return 0;
}

int volume_options_check(struct arena *a, const struct pairs *options, int64_t *size, int64_t *mode, struct err *e)
{
	static const char *const known[] = { "type", "o", "device", "size", NULL };
	struct str type = option(options, "type"), o = option(options, "o"), device = option(options, "device"), limit = option(options, "size");
	struct mount_point m = { 0 };
	struct mount_points one = { arena_new_n(a, struct mount_point, 128), 0 };

	for (size_t i = 0; i < options->n; i++) {
		size_t k = 0;

		while (known[k] && !str_is(options->v[i].key, known[k]))
			k++;
		if (!known[k])
			return err_set(e, EINVAL, "invalid option: \"%.*s\"", STR_ARG(str_head(options->v[i].key, 40)));
	}
	*size = *mode = 0;
	if (!type.n && (o.n || device.n))
		return err_set(e, EINVAL, "missing required option: \"type\"");
	if (limit.n && type.n)
		return err_set(e, EINVAL, "size is for volumes without a type; a tmpfs has it in its options (o=size=...)");
	if (limit.n && (size_parse(limit, size, e) || *size < 1 << 20))
		return err_set(e, EINVAL, "invalid size of a volume: %.*s (at least 1m)", STR_ARG(str_head(limit, 40)));
	if (is_host_type(type))
		return host_options_check(type, o, device, e);
	if (str_is(type, "tmpfs")) {
		if (mounts_tmpfs(a, STR("/volume"), o, &one, e))
			return -1;
		m = one.v[0];
		*size = m.tmpfs_size;
		*mode = m.tmpfs_mode;
		return 0;
	}
	return type.n ? err_set(e, ENOTSUP, "volumes of type %.*s are not supported: tmpfs is, and none with o=bind for operators",
				STR_ARG(str_head(type, 40))) : 0;
}
