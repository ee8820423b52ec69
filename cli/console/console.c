/*
 * The console: see console.h. The way of a line from the prompt to the shell, and of keys while it runs; what
 * the guest says; and signals.
 */
#include "console.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options/exit.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/term.h"
#include "commands.h"
#include "complete.h"
#include "interrupts.h"
#include "shared/base.h"
#include "shared/log.h"
#include "shared/names.h"
#include "shared/shown.h"

#define KEYS_AFTER_MS 100  /* what is typed until then may be the next line and not for this one */
#define RESTART_MS    1000 /* a shell that lives shorter, and ran nothing, is not started again */
#define CTRL_C	      '\x03'
#define PROMPT_MAX    1024

struct console {
	struct loop loop;
	struct buf_spare spare;
	const struct opts *opts;
	struct guest guest;
	struct prompt prompt;
	struct complete complete;
	struct stream in;
	struct output output;
	struct interrupts interrupts;
	struct record record;
	struct commands commands;

	bool busy;	       /* a line, or what it led to, is not done */
	bool wants_line;       /* the next, as soon as all output is out */
	bool more;	       /* it is of the same command */
	bool greeted;	       /* the first prompt has said what this is */
	int status;	       /* of the last line */
	struct loop_task turn; /* asks for the next line, once all that came has been heard */
	struct loop_timer keys_due;

	uint64_t last_start_ms;
	bool used;     /* the shell has run a line */
	bool replaces; /* the shell that is on its way comes instead of one that is no more */
	bool finished, said;
	int exit_status, die_of;
	char complaint[1024];
};

/* ---- the end ---- */

/* The line to leave with, when the terminal is itself again and the output is out. */
static void say_last(struct console *console)
{
	if (console->said)
		return;
	console->said = true;
	prompt_stop(&console->prompt);
	term_tell(term_restore());
	if (console->complaint[0]) {
		output_end_line(&console->output);
		log_error("%s", console->complaint);
	}
}

static void go_on(struct console *console)
{
	loop_mark(&console->loop, &console->turn);
}

static void finish(struct console *console, int status, const char *complaint)
{
	look_cancel(&console->guest.look);
	commands_cancel(&console->commands);
	if (console->finished)
		return;
	console->finished = true;
	console->exit_status = status;
	if (complaint)
		snprintf(console->complaint, sizeof(console->complaint), "%s", complaint);
	/* However long our readers take for the rest. */
	term_cook(output_waits_for_terminal(&console->output));
	go_on(console);
}

/* What it goes to is lost, and it goes on there: how to come to it, or NULL. */
static const char *way_back(const struct console *console, char *words, size_t len)
{
	if (console->guest.way == GUEST_CONNECTED)
		return NULL;
	guest_way_back(&console->guest, words, len);
	return words;
}

static void die_of(struct console *console, int signal)
{
	char words[64];

	console->die_of = signal;
	term_end_stops();
	finish(console, 128 + signal, way_back(console, words, sizeof(words)));
	loop_stop(&console->loop);
}

static void leave(void *owner, int status)
{
	char words[64];

	finish(owner, status, way_back(owner, words, sizeof(words)));
}

static void on_output_change(void *owner)
{
	struct console *console = owner;

	guest_mark(&console->guest);
	go_on(console);
}

/* Nobody reads what it prints: its shell's one terminal cannot lose its output alone. */
static void look_at_output(struct console *console)
{
	const struct stream *gone = output_gone(&console->output);

	if (!gone || console->finished)
		return;
	if (gone->is_terminal)
		die_of(console, SIGHUP);
	else
		finish(console, gone->error == EPIPE ? 128 + SIGPIPE : EXIT_FAILED, NULL);
}

static size_t waiting(void *owner)
{
	struct console *console = owner;

	return output_waiting(&console->output) + commands_waiting(&console->commands);
}

/* ---- the prompt ---- */

