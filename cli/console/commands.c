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

#include "cli/options/exit.h"
#include "cli/terminal/term.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/names.h"
#include "shared/options.h"
#include "shared/utf8.h"
#include "words.h"

extern char **environ;

#define NAME_ENDS " \t;|&<>()$'\"\\"

/* $f is $1, with ~ for the home there. */
#define HOME_OF_GUEST "f=$1;case $f in '~/'*)f=$HOME${f#'~'};;esac;"

#define LATER	(-1) /* instead of a command's status: on_done is called when it has one */
#define NAME_MS 1000 /* for the guest to say whether it has a command of that name */

/* The status of what came to nothing, when why is said. */
#define FAIL(commands, ...) (output_say((commands)->output, __VA_ARGS__), EXIT_FAILED)

static void settle(struct commands *commands, int status)
{
	if (status != LATER)
		commands->on_done(commands->owner, status);
}

/* ---- of the shell ---- */

static int run_in_shell(struct commands *commands, const char *before, const char *argument)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s", before, argument) < 0)
		return EXIT_FAILED;
	commands->type_line(commands->owner, text);
	free(text);
	return LATER;
}

static int run_quit(struct commands *commands, const char *argument)
{
	char status[16] = "";

	(void)argument;
	if (commands->guest->way == GUEST_AWAY) {
		commands->leave(commands->owner, commands->last_status);
		return LATER;
	}
	/* It may be that of a command of ours, or of a shell that was killed. */
	if (commands->last_status != commands->guest->shell->status)
		snprintf(status, sizeof(status), " %d", commands->last_status);
	return run_in_shell(commands, "exit", status);
}

static int run_cd(struct commands *commands, const char *argument)
{
	return run_in_shell(commands, "cd ", argument);
}

static int run_env(struct commands *commands, const char *argument)
{
	return run_in_shell(commands, argument[0] ? "export " : "export -p", argument);
}

static void on_killed(struct side *side, int status)
{
	struct commands *commands = side->owner;

	if (status)
		output_say(commands->output, status < 0 ? "\\kill: no answer" : "no jobs");
	commands->on_done(commands->owner, status ? 1 : 0);
}

static void ask_guest(struct commands *commands, struct side_terms terms,
		      void (*on_done)(struct side *side, int status))
{
	commands->side.owner = commands;
	commands->side.on_done = on_done;
	guest_ask(commands->guest, &commands->side, terms);
}

/* With job control each job is a process group of its own, in the shell's session. */
static int run_kill(struct commands *commands, const char *argument)
{
	static const char script[] =
		"p=$1;n=$2;r=1;for f in /proc/[0-9]*/stat;do read -r s 2>/dev/null <$f||continue;"
		"set -- ${s##*) };[ \"$4\" = $p ]&&[ \"$3\" != $p ]||continue;"
		"kill -s $n -- -$3 2>/dev/null&&r=0;"
		"case $n in TERM|HUP)kill -s CONT -- -$3 2>/dev/null;;esac;done;exit $r";
	struct side_terms terms = {.script = script, .within_ms = DURATION_INFINITE};
	int number = SIGTERM;
	struct err err;

	if (argument[0] && value_signal(argument, &number, &err) < 0)
		return FAIL(commands, "\\kill: %s", err.text);
	terms.args[0] = signal_name(number);
	ask_guest(commands, terms, on_killed);
	return LATER;
}

static int run_timing(struct commands *commands, const char *argument)
{
	bool on = strcmp(argument, "on") == 0;

	if (argument[0] && !on && strcmp(argument, "off") != 0)
		return FAIL(commands, "\\timing takes on or off, not %s", argument);
	commands->timing = argument[0] ? on : !commands->timing;
	output_say(commands->output, "timing is %s", commands->timing ? "on" : "off");
	return 0;
}

static int run_help(struct commands *commands, const char *argument)
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
		output_print_lines(commands->output, text, len);
	free(text);
	return 0;
}

