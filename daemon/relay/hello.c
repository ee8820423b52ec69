/* The host's half of a greeting: see hello.h. */
#include "hello.h"

/* A guest that has answered the bootstrap is at work on its boot, as long as it takes. */
#define LOOKS_RESOLVED 18

unsigned hello_begin(struct hello *hello)
{
	*hello = (struct hello){.boots = hello->boots, .booted = hello->boots};
	return hello->boots ? HELLO_BOOTSTRAP : 0;
}

void hello_restart(struct hello *hello, bool answers_bootstrap)
{
	bool answers = hello->boots && answers_bootstrap;

	/* What was answered has the ack right behind it. */
	*hello = (struct hello){.boots = hello->boots, .booted = answers, .acked = answers};
}

unsigned hello_resolved(struct hello *hello)
{
	hello->resolved = true;
	hello->looks = 0;
	if (hello->acked)
		return 0;
	hello->acked = true;
	return HELLO_ACK;
}

unsigned hello_ready(struct hello *hello, bool ours, bool *ret_is_up)
{
	*ret_is_up = !hello->boots || !ours || hello->resolved;
	hello->ours = !*ret_is_up;
	if (*ret_is_up || hello->booted)
		return 0;
	hello->booted = true;
	return HELLO_BOOTSTRAP;
}

bool hello_is_running(const struct hello *hello, uint8_t generation)
{
	return hello->pinged && !hello->resolved && !hello->ours && generation >= HELLO_BOOT_SINCE;
}

unsigned hello_look(struct hello *hello, uint64_t *ret_wait_ms)
{
	*ret_wait_ms = HELLO_PATIENCE_MS;
	hello->looks++;
	if (hello->resolved) {
		/* It may have been reset since, and then waits for a bootstrap. */
		hello->acked = true;
		return hello->looks > LOOKS_RESOLVED ? HELLO_HANG_UP
		       : hello->boots		     ? HELLO_BOOTSTRAP | HELLO_ACK
						     : HELLO_ACK;
	}
	if (hello->looks > 1)
		return HELLO_HANG_UP;
	hello->acked = true;
	hello->pinged = hello->boots;
	/* The ping comes last: a guest that begins now waits for the ack. */
	return hello->boots ? HELLO_ACK | HELLO_PING : HELLO_ACK;
}
