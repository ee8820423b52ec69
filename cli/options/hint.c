/* What to do about a failure: see hint.h. */
#include "hint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guests.h"
#include "shared/base.h"

/* ---- addresses ---- */

static void hint_denied(const struct stat *st, struct err *err)
{
	if (!st)
		err_hint(err, "a folder on the way to it may not be entered by uid %u", geteuid());
	else
		err_hint(err,
			 "it belongs to uid %u: connect as that user or as root; msb-execd "
			 "--allow-uid %u and a chmod of the socket let you in",
			 st->st_uid, geteuid());
}

/* As long as a path can be; shorter ones leave room for more words. */
#define PATH_OF(endpoint) (int)(endpoint)->path_len, (endpoint)->path

static void hint_refused(const struct endpoint *endpoint, const struct stat *st, struct err *err)
{
	if (st && !S_ISSOCK(st->st_mode))
		err_hint(err, "it is no socket");
	else
		err_hint(err,
			 "nothing listens there any more; start msb-execd --listen unix:%.*s "
			 "again, which takes its place",
			 PATH_OF(endpoint));
}

static void hint_absent(const struct endpoint *endpoint, bool waited, struct err *err)
{
	err_hint(err, "msb-execd --listen unix:%.*s serves it%s", PATH_OF(endpoint),
		 waited ? "" : "; --wait-for DURATION waits until it is there");
}

/* There is no file to see that nothing listens, or nothing yet. */
static bool is_absent(const char *path, int num)
{
	return num == ENOENT || (path[0] == '@' && num == ECONNREFUSED);
}

static void hint_unix(const struct endpoint *endpoint, bool waited, struct err *err)
{
	char path[PATH_MAX];
	struct stat found;
	const struct stat *st = NULL;

	snprintf(path, sizeof(path), "%.*s", PATH_OF(endpoint));
	if (path[0] != '@' && stat(path, &found) == 0)
		st = &found;
	if (err->num == EACCES)
		hint_denied(st, err);
	else if (err->num != ENOENT && err->num != ECONNREFUSED)
		return;
	else if (endpoint->kind == ENDPOINT_HVSOCK)
		err_hint(err, "does the machine run? its hypervisor serves that socket");
	else if (is_absent(path, err->num))
		hint_absent(endpoint, waited, err);
	else
		hint_refused(endpoint, st, err);
}

static void hint_vsock(const struct endpoint *endpoint, struct err *err)
{
	if (err->num == ENODEV || err->num == EHOSTUNREACH)
		err_hint(err, "no machine has the CID %u", endpoint->cid);
	else if (err->num == ECONNRESET || err->num == ECONNREFUSED)
		err_hint(err, "in the guest, msb-execd --listen vsock:%u serves that port",
			 endpoint->port);
}

void hint_connect(const struct endpoint *endpoint, bool waited, struct err *err)
{
	if (err->hint[0])
		return;
	if (err->num == ETIMEDOUT) {
		err_hint(err, "--connect-timeout says how long it is tried");
		return;
	}
	switch (endpoint->kind) {
	case ENDPOINT_UNIX:
	case ENDPOINT_HVSOCK:
		hint_unix(endpoint, waited, err);
		break;
	case ENDPOINT_VSOCK:
		hint_vsock(endpoint, err);
		break;
	case ENDPOINT_SANDBOX:
		if (err->num == ENOENT)
			err_hint(err, "does it run?%s",
				 waited ? "" : " --wait-for DURATION waits until it is there");
		break;
	case ENDPOINT_LOCAL:
		if (err->num == ENOENT || err->num == EACCES)
			err_hint(err, "it belongs beside msb-exec, or in PATH");
		break;
	default:
		break;
	}
}

/* A shell's own status, and ssh's. */
enum { NO_SUCH_COMMAND = 127, SSH_FAILED = 255 };

static void hint_program(int status, struct err *err)
{
	/* What went wrong ssh has said itself. */
	if (status == SSH_FAILED)
		return;
	if (status == NO_SUCH_COMMAND)
		err_hint(err, "there is no such command, here or, behind an ssh, there");
	else
		err_hint(err, "the command is to start msb-execd --listen stdio: in the guest, and "
			      "to print nothing else");
}

void hint_greeting(const struct endpoint *endpoint, int status, struct err *err)
{
	/* It has said itself what was wrong. */
	if (endpoint->kind == ENDPOINT_LOCAL)
		return;
	if (endpoint->kind == ENDPOINT_EXEC)
		hint_program(status, err);
	else if (err->num == ETIMEDOUT)
		err_hint(err, "is that an agent, and its guest up? --connect-timeout says how long "
			      "it is waited for");
	else
		err_hint(err, "whatever listens there is no agent");
}

/* ---- commands ---- */

static bool is_assignment(const char *text)
{
	size_t name =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return name > 0 && text[name] == '=' && !strchr("0123456789", text[0]);
}

/* What only a shell knows, of what people type as if they talked to one. */
static bool is_builtin(const char *text)
{
	static const char *const builtins[] = {"cd",	 ".",	  "source", "export",  "alias",
					       "ulimit", "umask", "set",    "unset",   "exit",
					       "eval",	 "exec",  "type",   "command", "jobs",
					       "if",	 "for",	  "while",  "case",    "until"};

	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (strcmp(text, builtins[i]) == 0)
			return true;
	return false;
}

/* Whether a line of the file of guests has it. */
static bool is_named(const char *text)
{
	struct guest_line line;
	struct err err;

	if (!guests_is_name(text) || guests_find(text, NULL, NULL, &line, &err) < 0)
		return false;
	guest_line_release(&line);
	return true;
}

/* docker exec has a container's name before the command, and ssh a host's. */
static bool is_guest(const struct opts *opts)
{
	static const char *const shells[] = {"sh", "bash", "zsh", "fish", "ash", "dash"};

	if (!opts->command_len || strchr(opts->command[0], '/'))
		return false;
	if (is_named(opts->command[0]))
		return true;
	if (opts->command_len < 2)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(opts->command[1], shells[i]) == 0)
			return true;
	return strchr(opts->command[0], '@');
}

const char *hint_command(const struct opts *opts)
{
	const char *command = opts->command_len && !opts->line ? opts->command[0] : "";

	if (!opts->line && is_guest(opts))
		return "a guest is named with -S or -s, and the command comes behind it";

	if (is_assignment(command))
		return "variables are set with -e NAME=VALUE";
	if (is_builtin(command))
		return "only a shell knows that: -c 'LINE'; -w DIR is the folder to run in";
	if (strpbrk(command, " \t\n|&;<>()$`*?"))
		return "no shell reads the command, one word is one argument: -c 'LINE' has one";
	return NULL;
}