static int run_watch(struct commands *commands, const char *argument)
{
	size_t len = strcspn(argument, " \t");
	const char *line = argument + len + strspn(argument + len, " \t");
	char *duration = strndup(argument, len);
	struct err err = {.text = "\\watch takes a duration and a line, such as \\watch 2s date"};
	int status = LATER;

	if (!line[0] || !duration || duration_parse(duration, &commands->watch_ms, &err) < 0) {
		status = FAIL(commands, "%s", err.text);
	} else {
		free(commands->watched);
		commands->watched = strdup(line);
		if (commands->watched)
			commands->type_line(commands->owner, line);
		else
			status = FAIL(commands, "\\watch: %s", strerror(ENOMEM));
	}
	free(duration);
	return status;
}

static void on_watch_due(struct loop_timer *timer)
{
	struct commands *commands = container_of(timer, struct commands, watch_due);

	if (commands->watched)
		commands->type_line(commands->owner, commands->watched);
}

void commands_watch_again(struct commands *commands)
{
	commands->watch_due.on_due = on_watch_due;
	loop_arm(commands->guest->loop, &commands->watch_due, commands->watch_ms);
}

void commands_end_watch(struct commands *commands)
{
	free(commands->watched);
	commands->watched = NULL;
	loop_disarm(commands->guest->loop, &commands->watch_due);
}

/* ---- another shell ---- */

/* False: there is no memory for it. */
static bool keep_argument(struct commands *commands, const char *argument)
{
	free(commands->argument);
	commands->argument = strdup(argument);
	return commands->argument;
}

/* Reads what the shell exports, for then(), which returns as a command does. */
static int with_environ(struct commands *commands, const char *argument,
			int (*then)(struct commands *commands))
{
	if (!keep_argument(commands, argument))
		return FAIL(commands, "%s: %s", argument, strerror(ENOMEM));
	buf_release(&commands->captured);
	buf_init(&commands->captured, OUTPUT_MAX, commands->guest->spare);
	output_keep(commands->output, &commands->captured);
	commands->then = then;
	commands->type_line(commands->owner, " command cat /proc/self/environ");
	return LATER;
}

void commands_go_on(struct commands *commands)
{
	output_keep(commands->output, NULL);
	settle(commands, commands->then(commands));
}

/* Entries of an environment, each ended by NUL, as they came through a terminal and behind a trace. */
static void read_environ(struct commands *commands, struct env_list *list)
{
	char *text = (char *)buf_head(&commands->captured);
	size_t len = buf_len(&commands->captured), kept = 0;
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
	buf_release(&commands->captured);
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

static int become_user(struct commands *commands)
{
	struct env_list list = {0}, carried = {0};
	struct err err;

	read_environ(commands, &list);
	for (size_t i = 0; i < list.count; i++)
		if (!is_users(list.entries[i]))
			env_add(&carried, list.entries[i], &err);
	env_release(&list);
	if (guest_become(commands->guest, commands->argument, &carried) == 0)
		return LATER;
	env_release(&carried);
	return FAIL(commands, "\\user %s: %s", commands->argument, strerror(ENOMEM));
}

static int run_user(struct commands *commands, const char *argument)
{
	if (!argument[0]) {
		output_say(commands->output, "%s", commands->guest->shell->user);
		return 0;
	}
	return with_environ(commands, argument, become_user);
}

static int connect_to(struct commands *commands, const char *text)
{
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];
	struct opts opts;
	struct err err;

	if (opts_again(&commands->guest->opts, text, "\\connect", &opts, &err) < 0)
		return FAIL(commands, "%s", err_sentence(&err, words, sizeof(words)));
	guest_move(commands->guest, &opts);
	return LATER;
}

static int run_connect(struct commands *commands, const char *argument)
{
	const struct client *client = guest_client(commands->guest);

	if (argument[0])
		return connect_to(commands, argument);
	if (commands->guest->way != GUEST_CONNECTED) {
		guest_return(commands->guest);
		return LATER;
	}
	output_say(commands->output, "%s, %s", client->name, client->agent.version);
	return 0;
}

