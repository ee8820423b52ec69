/* A share of the processors: see cpus.h. */
#include "cpus.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_MILLIS 10 /* that the kernel takes */
#define MOST_MILLIS  100000000

int cpus_parse(const char *text, void *ret_millis, struct err *err)
{
	/* strtod() would take signs, exponents and words, too. */
	bool number = text[strspn(text, "0123456789.")] == '\0' && strpbrk(text, "0123456789") &&
		      strchr(text, '.') == strrchr(text, '.');
	double millis = number ? strtod(text, NULL) * 1000 : 0;

	if (!number)
		return err_set(err, 0, NULL, "%s is not a number of processors such as 2 or 0.5",
			       text);
	if (millis < LEAST_MILLIS || millis > MOST_MILLIS)
		return err_set(err, 0, NULL, "%s is less than 0.01, or too much", text);
	*(uint64_t *)ret_millis = (uint64_t)(millis + 0.5);
	return 0;
}
