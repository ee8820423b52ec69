/* One command as msb-exec sees it: see exec.h. */
#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options/exit.h"
#include "cli/terminal/lines.h"
#include "cli/terminal/term.h"
#include "ending.h"
#include "merge.h"
#include "shared/base.h"
#include "shared/log.h"
#include "shared/names.h"
#include "shared/shown.h"

#define OUTPUT_AHEAD  (1024 * 1024) /* what may wait for our readers, of an agent without credit */
#define OUTPUT_WINDOW (2 * 1024 * 1024)
#define LEAVING_AHEAD \
	(8 * 1024 * 1024)  /* the same once told to end, so that we learn that it did */
#define LAST_CALL_MS  1000 /* without progress */
#define LAST_WORDS_MS 500  /* for the last line, of whoever leaves at once */
#define OUTPUT_MAX    (LEAVING_AHEAD + OUTPUT_WINDOW + FRAME_WIRE_MAX)
#define JSON_GROWS    6 /* so many times as long lines of JSON may be */

static bool is_over(const struct exec *exec)
{
	return exec->state >= EXEC_OVER;
}

/* It was asked for, and is not over. */
static bool is_under_way(const struct exec *exec)
{
	return exec->state == EXEC_RUNNING || exec->state == EXEC_LEAVING;
}

/* What may wait for our readers once we are told to end, so that how the command ends is heard behind it. */
static size_t leaving_ahead(const struct exec *exec)
{
	return exec->opts->json ? (size_t)JSON_GROWS * LEAVING_AHEAD : LEAVING_AHEAD;
}

static size_t queued(const struct exec *exec)
{
	return buf_len(&exec->out.queue) + buf_len(&exec->err.queue);
}

/* ---- the end ---- */

/* However long our readers take for the rest, which a raw terminal was meant for. */
static void cook_terminal(struct exec *exec)
{
	term_cook(stream_waits_for_terminal(&exec->out) || stream_waits_for_terminal(&exec->err));
}

static void fail_io(struct exec *exec)
{
	exec->reason = REASON_IO;
	exec->status = EXIT_FAILED;
}

/* What to exit with in the end, which may be another time. */
static void settle_status(struct exec *exec)
{
	if (exec->in.failure[0] && exec->status == 0)
		fail_io(exec);
	/* It is not the command's fault, nor how a pipe ends. */
	if (exec->write_failed && (exec->status == 0 || exec->status == 128 + SIGPIPE))
		fail_io(exec);
	/* What the command ended with is its own. */
	if (exec->opts->user_shell && exec->status == EXIT_FAILED &&
	    exec->reason >= REASON_CANCELLED)
		exec->status = EXIT_RSH_FAILED;
}

/* Says what our readers do not get, once. */
static void complain_of_output(struct exec *exec)
{
	exec->write_failed |= stream_complain(&exec->out, "output");
	exec->write_failed |= stream_complain(&exec->err, "error");
}

/* What was said of our input and output meanwhile, if there is nothing else to say. */
static const char *complaint(struct exec *exec)
{
	if (exec->complaint[0])
		return exec->complaint;
	if (exec->out.told)
		stream_failure(&exec->out, "output", exec->said, sizeof(exec->said));
	else if (exec->err.told)
		stream_failure(&exec->err, "error", exec->said, sizeof(exec->said));
	return exec->said[0] ? exec->said : exec->in.failure;
}

static struct report_end report_end(struct exec *exec)
{
	const struct remote *remote = &exec->remote;

	settle_status(exec);
	return (struct report_end){
		.reason = exec->reason,
		.status = exec->status,
		.exited = exec->has_exited,
		.how = exec->exited,
		.complaint = complaint(exec),
		.hint = exec->hint,
		.session = remote->id,
		.name = remote->name[0] ? remote->name : exec->opts->name,
	};
}

/* Once. The last object that is printed tells whether it could be. */
static void write_result(struct exec *exec)
{
	struct report_end end = report_end(exec);
	struct err err;

	if (report_result(&exec->report, &end, &err) == 0)
		return;
	log_err(&err);
	err_words(&err, exec->said, sizeof(exec->said));
	exec->write_failed = true;
}

/* Behind all output. */
static void tell_last(struct exec *exec)
{
	struct report_end end;

	if (exec->report.told || !exec->opts->json)
		return;
	write_result(exec);
	end = report_end(exec);
	report_last(&exec->report, &end);
	complain_of_output(exec);
	/* It may be this line that the disk had no room for, and then all ends otherwise. */
	end = report_end(exec);
	report_squeeze(&exec->report, &end);
}

/* However much of the output nobody has taken: what is there begins and ends with a line. */
static void tell_last_now(struct exec *exec)
{
	if (exec->report.told || !exec->opts->json)
		return;
	stream_keep_line(&exec->out);
	tell_last(exec);
	stream_drain(&exec->out, LAST_WORDS_MS);
}

