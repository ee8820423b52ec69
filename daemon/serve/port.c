/*
 * A serial port: see port.h.
 *
 * A virtio port without a host (Linux 6.1): epoll says IN and HUP for ever, a read returns 0, a
 * write EAGAIN. So it is watched for changes alone until the HUP is gone, and a read of 0 is the
 * end of that host, not of the port. A UART knows nothing of hosts: one is always there.
 *
 * A pseudo-terminal that hung up never comes back, and the next one of that number is anybody's: a
 * path that still leads there is not opened again until it leads elsewhere.
 */
#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"

#define VIRTIO_PORTS "/sys/class/virtio-ports"

#define BOOT_WAIT_MS	200 /* for the first host's bootstrap */
#define REOPEN_MS	20 /* between one host's end and the next, so that no fault makes us spin */
#define MISSING_MS	100   /* between looks for a device that is not there yet */
#define MISSING_SLOW_MS 1000  /* and when that takes long */
#define MISSING_LONG_MS 10000 /* which is worth a line */

/* UNIX98_PTY_SLAVE_MAJOR, and UNIX98_PTY_MAJOR_COUNT of them. */
#define PTS_MAJOR      136
#define PTS_MAJOR_LAST 143

int port_find(const char *folder, const char *name, char *ret_path, size_t len)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = -ENODEV;

	if (!dir)
		return errno == ENOENT ? -ENODEV : -errno;
	while (r == -ENODEV && (entry = readdir(dir))) {
		char path[512], text[256];
		cleanup_fd int fd = -1;
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s/name", folder, entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (n <= 0 || entry->d_name[0] == '.')
			continue;
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, name) != 0)
			continue;
		r = snprintf(ret_path, len, "/dev/%s", entry->d_name) < (int)len ? 0
										 : -ENAMETOOLONG;
	}
	closedir(dir);
	return r;
}

/* As bytes come, so must they be: no echo, no line, no signal, no wait for a carrier. */
static int set_raw(int fd)
{
	struct termios mode;

	if (tcgetattr(fd, &mode) < 0)
		return -errno;
	cfmakeraw(&mode);
	mode.c_cflag |= CLOCAL | CREAD;
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &mode) < 0 ? -errno : 0;
}

static bool is_pts(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) >= PTS_MAJOR &&
	       major(st->st_rdev) <= PTS_MAJOR_LAST;
}

/* The path is the pseudo-terminal's own, or the same link that led to it. */
static bool leads_to_the_old(const struct port *port, const struct stat *link)
{
	return is_pts(link) || (S_ISLNK(link->st_mode) && link->st_ino == port->link.st_ino &&
				link->st_dev == port->link.st_dev &&
				link->st_ctim.tv_sec == port->link.st_ctim.tv_sec &&
				link->st_ctim.tv_nsec == port->link.st_ctim.tv_nsec);
}

static void on_ready(struct loop_source *source, uint32_t ready);

static int open_device(struct port *port)
{
	const char *path = port->endpoint.name ? port->path : port->endpoint.path;
	cleanup_fd int fd = -1;
	struct stat st, link;
	int r = 0;

	if (port->endpoint.name)
		r = port_find(VIRTIO_PORTS, port->endpoint.name, port->path, sizeof(port->path));
	if (r < 0)
		return r;
	if (lstat(path, &link) < 0)
		return -errno;
	if (port->was_pts && leads_to_the_old(port, &link))
		return -ESTALE;
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENOTTY;
	port->was_pts = is_pts(&st);
	port->link = link;
	port->tty = isatty(fd);
	r = port->tty ? set_raw(fd) : 0;
	if (r < 0)
		return r;
	port->fd = fd_steal(&fd);
	loop_source_init(&port->source, port->fd, on_ready);
	return 0;
}

/* Whether it may be there in a moment: made by a driver, or still held by who had it before us. */
static bool may_pass(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENXIO || error == -EBUSY ||
	       error == -EIO || error == -EAGAIN;
}

static void watch(struct port *port, bool on)
{
	loop_want(port->host->loop, &port->source, on ? LOOP_IN | LOOP_OUT | LOOP_EDGE : 0);
}

static void close_device(struct port *port)
{
	loop_remove(port->host->loop, &port->source);
	fd_close(&port->fd);
}