static void on_program_data(struct remote *remote, enum msg_type stream, const char *data,
			    size_t len)
{
	struct commands *commands = remote->owner;

	(void)stream;
	output_print(commands->output, data, len);
}

static void on_program_end(struct remote *remote, const struct remote_end *end)
{
	struct commands *commands = remote->owner;

	if (end->why)
		output_say(commands->output, "\\tty: %s", end->why);
	commands->on_done(commands->owner, end->why ? EXIT_FAILED : exit_status(&end->exited));
}

static int start_program(struct commands *commands)
{
	struct guest *guest = commands->guest;
	char *command[] = {(char *)(guest->shell->kind == SHELL_BASH ? "bash" : "/bin/sh"),
			   (char *)"-c", commands->argument, NULL};
	struct remote_terms terms = {.tty = true};
	struct opts opts = guest->opts;
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];
	struct env_list list = {0};
	struct err err;
	int status = LATER;

	read_environ(commands, &list);
	opts.command = command;
	opts.command_len = 3;
	opts.env = list;
	opts.workdir = guest->shell->cwd;
	commands->program.owner = commands;
	commands->program.on_data = on_program_data;
	commands->program.on_end = on_program_end;
	if (remote_start(&commands->program, guest_client(guest), &opts, &terms, &err) < 0)
		status = FAIL(commands, "\\tty: %s", err_sentence(&err, words, sizeof(words)));
	env_release(&list);
	return status;
}

bool commands_keys(struct commands *commands, const char *keys, size_t len)
{
	if (!remote_runs(&commands->program))
		return false;
	remote_send(&commands->program, keys, len);
	return true;
}

static int run_tty(struct commands *commands, const char *argument)
{
	if (!argument[0])
		return FAIL(commands, "\\tty needs a command");
	return with_environ(commands, argument, start_program);
}

/* ---- of the host ---- */

static int run_lcd(struct commands *commands, const char *argument)
{
	const char *at = argument[0] ? argument : "~";
	char *path = words_next(&at, getenv("HOME"));
	int status = 0;

	if (!path || chdir(path) < 0)
		status = FAIL(commands, "\\lcd %s: %s", path ? path : argument, strerror(errno));
	free(path);
	return status;
}

/* With the terminal as it was and the signals that we have blocked. The guest waits meanwhile. */
static int run_child(struct commands *commands, char *argv[])
{
	posix_spawnattr_t attr;
	sigset_t none, all;
	int status = 0;
	pid_t pid, r;

	term_tell(term_restore());
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	errno = posix_spawnp(&pid, argv[0], NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (errno)
		return FAIL(commands, "%s: %s", argv[0], strerror(errno));
	while ((r = waitpid(pid, &status, WUNTRACED)) < 0 ? errno == EINTR : WIFSTOPPED(status))
		if (r > 0)
			/* With it, by a key that was for both. */
			raise(SIGSTOP);
	/* The agent was not listened to, so its silence was not its own. */
	client_awake(guest_client(commands->guest));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_local(struct commands *commands, const char *argument)
{
	const char *shell = getenv("SHELL");
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)argument, NULL};

	if (!argument[0]) {
		argv[0] = (char *)(shell && shell[0] ? shell : "/bin/sh");
		argv[1] = NULL;
	}
	return run_child(commands, argv);
}

static void on_copy_said(void *owner, const char *data, size_t len)
{
	struct commands *commands = owner;

	output_print_lines(commands->output, data, len);
}

static void on_copied(void *owner, int status, const char *why)
{
	struct commands *commands = owner;

	if (why)
		output_say(commands->output, "%s: %s", commands->copy.to_guest ? "\\put" : "\\get",
			   why);
	commands->on_done(commands->owner, status);
}

