/* Pseudo-terminals: see pty.h. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "shared/fd.h"

int pty_resize(int master, const struct msg_exec_resize *size)
{
	struct winsize winsize = {.ws_row = size->rows,
				  .ws_col = size->cols,
				  .ws_xpixel = size->xpixel,
				  .ws_ypixel = size->ypixel};

	return ioctl(master, TIOCSWINSZ, &winsize) < 0 ? -errno : 0;
}

/* Erasing a character in a line that the kernel edits must erase all of its bytes. */
static int set_utf8(int slave)
{
	struct termios modes;

	if (tcgetattr(slave, &modes) < 0)
		return -errno;
	modes.c_iflag |= IUTF8;
	return tcsetattr(slave, TCSANOW, &modes) < 0 ? -errno : 0;
}

int pty_open(const struct msg_exec_resize *size, int *ret_master, int *ret_slave, struct err *err)
{
	cleanup_fd int master = -1, slave = -1;
	int unlocked = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (master < 0)
		return err_set(err, errno, "openpty", "cannot open /dev/ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_set(err, errno, "openpty", "cannot unlock the pty");
	/* By the master and not by name: the name may mean another devpts. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_set(err, errno, "openpty", "cannot open the pty's slave");
	if (set_utf8(slave) < 0 || pty_resize(master, size) < 0)
		return err_set(err, errno, "ioctl(TIOCSWINSZ)", "cannot set up the pty");
	*ret_master = fd_steal(&master);
	*ret_slave = fd_steal(&slave);
	return 0;
}
