/* The console's shell in the guest: see shell.h. */
#include "shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/options/exit.h"
#include "shared/base.h"

#define DUE_MAX 200 /* lines at once, in the midst of a command */
#define ECHO_MAX \
	(8 * 1024)	  /* the same: a terminal that repeats more than it has room for drops it */
#define PACE	     4096 /* of a long line at once */
#define ECHO_LOW     1024 /* the same: when more goes */
#define BEGINS_MS    50	  /* behind the echo of a line, of shells that do not say when it runs */
#define BEGINS_ALSO  500  /* of those that do, should somebody have taken that from them */
#define UNECHOED_MS  1000 /* the same where there is no echo */
#define STRAYS_MS    200
#define RESTORE_MS   5000
#define RESTORED_MAX 4096 /* bytes of lines; of more, only the last gets its modes back */
#define REPEATS_MIN  1000 /* bytes of a line that busybox reads in parts, with a prompt for each */

#define ECHO_FLAG 0x8 /* of a terminal's local modes, in Linux */

static void set_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static void forget_echo(struct shell *shell)
{
	typed_forget(&shell->typed, shell->sink.owner, shell->sink.on_output);
}

/* ---- without memory ---- */

/*
 * What it was to be told, or what it said, is not whole: nothing of that is known to be right any more, and half
 * a line is another command. Whoever called us learns of it once all have returned.
 */
static int check(struct shell *shell, int r)
{
	if (r < 0 && shell->state != SHELL_NONE && !shell->breaks.armed)
		loop_arm(shell->loop, &shell->breaks, 0);
	return r;
}

static bool is_broken(const struct shell *shell)
{
	return shell->breaks.armed;
}

static void on_breaks(struct loop_timer *timer)
{
	struct shell *shell = container_of(timer, struct shell, breaks);

	shell->on_broken(shell->owner, shell);
}

/* ---- to the shell ---- */

static void give(struct shell *shell, const void *data, size_t len)
{
	int r = remote_try_to_send(&shell->remote, data, len);

	/* Keys that nobody reads any more are dropped, as by a terminal. */
	if (r == -ENOMEM)
		check(shell, r);
}

/*
 * What has been typed goes on as its echo comes: a terminal that is to repeat more than it has room for
 * mixes it with what a command prints, or drops it.
 */
static void send_more(struct shell *shell, bool all)
{
	size_t len = buf_len(&shell->unsent);
	size_t echo = buf_len(&shell->typed.echo) - shell->typed.matched;

	if (!len || is_broken(shell) || (!all && echo > len + ECHO_LOW))
		return;
	if (!all && len > PACE)
		len = PACE;
	give(shell, buf_head(&shell->unsent), len);
	buf_consume(&shell->unsent, len);
}

static void send_typed(struct shell *shell, struct buf *out)
{
	/* Nothing, where a part of it is missing. */
	if (!is_broken(shell))
		check(shell, buf_append(&shell->unsent, buf_head(out), buf_len(out)));
	buf_release(out);
	send_more(shell, !buf_len(&shell->typed.echo));
}

enum echo {
	ECHO_NONE,
	ECHO_COMES,
	ECHO_MAY_COME, /* before anything else */
};

/* The newline that ends a line: what is behind it is a command's. */
static void end_line(struct shell *shell, enum echo echo)
{
	struct buf out;

	buf_init(&out, TYPED_MAX, NULL);
	check(shell, typed_put_key(&shell->typed, '\n', echo == ECHO_NONE ? NULL : "\r\n", &out));
	shell->typed.at_once = echo == ECHO_MAY_COME;
	send_typed(shell, &out);
	shell->due++;
	shell->state = SHELL_READING;
	loop_arm(shell->loop, &shell->begins, UNECHOED_MS);
}

