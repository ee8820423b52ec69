/* One event loop: see loop.h. The only user of epoll. */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"

#define BATCH_MAX 64
#define LOOK_MS	  20 /* between two looks at what cannot be watched */
#define LATE_US	  250 /* for late sources, and as much for late tasks, before others are looked for */

int loop_init(struct loop *loop)
{
	*loop = (struct loop){.epoll_fd = -1, .signal_fd = -1};
	for (size_t i = 0; i < ARRAY_LEN(loop->tasks); i++)
		loop->tasks[i].last = &loop->tasks[i].first;
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
	loop->heap = NULL;
	fd_close(&loop->signal_fd);
	fd_close(&loop->epoll_fd);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_go_on(struct loop *loop)
{
	loop->stopped = false;
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

static void set_aside(struct loop *loop, struct loop_source *source, enum loop_how how)
{
	source->how = how;
	source->next_aside = loop->aside;
	loop->aside = source;
}

static void take_back(struct loop *loop, struct loop_source *source)
{
	struct loop_source **at = &loop->aside;

	while (*at && *at != source)
		at = &(*at)->next_aside;
	if (*at)
		*at = source->next_aside;
	source->how = LOOP_WATCHED;
}

static int watch(struct loop *loop, struct loop_source *source, int op, uint32_t want)
{
	struct epoll_event event = {.events = to_epoll(want), .data.ptr = source};

	return epoll_ctl(loop->epoll_fd, op, source->fd, &event) < 0 ? -errno : 0;
}

void loop_want(struct loop *loop, struct loop_source *source, uint32_t want)
{
	int op = !source->want ? EPOLL_CTL_ADD : want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
	int r = 0;

	if (source->fd < 0 || want == source->want)
		return;
	/* A hang-up is reported even to a mask of zero: what wants nothing must be out. */
	if (source->how == LOOP_WATCHED)
		r = watch(loop, source, op, want);
	else if (source->how == LOOP_LOOKED_AT && !want)
		take_back(loop, source);
	if (r < 0 && want)
		set_aside(loop, source, r == -EPERM ? LOOP_ALWAYS : LOOP_LOOKED_AT);
	source->want = want;
}

static void wait_no_more(struct loop *loop, struct loop_source *source)
{
	if (!source->waiting)
		return;
	list_remove(&loop->late, &source->in_late);
	source->waiting = 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	wait_no_more(loop, source);
	if (source->how != LOOP_WATCHED)
		take_back(loop, source);
	else
		loop_want(loop, source, 0);
	source->want = 0;
	source->fd = -1;
}

static uint32_t ready_for(const struct loop_source *source, uint32_t events)
{
	uint32_t ready = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		ready |= LOOP_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		ready |= LOOP_OUT;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		ready |= LOOP_HUP;
	/* Something earlier in the batch may have lost interest or closed it. */
	return source->fd >= 0 ? ready & source->want : 0;
}

static void dispatch(struct loop_source *source, uint32_t events)
{
	uint32_t ready = ready_for(source, events);

	if (ready)
		source->on_ready(source, ready);
}

/* At once, or, of one that is late, behind the others. */
static void dispatch_in_turn(struct loop *loop, struct loop_source *source, uint32_t events)
{
	uint32_t ready;

	if (!source->late) {
		wait_no_more(loop, source);
		dispatch(source, events);
		return;
	}
	ready = ready_for(source, events);
	if (ready && !source->waiting)
		list_append(&loop->late, &source->in_late);
	source->waiting |= ready;
}

/* One after the other; who is not reached now is the first of the next turn, for which nothing is waited. */
static void run_late(struct loop *loop)
{
	uint64_t begun_us = loop->late.first ? loop_now_us() : 0;
	struct loop_source *source;

	while ((source = list_first(&loop->late, struct loop_source, in_late))) {
		uint32_t ready = source->waiting & source->want;

		wait_no_more(loop, source);
		if (ready)
			source->on_ready(source, ready);
		if (loop_now_us() - begun_us >= LATE_US)
			return;
	}
}

/*
 * ---- timers: a pairing heap ----
 *
 * Each is due no later than those below it, which form a list. All of it is in the timers themselves.
 */

/* Two heaps become one: the later goes below the earlier, as the first there. */
static struct loop_timer *join(struct loop_timer *a, struct loop_timer *b)
{
	struct loop_timer *top = a, *under = b;

	if (!a || !b)
		return a ? a : b;
	if (b->due_us < a->due_us) {
		top = b;
		under = a;
	}
	under->beside = top->below;
	if (under->beside)
		under->beside->holder = under;
	under->holder = top;
	top->below = under;
	return top;
}

/* Those of a list become one heap: joined by twos, and then the twos from the last to the first. */
static struct loop_timer *join_all(struct loop_timer *list)
{
	struct loop_timer *twos = NULL, *heap = NULL;

	while (list) {
		struct loop_timer *a = list, *b = a->beside;

		list = b ? b->beside : NULL;
		a->beside = NULL;
		if (b)
			b->beside = NULL;
		a = join(a, b);
		a->beside = twos;
		twos = a;
	}
	while (twos) {
		struct loop_timer *next = twos->beside;

		twos->beside = NULL;
		heap = join(heap, twos);
		twos = next;
	}
	if (heap)
		heap->holder = NULL;
	return heap;
}

void loop_disarm(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer *below = timer->below;

	timer->due = false;
	if (!timer->armed)
		return;
	timer->armed = false;
	if (loop->heap == timer) {
		loop->heap = join_all(below);
	} else {
		if (timer->holder->below == timer)
			timer->holder->below = timer->beside;
		else
			timer->holder->beside = timer->beside;
		if (timer->beside)
			timer->beside->holder = timer->holder;
		loop->heap = join(loop->heap, join_all(below));
	}
	timer->below = timer->beside = timer->holder = NULL;
}

void loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms)
{
	loop_arm_us(loop, timer, after_ms > UINT64_MAX / 1000 ? UINT64_MAX : after_ms * 1000);
}

void loop_arm_us(struct loop *loop, struct loop_timer *timer, uint64_t after_us)
{
	uint64_t now = loop_now_us();

	loop_disarm(loop, timer);
	timer->due_us = after_us > UINT64_MAX - now ? UINT64_MAX : now + after_us;
	timer->armed = true;
	loop->heap = join(loop->heap, timer);
	loop->heap->holder = NULL;
}

/* All that are due are taken out first: what is armed anew, even for now, waits a round. */
static void run_timers(struct loop *loop)
{
	struct loop_timer *first = NULL, **last = &first, *timer, *next;
	uint64_t now;

	if (!loop->heap)
		return;
	now = loop_now_us();
	while (loop->heap && loop->heap->due_us <= now) {
		timer = loop->heap;
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

/* How long may be waited, UINT64_MAX for ever. */
static uint64_t wait_us(const struct loop *loop)
{
	uint64_t wait = UINT64_MAX, now;

	if (loop->tasks[0].first || loop->tasks[1].first || loop->late.first)
		return 0;
	for (const struct loop_source *s = loop->aside; s; s = s->next_aside) {
		/* One that is always ready never hangs up. */
		if (s->how == LOOP_ALWAYS && s->want & (LOOP_IN | LOOP_OUT))
			return 0;
		if (s->how != LOOP_ALWAYS && s->want)
			wait = LOOK_MS * 1000;
	}
	if (loop->heap) {
		now = loop_now_us();
		if (loop->heap->due_us <= now)
			return 0;
		if (loop->heap->due_us - now < wait)
			wait = loop->heap->due_us - now;
	}
	return wait;
}

/* epoll_wait() counts in milliseconds; what is due sooner is waited for by a call that does not. */
static int wait_for_events(struct loop *loop, struct epoll_event events[BATCH_MAX])
{
	struct pollfd all = {.fd = loop->epoll_fd, .events = POLLIN};
	uint64_t wait = wait_us(loop);
	int ms = wait == UINT64_MAX	  ? -1
		 : wait / 1000 >= INT_MAX ? INT_MAX
					  : (int)((wait + 999) / 1000);

	if (wait && wait < 1000) {
		ppoll(&all, 1, &(struct timespec){.tv_nsec = (long)wait * 1000}, NULL);
		ms = 0;
	}
	return epoll_wait(loop->epoll_fd, events, BATCH_MAX, ms);
}

/* ---- tasks and graves ---- */

static void mark_in(struct loop_tasks *tasks, struct loop_task *task)
{
	task->marked = true;
	task->next = NULL;
	*tasks->last = task;
	tasks->last = &task->next;
}

static void unmark_in(struct loop_tasks *tasks, struct loop_task *task)
{
	struct loop_task **at = &tasks->first;

	while (*at && *at != task)
		at = &(*at)->next;
	if (*at)
		*at = task->next;
	if (!*at)
		tasks->last = at;
	task->marked = false;
}

void loop_mark(struct loop *loop, struct loop_task *task)
{
	if (!task->marked)
		mark_in(&loop->tasks[task->late], task);
}

void loop_unmark(struct loop *loop, struct loop_task *task)
{
	if (task->marked)
		unmark_in(&loop->tasks[task->late], task);
}

/*
 * Runs what is marked now, as far as that takes no longer (0: however long); what these tasks mark runs
 * after the next batch, which is not waited for.
 */
static void run_tasks(struct loop_tasks *tasks, uint64_t limit_us)
{
	uint64_t begun_us = tasks->first && limit_us ? loop_now_us() : 0;
	struct loop_task *end = &tasks->batch_end;
	struct loop_task *task;

	if (!tasks->first)
		return;
	mark_in(tasks, end);
	while ((task = tasks->first) != end) {
		unmark_in(tasks, task);
		task->on_run(task);
		if (limit_us && loop_now_us() - begun_us >= limit_us)
			break;
	}
	unmark_in(tasks, end);
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
	struct loop *loop = container_of(source, struct loop, signals);
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
	loop_want(loop, &loop->signals, LOOP_IN);
	return 0;
}

/* What it is ready for now; and perhaps there is room to watch it again. */
static uint32_t look_at(struct loop *loop, struct loop_source *source)
{
	struct pollfd one = {.fd = source->fd};

	if (watch(loop, source, EPOLL_CTL_ADD, source->want) == 0) {
		take_back(loop, source);
		return 0;
	}
	one.events = (short)to_epoll(source->want & (LOOP_IN | LOOP_OUT | LOOP_HUP));
	if (poll(&one, 1, 0) <= 0)
		return 0;
	/* Of a descriptor that is none, whoever uses it hears. */
	return one.revents & POLLNVAL ? EPOLLERR : (uint32_t)one.revents;
}

static void run_aside(struct loop *loop)
{
	struct loop_source *source, *next;

	for (source = loop->aside; source; source = next) {
		next = source->next_aside;
		/* One before it may have taken it back, or want nothing of it any more. */
		if (source->how == LOOP_WATCHED || !source->want)
			continue;
		dispatch(source,
			 source->how == LOOP_ALWAYS ? EPOLLIN | EPOLLOUT : look_at(loop, source));
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH_MAX];

	while (!loop->stopped) {
		int n = wait_for_events(loop, events);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			dispatch_in_turn(loop, events[i].data.ptr, events[i].events);
		run_aside(loop);
		run_timers(loop);
		run_tasks(&loop->tasks[0], 0);
		run_late(loop);
		run_tasks(&loop->tasks[1], LATE_US);
		free_graves(loop);
	}
	return 0;
}
