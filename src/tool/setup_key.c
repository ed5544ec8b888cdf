#include "tool/setup_key.h"

#include "os/fd.h"
#include "tool/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_file(struct arena *a, const char *path, struct str *out, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? err_set(e, ENOENT, "%s does not exist", path) : err_sys(e, "cannot read %s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s is not a file", path);
	if (st.st_size > PRIVKEY_FILE_MAX)
		return err_set(e, EINVAL, "%s is too long to be a key", path);
	char *p = arena_alloc(a, (size_t)st.st_size + 1);

	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, p + n, (size_t)st.st_size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "cannot read %s", path);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*out = str_make(p, n);
	return 0;
}

/* --- private key files -------------------------------------------------------------------------------- */

static int ask_and_parse(struct arena *a, const char *path, struct str file, struct privkey *k, struct err *e)
{
	struct buf pass = BUF_INIT(2048);
	struct err why = { 0 };
	int rc;

	if (tty_secret(arena_printf(a, "Passphrase for %s: ", path).p, &pass, &why)) {
		buf_wipe(&pass);
		return err_set(e, why.code, "%s has a passphrase: %s; add the key to an ssh-agent and give its .pub file or fingerprint", path,
			       why.msg);
	}
	rc = privkey_parse(a, file, buf_as_str(&pass), k, e);
	buf_wipe(&pass);
	return rc ? err_wrap(e, "%s", path) : 0;
}

static int from_file(struct arena *a, const char *path, struct str file, struct setup_key *k, struct err *e)
{
	int rc = privkey_parse(a, file, STR_NONE, &k->priv, e);

	if (rc && e->code == ENOKEY)
		rc = ask_and_parse(a, path, file, &k->priv, e);
	else if (rc)
		err_wrap(e, "%s", path);
	secret_wipe((void *)file.p, file.n);
	if (rc)
		return -1;
	k->by = privkey_signer(&k->priv);
	k->shown = arena_printf(a, "%.*s (%s)", STR_ARG(pubkey_sha256(a, &k->priv.pub)), path);
	return 0;
}

/* --- the agent ---------------------------------------------------------------------------------------- */

static bool fingerprint_is(struct arena *a, const struct pubkey *k, struct str text)
{
	if (str_starts(text, STR("MD5:")))
		text = str_drop(text, 4);
	while (text.n && text.p[text.n - 1] == '=')
		text.n--;                             /* base64 copied with its padding */
	return str_eq(text, pubkey_sha256(a, k)) || str_eq_nocase(text, pubkey_md5(a, k));
}

static bool looks_like_fingerprint(struct str text)
{
	return str_starts(text, STR("SHA256:")) || str_starts(text, STR("MD5:")) || (text.n == 47 && str_find(text, ':') == 2);
}

/* By key, or by fingerprint when `key` is NULL. */
static int from_agent(struct arena *a, const struct pubkey *key, const char *text, struct setup_key *k, struct err *e)
{
	struct agent_keys all;

	if (agent_open(&k->agent, e) || agent_list(a, &k->agent, &all, e))
		return err_wrap(e, "the private half of %s must be in an ssh-agent", text);
	for (size_t i = 0; i < all.n; i++) {
		if (key ? !pubkey_eq(key, &all.v[i].key) : !fingerprint_is(a, &all.v[i].key, str_of(text)))
			continue;
		k->agent.key = all.v[i].key;
		k->by = agent_signer(&k->agent);
		k->shown = arena_printf(a, "%.*s (ssh-agent)", STR_ARG(pubkey_sha256(a, &k->agent.key)));
		return 0;
	}
	return err_set(e, ENOENT, "the ssh-agent does not hold %s; add it with ssh-add", text);
}

/* A .pub file: the agent has the private half, or it lies beside the file. */
static int from_public(struct arena *a, const char *path, struct str line, struct setup_key *k, struct err *e)
{
	struct str name = str_of(path), file;
	struct pubkey key;
	struct err why = { 0 };

	if (pubkey_parse_line(a, line, &key, NULL, e))
		return err_wrap(e, "%s", path);
	if (from_agent(a, &key, path, k, e) == 0)
		return 0;
	agent_close(&k->agent);
	if (!str_ends(name, STR(".pub")))
		return -1;
	name.n -= 4;
	path = arena_cstr(a, name);
	if (access(path, F_OK) || read_file(a, path, &file, &why))
		return -1;                            /* e: what the agent said */
	if (from_file(a, path, file, k, e))
		return -1;
	return pubkey_eq(&key, k->by.pub) ? 0 : err_set(e, EINVAL, "%s.pub does not belong to %s", path, path);
}

/* --- choosing ----------------------------------------------------------------------------------------- */

static const char *usual_file(struct arena *a)
{
	static const char *const names[] = { "id_ed25519", "id_ecdsa", "id_rsa" };
	const char *home = getenv("HOME");

	for (size_t i = 0; home && i < 3; i++) {
		const char *path = arena_printf(a, "%s/.ssh/%s", home, names[i]).p;

		if (access(path, F_OK) == 0)
			return path;
	}
	return NULL;
}

static bool is_public(struct str file)
{
	return str_starts(file, STR("ssh-")) || str_starts(file, STR("ecdsa-")) || str_starts(file, STR("sk-"));
}

int setup_key_open(struct arena *a, const char *text, struct setup_key *k, struct err *e)
{
	struct str file;

	*k = (struct setup_key){ .agent.fd = -1 };
	if (!text)
		text = usual_file(a);
	if (!text)
		return err_set(e, ENOENT, "which SSH key is yours? Give a private key file, a .pub file or a fingerprint with -k");
	if (looks_like_fingerprint(str_of(text)) && access(text, F_OK))
		return from_agent(a, NULL, text, k, e);
	if (read_file(a, text, &file, e))
		return -1;
	return is_public(file) ? from_public(a, text, file, k, e) : from_file(a, text, file, k, e);
}

void setup_key_close(struct setup_key *k)
{
	privkey_wipe(&k->priv);
	agent_close(&k->agent);
}
