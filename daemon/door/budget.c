/* What clients may take of a daemon: see budget.h. */
#include "budget.h"

#include <malloc.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/duration.h"
#include "shared/wire/msg.h"

/* ---- memory ---- */

void budget_return_memory(void)
{
#ifdef __GLIBC__
	/*
	 * Or the library takes them from its heap, where what lies behind them keeps them: at first
	 * those of less than this, and once such a one has been freed larger ones too.
	 */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
}

/* ---- time ---- */

static void run(struct frame_clock *clock, enum frame_clock_runs what)
{
	uint64_t ms;

	if (clock->runs == what)
		return;
	ms = what == CLOCK_GREETING ? clock->budget->greeting_ms : clock->budget->frame_ms;
	clock->runs = what;
	loop_disarm(clock->loop, &clock->timer);
	if (what != CLOCK_OFF && ms != DURATION_INFINITE)
		loop_arm(clock->loop, &clock->timer, ms);
}

void frame_clock_start(struct frame_clock *clock, struct loop *loop, const struct budget *budget,
		       void (*on_due)(struct loop_timer *timer))
{
	*clock = (struct frame_clock){.loop = loop,
				      .budget = budget,
				      .started_us = loop_now_us(),
				      .timer.on_due = on_due};
	run(clock, CLOCK_GREETING);
}

void frame_clock_stop(struct frame_clock *clock)
{
	run(clock, CLOCK_OFF);
}

void frame_clock_run(struct frame_clock *clock, struct link *link, bool reads)
{
	bool cut = link_cut(link) != NULL;
	uint64_t taken = link_taken(link);

	/* Another frame has its own time. */
	if (clock->taken != taken)
		run(clock, CLOCK_OFF);
	clock->taken = taken;
	if (reads && cut)
		run(clock, CLOCK_FRAME);
	else if (reads && !clock->taken)
		run(clock, CLOCK_GREETING);
	else
		run(clock, CLOCK_OFF);
}

uint64_t frame_clock_silence(const struct frame_clock *clock, const struct link *link)
{
	return clock->started_us && !link_taken(link) ? loop_now_us() - clock->started_us : 0;
}

/* Without room for it the client learns no more than that it is dropped. */
static const char *say_why(struct link *link, const char *why)
{
	msg_put_error(link_out(link), 0, MSG_REFUSAL_MALFORMED_MESSAGE, why, (struct msg_text){0});
	return why;
}

const char *frame_clock_late(const struct frame_clock *clock, struct link *link)
{
	return say_why(link, clock->runs == CLOCK_GREETING
				     ? "it says nothing for longer than --greeting-timeout"
				     : "a frame is not whole after --frame-timeout");
}

const char *budget_make_way(struct link *link)
{
	return say_why(link, "it says nothing, and others need its place");
}

/* ---- words ---- */

void budget_refuse(int fd, const char *why)
{
	static const uint8_t range[8] = {0, 0, 0, 1, 0, 0, 0, 3};
	struct buf out;

	/* As an agent begins, and then, instead of being ready, it says why. */
	buf_init(&out, 4096, NULL);
	if (buf_append(&out, range, sizeof(range)) == 0 &&
	    msg_put_error(&out, 0, MSG_REFUSAL_INVALID_SESSION, why, (struct msg_text){0}) == 0 &&
	    send(fd, buf_head(&out), buf_len(&out), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* It may have gone by itself. */
	}
	buf_release(&out);
	close(fd);
}
