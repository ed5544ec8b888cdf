/* docs/api.md cannot lie: its table is what the tables say, and every option that a handler reads is in a table. */
#include "unit/docker/apitable.h"

#include "docker/api.h"
#include "unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct str file_read(const char *path)
{
	static char bytes[1 << 20];
	ssize_t n, got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	REQUIRE(fd >= 0);
	while ((n = read(fd, bytes + got, sizeof(bytes) - (size_t)got)) > 0)
		got += n;
	close(fd);
	return str_make(bytes, (size_t)got);
}

/* With API_TABLE=write it is put right instead: that is `make api-table`. */
TEST(the_table_in_the_docs_is_what_the_tables_say)
{
	struct str text = file_read("docs/api.md");
	ptrdiff_t at = str_find_str(text, STR(APITABLE_BEGIN));
	struct buf b = BUF_INIT(1 << 20);

	REQUIRE(at > 0);
	apitable_markdown(&b);
	REQUIRE(buf_ok(&b));
	if (getenv("API_TABLE")) {
		FILE *f = fopen("docs/api.md", "we");

		REQUIRE(f);
		text = str_head(text, (size_t)at);
		fprintf(f, "%.*s%.*s", STR_ARG(text), STR_ARG(buf_as_str(&b)));
		REQUIRE(fclose(f) == 0);
	} else if (!str_eq(str_drop(text, (size_t)at), buf_as_str(&b))) {
		test_failed(__FILE__, __LINE__, "docs/api.md is not what the tables say: run `make api-table` and look at the difference");
	}
	buf_release(&b);
}

TEST(what_the_notes_name_is_there)
{
	struct buf b = BUF_INIT(1 << 16);

	apitable_faults(&b);
	CHECK_STR(buf_as_str(&b), "");
	buf_release(&b);
}

static bool is_listed(struct str name)
{
	for (const struct endpoint *p = docker_endpoints; p->method; p++) {
		struct str rest = str_of(p->options), one;

		while (rest.n && str_next(&rest, ' ', &one))
			if (str_eq(one, name))
				return true;
	}
	return false;
}

/* req_query(r, "all"), req_query_bool(r, ...: the names in quotes. */
static void names_check(const char *file, struct str text)
{
	for (ptrdiff_t at; (at = str_find_str(text, STR("query"))) >= 0;) {
		struct str call, name, rest;

		text = str_drop(text, (size_t)at + 5);
		str_cut(text, '\n', &call, &rest);
		if (!str_cut(call, '(', &rest, &call) || !str_starts(call, STR("r, \"")) || str_find(rest, ' ') >= 0)
			continue;
		str_cut(str_drop(call, 4), '"', &name, &rest);
		if (!is_listed(name))
			test_failed(__FILE__, __LINE__, "%s reads the option %.*s, which no line of endpoints.c names: the handler never sees it", file,
				    STR_ARG(name));
	}
}

TEST(every_option_that_is_read_is_named)
{
	DIR *d = opendir("src/docker");
	struct dirent *entry;

	REQUIRE(d);
	while ((entry = readdir(d))) {
		char path[300];

		if (!str_ends(str_of(entry->d_name), STR(".c")))
			continue;
		snprintf(path, sizeof(path), "src/docker/%s", entry->d_name);
		names_check(entry->d_name, file_read(path));
	}
	closedir(d);
}

/* The other way round: what is named is read somewhere. */
TEST(every_option_that_is_named_is_read)
{
	struct buf all = BUF_INIT(4 << 20);
	DIR *d = opendir("src/docker");
	struct dirent *entry;

	REQUIRE(d);
	while ((entry = readdir(d))) {
		char path[300];

		if (!str_ends(str_of(entry->d_name), STR(".c")))
			continue;
		snprintf(path, sizeof(path), "src/docker/%s", entry->d_name);
		buf_str(&all, file_read(path));
	}
	closedir(d);
	for (const struct endpoint *p = docker_endpoints; p->method; p++) {
		struct str rest = str_of(p->options), one;

		while (rest.n && str_next(&rest, ' ', &one)) {
			char call[80];

			snprintf(call, sizeof(call), "(r, \"%.*s\"", STR_ARG(one));
			if (str_find_str(buf_as_str(&all), str_of(call)) < 0)
				test_failed(__FILE__, __LINE__, "%s: nobody reads the option %.*s", p->path, STR_ARG(one));
		}
	}
	buf_release(&all);
}
