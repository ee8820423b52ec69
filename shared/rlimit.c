/* The names of the resource limits: see rlimit.h. */
#include "rlimit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#define ROW(name, macro)            \
	{                           \
		name, #macro, macro \
	}

const struct rlimit_name rlimit_names[] = {
	ROW("cpu", RLIMIT_CPU),		  ROW("fsize", RLIMIT_FSIZE),
	ROW("data", RLIMIT_DATA),	  ROW("stack", RLIMIT_STACK),
	ROW("core", RLIMIT_CORE),	  ROW("rss", RLIMIT_RSS),
	ROW("nproc", RLIMIT_NPROC),	  ROW("nofile", RLIMIT_NOFILE),
	ROW("memlock", RLIMIT_MEMLOCK),	  ROW("as", RLIMIT_AS),
	ROW("locks", RLIMIT_LOCKS),	  ROW("sigpending", RLIMIT_SIGPENDING),
	ROW("msgqueue", RLIMIT_MSGQUEUE), ROW("nice", RLIMIT_NICE),
	ROW("rtprio", RLIMIT_RTPRIO),	  ROW("rttime", RLIMIT_RTTIME),
};

const size_t rlimit_count = sizeof(rlimit_names) / sizeof(rlimit_names[0]);

const struct rlimit_name *rlimit_find(const char *name, size_t len)
{
	for (size_t i = 0; i < rlimit_count; i++)
		if (strlen(rlimit_names[i].name) == len &&
		    strncasecmp(rlimit_names[i].name, name, len) == 0)
			return &rlimit_names[i];
	return NULL;
}

/* A number of 64 bits up to the end of the text or a colon. */
static int parse_limit(const char *text, const char **ret_end, uint64_t *ret_value)
{
	char *end;

	if (strncmp(text, "unlimited", 9) == 0) {
		*ret_value = UINT64_MAX;
		*ret_end = text + 9;
		return 0;
	}
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*ret_value = strtoull(text, &end, 10);
	*ret_end = end;
	return errno ? -errno : 0;
}

int rlimit_parse(const char *text, struct msg_rlimit *ret, struct err *err)
{
	const char *equals = strchr(text, '='), *at;
	size_t len = equals ? (size_t)(equals - text) : strlen(text);

	if (!equals)
		return err_set(err, 0, NULL, "resource limit %s is not NAME=SOFT[:HARD]", text);
	if (!rlimit_find(text, len))
		return err_set(err, 0, NULL, "unknown resource limit %.*s", (int)len, text);
	ret->resource = (struct msg_text){text, len};
	if (parse_limit(equals + 1, &at, &ret->soft) < 0)
		return err_set(err, 0, NULL, "resource limit %s is not NAME=SOFT[:HARD]", text);
	ret->hard = ret->soft;
	if (*at == ':' && parse_limit(at + 1, &at, &ret->hard) < 0)
		return err_set(err, 0, NULL, "resource limit %s is not NAME=SOFT[:HARD]", text);
	if (*at)
		return err_set(err, 0, NULL, "resource limit %s is not NAME=SOFT[:HARD]", text);
	if (ret->soft > ret->hard)
		return err_set(err, 0, NULL,
			       "resource limit %s: the soft limit is above the hard one", text);
	return 0;
}
