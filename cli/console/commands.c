/* The console's backslash commands: see commands.h. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shared/base.h"
#include "../../shared/fd.h"
#include "../../shared/names.h"
#include "../../shared/utf8.h"
#include "../exit.h"
#include "../term.h"
#include "console.h"
#include "words.h"

extern char **environ;

/* $f is $1, with ~ for the home there. */
#define HOME_OF_GUEST "f=$1;case $f in '~/'*)f=$HOME${f#'~'};;esac;"

/* Says why it came to nothing. */
#define FAIL(console, ...)                          \
	do {                                        \
		console_say(console, __VA_ARGS__);  \
		console_done(console, EXIT_FAILED); \
	} while (0)

/* ---- of the shell ---- */

static void run_in_shell(struct console *console, const char *before, const char *argument)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s", before, argument) < 0) {
		console_done(console, EXIT_FAILED);
		return;
	}
	console_run(console, text);
	free(text);
}

static void run_quit(struct console *console, const char *argument)
{
	char line[32] = "exit";

	(void)argument;
	/* It may be that of a command of ours, or of a shell that was killed. */
	if (console->status != console->guest.shell->status)
		snprintf(line, sizeof(line), "exit %d", console->status);
	console_run(console, line);
}

static void run_cd(struct console *console, const char *argument)
{
	run_in_shell(console, "cd ", argument);
}

static void run_env(struct console *console, const char *argument)
{
	run_in_shell(console, argument[0] ? "export " : "export -p", argument);
}

static void on_killed(struct side *side, int status)
{
	struct console *console = side->owner;

	if (status)
		console_say(console, "no jobs");
	console_done(console, status ? 1 : 0);
}

/* With job control each job is a process group of its own, in the shell's session. */
static void run_kill(struct console *console, const char *argument)
{
	static const char script[] =
		"p=$1;n=$2;r=1;for f in /proc/[0-9]*/stat;do read -r s 2>/dev/null <$f||continue;"
		"set -- ${s##*) };[ \"$4\" = $p ]&&[ \"$3\" != $p ]||continue;"
		"kill -s $n -- -$3 2>/dev/null&&r=0;"
		"case $n in TERM|HUP)kill -s CONT -- -$3 2>/dev/null;;esac;done;exit $r";
	struct side_terms terms = {.script = script, .within_ms = DURATION_INFINITE};
	int number = SIGTERM;
	struct err err;

	if (argument[0] && value_signal(argument, &number, &err) < 0) {
		FAIL(console, "\\kill: %s", err.text);
		return;
	}
	terms.args[0] = signal_name(number);
	console->killer.owner = console;
	console->killer.on_done = on_killed;
	guest_ask(&console->guest, &console->killer, terms);
}

static void run_timing(struct console *console, const char *argument)
{
	bool on = strcmp(argument, "on") == 0;

	if (argument[0] && !on && strcmp(argument, "off") != 0) {
		FAIL(console, "\\timing takes on or off, not %s", argument);
		return;
	}
	console->timing = argument[0] ? on : !console->timing;
	console_say(console, "timing is %s", console->timing ? "on" : "off");
	console_done(console, 0);
}

static void run_help(struct console *console, const char *argument)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)argument;
	if (out) {
		commands_help(out);
		fclose(out);
	}
	if (text)
		console_print_lines(console, text, len);
	free(text);
	console_done(console, 0);
}

static void run_watch(struct console *console, const char *argument)
{
	size_t len = strcspn(argument, " \t");
	const char *line = argument + len + strspn(argument + len, " \t");
	char *duration = strndup(argument, len);
	struct err err = {.text = "\\watch takes a duration and a line, such as \\watch 2s date"};

	if (!line[0] || !duration || duration_parse(duration, &console->watch_ms, &err) < 0) {
		FAIL(console, "%s", err.text);
	} else {
		free(console->watched);
		console->watched = strdup(line);
		console_run(console, line);
	}
	free(duration);
}

/* ---- another shell ---- */

static void keep_argument(struct console *console, const char *argument)
{
	free(console->argument);
	console->argument = strdup(argument);
}