/* The line to leave with, when the terminal is itself again and the output is out. */
static void say_last(struct exec *exec)
{
	struct report_end end = report_end(exec);
	bool in_line = exec->modes.in_line;
	const char *newline;
	int r;

	if (exec->state == EXEC_SAID)
		return;
	exec->state = EXEC_SAID;
	r = term_restore();
	newline = r < 0 ? "\r\n" : "\n";
	/* It does not continue the command's. */
	if ((r < 0 || exec->complaint[0]) && in_line && isatty(STDERR_FILENO) &&
	    (r < 0 || exec->answers_keys || !log_has_file()))
		stream_write(&exec->err, newline, strlen(newline));
	term_tell(r);
	if (exec->complaint[0] && exec->answers_keys)
		log_answer(LOG_LEVEL_ERROR, exec->complaint);
	else if (exec->complaint[0])
		log_error("%s", exec->complaint);
	if (exec->hint[0])
		log_error("%s", exec->hint);
	if (exec->opts->usage)
		report_usage(&end);
}

/* Once nothing is left to write, that was all. */
static void settle(struct exec *exec)
{
	bool body = !is_over(exec) && link_has_body(&exec->client.link);

	while (is_over(exec) && report_output_more(&exec->output))
		;
	/* Also of what the command wrote before it ended. */
	complain_of_output(exec);
	stream_watch_output(&exec->out, body && exec_body_waits_for(&exec->body, &exec->out));
	stream_watch_output(&exec->err, body && exec_body_waits_for(&exec->body, &exec->err));
	if (!is_over(exec) || queued(exec))
		return;
	/* Nobody was told the id of what runs on. */
	if (exec->write_failed && exec->opts->detach)
		keep_way_back(&exec->keep, exec->hint, sizeof(exec->hint));
	tell_last(exec);
	stream_watch_output(&exec->out, false);
	if (buf_len(&exec->out.queue))
		return;
	say_last(exec);
	if (!buf_len(&exec->err.queue))
		loop_stop(exec->loop);
}

/* What is queued for our readers is still written. */
static void finish(struct exec *exec, enum reason reason, int status)
{
	if (is_over(exec))
		return;
	exec->state = EXEC_OVER;
	exec->reason = reason;
	exec->status = status;
	report_output_end(&exec->output);
	look_cancel(&exec->look);
	keep_stop(&exec->keep);
	loop_disarm(exec->loop, &exec->timeout);
	loop_disarm(exec->loop, &exec->kill_after);
	exec_input_shut(&exec->in);
	cook_terminal(exec);
	if (exec->die_of)
		loop_arm(exec->loop, &exec->last_call, LAST_CALL_MS);
	settle(exec);
}

/* Killed by the signal that we are to die of: a reader that takes nothing is not waited for. */
static void on_last_call(struct loop_timer *timer)
{
	struct exec *exec = container_of(timer, struct exec, last_call);

	log_info("left %zu bytes that nobody took", queued(exec));
	loop_stop(exec->loop);
}

/* The same, with a line to leave with. */
static void finish_with(struct exec *exec, enum reason reason, int status, const char *complaint)
{
	if (is_over(exec))
		return;
	snprintf(exec->complaint, sizeof(exec->complaint), "%s",
		 complaint[0] ? complaint : "the agent could not run it, and does not say why");
	finish(exec, reason, status);
}

void exec_fail(struct exec *exec, enum reason reason, int status, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64];

	if (!is_over(exec))
		snprintf(exec->hint, sizeof(exec->hint), "%s", err->hint);
	finish_with(exec, reason, status, err_words(err, words, sizeof(words)));
}

/* Now, whatever is queued. */
static void leave_by(struct exec *exec, int signal)
{
	exec->die_of = signal;
	exec->status = 128 + signal;
	exec->reason = REASON_CANCELLED;
	if (!is_over(exec))
		exec->state = EXEC_OVER;
	report_output_end(&exec->output);
	exec_input_shut(&exec->in);
	loop_stop(exec->loop);
}

/* ---- the terminal ---- */

/*
 * A window that is dragged changes faster than a slow link takes it: while one size waits to go
 * out, the next one is not read, so that what follows it is the latest.
 */
static void tell_size(struct exec *exec)
{
	struct link *link = &exec->client.link;
	bool repaint = exec->window == EXEC_WINDOW_REPAINT;

	if (exec->window == EXEC_WINDOW_TOLD || !exec->tty || !is_under_way(exec) ||
	    link_sent(link) < exec->window_end)
		return;
	exec->window = EXEC_WINDOW_TOLD;
	if (remote_tell_window(&exec->remote, repaint))
		exec->window_end = link_queued(link);
}

/* The session goes on, at a terminal that has modes of its own. Who is told to end needs no line. */
static void tell_raw(int r)
{
	if (r < 0 && r != -EINTR)
		log_warn("cannot set the terminal's modes: %s", strerror(-r));
}

static void begin_terminal(struct exec *exec)
{
	if (isatty(STDOUT_FILENO) && !exec->opts->json)
		exec->out.modes = &exec->modes;
	if (exec->in_terminal)
		tell_raw(term_make_raw(STDIN_FILENO));
}

