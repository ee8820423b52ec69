/*
 * Many sessions at once, over one connection or over many, from one process that costs next to
 * nothing. Every connection is opened first; each then sends all its requests in one piece as soon
 * as it has been greeted.
 *
 *	crowd run  SOCKET CONNECTIONS SESSIONS COMMAND [ARG]...
 *	crowd hold SOCKET CONNECTIONS SESSIONS COMMAND [ARG]...
 *
 * SESSIONS is for each connection; of SESSIONS/N no more than N are asked for at a time. run ends
 * when all have ended with status 0, and says the seconds that took and the seconds of CPU of this
 * process. hold says "ready" when all have started, and keeps them until its stdin ends. SOCKET "-"
 * is the baseline: it starts the commands by itself.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define READ_MAX    65536
#define HEAD_SIZE   9 /* length, id, flags */
#define PROLOGUE    8 /* the range of ids that this connection may use */
#define VERSION	    7
#define START_FLAG  0x02
#define END_FLAG    0x01
#define EVENTS_MAX  64
#define LIMIT_MS    60000

struct connection {
	int fd;
	bool greeted;
	size_t in_len, out_len, out_sent, ended;
	char *out, in[READ_MAX];
};

static size_t started, ended;
static size_t window = SIZE_MAX; /* of each connection */
static char body[REQUEST_MAX];	 /* of each request, after its head */
static size_t body_len;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* ---- the request, in CBOR ---- */

static void put(const void *data, size_t len)
{
	if (len > sizeof(body) - body_len) {
		errno = E2BIG;
		die("the command");
	}
	memcpy(body + body_len, data, len);
	body_len += len;
}

/* With a length of two bytes, whatever it is. */
static void put_head(unsigned major, size_t n)
{
	unsigned char head[] = {(unsigned char)(major << 5 | 25), (unsigned char)(n >> 8),
				(unsigned char)n};

	put(head, sizeof(head));
}

static void put_text(const char *text)
{
	put_head(3, strlen(text));
	put(text, strlen(text));
}

static void make_request(char **words)
{
	size_t payload, count = 0;
	unsigned char version = VERSION;

	while (words[count])
		count++;
	put_head(5, 3);
	put_text("v");
	put(&version, 1);
	put_text("t");
	put_text("core.exec.request");
	put_text("p");
	put_head(2, 0);
	payload = body_len;
	put_head(5, 2);
	put_text("cmd");
	put_text(words[0]);
	put_text("args");
	put_head(4, count - 1);
	for (size_t i = 1; i < count; i++)
		put_text(words[i]);
	body[payload - 2] = (char)((body_len - payload) >> 8);
	body[payload - 1] = (char)(body_len - payload);
}

static void queue_requests(struct connection *c, uint32_t first_id, size_t sessions)
{
	uint32_t len = htobe32((uint32_t)(HEAD_SIZE - sizeof(len) + body_len));
	char *at = malloc(sessions * (HEAD_SIZE + body_len));

	if (!at)
		die("malloc");
	c->out = at;
	c->out_len = sessions * (HEAD_SIZE + body_len);
	for (size_t i = 0; i < sessions; i++) {
		uint32_t id = htobe32(first_id + (uint32_t)i);

		memcpy(at, &len, sizeof(len));
		memcpy(at + 4, &id, sizeof(id));
		at[8] = START_FLAG;
		memcpy(at + HEAD_SIZE, body, body_len);
		at += HEAD_SIZE + body_len;
	}
}

/* ---- the answers ---- */

static void take_frame(struct connection *c, const char *frame, size_t len)
{
	static const char good[] = "\x64"
				   "code"; /* and then a zero, as a number and as this text's end */

	if (memmem(frame, len, "core.exec.started", 17)) {
		started++;
	} else if (frame[8] & END_FLAG) {
		if (!memmem(frame, len, "core.exec.exited", 16) ||
		    !memmem(frame, len, good, sizeof(good))) {
			errno = EPROTO;
			die("a session did not end with status 0");
		}
		ended++;
		c->ended++;
	}
}