/* A folder's name may hold anything, and a terminal may do anything with it. */
static void put_prompt(const struct console *console, char *prompt, size_t size)
{
	char where[800], place[PROMPT_MAX - 64];
	const struct shell *shell = console->guest.shell;
	size_t home = strlen(shell->home);
	const char *cwd = shell->cwd;
	const char *away = console->guest.way == GUEST_AWAY ? " [not connected]" : "";
	char status[16] = "", tilde[2] = "";

	if (home > 1 && strncmp(cwd, shell->home, home) == 0 && (!cwd[home] || cwd[home] == '/')) {
		tilde[0] = '~';
		cwd += home;
	}
	if (console->status)
		snprintf(status, sizeof(status), " [%d]", console->status);
	snprintf(where, sizeof(where), "%.60s@%.60s:%s%.600s", shell->user, shell->host, tilde,
		 cwd);
	shown_put(place, sizeof(place), where, strlen(where));
	snprintf(prompt, size, "%s%s%s%c ", place, away, status, shell->root ? '#' : '$');
}

static void greet(struct console *console)
{
	const char *term = getenv("TERM");
	bool dim = term && strcmp(term, "dumb") != 0;

	if (console->greeted || console->opts->quiet)
		return;
	console->greeted = true;
	printf("%s%s: %s of the guest. \\? lists what else there is, \\q leaves.%s\n",
	       dim ? "\x1b[2m" : "", CONSOLE, shell_kinds[console->guest.shell->kind],
	       dim ? "\x1b[0m" : "");
	fflush(stdout);
}

/* Once all output is out, in a line of its own. */
static void show_prompt(struct console *console)
{
	char prompt[PROMPT_MAX] = "> ";

	if (!output_begin_line(&console->output))
		return;
	console->wants_line = false;
	/* What programs left on in it is the shell's to undo, as anywhere. */
	term_cook(false);
	greet(console);
	if (!console->more)
		put_prompt(console, prompt, sizeof(prompt));
	prompt_show(&console->prompt, prompt, console->more);
}

/* The next line is asked for once all is heard that came with the last prompt. */
static void on_turn(struct loop_task *task)
{
	struct console *console = container_of(task, struct console, turn);

	if (console->guest.leaving)
		return;
	look_at_output(console);
	if (output_waiting(&console->output))
		return;
	if (console->finished) {
		/* In the midst of Tab it is too early; whoever ends the loop says it. */
		if (!console->prompt.asking)
			say_last(console);
		if (!output_waiting(&console->output))
			loop_stop(&console->loop);
	} else if (console->wants_line) {
		show_prompt(console);
	}
}

/* From now on the terminal is for what the line leads to. */
static void become_busy(struct console *console)
{
	console->busy = true;
	console->wants_line = false;
	term_make_raw(STDIN_FILENO);
	loop_arm(&console->loop, &console->keys_due, KEYS_AFTER_MS);
}

static void ask_for_line(struct console *console, bool more)
{
	console->busy = false;
	console->more = more;
	loop_disarm(&console->loop, &console->keys_due);
	interrupts_end(&console->interrupts);
	stream_watch_input(&console->in, false);
	console->wants_line = true;
	go_on(console);
}

/* A line is done, with that status: on to the next. */
static void on_done(void *owner, int status)
{
	struct console *console = owner;

	console->status = status;
	/* A shell that follows one that was killed is waited for. */
	if (!guest_has_shell(&console->guest))
		return;
	interrupts_cancel(&console->interrupts);
	commands_cancel(&console->commands);
	prompt_remember(&console->prompt);
	if (commands_is_watching(&console->commands))
		commands_watch_again(&console->commands);
	else
		ask_for_line(console, false);
}

/* ---- a line ---- */

/* Types that for the shell. */
static void type_line(void *owner, const char *text)
{
	struct console *console = owner;
	int r;

	interrupts_begin(&console->interrupts);
	console->used = true;
	if (!console->output.kept)
		record_add(&console->record, text);
	r = guest_has_shell(&console->guest) ? shell_run(console->guest.shell, text) : 0;
	if (r < 0)
		output_say(&console->output, CONSOLE ": cannot run the line: %s", strerror(-r));
	if (r < 0 || !guest_has_shell(&console->guest))
		on_done(console, EXIT_FAILED);
}

static void take_first_line(struct console *console, char *line)
{
	const struct command *command = commands_find(line);

	record_forget(&console->record);
	if (command) {
		prompt_remember(&console->prompt);
		commands_run(&console->commands, command, line, console->status);
	} else if (console->guest.way == GUEST_AWAY) {
		output_say(&console->output,
			   "there is no connection; \\connect tries to come back");
		on_done(console, EXIT_FAILED);
	} else if (!commands_ask(&console->commands, line)) {
		type_line(console, line);
	}
}

