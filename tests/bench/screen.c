/*
 * Runs a command and reads its output, on a pty of its own or through a pipe, until BYTES have come or,
 * with a limit of SECONDS, no longer than that after the first. Says how many bytes came in how many
 * seconds, from the first to the last, and in how many reads; then keeps the command until stdin ends, so
 * that whoever measures can look at every process of the way while all of them are still there.
 *
 *	screen tty|pipe|lazy BYTES SECONDS COMMAND [ARG]...
 *
 * lazy is a tty whose reader sleeps between two reads, so that the command hardly ever wakes it: the most that
 * the command can write.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX  65536
#define ASLEEP_NS 2000000
#define FIRST_S	  60 /* until the first byte */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "screen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Its stdin is a pipe that stays open as long as we live. The command's end of what we read is closed here. */
static pid_t start_piped(char **words, int *ret_out)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out))
		die("pipe");

	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		execvp(words[0], words);
		die(words[0]);
	}
	close(in[0]);
	close(out[1]);
	*ret_out = out[0];
	return child;
}

static pid_t start_on_tty(char **words, int *ret_out)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	pid_t child = forkpty(ret_out, NULL, NULL, &size);

	if (child < 0)
		die("forkpty");
	if (child == 0) {
		execvp(words[0], words);
		die(words[0]);
	}
	return child;
}

static void count(int from, unsigned long long wanted, double limit, long sleep_ns)
{
	struct timespec asleep = {.tv_nsec = sleep_ns};
	static char buf[READ_MAX];
	unsigned long long got = 0, reads = 0;
	double begin = 0, left = FIRST_S, last = 0;

	while ((wanted == 0 || got < wanted) && left > 0) {
		struct pollfd poller = {.fd = from, .events = POLLIN};

		if (poll(&poller, 1, (int)(left * 1000) + 1) <= 0)
			break;

		ssize_t n = read(from, buf, sizeof(buf));

		if (n <= 0)
			break;
		last = now();
		if (reads++ == 0)
			begin = last;
		got += (unsigned long long)n;
		left = begin + limit - last;
		if (sleep_ns > 0)
			nanosleep(&asleep, NULL);
	}
	if (reads == 0 || got < wanted) {
		errno = ENODATA;
		die("bytes are missing");
	}
	/* Without a number of bytes the clock is what ends it, whenever the last came. */
	printf("%llu %.6f %llu\n", got, (wanted == 0 ? now() : last) - begin, reads);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pid_t child;
	char byte;
	int from;

	if (argc < 5 || (strcmp(argv[1], "tty") != 0 && strcmp(argv[1], "pipe") != 0 &&
			 strcmp(argv[1], "lazy") != 0)) {
		fputs("Usage: screen tty|pipe|lazy BYTES SECONDS COMMAND [ARG]...\n", stderr);
		return 2;
	}
	if (strcmp(argv[1], "pipe") == 0)
		child = start_piped(argv + 4, &from);
	else
		child = start_on_tty(argv + 4, &from);
	count(from, strtoull(argv[2], NULL, 10), strtod(argv[3], NULL),
	      strcmp(argv[1], "lazy") == 0 ? ASLEEP_NS : 0);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	kill(child, SIGHUP);
	close(from);
	waitpid(child, NULL, 0);
	return 0;
}
