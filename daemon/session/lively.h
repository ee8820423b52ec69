/*
 * Who of a daemon's sessions wants little and soon: a key's echo, a command's start and end. Beside such a one who
 * moves much moves less at a time, and leaves some time between; beside nobody but himself he does not.
 */
#ifndef MSB_LIVELY_H
#define MSB_LIVELY_H

#include <stdbool.h>
#include <stdint.h>

#define LIVELY_US 20000 /* so long one is thought of */

/* Of the last two that are not the same, the latest first. All zero: nobody was. */
struct lively {
	struct lively_one {
		const void *client,
			*session; /* NULL: he has just come; and who is kept has no client */
		uint64_t at_us;
	} last[2];
};

static inline void lively_stir(struct lively *lively, const void *client, const void *session,
			       uint64_t now_us)
{
	struct lively_one *last = lively->last;

	if (last->client != client || last->session != session)
		last[1] = last[0];
	*last = (struct lively_one){client, session, now_us};
}

static inline bool lively_is(const struct lively_one *one, const void *client, const void *session)
{
	return one->session == session || (!one->session && one->client == client);
}

/* Whether somebody else than that session of that client is. */
static inline bool lively_beside(const struct lively *lively, const void *client,
				 const void *session, uint64_t now_us)
{
	for (int i = 0; i < 2; i++)
		if (lively->last[i].at_us && !lively_is(&lively->last[i], client, session))
			return now_us - lively->last[i].at_us < LIVELY_US;
	return false;
}

#endif
