/* For tests of keys: run openssl and ssh-keygen, read what they wrote. */
#ifndef UNIT_KEYTOOL_H
#define UNIT_KEYTOOL_H

#include "base/arena.h"

/* Runs a program found in PATH with stdin, stdout and stderr on /dev/null. Skips the test where there is no such program. */
int keytool_run(const char *const argv[]);
#define KEYTOOL(...) keytool_run((const char *const[]){ __VA_ARGS__, NULL })

const char *keytool_path(struct arena *a, const char *name);            /* inside test_dir() */
struct str  keytool_read(struct arena *a, const char *path);            /* ends the test when unreadable */
void        keytool_write(const char *path, struct str bytes);

#endif
