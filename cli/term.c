/* The terminal that msb-exec was started on: see term.h. */
#include "term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "modes.h"

#define ROOM_MS 500 /* how long a terminal that was stopped is waited for */

/* raw_fd says that saved_modes are good; noted_fd, that noted_modes is not empty. */
static struct termios saved_modes, raw_modes;
static volatile sig_atomic_t raw_fd = -1, noted_fd = -1, noted_modes;

/* errno is the interrupted code's. */
static void print(int fd, const char *text, size_t len)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	int saved = errno;
	ssize_t n = 0;

	if (len && poll(&room, 1, ROOM_MS) > 0)
		n = write(fd, text, len);
	(void)n;
	errno = saved;
}

static void turn_off(void)
{
	char text[MODES_TEXT_MAX];
	int fd = noted_fd;

	if (fd < 0 || !term_is_foreground(fd))
		return;
	print(fd, text, modes_off((uint32_t)noted_modes, text));
	noted_fd = -1;
}

/*
 * What is to be undone is forgotten last and noted first: a signal in between undoes it once more,
 * which does no harm.
 */
void term_restore(void)
{
	int fd = raw_fd;

	/* NOW: waiting for output to drain could wait for ever on a stopped terminal. */
	if (fd >= 0 && term_is_foreground(fd))
		tcsetattr(fd, TCSANOW, &saved_modes);
	raw_fd = -1;
	turn_off();
}

/* A crash must not leave the terminal raw; then it takes its course. */
static void on_fatal(int signal)
{
	term_restore();
	raise(signal);
}

/* What we were started to ignore is not fatal, and stays ignored. */
static void catch_fatal(int signal)
{
	struct sigaction action = {.sa_handler = on_fatal,
				   .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
	struct sigaction before;

	if (sigaction(signal, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(signal, &action, NULL);
}

static void catch_fatal_signals(void)
{
	static const int fatal[] = {SIGSEGV,   SIGBUS,	SIGILL,	 SIGFPE,  SIGABRT,
				    SIGSYS,    SIGTRAP, SIGALRM, SIGXCPU, SIGXFSZ,
				    SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR,  SIGSTKFLT};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		catch_fatal(fatal[i]);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		catch_fatal(i);
}

int term_make_raw(int fd)
{
	struct termios raw;

	/* While they are being saved, they are nothing to give back. */
	raw_fd = -1;
	if (tcgetattr(fd, &saved_modes) < 0)
		return -errno;
	catch_fatal_signals();
	raw_fd = fd;
	raw = saved_modes;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		raw_fd = -1;
		return -errno;
	}
	/* As the terminal took them, to know them again. */
	tcgetattr(fd, &raw_modes);
	return 0;
}

void term_note_modes(int fd, uint32_t on)
{
	if (on && noted_fd < 0)
		catch_fatal_signals();
	noted_modes = (sig_atomic_t)on;
	noted_fd = on ? fd : -1;
}

/* Who is told to end, as by kill %1, is not to stop first. */
static bool is_told_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP) ||
		sigismember(&pending, SIGINT) || sigismember(&pending, SIGQUIT));
}

static void stop(bool whole_group)
{
	struct sigaction action;
	sigset_t set;

	if (sigaction(SIGTSTP, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* TSTP and not STOP: where nobody could continue us, the kernel does not stop us. */
	if (whole_group)
		kill(0, SIGTSTP);
	else
		raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void term_suspend(bool whole_group)
{
	int fd = raw_fd, out_fd = noted_fd;
	uint32_t on = (uint32_t)noted_modes;
	char text[MODES_TEXT_MAX];

	term_restore();
	stop(whole_group);
	/* In the background, programs stop that want a terminal's modes. */
	if (fd >= 0 && !term_is_foreground(fd) && !is_told_to_end())
		kill(0, SIGTTOU);
	/* Only now are the terminal's modes what they are to be again at the end. */
	if (fd >= 0 && term_is_foreground(fd))
		term_make_raw(fd);
	if (out_fd >= 0 && term_is_foreground(out_fd)) {
		term_note_modes(out_fd, on);
		print(out_fd, text, modes_on(on, text));
	}
}

static bool is_raw(const struct termios *now)
{
	return now->c_iflag == raw_modes.c_iflag && now->c_oflag == raw_modes.c_oflag &&
	       now->c_cflag == raw_modes.c_cflag && now->c_lflag == raw_modes.c_lflag &&
	       memcmp(now->c_cc, raw_modes.c_cc, sizeof(now->c_cc)) == 0;
}

void term_resume(int fd)
{
	struct termios now;

	if (!term_is_foreground(fd) || tcgetattr(fd, &now) < 0)
		return;
	if (raw_fd != fd || !is_raw(&now))
		term_make_raw(fd);
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
