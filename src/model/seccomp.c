#include "model/seccomp.h"

#include "codec/json.h"
#include "os/caps.h"
#include "os/seccomp.h"

#include <errno.h>

static const struct field arg_fields[] = {
	FIELD(1, profile_arg, index, "index", 0),
	FIELD(2, profile_arg, op,    "op",    0),
	FIELD(3, profile_arg, value, "value", 0),
	FIELD(4, profile_arg, mask,  "mask",  0),
	FIELD_END
};

static const struct field when_fields[] = {
	FIELD(1, profile_when, caps,       "caps",       0),
	FIELD(2, profile_when, arches,     "arches",     0),
	FIELD(3, profile_when, min_kernel, "min_kernel", 0),
	FIELD_END
};

static const struct field call_fields[] = {
	FIELD(1, profile_call, names,  "names",  0),
	FIELD(2, profile_call, action, "action", 0),
	FIELD_LIST(3, profile_call, args, "args", 0, arg_fields, struct profile_arg),
	FIELD_OBJ(4, profile_call, includes, "includes", 0, when_fields),
	FIELD_OBJ(5, profile_call, excludes, "excludes", 0, when_fields),
	FIELD_END
};

const struct field seccomp_profile_fields[] = {
	FIELD(1, seccomp_profile, given,     "given",     0),
	FIELD(2, seccomp_profile, alone,     "alone",     0),
	FIELD(3, seccomp_profile, otherwise, "otherwise", 0),
	FIELD(4, seccomp_profile, flags,     "flags",     0),
	FIELD_LIST(5, seccomp_profile, calls, "calls", 0, call_fields, struct profile_call),
	FIELD_END
};

/* --- as Docker writes it ------------------------------------------------------------------------------ */

struct json_arg { int64_t index; uint64_t value, value_two; struct str op; };
struct json_args { struct json_arg *v; size_t n; };
static const struct field json_arg_fields[] = {
	FIELD(1, json_arg, index,     "index",    0),
	FIELD(2, json_arg, value,     "value",    0),
	FIELD(3, json_arg, value_two, "valueTwo", 0),
	FIELD(4, json_arg, op,        "op",       0),
	FIELD_END
};

struct json_when { struct strs caps, arches; struct str min_kernel; };
static const struct field json_when_fields[] = {
	FIELD(1, json_when, caps,       "caps",      0),
	FIELD(2, json_when, arches,     "arches",    0),
	FIELD(3, json_when, min_kernel, "minKernel", 0),
	FIELD_END
};

struct json_call {
	struct strs names;
	struct str  name, action;
	struct raw  errno_ret;
	struct json_args args;
	struct json_when includes, excludes;
};
struct json_calls { struct json_call *v; size_t n; };
static const struct field json_call_fields[] = {
	FIELD(1, json_call, names,     "names",    0),
	FIELD(2, json_call, name,      "name",     0),
	FIELD(3, json_call, action,    "action",   0),
	FIELD(4, json_call, errno_ret, "errnoRet", 0),
	FIELD_LIST(5, json_call, args, "args",     0, json_arg_fields, struct json_arg),
	FIELD_OBJ(6, json_call, includes, "includes", 0, json_when_fields),
	FIELD_OBJ(7, json_call, excludes, "excludes", 0, json_when_fields),
	FIELD_END
};

struct json_arch { struct str architecture; struct strs sub; };
struct json_arches { struct json_arch *v; size_t n; };
static const struct field json_arch_fields[] = {
	FIELD(1, json_arch, architecture, "architecture",     0),
	FIELD(2, json_arch, sub,          "subArchitectures", 0),
	FIELD_END
};

struct json_profile {
	struct str  default_action, listener_path;
	struct raw  default_errno;
	struct strs architectures, flags;
	struct json_arches arch_map;
	struct json_calls  calls;
};
static const struct field json_profile_fields[] = {
	FIELD(1, json_profile, default_action, "defaultAction",   FIELD_REQUIRED),
	FIELD(2, json_profile, default_errno,  "defaultErrnoRet", 0),
	FIELD(3, json_profile, architectures,  "architectures",   0),
	FIELD(4, json_profile, flags,          "flags",           0),
	FIELD(5, json_profile, listener_path,  "listenerPath",    0),
	FIELD_LIST(6, json_profile, arch_map,  "archMap",         0, json_arch_fields, struct json_arch),
	FIELD_LIST(7, json_profile, calls,     "syscalls",        0, json_call_fields, struct json_call),
	FIELD_END
};

