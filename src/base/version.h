/* What this program is: set by the build (Makefile). */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char triton_version[];                   /* "0.1.0" */
extern const char triton_revision[];                  /* of the source tree; "" when unknown */

/* Kinds of records (state, log entries) that this build knows, as one number. What a newer number brought is written only when every node's
 * build knows it (docs/state.md). */
enum {
	RECORDS_FIRST = 1,
	RECORDS_DONE  = 2,                            /* entries say which forwarded commands they did (store/txn.h) */
	RECORDS_IMAGE_MOUNTS = 3,                     /* mounts of type image: older builds would mount memory */
	RECORDS_IPV6  = 4,                            /* networks and endpoints with IPv6, ports published on it */
	RECORDS_USAGE = 5,                            /* totals of usage: Y/, y/, U/ (model/keys.h) */
};
extern const int triton_records;

#endif
