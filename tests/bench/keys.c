/*
 * Runs a client on a pty of its own, waits until it shows "ready", and then times how long typed
 * bytes take to come back. Each line on stdin is a number of bytes to type, one at a time; the
 * answer is a line of that many times in microseconds. The client ends with our stdin.
 *
 *	keys CLIENT [ARG]...
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS  15000
#define PAUSE_NS  500000 /* at least, and up to three times as long, between two keys */
#define SHOWN_MAX 4096

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "keys: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static size_t receive(int master, char *buf, size_t room)
{
	struct pollfd poller = {.fd = master, .events = POLLIN};
	ssize_t n;

	if (poll(&poller, 1, LIMIT_MS) <= 0) {
		errno = ETIMEDOUT;
		die("nothing came back");
	}
	n = read(master, buf, room);
	if (n <= 0)
		die("the client ended");
	return (size_t)n;
}

static void await_ready(int master)
{
	char shown[SHOWN_MAX];
	size_t len = 0;

	do {
		if (len == sizeof(shown))
			die("the client says something else");
		len += receive(master, shown + len, sizeof(shown) - len);
	} while (!memmem(shown, len, "ready", 5));
	/* The end of that line, if it was not read with it. */
	for (struct pollfd rest = {.fd = master, .events = POLLIN}; poll(&rest, 1, 100) > 0;)
		receive(master, shown, sizeof(shown));
}

static void pause_a_little(void)
{
	struct timespec pause = {.tv_nsec = PAUSE_NS + rand() % (2 * PAUSE_NS)};

	nanosleep(&pause, NULL);
}

static double press(int master)
{
	double begin = now_us();
	char back[16];

	if (write(master, "x", 1) != 1)
		die("write");
	if (receive(master, back, sizeof(back)) != 1 || back[0] != 'x')
		die("what came back was not the key");
	return now_us() - begin;
}

int main(int argc, char **argv)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	char line[32];
	pid_t client;
	int master;

	if (argc < 2) {
		fputs("Usage: keys CLIENT [ARG]...\n", stderr);
		return 2;
	}
	client = forkpty(&master, NULL, NULL, &size);
	if (client < 0)
		die("forkpty");
	if (client == 0) {
		execvp(argv[1], argv + 1);
		die(argv[1]);
	}
	await_ready(master);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (long left = strtol(line, NULL, 10); left > 0; left--) {
			pause_a_little();
			printf("%.2f ", press(master));
		}
		putchar('\n');
		fflush(stdout);
	}
	close(master);
	kill(client, SIGHUP);
	waitpid(client, NULL, 0);
	return 0;
}
