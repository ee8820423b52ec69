/* Where microsandbox keeps the socket of a sandbox's agent. Pure. */
#ifndef MSB_SANDBOX_H
#define MSB_SANDBOX_H

#include <stddef.h>

#define SANDBOX_PLACES 3

/*
 * The i-th place to look in below home, which is $MSB_HOME or ~/.microsandbox; the first one that
 * exists counts. 0, or -ENAMETOOLONG if it does not fit into len bytes, and is cut.
 */
int sandbox_path(const char *home, const char *name, size_t i, char *out, size_t len);

#endif
