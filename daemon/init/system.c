/* What a bare system lacks: see system.h. */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/spawn/environ.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"

#define STRICT (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* In this order: some stand inside others. */
static const struct place {
	const char *path;
	const char *type;
	const char *sign; /* a file that shows that it is there; NULL: any mount at all */
	unsigned long flags;
	const char *options;
} places[] = {
	{"/dev", "devtmpfs", "/dev/null", MS_NOSUID, "mode=755"},
	{"/proc", "proc", "/proc/self/stat", STRICT, NULL},
	{"/sys", "sysfs", "/sys/kernel", STRICT, NULL},
	{"/dev/pts", "devpts", "/dev/pts/ptmx", MS_NOSUID | MS_NOEXEC,
	 "mode=620,ptmxmode=666,gid=5"},
	{"/dev/shm", "tmpfs", NULL, MS_NOSUID | MS_NODEV, "mode=1777"},
	{"/run", "tmpfs", NULL, MS_NOSUID | MS_NODEV, "mode=755"},
	{"/sys/fs/cgroup", "cgroup2", NULL, STRICT, NULL},
};

static bool is_mount_point(const char *path)
{
	char parent[64];
	struct stat here, above;

	snprintf(parent, sizeof(parent), "%s/..", path);
	return stat(path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static void mount_at(const struct place *place)
{
	mkdir(place->path, 0755);
	if (mount(place->type, place->path, place->type, place->flags, place->options) < 0)
		log_info("cannot mount %s on %s: %s", place->type, place->path, strerror(errno));
}

static void mount_missing(void)
{
	static const struct place tmp = {"/tmp", "tmpfs", NULL, MS_NOSUID | MS_NODEV, "mode=1777"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *place = &places[i];

		if (place->sign ? access(place->sign, F_OK) < 0 : !is_mount_point(place->path))
			mount_at(place);
	}
	/* Only where nothing could be written: what an image keeps there may be wanted. */
	if (mkdir(tmp.path, 01777) == 0)
		chmod(tmp.path, 01777);
	if (access(tmp.path, W_OK) < 0)
		mount_at(&tmp);
}

/* devtmpfs holds devices alone; shells and scripts expect these beside them. */
static void link_standard_streams(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			log_debug("cannot make %s: %s", links[i][1], strerror(errno));
}

/* The kernel could not open it for us before there was a /dev. */
static void open_console(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		/* The lowest free number is the one that is missing. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/console", O_RDWR | O_NOCTTY) < 0)
			break;
	fd_open_standard();
}

static void bring_up_loopback(void)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0 || (request.ifr_flags & IFF_UP))
		return;
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		log_info("cannot bring up the loopback interface: %s", strerror(errno));
}

static void name_host(void)
{
	char name[65];

	if (gethostname(name, sizeof(name)) < 0 || strcmp(name, "(none)") != 0)
		return;
	if (sethostname("localhost", strlen("localhost")) < 0)
		log_info("cannot name this host: %s", strerror(errno));
}

void init_system_prepare(void)
{
	mount_missing();
	link_standard_streams();
	open_console();
	bring_up_loopback();
	name_host();
	setenv("PATH", ENVIRON_DEFAULT_PATH, 0);
	setenv("HOME", "/", 0);
}