/* --- one into the other ------------------------------------------------------------------------------- */

static int action_parse(struct str name, struct raw number, uint32_t *out, struct err *e)
{
	static const struct { const char *name; uint32_t action; bool number; } table[] = {
		{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false }, { "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false },
		{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false }, { "SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false },
		{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true }, { "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true },
		{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false }, { "SCMP_ACT_LOG", SECCOMP_RET_LOG, false },
	};
	int64_t n = EPERM;
	size_t i = 0, count = sizeof table / sizeof *table;

	if (str_is(name, "SCMP_ACT_NOTIFY"))
		return err_set(e, ENOTSUP, "SCMP_ACT_NOTIFY is not supported: nobody listens");
	while (i < count && !str_is(name, table[i].name))
		i++;
	if (i == count)
		return err_set(e, EINVAL, "there is no action \"%.*s\"", STR_ARG(str_head(name, 40)));
	if (number.json.n && !str_is(number.json, "null") && (!str_to_i64(number.json, &n) || n < 0 || n > 4095))
		return err_set(e, EINVAL, "an error number must be from 0 to 4095");
	*out = table[i].action | (table[i].number ? (uint32_t)n : 0);
	return 0;
}

static bool is_word(struct str s, const char *marks)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
		      strchr(marks, s.p[i])))
			return false;
	return s.n > 0 && s.n <= 40;
}

static int words_check(const struct strs *l, const char *what, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (!is_word(l->v[i], "_"))
			return err_set(e, EINVAL, "%s: \"%.*s\" is not a name", what, STR_ARG(str_head(l->v[i], 40)));
	return l->n > SECCOMP_NAMES_MAX ? err_set(e, EINVAL, "%s: too many names", what) : 0;
}

