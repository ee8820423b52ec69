/* Whether the folder of a command is there: see folder.h. */
#include "folder.h"

#include <errno.h>

#include "request.h"

#define SHELL "/bin/sh"

/* What the shell ends with; those of its own failures are below and above. */
enum { LOOK_ABSENT = 65, LOOK_NO_FOLDER, LOOK_DENIED };

static const char script[] = "[ -d \"$1\" ] || { [ -e \"$1\" ] && exit 66; exit 65; }; "
			     "[ -x \"$1\" ] || exit 67";

static void finish(struct folder *folder, const struct err *err)
{
	folder->id = 0;
	folder->on_done(folder, err);
}

/* In the words of msb-execd. */
static void refuse(struct folder *folder, int num)
{
	const struct opts *opts = folder->opts;
	struct err err;

	err_set(&err, num, NULL, "cannot spawn \"%.200s\": chdir %s",
		opts->command_len ? opts->command[0] : SHELL, opts->workdir);
	finish(folder, &err);
}

static void give_up(struct folder *folder, const char *why)
{
	struct err err;

	err_set(&err, 0, NULL,
		"cannot see whether %s is there, and this agent would run the "
		"command elsewhere: %s",
		folder->opts->workdir, why);
	finish(folder, &err);
}

static int request(struct folder *folder, struct client *client, struct err *err)
{
	char *command[] = {(char *)SHELL, (char *)"-c", (char *)script, (char *)"sh",
			   (char *)folder->opts->workdir};
	struct request_terms terms = {.size = {.rows = 24, .cols = 80}};
	struct opts opts = *folder->opts;

	folder->id = client_take_id(client);
	if (!folder->id)
		return err_set(err, 0, NULL, "no session is left on this connection to look for %s",
			       opts.workdir);
	opts.command = command;
	opts.command_len = sizeof(command) / sizeof(command[0]);
	opts.workdir = NULL;
	opts.env = (struct env_list){0};
	opts.rlimit_count = 0;
	return request_put(&client->link.out, folder->id, &opts, &terms, err);
}

void folder_look(struct folder *folder, struct client *client, const struct opts *opts, bool tty)
{
	struct err err;

	folder->opts = opts;
	folder->tty = tty;
	/* With features of ours it is an agent that looks itself. */
	if (!opts->workdir || client->features)
		finish(folder, NULL);
	else if (request(folder, client, &err) < 0)
		finish(folder, &err);
	else
		client_mark(client);
}

static void on_exited(struct folder *folder, struct msg_bytes payload)
{
	struct msg_exec_exited exited = {.code = -1};
	char why[64];

	msg_decode(MSG_EXEC_EXITED, payload, &exited);
	switch (exited.code) {
	case 0:
		finish(folder, NULL);
		break;
	case LOOK_ABSENT:
		refuse(folder, ENOENT);
		break;
	case LOOK_NO_FOLDER:
		refuse(folder, ENOTDIR);
		break;
	case LOOK_DENIED:
		refuse(folder, EACCES);
		break;
	default:
		snprintf(why, sizeof(why), SHELL " ended with %d", exited.code);
		give_up(folder, why);
		break;
	}
}

/* A guest may have no shell. Without a terminal this agent refuses by itself, if in other words. */
static void on_failed(struct folder *folder, struct msg_bytes payload)
{
	struct msg_exec_failed failed = {0};
	struct err err;
	int kind;

	msg_decode(MSG_EXEC_FAILED, payload, &failed);
	kind = failed.kind.ptr ? msg_failure_parse(failed.kind) : -1;
	if (kind != MSG_FAILURE_NOT_FOUND && kind != MSG_FAILURE_PERMISSION_DENIED &&
	    kind != MSG_FAILURE_NOT_EXECUTABLE) {
		err_set(&err, 0, NULL, "%.*s", (int)failed.message.len,
			failed.message.ptr ? failed.message.ptr : "");
		finish(folder, &err);
	} else if (folder->tty) {
		give_up(folder, "the guest has no " SHELL);
	} else {
		finish(folder, NULL);
	}
}

static void on_error(struct folder *folder, struct msg_bytes payload)
{
	struct msg_error error = {0};
	struct err err;

	msg_decode(MSG_ERROR, payload, &error);
	err_set(&err, 0, NULL, "the agent refused the session: %.*s", (int)error.message.len,
		error.message.ptr ? error.message.ptr : "");
	finish(folder, &err);
}

bool folder_on_frame(struct folder *folder, const struct frame *frame,
		     const struct msg_envelope *envelope)
{
	if (!folder->id || frame->id != folder->id)
		return false;
	if (envelope->type == MSG_EXEC_EXITED)
		on_exited(folder, envelope->payload);
	else if (envelope->type == MSG_EXEC_FAILED)
		on_failed(folder, envelope->payload);
	else if (envelope->type == MSG_ERROR)
		on_error(folder, envelope->payload);
	return true;
}
