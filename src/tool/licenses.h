/* The licence texts of all third-party code in this program, for `triton version --licenses`. */
#ifndef TOOL_LICENSES_H
#define TOOL_LICENSES_H

#include "base/str.h"

/* Borrowed for ever: it is part of the program. */
struct str licenses_text(void);

#endif
