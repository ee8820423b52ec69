/*
 * The least that two hops can cost: a server that runs a command on a pty and a client, with a Unix
 * socket between them, which only copy bytes. No frames, no users, no exit status.
 *
 *	relay serve SOCKET
 *	relay SOCKET COMMAND [ARG]...
 *	relay wake
 *
 * wake: what two wake-ups cost, of a process that sleeps and of who asked it and sleeps meanwhile. Each
 * line on stdin asks for one more byte over a Unix socket and back; the answer is a line of microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX   64
#define COMMAND_MAX 4096
#define COPY_MAX    65536
#define ASLEEP_NS   500000 /* after so long both do */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Copies what there is. 0 at the end. */
static int copy(int from, int to)
{
	static char buf[COPY_MAX];
	ssize_t n = read(from, buf, sizeof(buf)), done = 0;

	while (done < n) {
		ssize_t m = write(to, buf + done, (size_t)(n - done));

		if (m < 0)
			return 0;
		done += m;
	}
	return n > 0;
}

/* Both ways, until nothing more can come from far, or, if that is all, from near. */
static void relay(int near_in, int near_out, int far, bool near_is_all)
{
	struct pollfd sides[] = {
		{.fd = near_in, .events = POLLIN},
		{.fd = far, .events = POLLIN},
	};

	while (poll(sides, 2, -1) > 0 || errno == EINTR) {
		if (sides[1].revents && !copy(far, near_out))
			return;
		if (sides[0].revents && !copy(near_in, far)) {
			if (near_is_all)
				return;
			sides[0].fd = -1;
		}
	}
}

/* One connection: its command comes as words that each end with a zero, the last being empty. */
static void serve(int connection)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	char text[COMMAND_MAX], *words[WORDS_MAX + 1];
	size_t len = 0, count = 0;
	int master;

	do {
		if (len == sizeof(text) || read(connection, text + len, 1) != 1)
			die("the command did not come");
		len++;
	} while (len < 2 || text[len - 1] || text[len - 2]);
	for (char *word = text; *word && count < WORDS_MAX; word += strlen(word) + 1)
		words[count++] = word;
	words[count] = NULL;

	pid_t command = forkpty(&master, NULL, NULL, &size);

	if (command < 0)
		die("forkpty");
	if (command == 0) {
		execvp(words[0], words);
		die(words[0]);
	}
	relay(connection, connection, master, true);
}

static void listen_on(const struct sockaddr_un *address)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(listener, 16))
		die(address->sun_path);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (connection >= 0 && fork() == 0) {
			serve(connection);
			_exit(0);
		}
		close(connection);
	}
}

static void ask(const struct sockaddr_un *address, char **words)
{
	int far = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct termios saved, raw;
	int on_terminal = tcgetattr(STDIN_FILENO, &saved) == 0;

	if (far < 0 || connect(far, (const struct sockaddr *)address, sizeof(*address)))
		die(address->sun_path);
	for (; *words; words++)
		if (write(far, *words, strlen(*words) + 1) < 0)
			die("write");
	if (write(far, "", 1) < 0)
		die("write");
	if (on_terminal) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	relay(STDIN_FILENO, STDOUT_FILENO, far, false);
	if (on_terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static double now_us(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

/* As a client and a daemon do it: poll first, read then. False at the end. */
static bool await_byte(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&poller, 1, -1) == 1 && read(fd, &byte, 1) == 1;
}

static void wake(void)
{
	struct timespec pause = {.tv_nsec = ASLEEP_NS};
	char line[16];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		die("socketpair");
	if (fork() == 0) {
		close(ends[0]);
		while (await_byte(ends[1]) && write(ends[1], "", 1) == 1)
			;
		_exit(0);
	}
	close(ends[1]);
	while (fgets(line, sizeof(line), stdin)) {
		nanosleep(&pause, NULL);

		double begin = now_us();

		if (write(ends[0], "", 1) != 1 || !await_byte(ends[0]))
			die("the other process");
		printf("%.2f\n", now_us() - begin);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int serving = argc == 3 && strcmp(argv[1], "serve") == 0;

	if (argc == 2 && strcmp(argv[1], "wake") == 0) {
		wake();
		return 0;
	}
	if (argc < 3) {
		fputs("Usage: relay serve SOCKET, relay SOCKET COMMAND [ARG]..., relay wake\n",
		      stderr);
		return 2;
	}
	if (strlen(argv[1 + serving]) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		die(argv[1 + serving]);
	}
	strcpy(address.sun_path, argv[1 + serving]);
	if (serving)
		listen_on(&address);
	else
		ask(&address, argv + 2);
	return 0;
}
