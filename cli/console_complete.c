/*
 * Tab: asks the guest in a session of its own, in the shell's folder and with its PATH, and waits
 * for the answer no longer than a person does not notice, or than the person said. No answer is no
 * completion.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <readline/readline.h>

#include "../shared/log.h"
#include "../shared/names.h"
#include "../shared/utf8.h"
#include "console_inside.h"
#include "console_lex.h"

#define MATCHES_MAX 4096

/* Readline's callbacks have no argument to find us by. */
static struct console *completing;

static bool answered;

/* ---- the guest's side: each prints names, each ended by NUL; a folder's with its slash ---- */

static const char ask_paths[] =
	"p=$1;case $p in '~/'*)p=$HOME${p#'~'};;esac\n"
	"for f in \"$p\"* ;do\n"
	"if [ -d \"$f\" ];then s=/;elif [ -e \"$f\" ]||[ -h \"$f\" ];then s=;else continue;fi\n"
	"case $2 in d)[ \"$s\" ]||continue;;esac\n"
	"printf '%s%s\\0' \"$1${f#\"$p\"}\" \"$s\";done";

static const char ask_commands[] =
	"IFS=:;set -f;set -- \"$1\" $2;set +f;w=$1;shift\n"
	"for d;do for f in \"${d:-.}/$w\"*;do\n"
	"[ -f \"$f\" ]&&[ -x \"$f\" ]&&printf '%s\\0' \"${f##*/}\";done;done\n"
	"[ -z \"$BASH_VERSION\" ]||compgen -bk -- \"$w\"|while read -r c;do printf '%s\\0' "
	"\"$c\";done";

static const char ask_users[] = "while IFS=: read -r u r;do case $u in \"$1\"*)printf '%s\\0' "
				"\"$u\";;esac;done </etc/passwd";

/* What every shell has without a file. */
static const char *const builtins[] = {"alias",	  "bg",	    "cd",   "command", "eval",	 "exec",
				       "exit",	  "export", "fg",   "jobs",    "kill",	 "read",
				       "set",	  "shift",  "trap", "type",    "ulimit", "umask",
				       "unalias", "unset",  "wait", NULL};

static void on_answer(struct side *side, int status)
{
	struct console *console = side->owner;

	(void)status;
	answered = true;
	loop_stop(&console->loop);
}

/*
 * Runs the loop inside one of its own callbacks, which it allows for as long as nothing is freed:
 * Tab's key is not read again until this returns.
 */
static bool ask_guest(struct console *console, const char *script, const char *word,
		      const char *more)
{
	struct shell *shell = console->shell;
	const char *argv[] = {
		shell->bash ? "bash" : "/bin/sh", "-c", script, "sh", word, more, NULL};
	struct side_terms terms = {.opts = &console->guest,
				   .beside = shell->pid,
				   .argv = argv,
				   .within_ms = console->opts->complete_ms};

	console->complete.owner = console;
	console->complete.on_done = on_answer;
	answered = false;
	loop_want(&console->loop, &console->terminal, 0);
	side_start(&console->complete, &console->peer->client, peer_take_id(console->peer), &terms);
	console->asking = true;
	/* A loop that fails has no answer, and fails again where it is not Tab's. */
	if (!answered && loop_run(&console->loop) < 0)
		answered = false;
	console->asking = false;
	side_cancel(&console->complete);
	/* Something else may have ended it, and means it. */
	console->loop.stopped = console->finished;
	if (console->finished || console->interrupted)
		return false;
	loop_want(&console->loop, &console->terminal, LOOP_IN);
	return answered;
}

/* ---- matches ---- */

struct matches {
	char **list; /* [0] is what they have in common, as readline wants it */
	size_t count;
};

