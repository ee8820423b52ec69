/* Whether a stream may rest: see pace.h. */
#include "pace.h"

#define QUICK_US 1000 /* a read so soon after another follows it */

/* A flood brings more than so much, and then more than so much a second. */
#define FLOOD_BYTES	     (2 * 1024 * 1024)
#define FLOOD_MOST	     (3 * 1024 * 1024) /* that is remembered */
#define FLOOD_BYTES_A_SECOND (32 * 1024 * 1024)

void pace_reset(struct pace *pace)
{
	pace->many = 0;
	pace->bytes = 0;
	pace->rested = false;
}

void pace_rested(struct pace *pace)
{
	pace->rested = true;
}

void pace_settle(struct pace *pace)
{
	if (pace->rested)
		pace_reset(pace);
}

/* Without a rest, so many have followed each other that what they bring in the time of a rest is known. */
static bool is_slow(struct pace *pace, size_t len, size_t room, uint64_t now_us)
{
	if (!pace->many)
		pace->since_us = now_us;
	pace->many++;
	pace->bytes += len;
	return pace->many > PACE_MANY &&
	       pace->bytes * PACE_REST_US < room * (now_us - pace->since_us);
}

bool pace_floods(struct pace *pace, size_t len, uint64_t now_us)
{
	uint64_t passed_us = now_us - pace->level_us;
	uint64_t forgotten =
		passed_us < 1000000 ? passed_us * FLOOD_BYTES_A_SECOND / 1000000 : pace->level;

	pace->level -= forgotten < pace->level ? (size_t)forgotten : pace->level;
	/* However long it lasts, it is over soon after. */
	pace->level += len < FLOOD_MOST - pace->level ? len : FLOOD_MOST - pace->level;
	pace->level_us = now_us;
	return pace->level > FLOOD_BYTES;
}

bool pace_rests(struct pace *pace, int stream, size_t len, size_t room, uint64_t now_us)
{
	bool follows = pace->stream == stream && len <= room && now_us - pace->last_us < QUICK_US;
	bool again = pace->rested && pace->stream == stream && len < room, rests;

	if (!follows || pace->rested || pace->many > PACE_MANY)
		pace_reset(pace);
	pace->stream = stream;
	pace->last_us = now_us;
	rests = again || is_slow(pace, len, room, now_us);
	if (rests)
		pace_reset(pace);
	return rests;
}