/* The command has our terminal. */
static bool has_terminal(const struct exec *exec)
{
	return exec->tty && exec->in_terminal && !is_over(exec) && exec->state != EXEC_REACHING;
}

/* A line in the midst, by the stream and not by a write that our reader could hold up. */
static void say(struct exec *exec, const char *words)
{
	bool on_terminal = isatty(STDERR_FILENO);
	const char *newline = has_terminal(exec) && on_terminal ? "\r\n" : "\n";
	char shown[400], line[512];
	int len;

	if (exec->opts->quiet)
		return;
	if (log_has_file()) {
		log_warn("%s", words);
		return;
	}
	shown_put(shown, sizeof(shown), words, strlen(words));
	len = snprintf(line, sizeof(line), "%smsb-exec: %s%s",
		       on_terminal && exec->modes.in_line ? newline : "", shown, newline);
	stream_write(&exec->err, line, (size_t)len);
	if (on_terminal)
		modes_begin_line(&exec->modes);
	stream_watch_output(&exec->err, false);
	client_mark(&exec->client);
}

/* Somebody else may have had the terminal, and changed it. */
static void look_again(void *owner)
{
	struct exec *exec = owner;

	if (has_terminal(exec))
		term_resume(STDIN_FILENO);
	if (is_over(exec))
		cook_terminal(exec);
	exec->window =
		modes_have_screen(exec->modes.on) ? EXEC_WINDOW_REPAINT : EXEC_WINDOW_MAY_DIFFER;
	client_awake(&exec->client);
	client_mark(&exec->client);
}

/* Stops msb-exec, or all of its group, until it is continued. */
static void suspend(struct exec *exec, bool whole_group)
{
	/* What came before goes out before; a terminal that takes nothing is not waited for. */
	stream_flush(&exec->out);
	stream_flush(&exec->err);
	term_suspend(whole_group);
	look_again(exec);
}

/* What becomes of the command is for the agent. */
static void leave(struct exec *exec, bool detach)
{
	char complaint[200];
	bool kept = keep_farewell(&exec->keep, detach, complaint, sizeof(complaint));

	exec->answers_keys = has_terminal(exec);
	finish_with(exec, detach ? REASON_DETACHED : REASON_CANCELLED,
		    detach && kept ? 0 : EXIT_FAILED, complaint);
	loop_stop(exec->loop);
}

/* With the agent's word that it is kept, which whoever starts it by a process may end with. */
static void detach(struct exec *exec)
{
	bool knows = exec->client.agent.features & MSG_FEATURE_SESSIONS;

	if (!knows || exec->client.process > 0 || exec->remote.state != REMOTE_STARTED) {
		leave(exec, true);
		return;
	}
	/* In its turn: a frame of input may just be on its way into the queue. */
	exec->detach_due = true;
	exec_input_go(&exec->in, EXEC_INPUT_RESTS);
	client_mark(&exec->client);
}

static void on_detach_unanswered(void *owner)
{
	leave(owner, true);
}

static void on_repaint(void *owner)
{
	struct exec *exec = owner;

	exec->window = EXEC_WINDOW_MAY_DIFFER;
	client_mark(&exec->client);
}

static void show_help(struct exec *exec)
{
	char character[4], text[512];
	int c = exec->in.escape.character, n;

	snprintf(character, sizeof(character), c < ' ' ? "^%c" : "%c", c < ' ' ? c + '@' : c);
	n = snprintf(text, sizeof(text),
		     "%s?\r\nAfter a newline:\r\n"
		     " %s.   disconnect\r\n"
		     " %s^Z  suspend msb-exec\r\n"
		     " %s?   this help\r\n"
		     " %s%s   send the escape character\r\n",
		     character, character, character, character, character, character);
	stream_write(&exec->err, text, (size_t)n);
}

static void on_escape(void *owner, enum escape_action action)
{
	struct exec *exec = owner;

	if (action == ESCAPE_END)
		leave(exec, false);
	else if (action == ESCAPE_DETACH)
		detach(exec);
	else if (action == ESCAPE_SUSPEND)
		suspend(exec, true);
	else if (action == ESCAPE_HELP)
		show_help(exec);
}

/* ---- signals, for the command, or, where whoever sends them insists, for us ---- */

static bool ends(int signal)
{
	return signal == SIGINT || signal == SIGTERM || signal == SIGQUIT;
}

static void on_unanswered(struct client *client, enum patience_step step)
{
	struct exec *exec = client->owner;
	char words[256];

	if (is_over(exec))
		return;
	if (step == PATIENCE_SAY) {
		patience_words(&client->patience, client->name, "msb-exec", words, sizeof(words));
		say(exec, words);
		return;
	}
	exec->die_of = client->patience.signal;
	finish(exec, REASON_CANCELLED, 128 + exec->die_of);
}

/* After three signals that did not end the command; one that is kept does not end with us either. */
static void give_up(struct exec *exec)
{
	bool kept = keep_is_kept(&exec->keep) && exec->client.process <= 0;

	if (kept)
		keep_way_back(&exec->keep, exec->hint, sizeof(exec->hint));
	finish_with(exec, REASON_CANCELLED, EXIT_FAILED,
		    kept ? "gave up after three signals; the command runs on"
			 : "gave up after three signals; the agent ends the command");
	loop_stop(exec->loop);
}

