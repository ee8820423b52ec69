/* The terminal of a session that has one on both sides: its size, its modes, and our own keys. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec_inside.h"
#include "exit.h"
#include "term.h"

/* ---- the window ---- */

/* Programs paint the screen anew when the size changes, so it does, and back. */
static void tell_other_size(struct exec *exec, struct msg_exec_resize size)
{
	if (exec->client.features & MSG_FEATURE_PIXELS)
		size.ypixel ^= 1;
	else
		size.rows = (uint16_t)(size.rows > 1 ? size.rows - 1 : size.rows + 1);
	remote_resize(&exec->remote, &size);
}

/*
 * A window that is dragged changes faster than a slow link takes it: while one size waits to go
 * out, the next one is not read, so that what follows it is the latest.
 */
void exec_tell_size(struct exec *exec)
{
	struct link *link = &exec->client.link;
	struct msg_exec_resize size;

	if (!exec->resized || !exec->tty || !exec->sent || exec->finished ||
	    link_sent(link) < exec->size_end)
		return;
	exec->resized = false;
	size = remote_window(&exec->remote);
	if (memcmp(&size, &exec->remote.size, sizeof(size)) == 0 && !exec->repaint)
		return;
	if (exec->repaint)
		tell_other_size(exec, size);
	exec->repaint = false;
	remote_resize(&exec->remote, &size);
	exec->size_end = link_queued(link);
}

/* ---- modes ---- */

void exec_begin_terminal(struct exec *exec)
{
	if (isatty(STDOUT_FILENO))
		exec->out.modes = &exec->modes;
	if (!exec->in_terminal)
		return;
	exec->escape.character = exec->opts->escape_char;
	exec->escape.detach = exec->opts->detach_keys;
	term_make_raw(STDIN_FILENO);
}

/* However long our readers take for the rest, which a raw terminal was meant for. */
void exec_cook_terminal(struct exec *exec)
{
	term_cook(stream_waits_for_terminal(&exec->out) || stream_waits_for_terminal(&exec->err));
}

void exec_end_terminal(struct exec *exec)
{
	bool in_line = exec->modes.in_line;

	term_restore();
	/* The line to leave with does not continue the command's. */
	if (exec->complaint[0] && in_line && isatty(STDERR_FILENO))
		stream_write(&exec->err, "\n", 1);
}

void exec_suspend(struct exec *exec, bool whole_group)
{
	/* What came before goes out before; a terminal that takes nothing is not waited for. */
	stream_flush(&exec->out);
	stream_flush(&exec->err);
	term_suspend(whole_group);
	exec_look_again(exec);
}

void exec_look_again(struct exec *exec)
{
	if (exec->tty && exec->sent && !exec->finished && exec->in_terminal)
		term_resume(STDIN_FILENO);
	if (exec->finished)
		exec_cook_terminal(exec);
	exec->resized = true;
	exec->repaint = modes_have_screen(exec->modes.on);
	client_awake(&exec->client);
	client_mark(&exec->client);
}

/* ---- keys ---- */

/* Goes without asking the command; what becomes of it is for the agent, as the request said. */
static void leave(struct exec *exec, bool detach)
{
	static const char *const fates[] = {
		[MSG_DISCONNECT_KILL] = "the agent ends the command",
		[MSG_DISCONNECT_HANGUP] = "the agent hangs up on the command",
		[MSG_DISCONNECT_KEEP] = "the command runs on",
	};
	enum msg_on_disconnect what = exec->opts->on_disconnect;
	bool private = exec->opts->endpoint && strcmp(exec->opts->endpoint, "local:") == 0;
	bool kept = what == MSG_DISCONNECT_KEEP && !private;
	char complaint[160];

	/* A private agent ends with us, and ends what it runs. */
	if (private)
		what = MSG_DISCONNECT_KILL;
	snprintf(complaint, sizeof(complaint), "%s: %s%s", detach ? "detached" : "disconnected",
		 kept && exec->client.process > 0 ? "the command runs on if its agent does"
						  : fates[what],
		 !detach || kept ? ""
		 : !private && exec->client.features & MSG_FEATURE_ON_DISCONNECT
			 ? "; with --on-disconnect keep it would run on"
			 : "; this one cannot keep it");
	exec_finish_with(exec, detach && kept ? 0 : EXIT_FAILED, complaint);
	loop_stop(exec->loop);
}

static void show_help(struct exec *exec)
{
	char character[4], text[512];
	int c = exec->escape.character, n;

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

static void act(struct exec *exec, enum escape_action action)
{
	switch (action) {
	case ESCAPE_END:
		leave(exec, false);
		break;
	case ESCAPE_DETACH:
		leave(exec, true);
		break;
	case ESCAPE_SUSPEND:
		exec_suspend(exec, true);
		break;
	case ESCAPE_HELP:
		show_help(exec);
		break;
	case ESCAPE_NOTHING:
		break;
	}
}

size_t exec_take_keys(struct exec *exec, uint8_t *keys, size_t len)
{
	uint64_t now_ms = loop_now_ms();
	size_t done = 0, kept = 0;

	while (done < len && !exec->finished) {
		size_t taken, more;
		enum escape_action action = escape_take(&exec->escape, now_ms, keys + done,
							len - done, keys - 1 + kept, &taken, &more);

		done += taken;
		kept += more;
		act(exec, action);
	}
	return kept;
}
