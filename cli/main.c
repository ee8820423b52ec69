/* msb-exec: runs one command in a guest. Options in, exit status out. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/fd.h"
#include "../shared/log.h"
#include "../shared/process.h"
#include "../shared/version.h"
#include "exec.h"
#include "ping.h"
#include "signals.h"

struct program {
	struct loop loop;
	struct exec exec;
};

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct program *program = (struct program *)((char *)loop - offsetof(struct program, loop));

	exec_signal(&program->exec, signal);
}

static const int watched[] = {SIGINT, SIGTERM, SIGQUIT,	 SIGUSR1, SIGUSR2,
			      SIGHUP, SIGCONT, SIGWINCH, SIGTSTP};

/* The console beside our own program, or where make install puts it, or in PATH. */
static int start_console(char *argv[])
{
	static const char *const places[] = {"msb-exec-console",
					     "../libexec/msb-exec/msb-exec-console"};
	char path[PATH_MAX + 64];

	argv[0] = path;
	if (process_beside(places, sizeof(places) / sizeof(places[0]), path, sizeof(path)))
		execv(path, argv);
	argv[0] = (char *)places[0];
	execvp(argv[0], argv);
	log_error("cannot start msb-exec-console: %s", strerror(errno));
	log_error("it is built where GNU readline is, and belongs beside msb-exec or in PATH");
	return EXIT_FAILED;
}

static int run(const struct opts *opts)
{
	static struct program program;
	struct exec *exec = &program.exec;
	struct buf_spare spare = {0};
	int status, r;

	r = loop_init(&program.loop);
	if (r < 0) {
		log_error("cannot set up the event loop");
		return EXIT_FAILED;
	}
	if (opts->ping) {
		status = ping_run(opts, &program.loop, &spare);
	} else {
		r = signals_watch(&program.loop, watched, sizeof(watched) / sizeof(watched[0]),
				  on_signal);
		if (r < 0)
			log_error("cannot watch signals");
		exec_run(exec, opts, &program.loop, &spare);
		status = exec->status;
		exec_release(exec);
	}
	loop_release(&program.loop);
	buf_spare_release(&spare);
	if (exec->die_of)
		signals_die_of(exec->die_of);
	return status;
}

int main(int argc, char *argv[])
{
	struct opts opts;
	struct err err;
	int status;

	fd_open_standard();
	signal(SIGPIPE, SIG_IGN);
	/* Or the kernel would reap in our place, and we would not hear how a program ended. */
	signal(SIGCHLD, SIG_DFL);
	log_init("msb-exec", LOG_LEVEL_WARN);
	if (opts_parse(argc, argv, &opts, &err) < 0) {
		log_err(&err);
		opts_release(&opts);
		return EXIT_FAILED;
	}
	if (opts.console) {
		status = start_console(argv);
	} else if (opts.help) {
		opts_help();
		status = 0;
	} else if (opts.version) {
		puts("msb-exec " MSB_EXEC_VERSION);
		status = 0;
	} else {
		log_init("msb-exec", opts.verbose ? LOG_LEVEL_INFO
				     : opts.quiet ? LOG_LEVEL_ERROR
						  : LOG_LEVEL_WARN);
		status = run(&opts);
	}
	opts_release(&opts);
	/* Of --help, --version and --ping. */
	return log_flushed_stdout() || status ? status : EXIT_FAILED;
}
