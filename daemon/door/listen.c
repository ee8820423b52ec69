/* Listening sockets: see listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"

#define ACCEPTS_A_TURN 32
#define PAUSE_MS       100

static void watch_all(struct listen_host *host, uint32_t want)
{
	for (size_t i = 0; i < host->count; i++)
		if (host->listeners[i].fd >= 0)
			loop_want(host->loop, &host->listeners[i].source, want);
}

static void on_pause(struct loop_timer *timer)
{
	watch_all(container_of(timer, struct listen_host, pause), LOOP_IN);
}

static const char refused[] = "refused connections";

/* Whoever is refused may come again as often as he likes. */
static bool may_say(struct listen_host *host)
{
	return log_may(&host->said, LOG_LEVEL_WARN, loop_now_ms(), refused);
}

/* A descriptor to refuse with when there is no other. */
static void keep_spare(struct listen_host *host)
{
	if (host->spare_fd < 0)
		host->spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static const char no_descriptors[] =
	"no descriptors are left; its limit of open files is RLIMIT_NOFILE";
static const char too_many[] = "as many connections are open as --max-connections allows";
static const char too_many_of_user[] =
	"as many connections of this user are open as --max-connections-of-user allows";

/* Why there is no room for one more connection of that peer; NULL: there is. */
static const char *lacks_room(const struct listen_host *host, const struct peer *peer)
{
	const struct budget *budget = host->budget;
	const struct peer_use *use = peer->use;

	if (host->spare_fd < 0 || (use && fd_is_scarce()))
		return no_descriptors;
	if (use && use->connections >= budget->connections_of_user)
		return too_many_of_user;
	if (*host->taken >= (use ? budget_of_others(budget->connections) : budget->connections))
		return too_many;
	return NULL;
}

/* The same, once who says nothing has made way: for a user of his own, for who is trusted of anybody. */
static const char *make_room(struct listen_host *host, const struct peer *peer)
{
	const char *lack = lacks_room(host, peer);

	if (!lack || !host->make_room || !host->make_room(host, peer->use))
		return lack;
	keep_spare(host);
	return lacks_room(host, peer);
}

static void take_connection(struct listen_host *host, int fd)
{
	struct peer peer;
	char words[ERR_TEXT_MAX + 64];
	const char *lack;
	struct err err;

	/* To strangers nothing is said. */
	if (peer_check(host->rules, fd, &peer, &err) < 0) {
		if (may_say(host))
			log_warn("%s", err_words(&err, words, sizeof(words)));
		close(fd);
		return;
	}
	lack = make_room(host, &peer);
	if (!lack) {
		host->on_client(host, fd, &peer);
		return;
	}
	if (may_say(host))
		log_warn("refused %s: %s", peer.name, lack);
	budget_refuse(fd, lack);
}

/* Refuses one more without a descriptor of its own: 0 or -errno. */
static int refuse_one(struct listen_host *host, int listen_fd)
{
	int fd, r = 0;

	if (host->spare_fd < 0)
		return -EMFILE;
	fd_close(&host->spare_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		r = -errno;
	else
		take_connection(host, fd);
	keep_spare(host);
	return r;
}

/* What is in the way may stay there, and the socket would be ready for ever. */
static void pause_all(struct listen_host *host, int num)
{
	if (may_say(host))
		log_warn("cannot accept: %s", strerror(num));
	watch_all(host, 0);
	host->pause.on_due = on_pause;
	loop_arm(host->loop, &host->pause, PAUSE_MS);
}

static void on_connection(struct loop_source *source, uint32_t ready)
{
	struct listener *listener = container_of(source, struct listener, source);
	struct listen_host *host = listener->host;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN && listener->fd >= 0; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC), r = 0;

		if (fd >= 0)
			take_connection(host, fd);
		else
			r = errno == EMFILE ? refuse_one(host, listener->fd) : -errno;
		if (r == 0 || r == -EINTR || r == -ECONNABORTED)
			continue;
		if (r != -EAGAIN)
			pause_all(host, -r);
		return;
	}
}

/* Takes ownership of the descriptor. */
static int add(struct listen_host *host, const struct listener *made, const char *what,
	       struct err *err)
{
	struct listener *listener = &host->listeners[host->count];

	if (host->count == LISTEN_MAX) {
		close(made->fd);
		return err_set(err, 0, NULL, "%s: more than %d addresses", what, LISTEN_MAX);
	}
	if (!host->count)
		host->spare_fd = -1;
	keep_spare(host);
	*listener = *made;
	listener->host = host;
	host->count++;
	loop_source_init(&listener->source, listener->fd, on_connection);
	loop_want(host->loop, &listener->source, LOOP_IN);
	return 0;
}

int listen_open(struct listen_host *host, const struct endpoint *endpoint, struct err *err)
{
	struct listener listener = {.endpoint = *endpoint};
	char name[ENDPOINT_NAME_MAX];

	listener.fd = endpoint_listen(endpoint, &listener.ino, err);
	if (listener.fd < 0)
		return listener.fd;
	return add(host, &listener, endpoint_name(endpoint, name, sizeof(name)), err);
}

int listen_adopt(struct listen_host *host, int fd, const char *what, struct err *err)
{
	struct listener listener = {.fd = fd};
	cleanup_fd int mine = fd;
	int listens = 0, r;
	socklen_t len = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
		return err_set(err, errno, NULL, "cannot listen on %s", what);
	if (!listens)
		return err_set(err, EINVAL, NULL, "%s does not listen", what);
	/* Whoever shares it accepts as well, and may be faster: an accept must not wait. */
	r = fd_set_nonblock(fd);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot listen on %s", what);
	fd_steal(&mine);
	return add(host, &listener, what, err);
}

void listen_close_all(struct listen_host *host)
{
	for (size_t i = 0; i < host->count; i++) {
		struct listener *listener = &host->listeners[i];
		int r;

		if (listener->fd < 0)
			continue;
		loop_remove(host->loop, &listener->source);
		r = listener->endpoint.path ? endpoint_unlink(&listener->endpoint, listener->ino)
					    : 0;
		if (r < 0)
			log_warn("cannot remove %s: %s", listener->endpoint.path, strerror(-r));
		fd_close(&listener->fd);
	}
	loop_disarm(host->loop, &host->pause);
	log_rate_end(&host->said, refused);
	if (host->count)
		fd_close(&host->spare_fd);
}
