#include "tool/licenses.h"

#include "unit/test.h"

TEST(licences_of_every_library_are_in_the_program)
{
	static const char *const words[] = {
		"Thomas Pornin", "Jean-loup Gailly", "Meta Platforms", "Howard Chu", "Thomas Graf", "Niels Provos",
		"Free\nEkanayaka", "Rich Felker", "GNU LESSER GENERAL PUBLIC LICENSE", "vendor/raft-edits",
	};
	struct str all = licenses_text();
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (!memmem(all.p, all.n, words[i], strlen(words[i])))
			test_failed(__FILE__, __LINE__, "\"%s\" is missing", words[i]);
}
