/* msb-exec: runs one command in a guest. Options in, exit status out. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/exec/exec.h"
#include "cli/exec/guest_list.h"
#include "cli/exec/ping.h"
#include "cli/exec/script.h"
#include "cli/exec/sessions.h"
#include "cli/options/exit.h"
#include "cli/terminal/signals.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/io/process.h"
#include "shared/log.h"
#include "shared/version.h"

struct program {
	struct loop loop;
	struct buf_spare spare;
	struct exec exec;
	struct script script;
};

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct program *program = container_of(loop, struct program, loop);

	exec_signal(&program->exec, signal);
}

static const int watched[] = {SIGINT, SIGTERM, SIGQUIT,	 SIGUSR1, SIGUSR2,
			      SIGHUP, SIGCONT, SIGWINCH, SIGTSTP};

/* Of a question: it ends, with what was started for its connection, and we do. */
static void on_end(struct loop *loop, const struct loop_signal *signal)
{
	container_of(loop, struct program, loop)->exec.die_of = signal->number;
	loop_stop(loop);
}

/* The console beside our own program, or where make install puts it, or in PATH. */
static int start_console(char *argv[])
{
	static const char *const places[] = {"msb-exec-console",
					     "../libexec/msb-exec/msb-exec-console"};
	int r = process_become(places, ARRAY_LEN(places), argv);

	log_error("cannot start msb-exec-console: %s", strerror(-r));
	log_error("it is built where GNU readline is, and belongs beside msb-exec or in PATH");
	return EXIT_FAILED;
}

static int ask(struct program *program, const struct opts *opts,
	       int (*run)(const struct opts *opts, struct loop *loop, struct buf_spare *spare))
{
	static const int ends[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

	if (signals_watch(&program->loop, ends, ARRAY_LEN(ends), on_end) < 0)
		log_error("cannot watch signals");
	return run(opts, &program->loop, &program->spare);
}

/* A command, or lines for a shell, which are one, too. */
static int run_command(struct program *program, const struct opts *opts, bool lines)
{
	struct exec *exec = &program->exec;
	int status = EXIT_FAILED;
	struct err err;

	if (signals_watch(&program->loop, watched, ARRAY_LEN(watched), on_signal) < 0)
		log_error("cannot watch signals");
	if (lines)
		opts = script_begin(&program->script, exec, &program->loop, &program->spare, &err);
	if (opts) {
		exec_run(exec, opts, &program->loop, &program->spare);
		status = exec->status;
	} else {
		log_err(&err);
	}
	if (lines)
		script_release(&program->script);
	if (opts)
		exec_release(exec);
	return status;
}

/* Before a command is asked for: says why, and returns what to exit with. */
static int fail(const struct opts *opts, enum reason reason, const struct err *err,
		const char *result)
{
	int status = opts->user_shell ? EXIT_RSH_FAILED : EXIT_FAILED;

	log_err(err);
	report_failure(reason, status, err, opts->json && opts_have_end(opts), result);
	return status;
}

static int run(const struct opts *opts, bool lines)
{
	static struct program program;
	struct err err;
	int status;

	if (report_open(&program.exec.report, opts, &err) < 0) {
		return fail(opts, REASON_IO, &err, NULL);
	}
	/* Before signals are watched: it may wait. */
	if (lines && script_open(&program.script, opts, &err) < 0) {
		log_err(&err);
		return EXIT_FAILED;
	}
	if (loop_init(&program.loop) < 0) {
		err_set(&err, errno, NULL, "cannot set up the event loop");
		report_release(&program.exec.report);
		return fail(opts, REASON_ERROR, &err, opts->result);
	}
	if (opts->ping)
		status = ask(&program, opts, ping_run);
	else if (opts->guests)
		status = guest_list_run(opts, &program.spare);
	else if (opts->action == OPTS_SESSIONS || opts->action == OPTS_KILL ||
		 opts->action == OPTS_REMOVE)
		status = ask(&program, opts, sessions_run);
	else
		status = run_command(&program, opts, lines);
	loop_release(&program.loop);
	buf_spare_release(&program.spare);
	if (program.exec.die_of) {
		log_file_end();
		signals_die_of(program.exec.die_of);
	}
	return status;
}

/* Whoever asks what it would be has a program before it that does as ssh does, which is what git asks for. */
static void describe(const struct opts *opts)
{
	printf("host %s\nhostname %s\n", opts->rsh.guest, opts->rsh.guest);
	if (opts->user)
		printf("user %s\n", opts->user);
}

/* 0, or what to exit with. What is wrong with the line stands in the file for lines, and what is wrong with that one does not. */
static int read_options(int argc, char *argv[], enum opts_program program, struct opts *opts)
{
	struct err err, why;
	int r = opts_parse(argc, argv, program, opts, &err);
	/* That of -E behind --rsh, which counts more. */
	const char *path = opts->rsh.log_file ? opts->rsh.log_file : opts->log_file;
	int opened = path ? log_to_file(path, &why) : 0;

	if (opened < 0)
		err_about(&why, opts->rsh.log_file ? "--rsh: -E" : "--log-file");
	if (opened == 0 && r == 0)
		return 0;
	return fail(opts, opened < 0 ? REASON_IO : REASON_USAGE, opened < 0 ? &why : &err,
		    opts->result);
}

int main(int argc, char *argv[])
{
	bool lines = false;
	struct opts opts;
	int status = 0;

	fd_open_standard();
	signals_begin();
	log_init("msb-exec", LOG_LEVEL_WARN);
	if (opts_want_console(argc, argv)) {
		/* Lines are run here; a prompt, and all that knows about it, is a program of its own. */
		lines = opts_want_lines(argc, argv);
		if (!lines)
			return start_console(argv);
	}
	status = read_options(argc, argv, lines ? OPTS_CONSOLE : OPTS_EXEC, &opts);
	if (status) {
		/* It has been said why. */
	} else if (opts.help) {
		opts_help();
	} else if (opts.version) {
		puts("msb-exec " MSB_EXEC_VERSION);
	} else if (opts.rsh.describes) {
		describe(&opts);
	} else {
		log_init("msb-exec", opts_log_level(&opts));
		status = run(&opts, lines);
	}
	/* Of --help, --version, --ping and --sessions. */
	if (!log_flushed_stdout() && !status)
		status = EXIT_FAILED;
	log_file_end();
	opts_release(&opts);
	return status;
}
