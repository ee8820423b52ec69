/* A session that goes on without a client: see kept.h. */
#include "kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs.h"
#include "shared/log.h"
#include "shared/utf8.h"
#include "shared/wire/credit.h"

#define PIECE	      (32 * 1024) /* bytes of one frame of output */
#define INPUT_WINDOW  (256 * 1024)
#define SENDER_WINDOW (64 * 1024) /* of who comes for the stdin alone: there may be many */
#define INPUT_TOTAL \
	(4 * 1024 * \
	 1024) /* that waits and that all may still send, less than a command's queue holds */
#define VIEWERS_MAX 256		 /* who look on, wait or feed it; and one who has it */
#define INPUT_LEAST (4 * 1024)	 /* that each may send, however much that is */
#define INPUT_LIMIT (256 * 1024) /* that waits, at which who counts no credit is stalled */
#define QUEUE_LIMIT (512 * 1024) /* queued frames at which output waits */
#define QUEUE_SHORT (64 * 1024)	 /* the same while all queues together hold too much */
#define FETCHED_MS \
	10000 /* an end that was fetched is held on: others may ask, or its client again */
#define HOLD_MAX_MS   (24 * 3600 * 1000) /* that this is put off for a client that may come back */
#define LOOK_AGAIN_MS 1000 /* whether who takes the rest of one that is over has it by now */

/* One id that is behind it. */
struct kept_viewer {
	struct kept *kept;
	struct list_node of_kept;
	struct outlet_member member;
	enum msg_attach mode;
	bool input_only;
	bool leaves;	   /* once it runs, and it is told of nothing more */
	bool greeted;	   /* started or attached has been said */
	uint64_t at[2];	   /* the next byte of each stream for it */
	uint64_t until[2]; /* MSG_ATTACH_LOGS: where what was held ended when it came */
	struct credit output;
	struct credit_account input;
	enum msg_stream served; /* last */
	struct loop_task task;
};

static struct kept_viewer *viewer_of(const struct outlet_member *member)
{
	return container_of((struct outlet_member *)member, struct kept_viewer, member);
}

static struct msg_text text_of(const char *text)
{
	return (struct msg_text){text[0] ? text : NULL, strlen(text)};
}

static struct buf *out_of(const struct kept_viewer *viewer)
{
	return link_out(outlet_link(viewer->member.outlet));
}

/* A frame was put for it; without room for it the connection is beyond help. */
static void told(struct kept_viewer *viewer, int result)
{
	if (result < 0) {
		log_caused(LOG_LEVEL_WARN, "session %s: cannot queue a frame: %s", viewer->kept->id,
			   strerror(-result));
		link_give_up(outlet_link(viewer->member.outlet), -result);
	}
	++*viewer->kept->host->activity;
	link_mark(outlet_link(viewer->member.outlet));
}

/* Whether what it sends goes to the command. */
static bool feeds(const struct kept_viewer *viewer)
{
	return viewer->input_only || viewer->kept->holder == viewer;
}

/* What is held may have room again, or be read otherwise. */
static void wake_command(struct kept *kept)
{
	if (kept->command)
		kept->command->calls->on_moved(kept->command);
}

static void wake(struct kept_viewer *viewer)
{
	loop_mark(viewer->kept->host->loop, &viewer->task);
}

static void wake_all(struct kept *kept)
{
	struct kept_viewer *viewer;

	list_each(viewer, &kept->viewers, of_kept)
		wake(viewer);
}

/* ---- what is held ---- */

/* So much a ring can hold, as things are. */
static uint64_t capacity(const struct ring *ring)
{
	return ring->end - ring->begin + ring_space(ring);
}

