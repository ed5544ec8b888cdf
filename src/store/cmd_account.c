/* Accounts and their SSH keys. */
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

#define KEYS_MAX 100                                  /* of one account */

static int account_load(struct command_env *c, struct str login, struct account *a, struct err *e)
{
	int rc = txn_get(c->t, c->a, key_make(c->a, "a", login, STR_NONE, STR_NONE), account_fields, a, e);

	if (rc == 0)
		return err_set(e, ENOENT, "No such account: %.*s", (int)(login.n > 64 ? 64 : login.n), login.p);
	return rc < 0 ? -1 : 0;
}

static int operators_only(struct command_env *c, struct err *e)
{
	return c->operator_ ? 0 : err_set(e, EPERM, "only an operator may do this");
}

static int account_save(struct command_env *c, const struct account *a, struct err *e)
{
	return txn_put(c->t, key_make(c->a, "a", a->login, STR_NONE, STR_NONE), account_fields, a, e);
}

COMMAND(cmd_account_put)
{
	struct account *a = &((struct account_put *)in)->account;

	if (operators_only(c, e) || account_login_check(a->login, e))
		return -1;
	if (txn_has(c->t, key_make(c->a, "a", a->login, STR_NONE, STR_NONE)))
		return err_set(e, EEXIST, "account %.*s exists", STR_ARG(a->login));
	a->created.ns = c->now_ns;
	if (!a->id.n)
		a->id = alloc_uuid(c);
	if (account_save(c, a, e) || network_make_bridge(c, a->login, e))
		return -1;
	*result = rec_encode_arena(c->a, account_fields, a);
	return 0;
}

