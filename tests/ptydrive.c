/*
 * Runs a program on a pty of its own, the way a job-control shell would, and drives it by a script
 * on stdin: a command a line, with \r \n \s \\ and \xHH in its text. Exits 0 if all went as the
 * script says, else 1 with the line that failed, what the terminal showed last, what its programs are
 * doing, and what $LOOK prints, a shell's command that the program does not get to see. Every wait is
 * limited, longer with $SLOW, and nothing of what was started outlives it.
 *
 *	ptydrive ROWSxCOLS[,XPIXELxYPIXEL] PROGRAM [ARG]... <SCRIPT
 *
 *	expect TEXT       wait until it is shown, after what the last expect found
 *	absent TEXT       it is not shown after what the last expect found
 *	send TEXT         type it
 *	paste FILE        type what the file holds
 *	resize ROWS COLS [XPIXEL YPIXEL]
 *	storm COUNT MS ROWS COLS  so many sizes in that time, of which this is the last
 *	stopped           wait until the program is stopped; it loses the foreground, as in a shell
 *	continue          the program, in the foreground
 *	modes save        remember the terminal's modes anew; at first those before the program
 *	modes same        they are now what was remembered
 *	modes raw         wait until they are raw
 *	modes again       wait until they are what was remembered
 *	run COMMAND       of a shell elsewhere, until it succeeds; $PROGRAM is the program's number
 *	hangup            the terminal goes away
 *	wait [END]        wait until the program ends; END is a status, or a signal's name
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "shared/fd.h"
#include "shared/io/loop.h"

#define STEP_MS	  20000 /* generous: only what fails takes so long */
#define ALL_MS	  50000
#define LOOK_MS	  20
#define QUIET_MS  40	 /* after which nothing more is on its way through the tty's queues */
#define RUNS	  0xffff /* as waitpid() says it after SIGCONT */
#define READ_MAX  4096
#define SHOWN_MAX (4 * 1024 * 1024)
#define TEXT_MAX  (128 * 1024)

