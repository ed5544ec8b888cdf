/* Compiled to a small program whose states are all followed at once (Thompson 1968): each byte of the text is looked at once for
 * each instruction. */
#include "sched/regex.h"

#include <errno.h>

#define DEPTH_MAX 32                                  /* nested groups */

enum { R_SET, R_ANY, R_BEGIN, R_END, R_SPLIT, R_JUMP, R_MATCH };

struct instr {
	int      op;
	int      x, y;                                /* where it goes on: SPLIT both, JUMP x */
	uint32_t set[8];
};

struct regex {
	struct instr *code;
	int           n;
};

/* Every byte of a pattern makes at most three instructions. */
#define CODE_MAX (REGEX_MAX * 3 + 2)

struct compiler {
	struct arena *a;
	struct regex *r;
	struct str    rest;
	int           depth;
	bool          fold;                           /* (?i) */
	struct err   *e;
};

static int emit(struct compiler *c, int op)
{
	c->r->code[c->r->n] = (struct instr){ .op = op };
	return c->r->n++;
}

/* Make room for one instruction at `at`; what points behind it moves along. */
static void insert(struct compiler *c, int at)
{
	struct regex *r = c->r;

	memmove(&r->code[at + 1], &r->code[at], (size_t)(r->n - at) * sizeof(*r->code));
	r->n++;
	r->code[at] = (struct instr){ .op = R_SPLIT };
	for (int i = at + 1; i < r->n; i++) {
		if (r->code[i].op == R_SPLIT || r->code[i].op == R_JUMP)
			r->code[i].x += r->code[i].x >= at;
		if (r->code[i].op == R_SPLIT)
			r->code[i].y += r->code[i].y >= at;
	}
}

static void set_add(struct instr *i, unsigned char b)
{
	i->set[b / 32] |= 1u << b % 32;
}

static void set_fold(struct instr *i)
{
	for (int b = 'a'; b <= 'z'; b++) {
		bool has = i->set[b / 32] >> b % 32 & 1 || i->set[(b - 32) / 32] >> (b - 32) % 32 & 1;

		if (has) {
			set_add(i, (unsigned char)b);
			set_add(i, (unsigned char)(b - 32));
		}
	}
}

/* What \d and its like stand for; false when `letter` is none of them. */
static bool set_class(struct instr *i, char letter)
{
	struct instr s = { 0 };

	for (int b = 0; b < 256; b++) {
		bool digit = b >= '0' && b <= '9', alpha = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
		bool blank = b == ' ' || (b >= '\t' && b <= '\r');

		switch (letter) {
		case 'd': case 'D':
			if (digit == (letter == 'd'))
				set_add(&s, (unsigned char)b);
			break;
		case 'w': case 'W':
			if ((digit || alpha || b == '_') == (letter == 'w'))
				set_add(&s, (unsigned char)b);
			break;
		case 's': case 'S':
			if (blank == (letter == 's'))
				set_add(&s, (unsigned char)b);
			break;
		default:
			return false;
		}
	}
	for (int k = 0; k < 8; k++)
		i->set[k] |= s.set[k];
	return true;
}

static bool take(struct compiler *c, char *out)
{
	if (!c->rest.n)
		return false;
	*out = c->rest.p[0];
	c->rest = str_drop(c->rest, 1);
	return true;
}

static bool take_if(struct compiler *c, char want)
{
	char ignored;

	return c->rest.n && c->rest.p[0] == want && take(c, &ignored);
}

/* After a backslash: a class into the set (0), or one byte (1). */
static int escape(struct compiler *c, struct instr *i, char *out)
{
	if (!take(c, out))
		return err_set(c->e, EINVAL, "it ends in a backslash");
	if (set_class(i, *out))
		return 0;
	if ((*out >= '0' && *out <= '9') || (*out >= 'a' && *out <= 'z') || (*out >= 'A' && *out <= 'Z'))
		return err_set(c->e, EINVAL, "\\%c is not supported", *out);
	return 1;
}

static int bracket(struct compiler *c)
{
	struct instr i = { .op = R_SET };
	bool not_ = take_if(c, '^'), first = true;
	char from, to;

	for (;; first = false) {
		if (!take(c, &from))
			return err_set(c->e, EINVAL, "[ without ]");
		if (from == ']' && !first)
			break;
		if (from == '[' && c->rest.n && c->rest.p[0] == ':')
			return err_set(c->e, EINVAL, "[:classes:] are not supported");
		if (from == '\\') {
			int one = escape(c, &i, &from);

			if (one < 0)
				return -1;
			if (one == 0)
				continue;
		}
		to = from;
		if (c->rest.n >= 2 && c->rest.p[0] == '-' && c->rest.p[1] != ']') {
			take(c, &to);
			take(c, &to);
			if (to == '\\' && escape(c, &i, &to) != 1)
				return err_set(c->e, EINVAL, "a range ends in no character");
			if ((unsigned char)to < (unsigned char)from)
				return err_set(c->e, EINVAL, "range %c-%c is backwards", from, to);
		}
		for (int b = (unsigned char)from; b <= (unsigned char)to; b++)
			set_add(&i, (unsigned char)b);
	}
	if (c->fold)
		set_fold(&i);
	for (int k = 0; not_ && k < 8; k++)
		i.set[k] = ~i.set[k];
	c->r->code[emit(c, R_SET)] = i;
	return 0;
}

static int alternatives(struct compiler *c);

