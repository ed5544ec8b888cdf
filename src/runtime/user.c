/* Which user a process runs as: Docker's "user[:group]" against the image's own /etc/passwd and /etc/group. The files are
 * hostile; this runs inside the container's user namespace. */
#include "runtime/parts.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>

#define ID_MAX 0x7fffffff
#define FILE_MAX (4 << 20)

/* Fields of "a:b:c:..." into v[]; the count found. */
static size_t split(struct str line, struct str *v, size_t max)
{
	size_t n = 0;

	while (n < max && str_next(&line, ':', &v[n]))
		n++;
	return n;
}

static bool to_id(struct str s, uint32_t *id)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v > ID_MAX)
		return false;
	*id = (uint32_t)v;
	return true;
}

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static void add_group(struct user *u, uint32_t gid)
{
	for (size_t i = 0; i < u->ngroups; i++)
		if (u->groups[i] == gid)
			return;
	if (u->ngroups < USER_GROUPS_MAX)
		u->groups[u->ngroups++] = gid;
}

static void keep(char *to, size_t cap, struct str s)
{
	if (s.n < cap && !str_has_nul(s)) {
		memcpy(to, s.p, s.n);
		to[s.n] = 0;
	}
}

static bool find_passwd(struct str passwd, struct str who, bool by_number, struct user *u)
{
	struct str line, f[7];
	uint32_t want = 0, uid, gid;

	if (by_number && !to_id(who, &want))
		return false;
	while (str_next(&passwd, '\n', &line)) {
		size_t n = split(line, f, 7);

		if (n < 4 || !to_id(f[2], &uid) || !to_id(f[3], &gid))
			continue;
		if (by_number ? uid != want : !str_eq(f[0], who))
			continue;
		u->uid = uid;
		u->gid = gid;
		keep(u->name, sizeof u->name, f[0]);
		if (n > 5)
			keep(u->home, sizeof u->home, f[5]);
		return true;
	}
	return false;
}

static bool find_group(struct str group, struct str name, uint32_t *gid)
{
	struct str line, f[4];

	while (str_next(&group, '\n', &line))
		if (split(line, f, 4) >= 3 && str_eq(f[0], name) && to_id(f[2], gid))
			return true;
	return false;
}

static void add_memberships(struct str group, struct user *u)
{
	struct str line, f[4], member;
	uint32_t gid;

	while (str_next(&group, '\n', &line)) {
		if (split(line, f, 4) < 4 || !to_id(f[2], &gid))
			continue;
		while (str_next(&f[3], ',', &member))
			if (str_is(member, u->name))
				add_group(u, gid);
	}
}

int user_resolve(struct str passwd, struct str group, struct str spec, const struct strs *extra, struct user *u, struct err *e)
{
	struct str who, grp;
	bool has_group;

	*u = (struct user){ 0 };
	keep(u->home, sizeof u->home, STR("/"));
	has_group = str_cut(spec, ':', &who, &grp) && grp.n > 0;
	if (who.n == 0)
		who = STR("0");
	/* A name of digits only is a name first, as in getpwnam; then a number. */
	if (!find_passwd(passwd, who, false, u) && !(all_digits(who) && find_passwd(passwd, who, true, u))) {
		if (!all_digits(who))
			return err_set(e, EINVAL, "unable to find user %.*s: no matching entries in passwd file", STR_ARG(str_head(who, 64)));
		if (!to_id(who, &u->uid))
			return err_set(e, EINVAL, "uids and gids must be in range 0-%d", ID_MAX);
	}
	if (has_group) {
		if (!find_group(group, grp, &u->gid) && !to_id(grp, &u->gid))
			return err_set(e, EINVAL, "unable to find group %.*s: no matching entries in group file", STR_ARG(str_head(grp, 64)));
	}
	if (!has_group && u->name[0])
		add_memberships(group, u);
	for (size_t i = 0; i < extra->n; i++) {
		uint32_t gid;

		if (!find_group(group, extra->v[i], &gid) && !to_id(extra->v[i], &gid))
			return err_set(e, EINVAL, "unable to find group %.*s: no matching entries in group file",
				STR_ARG(str_head(extra->v[i], 64)));
		add_group(u, gid);
	}
	return 0;
}

int user_find(int root, struct str spec, const struct strs *extra, struct user *u, struct err *e)
{
	auto_arena a = ARENA_INIT;
	static const char *const names[] = { "/etc/passwd", "/etc/group" };
	struct str text[2] = { STR_NONE, STR_NONE };

	for (int i = 0; i < 2; i++) {
		auto_fd fd = path_root_open(root, names[i], O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
		struct stat st;
		char *p;
		ssize_t n;

		if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
			continue;                     /* an image without the file: numbers still work */
		if (st.st_size > FILE_MAX)
			return err_set(e, EFBIG, "%s of the image is longer than %d bytes", names[i], FILE_MAX);
		p = arena_alloc(&a, (size_t)st.st_size + 1);
		n = fd_read_full(fd, p, (size_t)st.st_size);
		if (n > 0)
			text[i] = str_make(p, (size_t)n);
	}
	return user_resolve(text[0], text[1], spec, extra, u, e);
}
