/* The environment that a command gets: the daemon's own, the user's, the request's. Pure. */
#ifndef MSB_ENVIRON_H
#define MSB_ENVIRON_H

#include <stddef.h>

#define ENVIRON_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Drops from entries (count of them, NULL at the end, K=V) all but the last of each key, what has
 * no '=', and, of the first inherited ones, what systemd meant for the daemon alone. Order is
 * kept. Returns how many are left, or -ENOMEM.
 */
int environ_settle(char **entries, size_t count, size_t inherited);

/* The value of key, or NULL. */
const char *environ_get(char *const *entries, const char *key);

#endif
