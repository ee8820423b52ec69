/*
 * A guest's passwd and group, and who the daemon is: the tests answer for them themselves, so that
 * they know. For one source file of a program.
 */
#ifndef MSB_UNIT_FILES_H
#define MSB_UNIT_FILES_H

#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

/* The files' texts; NULL: there is none; empty: the one of this machine. */
static const char *unit_passwd, *unit_group;
static const char *unit_denied; /* this path cannot be opened */

FILE *fopen(const char *path, const char *mode)
{
	const char *text = strcmp(path, "/etc/passwd") == 0  ? unit_passwd
			   : strcmp(path, "/etc/group") == 0 ? unit_group
							     : "";
	int fd;

	if (!text || (unit_denied && strcmp(path, unit_denied) == 0)) {
		errno = text ? EACCES : ENOENT;
		return NULL;
	}
	if (text[0])
		return fmemopen((char *)text, strlen(text), "r");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

static uid_t unit_uid;
static gid_t unit_gid;

/* Instead of libc's, as is all below. */
uid_t geteuid(void)
{
	return unit_uid;
}

gid_t getegid(void)
{
	return unit_gid;
}

gid_t getgid(void)
{
	return unit_gid;
}

/* Before each test. */
static int unit_set_files(void **state)
{
	(void)state;
	unit_passwd = "root:x:0:0:root:/root:/bin/bash\n"
		      "alice:x:1000:1001:Alice:/home/alice:/bin/zsh\n"
		      "77:x:2000:2001:a name of digits:/home/77:/bin/sh\n"
		      "bare:x:3000:3001:::\n"
		      "twin:x:1000:4001:the same uid:/home/twin:/bin/sh\n";
	unit_group = "root:x:0:\n"
		     "alice:x:1001:\n"
		     "audio:x:29:alice,bare\n"
		     "alic:x:30:alic,alicex\n"
		     "extra:x:2000:bare,alice\n"
		     "88:x:2088:alice\n"
		     "again:x:29:alice\n"
		     "mine:x:1001:alice\n";
	unit_denied = NULL;
	unit_uid = 0;
	unit_gid = 4242;
	return 0;
}

#endif
