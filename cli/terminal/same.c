/* Whether what is written to two descriptors comes out in one order: see same.h. */
#include "same.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool appends(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_APPEND;
}

/* Not every kernel says it, nor every sandbox: then they are not known to be. */
static bool share_their_place(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long)a, (unsigned long)b) == 0;
}

bool same_open_file(int a, int b)
{
	struct stat of_a, of_b;

	if (fstat(a, &of_a) < 0 || fstat(b, &of_b) < 0 || of_a.st_dev != of_b.st_dev ||
	    of_a.st_ino != of_b.st_ino)
		return false;
	if (S_ISFIFO(of_a.st_mode) || S_ISSOCK(of_a.st_mode))
		return true;
	if (S_ISREG(of_a.st_mode))
		return share_their_place(a, b) || (appends(a) && appends(b));
	return share_their_place(a, b) || isatty(a);
}