static int drop_keys(struct command_env *c, struct str login, struct err *e)
{
	struct strs keys;
	struct str prefix = key_prefix(c->a, "k", login, STR_NONE);

	if (txn_keys(c->t, c->a, prefix, SIZE_MAX, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n; i++)
		if (txn_del(c->t, key_make(c->a, "K", str_drop(keys.v[i], prefix.n), login, STR_NONE), e) ||
		    txn_del(c->t, keys.v[i], e))
			return -1;
	return 0;
}

COMMAND(cmd_account_rm)
{
	static const char *const owned[] = { "i", "t", "v", "N", "n", "x" };
	struct str login = ((struct by_name *)in)->name;
	struct account a = { 0 };
	struct strs keys;

	(void)result;
	if (operators_only(c, e))
		return -1;
	if (str_is(login, OPERATOR_ACCOUNT))
		return err_set(e, EPERM, "the account \"%s\" cannot be removed", OPERATOR_ACCOUNT);
	if (account_load(c, login, &a, e) || txn_keys(c->t, c->a, key_prefix(c->a, "c", login, STR_NONE), 1, &keys, e))
		return -1;
	if (keys.n)
		return err_set(e, EBUSY, "account %.*s still has containers", STR_ARG(login));
	for (size_t k = 0; k < sizeof(owned) / sizeof(owned[0]); k++) {
		if (txn_keys(c->t, c->a, key_prefix(c->a, owned[k], login, STR_NONE), SIZE_MAX, &keys, e))
			return -1;
		for (size_t i = 0; i < keys.n; i++)
			if (txn_del(c->t, keys.v[i], e))
				return -1;
	}
	return drop_keys(c, login, e) || txn_del(c->t, key_make(c->a, "a", login, STR_NONE, STR_NONE), e) ? -1 : 0;
}

static int set_disabled(struct command_env *c, struct str login, bool disabled, struct err *e)
{
	struct account a = { 0 };

	if (operators_only(c, e))
		return -1;
	if (disabled && str_is(login, OPERATOR_ACCOUNT))
		return err_set(e, EPERM, "the account \"%s\" cannot be disabled", OPERATOR_ACCOUNT);
	if (account_load(c, login, &a, e))
		return -1;
	a.disabled = disabled;
	return account_save(c, &a, e);
}

COMMAND(cmd_account_disable)
{
	(void)result;
	return set_disabled(c, ((struct by_name *)in)->name, true, e);
}

COMMAND(cmd_account_enable)
{
	(void)result;
	return set_disabled(c, ((struct by_name *)in)->name, false, e);
}

/* --- keys --- */

COMMAND(cmd_key_add)
{
	struct account_key *k = in;
	struct account a = { 0 };
	struct strs have;

	(void)result;
	if (!k->account.n)
		k->account = c->account;
	if (!str_eq(k->account, c->account) && operators_only(c, e))
		return -1;
	if (k->fingerprint.n != 47 || !k->line.n || k->line.n > 16384)
		return err_set(e, EINVAL, "an SSH public key with its MD5 fingerprint is needed");
	if (account_load(c, k->account, &a, e) ||
	    txn_keys(c->t, c->a, key_prefix(c->a, "K", k->fingerprint, STR_NONE), 1, &have, e))
		return -1;
	if (have.n)
		return err_set(e, EEXIST, "key %.*s is on account %.*s already", STR_ARG(k->fingerprint),
		               STR_ARG(str_drop(have.v[0], 2 + k->fingerprint.n + 1)));
	if (txn_keys(c->t, c->a, key_prefix(c->a, "k", k->account, STR_NONE), KEYS_MAX, &have, e))
		return -1;
	if (have.n >= KEYS_MAX)
		return err_set(e, EINVAL, "account %.*s has %d keys already", STR_ARG(k->account), KEYS_MAX);
	if (!k->name.n)
		k->name = k->fingerprint;
	k->created.ns = c->now_ns;
	return txn_put(c->t, key_make(c->a, "k", k->account, k->fingerprint, STR_NONE), account_key_fields, k, e) ||
	       txn_put_raw(c->t, key_make(c->a, "K", k->fingerprint, k->account, STR_NONE), STR(""), e) ? -1 : 0;
}

struct find_key {
	struct command_env *c;
	struct str          want, found;              /* SHA256: form, or a name; MD5 form */
};

static int find_key(void *ctx, struct str key, struct str val)
{
	struct find_key *f = ctx;
	struct account_key k = { 0 };

	(void)key;
	if (rec_decode(f->c->a, arena_str(f->c->a, val), account_key_fields, &k, NULL) == 0 &&
	    (str_eq(k.sha256, f->want) || str_eq(k.name, f->want)))
		f->found = k.fingerprint;
	return f->found.n != 0;
}

COMMAND(cmd_key_rm)
{
	struct account_key *k = in;
	struct find_key f = { .c = c, .want = k->fingerprint };
	struct account a = { 0 };
	struct str md5 = k->fingerprint;

	(void)result;
	if (!k->account.n)
		k->account = c->account;
	if (!str_eq(k->account, c->account) && operators_only(c, e))
		return -1;
	if (str_starts(md5, STR("MD5:")))
		md5 = str_drop(md5, 4);
	if (account_load(c, k->account, &a, e))
		return -1;
	if (!md5.n)
		return err_set(e, EINVAL, "a key's fingerprint or name is needed");
	if (!txn_has(c->t, key_make(c->a, "k", k->account, md5, STR_NONE))) {
		if (txn_scan(c->t, key_prefix(c->a, "k", k->account, STR_NONE), STR_NONE, find_key, &f, e) < 0)
			return -1;
		md5 = f.found;
	}
	if (!md5.n)
		return err_set(e, ENOENT, "No such key: %.*s", (int)(k->fingerprint.n > 100 ? 100 : k->fingerprint.n),
		               k->fingerprint.p);
	return txn_del(c->t, key_make(c->a, "k", k->account, md5, STR_NONE), e) ||
	       txn_del(c->t, key_make(c->a, "K", md5, k->account, STR_NONE), e) ? -1 : 0;
}
