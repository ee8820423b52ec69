/* The console's backslash commands: see console_commands.h. */
#include "console_commands.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shared/names.h"
#include "console_inside.h"
#include "console_lex.h"
#include "exec.h"
#include "term.h"

extern char **environ;

/* ---- of the shell ---- */

static void run_quit(struct console *console, const char *argument)
{
	(void)argument;
	console_leave(console);
}

static void run_in_shell(struct console *console, const char *fmt, const char *argument)
{
	char *text = NULL;

	if (asprintf(&text, fmt, argument) < 0) {
		console_done(console, EXIT_FAILED);
		return;
	}
	console_run(console, text);
	free(text);
}

static void run_cd(struct console *console, const char *argument)
{
	run_in_shell(console, "cd %s", argument);
}

static void run_env(struct console *console, const char *argument)
{
	run_in_shell(console, argument[0] ? "export %s" : "export -p", argument);
}

static void run_kill(struct console *console, const char *argument)
{
	struct err err;
	int number = SIGTERM;

	if (argument[0] && value_signal(argument, &number, &err) < 0) {
		console_say(console, "\\kill: %s", err.text);
		console_done(console, EXIT_FAILED);
		return;
	}
	/* With job control each job is a group with the number of its first process. */
	run_in_shell(console,
		     "__msb_l=$(jobs -p);if [ -z \"$__msb_l\" ];then echo 'no jobs' >&2;false;"
		     "else for __msb_l in $__msb_l;do kill -s %s -- \"-$__msb_l\";done;fi",
		     signal_name(number));
}

static void run_timing(struct console *console, const char *argument)
{
	bool known = !argument[0] || strcmp(argument, "on") == 0 || strcmp(argument, "off") == 0;

	if (!known) {
		console_say(console, "\\timing takes on or off, not %s", argument);
		console_done(console, EXIT_FAILED);
		return;
	}
	console->timing = argument[0] ? strcmp(argument, "on") == 0 : !console->timing;
	console_say(console, "timing is %s", console->timing ? "on" : "off");
	console_done(console, 0);
}

static void run_help(struct console *console, const char *argument)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)argument;
	if (out) {
		commands_help(out);
		fclose(out);
	}
	for (char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
		console_print(console, MSG_EXEC_STDOUT, line, (size_t)(end - line));
		console_print(console, MSG_EXEC_STDOUT, "\r\n" + !console->interactive,
			      1 + console->interactive);
	}
	free(text);
	console_done(console, 0);
}

/* ---- another shell ---- */

static void keep_argument(struct console *console, const char *argument)
{
	free(console->argument);
	console->argument = strdup(argument);
}

/* What belongs to the user, which the agent sets for each. */
static bool is_users(const char *entry)
{
	static const char *const names[] = {"HOME=", "USER=",	"LOGNAME=", "SHELL=", "MAIL=",
					    "PWD=",  "OLDPWD=", "SHLVL=",   "_=",     "TERM="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void become_user(struct console *console)
{
	struct opts wanted = console->guest;
	struct env_list list = {0};
	struct err err;

	environ_read(console, &list);
	for (size_t i = 0; i < list.count; i++)
		if (!is_users(list.entries[i]))
			env_add(&console->carried, list.entries[i], &err);
	env_release(&list);
	/* Only for a shell that comes does the user stay. */
	console->candidate_user = console->argument;
	console->argument = NULL;
	wanted.user = console->candidate_user;
	wanted.workdir = console->shell->cwd;
	wanted.env = console->carried;
	candidate_start(console, NULL, false, &wanted);
}

static void run_user(struct console *console, const char *argument)
{
	if (!argument[0]) {
		console_say(console, "%s", console->shell->user);
		console_done(console, 0);
		return;
	}
	keep_argument(console, argument);
	console_capture(console, "cat /proc/self/environ", become_user);
}

static void run_connect(struct console *console, const char *argument)
{
	if (!argument[0]) {
		console_say(console, "%s, %s", console->peer->client.name,
			    console->peer->client.version);
		console_done(console, 0);
		return;
	}
	candidate_start(console, argument, true, &console->guest);
}

static void run_tty(struct console *console, const char *argument)
{
	if (!argument[0] || !console->interactive) {
		console_say(console,
			    argument[0] ? "\\tty needs a terminal" : "\\tty needs a command");
		console_done(console, EXIT_FAILED);
		return;
	}
	keep_argument(console, argument);
	console_capture(console, "cat /proc/self/environ", program_start);
}

/* ---- of the host ---- */

static void run_lcd(struct console *console, const char *argument)
{
	const char *home = getenv("HOME");
	char *folder = lex_unquote(argument, 0), *path = NULL;

	if (!folder || !argument[0])
		path = home ? strdup(home) : NULL;
	else if (folder[0] == '~' && (!folder[1] || folder[1] == '/') && home)
		path = asprintf(&path, "%s%s", home, folder + 1) < 0 ? NULL : path;
	else
		path = strdup(folder);
	if (path && chdir(path) == 0) {
		console_done(console, 0);
	} else {
		console_say(console, "\\lcd %s: %s", path ? path : argument, strerror(errno));
		console_done(console, EXIT_FAILED);
	}
	free(folder);
	free(path);
}

/* With the terminal as it was and the signals that we have blocked. The guest waits meanwhile. */
static void run_local(struct console *console, const char *argument)
{
	const char *shell = getenv("SHELL");
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)argument, NULL};
	posix_spawnattr_t attr;
	sigset_t none, all;
	int status = 0;
	pid_t pid;

	if (!argument[0]) {
		argv[0] = (char *)(shell && shell[0] ? shell : "/bin/sh");
		argv[1] = NULL;
	}
	term_restore();
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	errno = posix_spawn(&pid, argument[0] ? "/bin/sh" : argv[0], NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (errno) {
		console_say(console, "\\!: %s", strerror(errno));
		console_done(console, EXIT_FAILED);
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* The agent was not listened to, so its silence was not its own. */
	client_awake(&console->peer->client);
	console_done(console, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
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
	{"\\timing", "on|off", "print how long each line took", COMMAND_SWITCH, run_timing},
	{"\\kill", "SIGNAL", "send it to the shell's jobs (default TERM)", COMMAND_SIGNAL,
	 run_kill},
	{"\\connect", "ENDPOINT", "go to another guest; alone: say which this is", COMMAND_ADDRESS,
	 run_connect},
	{"\\lcd", "DIR", "change the host's folder", COMMAND_LOCAL_FOLDER, run_lcd},
	{"\\!", "COMMAND", "run it on the host; alone: a shell there", COMMAND_LOCAL_LINE,
	 run_local},
};

const unsigned commands_count = sizeof(commands) / sizeof(commands[0]);

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

void commands_help(FILE *out)
{
	for (unsigned i = 0; i < commands_count; i++) {
		char usage[32];

		snprintf(usage, sizeof(usage), "%s %s", commands[i].name,
			 commands[i].arg ? commands[i].arg : "");
		fprintf(out, "  %-20s %s\n", usage, commands[i].help);
	}
}