/* Its editor would read the line if there were an echo; its command is to have the terminal as it was. */
static void restore_modes(struct shell *shell)
{
	struct side_terms terms = {.opts = shell->opts,
				   .beside = shell->remote.pid,
				   .script = "stty \"$2\" </proc/$1/fd/0",
				   .args = {shell->modes},
				   .within_ms = RESTORE_MS};

	send_more(shell, true);
	remote_flush(&shell->remote);
	shell->restoring = true;
	side_start(&shell->stty, shell->remote.session.client, &terms);
}

static void give_line(struct shell *shell)
{
	const char *line = (const char *)buf_head(&shell->lines);
	size_t all = buf_len(&shell->lines);
	size_t len = (size_t)((const char *)memchr(line, '\n', all) - line);
	bool modal = shell->kind == SHELL_BUSYBOX && shell->modes[0];
	struct buf out;

	buf_init(&out, 2 * TYPED_MAX, NULL);
	if (shell->keys)
		check(shell, typed_put_erase(&shell->typed, &out));
	shell->keys = false;
	/* Where it is switched off until then, some of it may still come: the terminal reads at its leisure. */
	shell->typed.partly = modal;
	check(shell, typed_put(&shell->typed, line, len, &out));
	buf_consume(&shell->lines, len + 1);
	send_typed(shell, &out);
	shell->line_len = len;
	shell->restored = false;
	/* Of a long one it reads the rest with its editor, once there is an echo. */
	if (modal && len < REPEATS_MIN && (len + 1 == all || all < RESTORED_MAX)) {
		shell->restored = true;
		restore_modes(shell);
	} else {
		if (modal)
			forget_echo(shell);
		end_line(shell, modal ? ECHO_NONE : ECHO_COMES);
	}
}

/* One line after the other, as the prompts come; but what is in the midst of a command needs no answer. */
static void give_lines(struct shell *shell)
{
	while (buf_len(&shell->lines) && !shell->restoring && !shell->away && !is_broken(shell) &&
	       (!shell->due ||
		(shell->inside && shell->due < DUE_MAX && buf_len(&shell->typed.echo) < ECHO_MAX)))
		give_line(shell);
}

static void on_restored(struct side *side, int status)
{
	struct shell *shell = side->owner;
	enum echo echo = shell->echoes ? ECHO_COMES : ECHO_NONE;

	shell->restoring = false;
	if (shell->state != SHELL_READING)
		return;
	/* Of what took too long nobody knows whether it was done; what failed was not. */
	if (status != 0 && shell->echoes)
		echo = status < 0 ? ECHO_MAY_COME : ECHO_NONE;
	if (echo != ECHO_COMES)
		forget_echo(shell);
	end_line(shell, echo);
	give_lines(shell);
}

void shell_set_prompts(struct shell *shell)
{
	/* The prompt that it is at was none of ours, so that none is due. */
	shell->due = 0;
	if (check(shell, starter_put_prompts(&shell->lines, shell->marks.nonce, shell->kind,
					     shell->diverts)) == 0 &&
	    check(shell, buf_append(&shell->lines, "\n", 1)) == 0)
		give_line(shell);
}

/* exec, with redirections and no program, of which one is of stderr, where its prompts go. */
static bool diverts_stderr(const char *text)
{
	if (!strstr(text, "2>") && !strstr(text, "&>"))
		return false;
	while ((text = strstr(text, "exec "))) {
		text += strspn(text + 4, " \t") + 4;
		if (strchr("<>&", text[strspn(text, "0123456789")]))
			return true;
	}
	return false;
}

int shell_run(struct shell *shell, const char *text)
{
	uint8_t *space;
	/* With room for both, or neither. */
	int r = buf_reserve(&shell->lines, strlen(text) + 1, &space);

	if (r == 0)
		r = buf_append(&shell->lines, text, strlen(text));
	if (r == 0)
		r = buf_append(&shell->lines, "\n", 1);
	if (r < 0)
		return r;
	shell->began_us = loop_now_us();
	shell->interrupted = false;
	/* The prompt that comes may be another one, and say nothing. */
	shell->diverts = shell->kind <= SHELL_BASH && diverts_stderr(text);
	shell->loses_prompts =
		shell->diverts || strstr(text, "PS1=") || strstr(text, "PROMPT_COMMAND=");
	shell->state = SHELL_READING;
	give_lines(shell);
	return 0;
}

