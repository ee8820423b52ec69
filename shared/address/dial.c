/* Connecting to an address: see dial.h. */
#include "dial.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* After sys/socket.h, which older kernel headers need. */
#include <linux/vm_sockets.h>

#include "sandbox.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/io/process.h"
#include "shared/log.h"
#include "shared/shown.h"

#define AGAIN_MS 20 /* between looks at a queue that was full */

/* ---- the end ---- */

void dial_cancel(struct dial *dial)
{
	if (!dial->under_way)
		return;
	dial->under_way = false;
	loop_disarm(dial->loop, &dial->again);
	loop_disarm(dial->loop, &dial->deadline);
	loop_remove(dial->loop, &dial->source);
	fd_close(&dial->fd);
}

static void connected(struct dial *dial, pid_t process)
{
	int fd = dial->fd;

	loop_remove(dial->loop, &dial->source);
	dial->fd = -1;
	dial_cancel(dial);
	dial->on_done(dial, fd, process, NULL);
}

static void failed(struct dial *dial, const struct err *err)
{
	dial_cancel(dial);
	dial->on_done(dial, -1, 0, err);
}

/* What was dialled, with every path that it stands for; what comes behind it; and the errno. */
static void fail(struct dial *dial, int num, const char *why)
{
	char name[ENDPOINT_NAME_MAX];
	struct err err;

	endpoint_name(&dial->endpoint, name, sizeof(name));
	if (dial->endpoint.kind == ENDPOINT_SANDBOX)
		err_set(&err, num, NULL, "cannot connect to %.100s%s (tried %s)", name, why,
			dial->tried_all);
	else
		err_set(&err, num, NULL, "cannot connect to %s%s", name, why);
	failed(dial, &err);
}

/* ---- hvsock: behind the hypervisor's socket ---- */

static void on_answer(struct loop_source *source, uint32_t ready);

static void ask_hypervisor(struct dial *dial)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "CONNECT %u\n", dial->endpoint.port);

	/* A fresh socket takes so little at once, or it is broken. */
	if (send(dial->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len) {
		fail(dial, errno, "");
		return;
	}
	loop_source_init(&dial->source, dial->fd, on_answer);
	loop_want(dial->loop, &dial->source, LOOP_IN);
}

static void judge_answer(struct dial *dial)
{
	char why[DIAL_LINE_MAX + 64], said[DIAL_LINE_MAX];

	dial->line[dial->line_len] = '\0';
	if (strncmp(dial->line, "OK ", 3) == 0 || strcmp(dial->line, "OK") == 0) {
		connected(dial, 0);
		return;
	}
	shown_put(said, sizeof(said), dial->line, dial->line_len);
	snprintf(why, sizeof(why), ": instead of OK it answered \"%s\"", said);
	fail(dial, 0, why);
}

/* Takes exactly one line: what comes behind it is the agent's. */
static void on_answer(struct loop_source *source, uint32_t ready)
{
	struct dial *dial = container_of(source, struct dial, source);
	char *at = dial->line + dial->line_len, *end;
	size_t room = sizeof(dial->line) - 1 - dial->line_len;
	ssize_t n = recv(dial->fd, at, room, MSG_PEEK | MSG_DONTWAIT);

	(void)ready;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(dial, n < 0 ? errno : 0,
		     n < 0 ? "" : ": it hung up; does an agent listen on that port of the guest?");
		return;
	}
	end = memchr(at, '\n', (size_t)n);
	n = recv(dial->fd, at, end ? (size_t)(end - at) + 1 : (size_t)n, MSG_DONTWAIT);
	if (n < 0) {
		fail(dial, errno, "");
		return;
	}
	dial->line_len += (size_t)n - (end ? 1 : 0);
	if (end || dial->line_len == sizeof(dial->line) - 1)
		judge_answer(dial);
}

/* ---- Unix sockets ---- */

static void try_sandbox(struct dial *dial);

static void try_unix(struct dial *dial)
{
	const struct endpoint *to = dial->tries ? &dial->tried : &dial->endpoint;
	struct sockaddr_un address;
	socklen_t len = endpoint_unix_address(to, &address);
	int r;

	do {
		r = connect(dial->fd, (struct sockaddr *)&address, len);
	} while (r < 0 && errno == EINTR);
	/* Its queue is full; there is no hearing when it has room. */
	if (r < 0 && errno == EAGAIN)
		loop_arm(dial->loop, &dial->again, AGAIN_MS);
	else if (r < 0 && dial->tries && (errno == ENOENT || errno == ENOTDIR))
		try_sandbox(dial);
	else if (r < 0)
		fail(dial, errno, "");
	else if (to->kind == ENDPOINT_HVSOCK)
		ask_hypervisor(dial);
	else
		connected(dial, 0);
}

static void on_again(struct loop_timer *timer)
{
	try_unix(container_of(timer, struct dial, again));
}