/* Up to where its requests may be sent now. */
static size_t allowed(const struct connection *c)
{
	size_t size = HEAD_SIZE + body_len;

	if (window > c->out_len / size - c->ended)
		return c->out_len;
	return (c->ended + window) * size;
}

static void take_input(struct connection *c, size_t sessions)
{
	size_t at = 0;
	uint32_t word;

	if (!c->greeted && c->in_len >= PROLOGUE) {
		memcpy(&word, c->in, sizeof(word));
		queue_requests(c, be32toh(word), sessions);
		c->greeted = true;
		at = PROLOGUE;
	}
	while (c->greeted && c->in_len - at >= HEAD_SIZE) {
		memcpy(&word, c->in + at, sizeof(word));

		size_t len = be32toh(word) + sizeof(word);

		if (len > sizeof(c->in)) {
			errno = EMSGSIZE;
			die("a frame");
		}
		if (c->in_len - at < len)
			break;
		take_frame(c, c->in + at, len);
		at += len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static void watch(int poller, struct connection *c, int how)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (c->out_sent < allowed(c))
		event.events |= EPOLLOUT;
	if (epoll_ctl(poller, how, c->fd, &event))
		die("epoll_ctl");
}

static void serve(int poller, struct connection *c, size_t sessions)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	bool was_full = c->out_sent < allowed(c);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("the daemon closed a connection");
	if (n > 0) {
		c->in_len += (size_t)n;
		take_input(c, sessions);
	}
	if (c->out_sent < allowed(c)) {
		n = send(c->fd, c->out + c->out_sent, allowed(c) - c->out_sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			die("send");
		c->out_sent += n > 0 ? (size_t)n : 0;
	}
	if (was_full != (c->out_sent < allowed(c)))
		watch(poller, c, EPOLL_CTL_MOD);
}

static void join(const char *path, size_t connections, size_t sessions, bool hold)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct connection *all = calloc(connections, sizeof(*all));
	struct epoll_event events[EVENTS_MAX];
	int poller = epoll_create1(EPOLL_CLOEXEC);

	if (!all || poller < 0 || strlen(path) >= sizeof(address.sun_path))
		die(path);
	strcpy(address.sun_path, path);
	for (struct connection *c = all; c < all + connections; c++) {
		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)))
			die("connect");
		watch(poller, c, EPOLL_CTL_ADD);
	}
	while ((hold ? started : ended) < connections * sessions) {
		int n = epoll_wait(poller, events, EVENTS_MAX, LIMIT_MS);

		if (n == 0)
			errno = ETIMEDOUT;
		if (n <= 0)
			die("waiting for the daemon");
		for (int i = 0; i < n; i++)
			serve(poller, events[i].data.ptr, sessions);
	}
}

/* ---- the baseline ---- */

static void spawn_here(size_t count, char **words)
{
	for (size_t i = 0; i < count; i++) {
		pid_t child;

		errno = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
		if (errno)
			die(words[0]);
	}
	for (int status; wait(&status) > 0; ended++) {
		if (status) {
			errno = ECHILD;
			die("a command did not end with status 0");
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;
	double begin, cpu;

	if (argc < 6) {
		fputs("Usage: crowd run|hold SOCKET CONNECTIONS SESSIONS COMMAND [ARG]...\n",
		      stderr);
		return 2;
	}

	char *end;
	size_t connections = strtoul(argv[3], NULL, 10), sessions = strtoul(argv[4], &end, 10);
	bool hold = strcmp(argv[1], "hold") == 0;

	if (*end == '/')
		window = strtoul(end + 1, NULL, 10);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_request(argv + 5);
	begin = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (strcmp(argv[2], "-") == 0)
		spawn_here(connections * sessions, argv + 5);
	else
		join(argv[2], connections, sessions, hold);
	if (!hold) {
		printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - begin,
		       seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
		return 0;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, body, sizeof(body)) > 0)
		;
	return 0;
}