/* What lies before it may go. */
static uint64_t dispensable(const struct kept *kept, enum msg_stream stream)
{
	const struct ring *ring = &kept->rings[stream];
	const struct kept_viewer *holder = kept->holder;
	uint64_t in_flight, near, at;

	if (!holder)
		return kept->hold.armed ? kept->unacknowledged[stream] : ring->end;
	/* Of both streams together, so at most that much of this one. */
	in_flight = holder->output.window ? holder->output.sent - holder->output.consumed : 0;
	at = holder->at[stream];
	near = capacity(ring) / 4 * 3;
	near = at > near ? at - near : 0;
	in_flight = at > in_flight ? at - in_flight : 0;
	return in_flight > near ? in_flight : near;
}

static size_t room(const struct kept *kept, enum msg_stream stream)
{
	const struct ring *ring = &kept->rings[stream];
	uint64_t until = dispensable(kept, stream);

	return ring_space(ring) + (size_t)(until > ring->begin ? until - ring->begin : 0);
}

size_t kept_room(const struct kept *kept)
{
	size_t of_stdout = room(kept, MSG_STREAM_STDOUT), of_stderr;

	if (kept->tty)
		return of_stdout;
	of_stderr = room(kept, MSG_STREAM_STDERR);
	return of_stdout < of_stderr ? of_stdout : of_stderr;
}

/* How the terminal is where the ring begins is known from all that was before. */
static void forget_until(struct kept *kept, enum msg_stream stream, uint64_t until)
{
	struct ring *ring = &kept->rings[stream];
	const uint8_t *data;
	size_t len;

	while (kept->tty && ring->begin < until) {
		len = ring_peek(ring, ring->begin, &data);
		if (len > until - ring->begin)
			len = (size_t)(until - ring->begin);
		modes_watch(&kept->modes, data, len);
		ring_forget(ring, ring->begin + len);
	}
	ring_forget(ring, until);
}

ssize_t kept_reserve(struct kept *kept, enum msg_stream stream, size_t max, uint8_t **ret_space)
{
	struct ring *ring = &kept->rings[stream];
	uint64_t until = dispensable(kept, stream), wanted;
	size_t want = max < PIECE ? max : PIECE, space = ring_space(ring);

	/* A small ring is not emptied for what may be a few bytes. */
	if (want > capacity(ring) / 4 + 1)
		want = (size_t)(capacity(ring) / 4 + 1);
	if (space < want && until > ring->begin) {
		wanted = ring->begin + (want - space);
		forget_until(kept, stream, wanted < until ? wanted : until);
	}
	return ring_reserve(ring, want, ret_space);
}

void kept_commit(struct kept *kept, enum msg_stream stream, size_t len)
{
	ring_commit(&kept->rings[stream], len);
	wake_all(kept);
}

/*
 * Where output of a terminal may begin that begins in the midst: no sequence and no character is cut. *modes are
 * those of its ring's begin, and then of there.
 */
static uint64_t clean_place(const struct ring *ring, struct modes *modes)
{
	uint64_t at = ring->begin;
	const uint8_t *data;
	size_t len, i;

	while ((len = ring_peek(ring, at, &data)) > 0) {
		for (i = 0; i < len; i++) {
			if (modes->state == MODES_PLAIN && (data[i] & 0xc0) != 0x80)
				return at + i;
			modes_watch(modes, &data[i], 1);
		}
		at += len;
	}
	return at;
}

/* ---- who is behind it ---- */

static void leave(struct kept_viewer *viewer)
{
	struct kept *kept = viewer->kept;

	loop_unmark(kept->host->loop, &viewer->task);
	outlet_leave(&viewer->member);
	list_remove(&kept->viewers, &viewer->of_kept);
	kept->viewer_count--;
	if (kept->holder == viewer)
		kept->holder = NULL;
	free(viewer);
	wake_command(kept);
}

int kept_put_detached(const struct kept *kept, struct buf *out, uint32_t id, enum msg_detached why)
{
	const char *word = msg_detached_name(why);
	const struct msg_session_detached detached = {
		.why = text_of(word), .session = text_of(kept->id), .name = text_of(kept->name)};

	return msg_put(out, id, MSG_SESSION_DETACHED, &detached);
}

