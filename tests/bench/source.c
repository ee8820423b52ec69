/*
 * Writes bytes, from FILE if it is given, and then waits for the end of its stdin, so that whoever
 * measures can look at every process of the way while all of them are still there.
 *
 *	source BYTES CHUNK [FILE]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "source: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc < 3 || strtoul(argv[2], NULL, 10) == 0) {
		fputs("Usage: source BYTES CHUNK [FILE]\n", stderr);
		return 2;
	}
	unsigned long long left = strtoull(argv[1], NULL, 10);
	size_t chunk = strtoul(argv[2], NULL, 10);
	char *bytes = malloc(chunk), byte;
	int file = argc > 3 ? open(argv[3], O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n;

	if (argc > 3 && file < 0)
		die(argv[3]);
	if (!bytes)
		die("malloc");
	memset(bytes, 'x', chunk);
	while (left > 0) {
		size_t now = left < chunk ? (size_t)left : chunk;

		if (file >= 0 && read(file, bytes, now) != (ssize_t)now)
			die(argv[3]);
		n = write(STDOUT_FILENO, bytes, now);
		if (n < 0 && errno != EINTR)
			die("write");
		if (n > 0)
			left -= (unsigned long long)n;
	}
	do
		n = read(STDIN_FILENO, &byte, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
	free(bytes);
	return 0;
}