static void on_line(void *owner, char *line)
{
	struct console *console = owner;

	become_busy(console);
	if (!line && console->more) {
		/* To the shell an end of file in the midst of a command would be the end. */
		output_print(&console->output, "\r\n", 2);
		record_forget(&console->record);
		shell_interrupt(console->guest.shell);
	} else if (!line && console->guest.way == GUEST_AWAY) {
		leave(console, console->status);
	} else if (!line) {
		shell_eof(console->guest.shell);
	} else if (console->more) {
		type_line(console, line);
	} else {
		take_first_line(console, line);
	}
	free(line);
}

/* Ctrl-C while there is no connection: from now on it is for the person to say when to try. */
static void stop_trying(struct console *console)
{
	if (console->guest.way == GUEST_TRYING) {
		guest_stop(&console->guest);
		output_say_apart(
			&console->output,
			"not connected; \\connect comes back to the shell, \\q leaves it there");
	}
	shell_forget_lines(console->guest.shell);
	output_keep(&console->output, NULL);
	commands_end_watch(&console->commands);
	on_done(console, 128 + SIGINT);
}

/*
 * Ctrl-C is for what runs, unless the agent that is to tell it is not there. One that has brought
 * the prompt back has done all that it was for, and there the next one is for the line.
 */
static void watch_answer(struct console *console, const char *keys, size_t len)
{
	int signal = patience_key((const uint8_t *)keys, len);

	if (signal && console->busy && console->guest.peer &&
	    client_typed(guest_client(&console->guest), signal))
		die_of(console, signal);
}

/* Ctrl-C at the prompt, which the shell hears of as at one of its own: it may have a trap, and $? is 130. */
static void on_interrupted(void *owner)
{
	struct console *console = owner;

	become_busy(console);
	record_forget(&console->record);
	if (console->guest.way != GUEST_CONNECTED) {
		stop_trying(console);
		return;
	}
	shell_interrupt(console->guest.shell);
	watch_answer(console, "\x03", 1);
}

static void on_hangup(void *owner)
{
	die_of(owner, SIGHUP);
}

static void on_tab(void *owner, const struct prompt_word *word, struct prompt_matches *matches)
{
	complete_word(&((struct console *)owner)->complete, word, matches);
}

/* ---- keys while something runs ---- */

static void give_held(struct console *console)
{
	char keys[PROMPT_HELD_MAX];
	size_t len = prompt_take_held(&console->prompt, keys);

	if (len && !commands_keys(&console->commands, keys, len))
		shell_keys(console->guest.shell, keys, len);
}

/* Nothing runs yet that could read it. */
static void interrupt_early(struct console *console)
{
	if (!guest_has_shell(&console->guest)) {
		/* Without its successor there would be a prompt, and nothing to run its lines. */
		die_of(console, SIGINT);
	} else if (console->guest.candidate) {
		guest_drop_candidate(&console->guest);
		on_done(console, 128 + SIGINT);
	} else if (console->guest.way != GUEST_CONNECTED) {
		stop_trying(console);
	} else if (console->guest.shell->state == SHELL_READING ||
		   console->guest.shell->state == SHELL_RUNNING) {
		/* What it was to print is not waited for. */
		output_keep(&console->output, NULL);
		shell_interrupt(console->guest.shell);
	} else {
		/* A command of ours that asks the guest, or waits for its time. */
		on_done(console, 128 + SIGINT);
	}
}

/* Without a connection that is tried by itself Ctrl-C is for us, and the rest waits for what runs. */
static bool has_keys(const struct console *console, bool stop)
{
	const struct guest *guest = &console->guest;
	bool ours =
		guest->way == GUEST_AWAY || guest->asked || (guest->way == GUEST_TRYING && stop);

	return guest->shell && guest->shell->state == SHELL_RUNNING && !console->output.kept &&
	       !ours;
}