/* Passes it on to the command, or leaves by it, as it must. */
static void forward(struct exec *exec, int signal)
{
	struct client *client = &exec->client;

	exec->forwarded |= 1u << signal;
	/* How it ends is heard in the background, too. */
	if (ends(signal)) {
		exec->state = EXEC_LEAVING;
		term_end_stops();
	}
	/* We go, and what is kept does not go with us. */
	if (signal != SIGHUP || !keep_is_kept(&exec->keep))
		remote_signal(&exec->remote, signal);
	if (signal == SIGHUP) {
		link_flush(&client->link);
		leave_by(exec, SIGHUP);
	} else if (ends(signal) && client_signalled(client, signal)) {
		leave_by(exec, signal);
	} else if ((signal == SIGINT || signal == SIGTERM) &&
		   signals_insist(&exec->insist, loop_now_ms())) {
		give_up(exec);
	}
}

/* Without a connection what ends a program ends us, and the command goes on; the rest is for later. */
static void take_away(struct exec *exec, int signal)
{
	if (!ends(signal) && signal != SIGHUP) {
		exec->owed |= 1u << signal;
		return;
	}
	keep_way_back(&exec->keep, exec->complaint, sizeof(exec->complaint));
	leave_by(exec, signal);
}

static void on_signal_key(void *owner, int signal, bool sent)
{
	struct exec *exec = owner;

	if (exec->state == EXEC_AWAY)
		take_away(exec, signal);
	else if (sent && client_typed(&exec->client, signal))
		leave_by(exec, signal);
	else if (!sent && !is_over(exec))
		forward(exec, signal);
}

void exec_signal(struct exec *exec, const struct loop_signal *signal)
{
	if (signal->number == SIGTSTP) {
		suspend(exec, false);
	} else if (signal->number == SIGCONT) {
		look_again(exec);
	} else if (signal->number == SIGWINCH) {
		if (exec->window == EXEC_WINDOW_TOLD)
			exec->window = EXEC_WINDOW_MAY_DIFFER;
		client_mark(&exec->client);
	} else if (exec->state == EXEC_AWAY && keep_has_command(exec->opts)) {
		take_away(exec, signal->number);
	} else if (is_under_way(exec) && keep_has_command(exec->opts)) {
		forward(exec, signal->number);
	} else {
		leave_by(exec, signal->number);
	}
}

/* For agents that keep no time themselves. */
static void on_timeout(struct loop_timer *timer)
{
	struct exec *exec = container_of(timer, struct exec, timeout);

	exec->timed_out = true;
	log_info("--timeout has passed: sending SIG%s", signal_name(exec->opts->timeout_signal));
	remote_signal(&exec->remote, exec->opts->timeout_signal);
	if (exec->opts->kill_after_ms)
		loop_arm(exec->loop, &exec->kill_after, exec->opts->kill_after_ms);
}

static void on_kill_after(struct loop_timer *timer)
{
	struct exec *exec = container_of(timer, struct exec, kill_after);

	log_info("--kill-after has passed: sending SIGKILL");
	remote_signal(&exec->remote, SIGKILL);
}

/* ---- output ---- */

static void on_data(struct remote *remote, enum msg_type type, const char *data, size_t len)
{
	struct exec *exec = remote->owner;

	/* Left at once, it is not for us. */
	if (exec->opts->detach)
		return;
	if (report_output_write(&exec->output, msg_stream_of(type), (const uint8_t *)data, len) < 0)
		finish_with(exec, REASON_ERROR, EXIT_FAILED, "no memory for the output");
}

static bool on_part(struct remote *remote, enum msg_type type, const char *data, size_t len)
{
	struct exec *exec = remote->owner;

	/* What cannot be written now must be out of the way of how the command ends. */
	if (exec->state == EXEC_LEAVING || !report_output_is_raw(&exec->output) ||
	    !exec_body_begin(&exec->body, exec->output.to[msg_stream_of(type)]))
		return false;
	on_data(remote, type, data, len);
	return true;
}

static ssize_t on_body(struct remote *remote, int fd, size_t len)
{
	struct exec *exec = remote->owner;
	ssize_t n = exec_body_move(&exec->body, fd, len, exec->state == EXEC_LEAVING);

	if (n > 0)
		report_output_moved(&exec->output, remote->moving, (size_t)n);
	return n;
}

/*
 * The HUP that says so may still be on its way. To a terminal of the command's the end of its output is
 * one, and to what is kept it is to be none.
 */
static bool is_hang_up(const struct exec *exec, const struct stream *stream)
{
	return (exec->tty || keep_is_kept(&exec->keep)) && is_under_way(exec) &&
	       stream->is_terminal && term_is_hung_up(stream->fd);
}