static const char *why_missing(const struct port *port, int error)
{
	if (port->endpoint.name && error == -ENODEV)
		return "there is no virtio port of that name";
	if (error == -ESTALE)
		return "its terminal hung up, and another of that number may be anybody's";
	return strerror(-error);
}

static void look_again(struct port *port, int error)
{
	uint64_t missing_ms = loop_now_ms() - port->missing_since_ms;
	bool is_long = missing_ms >= MISSING_LONG_MS;

	if (is_long && !port->complained) {
		log_error("%s: %s; still looking for it", port->text, why_missing(port, error));
		port->complained = true;
	}
	loop_arm(port->host->loop, &port->look, is_long ? MISSING_SLOW_MS : MISSING_MS);
}

static void serve(struct port *port)
{
	int fd = fcntl(port->fd, F_DUPFD_CLOEXEC, 3);

	watch(port, false);
	log_caused(LOG_LEVEL_INFO, "%s: a host is there", port->text);
	if (fd < 0) {
		log_caused(LOG_LEVEL_WARN, "%s: cannot serve its host: no memory", port->text);
		loop_arm(port->host->loop, &port->look, MISSING_SLOW_MS);
		return;
	}
	serial_open(&port->serial, port->host->dispatch, fd, port->text,
		    port->host->had_host ? 0 : BOOT_WAIT_MS);
	port->served = true;
	port->host->had_host = true;
}

/* Hung up for good: a terminal always; a virtio port once its device was taken away. */
static bool is_gone(const struct port *port)
{
	char byte;

	return port->tty || (read(port->fd, &byte, 0) < 0 && errno == ENODEV);
}

/* What there is to do, derived from what is there: a device, and a host behind it. */
static void look(struct port *port)
{
	struct pollfd state = {.events = POLLIN | POLLOUT};
	int r;

	if (port->served || port->host->retired)
		return;
	if (port->fd < 0) {
		r = open_device(port);
		if (r < 0) {
			look_again(port, r);
			return;
		}
		port->complained = false;
	}
	state.fd = port->fd;
	if (poll(&state, 1, 0) < 0 || !(state.revents & POLLHUP)) {
		serve(port);
		return;
	}
	if (!is_gone(port)) {
		watch(port, true);
		return;
	}
	log_caused(LOG_LEVEL_INFO, "%s: hung up", port->text);
	close_device(port);
	port->missing_since_ms = loop_now_ms();
	look_again(port, -EIO);
}

static void on_ready(struct loop_source *source, uint32_t ready)
{
	(void)ready;
	look(container_of(source, struct port, source));
}

static void on_look(struct loop_timer *timer)
{
	look(container_of(timer, struct port, look));
}

static void on_end(struct serial *serial)
{
	struct port *port = container_of(serial, struct port, serial);

	port->served = false;
	if (!port->host->retired)
		loop_arm(port->host->loop, &port->look, REOPEN_MS);
}

int port_open(struct port_host *host, const struct endpoint *endpoint, struct err *err)
{
	struct port *port = &host->ports[host->count];
	int r;

	if (host->count == PORT_MAX)
		return err_set(err, 0, NULL, "more than %d serial ports", PORT_MAX);
	*port = (struct port){
		.host = host,
		.endpoint = *endpoint,
		.fd = -1,
		.missing_since_ms = loop_now_ms(),
		.serial = {.boot = host->boot, .on_end = on_end},
		.source.fd = -1,
		.look.on_due = on_look,
	};
	endpoint_name(endpoint, port->text, sizeof(port->text));
	r = open_device(port);
	if (r == -ENOTTY)
		return err_set(err, 0, NULL, "%s is no character device", port->text);
	if (r < 0 && !may_pass(r))
		return err_set(err, -r, NULL, "cannot open %s", port->text);
	host->count++;
	if (r < 0)
		log_warn("%s: not there yet: %s; waiting for it", port->text, strerror(-r));
	loop_arm(host->loop, &port->look, 0);
	return 0;
}

void port_retire_all(struct port_host *host)
{
	host->retired = true;
	for (size_t i = 0; i < host->count; i++) {
		loop_disarm(host->loop, &host->ports[i].look);
		watch(&host->ports[i], false);
	}
}

void port_close_all(struct port_host *host)
{
	for (size_t i = 0; i < host->count; i++)
		close_device(&host->ports[i]);
}
