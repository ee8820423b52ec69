/*
 * Preloaded into the programs by soak.py: clock_gettime() says what the clock says, and what the file
 * $SOAK_CLOCK adds to it now: two numbers of seconds, the first for the time of day, the second for
 * the clocks that nobody sets. This machine's own clocks are everybody's, so nobody steps them.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct steps {
	int64_t realtime, monotonic;
};

static const volatile struct steps *steps;

__attribute__((constructor)) static void find_steps(void)
{
	const char *path = getenv("SOAK_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(*steps), PROT_READ, MAP_SHARED, fd, 0);
	if (mapped != MAP_FAILED)
		steps = mapped;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	long ret = syscall(SYS_clock_gettime, clock, now);

	if (ret < 0 || !steps)
		return (int)ret;
	if (clock == CLOCK_REALTIME)
		now->tv_sec += steps->realtime;
	else if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
		now->tv_sec += steps->monotonic;
	return 0;
}
