/* The names of the resource limits: see rlimit.h. */
#include "rlimit.h"

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
