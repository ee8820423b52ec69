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

#include "cli/options/exit.h"
#include "shared/base.h"
#include "shared/fd.h"

#define SHORT_MAX (64 * 1024) /* as one argument */
#define TEXT_MAX  (64 * 1024 * 1024)
#define READ_MAX  (64 * 1024)
#define OUT_AHEAD (256 * 1024) /* what may wait to be read by the command */

/*
 * Its commands find stdin at its end. What is short is the last argument. Nothing of this has a name, which
 * might be that of a variable of theirs.
 */
#define FIND                                              \
	"[ \"$1\" ]||{ command -v bash >/dev/null 2>&1&&" \
	"set -- 'bash -E' \"$2\";};"
static const char start[] = FIND "exec ${1:-/bin/sh} -e /dev/fd/9 9<&0 </dev/null";
static const char start_short[] = FIND "exec ${1:-/bin/sh} -e -c \"$2\" -c";

/* The prompts are single characters that no message of a shell has. A zsh takes none from outside. */
static const char ask[] =
	"case $1 in *zsh*)set -- '';;esac;[ \"$1\" ]||{ command -v bash >/dev/null 2>&1&&"
	"set -- 'bash --norc --noediting +H +o history -O extglob';}\n"
	"unset ENV;PS1='\005' PS2='\006' exec ${1:-/bin/sh} -n -i";
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

static bool from_stdin(const struct opts *opts)
{
	return !opts->line && (!opts->file || strcmp(opts->file, "-") == 0);
}

/* Of nothing that goes on, a line may be missing: what is left would be another script. */
static void check(struct script *script, int r)
{
	struct err err;

	if (r == 0 || script->lost)
		return;
	script->lost = -r;
	if (!script->goes)
		return;
	err_set(&err, -r, NULL, "cannot pass on the lines");
	exec_fail(script->exec, REASON_ERROR, EXIT_FAILED, &err);
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
		script->inside = data[i] == MORE;
		if (script->unsaid)
			script->unsaid--;
		else
			check(script, buf_append(&script->said, data + i, 1));
	}
	step(script);
}

static void cannot_tell(struct script *script, const char *why)
{
	struct err err;

	err_set(&err, 0, NULL, "cannot tell which lines may fail: %s",
		why ? why : "the shell that reads them has ended");
	exec_fail(script->exec, REASON_ERROR, EXIT_FAILED, &err);
}

static void become_deaf(struct script *script, const char *why)
{
	script->deaf = true;
	buf_consume(&script->unparsed, buf_len(&script->unparsed));
	/* Perhaps nothing is ever asked of it. */
	if (script->needs)
		cannot_tell(script, why);
	else
		step(script);
}

static void on_parser_end(struct remote *remote, const struct remote_end *end)
{
	become_deaf(remote->owner, end->why);
}

/* As far as it goes, since what is sent without an end would be kept twice. */
static void send_unparsed(struct script *script)
{
	size_t len = buf_len(&script->unparsed);

	if (len > READ_MAX)
		len = READ_MAX;
	if (!len || !script->asks)
		return;
	remote_send(&script->parser, buf_head(&script->unparsed), len);
	buf_consume(&script->unparsed, len);
}

static void on_room(struct remote *remote)
{
	struct script *script = remote->owner;
	bool any = buf_len(&script->unparsed) > 0;

	send_unparsed(script);
	if (any)
		step(script);
}

static void start_parser(struct script *script)
{
	const char *shell = script->opts->shell;
	const char *argv[] = {"/bin/sh", "-c", ask, "sh", shell ? shell : ""};
	struct opts opts = *script->opts;
	struct remote *parser = &script->parser;
	struct err err;

	script->asks = true;
	opts.line = NULL;
	opts.command = (char **)argv;
	opts.command_len = ARRAY_LEN(argv);
	parser->owner = script;
	parser->on_data = on_parsed;
	parser->on_room = on_room;
	parser->on_end = on_parser_end;
	if (remote_start(parser, &script->exec->client, &opts, &(struct remote_terms){0}, &err) < 0)
		become_deaf(script, err.text);
}

