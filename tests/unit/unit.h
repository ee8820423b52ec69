/*
 * What the unit tests share: cmocka with the headers it needs, bytes written as hex and words in
 * exactly sized memory (so that AddressSanitizer sees one byte too many), random numbers that
 * are the same on every run, and how long anything may take.
 */
#ifndef MSB_UNIT_H
#define MSB_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/buf.h"
#include "shared/wire/frame.h"
#include "shared/wire/msg.h"

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that are freed at the end of the block: unit_held struct msg_bytes b = unit_hex("..."). */
#define unit_held __attribute__((cleanup(unit_drop)))

static inline void unit_drop(struct msg_bytes *bytes)
{
	free(bytes->ptr);
}

static inline struct msg_bytes unit_copy(const void *data, size_t len)
{
	struct msg_bytes bytes = {malloc(len ? len : 1), len};

	assert_non_null(bytes.ptr);
	if (len)
		memcpy(bytes.ptr, data, len);
	return bytes;
}

static inline uint8_t unit_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		fail_msg("not a hex digit: %c", c);
	return (uint8_t)(at - digits);
}

/* "a1 64'code' 00": pairs of digits, and words between single quotes; blanks are for the eye. */
static inline struct msg_bytes unit_hex(const char *text)
{
	uint8_t *bytes = malloc(strlen(text) + 1);
	struct msg_bytes exact;
	size_t len = 0;

	assert_non_null(bytes);
	while (*text) {
		if (*text == ' ') {
			text++;
		} else if (*text == '\'') {
			for (text++; *text != '\''; text++)
				bytes[len++] = (uint8_t)*text;
			text++;
		} else {
			bytes[len++] = (uint8_t)(unit_digit(text[0]) << 4 | unit_digit(text[1]));
			text += 2;
		}
	}
	exact = unit_copy(bytes, len);
	free(bytes);
	return exact;
}

/* A queue that holds exactly these bytes, which stay the caller's. */
static inline struct buf unit_queue(struct msg_bytes bytes)
{
	return (struct buf){
		.data = bytes.ptr, .tail = bytes.len, .cap = bytes.len, .max = bytes.len};
}

/* What is queued is, byte for byte, that hex. */
static inline void unit_assert_queued(const struct buf *queue, const char *hex)
{
	unit_held struct msg_bytes want = unit_hex(hex);

	assert_int_equal(buf_len(queue), want.len);
	assert_memory_equal(buf_head(queue), want.ptr, want.len);
}

static inline void unit_assert_text(struct msg_text text, const char *want)
{
	assert_non_null(text.ptr);
	assert_int_equal(text.len, strlen(want));
	assert_memory_equal(text.ptr, want, text.len);
}

static inline void unit_assert_bytes(struct msg_bytes bytes, const char *hex)
{
	unit_held struct msg_bytes want = unit_hex(hex);

	assert_non_null(bytes.ptr);
	assert_int_equal(bytes.len, want.len);
	assert_memory_equal(bytes.ptr, want.ptr, want.len);
}

/* The first frame of the queue, which must be whole and opens; its payload points into the queue.
 */
static inline struct msg_envelope unit_open(const struct buf *queue, struct frame *ret_frame)
{
	struct msg_envelope envelope;
	size_t missing = 0;

	assert_int_equal(frame_next(queue, ret_frame, &missing), 1);
	assert_int_equal(msg_open(ret_frame, &envelope), 0);
	return envelope;
}

/* The payload of the only frame of the queue, which is of that type. */
static inline struct msg_bytes unit_payload(const struct buf *out, enum msg_type type, uint32_t id)
{
	struct msg_envelope envelope;
	struct frame frame;

	envelope = unit_open(out, &frame);
	assert_int_equal(frame.wire_len, buf_len(out));
	assert_int_equal(frame.id, id);
	assert_int_equal(frame.flags, msg_flags(type));
	assert_int_equal(envelope.v, 7);
	assert_int_equal(envelope.type, type);
	return envelope.payload;
}

/* xorshift64*: *state must not be 0. */
static inline uint32_t unit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * UINT64_C(2685821657736338717)) >> 32);
}

/* A number from 0 to below - 1. */
static inline uint32_t unit_below(uint64_t *state, uint32_t below)
{
	return unit_random(state) % below;
}

/* What hangs longer than this is a failure. */
static inline uint64_t unit_limit_ms(void)
{
	const char *slow = getenv("SLOW");

	return 10000 * (slow && atoi(slow) > 1 ? (uint64_t)atoi(slow) : 1);
}

#endif
