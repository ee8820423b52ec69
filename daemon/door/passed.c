/* Sockets passed by systemd: see passed.h. */
#include "passed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base.h"

#define FIRST 3

/* An environment variable that holds a number; -1 without one. */
static long number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long number;

	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	number = strtol(text, &end, 10);
	return errno || *end ? -1 : number;
}

int passed_take(struct err *err)
{
	static const char *const told[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};
	long count = number_of("LISTEN_FDS");

	/* Who has not been told by its own pid has inherited what was said to somebody else. */
	if (count <= 0 || number_of("LISTEN_PID") != (long)getpid())
		return 0;
	if (count > LISTEN_MAX)
		return err_set(err, EINVAL, NULL, "systemd passes %ld sockets, over %d", count,
			       LISTEN_MAX);
	for (int fd = FIRST; fd < FIRST + count; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return err_set(err, errno, NULL,
				       "socket %d of the %ld that LISTEN_FDS promises", fd, count);
	/* Nobody whom we start is to take it for its own. */
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		unsetenv(told[i]);
	return (int)count;
}

static int option_of(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

/* What is wrong with it, and how its unit would be right; NULL when nothing is. */
static const char *objection_to(int fd)
{
	int domain = option_of(fd, SO_DOMAIN);

	if (domain < 0)
		return "is no socket; ListenStream= makes one";
	if (domain != AF_UNIX && domain != AF_VSOCK)
		return "is neither a Unix nor a vsock socket, and no other kind is served";
	if (option_of(fd, SO_TYPE) != SOCK_STREAM)
		return "is no stream socket; ListenStream= makes one";
	/* One process serves all clients: one for each would know nothing of the others' limits. */
	if (!option_of(fd, SO_ACCEPTCONN))
		return "does not listen; its unit needs Accept=no";
	return NULL;
}

int passed_listen(struct listen_host *host, int count, struct err *err)
{
	for (int fd = FIRST; fd < FIRST + count; fd++) {
		const char *objection = objection_to(fd);
		char what[48];
		int r;

		snprintf(what, sizeof(what), "socket %d passed by systemd", fd);
		if (objection)
			return err_set(err, 0, NULL, "%s %s", what, objection);
		r = listen_adopt(host, fd, what, err);
		if (r < 0)
			return r;
	}
	return 0;
}
