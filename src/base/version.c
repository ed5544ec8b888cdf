#include "base/version.h"

const char triton_version[] = TRITON_VERSION;
const char triton_revision[] = TRITON_REVISION;
const int triton_records = TRITON_RECORDS;
