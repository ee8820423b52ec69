/* One event loop: see loop.h. The only user of epoll. */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"

#define BATCH_MAX 64

int loop_init(struct loop *loop)
{
	*loop = (struct loop){.epoll_fd = -1, .signal_fd = -1};
	loop->last_task = &loop->first_task;
	loop->signals.fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

static void free_graves(struct loop *loop)
{
	while (loop->graves) {
		struct loop_grave *grave = loop->graves;

		loop->graves = grave->next;
		grave->on_free(grave);
	}
}

void loop_release(struct loop *loop)
{
	free_graves(loop);
	free(loop->heap);
	loop->heap = NULL;
	loop->heap_len = loop->heap_cap = 0;
	fd_close(&loop->signal_fd);
	fd_close(&loop->epoll_fd);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

uint64_t loop_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t loop_now_ms(void)
{
	return loop_now_us() / 1000;
}

/* ---- descriptors ---- */

void loop_source_init(struct loop_source *source, int fd,
		      void (*on_ready)(struct loop_source *source, uint32_t ready))
{
	*source = (struct loop_source){.fd = fd, .on_ready = on_ready};
}

static uint32_t to_epoll(uint32_t want)
{
	return (want & LOOP_IN ? (uint32_t)EPOLLIN : 0) |
	       (want & LOOP_OUT ? (uint32_t)EPOLLOUT : 0) |
	       (want & LOOP_HUP ? (uint32_t)EPOLLRDHUP : 0) |
	       (want & LOOP_EDGE ? (uint32_t)EPOLLET : 0);
}

static void add_always(struct loop *loop, struct loop_source *source)
{
	source->always = true;
	source->next_always = loop->always;
	loop->always = source;
}

static void drop_always(struct loop *loop, struct loop_source *source)
{
	struct loop_source **at = &loop->always;

	while (*at && *at != source)
		at = &(*at)->next_always;
	if (*at)
		*at = source->next_always;
	source->always = false;
}

int loop_want(struct loop *loop, struct loop_source *source, uint32_t want)
{
	struct epoll_event event = {.events = to_epoll(want), .data.ptr = source};
	int op = !source->want ? EPOLL_CTL_ADD : want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (source->fd < 0 || want == source->want)
		return 0;
	/* A hang-up is reported even to a mask of zero: what wants nothing must be out. */
	if (!source->always && epoll_ctl(loop->epoll_fd, op, source->fd, &event) < 0) {
		if (errno != EPERM || op != EPOLL_CTL_ADD)
			return -errno;
		add_always(loop, source);
	}
	source->want = want;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	if (source->always)
		drop_always(loop, source);
	else
		loop_want(loop, source, 0);
	source->want = 0;
	source->fd = -1;
}

static void dispatch(struct loop_source *source, uint32_t events)
{
	uint32_t ready = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		ready |= LOOP_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		ready |= LOOP_OUT;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		ready |= LOOP_HUP;
	/* Something earlier in the batch may have lost interest or closed it. */
	ready &= source->want;
	if (source->fd >= 0 && ready)
		source->on_ready(source, ready);
}

/* ---- timers: a binary heap, from slot 1 ---- */

static void heap_put(struct loop *loop, size_t slot, struct loop_timer *timer)
{
	loop->heap[slot] = timer;
	timer->slot = slot;
}

static void heap_up(struct loop *loop, struct loop_timer *timer)
{
	size_t slot = timer->slot;

	while (slot > 1 && loop->heap[slot / 2]->due_ms > timer->due_ms) {
		heap_put(loop, slot, loop->heap[slot / 2]);
		slot /= 2;
	}
	heap_put(loop, slot, timer);
}

static void heap_down(struct loop *loop, struct loop_timer *timer)
{
	size_t slot = timer->slot;

	for (;;) {
		size_t child = slot * 2;

		if (child > loop->heap_len)
			break;
		if (child < loop->heap_len &&
		    loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
			child++;
		if (loop->heap[child]->due_ms >= timer->due_ms)
			break;
		heap_put(loop, slot, loop->heap[child]);
		slot = child;
	}
	heap_put(loop, slot, timer);
}

int loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms)
{
	uint64_t now = loop_now_ms();

	timer->due = false;
	if (!timer->slot) {
		if (loop->heap_len + 2 > loop->heap_cap) {
			size_t cap = loop->heap_cap ? loop->heap_cap * 2 : 16;
			struct loop_timer **heap =
				reallocarray(loop->heap, cap, sizeof(struct loop_timer *));

			if (!heap)
				return -ENOMEM;
			loop->heap = heap;
			loop->heap_cap = cap;
		}
		heap_put(loop, ++loop->heap_len, timer);
	}
	timer->due_ms = after_ms > UINT64_MAX - now ? UINT64_MAX : now + after_ms;
	heap_up(loop, timer);
	heap_down(loop, timer);
	return 0;
}

void loop_disarm(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer *last;
	size_t slot = timer->slot;

	timer->due = false;
	if (!slot)
		return;
	timer->slot = 0;
	last = loop->heap[loop->heap_len--];
	if (last == timer)
		return;
	heap_put(loop, slot, last);
	heap_up(loop, last);
	heap_down(loop, last);
}

/* All that are due are taken out first: what is armed anew, even for now, waits a round. */
static void run_timers(struct loop *loop)
{
	struct loop_timer *first = NULL, **last = &first, *timer, *next;
	uint64_t now;

	if (!loop->heap_len)
		return;
	now = loop_now_ms();
	while (loop->heap_len && loop->heap[1]->due_ms <= now) {
		timer = loop->heap[1];
		loop_disarm(loop, timer);
		timer->due = true;
		timer->next_due = NULL;
		*last = timer;
		last = &timer->next_due;
	}
	for (timer = first; timer; timer = next) {
		next = timer->next_due;
		if (!timer->due)
			continue;
		timer->due = false;
		timer->on_due(timer);
	}
}

/* How long epoll may wait: milliseconds, -1 for ever. */
static int wait_ms(const struct loop *loop)
{
	uint64_t now, due;

	if (loop->first_task)
		return 0;
	for (const struct loop_source *s = loop->always; s; s = s->next_always)
		if (s->want)
			return 0;
	if (!loop->heap_len)
		return -1;
	now = loop_now_ms();
	due = loop->heap[1]->due_ms;
	if (due <= now)
		return 0;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

/* ---- tasks and graves ---- */

void loop_mark(struct loop *loop, struct loop_task *task)
{
	if (task->marked)
		return;
	task->marked = true;
	task->next = NULL;
	*loop->last_task = task;
	loop->last_task = &task->next;
}

void loop_unmark(struct loop *loop, struct loop_task *task)
{
	struct loop_task **at = &loop->first_task;

	if (!task->marked)
		return;
	while (*at != task)
		at = &(*at)->next;
	*at = task->next;
	if (!*at)
		loop->last_task = at;
	task->marked = false;
}

/* Runs what is marked now; what these tasks mark runs after the next batch, which is not waited
 * for. */
static void run_tasks(struct loop *loop)
{
	struct loop_task end = {.marked = false};
	struct loop_task *task;

	if (!loop->first_task)
		return;
	loop_mark(loop, &end);
	while ((task = loop->first_task) != &end) {
		loop_unmark(loop, task);
		task->on_run(task);
	}
	loop_unmark(loop, &end);
}

void loop_bury(struct loop *loop, struct loop_grave *grave,
	       void (*on_free)(struct loop_grave *grave))
{
	grave->on_free = on_free;
	grave->next = loop->graves;
	loop->graves = grave;
}

/* ---- signals ---- */

static void on_signals(struct loop_source *source, uint32_t ready)
{
	struct loop *loop = (struct loop *)((char *)source - offsetof(struct loop, signals));
	struct signalfd_siginfo info;

	(void)ready;
	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct loop_signal signal = {
			.number = (int)info.ssi_signo,
			.sender_pid = info.ssi_code == SI_KERNEL ? 0 : (int)info.ssi_pid,
		};

		loop->on_signal(loop, &signal);
	}
}

int loop_signals(struct loop *loop, const sigset_t *set,
		 void (*on_signal)(struct loop *loop, const struct loop_signal *info))
{
	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	loop->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_fd < 0)
		return -errno;
	loop->on_signal = on_signal;
	loop_source_init(&loop->signals, loop->signal_fd, on_signals);
	return loop_want(loop, &loop->signals, LOOP_IN);
}

static void run_always(struct loop *loop)
{
	struct loop_source *source, *next;

	for (source = loop->always; source; source = next) {
		next = source->next_always;
		dispatch(source, EPOLLIN | EPOLLOUT);
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH_MAX];

	while (!loop->stopped) {
		int n = epoll_wait(loop->epoll_fd, events, BATCH_MAX, wait_ms(loop));

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			dispatch(events[i].data.ptr, events[i].events);
		run_always(loop);
		run_timers(loop);
		run_tasks(loop);
		free_graves(loop);
	}
	return 0;
}
