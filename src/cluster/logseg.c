#include "cluster/logseg.h"

#include "cluster/crc32c.h"

#define SECTOR 512u

void logseg_put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

void logseg_put64(unsigned char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

uint32_t logseg_get32(const void *v)
{
	const unsigned char *p = v;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t logseg_get64(const void *v)
{
	return logseg_get32(v) | (uint64_t)logseg_get32((const char *)v + 4) << 32;
}

bool logseg_all_zero(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i])
			return false;
	return true;
}

bool logseg_header(struct str s, uint64_t *first, uint32_t *chain, uint32_t *salt)
{
	if (s.n < SEGMENT_HEADER || memcmp(s.p, SEGMENT_MAGIC, 8) != 0 || logseg_get32(s.p + 28) != crc32c(0, s.p, 28))
		return false;
	*first = logseg_get64(s.p + 8);
	*chain = logseg_get32(s.p + 16);
	*salt = logseg_get32(s.p + 20);
	return *first > 0;
}

/* ---- veil and header check ---- */

static uint32_t header_check(const void *entry, uint32_t salt)
{
	return crc32c(salt, (const char *)entry + 4, 33) & 0xffffff;
}

static bool header_right(const char *entry, uint32_t salt)
{
	return logseg_get32(entry + 36) >> 8 == header_check(entry, salt);
}

void logseg_veil(char *p, size_t n, uint32_t salt, uint64_t index)
{
	uint64_t z = (uint64_t)salt << 32 ^ index;            /* splitmix64 */
	unsigned char key[8];

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	logseg_put64(key, z ^ z >> 31);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(p[i] ^ key[i % 8]);
}

/* ---- reading ---- */

/* Is there an entry with a right checksum at `at`, whatever its index? */
static bool entry_at(const struct logseg_parser *p, size_t at, struct log_entry *en, uint64_t *synced, uint32_t *chain)
{
	size_t len;

	if (at + ENTRY_HEADER > p->bytes.n)
		return false;
	len = logseg_get32(p->bytes.p + at + 4);
	en->index = logseg_get64(p->bytes.p + at + 8);
	if (len > LOG_ENTRY_MAX || logseg_bytes(len) > p->bytes.n - at || en->index == 0 ||
	    !header_right(p->bytes.p + at, p->salt) ||
	    logseg_get32(p->bytes.p + at) != crc32c(p->salt, p->bytes.p + at + 4, logseg_bytes(len) - 4))
		return false;
	en->term = logseg_get64(p->bytes.p + at + 16);
	*synced = logseg_get64(p->bytes.p + at + 24);
	*chain = logseg_get32(p->bytes.p + at + 32);
	en->type = (uint8_t)p->bytes.p[at + 36];
	en->data = str_make(p->bytes.p + at + ENTRY_HEADER, len);
	return true;
}

bool logseg_next(struct logseg_parser *p, struct log_entry *en)
{
	uint64_t synced;
	uint32_t chain;

	if (!entry_at(p, p->at, en, &synced, &chain) || en->index != p->next || chain != p->chain || en->term < p->term ||
	    en->term == 0 || en->type < LOG_COMMAND || en->type > LOG_CHANGE || synced >= en->index)
		return false;
	p->chain = logseg_get32(p->bytes.p + p->at);
	p->at += logseg_bytes(en->data.n);
	p->term = en->term;
	p->next++;
	return true;
}

/* Do the bytes up to `end` have something in each of their sectors? */
static bool arrived(const struct logseg_parser *p, size_t end)
{
	if (end > p->bytes.n)
		return false;
	for (size_t at = p->at, next; at < end; at = next) {
		next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
		if (logseg_all_zero(str_make(p->bytes.p + at, next - at)))
			return false;
	}
	return true;
}

/* An entry that the parser does not take, and all of it was written. */
static bool changed_since(const struct logseg_parser *p)
{
	size_t len;

	if (!arrived(p, p->at + ENTRY_HEADER))
		return false;
	if (!header_right(p->bytes.p + p->at, p->salt))
		return true;
	len = logseg_get32(p->bytes.p + p->at + 4);
	return len > LOG_ENTRY_MAX || arrived(p, p->at + logseg_bytes(len));
}

bool logseg_damaged(const struct logseg_parser *p)
{
	struct log_entry en;
	uint64_t synced;
	uint32_t chain;

	if (changed_since(p))
		return true;
	for (size_t at = p->at; at + ENTRY_HEADER <= p->bytes.n; at += 8)
		if (logseg_get64(p->bytes.p + at + 24) >= p->next && entry_at(p, at, &en, &synced, &chain) && en.index > p->next)
			return true;
	return false;
}

size_t logfile_scan(struct str segment, void (*fn)(void *ctx, const struct log_entry *en), void *ctx, bool *damaged)
{
	struct logseg_parser p = { .bytes = segment, .at = SEGMENT_HEADER };
	struct log_entry en;
	size_t n = 0;

	*damaged = false;
	if (!logseg_header(segment, &p.next, &p.chain, &p.salt))
		return 0;
	for (; logseg_next(&p, &en); n++)
		if (fn)
			fn(ctx, &en);
	*damaged = logseg_damaged(&p);
	return n;
}

void logseg_header_put(unsigned char out[SEGMENT_HEADER], uint64_t first, uint32_t chain, uint32_t salt)
{
	memset(out, 0, SEGMENT_HEADER);
	memcpy(out, SEGMENT_MAGIC, 8);
	logseg_put64(out + 8, first);
	logseg_put32(out + 16, chain);
	logseg_put32(out + 20, salt);
	logseg_put32(out + 28, crc32c(0, out, 28));
}

uint32_t logseg_put(unsigned char *p, const struct log_entry *en, uint64_t synced, uint32_t chain, uint32_t salt)
{
	uint32_t crc;

	logseg_put32(p + 4, (uint32_t)en->data.n);
	logseg_put64(p + 8, en->index);
	logseg_put64(p + 16, en->term);
	logseg_put64(p + 24, synced);
	logseg_put32(p + 32, chain);
	p[36] = en->type;
	logseg_put32(p + 36, en->type | header_check(p, salt) << 8);
	if (en->data.n)
		memcpy(p + ENTRY_HEADER, en->data.p, en->data.n);
	logseg_veil((char *)p + ENTRY_HEADER, logseg_bytes(en->data.n) - ENTRY_HEADER, salt, en->index);
	crc = crc32c(salt, p + 4, logseg_bytes(en->data.n) - 4);
	logseg_put32(p, crc);
	return crc;
}