static void take_keys(struct console *console, const char *keys, size_t len)
{
	struct shell *shell = console->guest.shell;
	bool stop = memchr(keys, CTRL_C, len), runs = has_keys(console, stop);

	if (stop)
		commands_end_watch(&console->commands);
	if (runs && !commands_beside(&console->commands)) {
		shell_keys(shell, keys, len);
		interrupts_count(&console->interrupts, keys, len);
	} else if (!commands_keys(&console->commands, keys, len)) {
		prompt_hold(&console->prompt, keys, len);
		if (stop && !commands_interrupt(&console->commands))
			interrupt_early(console);
	}
	watch_answer(console, keys, len);
}

static void on_keys(struct stream *stream)
{
	struct console *console = stream->owner;
	char keys[4096];
	ssize_t n = stream_read(stream, keys, sizeof(keys));

	if (n == 0)
		die_of(console, SIGHUP);
	else if (n > 0)
		take_keys(console, keys, (size_t)n);
}

static void on_keys_due(struct loop_timer *timer)
{
	struct console *console = container_of(timer, struct console, keys_due);

	if (console->busy)
		stream_watch_input(&console->in, true);
}

/* ---- what the guest says ---- */

static void on_output(void *owner, const char *data, size_t len)
{
	struct console *console = owner;

	output_print(&console->output, data, len);
}

/* Maybe something that was typed ahead. */
static void on_running(void *owner)
{
	struct console *console = owner;

	if (!console->busy) {
		prompt_put_aside(&console->prompt);
		become_busy(console);
	}
	prompt_remember(&console->prompt);
	if (console->guest.shell->loses_prompts)
		interrupts_expect_prompt(&console->interrupts);
	if (!console->output.kept)
		give_held(console);
}

static void on_more(void *owner)
{
	struct console *console = owner;

	/* It cannot be run again before it is whole. */
	commands_end_watch(&console->commands);
	if (console->busy)
		ask_for_line(console, true);
}

static void on_ready(void *owner, bool is_new)
{
	struct console *console = owner;

	if (is_new) {
		console->last_start_ms = loop_now_ms();
		console->used = console->replaces = false;
		if (!commands_beside(&console->commands))
			on_done(console, console->status);
		return;
	}
	if (console->output.kept) {
		commands_go_on(&console->commands);
		if (commands_beside(&console->commands))
			give_held(console);
		return;
	}
	/* What was to go on was ended by something else. */
	if (!console->busy && console->more) {
		prompt_put_aside(&console->prompt);
		console->status = console->guest.shell->status;
		ask_for_line(console, false);
	}
	if (!console->busy || console->guest.candidate || commands_beside(&console->commands))
		return;
	if (console->commands.timing)
		output_say(&console->output, "time: %.3f ms",
			   (double)console->guest.shell->took_us / 1e3);
	if (commands_is_watching(&console->commands))
		record_forget(&console->record);
	else
		record_keep(&console->record, console->guest.shell->status != 0);
	on_done(console, console->guest.shell->status);
}

static void on_failed(void *owner, int status, const char *why)
{
	struct console *console = owner;

	if (!guest_has_shell(&console->guest) && console->replaces) {
		/* The guest may be another one, without that folder. */
		console->replaces = false;
		guest_drop_candidate(&console->guest);
		guest_restart(&console->guest, NULL);
		return;
	}
	if (!guest_has_shell(&console->guest)) {
		finish(console, status, why);
		return;
	}
	guest_drop_candidate(&console->guest);
	output_say(&console->output, CONSOLE ": %s", why);
	on_done(console, EXIT_FAILED);
}

/* By another one, which is waited for. */
static void replace_shell(struct console *console, const char *why, int status)
{
	output_keep(&console->output, NULL);
	console->busy = true;
	console->wants_line = false;
	guest_drop_candidate(&console->guest);
	prompt_stop(&console->prompt);
	output_say(&console->output, CONSOLE ": %s; this is a new one", why);
	console->status = status;
	guest_restart(&console->guest, console->guest.shell->cwd);
}

/* A shell that was killed is followed by another one; one that has ended ends the console. */
static void on_gone(void *owner, int code, int signal)
{
	struct console *console = owner;
	char words[128];

	snprintf(words, sizeof(words), "the guest's shell was killed by SIG%s",
		 signal && signal_name(signal) ? signal_name(signal) : "?");
	if (!signal) {
		finish(console, code, NULL);
	} else if (!console->used && loop_now_ms() - console->last_start_ms < RESTART_MS) {
		finish(console, 128 + signal, words);
	} else {
		replace_shell(console, words, 128 + signal);
	}
}

