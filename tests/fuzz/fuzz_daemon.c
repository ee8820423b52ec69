/*
 * The daemon's side of a connection: every frame a client may send, with sessions that live. No
 * process is made: commands are played here, by pipes that print as much as they are told and end
 * when told so (the linker puts our spawn_start and reap_* in place of the daemon's). What they print
 * says where it stands, so that whoever gets it, now or later, sees whether a byte is missing. The first
 * byte says how large the pieces are in which the rest arrives, and whether another client says
 * the same, beside the first or after it.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "daemon/serve/dispatch.h"
#include "daemon/spawn/plan.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "tests/unit/unit_budget.h"

#define COMMANDS_MAX 16
#define FIRST_PID    100000000 /* above the kernel's, were one of them ever to be signalled */
#define CLIENTS	     2
#define VIEWS	     64 /* ids of a client whose output is looked at */

/* Bits of the first byte. */
#define HOW_TRUSTED 1
#define HOW_BESIDE  2
#define HOW_AGAIN   4
#define HOW_SMALL   8
#define HOW_PIECES  128

/* WRAP: spawn_start cgroup_make reap_peek reap_bury reap_signal_group reaper_watch reaper_unwatch getrandom */
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned int flags);
int __wrap_spawn_start(const struct spawn_config *config, struct msg_exec_request *request,
		       int cgroup_fd, struct spawn_child *ret_child, struct spawn_plan **ret_plan,
		       struct spawn_failure *failure);
int __wrap_cgroup_make(struct cgroups *cgroups, const struct cgroup_limits *limits,
		       struct cgroup **ret, struct err *err);
int __wrap_reap_peek(pid_t pid, struct reap_status *ret);
void __wrap_reap_bury(pid_t pid);
void __wrap_reap_signal_group(pid_t leader, int signal);
void __wrap_reaper_watch(struct reaper *reaper, struct reap_watch *watch);
void __wrap_reaper_unwatch(struct reaper *reaper, struct reap_watch *watch);

struct command {
	bool used, ended, buried;
	int in_fd, out_fds[2], end_fd; /* end_fd is the daemon's */
	uint64_t printed[2];	       /* by enum msg_stream */
	uint8_t signal;
	struct loop_source source;
	struct reap_watch *watch;
};

/* A session as a client sees it. */
struct view {
	uint32_t id; /* 0: none */
	uint64_t at[2];
};

struct client {
	struct fuzz_peer peer;
	bool greeted;
	struct view views[VIEWS];
};

static struct daemon {
	struct loop loop;
	struct job_host jobs;
	struct dispatch dispatch;
	struct client clients[CLIENTS];
	size_t client_count;
	struct command commands[COMMANDS_MAX];
	struct loop_timer emptied;
	uint8_t how;
	const uint8_t *said; /* by each client */
	size_t said_len;
	uint64_t ids;
} d;

/* The same ids for the same input; and such as an input may name. */
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned int flags)
{
	(void)flags;
	CLAIM(len == sizeof(d.ids));
	d.ids++;
	memcpy(bytes, &d.ids, len);
	return (ssize_t)len;
}

/* Kept from input to input, as a daemon keeps it from client to client. */
static struct buf_spare spare;

/* ---- commands ---- */

static struct command *command_of(pid_t pid)
{
	CLAIM(pid >= FIRST_PID && pid < FIRST_PID + COMMANDS_MAX);
	CLAIM(d.commands[pid - FIRST_PID].used);
	return &d.commands[pid - FIRST_PID];
}

static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 0x9e3779b1u >> 24);
}

static void end_command(struct command *command, int signal)
{
	uint64_t one = 1;

	if (command->ended)
		return;
	command->ended = true;
	command->signal = (uint8_t)signal;
	loop_remove(&d.loop, &command->source);
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
		if (command->out_fds[i] >= 0 && command->out_fds[i] != command->in_fd)
			close(command->out_fds[i]);
	close(command->in_fd);
	CLAIM(write(command->end_fd, &one, sizeof(one)) == sizeof(one));
}