/* In the shell's folder, as its user, by a script that has file and more for $1 and $2. */
static int copy(struct commands *commands, const char *script, const char *file, const char *more,
		bool to_guest, int fd)
{
	const char *command[] = {"/bin/sh", "-c", script, "sh", file, more};
	struct guest *guest = commands->guest;
	struct opts opts = guest->opts;

	opts.command = (char **)command;
	opts.command_len = ARRAY_LEN(command);
	opts.workdir = guest->shell->cwd;
	commands->copy.owner = commands;
	commands->copy.on_said = on_copy_said;
	commands->copy.on_done = on_copied;
	copy_start(&commands->copy, guest_client(guest), &opts, to_guest, fd, guest->spare);
	return LATER;
}

bool commands_interrupt(struct commands *commands)
{
	if (!copy_runs(&commands->copy))
		return false;
	copy_cancel(&commands->copy, 128 + SIGINT);
	return true;
}

/* What the second word says, or is to be by default: the first one's last part. */
static char *destination(const char *from, const char **argument, const char *home)
{
	char *path, *name;

	if ((*argument)[0])
		return words_next(argument, home);
	path = strdup(from);
	name = path ? strdup(basename(path)) : NULL;
	free(path);
	return name;
}

static int run_put(struct commands *commands, const char *argument)
{
	static const char script[] =
		HOME_OF_GUEST "[ ! -d \"$f\" ]||f=$f/${2#*/};[ -e \"$f\" ]||n=1;"
			      "cat >\"$f\"||exit;[ ! \"$n\" ]||chmod -- \"${2%%/*}\" \"$f\"";
	char *from = words_next(&argument, getenv("HOME")), *more;
	char *to = from ? destination(from, &argument, NULL) : NULL;
	cleanup_fd int in = from ? open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	struct stat st;
	int status;

	if (!from || !to)
		status = FAIL(commands, "\\put: no memory");
	else if (!from[0] || argument[0])
		status = FAIL(commands, "\\put takes a file of the host, and a name in the guest");
	else if (in < 0 || fstat(in, &st) < 0)
		status = FAIL(commands, "\\put %s: %s", from, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		status = FAIL(commands, "\\put %s: %s", from, strerror(EISDIR));
	else if (!S_ISREG(st.st_mode))
		status = FAIL(commands, "\\put %s: it is no file", from);
	else if (asprintf(&more, "%03o/%s", (unsigned)st.st_mode & 0777, basename(from)) < 0)
		status = FAIL(commands, "\\put %s: %s", from, strerror(ENOMEM));
	else {
		status = copy(commands, script, to, more, true, fd_steal(&in));
		free(more);
	}
	free(from);
	free(to);
	return status;
}

/* Not even a fifo without a reader is waited for. */
static int open_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

	if (fd >= 0)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

/* Of a file of the guest, once the host's is open; part: what it is called until it is whole, or NULL. */
static int begin_get(struct commands *commands, const char *from, const char *path,
		     const char *part, int out)
{
	commands->copy.path = strdup(path);
	commands->copy.part = part ? strdup(part) : NULL;
	if (commands->copy.path && (commands->copy.part || !part))
		return copy(commands, HOME_OF_GUEST "exec cat <\"$f\"", from, "", false, out);
	copy_release(&commands->copy);
	close(out);
	if (part)
		unlink(part);
	return FAIL(commands, "\\get %s: %s", path, strerror(ENOMEM));
}

static int run_get(struct commands *commands, const char *argument)
{
	char *from = words_next(&argument, NULL);
	char *to = from ? destination(from, &argument, getenv("HOME")) : NULL;
	char path[PATH_MAX], name[PATH_MAX], part[PATH_MAX + 8];
	struct stat st;
	bool direct;
	int out, status;

	snprintf(name, sizeof(name), "%s", from ? from : "");
	snprintf(path, sizeof(path), "%s", to ? to : "");
	if (path[0] && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(path, sizeof(path), "%.2000s/%.2000s", to, basename(name));
	/* What is no plain file is written to; another only takes its name once it is whole. */
	direct = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
	snprintf(part, sizeof(part), direct ? "%.4080s" : "%.4080s.part", path);
	if (!from || !to) {
		status = FAIL(commands, "\\get: no memory");
	} else if (!from[0] || argument[0]) {
		status = FAIL(commands, "\\get takes a file of the guest, and a name on the host");
	} else if ((out = open_new(part)) < 0) {
		status = FAIL(commands, "\\get %s: %s", part, strerror(errno));
	} else {
		status = begin_get(commands, from, path, direct ? NULL : part, out);
	}
	free(from);
	free(to);
	return status;
}

static int run_save(struct commands *commands, const char *argument)
{
	char *path = words_next(&argument, getenv("HOME"));
	const uint8_t *text = buf_head(&commands->record->kept);
	size_t len = buf_len(&commands->record->kept);
	int fd = path && path[0] && !argument[0] ? open_new(path) : -1;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	bool written = file && (!text || fwrite(text, 1, len, file) == len);
	int status = 0;

	if (!path)
		status = FAIL(commands, "\\save: no memory");
	else if (!path[0] || argument[0])
		status = FAIL(commands, "\\save takes a file of the host");
	else if (!file || fclose(file) < 0 || !written)
		status = FAIL(commands, "\\save %s: %s", path, strerror(errno));
	free(path);
	return status;
}

/* ---- the table ---- */

const struct command commands_table[] = {
	{"\\q", NULL, "leave, with the last status", COMMAND_NONE, COMMAND_ALONE, run_quit},
	{"\\?", NULL, "print this help", COMMAND_NONE, COMMAND_ALONE, run_help},
	{"\\cd", "DIR", "change the guest's folder", COMMAND_FOLDER, COMMAND_SHELL, run_cd},
	{"\\env", "NAME=VALUE", "set and export a variable; alone: list them", COMMAND_VARIABLE,
	 COMMAND_SHELL, run_env},
	{"\\user", "USER", "a new shell as that user; keeps the folder and what is exported",
	 COMMAND_USER, COMMAND_SHELL, run_user},
	{"\\tty", "COMMAND", "run it on a terminal of its own, beside the shell", COMMAND_LINE,
	 COMMAND_SHELL, run_tty},
	{"\\put", "FILE [DEST]", "copy a file of the host to the guest", COMMAND_LOCAL_FILE,
	 COMMAND_GUEST, run_put},
	{"\\get", "FILE [DEST]", "copy a file of the guest to the host", COMMAND_FILE,
	 COMMAND_GUEST, run_get},
	{"\\watch", "DURATION LINE", "run a line again and again, until Ctrl-C", COMMAND_NONE,
	 COMMAND_SHELL, run_watch},
	{"\\save", "FILE", "write what was run to a script for -f", COMMAND_LOCAL_FILE,
	 COMMAND_ALONE, run_save},
	{"\\timing", "on|off", "print how long each line took", COMMAND_SWITCH, COMMAND_ALONE,
	 run_timing},
	{"\\kill", "SIGNAL", "send it to the shell's jobs (default TERM)", COMMAND_SIGNAL,
	 COMMAND_GUEST, run_kill},
	{"\\connect", "ENDPOINT",
	 "go to another guest, by its address or its name; alone: back to a lost one, or say which "
	 "this is",
	 COMMAND_ADDRESS, COMMAND_ALONE, run_connect},
	{"\\lcd", "DIR", "change the host's folder", COMMAND_LOCAL_FILE, COMMAND_ALONE, run_lcd},
	{"\\!", "COMMAND", "run it on the host; alone: a shell there", COMMAND_LOCAL_LINE,
	 COMMAND_ALONE, run_local},
};

const unsigned commands_count = ARRAY_LEN(commands_table);

const struct command *commands_find(const char *line)
{
	const char *name = line + strspn(line, " \t");
	size_t len = strcspn(name, " \t");

	for (unsigned i = 0; i < commands_count; i++)
		if (strlen(commands_table[i].name) == len &&
		    memcmp(commands_table[i].name, name, len) == 0)
			return &commands_table[i];
	return NULL;
}

static const struct command *nearest(const char *line)
{
	const char *word = line + strspn(line, " \t");
	size_t least = 3, len;
	const struct command *best = NULL;

	if (word[0] != '\\')
		return NULL;
	len = 1 + strcspn(word + 1, NAME_ENDS);
	for (unsigned i = 0; i < commands_count && len > 3; i++) {
		size_t far = options_distance(word, len, commands_table[i].name);

		if (far < least && strlen(commands_table[i].name) > 3) {
			best = &commands_table[i];
			least = far;
		}
	}
	return best;
}

void commands_help(FILE *out)
{
	for (unsigned i = 0; i < commands_count; i++) {
		char usage[40];

		snprintf(usage, sizeof(usage), "%s %s", commands_table[i].name,
			 commands_table[i].arg ? commands_table[i].arg : "");
		fprintf(out, "  %-20s %s\n", usage, commands_table[i].help);
	}
}

/* ---- running them ---- */

static bool is_out_of_reach(const struct commands *commands, enum command_needs needs)
{
	enum guest_way way = commands->guest->way;

	return needs == COMMAND_GUEST ? way != GUEST_CONNECTED
				      : needs == COMMAND_SHELL && way == GUEST_AWAY;
}

void commands_run(struct commands *commands, const struct command *command, const char *line,
		  int last_status)
{
	const char *argument = line + strspn(line, " \t") + strlen(command->name);
	size_t len;
	char *text;

	argument += strspn(argument, " \t");
	for (len = strlen(argument); len && strchr(" \t", argument[len - 1]);)
		len--;
	text = strndup(argument, len);
	commands->last_status = last_status;
	if (is_out_of_reach(commands, command->needs))
		settle(commands, FAIL(commands, "%s: there is no connection", command->name));
	else
		settle(commands, text ? command->run(commands, text)
				      : FAIL(commands, "%s: no memory", command->name));
	free(text);
}

static void on_named(struct side *side, int status)
{
	struct commands *commands = side->owner;
	char *line = commands->argument;
	const struct command *meant = nearest(line);

	commands->argument = NULL;
	if (status == 0 || !meant)
		commands->type_line(commands->owner, line);
	else
		settle(commands,
		       FAIL(commands, "there is no %.*s; did you mean %s? \\? lists them all",
			    (int)strcspn(line, " \t"), line, meant->name));
	free(line);
}

bool commands_ask(struct commands *commands, const char *line)
{
	const char *word = line + strspn(line, " \t");
	char name[32];
	struct side_terms terms = {.script = "PATH=${3:-$PATH};command -v -- \"$2\" >/dev/null",
				   .args = {name, commands->guest->shell->path},
				   .within_ms = NAME_MS};

	/* Without a connection the shell says it, later. */
	if (commands->guest->way != GUEST_CONNECTED || !nearest(word) ||
	    !keep_argument(commands, word))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 1, NAME_ENDS), word + 1);
	ask_guest(commands, terms, on_named);
	return true;
}

void commands_lose(struct commands *commands)
{
	side_lose(&commands->side);
	copy_lose(&commands->copy);
	if (!remote_runs(&commands->program))
		return;
	remote_release(&commands->program);
	settle(commands, FAIL(commands, "\\tty: the connection is lost"));
}

void commands_cancel(struct commands *commands)
{
	side_cancel(&commands->side);
	copy_release(&commands->copy);
}

void commands_release(struct commands *commands)
{
	side_release(&commands->side);
	remote_release(&commands->program);
	copy_release(&commands->copy);
	buf_release(&commands->captured);
	free(commands->watched);
	free(commands->argument);
}
