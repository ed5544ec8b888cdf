/* Allow-lists to BPF; see seccomp.h. The numbers are cut into ranges of one outcome each, and the ranges become
 * the leaves of a balanced tree of comparisons. */
#include "os/seccomp.h"

#include "os/caps.h"

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH        AUDIT_ARCH_X86_64
#define NUMBER(x, a) (x)
#define X32_BIT     0x40000000u
#elif defined(__aarch64__)
#define ARCH        AUDIT_ARCH_AARCH64
#define NUMBER(x, a) (a)
#else
#error "system call numbers of this architecture are not in os/syscalls.h"
#endif

/* ---- names and numbers ---- */

#define ALWAYS  UINT64_MAX
#define NEVER   0
#define SPECIAL (UINT64_C(1) << 63)
#define CAP(x)  CAP_BIT(x)

static const struct call {
	struct str name;
	int        nr;
	uint64_t   who;                               /* capabilities, one of which suffices */
} calls[] = {
#define S(name, x, a, who) { { #name, sizeof #name - 1 }, NUMBER(x, a), who },
#include "os/syscalls.h"
#undef S
};

#define NCALLS (sizeof calls / sizeof calls[0])

int syscall_number(struct str name)
{
	size_t i;

	for (i = 0; i < NCALLS; i++)
		if (str_eq(name, calls[i].name))
			return calls[i].nr;
	return SYSCALL_UNKNOWN;
}

const char *syscall_name(int nr)
{
	size_t i;

	for (i = 0; i < NCALLS && nr >= 0; i++)
		if (calls[i].nr == nr)
			return calls[i].name.p;
	return NULL;
}

static int last_number(void)
{
	int last = 0;
	size_t i;

	for (i = 0; i < NCALLS; i++)
		if (calls[i].nr > last)
			last = calls[i].nr;
	return last;
}

/* ---- the compiler ---- */

struct range {                                        /* from `first` to the next range's first */
	uint32_t                   first;
	uint32_t                   action;
	const struct seccomp_rule **rules;            /* `nrules` of them look at arguments */
	size_t                     nrules;
};

struct code {
	struct sock_filter *v;                        /* filled from its end */
	size_t n, room;
	bool   full;
};

/* Emission goes backwards, from the last instruction to the first: every jump leads forward, so its target and distance
 * are known when it is written. Positions count from the end. */
static size_t emit(struct code *c, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (c->n == c->room) {
		c->full = true;
		return c->n;
	}
	c->v[c->room - ++c->n] = (struct sock_filter){ op, jt, jf, k };
	return c->n;
}

static size_t ret(struct code *c, uint32_t action)
{
	return emit(c, BPF_RET | BPF_K, action, 0, 0);
}

#define JUMP_MAX 250                                  /* 255, less what a long jump for the other way puts between */

/* A conditional jump from the next position to two earlier ones; what is out of the reach of 8 bits goes by a long jump. */
static size_t jump(struct code *c, uint16_t op, uint32_t k, size_t yes, size_t no)
{
	if (c->n - no > JUMP_MAX)
		no = emit(c, BPF_JMP | BPF_JA, c->n - no, 0, 0);
	if (c->n - yes > JUMP_MAX)
		yes = emit(c, BPF_JMP | BPF_JA, c->n - yes, 0, 0);
	return emit(c, BPF_JMP | op | BPF_K, k, c->n - yes, c->n - no);
}

