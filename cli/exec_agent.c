/* What the agent says about the command, and what msb-exec makes of it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../shared/log.h"
#include "../shared/names.h"
#include "exec_inside.h"
#include "exit.h"
#include "hint.h"

static void on_started(struct remote *remote)
{
	log_info("the command runs as process %u of the guest", remote->pid);
}

static void on_data(struct remote *remote, enum msg_type type, const char *data, size_t len)
{
	struct exec *exec = remote->owner;

	if (stream_write(type == MSG_EXEC_STDERR ? &exec->err : &exec->out, data, len) < 0)
		exec_finish_with(exec, EXIT_FAILED, "no memory for the output");
}

static void on_garbled(struct remote *remote, const char *what)
{
	char complaint[80];

	snprintf(complaint, sizeof(complaint), "the agent sent %s that does not decode", what);
	exec_finish_with(remote->owner, EXIT_FAILED, complaint);
}

static void on_input_error(struct remote *remote, const struct msg_stdin_error *error)
{
	struct exec *exec = remote->owner;

	/* A command that reads no more is no failure; input that got lost on its way to it is one. */
	if (exec->tty || error->num == EPIPE || !error->num) {
		log_info("the command's input: %.*s", (int)error->message.len, error->message.ptr);
	} else {
		log_error("the command's input is not whole: %.*s", (int)error->message.len,
			  error->message.ptr);
		exec->input_failed = true;
	}
	if (!exec->in_ended)
		exec_refuse_input(exec);
}

static void log_exit(const struct exec *exec, const struct msg_exec_exited *exited)
{
	const struct opts *opts = exec->opts;

	if (exited->has_usage)
		log_info("user %.3f s, system %.3f s, wall %.3f s, at most %llu KiB%s",
			 (double)exited->usage.user_us / 1e6, (double)exited->usage.sys_us / 1e6,
			 (double)exited->usage.wall_us / 1e6,
			 (unsigned long long)exited->usage.max_rss_kib,
			 exited->core_dumped ? ", core dumped" : "");
	/* By the agent's clock: by ours it was said when it struck. */
	if (exited->timed_out && opts->timeout_ms)
		log_info("--timeout has passed: it was sent SIG%s%s",
			 signal_name(opts->timeout_signal),
			 exited->signal == SIGKILL && opts->timeout_signal != SIGKILL
				 ? ", and SIGKILL when --kill-after had passed too"
				 : "");
}

static void on_exited(struct exec *exec, const struct msg_exec_exited *exited)
{
	char complaint[sizeof(exec->complaint)];

	log_exit(exec, exited);
	if (exited->timed_out && !exec->opts->timeout_ms) {
		exec_finish_with(exec, EXIT_TIMED_OUT,
				 "the command ran for longer than the agent lets any");
	} else if (exited->timed_out || exec->timed_out) {
		exec_finish(exec, EXIT_TIMED_OUT);
	} else if (exited->signal && !exit_signal(exited)) {
		snprintf(complaint, sizeof(complaint),
			 "signal %u ended the command, as this agent says; there is none",
			 exited->signal);
		exec_finish_with(exec, exit_status(exited), complaint);
	} else if (exited->signal) {
		/* Of one that we passed on we die too, so that a script's loop stops. */
		if (exited->signal < 32 && exec->forwarded & 1u << exited->signal)
			exec->die_of = exited->signal;
		exec_finish(exec, exit_status(exited));
	} else if (exited->code < 0) {
		exec_finish_with(exec, exit_status(exited),
				 "a signal ended the command; this agent does not say which");
	} else {
		exec_finish(exec, exit_status(exited));
	}
}

static bool is_of_exec(struct msg_text stage)
{
	static const char exec[] = "execve";

	return stage.len == sizeof(exec) - 1 && memcmp(stage.ptr, exec, stage.len) == 0;
}

static void on_failed(struct exec *exec, const struct msg_exec_failed *failed)
{
	static const int statuses[] = {
		[MSG_FAILURE_NOT_FOUND] = EXIT_NOT_FOUND,
		[MSG_FAILURE_PERMISSION_DENIED] = EXIT_CANNOT_RUN,
		[MSG_FAILURE_NOT_EXECUTABLE] = EXIT_CANNOT_RUN,
	};
	char complaint[sizeof(exec->complaint)];
	int kind = msg_failure_parse(failed->kind);
	const char *hint;

	/* As shells and env(1) have it, what the kernel says of the program or of its arguments. */
	if (kind == MSG_FAILURE_BAD_ARGS && is_of_exec(failed->stage))
		kind = MSG_FAILURE_NOT_EXECUTABLE;
	snprintf(complaint, sizeof(complaint), "%.*s", (int)failed->message.len,
		 failed->message.ptr);
	hint = kind == MSG_FAILURE_NOT_FOUND ? hint_command(exec->opts) : NULL;
	if (hint && !exec->finished)
		snprintf(exec->hint, sizeof(exec->hint), "%s", hint);
	if (kind < 0 || kind > MSG_FAILURE_NOT_EXECUTABLE)
		exec_finish_with(exec, EXIT_FAILED, complaint);
	else
		exec_finish_with(exec, statuses[kind], complaint);
}

static void on_refused(struct exec *exec, bool had_started, struct msg_text message)
{
	char complaint[sizeof(exec->complaint)];

	snprintf(complaint, sizeof(complaint), "the agent %s the session%s%.*s",
		 had_started ? "ended" : "refused", message.len ? ": " : "", (int)message.len,
		 message.ptr);
	exec_finish_with(exec, EXIT_FAILED, complaint);
}

static void on_end(struct remote *remote, const struct remote_end *end)
{
	struct exec *exec = remote->owner;

	switch (end->how) {
	case REMOTE_EXITED:
		on_exited(exec, &end->exited);
		break;
	case REMOTE_FAILED:
		on_failed(exec, &end->failed);
		break;
	case REMOTE_REFUSED:
		on_refused(exec, end->had_started, end->failed.message);
		break;
	}
}

void exec_set_up_remote(struct exec *exec)
{
	struct remote *remote = &exec->remote;

	remote->owner = exec;
	remote->on_started = on_started;
	remote->on_data = on_data;
	remote->on_part = exec_on_part;
	remote->on_body = exec_on_body;
	remote->on_input_error = on_input_error;
	remote->on_garbled = on_garbled;
	remote->on_end = on_end;
}
