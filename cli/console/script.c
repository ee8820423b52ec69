/*
 * Lines without a prompt: see script.h. They are one command of msb-exec's, a shell with -e, and go to its
 * stdin as they are but for those that begin with -. Whether such a line begins a command, or stands in a
 * here-document, only a parser knows: a second shell beside reads the same lines with -n, which runs
 * nothing, and says at each by its prompt whether it wants more.
 */
#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/fd.h"
#include "../../shared/log.h"
#include "../exec.h"
#include "../signals.h"

#define SHORT_MAX (64 * 1024) /* as one argument */
#define TEXT_MAX  (64 * 1024 * 1024)
#define READ_MAX  (64 * 1024)
#define OUT_AHEAD (256 * 1024) /* what may wait to be read by the command */

/* Its commands find stdin at its end. */
#define START                                                                 \
	"s=$1;[ \"$s\" ]||{ command -v bash >/dev/null 2>&1&&s='bash -E';}\n" \
	"exec ${s:-/bin/sh} -e /dev/fd/9 9<&0 </dev/null"

/* The prompts are single characters that no message of a shell has. A zsh takes none from outside. */
#define ASK                                                                              \
	"s=$1;case $s in *zsh*)s=;;esac;[ \"$s\" ]||{ command -v bash >/dev/null 2>&1&&" \
	"s='bash --norc --noediting +H -O extglob';}\n"                                  \
	"unset ENV;PS1='\005' PS2='\006' exec ${s:-/bin/sh} -n -i"
#define WHOLE '\005'
#define MORE  '\006'

/* Where it ended, by what the shell has for that: bash in a trap for what -e ends, others at any end. */
#define BEGIN                                                                                     \
	"if [ \"${BASH_VERSION-}\" ];then trap 'case $?$-$BASH_SUBSHELL in "                      \
	"141*);;*e*0)printf "                                                                     \
	"\"%%s:%%s: %%s\\n\" \"%s\" \"$LINENO\" \"${BASH_COMMAND%%%%'\"$'\\n'\"'*}\" >&2;;esac' " \
	"ERR;"                                                                                    \
	"else trap 'case $? in 0|141);;*)echo \"%s${LINENO:+:$LINENO}: ended with $?\" "          \
	">&2;;esac' EXIT;fi;"
#define MAY_FAIL  "set +e;"
#define MAY_AGAIN "eval \"set -e;(exit $?)\"&&:;" /* $? stays what it was */

struct script {
	struct loop loop;
	struct buf_spare spare;
	struct exec exec;
	const struct console_opts *opts;
	struct stream in, out; /* what brings the lines, and what takes them to the command */
	int in_fd, out_fd;     /* theirs; -1: none, or closed */
	struct buf text;       /* that was read and not passed on */
	bool at_end;
	bool waits;    /* for room, or for the parser: no more is read */
	bool may_fail; /* the last line that was passed on is of a command that may */
	struct remote parser;
	struct buf unparsed;	/* lines that it has still to be shown */
	size_t asked, answered; /* lines that it was shown, and prompts that came */
	bool asks;		/* there is one */
	bool inside;		/* by the last of its prompts */
};

static bool from_stdin(const struct console_opts *opts)
{
	return !opts->line && (!opts->file || strcmp(opts->file, "-") == 0);
}

/* ---- the parser ---- */

static void step(struct script *script);

static void on_parsed(struct remote *remote, enum msg_type stream, const char *data, size_t len)
{
	struct script *script = remote->owner;

	(void)stream;
	for (size_t i = 0; i < len; i++) {
		if (data[i] != WHOLE && data[i] != MORE)
			continue;
		/* One comes before the first line. */
		script->answered++;
		script->inside = data[i] == MORE;
	}
	step(script);
}

static void on_parser_end(struct remote *remote, const struct msg_exec_exited *exited,
			  const char *why)
{
	struct script *script = remote->owner;
	struct err err;

	(void)exited;
	err_set(&err, 0, NULL, "cannot tell which lines may fail: %s",
		why ? why : "the shell that reads them has ended");
	exec_fail(&script->exec, EXIT_FAILED, &err);
}

/* As far as it goes, since what is sent without an end would be kept twice. */
static void on_room(struct remote *remote)
{
	struct script *script = remote->owner;
	size_t len = buf_len(&script->unparsed);

	if (len > READ_MAX)
		len = READ_MAX;
	if (!len)
		return;
	remote_send(remote, buf_head(&script->unparsed), len);
	buf_consume(&script->unparsed, len);
}

static void start_parser(struct script *script)
{
	char *argv[] = {(char *)"/bin/sh",	     (char *)"-c", (char *)ASK, (char *)"sh",
			(char *)script->opts->shell, NULL};
	struct opts opts = script->opts->guest;
	struct remote *parser = &script->parser;
	struct err err;

	script->asks = true;
	opts.command = argv;
	opts.command_len = script->opts->shell ? 5 : 4;
	parser->owner = script;
	parser->on_data = on_parsed;
	parser->on_room = on_room;
	parser->on_end = on_parser_end;
	if (remote_start(parser, &script->exec.beside, &opts, &(struct remote_terms){0}, &err) < 0)
		on_parser_end(parser, NULL, err.text);
}

