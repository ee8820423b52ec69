/*
 * Whether a peer is still there: after a silence it is asked, and after another as long it is
 * lost. Only silence that we listened to counts: not while we leave unread what may have come, nor
 * while we did not run. Pure; times are milliseconds of the monotonic clock.
 */
#ifndef MSB_LIVENESS_H
#define MSB_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

struct liveness {
	uint64_t limit_ms; /* of each of the two silences; 0: the peer is never asked */
	uint64_t since_ms; /* when the present one began */
	uint64_t look_ms;  /* when to look next */
	bool asked;	   /* so that this is the second */
};

enum liveness_step { LIVENESS_WAIT, LIVENESS_ASK, LIVENESS_LOST };

/* Something came, or would not have been heard. Cheap enough for every read. */
void liveness_heard(struct liveness *liveness, uint64_t now_ms);

/* What to do now, and after how long to look again; to be called then, and once to begin with. */
enum liveness_step liveness_look(struct liveness *liveness, uint64_t now_ms, uint64_t *ret_wait_ms);

#endif