void shell_keys(struct shell *shell, const char *keys, size_t len)
{
	shell->keys = true;
	for (size_t i = 0; i < len; i++)
		shell->ahead += keys[i] == '\r' || keys[i] == '\n';
	give(shell, keys, len);
}

/* A key that a shell at its prompt, or on its way there, answers with another one. */
static void press(struct shell *shell, char key, const char *echo)
{
	struct buf out;

	buf_init(&out, 16, NULL);
	buf_consume(&shell->lines, buf_len(&shell->lines));
	buf_consume(&shell->unsent, buf_len(&shell->unsent));
	side_cancel(&shell->stty);
	shell->restoring = false;
	check(shell, typed_put_key(&shell->typed, key, echo, &out));
	send_typed(shell, &out);
	send_more(shell, true);
	shell->due = 1;
	shell->inside = false;
	shell->state = SHELL_READING;
	loop_arm(shell->loop, &shell->begins, UNECHOED_MS);
}

void shell_interrupt(struct shell *shell)
{
	shell->at_prompt = shell->state == SHELL_READY || shell->state == SHELL_MORE;
	shell->interrupted = true;
	press(shell, '\x03', shell->kind == SHELL_BUSYBOX ? "\r\n" : "^C\r\n");
	/* zsh without its editor says nothing before the next line. */
	if (shell->kind == SHELL_ZSH)
		give(shell, "\n", 1);
}

void shell_eof(struct shell *shell)
{
	struct buf out;

	buf_init(&out, 16, NULL);
	if (shell->keys)
		check(shell, typed_put_erase(&shell->typed, &out));
	shell->keys = false;
	send_typed(shell, &out);
	press(shell, '\x04', NULL);
}

/* ---- what it says ---- */

static void begin(struct shell *shell)
{
	/* What Ctrl-C is about to end gets no keys that came behind it. */
	if (shell->interrupted)
		return;
	loop_disarm(shell->loop, &shell->begins);
	if (shell->due <= 1 && !buf_len(&shell->lines))
		forget_echo(shell);
	if (shell->state == SHELL_RUNNING)
		return;
	shell->state = SHELL_RUNNING;
	shell->sink.on_running(shell->sink.owner);
}

static void on_begins(struct loop_timer *timer)
{
	struct shell *shell = container_of(timer, struct shell, begins);

	if (shell->away)
		return;
	/* There may be no echo. */
	if (buf_len(&shell->unsent)) {
		send_more(shell, true);
		loop_arm(shell->loop, &shell->begins, BEGINS_ALSO);
	} else if (shell->state != SHELL_READING || buf_len(&shell->lines) || shell->restoring) {
		return;
	} else if (buf_len(&shell->typed.echo)) {
		/* Or its agent has not even heard of the line: whatever else it does, it does later. */
		side_start(&shell->probe, shell->remote.session.client,
			   &(struct side_terms){.opts = shell->opts,
						.beside = shell->remote.pid,
						.script = ":",
						.within_ms = DURATION_INFINITE});
	} else {
		shell->interrupted = false;
		begin(shell);
	}
}

static void on_probed(struct side *side, int status)
{
	struct shell *shell = side->owner;

	(void)status;
	if (shell->state != SHELL_READING || buf_len(&shell->lines) || shell->restoring)
		return;
	shell->interrupted = false;
	if (shell->at_prompt) {
		/* To a terminal that was left raw Ctrl-C is a letter, and of no line that ends. */
		shell->at_prompt = false;
		give(shell, "\n", 1);
		loop_arm(shell->loop, &shell->begins, UNECHOED_MS);
		return;
	}
	begin(shell);
}

