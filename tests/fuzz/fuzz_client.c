/*
 * msb-exec against an agent that says anything at all: the greeting, old and new, and every frame
 * that follows. The connection is a socket pair that the linker puts in place of a real one. The
 * first byte says what msb-exec was asked to do and how large the pieces are that it reads.
 */
#include <signal.h>

#include "fuzz.h"

#include "cli/exec/exec.h"
#include "cli/exec/ping.h"
#include "cli/exec/sessions.h"
#include "shared/log.h"

/* WRAP: dial_start */
void __wrap_dial_start(struct dial *dial, struct loop *loop, const struct endpoint *endpoint,
		       uint64_t timeout_ms,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err));

static int agent_fd;

void __wrap_dial_start(struct dial *dial, struct loop *loop, const struct endpoint *endpoint,
		       uint64_t timeout_ms,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err))
{
	(void)loop;
	(void)endpoint;
	(void)timeout_ms;
	on_done(dial, agent_fd, 0, NULL);
}

/* What is wanted of a kept session. */
static void come_to_session(struct opts *opts, uint8_t how)
{
	static const enum opts_action actions[] = {OPTS_ATTACH, OPTS_WAIT, OPTS_LOGS, OPTS_SEND};

	opts->action = actions[how & 3];
	opts->session = "n";
	opts->watch = opts->send_eof = opts->has_since = how & 4;
	opts->since = 50;
	opts->command_len = 0;
	opts->tty = OPTS_TTY_NEVER;
}

static void ask_about_sessions(struct opts *opts, uint8_t how)
{
	static const enum opts_action actions[] = {OPTS_SESSIONS, OPTS_SESSIONS, OPTS_KILL,
						   OPTS_REMOVE};

	opts->action = actions[how & 3];
	opts->session = how & 2 ? "n" : NULL;
	opts->json = how & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char *command[] = {(char *)"true", (char *)"x", NULL};
	static struct buf_spare spare; /* kept, since a new one each time takes longest of all */
	static struct exec exec;
	struct loop loop;
	struct fuzz_peer peer;
	struct opts opts = {
		.endpoint = "/agent",
		.connect_ms = 10000,
		.kill_after_ms = 5000,
		.timeout_signal = 15,
		.linger_ms = 500,
		.has_reconnect = true,
		.quiet = true,
	};
	uint8_t how;

	if (len < 2)
		return 0;
	how = data[0];
	log_init("fuzz", LOG_LEVEL_NONE);
	/* As the program's main does: a peer that is gone is an errno. */
	signal(SIGPIPE, SIG_IGN);
	CLAIM(loop_init(&loop) == 0);
	opts.command = command;
	opts.command_len = how & 1 ? 2 : 0;
	opts.tty = how & 2 ? OPTS_TTY_FORCED : OPTS_TTY_NEVER;
	opts.no_stdin = how & 4;
	fuzz_peer_open(&peer, &loop, data + 1, len - 1, how & 32 ? 1 + how / 64 : len, &agent_fd);
	/* What msb-exec says before it knows its id is nothing, and then frames. */
	peer.on_heard = NULL;
	if ((how & 28) == 24) {
		ping_run(&opts, &loop, &spare);
	} else if ((how & 28) == 28) {
		ask_about_sessions(&opts, how);
		sessions_run(&opts, &loop, &spare);
	} else {
		if ((how & 24) == 8)
			come_to_session(&opts, how);
		else if ((how & 24) == 16)
			opts.on_disconnect = MSG_DISCONNECT_KEEP;
		opts.detach = how & 16;
		exec = (struct exec){.status = -1};
		exec_run(&exec, &opts, &loop, &spare);
		CLAIM(exec.state >= EXEC_OVER && exec.status >= 0 && exec.status <= 255);
		exec_release(&exec);
	}
	fuzz_peer_close(&peer);
	loop_release(&loop);
	return 0;
}