static void send_away(struct kept_viewer *viewer, enum msg_detached why)
{
	told(viewer, kept_put_detached(viewer->kept, out_of(viewer), viewer->member.id, why));
	leave(viewer);
}

/* ---- output ---- */

static size_t queue_limit(const struct kept *kept)
{
	return buf_spare_is_short(kept->host->spare) ? QUEUE_SHORT : QUEUE_LIMIT;
}

/* What a slow one that only looks on has missed. */
static void skip(struct kept_viewer *viewer, enum msg_stream stream)
{
	const struct ring *ring = &viewer->kept->rings[stream];
	struct msg_session_skipped skipped = {
		.stream = text_of(msg_stream_name(stream)),
		.bytes = ring->begin - viewer->at[stream],
	};

	if (viewer->at[stream] >= ring->begin)
		return;
	viewer->at[stream] = ring->begin;
	told(viewer, msg_put(out_of(viewer), viewer->member.id, MSG_SESSION_SKIPPED, &skipped));
}

/* So far goes what there is for it. */
static uint64_t goal(const struct kept_viewer *viewer, enum msg_stream stream)
{
	const struct kept *kept = viewer->kept;
	uint64_t end = kept->rings[stream].end;

	/* The end of one that has ended comes behind all. */
	return viewer->mode == MSG_ATTACH_LOGS && !kept->ended && viewer->until[stream] < end
		       ? viewer->until[stream]
		       : end;
}

/* One frame of it. Whether there was one. */
static bool send_some(struct kept_viewer *viewer, enum msg_stream stream)
{
	const struct ring *ring = &viewer->kept->rings[stream];
	enum msg_type type = stream == MSG_STREAM_STDERR ? MSG_EXEC_STDERR : MSG_EXEC_STDOUT;
	size_t max = credit_room(&viewer->output, PIECE), len;
	uint64_t end = goal(viewer, stream);
	const uint8_t *data;
	uint8_t *space;

	/* What is missed is told once there is room for what comes behind it: until then it grows. */
	if (!max || buf_len(out_of(viewer)) >= queue_limit(viewer->kept))
		return false;
	skip(viewer, stream);
	if (viewer->at[stream] >= end)
		return false;
	len = ring_peek(ring, viewer->at[stream], &data);
	len = len < max ? len : max;
	if (len > end - viewer->at[stream])
		len = (size_t)(end - viewer->at[stream]);
	/* Without memory just now the bytes are safe where they are. */
	if (msg_data_begin(out_of(viewer), len, &space) < 0)
		return false;
	memcpy(space, data, len);
	msg_data_end(out_of(viewer), viewer->member.id, type, len);
	viewer->at[stream] += len;
	viewer->output.sent += len;
	viewer->served = stream;
	outlet_served(&viewer->member);
	told(viewer, 0);
	return true;
}

static bool takes_output(const struct kept_viewer *viewer)
{
	return !viewer->input_only && !viewer->leaves && viewer->mode != MSG_ATTACH_WAIT;
}

static bool has_all(const struct kept_viewer *viewer)
{
	return !takes_output(viewer) ||
	       (viewer->at[MSG_STREAM_STDOUT] >= goal(viewer, MSG_STREAM_STDOUT) &&
		viewer->at[MSG_STREAM_STDERR] >= goal(viewer, MSG_STREAM_STDERR));
}

static void fetch(struct kept *kept)
{
	uint64_t more = FETCHED_MS + (kept->hold_ms < HOLD_MAX_MS ? kept->hold_ms : HOLD_MAX_MS);

	kept->fetched = true;
	if (kept->host->keep_ended_ms > more)
		loop_arm(kept->host->loop, &kept->forget, more);
}