/* Entries of an environment, each ended by NUL, as they came through a terminal and behind a trace. */
static void read_environ(struct console *console, struct env_list *list)
{
	char *text = (char *)buf_head(&console->captured);
	size_t len = buf_len(&console->captured), kept = 0;
	struct err err;

	/* The terminal made each newline two bytes. */
	for (size_t i = 0; i < len; i++)
		if (!(text[i] == '\r' && i + 1 < len && text[i + 1] == '\n'))
			text[kept++] = text[i];
	/* An entry that the terminal cut, or that cannot be sent, is left out. */
	for (char *end; kept && (end = memchr(text, '\0', kept)); text = end + 1) {
		char *equals = strchr(text, '='), *name = text;

		kept -= (size_t)(end + 1 - text);
		while (equals && (text = memchr(name, '\n', (size_t)(equals - name))))
			name = text + 1;
		if (equals && utf8_valid(name, strlen(name)))
			env_add(list, name, &err);
	}
	buf_release(&console->captured);
}

/* What belongs to the user, which the agent sets for each. */
static bool is_users(const char *entry)
{
	static const char *const names[] = {"HOME=", "USER=",	"LOGNAME=", "SHELL=", "MAIL=",
					    "PWD=",  "OLDPWD=", "SHLVL=",   "_=",     "TERM="};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void become_user(struct console *console)
{
	struct env_list list = {0}, carried = {0};
	struct err err;

	read_environ(console, &list);
	for (size_t i = 0; i < list.count; i++)
		if (!is_users(list.entries[i]))
			env_add(&carried, list.entries[i], &err);
	env_release(&list);
	guest_become(&console->guest, console->argument, &carried);
}

static void run_user(struct console *console, const char *argument)
{
	if (!argument[0]) {
		console_say(console, "%s", console->guest.shell->user);
		console_done(console, 0);
		return;
	}
	keep_argument(console, argument);
	console_capture(console, " command cat /proc/self/environ", become_user);
}

static void run_connect(struct console *console, const char *argument)
{
	const struct client *client = guest_client(&console->guest);

	if (argument[0]) {
		guest_connect(&console->guest, argument);
		return;
	}
	console_say(console, "%s, %s", client->name, client->agent.version);
	console_done(console, 0);
}

static void on_program_data(struct remote *remote, enum msg_type stream, const char *data,
			    size_t len)
{
	(void)stream;
	console_print(remote->owner, data, len);
}

static void on_program_end(struct remote *remote, const struct remote_end *end)
{
	struct console *console = remote->owner;

	if (end->why)
		console_say(console, "\\tty: %s", end->why);
	console_beside_done(console, end->why ? EXIT_FAILED : exit_status(&end->exited));
}

static void start_program(struct console *console)
{
	struct guest *guest = &console->guest;
	char *command[] = {(char *)(guest->shell->kind == SHELL_BASH ? "bash" : "/bin/sh"),
			   (char *)"-c", console->argument, NULL};
	struct remote_terms terms = {.tty = true};
	struct opts opts = guest->opts;
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];
	struct env_list list = {0};
	struct err err;

	read_environ(console, &list);
	opts.command = command;
	opts.command_len = 3;
	opts.env = list;
	opts.workdir = guest->shell->cwd;
	console->program.owner = console;
	console->program.on_data = on_program_data;
	console->program.on_end = on_program_end;
	if (remote_start(&console->program, guest_client(guest), &opts, &terms, &err) < 0)
		FAIL(console, "\\tty: %s", err_sentence(&err, words, sizeof(words)));
	else
		console_give_held(console);
	env_release(&list);
}

static void run_tty(struct console *console, const char *argument)
{
	if (!argument[0]) {
		FAIL(console, "\\tty needs a command");
		return;
	}
	keep_argument(console, argument);
	console_capture(console, " command cat /proc/self/environ", start_program);
}

/* ---- of the host ---- */

/* The next word, in malloced memory: without the shell's quotes; of the host with ~ for our home. */
static char *next_word(const char **text, bool is_local)
{
	const char *home = getenv("HOME"), *at = *text;
	char *quoted, *word, *path = NULL;
	size_t len = 0;

	while (at[len] && (words_look(at, len).quote || words_look(at, len).escaped ||
			   !strchr(" \t", at[len])))
		len++;
	*text = at + len + strspn(at + len, " \t");
	quoted = strndup(at, len);
	word = quoted ? words_unquote(quoted, 0) : NULL;
	free(quoted);
	if (is_local && word && word[0] == '~' && (!word[1] || word[1] == '/') && home &&
	    asprintf(&path, "%s%s", home, word + 1) > 0) {
		free(word);
		return path;
	}
	return word;
}

static void run_lcd(struct console *console, const char *argument)
{
	const char *at = argument[0] ? argument : "~";
	char *path = next_word(&at, true);

	if (path && chdir(path) == 0)
		console_done(console, 0);
	else
		FAIL(console, "\\lcd %s: %s", path ? path : argument, strerror(errno));
	free(path);
}