/* Whether it has said what there is to say of all lines so far. */
static bool knows(struct script *script)
{
	if (!script->asks && script->exec.client.greeted)
		start_parser(script);
	return script->answered > script->asked;
}

/* ---- the lines ---- */

static int put(struct script *script, const char *text, size_t len)
{
	return stream_write(&script->out, text, len);
}

/* What stands before a line that begins a command, and whether the command may fail. */
static const char *prefix(struct script *script, bool may_fail)
{
	bool may = script->may_fail;

	script->may_fail = may_fail;
	return may == may_fail ? "" : may_fail ? MAY_FAIL : MAY_AGAIN;
}

static bool is_nothing(const char *line, size_t len)
{
	size_t blanks = 0;

	while (blanks < len && strchr(" \t\n", line[blanks]))
		blanks++;
	return blanks == len || line[blanks] == '#';
}

/* A line with its newline, unless it is the last one. False: it has to wait. */
static bool pass_on(struct script *script, const char *line, size_t len)
{
	bool marked = line[0] == '-';
	const char *before = "";

	if ((marked || script->may_fail) && !knows(script))
		return false;
	/* What is no command leaves that to the next one. */
	if ((marked || (script->may_fail && !is_nothing(line, len))) && !script->inside) {
		before = prefix(script, marked);
		line += marked;
		len -= marked;
	}
	/* It is read together with what switches that on. */
	if (!script->asked && script->opts->guest.verbose)
		fwrite(line, 1, len, stderr);
	put(script, before, strlen(before));
	put(script, line, len);
	buf_append(&script->unparsed, line, len);
	if (!len || line[len - 1] != '\n')
		buf_append(&script->unparsed, "\n", 1);
	script->asked++;
	if (script->asks)
		on_room(&script->parser);
	return true;
}

static void step(struct script *script)
{
	struct buf *text = &script->text;

	while (buf_len(text) && buf_len(&script->out.queue) < OUT_AHEAD && !script->out.gone) {
		const char *line = (const char *)buf_head(text);
		const char *end = memchr(line, '\n', buf_len(text));
		size_t len = end ? (size_t)(end + 1 - line) : buf_len(text);

		script->waits = end && buf_len(text) >= OUT_AHEAD;
		if ((!end && !script->at_end) || !pass_on(script, line, len))
			break;
		script->waits = false;
		buf_consume(text, len);
	}
	script->waits |= buf_len(&script->out.queue) >= OUT_AHEAD;
	/* That the last command may fail is for its script, too. */
	if (script->at_end && !buf_len(text) && script->may_fail && knows(script)) {
		if (!script->inside)
			put(script, "\n:\n", 3);
		script->may_fail = false;
	}
	stream_watch_output(&script->out, false);
	if (script->at_end && !buf_len(text) && !script->may_fail && !buf_len(&script->out.queue)) {
		stream_release(&script->out);
		fd_close(&script->out_fd);
	}
	/* A line may be longer than that. */
	if (script->in_fd >= 0)
		stream_watch_input(&script->in, !script->at_end && !script->waits);
}

/* Of -c alone, where none of it may fail: one shell less, as its argument. */
static bool is_short(const struct console_opts *opts)
{
	return opts->line && opts->line[0] != '-' && !strstr(opts->line, "\n-") && !opts->shell &&
	       !opts->guest.verbose && strlen(opts->line) < SHORT_MAX;
}

static void on_greeted(void *owner)
{
	if (!is_short(((struct script *)owner)->opts))
		step(owner);
}

static void on_out(struct stream *stream)
{
	struct script *script = stream->owner;

	stream_flush(stream);
	step(script);
}

static void on_in(struct stream *stream)
{
	struct script *script = stream->owner;
	struct err err;
	uint8_t *space;
	ssize_t n;

	if (buf_reserve(&script->text, READ_MAX, &space) < 0)
		return;
	n = stream_read(stream, space, READ_MAX);
	if (n > 0)
		buf_commit(&script->text, (size_t)n);
	else
		buf_settle(&script->text);
	script->at_end |= n == 0;
	if (n == 0 && stream->error && stream->error != EBADF) {
		/* The rest may have been what matters. */
		err_set(&err, stream->error, NULL, "cannot read %s",
			from_stdin(script->opts) ? "standard input" : script->opts->file);
		exec_fail(&script->exec, EXIT_FAILED, &err);
		return;
	}
	step(script);
}

/* ---- life ---- */