/* It has got all that there is, or will be. */
static void finish(struct kept_viewer *viewer)
{
	struct kept *kept = viewer->kept;
	bool fetches = viewer->mode == MSG_ATTACH_TAKE || viewer->mode == MSG_ATTACH_WAIT;

	/* Of one that has gone the last words may still be heard, but nothing is told to anybody. */
	fetches &= !link_has_lost_peer(outlet_link(viewer->member.outlet));
	if (!kept->ended || viewer->input_only) {
		send_away(viewer, MSG_DETACHED_DONE);
		return;
	}
	told(viewer, msg_put(out_of(viewer), viewer->member.id, MSG_EXEC_EXITED, &kept->exited));
	leave(viewer);
	if (fetches)
		fetch(kept);
}

/* Its turn, after each batch in which something of it changed. */
static void on_turn(struct loop_task *task)
{
	struct kept_viewer *viewer = container_of(task, struct kept_viewer, task);
	struct kept *kept = viewer->kept;
	enum msg_stream first =
		viewer->served == MSG_STREAM_STDOUT ? MSG_STREAM_STDERR : MSG_STREAM_STDOUT;
	bool any = false;

	if (!viewer->greeted)
		return;
	if (takes_output(viewer)) {
		any = send_some(viewer, first);
		any |= send_some(viewer, (enum msg_stream) !first);
	}
	if (has_all(viewer) && !viewer->leaves &&
	    (kept->ended || viewer->mode == MSG_ATTACH_LOGS)) {
		finish(viewer);
		return;
	}
	if (any)
		wake(viewer);
	else if (!has_all(viewer))
		outlet_await(viewer->member.outlet);
	/* It is what holds the rest back, or what the rest waits for to have been sent. */
	if (kept->holder == viewer)
		wake_command(kept);
}

static void on_moved(struct outlet_member *member)
{
	wake(viewer_of(member));
}

static void on_output_credit(struct outlet_member *member, uint64_t consumed)
{
	credit_consumed(&viewer_of(member)->output, consumed);
	wake(viewer_of(member));
}

/* ---- what they say ---- */

static bool is_heard(const struct kept_viewer *viewer)
{
	return feeds(viewer) && viewer->kept->command;
}

/* What one more may send: a command that reads nothing may have had many by now. */
static uint64_t window_for(const struct kept *kept, uint64_t want)
{
	uint64_t taken = kept->waiting, left;
	const struct kept_viewer *viewer;

	list_each(viewer, &kept->viewers, of_kept)
		if (feeds(viewer))
			taken += viewer->input.window;
	left = taken < INPUT_TOTAL ? INPUT_TOTAL - taken : 0;
	left = left < want ? left : want;
	return left > INPUT_LEAST ? left : INPUT_LEAST;
}

/* Who keeps to its credit is read always, whatever others have sent. */
static bool is_too_much(const struct kept_viewer *viewer, size_t waiting)
{
	const struct credit_account *input = &viewer->input;

	return input->window ? input->received - input->told > input->window
			     : waiting >= INPUT_LIMIT;
}

static void count_input(struct kept_viewer *viewer, size_t len)
{
	viewer->input.received += len;
	if (!viewer->input_only)
		viewer->kept->stdin_at += len;
}

static void on_input(struct outlet_member *member, struct msg_bytes data)
{
	struct kept_viewer *viewer = viewer_of(member);
	struct outlet_member *command = viewer->kept->command;

	if (!is_heard(viewer))
		return;
	/* Who has it was told when that was closed, or closed it. */
	if (viewer->input_only && data.len && !command->calls->can_move(command)) {
		told(viewer, msg_put_stdin_error(out_of(viewer), member->id, EPIPE));
		return;
	}
	count_input(viewer, data.len);
	command->calls->on_input(command, data);
}

static bool can_move(const struct outlet_member *member)
{
	const struct kept_viewer *viewer = viewer_of(member);
	const struct outlet_member *command = viewer->kept->command;

	return is_heard(viewer) && command->calls->can_move(command);
}

