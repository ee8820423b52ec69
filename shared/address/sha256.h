/* SHA-256 (FIPS 180-4) of a few bytes. Pure. Not for secrets: nothing is wiped. */
#ifndef MSB_SHA256_H
#define MSB_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32

void sha256(const void *data, size_t len, uint8_t out[SHA256_LEN]);

#endif
