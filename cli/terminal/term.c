/* The terminal that msb-exec was started on: see term.h. */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/modes.h"

#define ROOM_MS 500 /* how long a terminal that was stopped is waited for */

/*
 * The terminal by a descriptor of our own: whatever becomes of stdin, its modes can be given back. is_raw
 * says that we made it so, that saved_modes are good, and our_modes what it was given last; noted_fd,
 * that noted_modes is not empty.
 */
static struct termios saved_modes, our_modes;
static volatile sig_atomic_t term_fd = -1, is_raw, noted_fd = -1, noted_modes;

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
void term_cook(bool verbatim)
{
	struct termios modes = saved_modes;
	int saved = errno;

	if (!is_raw)
		return;
	if (verbatim)
		modes.c_oflag = our_modes.c_oflag;
	/* NOW: waiting for output to drain could wait for ever on a stopped terminal. */
	while (term_is_foreground(term_fd) && tcsetattr(term_fd, TCSANOW, &modes) < 0 &&
	       errno == EINTR)
		;
	errno = saved;
	if (verbatim)
		our_modes = modes;
	else
		is_raw = 0;
}

void term_restore(void)
{
	term_cook(false);
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
	static const int fatal[] = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,	 SIGABRT,
				    SIGSYS,  SIGTRAP, SIGALRM, SIGXCPU,	 SIGVTALRM,
				    SIGPROF, SIGPOLL, SIGPWR,  SIGSTKFLT};

	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		catch_fatal(fatal[i]);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		catch_fatal(i);
}

static bool is_same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

bool term_is_told_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP) ||
		sigismember(&pending, SIGINT) || sigismember(&pending, SIGQUIT));
}

/* In the background it stops us, and is tried again once we are continued. */
static int set_modes(const struct termios *modes)
{
	int r;

	do {
		r = tcsetattr(term_fd, TCSANOW, modes);
	} while (r < 0 && errno == EINTR && !term_is_told_to_end());
	return r < 0 ? -errno : 0;
}

int term_make_raw(int fd)
{
	struct termios now;
	int r;

	if (term_fd < 0)
		term_fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (term_fd < 0 || tcgetattr(term_fd, &now) < 0)
		return -errno;
	/* Our own modes are nothing to give back. */
	if (!is_raw || !is_same(&now, &our_modes)) {
		is_raw = 0;
		saved_modes = now;
		catch_fatal_signals();
		is_raw = 1;
		our_modes = now;
	}
	cfmakeraw(&now);
	if (is_same(&now, &our_modes))
		return 0;
	r = set_modes(&now);
	if (r < 0) {
		is_raw = 0;
		return r;
	}
	/* As the terminal took them, to know them again. */
	tcgetattr(term_fd, &our_modes);
	return 0;
}

bool term_is_raw(void)
{
	return is_raw;
}

void term_note_modes(int fd, uint32_t on)
{
	if (on && noted_fd < 0)
		catch_fatal_signals();
	noted_modes = (sig_atomic_t)on;
	noted_fd = on ? fd : -1;
}

/*
 * The terminal stops who writes to it, or reads it, in the background. Until it continues us; whoever
 * tells us to end meanwhile is obeyed, and not by being stopped again.
 */
static void on_stop(int signal)
{
	struct sigaction ours, plain = {.sa_handler = SIG_DFL};
	int saved = errno;
	sigset_t set;

	if (term_is_told_to_end()) {
		term_end_stops();
	} else {
		sigemptyset(&set);
		sigaddset(&set, signal);
		sigaction(signal, &plain, &ours);
		raise(signal);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigaction(signal, &ours, NULL);
	}
	errno = saved;
}

static const int stops[] = {SIGTTOU, SIGTTIN};

void term_catch_stops(void)
{
	/* Not SA_RESTART: the call that was stopped is to look first whether it is still wanted. */
	struct sigaction ours = {.sa_handler = on_stop}, before;

	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		if (sigaction(stops[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			sigaction(stops[i], &ours, NULL);
}

void term_end_stops(void)
{
	struct sigaction ignored = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		sigaction(stops[i], &ignored, NULL);
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
	int out_fd = noted_fd;
	uint32_t on = (uint32_t)noted_modes;
	bool was_raw = is_raw;
	char text[MODES_TEXT_MAX];

	term_restore();
	stop(whole_group);
	/* In the background, programs stop that want a terminal's modes. */
	if (was_raw && !term_is_foreground(term_fd) && !term_is_told_to_end())
		kill(0, SIGTTOU);
	/* Only now are the terminal's modes what they are to be again at the end. */
	if (was_raw && term_is_foreground(term_fd))
		term_make_raw(term_fd);
	if (out_fd >= 0 && term_is_foreground(out_fd)) {
		term_note_modes(out_fd, on);
		print(out_fd, text, modes_on(on, text));
	}
}

void term_resume(int fd)
{
	if (term_is_foreground(fd))
		term_make_raw(fd);
}

void term_size_or_default(struct msg_exec_resize *ret)
{
	static const int streams[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	struct winsize size;

	*ret = (struct msg_exec_resize){.rows = 24, .cols = 80};
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
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

bool term_is_hung_up(int fd)
{
	struct termios modes;

	return tcgetattr(fd, &modes) < 0;
}