/* A prompt, and no line is on its way any more. */
static void settle(struct shell *shell)
{
	bool more = shell->inside;

	loop_disarm(shell->loop, &shell->begins);
	loop_disarm(shell->loop, &shell->strays);
	side_cancel(&shell->probe);
	forget_echo(shell);
	shell->due = 0;
	shell->took_us = loop_now_us() - shell->began_us;
	shell->state = more ? SHELL_MORE : SHELL_READY;
	if (more)
		shell->sink.on_more(shell->sink.owner);
	else
		shell->on_ready(shell->owner);
}

static void on_strays(struct loop_timer *timer)
{
	settle(container_of(timer, struct shell, strays));
}

/* A prompt of either kind: for the next line, if there is one. */
static void on_prompt(struct shell *shell, bool more)
{
	/* Ctrl-C is on its way, and ends what would go on. */
	if (more && shell->interrupted)
		return;
	shell->interrupted = false;
	shell->inside = more;
	if (shell->due)
		shell->due--;
	/* What was typed meanwhile the command may have read, or the shell reads it now. */
	if (!shell->has_begin)
		shell->due += shell->ahead;
	shell->ahead = 0;
	loop_disarm(shell->loop, &shell->strays);
	if (buf_len(&shell->lines) && (!shell->due || more)) {
		shell->state = SHELL_READING;
		give_lines(shell);
	} else if (shell->due) {
		shell->state = SHELL_READING;
		loop_arm(shell->loop, &shell->strays, STRAYS_MS);
	} else {
		settle(shell);
	}
}

/* In parts of a long line busybox repeats the prompt that it stands behind. */
static bool is_repeated(struct shell *shell, const char *text)
{
	bool repeated = shell->last_mark && strcmp(shell->last_mark, text) == 0;

	free(shell->last_mark);
	shell->last_mark = strdup(text);
	return repeated && shell->state == SHELL_READING && shell->line_len > REPEATS_MIN;
}

/* Its modes before its prompt switched the echo off: they are what we gave back, or not. */
static void take_modes(struct shell *shell, const char *modes)
{
	unsigned long local = 0;

	if (!modes[0] || (shell->modes[0] && !shell->restored))
		return;
	set_text(shell->modes, sizeof(shell->modes), modes);
	sscanf(modes, "%*x:%*x:%*x:%lx", &local);
	shell->echoes = local & ECHO_FLAG;
}

static void on_hello(struct shell *shell, char *text)
{
	const char *kind;

	set_text(shell->user, sizeof(shell->user), mark_field(&text));
	set_text(shell->host, sizeof(shell->host), mark_field(&text));
	kind = mark_field(&text);
	for (size_t i = 0; i < SHELL_KINDS; i++)
		if (strcmp(kind, shell_kinds[i]) == 0)
			shell->kind = (enum shell_kind)i;
	set_text(shell->home, sizeof(shell->home), mark_field(&text));
	shell->root = strcmp(mark_field(&text), "0") == 0;
	if (shell->kind != SHELL_ZSH)
		return;
	shell_set_prompts(shell);
	shell->state = SHELL_STARTING;
}

static bool on_mark(void *owner, char kind, char *text)
{
	struct shell *shell = owner;
	char *path;

	if (kind == 'h' && shell->state == SHELL_STARTING) {
		on_hello(shell, text);
		return true;
	}
	/* Somebody printed what the prompt is made of. */
	if (text[0] < '0' || text[0] > '9' || !strchr("pcx", kind))
		return false;
	if (shell->kind == SHELL_BUSYBOX && is_repeated(shell, text))
		return true;
	shell->status = atoi(mark_field(&text));
	if (kind == 'p') {
		set_text(shell->cwd, sizeof(shell->cwd), mark_field(&text));
		path = mark_field(&text);
		free(shell->path);
		shell->path = path[0] ? strdup(path) : NULL;
	}
	if (kind != 'x')
		take_modes(shell, mark_field(&text));
	shell->has_begin |= kind == 'x';
	if (kind == 'x')
		begin(shell);
	else
		on_prompt(shell, kind == 'c');
	return true;
}

