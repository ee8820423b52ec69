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

static void on_started(struct exec *exec, struct msg_bytes payload)
{
	struct msg_exec_started started;

	if (msg_decode(MSG_EXEC_STARTED, payload, &started) < 0)
		return;
	exec->runs = true;
	exec->input.window = started.stdin_window;
	log_info("the command runs as process %u of the guest", started.pid);
}

static void on_data(struct exec *exec, enum msg_type type, struct msg_bytes payload)
{
	struct stream *stream = type == MSG_EXEC_STDERR ? &exec->err : &exec->out;
	struct msg_data data;

	if (msg_decode(type, payload, &data) < 0) {
		exec_finish_with(exec, EXIT_FAILED, "the agent sent output that does not decode");
		return;
	}
	link_read_narrow(&exec->client.link, 0);
	exec->output.received += data.data.len;
	if (stream_write(stream, data.data.ptr, data.data.len) < 0)
		exec_finish_with(exec, EXIT_FAILED, "no memory for the output");
}

static void on_stdin_error(struct exec *exec, struct msg_bytes payload)
{
	struct msg_stdin_error error;

	if (msg_decode(MSG_EXEC_STDIN_ERROR, payload, &error) < 0)
		return;
	/* A command that reads no more is no failure; input that got lost on its way to it is one. */
	if (exec->tty || error.num == EPIPE || !error.num) {
		log_info("the command's input: %.*s", (int)error.message.len, error.message.ptr);
	} else {
		log_error("the command's input is not whole: %.*s", (int)error.message.len,
			  error.message.ptr);
		exec->input_failed = true;
	}
	if (!exec->in_ended)
		exec_refuse_input(exec);
}

static void on_stdin_credit(struct exec *exec, struct msg_bytes payload)
{
	struct msg_credit credit;

	if (msg_decode(MSG_EXEC_STDIN_CREDIT, payload, &credit) == 0)
		credit_consumed(&exec->input, credit.consumed);
}

static void on_exited(struct exec *exec, struct msg_bytes payload)
{
	char complaint[sizeof(exec->complaint)];
	struct msg_exec_exited exited;

	if (msg_decode(MSG_EXEC_EXITED, payload, &exited) < 0) {
		exec_finish_with(exec, EXIT_FAILED, "the agent sent an exit that does not decode");
		return;
	}
	if (exited.has_usage)
		log_info("user %.3f s, system %.3f s, wall %.3f s, at most %llu KiB%s",
			 (double)exited.usage.user_us / 1e6, (double)exited.usage.sys_us / 1e6,
			 (double)exited.usage.wall_us / 1e6,
			 (unsigned long long)exited.usage.max_rss_kib,
			 exited.core_dumped ? ", core dumped" : "");
	/* By the agent's clock: by ours it was said when it struck. */
	if (exited.timed_out && exec->opts->timeout_ms)
		log_info("--timeout has passed: it was sent SIG%s%s",
			 signal_name(exec->opts->timeout_signal),
			 exited.signal == SIGKILL && exec->opts->timeout_signal != SIGKILL
				 ? ", and SIGKILL when --kill-after had passed too"
				 : "");
	if (exited.timed_out && !exec->opts->timeout_ms) {
		exec_finish_with(exec, EXIT_TIMED_OUT,
				 "the command ran for longer than the agent lets any");
	} else if (exited.timed_out || exec->timed_out) {
		exec_finish(exec, EXIT_TIMED_OUT);
	} else if (exited.signal && !exit_signal(&exited)) {
		snprintf(complaint, sizeof(complaint),
			 "signal %u ended the command, as this agent says; there is none",
			 exited.signal);
		exec_finish_with(exec, exit_status(&exited), complaint);
	} else if (exited.signal) {
		/* Of one that we passed on we die too, so that a script's loop stops. */
		if (exited.signal < 32 && exec->forwarded & 1u << exited.signal)
			exec->die_of = exited.signal;
		exec_finish(exec, exit_status(&exited));
	} else if (exited.code < 0) {
		exec_finish_with(exec, exit_status(&exited),
				 "a signal ended the command; this agent does not say which");
	} else {
		exec_finish(exec, exit_status(&exited));
	}
}

