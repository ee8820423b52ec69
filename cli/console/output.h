/*
 * What the person sees: output of the guest and lines of our own, by way of stdout and stderr, and above
 * the prompt while that is shown; or what is kept of it instead. Never blocks but in output_release().
 */
#ifndef MSB_CONSOLE_OUTPUT_H
#define MSB_CONSOLE_OUTPUT_H

#include "cli/terminal/stream.h"
#include "prompt.h"

#define OUTPUT_MAX (16 * 1024 * 1024)

struct output {
	struct stream out, err;
	struct modes modes;    /* what was printed has turned on in the terminal */
	struct prompt *prompt; /* not owned, as what follows */
	struct buf *kept;      /* where output goes instead of to us, or NULL */
	void *owner;
	void (*on_change)(void *owner); /* some of it went out, or its reader is gone */
};

/* The prompt, the owner and its callback must be set. What is logged goes this way from now on. */
void output_init(struct output *output, struct loop *loop, struct buf_spare *spare);

/* The last line has half a second to go out. */
void output_release(struct output *output);

/* Output for the person, of a terminal or as lines with newlines alone; and a line of our own. */
void output_print(struct output *output, const char *data, size_t len);
void output_print_lines(struct output *output, const char *text, size_t len);
void output_say(struct output *output, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same while a command may have begun a line. */
void output_say_apart(struct output *output, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What is printed is appended there; NULL: no more. */
static inline void output_keep(struct output *output, struct buf *kept)
{
	output->kept = kept;
}

/* Bytes that our readers have not taken yet. */
static inline size_t output_waiting(const struct output *output)
{
	return buf_len(&output->out.queue) + buf_len(&output->err.queue);
}

/* Whether any of them are for a terminal. */
bool output_waits_for_terminal(const struct output *output);

/* Whether what comes next begins a line, once all is out: false while it is not. */
bool output_begin_line(struct output *output);

/* Something of ours follows on stderr, behind what may stand there. */
void output_end_line(struct output *output);

/* The first of the two that nobody reads any more, or NULL; says why where words are due. */
const struct stream *output_gone(struct output *output);

#endif
