/* Tab: see complete.h. */
#include "complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "shared/names.h"
#include "shared/utf8.h"
#include "words.h"

/* ---- the guest's side: each prints names, each ended by NUL; a folder's with its slash ---- */

static const char ask_paths[] =
	"p=$2;case $p in '~/'*)p=$HOME${p#'~'};;esac\n"
	"for f in \"$p\"* ;do\n"
	"if [ -d \"$f\" ];then s=/;elif [ -e \"$f\" ]||[ -h \"$f\" ];then s=;else continue;fi\n"
	"case $3 in d)[ \"$s\" ]||continue;;esac\n"
	"printf '%s%s\\0' \"$2${f#\"$p\"}\" \"$s\";done";

static const char ask_commands[] =
	"w=$2;IFS=:;set -f;set -- $3;set +f\n"
	"for d;do for f in \"${d:-.}/$w\"*;do\n"
	"[ -f \"$f\" ]&&[ -x \"$f\" ]&&printf '%s\\0' \"${f##*/}\";done;done\n"
	"[ -z \"$BASH_VERSION\" ]||compgen -bk -- \"$w\"|while read -r c;do printf '%s\\0' "
	"\"$c\";done";

static const char ask_users[] = "while IFS=: read -r u r;do case $u in \"$2\"*)printf '%s\\0' "
				"\"$u\";;esac;done </etc/passwd";

static const char ask_variables[] =
	"{ tr '\\0' '\\n' </proc/$1/environ;[ -z \"$BASH_VERSION\" ]||compgen -v;}|"
	"while IFS='=' read -r n v;do case $n in *[!a-zA-Z0-9_]*);;\"$2\"*)printf '%s%s\\0' \"$3\" "
	"\"$n\";;esac;done";

/* What every shell has without a file. */
static const char *const builtins[] = {"alias",	  "bg",	    "cd",   "command", "eval",	 "exec",
				       "exit",	  "export", "fg",   "jobs",    "kill",	 "read",
				       "set",	  "shift",  "trap", "type",    "ulimit", "umask",
				       "unalias", "unset",  "wait", NULL};

static void on_answer(struct side *side, int status)
{
	struct complete *complete = side->owner;

	(void)status;
	complete->answered = true;
	loop_stop(complete->loop);
}

/*
 * Runs the loop inside one of its own callbacks, which it allows for as long as nothing is freed:
 * Tab's key is not read again until this returns.
 */
static bool ask_guest(struct complete *complete, const char *script, const char *word,
		      const char *more)
{
	struct shell *shell = complete->guest->shell;
	struct side_terms terms = {.shell = shell->kind == SHELL_BASH ? "bash" : NULL,
				   .script = script,
				   .args = {word, more ? more : ""},
				   .within_ms = complete->within_ms};

	complete->side.owner = complete;
	complete->side.on_done = on_answer;
	complete->answered = false;
	prompt_begin_wait(complete->prompt);
	guest_ask(complete->guest, &complete->side, terms);
	/* A loop that fails has no answer, and fails again where it is not Tab's. */
	if (!complete->answered && loop_run(complete->loop) < 0)
		complete->answered = false;
	side_cancel(&complete->side);
	/* Something else may have ended it, and means it. */
	if (!*complete->finished)
		loop_go_on(complete->loop);
	return prompt_end_wait(complete->prompt) && !*complete->finished && complete->answered;
}

/* ---- matches ---- */

/* Takes a word as it is to stand in the line. */
static void add_match(struct prompt_matches *matches, char *word)
{
	if (word && matches->count < PROMPT_MATCHES_MAX)
		matches->list[matches->count++] = word;
	else
		free(word);
}