/* What stands before the first line, in that line: malloced, or NULL. */
static char *beginning(const struct console_opts *opts)
{
	char name[256], *text = NULL;

	/* Lines that are shown need not be named; and a trap would show itself. */
	if (opts->guest.verbose)
		return strdup("set -v;");
	snprintf(name, sizeof(name), "%s",
		 opts->line	    ? "-c"
		 : from_stdin(opts) ? "stdin"
				    : opts->file);
	/* It stands in quotes within quotes. */
	for (char *c = name; *c; c++)
		if (strchr("'\"$`\\!", *c) || (unsigned char)*c < ' ')
			*c = '?';
	return asprintf(&text, BEGIN, name, name) < 0 ? NULL : text;
}

static void put_beginning(struct script *script)
{
	char *text = beginning(script->opts);

	put(script, "exec 9<&-;", 10);
	if (text)
		put(script, text, strlen(text));
	free(text);
}

/* The lines' descriptor, and a pipe in the place of our stdin, which is the command's. */
static int open_streams(struct script *script, struct err *err)
{
	const char *file = script->opts->file;
	int pipe[2];

	script->in_fd = -1;
	if (from_stdin(script->opts))
		script->in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else if (file)
		script->in_fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (script->in_fd < 0 && !script->opts->line)
		return err_set(err, errno, NULL, "cannot read %s", file ? file : "standard input");
	if (pipe2(pipe, O_CLOEXEC) < 0 || dup2(pipe[0], STDIN_FILENO) < 0)
		return err_set(err, errno, NULL, "cannot make a pipe");
	close(pipe[0]);
	script->out_fd = pipe[1];
	stream_init(&script->out, &script->loop, pipe[1], 2 * TEXT_MAX, &script->spare, script,
		    on_out);
	return 0;
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	exec_signal(&((struct script *)((char *)loop - offsetof(struct script, loop)))->exec,
		    signal);
}

static void run_short(struct script *script, struct opts *command)
{
	char *begin = beginning(script->opts), *text = NULL;
	char *bash[] = {(char *)"bash", (char *)"-eE", (char *)"-c", NULL, (char *)"-c", NULL};
	char *sh[] = {(char *)"/bin/sh", (char *)"-e", (char *)"-c", NULL, (char *)"-c", NULL};
	struct opts instead = *command;

	if (!begin || asprintf(&text, "%s%s", begin, script->opts->line) < 0)
		text = NULL;
	bash[3] = sh[3] = text ? text : (char *)"exit 125";
	command->command = bash;
	instead.command = sh;
	command->command_len = instead.command_len = 5;
	command->no_stdin = instead.no_stdin = true;
	script->exec.instead = &instead;
	exec_run(&script->exec, command, &script->loop, &script->spare);
	free(begin);
	free(text);
}

static int begin(struct script *script, struct err *err)
{
	static const int watched[] = {SIGINT, SIGTERM, SIGQUIT,	 SIGUSR1, SIGUSR2,
				      SIGHUP, SIGCONT, SIGWINCH, SIGTSTP};
	const struct console_opts *opts = script->opts;
	int r = loop_init(&script->loop);

	if (r < 0)
		return err_set(err, -r, NULL, "cannot set up the event loop");
	/* Which may wait for whoever writes a fifo, and can be ended meanwhile. */
	if (!is_short(opts) && open_streams(script, err) < 0)
		return -1;
	r = signals_watch(&script->loop, watched, sizeof(watched) / sizeof(watched[0]), on_signal);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot watch signals");
	if (is_short(opts))
		return 0;
	buf_init(&script->text, 2 * TEXT_MAX, NULL);
	buf_init(&script->unparsed, TEXT_MAX, NULL);
	put_beginning(script);
	stream_init(&script->in, &script->loop, script->in_fd, 0, &script->spare, script, on_in);
	script->at_end = opts->line != NULL;
	if (opts->line)
		buf_append(&script->text, opts->line, strlen(opts->line));
	step(script);
	return 0;
}

int script_run(struct console_opts *opts, int *ret_die_of)
{
	static struct script script;
	char *argv[] = {(char *)"/bin/sh", (char *)"-c",	(char *)START,
			(char *)"sh",	   (char *)opts->shell, NULL};
	struct opts command = opts->guest;
	struct err err;

	script.opts = opts;
	command.command = argv;
	command.command_len = opts->shell ? 5 : 4;
	command.tty = OPTS_TTY_NEVER;
	*ret_die_of = 0;
	if (begin(&script, &err) < 0) {
		log_err(&err);
		return EXIT_FAILED;
	}
	script.exec.program = "msb-exec-console";
	script.exec.self = "the console";
	script.exec.owner = &script;
	script.exec.on_greeted = on_greeted;
	if (is_short(opts))
		run_short(&script, &command);
	else
		exec_run(&script.exec, &command, &script.loop, &script.spare);
	*ret_die_of = script.exec.die_of;
	remote_release(&script.parser);
	exec_release(&script.exec);
	if (!is_short(opts)) {
		stream_release(&script.in);
		stream_release(&script.out);
		fd_close(&script.in_fd);
		fd_close(&script.out_fd);
	}
	buf_release(&script.text);
	buf_release(&script.unparsed);
	loop_release(&script.loop);
	buf_spare_release(&script.spare);
	return script.exec.status;
}