/* It was shown lines in another way than they are meant: another one reads on, at a command's beginning. */
static void restart_parser(struct script *script)
{
	remote_signal(&script->parser, SIGKILL);
	remote_release(&script->parser);
	buf_consume(&script->unparsed, buf_len(&script->unparsed));
	buf_consume(&script->said, buf_len(&script->said));
	script->unsaid = script->shown = 0;
	script->inside = false;
	start_parser(script);
}

static void show(struct script *script, const char *line, size_t len)
{
	if (script->deaf)
		return;
	script->seems_data = line[0] == '-' || line[0] == ' ' || line[0] == '\t';
	check(script, buf_append(&script->unparsed, line, len));
	if (!len || line[len - 1] != '\n')
		check(script, buf_append(&script->unparsed, "\n", 1));
}

/*
 * Lines that have to wait for what it says are shown to it meanwhile, so that each does not cost a way to the
 * guest and back: those that begin with - only where they are likely to be data, inside a command and behind
 * another such line or one that is indented.
 */
static void show_ahead(struct script *script)
{
	const char *text = (const char *)buf_head(&script->text), *end;
	size_t len = buf_len(&script->text);

	while (script->asks && script->shown < READ_MAX && script->shown < len &&
	       (text[script->shown] != '-' || (script->inside && script->seems_data))) {
		end = memchr(text + script->shown, '\n', len - script->shown);
		if (!end)
			break;
		show(script, text + script->shown, (size_t)(end + 1 - text) - script->shown);
		script->shown = (size_t)(end + 1 - text);
	}
	send_unparsed(script);
}

/* Whether it has said what there is to say of all lines before the next. */
static bool knows(struct script *script)
{
	if (!script->asks && script->exec->client.greeted)
		start_parser(script);
	return buf_len(&script->said) > 0;
}

static bool is_inside(const struct script *script)
{
	return *buf_head(&script->said) == MORE;
}

/* ---- the lines ---- */