/* The next place that a sandbox's socket may be in. */
static void try_sandbox(struct dial *dial)
{
	const char *own = getenv("MSB_HOME"), *user = getenv("HOME");
	size_t at = strlen(dial->tried_all);
	char home[PATH_MAX];
	int r;

	snprintf(home, sizeof(home), "%s%s",
		 own && own[0] ? own
		 : user	       ? user
			       : "",
		 own && own[0] ? "" : "/.microsandbox");
	do {
		if (dial->tries == SANDBOX_PLACES) {
			fail(dial, ENOENT, "");
			return;
		}
		r = sandbox_path(home, dial->endpoint.name, dial->tries++, dial->tried_path,
				 sizeof(dial->tried_path));
		at += (size_t)snprintf(dial->tried_all + at, sizeof(dial->tried_all) - at, "%s%s%s",
				       at ? ", " : "", dial->tried_path, r < 0 ? "..." : "");
	} while (r < 0);
	dial->tried = (struct endpoint){.kind = ENDPOINT_UNIX,
					.path = dial->tried_path,
					.path_len = strlen(dial->tried_path)};
	try_unix(dial);
}

static void open_unix(struct dial *dial)
{
	dial->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (dial->fd < 0)
		fail(dial, errno, "");
	else if (dial->endpoint.kind == ENDPOINT_SANDBOX)
		try_sandbox(dial);
	else
		try_unix(dial);
}

/* ---- vsock ---- */

static void on_vsock(struct loop_source *source, uint32_t ready)
{
	struct dial *dial = container_of(source, struct dial, source);
	socklen_t len = sizeof(int);
	int error = 0;

	(void)ready;
	if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		fail(dial, error, "");
	else
		connected(dial, 0);
}

static void open_vsock(struct dial *dial, uint64_t timeout_ms)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK,
				      .svm_cid = dial->endpoint.cid,
				      .svm_port = dial->endpoint.port};
	/* The kernel's own deadline is 2 s: no earlier than ours, which is what people chose. */
	struct timeval limit = {.tv_sec = timeout_ms > 86400000 ? 86400
								: (time_t)(timeout_ms / 1000) + 1};

	dial->fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (dial->fd < 0) {
		fail(dial, errno, ": this kernel has no vsock");
		return;
	}
	setsockopt(dial->fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit, sizeof(limit));
	if (connect(dial->fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		connected(dial, 0);
		return;
	}
	if (errno != EINPROGRESS) {
		fail(dial, errno, "");
		return;
	}
	loop_source_init(&dial->source, dial->fd, on_vsock);
	loop_want(dial->loop, &dial->source, LOOP_OUT);
}

/* ---- programs ---- */

/* The msb-execd beside our own program, or where make install puts it, or in PATH. */
static void find_execd(char *out, size_t len)
{
	static const char *const places[] = {"msb-execd", "../sbin/msb-execd"};

	if (!process_beside(places, ARRAY_LEN(places), out, len))
		strcpy(out, "msb-execd");
}

static void started(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	if (fd < 0) {
		failed(dial, err);
		return;
	}
	dial->fd = fd;
	connected(dial, process);
}

static void open_local(struct dial *dial)
{
	char program[PATH_MAX];
	char *argv[] = {program, (char *)"--listen", (char *)"stdio:", NULL};
	struct err err;
	pid_t process;
	int fd;

	find_execd(program, sizeof(program));
	/* What it says would stand among our own lines, so it stands where they do. */
	fd = process_start(program, argv, log_file_fd(), &process, &err);
	started(dial, fd, process, &err);
}

/* As ssh does with a ProxyCommand: by a shell that becomes the command, where it is but one. */
static void open_exec(struct dial *dial)
{
	static const char before[] = "trap '' INT QUIT TSTP; exec ";
	const char *command = dial->endpoint.command;
	char *script = malloc(sizeof(before) + strlen(command));
	char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
	struct err err;
	pid_t process;
	int fd;

	if (!script) {
		fail(dial, ENOMEM, "");
		return;
	}
	strcpy(stpcpy(script, before), command);
	fd = process_start("/bin/sh", argv, -1, &process, &err);
	free(script);
	started(dial, fd, process, &err);
}

/* ---- the beginning ---- */

static void on_deadline(struct loop_timer *timer)
{
	struct dial *dial = container_of(timer, struct dial, deadline);
	bool queued = dial->again.armed || dial->again.due;
	bool asked = dial->endpoint.kind == ENDPOINT_HVSOCK && !queued;

	fail(dial, ETIMEDOUT,
	     queued  ? ", whose queue of connections is full"
	     : asked ? ", which does not answer CONNECT"
		     : "");
}

static void open_any(struct dial *dial, uint64_t timeout_ms)
{
	switch (dial->endpoint.kind) {
	case ENDPOINT_VSOCK:
		open_vsock(dial, timeout_ms);
		break;
	case ENDPOINT_EXEC:
		open_exec(dial);
		break;
	case ENDPOINT_LOCAL:
		open_local(dial);
		break;
	default:
		open_unix(dial);
		break;
	}
}

void dial_start(struct dial *dial, struct loop *loop, const struct endpoint *endpoint,
		uint64_t timeout_ms,
		void (*on_done)(struct dial *dial, int fd, pid_t process, const struct err *err))
{
	*dial = (struct dial){
		.loop = loop,
		.endpoint = *endpoint,
		.fd = -1,
		.source = {.fd = -1},
		.under_way = true,
		.on_done = on_done,
	};
	dial->again.on_due = on_again;
	dial->deadline.on_due = on_deadline;
	if (timeout_ms != DIAL_FOREVER)
		loop_arm(loop, &dial->deadline, timeout_ms);
	open_any(dial, timeout_ms);
}