/* Our reader is gone: the command is to learn it as it would locally. */
static void close_output(struct exec *exec, enum msg_stream which)
{
	const struct stream *stream = exec->output.to[which];
	bool knows = exec->client.agent.features & MSG_FEATURE_OUTPUT_CLOSE;

	/* Before it is asked for there is nothing to tell. */
	if (!stream->gone || exec->closed & 1u << which || is_over(exec) ||
	    (knows && !is_under_way(exec)))
		return;
	exec->closed |= 1u << which;
	if (is_hang_up(exec, stream)) {
		forward(exec, SIGHUP);
		return;
	}
	/* It runs for others, too, and goes on without us. */
	if (exec->opts->action == OPTS_ATTACH) {
		if (which == MSG_STREAM_STDOUT)
			finish(exec, REASON_IO, 128 + SIGPIPE);
		return;
	}
	if (knows && keep_has_command(exec->opts)) {
		remote_close_output(&exec->remote, which);
		return;
	}
	if (keep_has_command(exec->opts)) {
		remote_signal(&exec->remote, SIGPIPE);
		link_flush(&exec->client.link);
	}
	finish(exec, REASON_IO, 128 + SIGPIPE);
}

static void on_output(struct stream *stream)
{
	struct exec *exec = stream->owner;

	stream_flush(stream);
	if (exec->last_call.armed)
		loop_arm(exec->loop, &exec->last_call, LAST_CALL_MS);
	client_mark(&exec->client);
	settle(exec);
}

static size_t waiting(struct client *client, const struct client_session *session)
{
	struct exec *exec = client->owner;

	if (session != &exec->remote.session)
		return 0;
	if (is_over(exec))
		return SIZE_MAX;
	/* Behind what a reader does not take comes how the command ended. */
	return exec->state == EXEC_LEAVING && queued(exec) < leaving_ahead(exec) ? 0 : queued(exec);
}

/* Leaves a session whose turn it is. */
static void leave_in_turn(struct exec *exec)
{
	bool is_sent = exec->opts->action == OPTS_SEND && exec->in.state == EXEC_INPUT_ENDED &&
		       remote_has_sent_all(&exec->remote) && !exec->keep.detaching;

	/* What it was sent has been taken once the agent answers. */
	if (is_sent && is_under_way(exec))
		keep_leave(&exec->keep, 0, false);
	if (exec->detach_due && is_under_way(exec))
		keep_leave(&exec->keep, exec->modes.on, true);
	exec->detach_due = false;
}

/* After each batch. Says whether to take more frames: not while our readers are behind. */
static bool on_turn(struct client *client)
{
	struct exec *exec = client->owner;
	size_t ahead = exec->state == EXEC_LEAVING ? leaving_ahead(exec) : OUTPUT_AHEAD;

	/* It may be stuck on input of which no credit tells it that the command takes none. */
	client->may_be_stuck = remote_may_be_stuck(&exec->remote);
	close_output(exec, MSG_STREAM_STDOUT);
	close_output(exec, MSG_STREAM_STDERR);
	tell_size(exec);
	leave_in_turn(exec);
	exec_input_watch(&exec->in);
	settle(exec);
	if (is_over(exec))
		return false;
	/*
	 * With credit there is an end to what may come, and how the command ended comes after it; of an agent
	 * that heeds it not even twice its window comes.
	 */
	if (exec->remote.output.window && ahead < leaving_ahead(exec))
		ahead = leaving_ahead(exec);
	return buf_len(&exec->out.queue) < ahead && buf_len(&exec->err.queue) < ahead;
}

/* ---- what the agent says ---- */

static void on_started(struct remote *remote)
{
	struct exec *exec = remote->owner;

	log_info("the command runs as process %u of the guest", remote->pid);
	report_started(&exec->report, remote);
	if (exec->opts->detach)
		keep_leave(&exec->keep, 0, false);
}

static void tell_missed(struct exec *exec, const uint64_t missed[2])
{
	uint64_t sum;
	char words[80];

	if (__builtin_add_overflow(missed[MSG_STREAM_STDOUT], missed[MSG_STREAM_STDERR], &sum))
		sum = UINT64_MAX;
	if (!sum)
		return;
	snprintf(words, sizeof(words), "%llu bytes of the session's output are gone",
		 (unsigned long long)sum);
	say(exec, words);
	for (int i = 0; i < 2; i++)
		if (missed[i])
			report_skipped(&exec->report, (enum msg_stream)i, missed[i]);
}

static void on_skipped(struct remote *remote, enum msg_stream stream, uint64_t missed)
{
	uint64_t of_each[2] = {0};

	of_each[stream] = missed;
	tell_missed(remote->owner, of_each);
}

/* What is on its way again, and what else is to be as it was. */
static void come_back(struct exec *exec)
{
	for (int signal = 1; signal < 32; signal++)
		if (exec->owed & 1u << signal)
			forward(exec, signal);
	exec->owed = 0;
	exec->closed = 0;
	exec->window_end = 0;
	exec->window = EXEC_WINDOW_MAY_DIFFER;
	exec_input_go(&exec->in, EXEC_INPUT_GOES);
	/* Over what fills the screen a line has been said. */
	if (has_terminal(exec) && modes_have_screen(exec->modes.on))
		keep_repaint(&exec->keep);
	log_info("attached to session %s again", keep_label(&exec->keep));
}

