#include "model/account.h"

#include "codec/field.h"

#include <errno.h>
#include <stdio.h>

const struct field account_fields[] = {
	FIELD(1, account, login,     "login",    FIELD_REQUIRED),
	FIELD(2, account, operator_, "operator", 0),
	FIELD(3, account, disabled,  "disabled", 0),
	FIELD(4, account, created,   "created",  0),
	FIELD(5, account, id,        "id",       0),
	FIELD_KEEP_UNKNOWN(account, unknown),
	FIELD_END
};

const struct field account_key_fields[] = {
	FIELD(1, account_key, account,     "account",     0),
	FIELD(2, account_key, name,        "name",        0),
	FIELD(3, account_key, fingerprint, "fingerprint", 0),
	FIELD(4, account_key, sha256,      "sha256",      0),
	FIELD(5, account_key, line,        "key",         0),
	FIELD(6, account_key, created,     "created",     0),
	FIELD_KEEP_UNKNOWN(account_key, unknown),
	FIELD_END
};

const struct field package_fields[] = {
	FIELD(1, package, name,      "name",      0),
	FIELD(2, package, memory,    "memory",    0),
	FIELD(3, package, swap,      "swap",      0),
	FIELD(4, package, nano_cpus, "nano_cpus", 0),
	FIELD(5, package, disk,      "disk",      0),
	FIELD(6, package, pids,      "pids",      0),
	FIELD(7, package, io_weight, "io_weight", 0),
	FIELD(8, package, id,        "id",        0),
	FIELD_KEEP_UNKNOWN(package, unknown),
	FIELD_END
};

int account_login_check(struct str login, struct err *e)
{
	if (login.n < 2 || login.n > 32 || login.p[0] < 'a' || login.p[0] > 'z')
		goto bad;
	for (size_t i = 0; i < login.n; i++) {
		char c = login.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			goto bad;
	}
	return 0;
bad:
	return err_set(e, EINVAL, "login \"%.*s\" must be 2 to 32 characters of a-z, 0-9, '.', '_', '-' and start with a letter",
		       (int)(login.n > 64 ? 64 : login.n), login.p);
}

#define MIB (1ll << 20)
#define GIB (1ll << 30)

struct packages packages_default(struct arena *a)
{
	/* Names, memory, share of a CPU in sixteenths, disk: the public table of 2015. Swap is four times the
	 * memory, which is what the original's zones had (triton-facts.md). */
	static const struct { const char *name; int64_t memory, sixteenths, disk_gib, pids, io_weight; } table[] = {
		{ "t4-standard-128M", 128 * MIB,   1,    3,   512,   20 },
		{ "t4-standard-256M", 256 * MIB,   2,    6,   512,   30 },
		{ "t4-standard-512M", 512 * MIB,   4,   12,  1024,   50 },
		{ "t4-standard-1G",     1 * GIB,   8,   25,  2048,   80 },
		{ "t4-standard-2G",     2 * GIB,  16,   50,  4096,  100 },
		{ "t4-standard-4G",     4 * GIB,  32,  100,  4096,  150 },
		{ "t4-standard-8G",     8 * GIB,  64,  200,  8192,  250 },
		{ "t4-standard-16G",   16 * GIB, 128,  400,  8192,  400 },
		{ "t4-standard-32G",   32 * GIB, 256,  800, 16384,  700 },
		{ "t4-standard-64G",   64 * GIB, 512, 1600, 32768, 1000 },
	};
	size_t n = sizeof(table) / sizeof(table[0]);
	struct packages all = { arena_new_n(a, struct package, n), n };

	for (size_t i = 0; i < n; i++)
		all.v[i] = (struct package){
			.name = str_of(table[i].name), .memory = table[i].memory, .swap = 4 * table[i].memory,
			.nano_cpus = table[i].sixteenths * 62500000, .disk = table[i].disk_gib * GIB,
			.pids = table[i].pids, .io_weight = table[i].io_weight,
			.id = arena_printf(a, "7b17343c-94af-6266-e0e8-%012zx", i + 1),
		};
	return all;
}

/* "65g", "3584m": the way a person writes it. */
static struct str size_human(int64_t bytes, char out[32])
{
	int64_t unit = bytes % GIB == 0 ? GIB : bytes % MIB == 0 ? MIB : 1;
	int n = snprintf(out, 32, "%lld%s", (long long)(bytes / unit), unit == GIB ? "g" : unit == MIB ? "m" : "b");

	return str_make(out, (size_t)n);
}

const struct package *package_for(const struct packages *all, int64_t memory, struct str fallback, struct err *e)
{
	const struct package *best = NULL;
	char size[32];

	for (size_t i = 0; i < all->n; i++) {
		const struct package *p = &all->v[i];

		if (memory == 0 && str_eq(p->name, fallback))
			return p;
		if (memory > 0 && p->memory >= memory && (!best || p->memory < best->memory))
			best = p;
	}
	if (!best && memory == 0)
		return err_set_null(e, EINVAL, "there is no package named %.*s", STR_ARG(fallback));
	if (!best)
		return err_set_null(e, EINVAL, "no package supports the given constraints: memory=%.*s",
				    STR_ARG(size_human(memory, size)));
	return best;
}