/* So many bytes, as far as there is room: whether somebody may still read them. */
static bool print(struct command *command, enum msg_stream stream, size_t len)
{
	uint8_t bytes[4096];
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(command->printed[stream] + i);
	n = write(command->out_fds[stream], bytes, len);
	if (n > 0)
		command->printed[stream] += (uint64_t)n;
	return n >= 0 || errno == EAGAIN;
}

/* Prints as much as it is told, to stderr if that begins so, and ends with its input. */
static void on_input(struct loop_source *source, uint32_t ready)
{
	struct command *command =
		(struct command *)((char *)source - offsetof(struct command, source));
	uint8_t bytes[4096];
	ssize_t n = read(command->in_fd, bytes, sizeof(bytes));
	bool to_stderr = n > 0 && bytes[0] == 'e' && command->out_fds[MSG_STREAM_STDERR] >= 0;

	(void)ready;
	if (n > 0 && !print(command, to_stderr ? MSG_STREAM_STDERR : MSG_STREAM_STDOUT, (size_t)n))
		n = 0;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		end_command(command, 0);
}

static int open_streams(struct command *command, bool tty, struct spawn_child *child)
{
	int in[2], out[2];

	command->out_fds[MSG_STREAM_STDERR] = -1;
	if (tty) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, in) < 0)
			return -errno;
		command->in_fd = command->out_fds[MSG_STREAM_STDOUT] = in[0];
		child->in_fd = child->out_fd = in[1];
		return 0;
	}
	if (pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	command->in_fd = in[0];
	child->in_fd = in[1];
	CLAIM(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0);
	child->out_fd = out[0];
	command->out_fds[MSG_STREAM_STDOUT] = out[1];
	CLAIM(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0);
	child->err_fd = out[0];
	command->out_fds[MSG_STREAM_STDERR] = out[1];
	return 0;
}

