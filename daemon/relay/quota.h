/*
 * What may be sent to an agent that counts its host's frames and ends when too many come, as the
 * reference does from generation 9 on. Its limits are totals since it began: a start that every
 * host knows, plus what the agent is done with, which it says now and then. Pure.
 *
 * Where it cannot be known exactly what the agent has counted, more is taken for sent than was.
 */
#ifndef MSB_RELAY_QUOTA_H
#define MSB_RELAY_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/wire/msg.h"

#define QUOTA_SINCE 9 /* the generation whose agents count before they say so */

/* What a frame counts as: a stream of files or TCP, of which it is not known, as both. */
enum quota_kind { QUOTA_CONTROL = 1, QUOTA_BULK = 2, QUOTA_BOTH = 3 };

struct quota_amount {
	uint64_t bytes, frames; /* bytes with the word of length */
};

struct quota {
	bool counts;  /* the agent does */
	bool unknown; /* it ran before we came, and has not yet said what it counted */
	bool granted; /* it has said so */
	struct quota_amount sent[2], heard[2], limit[2]; /* control, bulk; heard: sent by then */
};

/* A stream begins, on which an agent may. */
void quota_begin(struct quota *quota);

/* Something came: the agent was alive with all that was sent before it. */
void quota_heard(struct quota *quota);

/* The agent began anew, and may have got what was sent since the last word of the one before. */
void quota_restart(struct quota *quota);

/* The agent is known by now. ran_before: it began on an earlier stream, with another host. */
void quota_meet(struct quota *quota, uint8_t generation, bool ran_before);

/* The agent says how much it can take in all. */
void quota_grant(struct quota *quota, const struct msg_transport_credit *credit);

/* It turns out to count nothing. */
void quota_waive(struct quota *quota);

/* Of control a little is never given: for what the relay itself has to say, which does not ask. */
bool quota_fits(const struct quota *quota, enum quota_kind kind, size_t wire_len);
void quota_spend(struct quota *quota, enum quota_kind kind, size_t wire_len);

/* How long one frame of bulk may be, its head included; 0: none may go. SIZE_MAX: no limit. */
size_t quota_bulk_room(const struct quota *quota);

#endif