static size_t load(struct code *c, size_t offset)
{
	return emit(c, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

#define LOW  (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4)
#define HIGH (4 - LOW)

/* One condition; both words are compared, the high one first. */
static size_t condition(struct code *c, const struct seccomp_cond *d, size_t yes, size_t no)
{
	size_t at = offsetof(struct seccomp_data, args) + 8 * d->arg, low, swap;
	uint32_t vh = d->value >> 32, vl = (uint32_t)d->value, mh = d->mask >> 32, ml = (uint32_t)d->mask;
	enum seccomp_op op = d->op;

	if (op == SECCOMP_NE || op == SECCOMP_LT || op == SECCOMP_LE) { /* each the opposite of one of the others */
		swap = yes, yes = no, no = swap;
		op = op == SECCOMP_NE ? SECCOMP_EQ : op == SECCOMP_LT ? SECCOMP_GE : SECCOMP_GT;
	}
	if (op == SECCOMP_EQ || op == SECCOMP_MASKED_EQ) {
		jump(c, BPF_JEQ, vl, yes, no);
		if (op == SECCOMP_MASKED_EQ)
			emit(c, BPF_ALU | BPF_AND | BPF_K, ml, 0, 0);
		low = load(c, at + LOW);
		if (op == SECCOMP_MASKED_EQ && !mh && !vh)
			return low;
		jump(c, BPF_JEQ, vh, low, no);
		if (op == SECCOMP_MASKED_EQ)
			emit(c, BPF_ALU | BPF_AND | BPF_K, mh, 0, 0);
		return load(c, at + HIGH);
	}
	jump(c, op == SECCOMP_GT ? BPF_JGT : BPF_JGE, vl, yes, no);
	low = load(c, at + LOW);
	low = jump(c, BPF_JEQ, vh, low, no);
	jump(c, BPF_JGT, vh, yes, low);
	return load(c, at + HIGH);
}

static size_t leaf(struct code *c, const struct range *r)
{
	size_t next = ret(c, r->action), yes, i, k;

	for (i = r->nrules; i-- > 0;) {
		yes = ret(c, r->rules[i]->action);
		for (k = r->rules[i]->nconds; k-- > 0;)
			yes = condition(c, &r->rules[i]->conds[k], yes, next);
		next = yes;
	}
	return next;
}

static size_t tree(struct code *c, const struct range *r, size_t n)
{
	size_t high, low;

	if (n == 1)
		return leaf(c, r);
	high = tree(c, r + n / 2, n - n / 2);
	low = tree(c, r, n / 2);
	return jump(c, BPF_JGE, r[n / 2].first, high, low);
}

#define NUMBERS 4096                                  /* more than the kernel will have for a while */

/* Sorted by number, rules of one number in their order: by counting, because this is on the path of every start. */
static const struct seccomp_rule **sort(struct arena *a, const struct seccomp_rule *rules, size_t n)
{
	const struct seccomp_rule **sorted = arena_array(a, n, sizeof *sorted);
	uint16_t at[NUMBERS + 1] = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		at[rules[i].nr + 1]++;
	for (i = 1; i <= NUMBERS; i++)
		at[i] += at[i - 1];
	for (i = 0; i < n; i++)
		sorted[at[rules[i].nr]++] = &rules[i];
	return sorted;
}

struct ranges {
	struct range *v;
	size_t n;
};

/* The new range begins at `first`; one that says the same as the last is swallowed. */
static void add_range(struct ranges *l, uint32_t first, uint32_t action, const struct seccomp_rule **rules, size_t n)
{
	struct range *last = l->n ? &l->v[l->n - 1] : NULL;

	if (last && last->first == first)
		l->n--, last = l->n ? &l->v[l->n - 1] : NULL;
	if (last && !n && !last->nrules && last->action == action)
		return;
	l->v[l->n++] = (struct range){ first, action, rules, n };
}

/* The rules of one number, sorted together: an unconditional one ends the list and is its outcome. */
static void add_call(struct ranges *l, const struct seccomp_rule **r, size_t n, uint32_t otherwise)
{
	size_t conditional = 0;

	while (conditional < n && r[conditional]->nconds)
		conditional++;
	if (conditional < n)
		otherwise = r[conditional]->action;
	add_range(l, r[0]->nr, otherwise, r, conditional);
}

static struct ranges make_ranges(struct arena *a, const struct seccomp_rule *rules, size_t n, uint32_t otherwise, int last)
{
	const struct seccomp_rule **sorted = sort(a, rules, n);
	struct ranges l = { arena_array(a, 2 * n + 4, sizeof *l.v), 0 };
	size_t i, k;

	add_range(&l, 0, otherwise, NULL, 0);
	for (i = 0; i < n; i = k) {
		for (k = i; k < n && sorted[k]->nr == sorted[i]->nr; k++)
			;
		add_call(&l, sorted + i, k - i, otherwise);
		add_range(&l, sorted[i]->nr + 1, otherwise, NULL, 0);
	}
	if (last >= 0)
		add_range(&l, last + 1, SECCOMP_ERRNO(ENOSYS), NULL, 0);
#ifdef X32_BIT
	add_range(&l, X32_BIT, SECCOMP_RET_KILL_PROCESS, NULL, 0);
#endif
	return l;
}

/* Enough instructions for these ranges, or all that the kernel takes. */
static size_t code_room(const struct ranges *l)
{
	size_t n = 8, i, k;

	for (i = 0; i < l->n; i++)
		for (n += 4, k = 0; k < l->v[i].nrules; k++)
			n += 1 + 12 * l->v[i].rules[k]->nconds;
	return n < BPF_MAXINSNS ? n : BPF_MAXINSNS;
}

static int check_rules(const struct seccomp_rule *r, size_t n, int last, struct err *e)
{
	size_t i, k;

	if (n > UINT16_MAX)
		return err_set(e, E2BIG, "a system call filter of %zu rules", n);

	for (i = 0; i < n; i++) {
		if (r[i].nr < 0 || r[i].nr >= NUMBERS || (last >= 0 && r[i].nr > last) || r[i].nconds > SECCOMP_CONDS_MAX)
			return err_set(e, EINVAL, "a system call filter with a rule for number %d", r[i].nr);
		for (k = 0; k < r[i].nconds; k++)
			if (r[i].conds[k].arg > 5 || r[i].conds[k].op > SECCOMP_MASKED_EQ)
				return err_set(e, EINVAL, "a system call filter with a condition on argument %u", r[i].conds[k].arg);
	}
	return 0;
}

int seccomp_compile(struct arena *a, const struct seccomp_rule *rules, size_t n, uint32_t otherwise, int last,
                    struct sock_fprog *out, struct err *e)
{
	struct code c = { 0 };
	struct ranges l;
	size_t body, wrong;

	if (check_rules(rules, n, last, e))
		return -1;
	l = make_ranges(a, rules, n, otherwise, last);
	c.room = code_room(&l);
	c.v = arena_array(a, c.room, sizeof *c.v);
	tree(&c, l.v, l.n);
	body = load(&c, offsetof(struct seccomp_data, nr));
	wrong = ret(&c, SECCOMP_RET_KILL_PROCESS);
	jump(&c, BPF_JEQ, ARCH, body, wrong);
	load(&c, offsetof(struct seccomp_data, arch));
	if (c.full)
		return err_set(e, E2BIG, "a system call filter of more than %d instructions", BPF_MAXINSNS);
	*out = (struct sock_fprog){ c.n, c.v + c.room - c.n };
	return 0;
}

/* ---- programs ---- */

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

struct rules {
	struct seccomp_rule *v;
	size_t n;
};

/* Numbers below 0 (not on this architecture) are left out. */
static struct seccomp_rule *add_rule(struct rules *l, int nr, uint32_t action)
{
	struct seccomp_rule *r = &l->v[l->n];

	r->nr = nr;
	r->action = action;
	if (nr >= 0)
		l->n++;
	return r;
}

static void add_if(struct rules *l, int nr, const struct seccomp_cond *cond, uint32_t action)
{
	struct seccomp_rule *r = add_rule(l, nr, action);

	r->conds = cond;
	r->nconds = 1;
}

/* linux, linux32, uname26, both, and what only asks */
static const struct seccomp_cond personalities[] = {
	{ 0, SECCOMP_EQ, 0, 0 }, { 0, SECCOMP_EQ, 8, 0 }, { 0, SECCOMP_EQ, 0x20000, 0 }, { 0, SECCOMP_EQ, 0x20008, 0 },
	{ 0, SECCOMP_EQ, 0xffffffff, 0 },
};
/* The host's other end, and the kernel's ciphers. The kernel looks at the lower half of the argument only. */
static const struct seccomp_cond no_families[] = {
	{ 0, SECCOMP_MASKED_EQ, AF_VSOCK, 0xffffffff }, { 0, SECCOMP_MASKED_EQ, AF_ALG, 0xffffffff },
};
static const struct seccomp_cond no_namespaces = { 0, SECCOMP_MASKED_EQ, 0, NAMESPACES };
static const struct seccomp_cond only_threads = { 0, SECCOMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD | NAMESPACES };

/* Namespaces only with CAP_SYS_ADMIN; clone3 hides its flags behind a pointer, so programs are sent back to clone. */
static void add_special(struct rules *l, uint64_t caps)
{
	size_t i;

	for (i = 0; i < sizeof personalities / sizeof *personalities; i++)
		add_if(l, SYS_personality, &personalities[i], SECCOMP_RET_ALLOW);
	for (i = 0; i < sizeof no_families / sizeof *no_families; i++)
		add_if(l, SYS_socket, &no_families[i], SECCOMP_ERRNO(EPERM));
	add_rule(l, SYS_socket, SECCOMP_RET_ALLOW);
	if (caps & CAP_BIT(SYS_ADMIN)) {
		add_rule(l, SYS_clone, SECCOMP_RET_ALLOW);
		add_rule(l, SYS_clone3, SECCOMP_RET_ALLOW);
	} else {
		add_if(l, SYS_clone, &no_namespaces, SECCOMP_RET_ALLOW);
		add_rule(l, SYS_clone3, SECCOMP_ERRNO(ENOSYS));
	}
}

int seccomp_container_program(struct arena *a, uint64_t caps, struct sock_fprog *out, struct err *e)
{
	struct rules l = { arena_array(a, NCALLS + 16, sizeof *l.v), 0 };
	size_t i;

	for (i = 0; i < NCALLS; i++)
		if (calls[i].who == ALWAYS || (calls[i].who != SPECIAL && calls[i].who & caps))
			add_rule(&l, calls[i].nr, SECCOMP_RET_ALLOW);
	add_special(&l, caps);
	return seccomp_compile(a, l.v, l.n, SECCOMP_ERRNO(EPERM), last_number(), out, e);
}

int seccomp_names_program(struct arena *a, const char *const *names, uint32_t otherwise, struct sock_fprog *out, struct err *e)
{
	struct rules l = { 0 };
	size_t n = 0;
	int nr;

	while (names[n])
		n++;
	l.v = arena_array(a, n + 1, sizeof *l.v);
	for (; *names; names++) {
		if (strcmp(*names, "thread-clone") == 0) {
			add_if(&l, SYS_clone, &only_threads, SECCOMP_RET_ALLOW);
			continue;
		}
		nr = syscall_number(str_of(*names));
		if (nr == SYSCALL_UNKNOWN)
			return err_set(e, EINVAL, "there is no system call %s", *names);
		add_rule(&l, nr, SECCOMP_RET_ALLOW);
	}
	return seccomp_compile(a, l.v, l.n, otherwise, -1, out, e);
}

int seccomp_install(const struct sock_fprog *p, unsigned flags, struct err *e)
{
	long tid = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, p);

	if (tid > 0)
		return err_set(e, EBUSY, "thread %ld has a system call filter of its own", tid);
	return tid < 0 ? err_sys(e, "install a system call filter of %u instructions", p->len) : 0;
}