struct drive {
	int master, reports; /* reports: the program's changes, as from waitpid() */
	pid_t keeper, program;
	int status; /* RUNS, or the last change */
	uint64_t step_ms, all_due_ms, due_ms;
	struct termios saved;
	char shown[SHOWN_MAX]; /* all output; up to found, what was expected */
	char text[TEXT_MAX];   /* of the script's command */
	size_t shown_len, found, text_len;
	char why[40];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ptydrive: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the keeper: the terminal's session leader, what a shell is to its job ---- */

static _Noreturn void keep(pid_t program, int reports, const sigset_t *all)
{
	int number, status;

	while (sigwait(all, &number) == 0) {
		if (number == SIGUSR1)
			tcsetpgrp(STDIN_FILENO, program);
		if (number == SIGHUP)
			kill(-program, SIGHUP);
		if (number == SIGUSR1 || number == SIGHUP)
			kill(-program, SIGCONT);
		while (waitpid(program, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
			/* Whoever stops or ends gives the terminal back. */
			if (!WIFCONTINUED(status))
				tcsetpgrp(STDIN_FILENO, getpid());
			if (write(reports, &status, sizeof(status)) < 0)
				_exit(1);
		}
	}
	_exit(1);
}

/* reports is for the keeper alone. */
static _Noreturn void lead(char *argv[], int slave, int reports)
{
	sigset_t all;
	pid_t program;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	program = login_tty(slave) < 0 ? -1 : fork();
	if (program == 0) {
		setpgid(0, 0);
		tcsetpgrp(STDIN_FILENO, getpid());
		close_range(STDERR_FILENO + 1, UINT32_MAX, 0);
		sigprocmask(SIG_UNBLOCK, &all, NULL);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (program < 0 || write(reports, &program, sizeof(program)) < 0)
		_exit(1);
	keep(program, reports, &all);
}

static void start(struct drive *d, char *argv[])
{
	struct winsize size = {0};
	int pipes[2], slave;

	if (!argv[1] || !argv[2] ||
	    sscanf(argv[1], "%hux%hu,%hux%hu", &size.ws_row, &size.ws_col, &size.ws_xpixel,
		   &size.ws_ypixel) < 2 ||
	    pipe2(pipes, O_CLOEXEC) < 0)
		die("usage: ptydrive ROWSxCOLS[,XPIXELxYPIXEL] PROGRAM [ARG]... <SCRIPT");
	/* The modes from before the program are read before there is one. */
	if (openpty(&d->master, &slave, NULL, NULL, &size) < 0 ||
	    tcgetattr(d->master, &d->saved) < 0 || (d->keeper = fork()) < 0)
		die("cannot make a terminal");
	if (d->keeper == 0) {
		close(d->master);
		lead(argv + 2, slave, pipes[1]);
	}
	close(slave);
	close(pipes[1]);
	d->reports = pipes[0];
	if (read(d->reports, &d->program, sizeof(d->program)) != sizeof(d->program))
		die("the program was not started");
	fd_set_nonblock(d->master);
}

/* ---- what comes back ---- */

/* One look at what has come; false once the time is up. */
static bool turn(struct drive *d, short events)
{
	struct pollfd fds[] = {{.fd = d->master, .events = events},
			       {.fd = d->reports, .events = POLLIN}};
	ssize_t n;

	if (loop_now_ms() >= d->due_ms || d->shown_len > SHOWN_MAX - READ_MAX)
		return false;
	poll(fds, 2, LOOK_MS);
	n = fds[0].revents & POLLIN ? read(d->master, d->shown + d->shown_len, READ_MAX) : 0;
	d->shown_len += n > 0 ? (size_t)n : 0;
	if (fds[1].revents && read(d->reports, &d->status, sizeof(d->status)) <= 0)
		die("the keeper is gone");
	return true;
}

static bool ended(const struct drive *d)
{
	return WIFEXITED(d->status) || WIFSIGNALED(d->status);
}

static void drain(struct drive *d)
{
	uint64_t quiet_since = loop_now_ms();

	for (size_t len = d->shown_len; loop_now_ms() < quiet_since + QUIET_MS; len = d->shown_len)
		if (turn(d, POLLIN) && d->shown_len != len)
			quiet_since = loop_now_ms();
}

/* ---- the commands: NULL, or why it failed ---- */

static bool find(struct drive *d)
{
	const char *at = memmem(d->shown + d->found, d->shown_len - d->found, d->text, d->text_len);

	if (at)
		d->found = (size_t)(at - d->shown) + d->text_len;
	return at;
}

static const char *expect(struct drive *d)
{
	while (!find(d))
		if (!turn(d, POLLIN))
			return "not shown";
	return NULL;
}

static const char *absent(struct drive *d)
{
	drain(d);
	return find(d) ? "shown" : NULL;
}

static const char *type(struct drive *d)
{
	for (size_t done = 0; done < d->text_len;) {
		ssize_t n = write(d->master, d->text + done, d->text_len - done);

		if (n < 0 && errno != EAGAIN)
			return strerror(errno);
		done += n > 0 ? (size_t)n : 0;
		if (done < d->text_len && !turn(d, POLLIN | POLLOUT))
			return "the terminal takes no more";
	}
	return NULL;
}

static const char *paste(struct drive *d)
{
	cleanup_fd int fd = open(d->text, O_RDONLY | O_CLOEXEC);
	const char *why = NULL;
	ssize_t n;

	while ((n = read(fd, d->text, sizeof(d->text))) > 0 && !why) {
		d->text_len = (size_t)n;
		why = type(d);
	}
	return n < 0 ? strerror(errno) : why;
}

static const char *resize(struct drive *d)
{
	struct winsize size = {0};

	sscanf(d->text, "%hu %hu %hu %hu", &size.ws_row, &size.ws_col, &size.ws_xpixel,
	       &size.ws_ypixel);
	return ioctl(d->master, TIOCSWINSZ, &size) < 0 ? strerror(errno) : NULL;
}

static const char *storm(struct drive *d)
{
	uint64_t begin_ms = loop_now_ms(), span_ms = 0, count = 0;
	struct winsize last = {0}, size;

	sscanf(d->text, "%lu %lu %hu %hu", &count, &span_ms, &last.ws_row, &last.ws_col);
	for (uint64_t i = 1; i <= count;) {
		if (loop_now_ms() - begin_ms < span_ms * i / count) {
			if (!turn(d, POLLIN))
				return "it took too long";
			continue;
		}
		size = last;
		size.ws_row = (unsigned short)(size.ws_row + (i < count ? 1 + i % 50 : 0));
		size.ws_col = (unsigned short)(size.ws_col + (i < count ? 1 + i % 90 : 0));
		if (ioctl(d->master, TIOCSWINSZ, &size) < 0)
			return strerror(errno);
		i++;
	}
	return NULL;
}

static const char *stopped(struct drive *d)
{
	while (!WIFSTOPPED(d->status))
		if (ended(d) || !turn(d, POLLIN))
			return "the program is not stopped";
	return NULL;
}

static const char *go_on(struct drive *d)
{
	d->status = RUNS;
	return kill(d->keeper, SIGUSR1) < 0 ? strerror(errno) : NULL;
}

static const char *modes(struct drive *d)
{
	struct termios now = {0};

	do {
		if (tcgetattr(d->master, &now) < 0)
			return strerror(errno);
		if (strcmp(d->text, "save") == 0)
			d->saved = now;
		if (strcmp(d->text, "raw") != 0 && memcmp(&now, &d->saved, sizeof(now)) == 0)
			return NULL;
		if (strcmp(d->text, "same") == 0)
			return "they differ";
		if (strcmp(d->text, "raw") == 0 &&
		    !(now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) && !(now.c_oflag & OPOST))
			return NULL;
	} while (turn(d, POLLIN));
	return "they are not";
}

/* In a shell, by way of the environment: on a command line, searches for one would find it. */
static int shell(const struct drive *d, const char *command)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "PROGRAM=%d KEEPER=%d exec timeout %d bash -c 'eval \"$COMMAND\"' >&2 "
		 "</dev/null 2>/dev/null",
		 d->program, d->keeper, (int)(d->step_ms / 1000));
	setenv("COMMAND", command, 1);
	return system(text);
}

static const char *run(struct drive *d)
{
	while (shell(d, d->text) != 0)
		if (!turn(d, POLLIN))
			return "it never succeeded";
	return NULL;
}

static const char *hangup(struct drive *d)
{
	fd_close(&d->master);
	return NULL;
}

static const char *wait_end(struct drive *d)
{
	char end[16];

	while (!ended(d))
		if (!turn(d, POLLIN))
			return "the program does not end";
	drain(d);
	snprintf(end, sizeof(end), "%d", WEXITSTATUS(d->status));
	if (WIFSIGNALED(d->status))
		snprintf(end, sizeof(end), "%s", sigabbrev_np(WTERMSIG(d->status)));
	snprintf(d->why, sizeof(d->why), "it ended with %s", end);
	return d->text_len && strcmp(end, d->text) != 0 ? d->why : NULL;
}

static const struct command {
	const char *name;
	const char *(*run)(struct drive *d);
} commands[] = {
	{"expect", expect},   {"absent", absent}, {"send", type},      {"paste", paste},
	{"resize", resize},   {"storm", storm},	  {"run", run},	       {"modes", modes},
	{"stopped", stopped}, {"hangup", hangup}, {"continue", go_on}, {"wait", wait_end},
	{"", NULL},
};

/* ---- the script ---- */

/* Undoes the escapes in place; returns the length. */
static size_t unescape(char *text)
{
	static const char names[] = "rns\\", bytes[] = "\r\n \\";
	char *to = text;
	unsigned byte;

	for (const char *from = text; *from; from++) {
		const char *name = *from == '\\' && from[1] ? strchr(names, from[1]) : NULL;
		bool hex = !name && sscanf(from, "\\x%2x", &byte) == 1;

		*to++ = name ? bytes[name - names] : hex ? (char)byte : *from;
		from += name ? 1 : hex ? 3 : 0;
	}
	*to = '\0';
	return (size_t)(to - text);
}

/* Runs one line; NULL, or why it failed. */
static const char *run_line(struct drive *d, const char *line)
{
	const struct command *command = commands;
	size_t len = strcspn(line, " ");

	while (command->run && (strlen(command->name) != len || strncmp(command->name, line, len)))
		command++;
	if (!command->run)
		return "no such command";
	strcpy(d->text, line[len] ? line + len + 1 : "");
	/* Shells have backslashes of their own. */
	d->text_len = command->run == run ? strlen(d->text) : unescape(d->text);
	d->due_ms = loop_now_ms() + d->step_ms;
	if (d->due_ms > d->all_due_ms)
		d->due_ms = d->all_due_ms;
	return command->run(d);
}

static bool run_script(struct drive *d)
{
	const char *why = NULL;
	char line[4096];

	while (!why && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		why = run_line(d, line);
	}
	if (why)
		fprintf(stderr, "ptydrive: %s: %s\n", line, why);
	return !why;
}

/* While all of it is still there: the end of a wait alone does not say who it was that did not act. */
static void print_state(const struct drive *d, const char *look)
{
	shell(d, "echo ---- its programs:; "
		 "ps -ww -s $KEEPER -o pid,ppid,stat,blocked,ignored,caught,wchan:20,args; "
		 "for pid in $(ps -s $KEEPER -o pid=); do grep -H Pnd /proc/$pid/status; done");
	if (look)
		shell(d, look);
}

static void print_shown(const struct drive *d)
{
	FILE *out = popen("tail -c 4000 | cat -v >&2", "w");

	if (!out)
		return;
	fwrite(d->shown, 1, d->found, out);
	fputs("\n---- up to here the terminal showed what was expected, and then:\n", out);
	fwrite(d->shown + d->found, 1, d->shown_len - d->found, out);
	fputs("\n----\n", out);
	pclose(out);
}

int main(int argc, char *argv[])
{
	static const char kill_rest[] =
		"set -- $(ps -o pid=,stat= -s $KEEPER | awk '$1 != ENVIRON[\"KEEPER\"] && $2 !~ "
		"/^Z/ "
		"{print $1}'); [ $# = 0 ] || { echo left behind: $*; kill -9 $*; false; }";
	static struct drive d = {.status = RUNS};
	const char *slow = getenv("SLOW"), *env_look = getenv("LOOK");
	char *look = env_look ? strdup(env_look) : NULL;
	uint64_t stretch;
	bool good;

	unsetenv("LOOK");
	start(&d, argc > 2 ? argv : (char *[]){NULL, NULL});
	stretch = slow ? strtoul(slow, NULL, 10) : 1;
	d.step_ms = STEP_MS * stretch;
	d.all_due_ms = loop_now_ms() + ALL_MS * stretch;
	good = run_script(&d);
	if (!good) {
		print_shown(&d);
		print_state(&d, look);
	}
	free(look);
	good &= shell(&d, kill_rest) == 0;
	/* Last: until now its number, the session's, is nobody else's. */
	kill(d.keeper, SIGKILL);
	waitpid(d.keeper, NULL, 0);
	return good ? 0 : 1;
}
