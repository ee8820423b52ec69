/*
 * Lines for people from a program that serves a loop: they go by the stream of its stderr, so that no
 * reader of theirs holds it up, and begin at the margin of a terminal that is raw.
 */
#ifndef MSB_LINES_H
#define MSB_LINES_H

#include "stream.h"

/* From now on all that is logged goes by that stream. */
void lines_begin(struct stream *err);

/* What is queued there has so many milliseconds to go out; then lines go straight to stderr again. */
void lines_end(struct stream *err, uint64_t within_ms);

#endif
