/* What this program is: set by the build (Makefile). */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char triton_version[];                   /* "0.1.0" */
extern const char triton_revision[];                  /* of the source tree; "" when unknown */

#endif
