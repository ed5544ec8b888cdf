/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as used by the log and snapshot files. */
#ifndef CLUSTER_CRC32C_H
#define CLUSTER_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n); /* crc: 0, or the sum so far */

#endif
