/* How a session ended: see ending.h. */
#include "ending.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/options/exit.h"
#include "cli/options/hint.h"
#include "shared/log.h"
#include "shared/names.h"

/* ---- the command did ---- */

static void log_exit(const struct opts *opts, const struct msg_exec_exited *exited)
{
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

static void complain(struct ending *ending, const char *words)
{
	snprintf(ending->complaint, sizeof(ending->complaint), "%s", words);
}

/* A command may do without what was killed of it. */
static void tell_oom(const struct msg_exec_exited *exited, const struct opts *opts,
		     struct ending *ending)
{
	if (ending->status)
		ending->reason = REASON_OOM;
	complain(ending, exited->signal == SIGKILL
				 ? "out of memory: the kernel killed the command"
				 : "out of memory: the kernel killed a process of the command");
	if (opts->memory_max)
		snprintf(ending->hint, sizeof(ending->hint), "--memory lets it have %llu bytes",
			 (unsigned long long)opts->memory_max);
}

static void tell_exit(const struct msg_exec_exited *exited, const struct ending_terms *terms,
		      struct ending *ending)
{
	const struct opts *opts = terms->opts;
	int signal = exit_signal(exited);

	log_exit(opts, exited);
	ending->status = exit_status(exited);
	ending->reason = exited->signal || exited->code < 0 ? REASON_SIGNAL : REASON_EXITED;
	if (exited->oom_killed)
		tell_oom(exited, opts, ending);
	if (exited->timed_out || terms->timed_out) {
		ending->status = EXIT_TIMED_OUT;
		ending->reason = REASON_TIMEOUT;
		/* Of one that was started by others nobody here knows what they asked for. */
		if (exited->timed_out && !opts->timeout_ms && opts->action == OPTS_RUN)
			complain(ending, "the command ran for longer than the agent lets any");
	} else if (exited->signal && !signal) {
		snprintf(ending->complaint, sizeof(ending->complaint),
			 "signal %u ended the command, as this agent says; there is none",
			 exited->signal);
	} else if (!signal && exited->code < 0) {
		complain(ending, "a signal ended the command; this agent does not say which");
	} else {
		ending->signal = signal;
	}
}

/* ---- it was never one ---- */

static bool is_of_exec(struct msg_text stage)
{
	static const char exec[] = "execve";

	return stage.len == sizeof(exec) - 1 && memcmp(stage.ptr, exec, stage.len) == 0;
}

static void tell_failure(const struct msg_exec_failed *failed, const struct opts *opts,
			 struct ending *ending)
{
	static const struct {
		int status;
		enum reason reason;
	} kinds[] = {
		[MSG_FAILURE_NOT_FOUND] = {EXIT_NOT_FOUND, REASON_NOT_FOUND},
		[MSG_FAILURE_PERMISSION_DENIED] = {EXIT_CANNOT_RUN, REASON_NOT_EXECUTABLE},
		[MSG_FAILURE_NOT_EXECUTABLE] = {EXIT_CANNOT_RUN, REASON_NOT_EXECUTABLE},
		[MSG_FAILURE_BAD_CWD] = {EXIT_FAILED, REASON_BAD_CWD},
		[MSG_FAILURE_BAD_ARGS] = {EXIT_FAILED, REASON_BAD_ARGS},
		[MSG_FAILURE_RESOURCE_LIMIT] = {EXIT_FAILED, REASON_REFUSED},
		[MSG_FAILURE_USER_SETUP_FAILED] = {EXIT_FAILED, REASON_BAD_USER},
		[MSG_FAILURE_OUT_OF_MEMORY] = {EXIT_FAILED, REASON_REFUSED},
		[MSG_FAILURE_PTY_SETUP_FAILED] = {EXIT_FAILED, REASON_REFUSED},
		[MSG_FAILURE_OTHER] = {EXIT_FAILED, REASON_REFUSED},
	};
	int kind = msg_failure_parse(failed->kind);
	const char *hint;

	snprintf(ending->complaint, sizeof(ending->complaint), "%.*s", (int)failed->message.len,
		 failed->message.ptr);
	if (!ending->complaint[0])
		complain(ending, "the agent could not run it, and does not say why");
	hint = kind == MSG_FAILURE_NOT_FOUND ? hint_command(opts) : NULL;
	if (hint)
		snprintf(ending->hint, sizeof(ending->hint), "%s", hint);
	if (kind < 0)
		return;
	ending->status = kinds[kind].status;
	ending->reason = kinds[kind].reason;
	/* As shells and env(1) have it, what the kernel says of the program or of its arguments. */
	if (kind == MSG_FAILURE_BAD_ARGS && is_of_exec(failed->stage))
		ending->status = EXIT_CANNOT_RUN;
}

/* ---- the agent would have none of it, or no more ---- */

bool ending_is_no_session(struct msg_text message)
{
	static const char words[] = "no such session";

	return message.len == sizeof(words) - 1 && memcmp(message.ptr, words, message.len) == 0;
}

static void tell_refusal(const struct remote_end *end, const struct ending_terms *terms,
			 struct ending *ending)
{
	struct msg_text message = end->failed.message;

	ending->reason = end->had_started ? REASON_LOST : REASON_REFUSED;
	if (terms->was_asked && ending_is_no_session(message))
		ending->reason = REASON_NO_SESSION;
	if (terms->was_asked && !end->had_started)
		snprintf(ending->complaint, sizeof(ending->complaint), "%s: %s", end->why,
			 terms->label);
	else
		snprintf(ending->complaint, sizeof(ending->complaint),
			 "the agent %s the session%s%.*s", end->had_started ? "ended" : "refused",
			 message.len ? ": " : "", (int)message.len, message.ptr);
}

static void tell_detached(enum msg_detached why, const char *label, struct ending *ending)
{
	static const char *const fates[] = {
		[MSG_DETACHED_ASKED] = "was detached",
		[MSG_DETACHED_TAKEN] = "was attached elsewhere",
		[MSG_DETACHED_REMOVED] = "was removed",
		[MSG_DETACHED_DONE] = "has ended",
	};

	ending->reason = REASON_DETACHED;
	snprintf(ending->complaint, sizeof(ending->complaint), "session %s %s", label, fates[why]);
}

void ending_of(const struct remote_end *end, const struct ending_terms *terms, struct ending *ret)
{
	*ret = (struct ending){.status = EXIT_FAILED, .reason = REASON_ERROR};
	if (end->how == REMOTE_EXITED)
		tell_exit(&end->exited, terms, ret);
	else if (end->how == REMOTE_FAILED)
		tell_failure(&end->failed, terms->opts, ret);
	else if (end->how == REMOTE_DETACHED)
		tell_detached(end->detached, terms->label, ret);
	else
		tell_refusal(end, terms, ret);
}
