/* Where microsandbox keeps sockets: see sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sha256.h"

/* Its versions differ in how they keep a path below the limit of a Unix socket's. */
static const struct {
	const char *before, *after;
	size_t bytes; /* of the name's hash, in hex; 0: the name itself */
} places[SANDBOX_PLACES] = {
	{"run/sandboxes/", "/agent.sock", 12},
	{"run/agent/", ".sock", 16},
	{"sandboxes/", "/runtime/agent.sock", 0},
};

int sandbox_path(const char *home, const char *name, size_t i, char *out, size_t len)
{
	char hex[2 * SHA256_LEN + 1];
	uint8_t hash[SHA256_LEN];
	int n;

	sha256(name, strlen(name), hash);
	for (size_t at = 0; at < places[i].bytes; at++)
		snprintf(hex + 2 * at, 3, "%02x", hash[at]);
	n = snprintf(out, len, "%s/%s%s%s", home, places[i].before, places[i].bytes ? hex : name,
		     places[i].after);
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}
