/* A number of bytes as people write it: see size.h. */
#include "size.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int size_parse(const char *text, uint64_t *ret_bytes, struct err *err)
{
	static const char units[] = "KMGT";
	const char *unit = NULL, *at = text;
	uint64_t bytes = 0;

	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(bytes, 10, &bytes) ||
		    __builtin_add_overflow(bytes, (uint64_t)(*at - '0'), &bytes))
			return err_set(err, 0, NULL, "%s is too large", text);
	if (*at)
		unit = strchr(units, toupper((unsigned char)*at));
	if (at == text || (*at && !unit) || (unit && at[1]))
		return err_set(err, 0, NULL, "%s is not a size such as 4096, 64K or 2G", text);
	for (; unit && unit >= units; unit--)
		if (__builtin_mul_overflow(bytes, 1024, &bytes))
			return err_set(err, 0, NULL, "%s is too large", text);
	*ret_bytes = bytes;
	return 0;
}

int size_parse_memory(const char *text, void *ret_bytes, struct err *err)
{
	uint64_t bytes = 0;
	int r = size_parse(text, &bytes, err);

	if (r < 0)
		return r;
	if (!bytes)
		return err_set(err, 0, NULL, "nothing runs with no memory");
	*(uint64_t *)ret_bytes = bytes;
	return 0;
}