/* The end of what it says before it is ready may say why it never is. */
static void keep_said(struct shell *shell, const char *data, size_t len)
{
	size_t room = sizeof(shell->said) - 1, had = strlen(shell->said);

	if (len > room)
		data += len - room, len = room;
	if (had + len > room) {
		memmove(shell->said, shell->said + had + len - room, room - len);
		had = room - len;
	}
	for (size_t i = 0; i < len; i++)
		shell->said[had + i] = data[i] ? data[i] : ' ';
	shell->said[had + len] = '\0';
}

static void on_bytes(void *owner, const char *data, size_t len)
{
	struct shell *shell = owner;
	bool had_echo = buf_len(&shell->typed.echo) > 0;

	if (shell->state == SHELL_STARTING) {
		keep_said(shell, data, len);
		return;
	}
	typed_strip(&shell->typed, data, len, shell->sink.owner, shell->sink.on_output);
	if (shell->state != SHELL_READING || !had_echo)
		return;
	send_more(shell, false);
	give_lines(shell);
	if (!shell->due || buf_len(&shell->lines))
		return;
	loop_arm(shell->loop, &shell->begins,
		 buf_len(&shell->typed.echo) ? UNECHOED_MS
		 : shell->has_begin	     ? BEGINS_ALSO
					     : BEGINS_MS);
}

static void on_data(struct remote *remote, enum msg_type stream, const char *data, size_t len)
{
	struct shell *shell = remote->owner;
	struct marks_sink sink = {.owner = shell, .on_bytes = on_bytes, .on_mark = on_mark};

	(void)stream;
	if (!is_broken(shell))
		check(shell, marks_feed(&shell->marks, data, len, &sink));
}

/* It goes on where it was; what has no connection of its own begins anew. */
static void on_attached(struct remote *remote, const struct msg_session_attached *attached,
			const uint64_t gone[2])
{
	struct shell *shell = remote->owner;
	struct marks_sink sink = {.owner = shell, .on_bytes = on_bytes, .on_mark = on_mark};
	uint64_t missed = gone[MSG_STREAM_STDOUT] + gone[MSG_STREAM_STDERR];

	(void)attached;
	shell->away = false;
	/* The rest of it may be among them. */
	if (missed)
		marks_end(&shell->marks, &sink);
	if (shell->restoring)
		restore_modes(shell);
	if (shell->state == SHELL_READING)
		loop_arm(shell->loop, &shell->begins, UNECHOED_MS);
	give_lines(shell);
	shell->on_back(shell->owner, missed);
}

/* Words for what ended otherwise than by its end. */
static const char *why_of(const struct remote_end *end)
{
	if (end->how != REMOTE_DETACHED)
		return end->why;
	return end->detached == MSG_DETACHED_TAKEN ? "the guest's shell was attached elsewhere"
						   : "the guest's shell was detached";
}

static void on_end(struct remote *remote, const struct remote_end *end)
{
	struct shell *shell = remote->owner;
	struct marks_sink sink = {.owner = shell, .on_bytes = on_bytes, .on_mark = on_mark};
	int signal = exit_signal(&end->exited);
	bool away = shell->away;

	shell->away = false;
	shell->failure = end->failed.kind.ptr ? msg_failure_parse(end->failed.kind) : -1;
	marks_end(&shell->marks, &sink);
	loop_disarm(shell->loop, &shell->begins);
	loop_disarm(shell->loop, &shell->strays);
	loop_disarm(shell->loop, &shell->breaks);
	side_cancel(&shell->stty);
	side_cancel(&shell->probe);
	shell->state = SHELL_NONE;
	/* Who has taken it has it. */
	if (end->why && away && end->how != REMOTE_DETACHED)
		shell->on_forgotten(shell->owner, end->why);
	else if (end->why)
		shell->on_failed(shell->owner, why_of(end));
	else
		shell->on_gone(shell->owner, signal ? 0 : exit_status(&end->exited), signal);
}