static ssize_t on_move(struct outlet_member *member, int from_fd, size_t len)
{
	struct kept_viewer *viewer = viewer_of(member);
	struct kept *kept = viewer->kept;
	bool heard = is_heard(viewer);
	ssize_t n = outlet_move(heard ? kept->command : NULL, from_fd, len);

	if (n <= 0 || !heard)
		return n;
	count_input(viewer, (size_t)n);
	/* How many they would be was not known when the command said what waits. */
	kept_input_moved(kept, kept->waiting);
	return n;
}

static void on_resize(struct outlet_member *member, const struct msg_exec_resize *size)
{
	struct kept_viewer *viewer = viewer_of(member);
	struct outlet_member *command = viewer->kept->command;

	if (is_heard(viewer) && !viewer->input_only)
		command->calls->on_resize(command, size);
}

static void on_signal(struct outlet_member *member, int signal)
{
	struct kept_viewer *viewer = viewer_of(member);
	struct outlet_member *command = viewer->kept->command;

	if (is_heard(viewer) && !viewer->input_only)
		command->calls->on_signal(command, signal);
}

static void on_output_close(struct outlet_member *member, enum msg_stream stream)
{
	struct kept_viewer *viewer = viewer_of(member);
	struct outlet_member *command = viewer->kept->command;

	if (is_heard(viewer) && !viewer->input_only)
		command->calls->on_output_close(command, stream);
}

static void on_detach(struct outlet_member *member, const struct msg_session_detach *detach)
{
	(void)detach;
	send_away(viewer_of(member), MSG_DETACHED_ASKED);
}

/* Behind a bad frame of it the session goes on. */
static void on_abandon(struct outlet_member *member)
{
	leave(viewer_of(member));
}

/* What may be on its way to it is held, as its next client may ask for that. */
static void on_lost(struct outlet_member *member)
{
	struct kept_viewer *viewer = viewer_of(member);
	struct kept *kept = viewer->kept;

	if (kept->holder == viewer && kept->hold_ms && !kept->ended) {
		for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
			kept->unacknowledged[i] = dispensable(kept, (enum msg_stream)i);
		loop_arm(kept->host->loop, &kept->hold, kept->hold_ms);
	}
	leave(viewer);
}

static const struct outlet_calls viewer_calls = {
	.on_moved = on_moved,
	.on_lost = on_lost,
	.on_input = on_input,
	.on_move = on_move,
	.can_move = can_move,
	.on_resize = on_resize,
	.on_signal = on_signal,
	.on_output_close = on_output_close,
	.on_output_credit = on_output_credit,
	.on_detach = on_detach,
	.on_abandon = on_abandon,
};

void kept_hold_no_more(struct kept *kept)
{
	kept->hold_ms = 0;
	if (!kept->hold.armed)
		return;
	loop_disarm(kept->host->loop, &kept->hold);
	wake_command(kept);
}

static void on_hold(struct loop_timer *timer)
{
	wake_command(container_of(timer, struct kept, hold));
}

/* ---- coming to it ---- */

static struct kept_viewer *add_viewer(struct kept *kept, struct outlet *outlet, uint32_t id,
				      enum msg_attach mode)
{
	struct kept_viewer *viewer = calloc(1, sizeof(*viewer));

	if (!viewer)
		return NULL;
	viewer->kept = kept;
	viewer->mode = mode;
	viewer->task.on_run = on_turn;
	outlet_join(outlet, &viewer->member, id, &viewer_calls);
	list_append(&kept->viewers, &viewer->of_kept);
	kept->viewer_count++;
	return viewer;
}

/* It has it from now on, and nobody else. */
static void take(struct kept_viewer *viewer, uint64_t hold_ms, bool is_back)
{
	struct kept *kept = viewer->kept;

	if (kept->holder)
		send_away(kept->holder, MSG_DETACHED_TAKEN);
	loop_disarm(kept->host->loop, &kept->hold);
	/* Who comes back may have missed the answer to an earlier try, and has its turn still. */
	kept->turn += !is_back;
	kept->holder = viewer;
	kept->hold_ms = hold_ms;
}

