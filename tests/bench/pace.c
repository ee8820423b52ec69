/*
 * Starts COMMAND so many times, RATE times a second whatever becomes of those before, and says for each the
 * milliseconds from when it was due to its end: who comes late because others are slow has waited too.
 *
 *	pace RATE COUNT COMMAND [ARG]...
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S    1000000000
#define LIMIT_S	    60 /* until the last has ended */
#define ABREAST_MAX 4096

/* Those that run now; a pid of 0 is a free place. */
static struct {
	pid_t pid;
	int64_t due;
} abreast[ABREAST_MAX];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * NS_PER_S + at.tv_nsec;
}

static size_t place_of(pid_t pid)
{
	size_t i = 0;

	while (i < ABREAST_MAX && abreast[i].pid != pid)
		i++;
	if (i == ABREAST_MAX) {
		errno = EAGAIN;
		die("too many at once");
	}
	return i;
}

static void launch(char **words, int64_t due, const sigset_t *mask)
{
	size_t place = place_of(0);
	posix_spawnattr_t how;
	pid_t pid;

	posix_spawnattr_init(&how);
	posix_spawnattr_setsigmask(&how, mask);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
	errno = posix_spawnp(&pid, words[0], NULL, &how, words, environ);
	if (errno)
		die(words[0]);
	posix_spawnattr_destroy(&how);
	abreast[place].pid = pid;
	abreast[place].due = due;
}

/* How many have ended. */
static size_t reap(void)
{
	size_t ended = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		size_t place = place_of(pid);

		if (status) {
			errno = ECHILD;
			die("a command did not end with status 0");
		}
		printf("%.3f ", (double)(now_ns() - abreast[place].due) / 1e6);
		abreast[place].pid = 0;
		ended++;
	}
	return ended;
}

/* Until then, or until a command has ended. */
static void wait_until(int64_t due, const sigset_t *child)
{
	int64_t left = due - now_ns();
	struct timespec limit = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};

	if (left > 0)
		sigtimedwait(child, NULL, &limit);
}

int main(int argc, char **argv)
{
	size_t count, begun = 0, ended = 0;
	sigset_t child, before;
	double rate;

	if (argc < 4 || (rate = strtod(argv[1], NULL)) <= 0) {
		fputs("Usage: pace RATE COUNT COMMAND [ARG]...\n", stderr);
		return 2;
	}
	count = strtoul(argv[2], NULL, 10);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);

	int64_t begin = now_ns(), due = begin;

	while (ended < count) {
		ended += reap();
		if (begun < count && now_ns() >= due) {
			launch(argv + 3, due, &before);
			begun++;
			due = begin + (int64_t)((double)begun * NS_PER_S / rate);
		} else if (ended < count) {
			wait_until(begun < count ? due : due + (int64_t)LIMIT_S * NS_PER_S, &child);
		}
		if (begun == count && now_ns() > due + (int64_t)LIMIT_S * NS_PER_S) {
			errno = ETIMEDOUT;
			die("commands that do not end");
		}
	}
	putchar('\n');
	return 0;
}