static bool is_of_exec(struct msg_text stage)
{
	static const char exec[] = "execve";

	return stage.len == sizeof(exec) - 1 && memcmp(stage.ptr, exec, stage.len) == 0;
}

static void on_failed(struct exec *exec, struct msg_bytes payload)
{
	static const int statuses[] = {
		[MSG_FAILURE_NOT_FOUND] = EXIT_NOT_FOUND,
		[MSG_FAILURE_PERMISSION_DENIED] = EXIT_CANNOT_RUN,
		[MSG_FAILURE_NOT_EXECUTABLE] = EXIT_CANNOT_RUN,
	};
	struct msg_exec_failed failed;
	char complaint[sizeof(exec->complaint)];
	const char *hint;
	int kind;

	if (msg_decode(MSG_EXEC_FAILED, payload, &failed) < 0) {
		exec_finish_with(exec, EXIT_FAILED,
				 "the agent sent a failure that does not decode");
		return;
	}
	kind = msg_failure_parse(failed.kind);
	/* As shells and env(1) have it, what the kernel says of the program or of its arguments. */
	if (kind == MSG_FAILURE_BAD_ARGS && is_of_exec(failed.stage))
		kind = MSG_FAILURE_NOT_EXECUTABLE;
	snprintf(complaint, sizeof(complaint), "%.*s", (int)failed.message.len, failed.message.ptr);
	hint = kind == MSG_FAILURE_NOT_FOUND ? hint_command(exec->opts) : NULL;
	if (hint && !exec->finished)
		snprintf(exec->hint, sizeof(exec->hint), "%s", hint);
	if (kind < 0 || kind > MSG_FAILURE_NOT_EXECUTABLE)
		exec_finish_with(exec, EXIT_FAILED, complaint);
	else
		exec_finish_with(exec, statuses[kind], complaint);
}

static void on_error(struct exec *exec, struct msg_bytes payload)
{
	const char *what = exec->runs ? "ended" : "refused";
	char complaint[sizeof(exec->complaint)];
	struct msg_error error;

	if (msg_decode(MSG_ERROR, payload, &error) < 0 || !error.message.len)
		snprintf(complaint, sizeof(complaint), "the agent %s the session", what);
	else
		snprintf(complaint, sizeof(complaint), "the agent %s the session: %.*s", what,
			 (int)error.message.len, error.message.ptr);
	exec_finish_with(exec, EXIT_FAILED, complaint);
}

void exec_on_frame(struct client *client, const struct frame *frame)
{
	struct exec *exec = client->owner;
	struct msg_envelope envelope;

	if (msg_open(frame, &envelope) < 0 || look_on_frame(&exec->look, frame, &envelope))
		return;
	if (frame->id != client->id) {
		connection_on_frame(&exec->beside, frame, &envelope);
		return;
	}
	switch (envelope.type) {
	case MSG_EXEC_STARTED:
		on_started(exec, envelope.payload);
		break;
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		on_data(exec, envelope.type, envelope.payload);
		break;
	case MSG_EXEC_STDIN_ERROR:
		on_stdin_error(exec, envelope.payload);
		break;
	case MSG_EXEC_STDIN_CREDIT:
		on_stdin_credit(exec, envelope.payload);
		break;
	case MSG_EXEC_EXITED:
		on_exited(exec, envelope.payload);
		break;
	case MSG_EXEC_FAILED:
		on_failed(exec, envelope.payload);
		break;
	case MSG_ERROR:
		on_error(exec, envelope.payload);
		break;
	default:
		/* A newer agent may say more than we know. */
		break;
	}
}