int kept_open(struct kept *kept, struct outlet *outlet, uint32_t id, uint64_t stdin_window,
	      const struct msg_exec_request *request)
{
	struct kept_viewer *viewer = add_viewer(kept, outlet, id, MSG_ATTACH_TAKE);

	if (!viewer)
		return -ENOMEM;
	viewer->input.window = stdin_window;
	viewer->output.window = request->output_window;
	viewer->leaves = request->detached;
	take(viewer, request->hold_ms, false);
	return 0;
}

/* Where its output begins, as it wants and as far as that is there. */
static void place(struct kept_viewer *viewer, const struct msg_session_attach *attach,
		  struct modes *ret_modes)
{
	const bool asked[2] = {attach->has_stdout_since, attach->has_stderr_since};
	const uint64_t since[2] = {attach->stdout_since, attach->stderr_since};
	const struct kept *kept = viewer->kept;

	*ret_modes = (struct modes){.state = MODES_PLAIN};
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++) {
		const struct ring *ring = &kept->rings[i];

		viewer->until[i] = ring->end;
		viewer->at[i] = asked[i] ? since[i] : ring->begin;
		if (viewer->at[i] > ring->end)
			viewer->at[i] = ring->end;
		if (viewer->at[i] < ring->begin)
			viewer->at[i] = ring->begin;
		/* Exactly there, if it is there. */
		if (!kept->tty || !ring->begin || (asked[i] && since[i] >= ring->begin))
			continue;
		*ret_modes = kept->modes;
		viewer->at[i] = clean_place(ring, ret_modes);
	}
}

/* Whether no more may come beside who has it. */
static bool is_crowded(const struct kept *kept)
{
	return kept->viewer_count - (kept->holder != NULL) >= VIEWERS_MAX;
}

static int greet(struct kept_viewer *viewer, const struct msg_session_attach *attach)
{
	static const char plain[] = "\033[0m";
	const struct kept *kept = viewer->kept;
	char restore[sizeof(plain) + MODES_TEXT_MAX];
	struct msg_session_attached attached = {
		.session = text_of(kept->id),
		.name = text_of(kept->name),
		.pid = (uint32_t)kept->pid,
		.tty = kept->tty,
		.stdin_at = kept->stdin_at,
		.stdin_window = viewer->input.window,
		.turn = kept->turn,
	};
	struct modes modes;
	bool midst;

	place(viewer, attach, &modes);
	midst = kept->tty && takes_output(viewer) && kept->rings[MSG_STREAM_STDOUT].begin &&
		!(attach->has_stdout_since &&
		  attach->stdout_since >= kept->rings[MSG_STREAM_STDOUT].begin);
	if (midst) {
		memcpy(restore, plain, sizeof(plain) - 1);
		attached.restore.ptr = (uint8_t *)restore;
		attached.restore.len =
			sizeof(plain) - 1 + modes_on(modes.on, restore + sizeof(plain) - 1);
	}
	attached.stdout_at = viewer->at[MSG_STREAM_STDOUT];
	attached.stderr_at = viewer->at[MSG_STREAM_STDERR];
	viewer->greeted = true;
	wake(viewer);
	return msg_put(out_of(viewer), viewer->member.id, MSG_SESSION_ATTACHED, &attached);
}

int kept_attach(struct kept *kept, struct outlet *outlet, uint32_t id,
		const struct msg_session_attach *attach, enum msg_attach mode)
{
	const struct msg_exec_resize size = {attach->rows, attach->cols, attach->xpixel,
					     attach->ypixel};
	bool is_late = attach->turn && attach->turn != kept->turn;
	struct kept_viewer *viewer;
	int r;

	/* Somebody else has had it since. */
	if (mode == MSG_ATTACH_TAKE && is_late)
		return kept_put_detached(kept, link_out(outlet_link(outlet)), id,
					 MSG_DETACHED_TAKEN);
	if (mode != MSG_ATTACH_TAKE && is_crowded(kept))
		return -EUSERS;
	viewer = add_viewer(kept, outlet, id, mode);
	if (!viewer)
		return -ENOMEM;
	viewer->output.window = attach->output_window;
	if (mode == MSG_ATTACH_TAKE) {
		take(viewer, attach->hold_ms, attach->turn);
		viewer->input.window = attach->stdin_window ? window_for(kept, INPUT_WINDOW) : 0;
	}
	r = greet(viewer, attach);
	if (mode == MSG_ATTACH_TAKE && (size.rows || size.cols))
		on_resize(&viewer->member, &size);
	wake_command(kept);
	return r;
}