/* ---- a lost connection ---- */

static void on_lost(void *owner, const struct err *err)
{
	struct console *console = owner;
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX], way[64] = "",
						      all[sizeof(words) + sizeof(way)];

	err_sentence(err, words, sizeof(words));
	guest_way_back(&console->guest, way, sizeof(way));
	snprintf(all, sizeof(all), "%s%s%s", words, way[0] ? "; " : "", way);
	finish(console, EXIT_FAILED, all);
}

static void on_away(void *owner, bool stopped)
{
	struct console *console = owner;
	uint64_t ms = console->guest.reconnect_ms;
	char within[40] = "";

	if (ms != DURATION_INFINITE)
		snprintf(within, sizeof(within), " for %g s", (double)ms / 1e3);
	if (!console->opts->quiet)
		output_say_apart(&console->output,
				 CONSOLE
				 ": lost the connection to %s; trying again%s; Ctrl-C stops that",
				 guest_client(&console->guest)->name, within);
	interrupts_lose(&console->interrupts);
	side_lose(&console->complete.side);
	commands_lose(&console->commands);
	if (stopped)
		on_done(console, EXIT_FAILED);
}

/* \connect is done, or what ran before goes on in its place. */
static void go_back(struct console *console)
{
	enum shell_state state = console->guest.shell->state;

	if (state == SHELL_READY)
		on_done(console, 0);
	else if (state == SHELL_MORE)
		/* What it wants more of was given up. */
		shell_interrupt(console->guest.shell);
	else if (state == SHELL_RUNNING)
		give_held(console);
}

static void on_back(void *owner, uint64_t missed, bool asked)
{
	struct console *console = owner;
	struct shell *shell = console->guest.shell;

	if (!console->opts->quiet)
		output_say_apart(&console->output, CONSOLE ": connected to the shell again");
	if (missed)
		output_say(&console->output, "%llu bytes of its output are gone",
			   (unsigned long long)missed);
	/* Over what fills the screen a line has been said. */
	if (modes_have_screen(console->output.modes.on))
		remote_tell_window(&shell->remote, true);
	/* And maybe its prompt with them. */
	if (shell->state == SHELL_RUNNING && (missed || shell->loses_prompts))
		interrupts_expect_prompt(&console->interrupts);
	if (asked)
		go_back(console);
}

static void on_forgotten(void *owner, const char *why, bool asked)
{
	struct console *console = owner;
	char words[300];

	if (console->finished)
		return;
	snprintf(words, sizeof(words), "the guest's shell is gone: %.200s", why);
	console->replaces = true;
	replace_shell(console, words, asked ? 0 : console->busy ? EXIT_FAILED : console->status);
}

static void on_unreached(void *owner, const char *why)
{
	struct console *console = owner;

	output_say(&console->output, CONSOLE ": %s; \\connect tries again", why);
	shell_forget_lines(console->guest.shell);
	on_done(console, EXIT_FAILED);
}

static void on_left(void *owner)
{
	loop_stop(&((struct console *)owner)->loop);
}

static void on_unanswered(void *owner, enum patience_step step)
{
	struct console *console = owner;
	struct client *client = guest_client(&console->guest);
	char words[256];

	if (console->finished)
		return;
	if (step == PATIENCE_END) {
		die_of(console, client->patience.signal);
	} else if (!console->opts->quiet) {
		patience_words(&client->patience, client->name, "the console", words,
			       sizeof(words));
		output_say_apart(&console->output, CONSOLE ": %s", words);
	}
}

/* ---- signals ---- */

static void on_interrupt(struct console *console)
{
	if (console->prompt.shown)
		prompt_interrupt(&console->prompt);
	else if (console->finished || !guest_has_shell(&console->guest))
		die_of(console, SIGINT);
	else
		/* The key came while the terminal was its own, as when we have just been continued. */
		take_keys(console, "\x03", 1);
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct console *console = container_of(loop, struct console, loop);

	if (signal->number == SIGINT)
		on_interrupt(console);
	else if (signal->number == SIGTSTP)
		prompt_suspend(&console->prompt);
	else if (signal->number != SIGWINCH && signal->number != SIGQUIT)
		die_of(console, signal->number);
	if (signal->number == SIGTSTP && console->guest.peer)
		client_awake(guest_client(&console->guest));
	guest_resized(&console->guest);
	if (signal->number == SIGWINCH)
		prompt_resize(&console->prompt);
}

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};