static bool is_name(const char *text)
{
	while (*text == '_' || (*text >= '0' && *text <= '9') ||
	       ((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z'))
		text++;
	return !*text;
}

/*
 * The word goes on as the guest says, and is not replaced by another one. quote: as for words_quote(), or '$'
 * for names, which need none.
 */
static void take_answer(struct complete *complete, struct prompt_matches *matches, const char *word,
			char quote)
{
	bool bash = complete->guest->shell->kind == SHELL_BASH;
	size_t begun = strlen(word);
	struct buf *out = &complete->side.out;
	char *name = (char *)buf_head(out), *end;
	size_t len = buf_len(out);

	while (len && (end = memchr(name, '\0', len))) {
		/* The line is text. */
		if (utf8_valid(name, strlen(name)) && strncmp(name, word, begun) == 0 &&
		    (quote != '$' || is_name(name + begun)))
			add_match(matches,
				  quote == '$' ? strdup(name) : words_quote(name, quote, bash));
		len -= (size_t)(end + 1 - name);
		name = end + 1;
	}
}

static void add_if_begun(struct prompt_matches *matches, const char *word, const char *name)
{
	if (strncmp(name, word, strlen(word)) == 0)
		add_match(matches, strdup(name));
}

/* ---- what is to be completed ---- */

static void match_commands(struct complete *complete, struct prompt_matches *matches,
			   const char *word)
{
	for (const char *const *name = builtins; *name; name++)
		add_if_begun(matches, word, *name);
	if (ask_guest(complete, ask_commands, word, complete->guest->shell->path))
		take_answer(complete, matches, word, 0);
}

static void match_paths(struct complete *complete, struct prompt_matches *matches, const char *word,
			char quote, bool folders)
{
	/* A tilde that is quoted is none. */
	if (ask_guest(complete, ask_paths, word, folders ? "d" : "a"))
		take_answer(complete, matches, word, quote);
	for (size_t i = 0; i < matches->count; i++)
		if (strncmp(matches->list[i], "\\~/", 3) == 0 && word[0] == '~')
			memmove(matches->list[i], matches->list[i] + 1, strlen(matches->list[i]));
}

/* What is typed of it: $ or ${ before the name. */
static void match_variables(struct complete *complete, struct prompt_matches *matches,
			    const char *word)
{
	size_t before = strspn(word, "${");
	char *dollar = strndup(word, before);

	if (dollar && ask_guest(complete, ask_variables, word + before, dollar))
		take_answer(complete, matches, word, '$');
	free(dollar);
}

/* Of a line that is wrong the names above and below it are good enough here. */
static void match_guests(struct prompt_matches *matches, const char *word)
{
	struct guests guests;
	struct guest_line line;
	struct err err;
	int r;

	if (guests_open(&guests, &err) < 0)
		return;
	while ((r = guests_next(&guests, &line, &err)) != 0)
		if (r > 0)
			add_if_begun(matches, word, line.name);
	guests_close(&guests);
}

static void match_argument(struct complete *complete, struct prompt_matches *matches,
			   const char *word, char quote, enum command_argument kind)
{
	static const char *const switches[] = {"on", "off"};
	static const char *const addresses[] = {"unix:", "vsock:", "local:", "exec:"};

	if (kind == COMMAND_FOLDER || kind == COMMAND_FILE)
		match_paths(complete, matches, word, quote, kind == COMMAND_FOLDER);
	else if (kind == COMMAND_USER && ask_guest(complete, ask_users, word, NULL))
		take_answer(complete, matches, word, quote);
	for (size_t i = 0; kind == COMMAND_SWITCH && i < 2; i++)
		add_if_begun(matches, word, switches[i]);
	for (int i = 1; kind == COMMAND_SIGNAL && i < 32; i++)
		add_if_begun(matches, word, signal_name(i));
	for (size_t i = 0; kind == COMMAND_ADDRESS && i < 4; i++)
		add_if_begun(matches, word, addresses[i]);
	if (kind == COMMAND_ADDRESS)
		match_guests(matches, word);
}

/* What stands at a line's beginning behind a backslash would be a command of ours, some of which run on the host. */
static void drop_ours(struct prompt_matches *matches)
{
	size_t kept = 0;

	for (size_t i = 0; i < matches->count; i++) {
		if (matches->list[i][0] == '\\')
			free(matches->list[i]);
		else
			matches->list[kept++] = matches->list[i];
	}
	matches->count = kept;
}

void complete_word(struct complete *complete, const struct prompt_word *ask,
		   struct prompt_matches *matches)
{
	size_t blanks = strspn(ask->line, " \t"), start = (size_t)ask->start;
	const struct command *command =
		start > blanks && !complete->prompt->continues ? commands_find(ask->line) : NULL;
	struct words_place place = words_look(ask->line, start);
	char *word = words_unquote(ask->text, ask->quote);

	if (command && command->argument == COMMAND_LOCAL_FILE)
		matches->local = true;
	else if (!word)
		;
	else if (start == blanks && ask->text[0] == '\\' && !complete->prompt->continues)
		for (unsigned i = 0; i < commands_count; i++)
			add_if_begun(matches, ask->text, commands_table[i].name);
	else if (command && command->argument != COMMAND_LINE)
		match_argument(complete, matches, word, ask->quote, command->argument);
	else if (ask->text[0] == '$' && ask->quote != '\'' && !strpbrk(ask->text, "/}"))
		match_variables(complete, matches, ask->text);
	else if ((place.command || command) && !strchr(word, '/') && word[0] && !ask->quote)
		match_commands(complete, matches, word);
	else
		match_paths(complete, matches, word, ask->quote, false);
	if (start == blanks && ask->text[0] != '\\' && !complete->prompt->continues)
		drop_ours(matches);
	free(word);
}