static void put(struct script *script, const char *text, size_t len)
{
	if (!script->lost)
		check(script, stream_write(&script->out, text, len));
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

/* To the shell, and to the parser unless it was shown it before. */
static void pass_on(struct script *script, const char *line, size_t len)
{
	/* It is read together with what switches that on. */
	if (!script->began && script->opts->verbose)
		fwrite(line, 1, len, stderr);
	script->began = true;
	put(script, line, len);
	if (script->shown)
		script->shown -= len;
	else
		show(script, line, len);
	if (buf_len(&script->said))
		buf_consume(&script->said, 1);
	else
		script->unsaid++;
	send_unparsed(script);
}

/* A line with its newline, unless it is the last one. False: it has to wait. */
static bool take_line(struct script *script, const char *line, size_t len)
{
	bool marked = line[0] == '-';
	bool asks = marked || script->may_fail;

	script->needs |= asks;
	if (asks && script->deaf) {
		cannot_tell(script, NULL);
		return false;
	}
	if ((asks || buf_len(&script->unparsed) >= OUT_AHEAD) && !knows(script)) {
		show_ahead(script);
		return false;
	}
	/* What is no command leaves that to the next one. */
	if (asks && !is_inside(script) && (marked || !is_nothing(line, len))) {
		const char *before = prefix(script, marked);

		if (marked && script->shown)
			restart_parser(script);
		put(script, before, strlen(before));
		line += marked;
		len -= marked;
	}
	pass_on(script, line, len);
	return true;
}

static void step(struct script *script)
{
	struct buf *text = &script->text;

	if (script->lost)
		return;
	while (buf_len(text) && buf_len(&script->out.queue) < OUT_AHEAD && !script->out.gone) {
		const char *line = (const char *)buf_head(text);
		const char *end =
			memchr(line + script->looked, '\n', buf_len(text) - script->looked);
		size_t len = end ? (size_t)(end + 1 - line) : buf_len(text);

		script->waits = end && buf_len(text) >= OUT_AHEAD;
		script->looked = end ? 0 : len;
		if ((!end && !script->at_end) || !take_line(script, line, len))
			break;
		script->waits = false;
		script->looked = 0;
		buf_consume(text, len);
	}
	script->waits =
		(script->waits && buf_len(text)) || buf_len(&script->out.queue) >= OUT_AHEAD;
	/* That the last command may fail is for its script, too. */
	if (script->at_end && !buf_len(text) && script->may_fail && knows(script)) {
		if (!is_inside(script))
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

/* Of -c alone, where none of it may fail: as an argument, without a pipe. */
static bool is_short(const struct opts *opts)
{
	return opts->line && opts->line[0] != '-' && !strstr(opts->line, "\n-") && !opts->shell &&
	       !opts->verbose && strlen(opts->line) < SHORT_MAX;
}

static void on_greeted(void *owner)
{
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
	int r = buf_reserve(&script->text, READ_MAX, &space);

	if (r < 0) {
		if (r == -ENOBUFS)
			err_set(&err, 0, NULL, "a line of over %d MiB",
				2 * TEXT_MAX / (1024 * 1024));
		else
			err_set(&err, -r, NULL, "cannot read the lines");
		exec_fail(script->exec, REASON_ERROR, EXIT_FAILED, &err);
		stream_watch_input(stream, false);
		return;
	}
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
		exec_fail(script->exec, REASON_ERROR, EXIT_FAILED, &err);
		return;
	}
	step(script);
}

/* ---- life ---- */

/* What stands before the first line, in that line: malloced, or NULL. */
static char *beginning(const struct opts *opts)
{
	char name[256], *text = NULL;

	/* Lines that are shown need not be named; and a trap would show itself. */
	if (opts->verbose)
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
	else
		check(script, -ENOMEM);
	free(text);
}

/* The lines' descriptor, and a pipe in the place of our stdin, which is the shell's. */
static int open_streams(struct script *script, struct err *err)
{
	const char *file = script->opts->file;
	int pipe[2];

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
	return 0;
}

int script_open(struct script *script, const struct opts *opts, struct err *err)
{
	char *before;

	*script = (struct script){.opts = opts, .in_fd = -1, .out_fd = -1};
	buf_init(&script->text, 2 * TEXT_MAX, NULL);
	buf_init(&script->unparsed, 2 * TEXT_MAX, NULL);
	buf_init(&script->said, TEXT_MAX, NULL);
	if (!is_short(opts))
		return open_streams(script, err);
	before = beginning(opts);
	if (!before || asprintf(&script->argument, "%s%s", before, opts->line) < 0)
		script->argument = NULL;
	free(before);
	return script->argument ? 0 : err_set(err, ENOMEM, NULL, "cannot read -c");
}

const struct opts *script_begin(struct script *script, struct exec *exec, struct loop *loop,
				struct buf_spare *spare, struct err *err)
{
	const struct opts *opts = script->opts;
	const char *const argv[] = {"/bin/sh",
				    "-c",
				    script->argument ? start_short : start,
				    "sh",
				    opts->shell ? opts->shell : "",
				    script->argument};

	memcpy(script->argv, argv, sizeof(argv));
	script->exec = exec;
	script->command = *opts;
	script->command.line = NULL;
	script->command.command = script->argv;
	script->command.command_len = script->argument ? 6 : 5;
	script->command.tty = OPTS_TTY_NEVER;
	script->command.no_stdin = script->argument != NULL;
	if (script->argument)
		return &script->command;
	exec->owner = script;
	exec->on_greeted = on_greeted;
	stream_init(&script->out, loop, script->out_fd, 2 * TEXT_MAX, spare, script, on_out);
	stream_init(&script->in, loop, script->in_fd, 0, spare, script, on_in);
	put_beginning(script);
	script->at_end = opts->line != NULL;
	if (opts->line)
		check(script, buf_append(&script->text, opts->line, strlen(opts->line)));
	step(script);
	if (script->lost) {
		err_set(err, script->lost, NULL, "cannot pass on the lines");
		return NULL;
	}
	script->goes = true;
	return &script->command;
}

void script_release(struct script *script)
{
	remote_release(&script->parser);
	if (script->exec && !script->argument) {
		stream_release(&script->in);
		stream_release(&script->out);
	}
	fd_close(&script->in_fd);
	fd_close(&script->out_fd);
	buf_release(&script->text);
	buf_release(&script->unparsed);
	buf_release(&script->said);
	free(script->argument);
}
