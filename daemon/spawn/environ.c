/* The environment that a command gets: see environ.h. */
#include "environ.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base.h"

struct ranked {
	char *entry;
	size_t key_len;
	size_t index;
};

/*
 * Told to the daemon by systemd(1), where a command that believed them would answer for it; or by the
 * shell that started it, and not true of a command.
 */
static bool is_daemons_own(const char *entry)
{
	static const char *const prefixes[] = {"NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_",
					       "PWD=",		 "OLDPWD=", "_="};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static int compare_keys(const struct ranked *a, const struct ranked *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->entry, b->entry, len);

	if (order)
		return order;
	return a->key_len < b->key_len ? -1 : a->key_len > b->key_len;
}

static int compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	int order = compare_keys(a, b);

	return order ? order : a->index < b->index ? -1 : a->index > b->index;
}

int environ_settle(char **entries, size_t count, size_t inherited)
{
	struct ranked *ranked;
	size_t kept = 0, n = 0;

	if (count > INT_MAX)
		return -ENOMEM;
	/* Sorted, not hashed: a request may hold a hundred thousand keys of the sender's choice. */
	ranked = reallocarray(NULL, count + 1, sizeof(*ranked));
	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *equals = strchr(entries[i], '=');

		if (!equals || (i < inherited && is_daemons_own(entries[i])))
			entries[i] = NULL;
		else
			ranked[n++] = (struct ranked){entries[i], (size_t)(equals - entries[i]), i};
	}
	qsort(ranked, n, sizeof(*ranked), compare);
	for (size_t i = 0; i + 1 < n; i++)
		if (compare_keys(&ranked[i], &ranked[i + 1]) == 0)
			entries[ranked[i].index] = NULL;
	free(ranked);
	for (size_t i = 0; i < count; i++)
		if (entries[i])
			entries[kept++] = entries[i];
	entries[kept] = NULL;
	return (int)kept;
}

const char *environ_get(char *const *entries, const char *key)
{
	size_t len = strlen(key);

	for (; *entries; entries++)
		if (strncmp(*entries, key, len) == 0 && (*entries)[len] == '=')
			return *entries + len + 1;
	return NULL;
}
