/*
 * How long the answer to a signal is waited for. With a signal that goes to the agent a clock
 * starts: after some silence that is said, then the same signal once more is the end, and so is
 * more silence. Whatever shows that the agent lives stops the clock, and the command decides. Pure;
 * times are milliseconds of the monotonic clock.
 */
#ifndef MSB_PATIENCE_H
#define MSB_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATIENCE_SILENT_MS 3000 /* until it is said */
#define PATIENCE_MORE_MS   7000 /* from then on until the end */

struct patience {
	int signal;	   /* the first that has no answer; 0: the clock does not run */
	uint32_t given;	   /* a bit for each that went since */
	bool asked;	   /* there will be an answer: nothing else is one */
	bool dry;	   /* what was on its way before has come: what comes now is new */
	bool said;	   /* that nothing comes */
	uint64_t since_ms; /* when the present silence began */
	uint64_t said_ms;
	uint64_t look_ms; /* when to look next */
};

enum patience_step {
	PATIENCE_WAIT,
	PATIENCE_SAY, /* that the agent does not answer, and what ends us */
	PATIENCE_END, /* as if the signal had killed us */
};

/*
 * A signal goes to the agent. PATIENCE_END if it was said before that this one ends us. Begins the
 * clock if it does not run, with asked and dry as above; the first look is due then, after
 * PATIENCE_SILENT_MS.
 */
enum patience_step patience_signal(struct patience *patience, int signal, bool asked, bool dry,
				   uint64_t now_ms);

bool patience_runs(const struct patience *patience);

/* Something came: of an agent that could not be asked, and if it is new, that is the answer. */
void patience_heard(struct patience *patience, uint64_t now_ms);

/* What would have come would not have been heard: the silence begins now. */
void patience_deaf(struct patience *patience, uint64_t now_ms);

/* The agent lives. */
void patience_answered(struct patience *patience);

/* What to do now, and, unless that is the end, after how long to look again. */
enum patience_step patience_look(struct patience *patience, uint64_t now_ms, uint64_t *ret_wait_ms);

/* The first signal that these keys stand for to whoever types them, or 0. */
int patience_key(const uint8_t *keys, size_t len);

/* The line to say about the agent at that address, to whoever can end that program. */
void patience_words(const struct patience *patience, const char *address, const char *program,
		    char *out, size_t len);

#endif
