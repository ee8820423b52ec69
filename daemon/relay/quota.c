/* An agent's limits on what it is sent: see quota.h. */
#include "quota.h"

#include <string.h>

enum { CONTROL, BULK, KINDS };

/* Before an agent has said anything. */
static const struct quota_amount start[KINDS] = {
	[CONTROL] = {8388608, 256},
	[BULK] = {33554432, 256},
};

/* Kept free where the agent's own count is not known to the last frame. */
static const struct quota_amount spare = {1048576, 64};

/* Of control, for what is put past all that waits: a silent agent is asked with three frames. */
static const struct quota_amount ours = {65536, 4};

void quota_begin(struct quota *quota)
{
	*quota = (struct quota){.counts = false};
	memcpy(quota->limit, start, sizeof(start));
}

void quota_heard(struct quota *quota)
{
	memcpy(quota->heard, quota->sent, sizeof(quota->heard));
}

void quota_restart(struct quota *quota)
{
	struct quota old = *quota;

	quota_begin(quota);
	for (int i = 0; i < KINDS; i++) {
		quota->sent[i].bytes = old.sent[i].bytes - old.heard[i].bytes;
		quota->sent[i].frames = old.sent[i].frames - old.heard[i].frames;
	}
}

void quota_meet(struct quota *quota, uint8_t generation, bool ran_before)
{
	quota->counts |= generation >= QUOTA_SINCE;
	quota->unknown = ran_before && !quota->granted;
}

/* What the agent must have counted to have come to that limit. */
static uint64_t counted(uint64_t limit, uint64_t at_start)
{
	return limit > at_start ? limit - at_start : 0;
}

static void take_for_sent(struct quota *quota)
{
	for (int i = 0; i < KINDS; i++) {
		/* None of ours need be among them. */
		quota->sent[i].bytes += counted(quota->limit[i].bytes, start[i].bytes);
		quota->sent[i].frames += counted(quota->limit[i].frames, start[i].frames);
		/* It may be done with more than it has said so far. */
		quota->sent[i].bytes += spare.bytes;
		quota->sent[i].frames += spare.frames;
	}
	quota->unknown = false;
}

void quota_grant(struct quota *quota, const struct msg_transport_credit *credit)
{
	quota->limit[CONTROL] =
		(struct quota_amount){credit->control_bytes, credit->control_frames};
	quota->limit[BULK] = (struct quota_amount){credit->bulk_bytes, credit->bulk_frames};
	quota->counts = quota->granted = true;
	if (quota->unknown)
		take_for_sent(quota);
}

void quota_waive(struct quota *quota)
{
	quota->counts = quota->unknown = false;
}

static uint64_t left(uint64_t limit, uint64_t sent)
{
	return limit > sent ? limit - sent : 0;
}

bool quota_fits(const struct quota *quota, enum quota_kind kind, size_t wire_len)
{
	if (!quota->counts)
		return true;
	if (quota->unknown)
		return false;
	for (int i = 0; i < KINDS; i++) {
		struct quota_amount keep = i == CONTROL ? ours : (struct quota_amount){0, 0};

		if (kind & 1 << i &&
		    (left(quota->limit[i].frames, quota->sent[i].frames) <= keep.frames ||
		     left(quota->limit[i].bytes, quota->sent[i].bytes) < keep.bytes + wire_len))
			return false;
	}
	return true;
}

void quota_spend(struct quota *quota, enum quota_kind kind, size_t wire_len)
{
	for (int i = 0; i < KINDS; i++) {
		if (!(kind & 1 << i))
			continue;
		quota->sent[i].bytes += wire_len;
		quota->sent[i].frames++;
	}
}

size_t quota_bulk_room(const struct quota *quota)
{
	if (!quota->counts)
		return SIZE_MAX;
	if (quota->unknown || !left(quota->limit[BULK].frames, quota->sent[BULK].frames))
		return 0;
	return left(quota->limit[BULK].bytes, quota->sent[BULK].bytes);
}