static int arg_parse(const struct json_arg *j, struct profile_arg *out, struct err *e)
{
	static const char *const ops[] = {
		[SECCOMP_EQ] = "SCMP_CMP_EQ", [SECCOMP_NE] = "SCMP_CMP_NE", [SECCOMP_LT] = "SCMP_CMP_LT", [SECCOMP_LE] = "SCMP_CMP_LE",
		[SECCOMP_GT] = "SCMP_CMP_GT", [SECCOMP_GE] = "SCMP_CMP_GE", [SECCOMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	};
	uint32_t op = 0;

	while (op <= SECCOMP_MASKED_EQ && !str_is(j->op, ops[op]))
		op++;
	if (op > SECCOMP_MASKED_EQ)
		return err_set(e, EINVAL, "args: there is no comparison \"%.*s\"", STR_ARG(str_head(j->op, 40)));
	if (j->index < 0 || j->index > 5)
		return err_set(e, EINVAL, "args: a system call has no argument %lld", (long long)j->index);
	*out = (struct profile_arg){ .index = (uint32_t)j->index, .op = op, .value = j->value };
	if (op == SECCOMP_MASKED_EQ) {                /* the first value is the mask */
		out->mask = j->value;
		out->value = j->value_two;
	}
	return 0;
}

/* "4.8" */
static int kernel_parse(struct str s, uint32_t *out, struct err *e)
{
	struct str major, minor;
	int64_t a, b;

	if (s.n == 0)
		return 0;
	if (!str_cut(s, '.', &major, &minor) || !str_to_i64(major, &a) || !str_to_i64(minor, &b) || a < 1 || a > 255 || b < 0 || b > 65535)
		return err_set(e, EINVAL, "minKernel: \"%.*s\" is not a version such as 4.8", STR_ARG(str_head(s, 20)));
	*out = (uint32_t)(a << 16 | b);
	return 0;
}

static int when_parse(const struct json_when *j, struct profile_when *out, struct err *e)
{
	for (size_t i = 0; i < j->caps.n; i++) {
		int cap = cap_by_name(j->caps.v[i]);

		if (cap < 0)
			return err_set(e, EINVAL, "caps: there is no capability \"%.*s\"", STR_ARG(str_head(j->caps.v[i], 40)));
		out->caps |= UINT64_C(1) << cap;
	}
	out->arches = j->arches;
	return words_check(&j->arches, "arches", e) || kernel_parse(j->min_kernel, &out->min_kernel, e) ? -1 : 0;
}

static int call_parse(struct arena *a, const struct json_call *j, struct profile_call *out, struct err *e)
{
	if (j->name.n && j->names.n)
		return err_set(e, EINVAL, "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'");
	out->names = j->names;
	if (j->name.n)
		strs_add(a, &out->names, j->name);
	if (j->args.n > SECCOMP_ARGS_MAX)
		return err_set(e, EINVAL, "args: more than %d", SECCOMP_ARGS_MAX);
	out->args = (struct profile_args){ arena_new_n(a, struct profile_arg, j->args.n), j->args.n };
	for (size_t i = 0; i < j->args.n; i++)
		if (arg_parse(&j->args.v[i], &out->args.v[i], e))
			return -1;
	return words_check(&out->names, "names", e) || action_parse(j->action, j->errno_ret, &out->action, e) ||
	       when_parse(&j->includes, &out->includes, e) || when_parse(&j->excludes, &out->excludes, e) ? -1 : 0;
}

static int flags_parse(const struct strs *names, uint32_t *out, struct err *e)
{
	for (size_t i = 0; i < names->n; i++) {
		if (str_is(names->v[i], "SECCOMP_FILTER_FLAG_LOG"))
			*out |= SECCOMP_FILTER_FLAG_LOG;
		else if (str_is(names->v[i], "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
			*out |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		else if (!str_is(names->v[i], "SECCOMP_FILTER_FLAG_TSYNC")) /* one thread becomes the container's first process */
			return err_set(e, EINVAL, "flags: \"%.*s\" is not known", STR_ARG(str_head(names->v[i], 40)));
	}
	return 0;
}

/* Architectures are checked and otherwise without effect: only a machine's own calls ever pass (os/seccomp.h). */
static int arches_check(const struct json_profile *j, struct err *e)
{
	if (j->architectures.n && j->arch_map.n)
		return err_set(e, EINVAL, "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or "
			       "'archMap'");
	for (size_t i = 0; i < j->arch_map.n; i++)
		if (!is_word(j->arch_map.v[i].architecture, "_") || words_check(&j->arch_map.v[i].sub, "subArchitectures", e))
			return err_set(e, EINVAL, "archMap: an architecture is not a name");
	return words_check(&j->architectures, "architectures", e);
}

int seccomp_profile_parse(struct arena *a, struct str json, struct seccomp_profile *out, struct err *e)
{
	struct json_profile j = { 0 };
	size_t names = 0;

	*out = (struct seccomp_profile){ .given = true };
	if (json.n > SECCOMP_JSON_MAX)
		return err_set(e, EINVAL, "%zu bytes are too many, at most %d", json.n, SECCOMP_JSON_MAX);
	if (json_decode(a, json, json_profile_fields, &j, e) || arches_check(&j, e))
		return -1;
	if (j.listener_path.n)
		return err_set(e, ENOTSUP, "listenerPath is not supported: nobody listens");
	if (action_parse(j.default_action, j.default_errno, &out->otherwise, e))
		return err_wrap(e, "defaultAction");
	if (flags_parse(&j.flags, &out->flags, e))
		return -1;
	out->calls = (struct profile_calls){ arena_new_n(a, struct profile_call, j.calls.n), j.calls.n };
	for (size_t i = 0; i < j.calls.n; i++) {
		if (call_parse(a, &j.calls.v[i], &out->calls.v[i], e))
			return err_wrap(e, "syscalls[%zu]", i);
		names += out->calls.v[i].names.n * (out->calls.v[i].args.n + 1);
	}
	return names > SECCOMP_NAMES_MAX ? err_set(e, EINVAL, "rules for %zu system calls are too many", names) : 0;
}