/* ---- life ---- */

static void set_up_guest(struct console *console)
{
	struct guest *guest = &console->guest;

	guest->loop = &console->loop;
	guest->spare = &console->spare;
	guest_use(guest, console->opts);
	guest->owner = console;
	guest->sink = (struct shell_sink){console, on_output, on_running, on_more};
	guest->on_ready = on_ready;
	guest->on_gone = on_gone;
	guest->on_failed = on_failed;
	guest->on_lost = on_lost;
	guest->on_away = on_away;
	guest->on_back = on_back;
	guest->on_forgotten = on_forgotten;
	guest->on_unreached = on_unreached;
	guest->on_left = on_left;
	guest->on_unanswered = on_unanswered;
	guest->waiting = waiting;
}

static void set_up_commands(struct console *console)
{
	console->commands = (struct commands){.guest = &console->guest,
					      .output = &console->output,
					      .record = &console->record,
					      .owner = console,
					      .type_line = type_line,
					      .on_done = on_done,
					      .leave = leave};
}

static void set_up_prompt(struct console *console)
{
	struct prompt *prompt = &console->prompt;

	console->complete = (struct complete){.loop = &console->loop,
					      .guest = &console->guest,
					      .prompt = prompt,
					      .finished = &console->finished,
					      .within_ms = console->opts->complete_ms};
	prompt->loop = &console->loop;
	prompt->in = &console->in;
	prompt->owner = console;
	prompt->on_line = on_line;
	prompt->on_interrupt = on_interrupted;
	prompt->on_hangup = on_hangup;
	prompt->on_tab = on_tab;
	prompt_init(prompt);
}

static void set_up(struct console *console, const struct opts *opts)
{
	console->opts = opts;
	console->busy = true;
	console->keys_due.on_due = on_keys_due;
	console->interrupts.guest = &console->guest;
	record_init(&console->record);
	console->turn.on_run = on_turn;
	stream_init(&console->in, &console->loop, STDIN_FILENO, 0, &console->spare, console,
		    on_keys);
	console->output.prompt = &console->prompt;
	console->output.owner = console;
	console->output.on_change = on_output_change;
	output_init(&console->output, &console->loop, &console->spare);
	term_catch_stops();
	set_up_guest(console);
	set_up_commands(console);
	set_up_prompt(console);
}

/* What is kept for us and is not to be ends, which takes a moment; a signal is a way out of that, too. */
static void leave_guest(struct console *console)
{
	int r = 0;

	if (!guest_leave(&console->guest))
		return;
	loop_disarm(&console->loop, &console->keys_due);
	stream_watch_input(&console->in, false);
	loop_go_on(&console->loop);
	r = loop_run(&console->loop);
	if (r < 0)
		log_debug("the shell may not have ended: %s", strerror(-r));
}

static void tear_down(struct console *console)
{
	say_last(console);
	output_release(&console->output);
	side_release(&console->complete.side);
	interrupts_release(&console->interrupts);
	commands_release(&console->commands);
	leave_guest(console);
	guest_release(&console->guest);
	prompt_release(&console->prompt);
	stream_release(&console->in);
	record_release(&console->record);
	loop_release(&console->loop);
	buf_spare_release(&console->spare);
}

int console_talk(const struct opts *opts, int *ret_signal)
{
	static struct console console;
	int r = loop_init(&console.loop);

	if (r == 0)
		r = signals_watch(&console.loop, watched, ARRAY_LEN(watched), on_signal);
	if (r < 0) {
		log_error("cannot set up the event loop: %s", strerror(-r));
		return EXIT_FAILED;
	}
	setlocale(LC_CTYPE, "");
	set_up(&console, opts);
	guest_connect(&console.guest);
	r = console.finished && !output_waiting(&console.output) ? 0 : loop_run(&console.loop);
	if (!console.finished)
		finish(&console, EXIT_FAILED, r < 0 ? strerror(-r) : "stopped");
	tear_down(&console);
	*ret_signal = console.die_of;
	return console.exit_status;
}