/* The command has our terminal, or prints to it. */
static void show_terminal(struct exec *exec, const struct msg_session_attached *attached)
{
	exec->tty = keep_has_command(exec->opts);
	begin_terminal(exec);
	if (exec->out.modes && attached->restore.len)
		stream_write(&exec->out, attached->restore.ptr, attached->restore.len);
	if (exec->tty && exec->in_terminal)
		keep_repaint(&exec->keep);
}

static void on_attached(struct remote *remote, const struct msg_session_attached *attached,
			const uint64_t missed[2])
{
	struct exec *exec = remote->owner;
	const struct opts *opts = exec->opts;
	bool is_back = exec->state == EXEC_AWAY;
	bool wanted = is_back || opts->has_since || (opts->action == OPTS_ATTACH && !attached->tty);

	exec->state = EXEC_RUNNING;
	keep_is_attached(&exec->keep);
	if (is_back)
		report_back(&exec->report);
	else
		report_attached(&exec->report, remote);
	if (wanted && opts->action != OPTS_WAIT)
		tell_missed(exec, missed);
	if (is_back) {
		come_back(exec);
		return;
	}
	log_info("attached to session %s, process %u of the guest", remote->id, remote->pid);
	if (attached->tty && opts->action != OPTS_SEND && opts->action != OPTS_WAIT)
		show_terminal(exec, attached);
	if (keep_reads_stdin(opts))
		exec_input_open(&exec->in, remote, exec->in_terminal, opts);
}

static void on_stays(struct remote *remote, struct msg_text why)
{
	struct exec *exec = remote->owner;
	char words[300];

	snprintf(words, sizeof(words), "it cannot be left: %.*s", (int)why.len,
		 why.ptr ? why.ptr : "");
	keep_answered(&exec->keep);
	if (!keep_has_command(exec->opts)) {
		finish_with(exec, REASON_REFUSED, EXIT_FAILED, words);
		return;
	}
	if (log_has_file())
		log_answer(LOG_LEVEL_WARN, words);
	else
		say(exec, words);
	exec_input_go(&exec->in, EXEC_INPUT_GOES);
}

static void on_garbled(struct remote *remote, const char *what)
{
	char complaint[80];

	snprintf(complaint, sizeof(complaint), "the agent sent %s that does not decode", what);
	finish_with(remote->owner, REASON_LOST, EXIT_FAILED, complaint);
}

static void on_input_error(struct remote *remote, const struct msg_stdin_error *error)
{
	struct exec *exec = remote->owner;
	/* A command that reads no more is no failure; input that got lost on its way to it is one. */
	bool lost = !exec->tty && error->num != EPIPE && error->num;
	char why[256];

	snprintf(why, sizeof(why), "the command's input%s: %.*s", lost ? " is not whole" : "",
		 (int)error->message.len, error->message.ptr ? error->message.ptr : "");
	if (!lost)
		log_info("%s", why);
	/* Once is enough, however often it says so. */
	exec_input_refuse(&exec->in, lost && !exec->in.failure[0] ? why : NULL);
	if (exec->opts->action == OPTS_SEND)
		finish_with(exec, REASON_IO, EXIT_FAILED, "the command takes no more input");
}

/* What becomes of the command is for others to know. */
static bool is_beside(const struct exec *exec, const struct remote_end *end)
{
	bool let_go = end->how == REMOTE_DETACHED &&
		      (end->detached == MSG_DETACHED_ASKED || end->detached == MSG_DETACHED_DONE);

	if (end->how == REMOTE_EXITED)
		return exec->opts->detach || exec->opts->action == OPTS_LOGS;
	/* The last that we had may have been what it ended by. */
	if (let_go && exec->opts->action == OPTS_SEND && exec_input_is_spent(&exec->in))
		return true;
	return let_go && !keep_has_command(exec->opts) &&
	       (exec->opts->action == OPTS_LOGS || exec->keep.detaching);
}

static void end_beside(struct exec *exec)
{
	char line[MSG_SESSION_ID_LEN + 2];

	if (exec->opts->detach && !exec->remote.id[0]) {
		finish_with(exec, REASON_LOST, EXIT_FAILED,
			    "the agent kept the session, and does not say which session it is");
		return;
	}
	if (exec->opts->detach && !exec->opts->json) {
		snprintf(line, sizeof(line), "%s\n", exec->remote.id);
		stream_write(&exec->out, line, strlen(line));
	}
	finish(exec, exec->has_exited ? exec->reason : REASON_DETACHED, 0);
}

