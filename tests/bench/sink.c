/*
 * Reads stdin to its end and throws it away. Says "." on stdout once BYTES have come; fewer or more
 * are a failure. With BYTES 0 any number will do. RATE, in MiB/s, makes it a slow reader.
 *
 *	sink BYTES [RATE]
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX 65536
#define NS_PER_S 1000000000

static int64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * NS_PER_S + at.tv_nsec;
}

/* Waits until so many bytes may have come at that rate; lost time is not made up for. */
static void pace(int64_t *due, ssize_t bytes, unsigned long mib_per_s)
{
	int64_t now = now_ns();
	struct timespec until;

	*due = (*due > now ? *due : now) + (int64_t)bytes * NS_PER_S / ((int64_t)mib_per_s << 20);
	until.tv_sec = *due / NS_PER_S;
	until.tv_nsec = *due % NS_PER_S;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

int main(int argc, char **argv)
{
	static char buf[READ_MAX];
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, got = 0;
	unsigned long rate = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int64_t due = 0;
	bool told = false;
	ssize_t n;

	for (;;) {
		n = read(STDIN_FILENO, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (uint64_t)n;
		if (wanted > 0 && got >= wanted && !told)
			told = write(STDOUT_FILENO, ".", 1) == 1;
		if (rate > 0)
			pace(&due, n, rate);
	}
	if (n < 0 || (wanted > 0 && got != wanted)) {
		fprintf(stderr, "sink: %llu bytes of %llu: %s\n", (unsigned long long)got,
			(unsigned long long)wanted, n < 0 ? strerror(errno) : "end of file");
		return 1;
	}
	return 0;
}