int kept_attach_input(struct kept *kept, struct outlet *outlet, uint32_t id,
		      const struct msg_session_attach *attach)
{
	struct kept_viewer *viewer;

	if (is_crowded(kept))
		return -EUSERS;
	viewer = add_viewer(kept, outlet, id, MSG_ATTACH_TAKE);
	if (!viewer)
		return -ENOMEM;
	viewer->input_only = true;
	viewer->input.window = attach->stdin_window ? window_for(kept, SENDER_WINDOW) : 0;
	return greet(viewer, attach);
}

/* ---- for the command ---- */

/* As much of it as fits. */
static void copy_argv(struct kept *kept, char *const *argv, size_t argc)
{
	char *at = kept->argv_text, *end = at + sizeof(kept->argv_text);

	for (kept->argc = 0; kept->argc < argc && kept->argc < KEPT_ARGV_MAX && at + 1 < end;) {
		snprintf(at, (size_t)(end - at), "%s", argv[kept->argc]);
		utf8_scrub(at, strlen(at));
		kept->argv[kept->argc++] = at;
		at += strlen(at) + 1;
	}
}

void kept_bind(struct kept *kept, struct outlet_member *command, const struct kept_facts *facts)
{
	copy_argv(kept, facts->argv, facts->argc);
	kept->command = command;
	kept->pid = facts->pid;
	kept->tty = facts->tty;
	kept->stdin_at = facts->stdin_at;
	kept->started_ms = loop_now_ms() - facts->age_ms;
	snprintf(kept->user, sizeof(kept->user), "%s", facts->user);
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
		ring_init(&kept->rings[i], kept->host->replay, kept->total, facts->at[i]);
	if (facts->restore.len)
		modes_watch(&kept->modes, facts->restore.ptr, facts->restore.len);
}

void kept_unbind(struct kept *kept)
{
	struct kept_viewer *viewer;

	/* Nothing waits any more. */
	list_each(viewer, &kept->viewers, of_kept)
		outlet_stall(&viewer->member, false);
	kept->waiting = 0;
	kept->command = NULL;
}

void kept_started(struct kept *kept)
{
	struct kept_viewer *holder = kept->holder;
	struct msg_exec_started started = {.pid = (uint32_t)kept->pid,
					   .session = text_of(kept->id)};

	/* Who has come to it since was told so. */
	if (!holder || holder->greeted)
		return;
	started.stdin_window = holder->input.window;
	started.turn = kept->turn;
	holder->greeted = true;
	told(holder, msg_put(out_of(holder), holder->member.id, MSG_EXEC_STARTED, &started));
	wake(holder);
}

void kept_failed(struct kept *kept, enum msg_failure kind, int num, const char *message,
		 const char *stage)
{
	struct kept_viewer *holder = kept->holder;

	if (!holder || holder->greeted)
		return;
	told(holder,
	     msg_put_exec_failed(out_of(holder), holder->member.id, kind, num, message, stage));
	leave(holder);
}

void kept_ended(struct kept *kept, const struct msg_exec_exited *exited)
{
	struct kept_host *host = kept->host;

	kept->ended = true;
	kept->ended_ms = loop_now_ms();
	kept->exited = *exited;
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
		ring_settle(&kept->rings[i]);
	loop_disarm(host->loop, &kept->hold);
	loop_arm(host->loop, &kept->forget, host->keep_ended_ms);
	wake_all(kept);
}

