/*
 * The daemon's side of a connection: every frame a client may send, with sessions that live. No
 * process is made: commands are played here, by pipes that give back what they are told and an end
 * when told so (the linker puts our spawn_start and reap_* in place of the daemon's). The first
 * byte says how large the pieces are in which the rest arrives.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "daemon/serve/dispatch.h"
#include "daemon/spawn/plan.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "tests/unit/unit_budget.h"

#define COMMANDS_MAX 16
#define FIRST_PID    100000000 /* above the kernel's, were one of them ever to be signalled */

/* WRAP: spawn_start reap_peek reap_bury reap_signal_group reaper_watch reaper_unwatch */
int __wrap_spawn_start(const struct spawn_config *config, struct msg_exec_request *request,
		       struct spawn_child *ret_child, struct spawn_plan **ret_plan,
		       struct spawn_failure *failure);
int __wrap_reap_peek(pid_t pid, struct reap_status *ret);
void __wrap_reap_bury(pid_t pid);
void __wrap_reap_signal_group(pid_t leader, int signal);
void __wrap_reaper_watch(struct reaper *reaper, struct reap_watch *watch);
void __wrap_reaper_unwatch(struct reaper *reaper, struct reap_watch *watch);

struct command {
	bool used, ended, buried;
	int in_fd, out_fd, end_fd; /* end_fd is the daemon's */
	uint8_t signal;
	struct loop_source source;
	struct reap_watch *watch;
};

static struct daemon {
	struct loop loop;
	struct job_host jobs;
	struct dispatch dispatch;
	struct fuzz_peer peer;
	struct command commands[COMMANDS_MAX];
	struct loop_timer emptied;
	bool greeted;
} d;

/* Kept from input to input, as a daemon keeps it from client to client. */
static struct buf_spare spare;

/* ---- commands ---- */

static struct command *command_of(pid_t pid)
{
	CLAIM(pid >= FIRST_PID && pid < FIRST_PID + COMMANDS_MAX);
	CLAIM(d.commands[pid - FIRST_PID].used);
	return &d.commands[pid - FIRST_PID];
}

static void end_command(struct command *command, int signal)
{
	uint64_t one = 1;

	if (command->ended)
		return;
	command->ended = true;
	command->signal = (uint8_t)signal;
	loop_remove(&d.loop, &command->source);
	if (command->out_fd != command->in_fd)
		close(command->out_fd);
	close(command->in_fd);
	CLAIM(write(command->end_fd, &one, sizeof(one)) == sizeof(one));
}

/* Gives back what it is told, as far as there is room, and ends with its input. */
static void on_input(struct loop_source *source, uint32_t ready)
{
	struct command *command =
		(struct command *)((char *)source - offsetof(struct command, source));
	uint8_t bytes[4096];
	ssize_t n = read(command->in_fd, bytes, sizeof(bytes));

	(void)ready;
	if (n > 0 && write(command->out_fd, bytes, (size_t)n) < 0 && errno != EAGAIN)
		n = 0;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		end_command(command, 0);
}

static int open_streams(struct command *command, bool tty, struct spawn_child *child)
{
	int in[2], out[2];

	if (tty) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, in) < 0)
			return -errno;
		command->in_fd = command->out_fd = in[0];
		child->in_fd = child->out_fd = in[1];
		return 0;
	}
	if (pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	command->in_fd = in[0];
	child->in_fd = in[1];
	child->out_fd = out[0];
	command->out_fd = out[1];
	/* Error output that has ended before it began. */
	CLAIM(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0);
	child->err_fd = out[0];
	close(out[1]);
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

int __wrap_spawn_start(const struct spawn_config *config, struct msg_exec_request *request,
		       struct spawn_child *ret_child, struct spawn_plan **ret_plan,
		       struct spawn_failure *failure)
{
	struct spawn_child child = {-1, -1, -1, -1, -1, -1};
	struct spawn_plan *plan = spawn_plan_new(config, request, failure);
	struct command *command;
	int i = 0;

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

/* What the client wanted kept runs on; but not here. */
static void on_closed(struct conn_host *conns)
{
	(void)conns;
	job_end_all(&d.jobs);
	stop_if_done();
}

static void on_shutdown(struct dispatch *dispatch)
{
	(void)dispatch;
}

static void on_heard(struct fuzz_peer *peer)
{
	if (!d.greeted && buf_len(&peer->heard) >= 8) {
		CLAIM(frame_u32(buf_head(&peer->heard)) == CONN_ID_MIN);
		buf_consume(&peer->heard, 8);
		d.greeted = true;
	}
	if (d.greeted)
		fuzz_check_frames(&peer->heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct conn_calls calls = {.on_frame = dispatch_frame};
	static char *env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"HOME=/root", NULL};
	struct peer peer = unit_peer;
	int fd;

	if (len < 2)
		return 0;
	log_init("fuzz", LOG_LEVEL_NONE);
	/* As the program's main does: a peer that is gone is an errno. */
	signal(SIGPIPE, SIG_IGN);
	d = (struct daemon){.loop = {.epoll_fd = -1, .signal_fd = -1}};
	CLAIM(loop_init(&d.loop) == 0);
	d.emptied.on_due = on_emptied;
	d.jobs.loop = &d.loop;
	d.jobs.spare = spare;
	d.jobs.on_idle = on_idle;
	d.jobs.spawn.env = env;
	d.jobs.spawn.env_count = 2;
	reaper_init(&d.jobs.reaper, &d.loop);
	d.dispatch = (struct dispatch){.conns = {.jobs = &d.jobs,
						 .budget = &unit_budget,
						 .calls = &calls,
						 .on_closed = on_closed},
				       .max_jobs = COMMANDS_MAX,
				       .on_shutdown = on_shutdown};
	fuzz_peer_open(&d.peer, &d.loop, data + 1, len - 1,
		       data[0] < 128 ? len : (size_t)data[0] - 127, &fd);
	d.peer.on_heard = on_heard;
	peer.trusted = data[0] & 1;
	CLAIM(conn_open(&d.dispatch.conns, fd, fd, &peer) == 0);
	CLAIM(loop_run(&d.loop) == 0);
	CLAIM(!d.jobs.job_count && !d.dispatch.conns.conn_count);
	for (int i = 0; i < COMMANDS_MAX; i++)
		CLAIM(!d.commands[i].used || (d.commands[i].ended && !d.commands[i].watch));
	fuzz_peer_close(&d.peer);
	reaper_release(&d.jobs.reaper);
	spare = d.jobs.spare;
	loop_release(&d.loop);
	return 0;
}
