/*
 * The time that one user's frames take of a daemon, which has one thread for all: who has used up his share
 * of it is not heard for as long as that took, so that others have at least the other half. Pure.
 */
#ifndef MSB_SHARE_H
#define MSB_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARE_US	10000 /* after so much he rests, unless it was spread over */
#define SHARE_WINDOW_US 20000 /* more than this */

/* All zero to start with. Times are those of loop_now_us(). */
struct share {
	uint64_t since_us, spent_us;
	uint64_t rests_until_us;
};

/* Something of his was done, from then until now. */
static inline void share_spend(struct share *share, uint64_t begun_us, uint64_t now_us)
{
	if (begun_us - share->since_us >= SHARE_WINDOW_US) {
		share->since_us = begun_us;
		share->spent_us = 0;
	}
	share->spent_us += now_us - begun_us;
	if (share->spent_us < SHARE_US)
		return;
	share->rests_until_us = now_us + share->spent_us;
	share->since_us = share->rests_until_us;
	share->spent_us = 0;
}

/* For how many us he is not to be heard. */
static inline uint64_t share_rest(const struct share *share, uint64_t now_us)
{
	return share->rests_until_us > now_us ? share->rests_until_us - now_us : 0;
}

#endif
