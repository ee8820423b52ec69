/* The names of the resource limits: see rlimit.h. */
#include "rlimit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "shared/base.h"
#include "shared/size.h"

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

const size_t rlimit_count = ARRAY_LEN(rlimit_names);

const struct rlimit_name *rlimit_find(const char *name, size_t len)
{
	for (size_t i = 0; i < rlimit_count; i++)
		if (strlen(rlimit_names[i].name) == len &&
		    strncasecmp(rlimit_names[i].name, name, len) == 0)
			return &rlimit_names[i];
	return NULL;
}

static int unknown(const char *name, size_t len, struct err *err)
{
	char list[ERR_HINT_MAX] = "";
	size_t at = 0;

	for (size_t i = 0; i < rlimit_count && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
				       rlimit_names[i].name);
	err_set(err, 0, NULL, "unknown resource limit %.*s", (int)len, name);
	return err_hint(err, "there are %s", list);
}

static int refuse(const char *text, struct err *err)
{
	return err_set(err, 0, NULL, "resource limit %s is not NAME=SOFT[:HARD]", text);
}

/* One limit of so many bytes of text. */
static int parse_limit(const char *text, size_t len, uint64_t *ret_value, struct err *err)
{
	char number[sizeof("18446744073709551615T")];

	if (len >= sizeof(number))
		return err_set(err, 0, NULL, "%.*s is too large", (int)len, text);
	memcpy(number, text, len);
	number[len] = '\0';
	if (strcmp(number, "unlimited") == 0) {
		*ret_value = UINT64_MAX;
		return 0;
	}
	if (size_parse(number, ret_value, err) < 0)
		return err_hint(err, "a limit is a size, or unlimited");
	return 0;
}

int rlimit_parse(const char *text, struct msg_rlimit *ret, struct err *err)
{
	const char *equals = strchr(text, '='), *soft, *hard;
	size_t len = equals ? (size_t)(equals - text) : strlen(text);

	if (!equals)
		return refuse(text, err);
	if (!rlimit_find(text, len))
		return unknown(text, len, err);
	ret->resource = (struct msg_text){text, len};
	soft = equals + 1;
	hard = strchr(soft, ':');
	len = hard ? (size_t)(hard - soft) : strlen(soft);
	if (!len || (hard && !hard[1]))
		return refuse(text, err);
	if (parse_limit(soft, len, &ret->soft, err) < 0)
		return err_about(err, "%.*s", (int)(equals - text), text);
	ret->hard = ret->soft;
	if (hard && parse_limit(hard + 1, strlen(hard + 1), &ret->hard, err) < 0)
		return err_about(err, "%.*s", (int)(equals - text), text);
	if (ret->soft > ret->hard)
		return err_set(err, 0, NULL,
			       "resource limit %s: the soft limit is above the hard one", text);
	return 0;
}