/* With the terminal as it was and the signals that we have blocked. The guest waits meanwhile. */
static void run_child(struct console *console, char *argv[])
{
	posix_spawnattr_t attr;
	sigset_t none, all;
	int status = 0;
	pid_t pid, r;

	term_restore();
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	errno = posix_spawnp(&pid, argv[0], NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (errno) {
		FAIL(console, "%s: %s", argv[0], strerror(errno));
		return;
	}
	while ((r = waitpid(pid, &status, WUNTRACED)) < 0 ? errno == EINTR : WIFSTOPPED(status))
		if (r > 0)
			/* With it, by a key that was for both. */
			raise(SIGSTOP);
	/* The agent was not listened to, so its silence was not its own. */
	client_awake(guest_client(&console->guest));
	console_done(console, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void run_local(struct console *console, const char *argument)
{
	const char *shell = getenv("SHELL");
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)argument, NULL};

	if (!argument[0]) {
		argv[0] = (char *)(shell && shell[0] ? shell : "/bin/sh");
		argv[1] = NULL;
	}
	run_child(console, argv);
}

static void on_copy_said(void *owner, const char *data, size_t len)
{
	console_print_lines(owner, data, len);
}

static void on_copied(void *owner, int status, const char *why)
{
	struct console *console = owner;

	if (why)
		console_say(console, "%s: %s", console->copy.to_guest ? "\\put" : "\\get", why);
	console_beside_done(console, status);
}

/* In the shell's folder, as its user, by a script that has file and more for $1 and $2. */
static void copy(struct console *console, const char *script, const char *file, const char *more,
		 bool to_guest, int fd)
{
	const char *command[] = {"/bin/sh", "-c", script, "sh", file, more};
	struct guest *guest = &console->guest;
	struct opts opts = guest->opts;

	opts.command = (char **)command;
	opts.command_len = ARRAY_LEN(command);
	opts.workdir = guest->shell->cwd;
	console->copy.owner = console;
	console->copy.on_said = on_copy_said;
	console->copy.on_done = on_copied;
	copy_start(&console->copy, guest_client(guest), &opts, to_guest, fd, &console->spare);
}

/* What the second word says, or is to be by default: the first one's last part. */
static char *destination(const char *from, const char **argument, bool is_local)
{
	char *path = strdup(from), *name = (*argument)[0] ? next_word(argument, is_local) : NULL;

	if (path && !name)
		name = strdup(basename(path));
	free(path);
	return name;
}

static void run_put(struct console *console, const char *argument)
{
	static const char script[] =
		HOME_OF_GUEST "[ ! -d \"$f\" ]||f=$f/${2#*/};[ -e \"$f\" ]||n=1;"
			      "cat >\"$f\"||exit;[ ! \"$n\" ]||chmod -- \"${2%%/*}\" \"$f\"";
	char *from = next_word(&argument, true), *more;
	char *to = from ? destination(from, &argument, false) : NULL;
	cleanup_fd int in = from ? open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	struct stat st;

	if (!from || !from[0] || argument[0])
		FAIL(console, "\\put takes a file of the host, and a name in the guest");
	else if (in < 0 || fstat(in, &st) < 0)
		FAIL(console, "\\put %s: %s", from, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		FAIL(console, "\\put %s: %s", from, strerror(EISDIR));
	else if (!S_ISREG(st.st_mode))
		FAIL(console, "\\put %s: it is no file", from);
	else if (asprintf(&more, "%03o/%s", (unsigned)st.st_mode & 0777, basename(from)) < 0)
		FAIL(console, "\\put: no memory");
	else {
		copy(console, script, to, more, true, fd_steal(&in));
		free(more);
	}
	free(from);
	free(to);
}

/* Not even a fifo without a reader is waited for. */
static int open_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

	if (fd >= 0)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

static void run_get(struct console *console, const char *argument)
{
	char *from = next_word(&argument, false);
	char *to = from ? destination(from, &argument, true) : NULL;
	char path[PATH_MAX], name[PATH_MAX], part[PATH_MAX + 8];
	struct stat st;
	bool direct;
	int out;

	snprintf(name, sizeof(name), "%s", from ? from : "");
	snprintf(path, sizeof(path), "%s", to ? to : "");
	if (path[0] && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(path, sizeof(path), "%.2000s/%.2000s", to, basename(name));
	/* What is no plain file is written to; another only takes its name once it is whole. */
	direct = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
	snprintf(part, sizeof(part), direct ? "%.4080s" : "%.4080s.part", path);
	if (!from || !from[0] || argument[0]) {
		FAIL(console, "\\get takes a file of the guest, and a name on the host");
	} else if ((out = open_new(part)) < 0) {
		FAIL(console, "\\get %s: %s", part, strerror(errno));
	} else {
		console->copy.path = strdup(path);
		console->copy.part = direct ? NULL : strdup(part);
		copy(console, HOME_OF_GUEST "exec cat <\"$f\"", from, "", false, out);
	}
	free(from);
	free(to);
}

static void run_save(struct console *console, const char *argument)
{
	char *path = next_word(&argument, true);
	size_t len = buf_len(&console->saved);
	int fd = path && path[0] && !argument[0] ? open_new(path) : -1;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	bool written = file && fwrite(buf_head(&console->saved), 1, len, file) == len;

	if (!path || !path[0] || argument[0])
		FAIL(console, "\\save takes a file of the host");
	else if (!file || fclose(file) < 0 || !written)
		FAIL(console, "\\save %s: %s", path, strerror(errno));
	else
		console_done(console, 0);
	free(path);
}

/* ---- the table ---- */

const struct command commands[] = {
	{"\\q", NULL, "leave, with the last status", COMMAND_NONE, run_quit},
	{"\\?", NULL, "print this help", COMMAND_NONE, run_help},
	{"\\cd", "DIR", "change the guest's folder", COMMAND_FOLDER, run_cd},
	{"\\env", "NAME=VALUE", "set and export a variable; alone: list them", COMMAND_VARIABLE,
	 run_env},
	{"\\user", "USER", "a new shell as that user; keeps the folder and what is exported",
	 COMMAND_USER, run_user},
	{"\\tty", "COMMAND", "run it on a terminal of its own, beside the shell", COMMAND_LINE,
	 run_tty},
	{"\\put", "FILE [DEST]", "copy a file of the host to the guest", COMMAND_LOCAL_FILE,
	 run_put},
	{"\\get", "FILE [DEST]", "copy a file of the guest to the host", COMMAND_FILE, run_get},
	{"\\watch", "DURATION LINE", "run a line again and again, until Ctrl-C", COMMAND_NONE,
	 run_watch},
	{"\\save", "FILE", "write what was run to a script for -f", COMMAND_LOCAL_FILE, run_save},
	{"\\timing", "on|off", "print how long each line took", COMMAND_SWITCH, run_timing},
	{"\\kill", "SIGNAL", "send it to the shell's jobs (default TERM)", COMMAND_SIGNAL,
	 run_kill},
	{"\\connect", "ENDPOINT", "go to another guest; alone: say which this is", COMMAND_ADDRESS,
	 run_connect},
	{"\\lcd", "DIR", "change the host's folder", COMMAND_LOCAL_FILE, run_lcd},
	{"\\!", "COMMAND", "run it on the host; alone: a shell there", COMMAND_LOCAL_LINE,
	 run_local},
};

const unsigned commands_count = ARRAY_LEN(commands);

const struct command *commands_find(char *line, const char **ret_argument)
{
	char *name = line + strspn(line, " \t");
	size_t len = strcspn(name, " \t"), end;
	char *argument = name + len + strspn(name + len, " \t");

	for (unsigned i = 0; i < commands_count; i++) {
		if (strlen(commands[i].name) != len || memcmp(commands[i].name, name, len) != 0)
			continue;
		for (end = strlen(argument); end && strchr(" \t", argument[end - 1]); end--)
			argument[end - 1] = '\0';
		*ret_argument = argument;
		return &commands[i];
	}
	return NULL;
}

const struct command *commands_near(const char *line)
{
	const char *word = line + strspn(line, " \t");
	size_t least = 3, len;
	const struct command *best = NULL;

	if (word[0] != '\\')
		return NULL;
	len = 1 + strcspn(word + 1, " \t;|&<>()$'\"\\");
	for (unsigned i = 0; i < commands_count && len > 3; i++) {
		size_t far = options_distance(word, len, commands[i].name);

		if (far < least && strlen(commands[i].name) > 3) {
			best = &commands[i];
			least = far;
		}
	}
	return best;
}

void commands_help(FILE *out)
{
	for (unsigned i = 0; i < commands_count; i++) {
		char usage[40];

		snprintf(usage, sizeof(usage), "%s %s", commands[i].name,
			 commands[i].arg ? commands[i].arg : "");
		fprintf(out, "  %-20s %s\n", usage, commands[i].help);
	}
}