static int group(struct compiler *c)
{
	if (++c->depth > DEPTH_MAX)
		return err_set(c->e, EINVAL, "its groups are nested too deeply");
	if (take_if(c, '?') && !take_if(c, ':'))
		return err_set(c->e, EINVAL, "of groups that begin with (? only (?: and a leading (?i) are supported");
	if (alternatives(c))
		return -1;
	if (!take_if(c, ')'))
		return err_set(c->e, EINVAL, "( without )");
	c->depth--;
	return 0;
}

static int atom(struct compiler *c)
{
	struct instr i = { .op = R_SET };
	char b;
	int one;

	take(c, &b);
	switch (b) {
	case '(':
		return group(c);
	case '[':
		return bracket(c);
	case '.':
		emit(c, R_ANY);
		return 0;
	case '^':
		emit(c, R_BEGIN);
		return 0;
	case '$':
		emit(c, R_END);
		return 0;
	case '*': case '+': case '?':
		return err_set(c->e, EINVAL, "nothing stands before %c", b);
	case '{':
		return err_set(c->e, EINVAL, "counted repetition {} is not supported");
	case '\\':
		one = escape(c, &i, &b);
		if (one < 0)
			return -1;
		if (one)
			set_add(&i, (unsigned char)b);
		break;
	default:
		set_add(&i, (unsigned char)b);
	}
	if (c->fold)
		set_fold(&i);
	c->r->code[emit(c, R_SET)] = i;
	return 0;
}

static int repeated(struct compiler *c)
{
	int at = c->r->n, jump;
	char how;

	if (atom(c))
		return -1;
	if (!c->rest.n || !strchr("*+?{", c->rest.p[0]))
		return 0;
	take(c, &how);
	if (how == '{')
		return err_set(c->e, EINVAL, "counted repetition {} is not supported");
	if (how == '+') {
		jump = emit(c, R_SPLIT);
		c->r->code[jump].x = at;
		c->r->code[jump].y = jump + 1;
	} else {
		insert(c, at);
		if (how == '*')
			c->r->code[emit(c, R_JUMP)].x = at;
		c->r->code[at].x = at + 1;
		c->r->code[at].y = c->r->n;
	}
	take_if(c, '?');                              /* lazy: the same when only "does it match" is asked */
	if (c->rest.n && strchr("*+?", c->rest.p[0]))
		return err_set(c->e, EINVAL, "%c stands after a repetition", c->rest.p[0]);
	return 0;
}

static int alternatives(struct compiler *c)
{
	int at = c->r->n, jump;

	while (c->rest.n && c->rest.p[0] != '|' && c->rest.p[0] != ')')
		if (repeated(c))
			return -1;
	if (!take_if(c, '|'))
		return 0;
	insert(c, at);
	jump = emit(c, R_JUMP);
	c->r->code[at].x = at + 1;
	c->r->code[at].y = jump + 1;
	if (alternatives(c))
		return -1;
	c->r->code[jump].x = c->r->n;
	return 0;
}

struct regex *regex_compile(struct arena *a, struct str pattern, struct err *e)
{
	struct compiler c = { .a = a, .r = arena_new(a, struct regex), .rest = pattern, .e = e };

	if (pattern.n > REGEX_MAX)
		return err_set_null(e, EINVAL, "it is longer than %d bytes", REGEX_MAX);
	if (str_starts(c.rest, STR("(?i)"))) {
		c.fold = true;
		c.rest = str_drop(c.rest, 4);
	}
	c.r->code = arena_new_n(a, struct instr, CODE_MAX);
	if (alternatives(&c))
		return NULL;
	if (c.rest.n)
		return err_set_null(e, EINVAL, ") without (");
	emit(&c, R_MATCH);
	return c.r;
}

/* --- matching --- */

struct states { int v[CODE_MAX]; int n; uint32_t mark[CODE_MAX / 32 + 1]; };

/* Follow what takes no byte. Each state is entered once, so the stack holds each at most once from either side. */
static void enter(const struct regex *r, struct states *s, int from, bool begin, bool end)
{
	int stack[CODE_MAX * 2], depth = 0;

	stack[depth++] = from;
	while (depth) {
		int i = stack[--depth];
		const struct instr *in = &r->code[i];

		if (s->mark[i / 32] >> i % 32 & 1)
			continue;
		s->mark[i / 32] |= 1u << i % 32;
		if (in->op == R_JUMP || in->op == R_SPLIT)
			stack[depth++] = in->x;
		if (in->op == R_SPLIT)
			stack[depth++] = in->y;
		if ((in->op == R_BEGIN && begin) || (in->op == R_END && end))
			stack[depth++] = i + 1;
		s->v[s->n++] = i;
	}
}

bool regex_search(const struct regex *r, struct str text)
{
	struct states two[2] = { 0 }, *now = &two[0], *next = &two[1], *other;

	for (size_t at = 0;; at++) {
		enter(r, now, 0, at == 0, at == text.n);
		for (int k = 0; k < now->n; k++)
			if (r->code[now->v[k]].op == R_MATCH)
				return true;
		if (at == text.n)
			return false;
		for (int k = 0; k < now->n; k++) {
			const struct instr *in = &r->code[now->v[k]];
			unsigned char b = (unsigned char)text.p[at];

			if (in->op == R_ANY || (in->op == R_SET && in->set[b / 32] >> b % 32 & 1))
				enter(r, next, now->v[k] + 1, false, at + 1 == text.n);
		}
		other = now;
		now = next;
		next = other;
		*next = (struct states){ 0 };
	}
}