static void on_end(struct remote *remote, const struct remote_end *end)
{
	struct exec *exec = remote->owner;
	struct ending_terms terms = {.opts = exec->opts,
				     .timed_out = exec->timed_out,
				     .was_asked = exec->state == EXEC_AWAY ||
						  exec->opts->action != OPTS_RUN,
				     .label = keep_label(&exec->keep)};
	struct ending ending;

	ending_of(end, &terms, &ending);
	/* What was left at once may have ended before it was. */
	if (end->how == REMOTE_EXITED && !exec->opts->detach && !is_over(exec)) {
		exec->has_exited = true;
		exec->exited = end->exited;
		exec->reason = ending.reason;
	}
	if (is_beside(exec, end)) {
		end_beside(exec);
		return;
	}
	if (end->how == REMOTE_DETACHED && exec->keep.detaching) {
		leave(exec, true);
		return;
	}
	/* Of one that we passed on we die too, so that a script's loop stops. */
	if (ending.signal && ending.signal < 32 && exec->forwarded & 1u << ending.signal)
		exec->die_of = ending.signal;
	if (exec->die_of && !exec->timed_out && !end->exited.timed_out)
		ending.reason = REASON_CANCELLED;
	if (!is_over(exec))
		snprintf(exec->hint, sizeof(exec->hint), "%s", ending.hint);
	if (ending.complaint[0])
		finish_with(exec, ending.reason, ending.status, ending.complaint);
	else
		finish(exec, ending.reason, ending.status);
}

/* ---- the beginning ---- */

static void decide_tty(struct exec *exec)
{
	const struct opts *opts = exec->opts;
	bool terminal = (!opts->no_stdin || opts->action != OPTS_RUN) && isatty(STDIN_FILENO);

	exec->in_terminal = terminal && keep_reads_stdin(opts);
	/* One that is kept says itself what it has. */
	if (opts->action != OPTS_RUN)
		return;
	exec->tty = opts->tty == OPTS_TTY_FORCED ||
		    (opts->tty == OPTS_TTY_IF_TERMINAL && terminal) ||
		    (opts->tty == OPTS_TTY_AUTO && !opts->command_len && !opts->line && terminal &&
		     isatty(STDOUT_FILENO));
	if (opts->tty == OPTS_TTY_IF_TERMINAL && !exec->tty)
		log_warn("stdin is no terminal, so the command gets none; -tt forces one");
}

static void begin_keep(struct exec *exec)
{
	struct keep *keep = &exec->keep;
	bool run = exec->opts->action == OPTS_RUN;

	keep->owner = exec;
	keep->on_unanswered = on_detach_unanswered;
	keep->on_repaint = on_repaint;
	keep_init(keep, &exec->client, &exec->remote, exec->opts,
		  exec->in_terminal && (exec->tty || !run));
	/* Whatever has sessions beside it would lose them. */
	if (exec->owner)
		keep->reconnect_ms = 0;
}

static void begin_command(struct exec *exec)
{
	const struct opts *opts = exec->opts;

	if (!opts->detach || opts->no_stdin)
		exec_input_open(&exec->in, &exec->remote, exec->in_terminal, opts);
	if (opts->no_stdin)
		exec_input_none(&exec->in);
	if (exec->tty && !opts->detach)
		begin_terminal(exec);
	if (opts->timeout_ms && !(exec->client.agent.features & MSG_FEATURE_TIMEOUT))
		loop_arm(exec->loop, &exec->timeout, opts->timeout_ms);
}

static void set_calls(struct exec *exec)
{
	struct remote *remote = &exec->remote;

	remote->owner = exec;
	remote->on_started = on_started;
	remote->on_attached = on_attached;
	remote->on_skipped = on_skipped;
	remote->on_stays = on_stays;
	remote->on_data = on_data;
	remote->on_part = on_part;
	remote->on_body = on_body;
	remote->on_input_error = on_input_error;
	remote->on_garbled = on_garbled;
	remote->on_end = on_end;
}

/* Asks for the command, or for the session, or for that again. */
static void start(struct exec *exec)
{
	bool run = exec->opts->action == OPTS_RUN;
	struct remote_terms terms = {.tty = exec->tty || (!run && exec->in_terminal),
				     .is_first = true,
				     .in_flight = OUTPUT_WINDOW,
				     .term = exec->look.term};
	struct err err;
	int r;

	if (run && exec->state != EXEC_AWAY)
		terms.merges = exec_merges(exec->opts, exec->tty, &exec->client.agent);
	keep_terms(&exec->keep, &terms);
	if (exec->state == EXEC_AWAY)
		r = keep_resume(&exec->keep, &terms, &err);
	else if (run)
		r = remote_start(&exec->remote, &exec->client, exec->opts, &terms, &err);
	else
		r = keep_attach(&exec->keep, &terms, &err);
	if (r < 0) {
		if (err.num == E2BIG)
			exec_fail(exec, REASON_BAD_ARGS, EXIT_CANNOT_RUN, &err);
		else
			exec_fail(exec, REASON_REFUSED, EXIT_FAILED, &err);
		return;
	}
	if (exec->state == EXEC_AWAY)
		return;
	exec->state = EXEC_RUNNING;
	if (run)
		begin_command(exec);
}