/* Those whose name begins with ! cannot be executed. */
static void give_verdict(const struct spawn_plan *plan, struct spawn_child *child)
{
	struct child_verdict verdict = {.stage = SPAWN_EXEC, .num = ENOENT, .limit = -1};
	int ends[2];

	CLAIM(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	if (plan->cmd[0] == '!')
		CLAIM(write(ends[1], &verdict, sizeof(verdict)) == sizeof(verdict));
	close(ends[1]);
	child->verdict_fd = ends[0];
}

/* None here: whoever asks for one is refused. */
int __wrap_cgroup_make(struct cgroups *cgroups, const struct cgroup_limits *limits,
		       struct cgroup **ret, struct err *err)
{
	(void)cgroups;
	(void)limits;
	(void)ret;
	return err_set(err, EACCES, NULL, "cannot make a control group");
}

int __wrap_spawn_start(const struct spawn_config *config, struct msg_exec_request *request,
		       int cgroup_fd, struct spawn_child *ret_child, struct spawn_plan **ret_plan,
		       struct spawn_failure *failure)
{
	struct spawn_child child = {-1, -1, -1, -1, -1, -1};
	struct spawn_plan *plan = spawn_plan_new(config, request, failure);
	struct command *command;
	int i = 0;

	(void)cgroup_fd;
	while (i < COMMANDS_MAX && d.commands[i].used)
		i++;
	if (!plan || i == COMMANDS_MAX) {
		failure->num = 0;
		spawn_plan_free(plan);
		return -1;
	}
	/* All that the child would go by is there and ends where it should. */
	CLAIM(plan->child.argv[0] && plan->child.envp && plan->child.paths);
	for (char *const *at = plan->child.envp; *at; at++)
		CLAIM(strchr(*at, '='));
	command = &d.commands[i];
	*command = (struct command){.used = true};
	child.pid = FIRST_PID + i;
	child.pid_fd = command->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CLAIM(command->end_fd >= 0 && open_streams(command, request->tty, &child) == 0);
	give_verdict(plan, &child);
	loop_source_init(&command->source, command->in_fd, on_input);
	loop_want(&d.loop, &command->source, LOOP_IN);
	if (plan->cmd[0] == '!')
		end_command(command, 0);
	*ret_child = child;
	*ret_plan = plan;
	return 0;
}

int __wrap_reap_peek(pid_t pid, struct reap_status *ret)
{
	struct command *command = command_of(pid);

	CLAIM(!command->buried);
	if (!command->ended)
		return 0;
	*ret = (struct reap_status){.code = command->signal ? -1 : 0, .signal = command->signal};
	return 1;
}

void __wrap_reap_bury(pid_t pid)
{
	struct command *command = command_of(pid);

	/* Waiting for one that lives would block. */
	CLAIM(command->ended && !command->buried);
	command->buried = true;
}

void __wrap_reap_signal_group(pid_t leader, int signal)
{
	struct command *command = command_of(leader);

	/* Its number might be anybody's by then. */
	CLAIM(!command->buried);
	if (signal != SIGCONT && signal != SIGCHLD && signal != SIGWINCH && signal != SIGURG)
		end_command(command, signal);
}

static void on_emptied(struct loop_timer *timer)
{
	(void)timer;
	for (int i = 0; i < COMMANDS_MAX; i++) {
		struct reap_watch *watch = d.commands[i].watch;

		if (!watch || !d.commands[i].ended)
			continue;
		d.commands[i].watch = NULL;
		watch->watched = false;
		watch->on_empty(watch);
	}
}

void __wrap_reaper_watch(struct reaper *reaper, struct reap_watch *watch)
{
	struct command *command = command_of(watch->session);

	if (watch->kill)
		end_command(command, SIGKILL);
	command->watch = watch;
	watch->watched = true;
	loop_arm(reaper->loop, &d.emptied, 0);
}

void __wrap_reaper_unwatch(struct reaper *reaper, struct reap_watch *watch)
{
	(void)reaper;
	if (watch->watched)
		command_of(watch->session)->watch = NULL;
	watch->watched = false;
}

/* ---- the daemon ---- */

static void open_client(void);

static void stop_if_done(void)
{
	if (!d.dispatch.conns.conn_count && !d.jobs.job_count)
		loop_stop(&d.loop);
}

static void on_idle(struct job_host *jobs)
{
	(void)jobs;
	stop_if_done();
}

/* What clients wanted kept runs on until the last of them is gone; but no longer here. */
static void on_closed(struct conn_host *conns)
{
	if ((d.how & HOW_AGAIN) && d.client_count < CLIENTS) {
		open_client();
		return;
	}
	if (!conns->conn_count)
		job_end_all(&d.jobs);
	stop_if_done();
}

static void on_shutdown(struct dispatch *dispatch)
{
	(void)dispatch;
}

/* ---- clients ---- */

static struct client *client_of(struct fuzz_peer *peer)
{
	return (struct client *)((char *)peer - offsetof(struct client, peer));
}

/* That of the id; else NULL, or a free one where it is to be made. */
static struct view *view_of(struct client *client, uint32_t id, bool make)
{
	struct view *unused = NULL;

	for (int i = 0; i < VIEWS; i++) {
		if (id && client->views[i].id == id)
			return &client->views[i];
		if (!client->views[i].id)
			unused = &client->views[i];
	}
	return make ? unused : NULL;
}

static void begin_view(struct client *client, uint32_t id, uint64_t of_stdout, uint64_t of_stderr)
{
	struct view *view = view_of(client, id, true);

	if (view)
		*view = (struct view){.id = id, .at = {of_stdout, of_stderr}};
}

static void check_output(struct view *view, enum msg_stream stream, struct msg_bytes data)
{
	for (size_t i = 0; i < data.len; i++)
		CLAIM(data.ptr[i] == byte_at(view->at[stream] + i));
	view->at[stream] += data.len;
}

static void check_entry(const struct msg_session_entry *entry)
{
	CLAIM(entry->session.len == MSG_SESSION_ID_LEN && !msg_is_session_name(entry->session));
	CLAIM(!entry->name.ptr || msg_is_session_name(entry->name));
	CLAIM(entry->stdout_begin <= entry->stdout_end && entry->stderr_begin <= entry->stderr_end);
}

static void on_frame(struct fuzz_peer *peer, const struct frame *frame, enum msg_type type,
		     union fuzz_any *any)
{
	struct client *client = client_of(peer);
	struct view *view = view_of(client, frame->id, false);

	if (type == MSG_EXEC_STARTED)
		begin_view(client, frame->id, 0, 0);
	else if (type == MSG_SESSION_ATTACHED)
		begin_view(client, frame->id, any->attached.stdout_at, any->attached.stderr_at);
	else if (type == MSG_SESSION_ENTRY)
		check_entry(&any->entry);
	else if (view && type == MSG_SESSION_SKIPPED)
		view->at[msg_stream_parse(any->skipped.stream)] += any->skipped.bytes;
	else if (view && type == MSG_EXEC_STDOUT)
		check_output(view, MSG_STREAM_STDOUT, any->data.data);
	else if (view && type == MSG_EXEC_STDERR)
		check_output(view, MSG_STREAM_STDERR, any->data.data);
	else if (view && (frame->flags & FRAME_TERMINAL))
		view->id = 0;
}

static void on_heard(struct fuzz_peer *peer)
{
	struct client *client = client_of(peer);

	if (!client->greeted && buf_len(&peer->heard) >= 8) {
		CLAIM(frame_u32(buf_head(&peer->heard)) == CONN_ID_MIN);
		buf_consume(&peer->heard, 8);
		client->greeted = true;
	}
	if (client->greeted)
		fuzz_check_frames(peer);
}

static void open_client(void)
{
	struct client *client = &d.clients[d.client_count++];
	struct peer peer = unit_peer;
	int fd;

	fuzz_peer_open(&client->peer, &d.loop, d.said, d.said_len,
		       d.how & HOW_PIECES ? (size_t)d.how - HOW_PIECES + 1 : d.said_len, &fd);
	client->peer.on_heard = on_heard;
	client->peer.on_frame = on_frame;
	peer.trusted = d.how & HOW_TRUSTED;
	CLAIM(conn_open(&d.dispatch.conns, fd, fd, &peer) == 0);
}

static void prepare_jobs(void)
{
	static char *env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"HOME=/root", NULL};

	d.jobs.loop = &d.loop;
	d.jobs.spare = spare;
	d.jobs.on_idle = on_idle;
	d.jobs.spawn.env = env;
	d.jobs.spawn.env_count = 2;
	/* Small enough for what is held to be dropped, and to be in the way of others. */
	d.jobs.keeper = (struct keeper){
		.keeps = true,
		.max = COMMANDS_MAX / 2,
		.host = {.loop = &d.loop,
			 .spare = &d.jobs.spare,
			 .activity = &d.jobs.activity,
			 .replay = d.how & HOW_SMALL ? 5000 : 65536,
			 .total.limit = d.how & HOW_SMALL ? 0 : 100000,
			 .keep_ended_ms = 60000},
	};
	keeper_init(&d.jobs.keeper);
	reaper_init(&d.jobs.reaper, &d.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct conn_calls calls = {.on_frame = dispatch_frame};

	if (len < 2)
		return 0;
	log_init("fuzz", LOG_LEVEL_NONE);
	/* As the program's main does: a peer that is gone is an errno. */
	signal(SIGPIPE, SIG_IGN);
	d = (struct daemon){.loop = {.epoll_fd = -1, .signal_fd = -1},
			    .how = data[0],
			    .said = data + 1,
			    .said_len = len - 1};
	CLAIM(loop_init(&d.loop) == 0);
	d.emptied.on_due = on_emptied;
	prepare_jobs();
	d.dispatch = (struct dispatch){.conns = {.jobs = &d.jobs,
						 .budget = &unit_budget,
						 .calls = &calls,
						 .on_closed = on_closed},
				       .max_jobs = COMMANDS_MAX,
				       .on_shutdown = on_shutdown};
	open_client();
	if (d.how & HOW_BESIDE)
		open_client();
	CLAIM(loop_run(&d.loop) == 0);
	CLAIM(!d.jobs.job_count && !d.dispatch.conns.conn_count);
	for (int i = 0; i < COMMANDS_MAX; i++)
		CLAIM(!d.commands[i].used || (d.commands[i].ended && !d.commands[i].watch));
	keeper_remove_all(&d.jobs.keeper);
	CLAIM(!d.jobs.keeper.host.total.held);
	for (size_t i = 0; i < d.client_count; i++)
		fuzz_peer_close(&d.clients[i].peer);
	reaper_release(&d.jobs.reaper);
	spare = d.jobs.spare;
	loop_release(&d.loop);
	return 0;
}
