/* A profile of one's own (model/seccomp.h) as a filter for this machine. */
#ifndef RUNTIME_FILTER_H
#define RUNTIME_FILTER_H

#include "model/seccomp.h"
#include "os/seccomp.h"

/* `kernel` is the running one as version << 16 | patch level, `caps` the container's bounding set. Names that this machine does not
 * know are left out. E2BIG when it is more than the kernel takes. */
int filter_compile(struct arena *a, const struct seccomp_profile *p, uint64_t caps, uint32_t kernel, struct sock_fprog *out,
                   struct err *e);

uint32_t filter_kernel(void);                         /* the running one */

#endif
