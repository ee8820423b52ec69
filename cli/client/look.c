/* What is looked at in the guest before a command: see look.h. */
#include "look.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base.h"
#include "shared/log.h"

#define SHELL	     "/bin/sh"
#define TERM_LOOK_MS 3000 /* for a look that is a convenience, and nothing to wait long for */
#define LINGER_MS    500  /* for who holds its output, and there is nobody */

/* What the shell ends with; those of its own failures are below and above. */
enum { LOOK_ABSENT = 65, LOOK_NO_FOLDER, LOOK_DENIED };

static const char folder_script[] = "[ -d \"$1\" ] || { [ -e \"$1\" ] && exit 66; exit 65; }; "
				    "[ -x \"$1\" ] || exit 67";

/* Terminals of which every terminfo has an entry, or nearly; no need to look. */
static const char *const usual[] = {"ansi",  "dumb",  "linux", "screen",	 "vt100",
				    "vt102", "vt220", "xterm", "xterm-256color", "screen-256color"};

/* What ours may be taken for, the nearest first; each is a terminal that a screen of today passes for. */
static const char *const instead[] = {
	"tmux-256color", "screen-256color", "screen", "xterm-256color", "xterm", "vt220", "vt100"};
#define INSTEAD (ARRAY_LEN(instead))
#define OF_TMUX 3 /* the first so many are only for what is called tmux or screen */

/* Ends with 100 and the number of the first entry that there is: in folders of ncurses' and its users'. */
static const char term_script[] =
	"set -f;IFS=:;n=100;for t do n=$((n+1));f=${t%\"${t#?}\"};"
	"for d in \"$TERMINFO\" \"$HOME/.terminfo\" $TERMINFO_DIRS /etc/terminfo "
	"/lib/terminfo /usr/share/terminfo /usr/lib/terminfo /usr/local/share/terminfo;"
	"do [ -e \"$d/$f/$t\" ] && exit $n;done;done;exit 0";

/* ---- the session ---- */

static void look_at_term(struct look *look);

void look_cancel(struct look *look)
{
	if (look->loop)
		loop_disarm(look->loop, &look->due);
	remote_release(&look->remote);
}

static void finish(struct look *look, const struct err *err)
{
	look_cancel(look);
	if (!err && !look->at_term)
		look_at_term(look);
	else
		look->on_done(look, err);
}

static int run(struct look *look, const struct opts *opts,
	       void (*on_end)(struct remote *remote, const struct remote_end *end), struct err *err)
{
	struct opts own = *opts;

	/* What else the options run, and how long that may take, is not for this one. */
	own.line = NULL;
	own.timeout_ms = 0;
	own.has_linger = false;
	own.linger_ms = LINGER_MS;
	look->remote.owner = look;
	look->remote.on_end = on_end;
	return remote_start(&look->remote, look->client, &own, &(struct remote_terms){0}, err);
}

/* ---- the terminal ---- */

static bool is_usual(const char *term)
{
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (strcmp(usual[i], term) == 0)
			return true;
	return false;
}

static const char *const *candidates(const char *term, size_t *ret_count)
{
	bool tmux = strncmp(term, "tmux", 4) == 0 || strncmp(term, "screen", 6) == 0;
	size_t first = tmux ? 0 : OF_TMUX;

	*ret_count = INSTEAD - first;
	return instead + first;
}

/* Whatever the agent does about it, and some do nothing. */
static void on_due(struct loop_timer *timer)
{
	struct look *look = container_of(timer, struct look, due);

	remote_signal(&look->remote, SIGKILL);
	finish(look, NULL);
}

static void take_term(struct look *look, int code)
{
	size_t count, chosen = (size_t)(code - 102);
	const char *const *others = candidates(look->ours, &count);

	/* Ours is there (101), or nothing that says so. */
	if (code < 102 || chosen >= count)
		return;
	look->term = others[chosen];
	if (look->told != look->client)
		log_warn("the guest has no terminfo entry for %s: TERM is %s there", look->ours,
			 look->term);
	look->told = look->client;
}

static void on_term_end(struct remote *remote, const struct remote_end *end)
{
	struct look *look = remote->owner;

	if (end->how == REMOTE_EXITED)
		take_term(look, end->exited.code);
	finish(look, NULL);
}