/* ---- life ---- */

static int make_nonce(char *nonce)
{
	unsigned char bytes[MARK_NONCE_LEN / 2];
	ssize_t n;

	do {
		n = getrandom(bytes, sizeof(bytes), 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(nonce + 2 * i, "%02x", bytes[i]);
	return 0;
}

int shell_start(struct shell *shell, struct client *client, const struct opts *opts,
		const char *command, const struct remote_terms *terms, struct err *err)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", NULL, (char *)"sh", (char *)command, NULL};
	struct opts request = *opts;
	char nonce[MARK_NONCE_LEN + 1];
	struct buf script;
	int r = make_nonce(nonce);

	shell_release(shell);
	if (r < 0)
		return err_set(err, -r, NULL, "no random numbers");
	shell->opts = opts;
	shell->hold_ms = terms->hold_ms;
	shell->keeps = opts->on_disconnect == MSG_DISCONNECT_KEEP &&
		       client->agent.features & MSG_FEATURE_SESSIONS;
	marks_init(&shell->marks, nonce);
	typed_init(&shell->typed);
	buf_init(&shell->lines, TYPED_MAX, NULL);
	buf_init(&shell->unsent, 2 * TYPED_MAX, NULL);
	shell->begins.on_due = on_begins;
	shell->strays.on_due = on_strays;
	shell->breaks.on_due = on_breaks;
	shell->stty.owner = shell;
	shell->stty.on_done = on_restored;
	shell->probe.owner = shell;
	shell->probe.on_done = on_probed;
	shell->remote.owner = shell;
	shell->remote.on_data = on_data;
	shell->remote.on_attached = on_attached;
	shell->remote.on_end = on_end;
	buf_init(&script, TYPED_MAX, NULL);
	if (starter_put(&script, nonce) < 0)
		return err_set(err, ENOMEM, NULL, "cannot start the shell");
	argv[2] = (char *)buf_head(&script);
	request.command = argv;
	request.command_len = command ? 5 : 4;
	r = remote_start(&shell->remote, client, &request, terms, err);
	buf_release(&script);
	if (r == 0)
		shell->state = SHELL_STARTING;
	return r;
}

bool shell_suspend(struct shell *shell)
{
	if (shell->away && shell->remote.state == REMOTE_AWAY)
		return true;
	if (is_broken(shell) || !remote_suspend(&shell->remote))
		return false;
	shell->away = true;
	loop_disarm(shell->loop, &shell->begins);
	/* They end with the connection. */
	side_release(&shell->stty);
	side_release(&shell->probe);
	return true;
}

int shell_resume(struct shell *shell, struct client *client, struct err *err)
{
	struct remote_terms terms = {.tty = true, .hold_ms = shell->hold_ms, .retains = true};

	return remote_resume(&shell->remote, client, &terms, err);
}

void shell_forget_lines(struct shell *shell)
{
	buf_consume(&shell->lines, buf_len(&shell->lines));
	if (shell->state == SHELL_READING && !shell->due && !shell->restoring)
		shell->state = shell->inside ? SHELL_MORE : SHELL_READY;
}

void shell_release(struct shell *shell)
{
	loop_disarm(shell->loop, &shell->breaks);
	loop_disarm(shell->loop, &shell->begins);
	loop_disarm(shell->loop, &shell->strays);
	side_release(&shell->stty);
	side_release(&shell->probe);
	remote_release(&shell->remote);
	marks_release(&shell->marks);
	typed_release(&shell->typed);
	buf_release(&shell->lines);
	buf_release(&shell->unsent);
	free(shell->path);
	free(shell->last_mark);
	shell->path = shell->last_mark = NULL;
	shell->kind = SHELL_SH;
	shell->due = shell->ahead = 0;
	shell->inside = shell->has_begin = shell->keys = false;
	shell->restoring = shell->interrupted = shell->away = false;
	shell->modes[0] = shell->said[0] = '\0';
	shell->state = SHELL_NONE;
}
