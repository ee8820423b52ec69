/* The terminal that msb-exec was started on: see term.h. */
#include "term.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved_modes;
static volatile sig_atomic_t raw_fd = -1;

void term_restore(void)
{
	int fd = raw_fd;

	if (fd < 0)
		return;
	raw_fd = -1;
	/* NOW: waiting for output to drain could wait for ever on a stopped terminal. */
	tcsetattr(fd, TCSANOW, &saved_modes);
}

/* A crash must not leave the terminal raw; then it takes its course. */
static void on_fatal(int signal)
{
	term_restore();
	raise(signal);
}

static void catch_fatal_signals(void)
{
	static const int fatal[] = {SIGSEGV,   SIGBUS,	SIGILL,	 SIGFPE,  SIGABRT,
				    SIGSYS,    SIGTRAP, SIGALRM, SIGXCPU, SIGXFSZ,
				    SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR,  SIGSTKFLT};
	struct sigaction action = {.sa_handler = on_fatal,
				   .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaction(i, &action, NULL);
}

static int set_raw(int fd)
{
	struct termios raw = saved_modes;

	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		return -errno;
	raw_fd = fd;
	return 0;
}

int term_make_raw(int fd)
{
	if (tcgetattr(fd, &saved_modes) < 0)
		return -errno;
	catch_fatal_signals();
	return set_raw(fd);
}

void term_suspend(void)
{
	int fd = raw_fd;
	sigset_t set;

	term_restore();
	/* TSTP and not STOP: where nobody could continue us, the kernel does not stop us. */
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (fd >= 0 && tcgetattr(fd, &saved_modes) == 0)
		set_raw(fd);
}

void term_size_or_default(struct msg_exec_resize *ret)
{
	static const int streams[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	struct winsize size;

	*ret = (struct msg_exec_resize){.rows = 24, .cols = 80};
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		if (ioctl(streams[i], TIOCGWINSZ, &size) < 0)
			continue;
		*ret = (struct msg_exec_resize){
			.rows = size.ws_row,
			.cols = size.ws_col,
			.xpixel = size.ws_xpixel,
			.ypixel = size.ws_ypixel,
		};
		return;
	}
}

bool term_is_foreground(int fd)
{
	pid_t foreground = tcgetpgrp(fd);

	/* A terminal that is not ours has no say. */
	return foreground < 0 || foreground == getpgrp();
}