bool kept_is_level(const struct kept *kept)
{
	const struct kept_viewer *holder = kept->holder;

	return !holder || (has_all(holder) && !link_unsent(outlet_link(holder->member.outlet)));
}

uint64_t kept_sent_ms(const struct kept *kept)
{
	return kept->holder ? outlet_sent_ms(kept->holder->member.outlet) : 0;
}

void kept_await(struct kept *kept)
{
	if (kept->holder)
		outlet_await(kept->holder->member.outlet);
}

void kept_input_error(struct kept *kept, int error)
{
	struct kept_viewer *viewer;

	list_each(viewer, &kept->viewers, of_kept)
		if (feeds(viewer) && viewer->greeted)
			told(viewer, msg_put_stdin_error(out_of(viewer), viewer->member.id, error));
}

void kept_input_moved(struct kept *kept, size_t waiting)
{
	struct kept_viewer *viewer;
	uint64_t consumed;

	kept->waiting = waiting;
	list_each(viewer, &kept->viewers, of_kept) {
		struct credit_account *input = &viewer->input;

		if (!feeds(viewer))
			continue;
		if (viewer->greeted && credit_due(input, waiting, &consumed))
			told(viewer, msg_put_credit(out_of(viewer), viewer->member.id,
						    MSG_EXEC_STDIN_CREDIT, consumed));
		outlet_stall(&viewer->member, is_too_much(viewer, waiting));
	}
}

/* ---- for the keeper ---- */

static void on_forget(struct loop_timer *timer)
{
	struct kept *kept = container_of(timer, struct kept, forget);

	if (kept->viewers.first)
		loop_arm(kept->host->loop, timer, LOOK_AGAIN_MS);
	else
		kept->host->on_forgotten(kept);
}

void kept_init(struct kept *kept)
{
	kept->hold.on_due = on_hold;
	kept->forget.on_due = on_forget;
}

static void free_kept(struct loop_grave *grave)
{
	free(container_of(grave, struct kept, grave));
}

void kept_free(struct kept *kept)
{
	struct kept_viewer *viewer, *next;

	kept->command = NULL;
	list_each_safe(viewer, next, &kept->viewers, of_kept)
		send_away(viewer, MSG_DETACHED_REMOVED);
	loop_disarm(kept->host->loop, &kept->hold);
	loop_disarm(kept->host->loop, &kept->forget);
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
		ring_release(&kept->rings[i]);
	loop_bury(kept->host->loop, &kept->grave, free_kept);
}

bool kept_owes(const struct kept *kept)
{
	const struct kept_viewer *viewer;

	list_each(viewer, &kept->viewers, of_kept)
		if (!viewer->leaves && (kept->ended || !has_all(viewer)))
			return true;
	return false;
}

static uint64_t cpu_us(const struct kept *kept)
{
	if (kept->ended)
		return kept->exited.usage.user_us + kept->exited.usage.sys_us;
	return procfs_cpu_us(kept->pid);
}

void kept_describe(const struct kept *kept, struct msg_session_entry *ret)
{
	const struct ring *of_stdout = &kept->rings[MSG_STREAM_STDOUT];
	const struct ring *of_stderr = &kept->rings[MSG_STREAM_STDERR];
	const struct kept_viewer *viewer;

	*ret = (struct msg_session_entry){
		.session = text_of(kept->id),
		.name = text_of(kept->name),
		.user = text_of(kept->user),
		.pid = (uint32_t)kept->pid,
		.tty = kept->tty,
		.ended = kept->ended,
		.age_ms = loop_now_ms() - kept->started_ms,
		.cpu_us = cpu_us(kept),
		.command = {.strv = kept->argv, .count = kept->argc},
		.stdout_begin = of_stdout->begin,
		.stdout_end = of_stdout->end,
		.stderr_begin = of_stderr->begin,
		.stderr_end = of_stderr->end,
		.exited = kept->exited,
	};
	list_each(viewer, &kept->viewers, of_kept)
		ret->attached += !viewer->input_only;
}