/* Which is a convenience: whatever goes wrong with it, the command gets our TERM as it is. */
static void look_at_term(struct look *look)
{
	char *command[4 + 1 + INSTEAD] = {(char *)SHELL, (char *)"-c", (char *)term_script,
					  (char *)"sh"};
	char *term = getenv("TERM");
	const char *const *others;
	struct opts opts = *look->opts;
	struct err err;
	size_t count;

	look->at_term = true;
	if (!look->tty || !term || !term[0] || strchr(term, '/') || is_usual(term) ||
	    env_has(&opts.env, "TERM")) {
		finish(look, NULL);
		return;
	}
	look->ours = term;
	others = candidates(term, &count);
	command[4] = term;
	for (size_t i = 0; i < count; i++)
		command[5 + i] = (char *)others[i];
	opts.command = command;
	opts.command_len = 5 + count;
	opts.workdir = NULL;
	opts.rlimit_count = 0;
	opts.on_disconnect = MSG_DISCONNECT_KILL;
	if (run(look, &opts, on_term_end, &err) < 0) {
		finish(look, NULL);
		return;
	}
	look->due.on_due = on_due;
	loop_arm(look->loop, &look->due, TERM_LOOK_MS);
}

/* ---- the folder ---- */

/* In the words of msb-execd. */
static void refuse(struct look *look, int num)
{
	const struct opts *opts = look->opts;
	struct err err;

	err_set(&err, num, NULL, "cannot spawn \"%.200s\": chdir %s",
		opts->command_len ? opts->command[0] : SHELL, opts->workdir);
	finish(look, &err);
}

static void give_up(struct look *look, const char *why)
{
	struct err err;

	err_set(&err, 0, NULL,
		"cannot see whether %s is there, and this agent would run the "
		"command elsewhere: %s",
		look->opts->workdir, why);
	finish(look, &err);
}

/* A guest may have no shell. Without a terminal this agent refuses by itself, if in other words. */
static void on_failed(struct look *look, const struct remote_end *end)
{
	struct msg_text message = end->failed.message;
	int kind = end->failed.kind.ptr ? msg_failure_parse(end->failed.kind) : -1;
	struct err err;

	if (kind != MSG_FAILURE_NOT_FOUND && kind != MSG_FAILURE_PERMISSION_DENIED &&
	    kind != MSG_FAILURE_NOT_EXECUTABLE) {
		err_set(&err, 0, NULL, "%s%.*s",
			end->how == REMOTE_REFUSED ? "the agent refused the session: " : "",
			(int)message.len, message.ptr);
		finish(look, &err);
	} else if (look->tty) {
		give_up(look, "the guest has no " SHELL);
	} else {
		finish(look, NULL);
	}
}

static void on_folder_end(struct remote *remote, const struct remote_end *end)
{
	static const int nums[] = {
		[LOOK_ABSENT] = ENOENT, [LOOK_NO_FOLDER] = ENOTDIR, [LOOK_DENIED] = EACCES};
	struct look *look = remote->owner;
	int code = end->exited.code;
	char why[64];

	snprintf(why, sizeof(why), SHELL " ended with %d", code);
	if (end->how != REMOTE_EXITED)
		on_failed(look, end);
	else if (code == 0)
		finish(look, NULL);
	else if (code >= LOOK_ABSENT && code <= LOOK_DENIED)
		refuse(look, nums[code]);
	else
		give_up(look, why);
}

static int look_at_folder(struct look *look, struct err *err)
{
	char *command[] = {(char *)SHELL, (char *)"-c", (char *)folder_script, (char *)"sh",
			   (char *)look->opts->workdir};
	struct opts opts = *look->opts;

	opts.command = command;
	opts.command_len = ARRAY_LEN(command);
	opts.workdir = NULL;
	opts.env = (struct env_list){0};
	opts.rlimit_count = 0;
	return run(look, &opts, on_folder_end, err);
}

/* ---- both ---- */

void look_at_guest(struct look *look, struct client *client, const struct opts *opts, bool tty)
{
	struct err err;

	look->loop = client->loop;
	look->client = client;
	look->opts = opts;
	look->tty = tty;
	look->at_term = false;
	look->term = NULL;
	/* With features of ours it is an agent that looks itself. */
	if (!opts->workdir || client->agent.features)
		finish(look, NULL);
	else if (look_at_folder(look, &err) < 0)
		finish(look, &err);
}
