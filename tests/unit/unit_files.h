/*
 * A guest's passwd and group, and who the daemon is: the tests answer for them themselves, so that
 * they know. For one source file of a program.
 */
#ifndef MSB_UNIT_FILES_H
#define MSB_UNIT_FILES_H

#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

/* The files' texts; NULL: there is none; empty: the one of this machine; a path: that. */
static const char *unit_passwd, *unit_group;
static size_t unit_passwd_len, unit_group_len; /* of texts with NULs in them; or 0 */
static const char *unit_denied;		       /* this path cannot be opened */

/* Whoever includes this says in a line WRAP: open. */
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	const char *text = strcmp(path, "/etc/passwd") == 0  ? unit_passwd
			   : strcmp(path, "/etc/group") == 0 ? unit_group
							     : "";
	size_t len = text == unit_passwd ? unit_passwd_len : unit_group_len;
	mode_t mode = 0;
	int fd;

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	/* What it is instead may be a device, or a pipe. */
	if (text && text[0] == '/')
		return __real_open(text, flags);
	if (!text || (unit_denied && strcmp(path, unit_denied) == 0)) {
		errno = text ? EACCES : ENOENT;
		return -1;
	}
	if (!text[0])
		return __real_open(path, flags, mode);
	fd = memfd_create("names", MFD_CLOEXEC);
	assert_true(fd >= 0);
	len = len ? len : strlen(text);
	assert_int_equal(write(fd, text, len), len);
	lseek(fd, 0, SEEK_SET);
	return fd;
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
	unit_passwd_len = unit_group_len = 0;
	unit_denied = NULL;
	unit_uid = 0;
	unit_gid = 4242;
	return 0;
}

#endif
