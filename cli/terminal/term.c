/* The terminal that msb-exec was started on: see term.h. */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/log.h"
#include "shared/modes.h"
#include "shared/names.h"

#define ROOM_MS	    500 /* how long a terminal that was stopped is waited for */
#define RESTORE_MAX 100 /* attempts, as long as signals interrupt them */
#define CANNOT	    "cannot restore the terminal's modes"
#define WAY_OUT	    "type stty sane, or reset, and then Ctrl-J"

/* Who has changed the modes, if anybody: saved_modes are good then. */
enum { OWNER_NONE, OWNER_US, OWNER_LIBRARY };

/*
 * The terminal by a descriptor of our own: whatever becomes of stdin, its modes can be given back. our_modes
 * are what we gave it last; noted_fd says that noted_modes is not empty.
 */
static struct termios saved_modes, our_modes;
static volatile sig_atomic_t term_fd = -1, owner = OWNER_NONE, noted_fd = -1, noted_modes;

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

/* 0, or -errno: it has other modes. In the background they are somebody else's, and of who hung up nobody's. */
static int give_back(const struct termios *modes)
{
	int r = 0;

	for (int i = 0; i < RESTORE_MAX; i++) {
		/* NOW: waiting for output to drain could wait for ever on a stopped terminal. */
		if (!term_is_foreground(term_fd) || tcsetattr(term_fd, TCSANOW, modes) == 0)
			return 0;
		r = -errno;
		if (r != -EINTR)
			break;
	}
	return term_is_hung_up(term_fd) ? 0 : r;
}

/*
 * What is to be undone is forgotten last and noted first: a signal in between undoes it once more,
 * which does no harm. What could not be undone is not forgotten.
 */
static int cook(bool verbatim)
{
	struct termios modes = saved_modes;
	int saved = errno, r;

	if (owner == OWNER_NONE)
		return 0;
	if (verbatim && owner == OWNER_US)
		modes.c_oflag = our_modes.c_oflag;
	r = give_back(&modes);
	errno = saved;
	if (r < 0)
		return r;
	if (verbatim && owner == OWNER_US)
		our_modes = modes;
	else
		owner = OWNER_NONE;
	return 0;
}

void term_cook(bool verbatim)
{
	cook(verbatim);
}

int term_restore(void)
{
	int r = cook(false);

	turn_off();
	return r;
}

void term_tell(int r)
{
	char words[200];

	if (r == 0)
		return;
	snprintf(words, sizeof(words), CANNOT ": %s; " WAY_OUT, strerror(-r));
	log_answer(LOG_LEVEL_ERROR, words);
}

/* The same where no queue is waited for, and in a handler, where neither the log nor strerror() may be used. */
static void tell_now(int r)
{
	const char *name = r < 0 ? errno_name(-r) : NULL;
	const char *const parts[] = {"\r\n", program_invocation_short_name, ": " CANNOT ": ",
				     name ? name : "unknown error", "; " WAY_OUT "\r\n"};
	char line[256] = "";

	if (r == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		strncat(line, parts[i], sizeof(line) - 1 - strlen(line));
	print(STDERR_FILENO, line, strlen(line));
}

/* A crash must not leave the terminal raw; then it takes its course. */
static void on_fatal(int signal)
{
	tell_now(term_restore());
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

/* Its modes, or false with errno set. */
static bool find(int fd, struct termios *ret)
{
	if (term_fd < 0)
		term_fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return term_fd >= 0 && tcgetattr(term_fd, ret) == 0;
}

static void save(const struct termios *now, int next_owner)
{
	owner = OWNER_NONE;
	saved_modes = our_modes = *now;
	catch_fatal_signals();
	owner = next_owner;
}

int term_make_raw(int fd)
{
	struct termios now;
	bool saves;
	int r;

	if (!find(fd, &now))
		return -errno;
	/* Our own modes are nothing to give back. */
	saves = owner == OWNER_NONE || (owner == OWNER_US && !is_same(&now, &our_modes));
	if (saves)
		save(&now, OWNER_US);
	cfmakeraw(&now);
	if (owner == OWNER_US && is_same(&now, &our_modes))
		return 0;
	r = set_modes(&now);
	if (r < 0) {
		if (saves)
			owner = OWNER_NONE;
		return r;
	}
	owner = OWNER_US;
	/* As the terminal took them, to know them again. */
	our_modes = now;
	tcgetattr(term_fd, &our_modes);
	return 0;
}

void term_lend(int fd)
{
	struct termios now;

	if (owner == OWNER_NONE && find(fd, &now))
		save(&now, OWNER_LIBRARY);
}

void term_take_back(bool same)
{
	if (owner == OWNER_LIBRARY && same)
		owner = OWNER_NONE;
	else if (owner == OWNER_LIBRARY)
		cook(false);
}

bool term_is_raw(void)
{
	return owner == OWNER_US;
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
	bool was_raw = term_is_raw();
	char text[MODES_TEXT_MAX];

	tell_now(term_restore());
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
