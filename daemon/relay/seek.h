/*
 * Finding the guest's greeting in a byte stream that may begin, or break off, in the midst of
 * anything. Pure.
 */
#ifndef MSB_RELAY_SEEK_H
#define MSB_RELAY_SEEK_H

#include "shared/wire/msg.h"
#include "slots.h"

#define SEEK_FRAME_MAX 16384	  /* bytes of a frame that counts as a greeting */
#define SEEK_PONG_ID   RELAY_STEP /* of the relay's own pings: nobody's */

enum seek_found {
	SEEK_NOTHING,
	SEEK_READY,    /* core.ready */
	SEEK_RESOLVED, /* core.init.resolved, which is to be answered before ready comes */
	SEEK_PONG,     /* core.pong of SEEK_PONG_ID: a guest that runs already, and was asked */
};

/*
 * As msg_open(), of a whole frame of at most SEEK_FRAME_MAX bytes, in a copy that the envelope points
 * into: decoding may change what it reads, and clients get the frame as it came.
 */
int seek_open(const uint8_t *wire, size_t len, uint8_t copy[SEEK_FRAME_MAX],
	      struct msg_envelope *ret);

/* What a whole frame of so many bytes is. They are not changed. */
enum seek_found seek_look(const uint8_t *wire, size_t len);

/* The protocol generation that a whole frame, one that was found, is stamped with. */
uint8_t seek_generation(const uint8_t *wire);

/*
 * The first greeting that begins at any offset: *ret_at is where, *ret_len its length. With
 * SEEK_NOTHING, *ret_at bytes can be no part of one and may be dropped.
 */
enum seek_found seek_greeting(const uint8_t *data, size_t len, size_t *ret_at, size_t *ret_len);

#endif