/* Takes a word as it is to stand in the line. */
static void add_match(struct matches *matches, char *word)
{
	if (word && matches->count < MATCHES_MAX)
		matches->list[++matches->count] = word;
	else
		free(word);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once, with the common beginning; NULL for none. */
static char **finish_matches(struct matches *matches)
{
	char **list = matches->list;
	size_t kept = 0, common;

	qsort(list + 1, matches->count, sizeof(*list), by_name);
	for (size_t i = 1; i <= matches->count; i++) {
		if (kept && strcmp(list[kept], list[i]) == 0)
			free(list[i]);
		else
			list[++kept] = list[i];
	}
	list[kept + 1] = NULL;
	if (!kept) {
		free(list);
		return NULL;
	}
	common = strlen(list[1]);
	for (size_t i = 2; i <= kept; i++) {
		size_t len = 0;

		while (len < common && list[1][len] == list[i][len])
			len++;
		common = len;
	}
	/* A character is never cut. */
	while (common && (list[1][common] & 0xc0) == 0x80)
		common--;
	list[0] = strndup(list[1], common);
	if (kept == 1)
		free(list[1]), list[1] = NULL;
	return list;
}

static void take_answer(struct console *console, struct matches *matches, char quote)
{
	struct buf *out = &console->complete.out;
	char *name = (char *)buf_head(out), *end;
	size_t len = buf_len(out);

	while (len && (end = memchr(name, '\0', len))) {
		/* The line is text. */
		if (utf8_valid(name, strlen(name)))
			add_match(matches, lex_quote(name, quote, console->shell->bash));
		len -= (size_t)(end + 1 - name);
		name = end + 1;
	}
}

static void add_if_begun(struct matches *matches, const char *word, const char *name)
{
	if (strncmp(name, word, strlen(word)) == 0)
		add_match(matches, strdup(name));
}

/* ---- what is to be completed ---- */

static void match_commands(struct console *console, struct matches *matches, const char *word)
{
	for (const char *const *name = builtins; *name; name++)
		add_if_begun(matches, word, *name);
	if (ask_guest(console, ask_commands, word, console->shell->path))
		take_answer(console, matches, 0);
}

static void match_paths(struct console *console, struct matches *matches, const char *word,
			char quote, bool folders)
{
	/* A tilde that is quoted is none. */
	if (ask_guest(console, ask_paths, word, folders ? "d" : "a"))
		take_answer(console, matches, quote);
	for (size_t i = 1; i <= matches->count; i++)
		if (strncmp(matches->list[i], "\\~/", 3) == 0 && word[0] == '~')
			memmove(matches->list[i], matches->list[i] + 1, strlen(matches->list[i]));
}

static void match_names(struct matches *matches, const char *word, enum command_argument kind)
{
	if (kind == COMMAND_SWITCH) {
		add_if_begun(matches, word, "on");
		add_if_begun(matches, word, "off");
	}
	for (int i = 1; kind == COMMAND_SIGNAL && i < 32; i++)
		add_if_begun(matches, word, signal_name(i));
	if (kind == COMMAND_ADDRESS) {
		add_if_begun(matches, word, "unix:");
		add_if_begun(matches, word, "vsock:");
		add_if_begun(matches, word, "local:");
	}
}

/* Of the host, where readline knows the way by itself. */
static char **match_local(const char *text)
{
	rl_filename_completion_desired = 1;
	return rl_completion_matches(text, rl_filename_completion_function);
}

static void match_argument(struct console *console, struct matches *matches, const char *word,
			   char quote, enum command_argument kind)
{
	if (kind == COMMAND_FOLDER)
		match_paths(console, matches, word, quote, true);
	else if (kind == COMMAND_USER && ask_guest(console, ask_users, word, ""))
		take_answer(console, matches, quote);
	else
		match_names(matches, word, kind);
}

/* The backslash command that the line before start begins with, or NULL. */
static const struct command *command_before(int start)
{
	char *head = strndup(rl_line_buffer, (size_t)start);
	const struct command *command = NULL;
	const char *argument;

	if (head)
		command = commands_find(head, &argument);
	free(head);
	return command;
}

static bool is_first(int start)
{
	return strspn(rl_line_buffer, " \t") == (size_t)start;
}

static char **attempt(const char *text, int start, int end)
{
	struct console *console = completing;
	struct matches matches = {.list = calloc(MATCHES_MAX + 2, sizeof(char *))};
	char quote = (char)rl_completion_quote_character;
	const struct command *command = console->text ? NULL : command_before(start);
	char *word = lex_unquote(text, quote), **list;
	struct lex lex;

	(void)end;
	/* Readline is not to look among the host's files. */
	rl_attempted_completion_over = 1;
	rl_filename_completion_desired = 0;
	if (command && command->argument == COMMAND_LOCAL_FOLDER) {
		free(word);
		free(matches.list);
		return match_local(text);
	}
	lex_read(rl_line_buffer, (size_t)start, &lex);
	if (!word || !matches.list)
		;
	else if (!console->text && text[0] == '\\' && is_first(start))
		for (unsigned i = 0; i < commands_count; i++)
			add_if_begun(&matches, text, commands[i].name);
	else if (command && command->argument != COMMAND_LINE)
		match_argument(console, &matches, word, quote, command->argument);
	else if ((lex.command || command) && !strchr(word, '/') && word[0] && !quote)
		match_commands(console, &matches, word);
	else
		match_paths(console, &matches, word, quote, false);
	free(word);
	list = matches.list ? finish_matches(&matches) : NULL;
	/* A folder is not the end of a word. */
	if (list && list[0][0] && list[0][strlen(list[0]) - 1] == '/')
		rl_completion_suppress_append = rl_completion_suppress_quote = 1;
	return list;
}

/* What a backslash or a quote before it makes part of a word. */
static int is_quoted(char *line, int index)
{
	struct lex lex;

	lex_read(line, (size_t)index, &lex);
	return lex.escaped || (lex.depth && strchr("'\"E", lex.open[lex.depth - 1]));
}

/* The last part of each path, in columns. Nothing of a name can act on the terminal. */
static void show(char **matches, int count, int max)
{
	(void)max;
	for (int i = 1; i <= count; i++) {
		size_t len = strlen(matches[i]), base = len;

		while (base && (base == len || matches[i][base - 1] != '/'))
			base--;
		memmove(matches[i], matches[i] + base, len - base + 1);
		log_clean(matches[i], strlen(matches[i]));
		utf8_scrub(matches[i], strlen(matches[i]));
	}
	max = 0;
	for (int i = 1; i <= count; i++)
		if ((int)strlen(matches[i]) > max)
			max = (int)strlen(matches[i]);
	rl_display_match_list(matches, count, max);
	rl_forced_update_display();
}

void complete_init(struct console *console)
{
	completing = console;
	rl_attempted_completion_function = attempt;
	rl_completion_display_matches_hook = show;
	rl_completer_word_break_characters = " \t\n;|&()<>=";
	rl_basic_word_break_characters = " \t\n;|&()<>=";
	rl_completer_quote_characters = "'\"";
	rl_char_is_quoted_p = is_quoted;
}