static void on_looked(struct look *look, const struct err *err)
{
	struct exec *exec = look->owner;

	if (err)
		exec_fail(exec, exec->opts->workdir ? REASON_BAD_CWD : REASON_REFUSED, EXIT_FAILED,
			  err);
	/* It may have failed before the agent greeted, as a script does that cannot be read. */
	else if (!is_over(exec))
		start(exec);
}

static void on_greeted(struct client *client)
{
	struct exec *exec = client->owner;

	log_info("connected to %s: %s, generation %u", client->name, client->agent.version,
		 client->agent.generation);
	if (exec->state == EXEC_AWAY || exec->opts->action != OPTS_RUN) {
		start(exec);
		return;
	}
	exec->look.owner = exec;
	exec->look.on_done = on_looked;
	look_at_guest(&exec->look, client, exec->opts, exec->tty);
	if (exec->on_greeted)
		exec->on_greeted(exec->owner);
}

/* At once. By a process, its agent may have ended with it. */
static void lose(struct exec *exec, const struct err *err)
{
	struct err told = *err;
	bool goes_on = keep_is_kept(&exec->keep) && exec->client.process <= 0;
	bool found = exec->state != EXEC_REACHING || exec->client.greeted;

	if (goes_on && keep_has_command(exec->opts) && !told.hint[0])
		keep_way_back(&exec->keep, told.hint, sizeof(told.hint));
	exec_fail(exec, found ? REASON_LOST : REASON_UNREACHABLE, EXIT_FAILED, &told);
}

static void on_lost(struct client *client, const struct err *err)
{
	struct exec *exec = client->owner;
	bool detaching = exec->keep.detaching && keep_has_command(exec->opts);
	char line[256];

	if (is_over(exec))
		return;
	if (detaching && keep_is_kept(&exec->keep)) {
		leave(exec, true);
	} else if (!detaching && keep_lost(&exec->keep, err, line, sizeof(line))) {
		if (exec->state != EXEC_AWAY)
			report_away(&exec->report, exec->keep.lost);
		exec->state = EXEC_AWAY;
		exec->body = (struct exec_body){0};
		if (line[0])
			say(exec, line);
		exec_input_go(&exec->in, EXEC_INPUT_WAITS);
	} else if (exec->state == EXEC_AWAY) {
		keep_way_back(&exec->keep, exec->hint, sizeof(exec->hint));
		finish_with(exec, REASON_LOST, EXIT_FAILED, exec->keep.lost);
	} else {
		lose(exec, err);
	}
}

static void on_input_failed(void *owner, const char *why)
{
	finish_with(owner, REASON_IO, EXIT_FAILED, why);
}

static void begin_streams(struct exec *exec, struct loop *loop, struct buf_spare *spare)
{
	size_t max = exec->opts->json ? (size_t)JSON_GROWS * OUTPUT_MAX : OUTPUT_MAX;

	exec->in.owner = exec;
	exec->in.on_escape = on_escape;
	exec->in.on_signal_key = on_signal_key;
	exec->in.on_foreground = look_again;
	exec->in.on_failed = on_input_failed;
	exec_input_init(&exec->in, loop, spare);
	stream_init(&exec->out, loop, STDOUT_FILENO, max, spare, exec, on_output);
	stream_init(&exec->err, loop, STDERR_FILENO, OUTPUT_MAX, spare, exec, on_output);
	report_output_begin(&exec->output, exec->opts, &exec->out, &exec->err);
	report_begin(&exec->report, exec->opts, &exec->output);
	lines_begin(&exec->err);
	term_catch_stops();
}

static void connect_client(struct exec *exec, struct loop *loop, struct buf_spare *spare)
{
	const struct opts *opts = exec->opts;
	struct reach_terms terms = reach_terms_of(opts);
	struct client *client = &exec->client;

	client->owner = exec;
	client->on_greeted = on_greeted;
	client->on_lost = on_lost;
	client->on_unanswered = on_unanswered;
	client->on_turn = on_turn;
	client->waiting = waiting;
	client_connect(client, loop, &terms, opts->keepalive_ms, spare);
}

void exec_run(struct exec *exec, const struct opts *opts, struct loop *loop,
	      struct buf_spare *spare)
{
	int r;

	exec->opts = opts;
	exec->loop = loop;
	exec->timeout.on_due = on_timeout;
	exec->kill_after.on_due = on_kill_after;
	exec->last_call.on_due = on_last_call;
	begin_streams(exec, loop, spare);
	decide_tty(exec);
	set_calls(exec);
	begin_keep(exec);
	connect_client(exec, loop, spare);
	r = loop_run(loop);
	if (!is_over(exec))
		finish_with(exec, REASON_ERROR, EXIT_FAILED, r < 0 ? strerror(-r) : "stopped");
	tell_last_now(exec);
	say_last(exec);
	write_result(exec);
	lines_end(&exec->err, LAST_WORDS_MS);
	settle_status(exec);
}

void exec_release(struct exec *exec)
{
	client_release(&exec->client);
	remote_release(&exec->remote);
	exec_input_release(&exec->in);
	stream_release(&exec->out);
	stream_release(&exec->err);
	report_output_release(&exec->output);
	report_release(&exec->report);
}
