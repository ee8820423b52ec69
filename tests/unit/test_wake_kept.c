/* Kept sessions whose output or input waits for somebody: each is woken. Bytes are counted, and say where they stand. */
#include "daemon/session/job.c"
#include "unit_wake.h"

#define LOTS (5 * WAKE_REPLAY)

/* The byte of the stream at that offset. */
static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 16);
}

/* A command that writes LOTS as fast as it may, and ends then. */
struct writer {
	struct loop_source source;
	uint64_t written, enough;
};

static void write_on(struct loop_source *source, uint32_t ready)
{
	struct writer *writer = container_of(source, struct writer, source);
	uint8_t some[4096];
	ssize_t n;

	(void)ready;
	for (size_t i = 0; i < sizeof(some); i++)
		some[i] = byte_at(writer->written + i);
	n = write(source->fd, some, sizeof(some));
	if (n > 0)
		writer->written += (uint64_t)n;
	if (writer->written >= writer->enough) {
		loop_remove(&loop, source);
		loop_stop(&loop);
	}
}

static void writer_start(struct writer *writer, int fd, uint64_t enough)
{
	writer->enough = writer->written + enough;
	loop_source_init(&writer->source, fd, write_on);
	loop_want(&loop, &writer->source, LOOP_OUT);
}

/* A session that was left and is kept, with its command's other ends in *ret_in and *ret_out. */
static struct kept *add_kept_job(struct conn *conn, int *ret_in, int *ret_out, struct job **ret_job)
{
	int in[2], out[2];
	struct job *job;

	assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	job = add_job(conn, 1, false, in[1], out[0]);
	job->timeout_signal = SIGTERM;
	job->member.calls->on_detach(&job->member, &(struct msg_session_detach){{NULL, 0}});
	assert_non_null(job->kept);
	*ret_in = in[0];
	*ret_out = out[1];
	*ret_job = job;
	return job->kept;
}

/* What a client has got: frames, of which the output is checked against its offset. */
struct got {
	uint64_t at; /* the next byte */
	uint64_t received, skipped;
	uint64_t enough; /* bytes, then the loop is stopped */
	bool exited, detached;
	struct conn *conn;
	bool credits;
};

static struct got got;

static void take_frame_of(const struct msg_envelope *envelope)
{
	struct msg_session_attached attached;
	struct msg_session_skipped skipped;
	struct msg_data data;

	switch (envelope->type) {
	case MSG_SESSION_ATTACHED:
		assert_int_equal(msg_decode(envelope->type, envelope->payload, &attached), 0);
		got.at = attached.stdout_at;
		break;
	case MSG_SESSION_SKIPPED:
		assert_int_equal(msg_decode(envelope->type, envelope->payload, &skipped), 0);
		got.at += skipped.bytes;
		got.skipped += skipped.bytes;
		break;
	case MSG_EXEC_STDOUT:
		assert_int_equal(msg_decode(envelope->type, envelope->payload, &data), 0);
		for (size_t i = 0; i < data.data.len; i++)
			assert_int_equal(data.data.ptr[i], byte_at(got.at + i));
		got.at += data.data.len;
		got.received += data.data.len;
		break;
	case MSG_EXEC_EXITED:
		got.exited = true;
		break;
	case MSG_SESSION_DETACHED:
		got.detached = true;
		break;
	default:
		fail_msg("%s came", msg_name(envelope->type));
	}
}

static void on_bytes(struct reader *reader)
{
	struct msg_envelope envelope;
	struct frame frame;
	size_t missing;

	while (frame_next(&reader->bytes, &frame, &missing) > 0) {
		assert_int_equal(msg_open(&frame, &envelope), 0);
		take_frame_of(&envelope);
		buf_consume(&reader->bytes, frame.wire_len);
	}
	if (got.credits) {
		struct outlet_member *member = outlet_find(&got.conn->outlet, 2);

		if (member)
			member->calls->on_output_credit(member, got.received);
	}
	if (got.exited || got.detached || (got.enough && got.at >= got.enough))
		loop_stop(&loop);
}

static void start_reading(struct reader *reader, struct conn *conn, int from, size_t piece)
{
	got = (struct got){.conn = conn};
	reader_start(reader, from, piece, 0);
	reader->on_bytes = on_bytes;
}

static void attach_as(struct kept *kept, struct conn *conn, const char *mode, uint64_t window)
{
	const struct msg_text text = {mode, strlen(mode)};
	const struct msg_session_attach attach = {.output_window = window};

	assert_int_equal(kept_attach(kept, &conn->outlet, 2, &attach,
				     (enum msg_attach)msg_attach_parse(text)),
			 0);
	link_mark(&conn->link);
}

/* It ends: its last output is read, and then it is gone. There is no process that could be buried. */
static void end_of(struct job *job, int out)
{
	struct kept *kept = job->kept;

	job->session.leader_ended = true;
	job->session.done |= SESSION_BURY;
	close(out);
	while (!kept->ended)
		run_once();
}

static void output_that_nobody_reads_is_dropped_but_for_the_last_of_it(void **state)
{
	struct writer writer = {.written = 0};
	int to, from, in, out;
	struct kept *kept;
	struct job *job;

	(void)state;
	kept = add_kept_job(open_pipes(&to, &from), &in, &out, &job);
	writer_start(&writer, out, LOTS);
	run();
	while (kept->rings[0].end < LOTS)
		run_once();
	assert_int_equal(kept->rings[0].end, LOTS);
	assert_true(ring_held(&kept->rings[0]) <= WAKE_REPLAY);
	assert_true(ring_held(&kept->rings[0]) >= WAKE_REPLAY / 2);
	close(to);
	close(from);
	close(in);
	close(out);
}

/* More than is held goes through to who reads slowly, and nothing of it is missing. */
static void all_output_goes_to_who_has_it(const char *mode, uint64_t window, bool credits)
{
	struct writer writer = {.written = 0};
	int to, from, in, out;
	struct reader reader;
	struct kept *kept;
	struct conn *conn;
	struct job *job;

	conn = open_pipes(&to, &from);
	kept = add_kept_job(conn, &in, &out, &job);
	start_reading(&reader, conn, from, 3000);
	got.credits = credits;
	/* What tells of the leaving comes first. */
	run();
	assert_true(got.detached);
	got.detached = false;
	attach_as(kept, conn, mode, window);
	writer_start(&writer, out, LOTS);
	run();
	got.enough = LOTS;
	if (got.at < LOTS)
		run();
	assert_int_equal(got.at, LOTS);
	assert_int_equal(got.received, LOTS);
	reader_stop(&reader);
	close(to);
	close(from);
	close(in);
	close(out);
}

static void all_output_goes_to_a_slow_client_without_credit(void **state)
{
	(void)state;
	all_output_goes_to_who_has_it("take", 0, false);
}

static void all_output_goes_to_a_slow_client_with_a_window_larger_than_what_is_held(void **state)
{
	(void)state;
	all_output_goes_to_who_has_it("take", (uint64_t)4 * WAKE_REPLAY, true);
}

static void all_output_goes_to_a_slow_client_with_a_small_window(void **state)
{
	(void)state;
	all_output_goes_to_who_has_it("take", 1000, true);
}

/* A command is not held up by who only looks on, and that one is told what it missed. */
static void who_looks_on_and_does_not_read_holds_up_nothing(void **state)
{
	struct writer writer = {.written = 0};
	int to, from, in, out;
	struct reader reader;
	struct kept *kept;
	struct conn *conn;
	struct job *job;

	(void)state;
	conn = open_pipes(&to, &from);
	kept = add_kept_job(conn, &in, &out, &job);
	attach_as(kept, conn, "watch", 0);
	writer_start(&writer, out, 4 * FULL);
	run();
	start_reading(&reader, conn, from, 100000);
	got.enough = 4 * FULL;
	run();
	while (got.at < got.enough) {
		got.detached = false;
		run();
	}
	assert_int_equal(got.at, 4 * FULL);
	assert_true(got.skipped > 0);
	assert_int_equal(got.received + got.skipped, 4 * FULL);
	reader_stop(&reader);
	close(to);
	close(from);
	close(in);
	close(out);
}

/* Of a client that is lost and comes back nothing is missing, although it was away for more than is held. */
static void output_waits_for_a_client_that_may_come_back(void **state)
{
	struct writer writer = {.written = 0};
	int to, from, in, out, other_to, other_from;
	struct msg_session_attach attach = {.hold_ms = 3600 * 1000};
	struct reader reader;
	struct kept *kept;
	struct conn *conn;
	struct job *job;

	(void)state;
	conn = open_pipes(&to, &from);
	kept = add_kept_job(conn, &in, &out, &job);
	assert_int_equal(kept_attach(kept, &conn->outlet, 2, &attach, MSG_ATTACH_TAKE), 0);
	close(to);
	close(from);
	while (dispatch.conns.conn_count)
		run_once();
	writer_start(&writer, out, LOTS);
	for (int i = 0; i < 100; i++)
		run_once();
	assert_int_equal(kept->rings[0].begin, 0);
	assert_true(kept->rings[0].end >= WAKE_REPLAY / 4 * 3);
	conn = open_pipes(&other_to, &other_from);
	start_reading(&reader, conn, other_from, 3000);
	got.enough = LOTS;
	attach.has_stdout_since = true;
	assert_int_equal(kept_attach(kept, &conn->outlet, 2, &attach, MSG_ATTACH_TAKE), 0);
	link_mark(&conn->link);
	run();
	if (got.at < LOTS)
		run();
	assert_int_equal(got.received, LOTS);
	reader_stop(&reader);
	close(other_to);
	close(other_from);
	close(in);
	close(out);
}

/* And when it has not come by then, the command goes on. */
static void output_waits_for_no_client_longer_than_it_said(void **state)
{
	const struct msg_session_attach attach = {.hold_ms = 50};
	struct writer writer = {.written = 0};
	int to, from, in, out;
	struct kept *kept;
	struct conn *conn;
	struct job *job;

	(void)state;
	conn = open_pipes(&to, &from);
	kept = add_kept_job(conn, &in, &out, &job);
	assert_int_equal(kept_attach(kept, &conn->outlet, 2, &attach, MSG_ATTACH_TAKE), 0);
	close(to);
	close(from);
	writer_start(&writer, out, LOTS);
	run();
	while (kept->rings[0].end < LOTS)
		run_once();
	close(in);
	close(out);
}

/* How it ended comes behind all output, once the client has taken that. */
static void end_comes_behind_what_a_slow_client_has_still_to_take(void **state)
{
	struct writer writer = {.written = 0};
	int to, from, in, out;
	struct reader reader;
	struct kept *kept;
	struct conn *conn;
	struct job *job;

	(void)state;
	conn = open_pipes(&to, &from);
	kept = add_kept_job(conn, &in, &out, &job);
	writer_start(&writer, out, WAKE_REPLAY / 2);
	run();
	end_of(job, out);
	start_reading(&reader, conn, from, 500);
	run();
	assert_true(got.detached);
	got.detached = false;
	attach_as(kept, conn, "take", 0);
	run();
	assert_true(got.exited);
	assert_int_equal(got.received, WAKE_REPLAY / 2);
	assert_true(kept->fetched);
	reader_stop(&reader);
	close(to);
	close(from);
	close(in);
}

/* What a command does not take stops its client's connection, and goes on when it does. */
static void connection_of_who_feeds_it_is_read_again_when_it_takes_its_input(void **state)
{
	static uint8_t much[JOB_INPUT_LIMIT + 200000], waste[65536];
	const struct msg_session_attach attach = {.stdin_window = false};
	struct outlet_member *member;
	int to, from, in, out;
	struct kept *kept;
	struct conn *conn;
	struct job *job;

	(void)state;
	conn = open_pipes(&to, &from);
	kept = add_kept_job(conn, &in, &out, &job);
	assert_int_equal(kept_attach_input(kept, &conn->outlet, 2, &attach), 0);
	member = outlet_find(&conn->outlet, 2);
	member->calls->on_input(member, (struct msg_bytes){much, sizeof(much)});
	assert_true(outlet_is_stalled(&conn->outlet));
	while (outlet_is_stalled(&conn->outlet)) {
		assert_true(read(in, waste, sizeof(waste)) > 0);
		run_once();
	}
	close(to);
	close(from);
	close(in);
	close(out);
}

int main(void)
{
	const struct CMUnitTest wake_kept_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, wake_set_up, wake_tear_down)
		WAKE(output_that_nobody_reads_is_dropped_but_for_the_last_of_it),
		WAKE(all_output_goes_to_a_slow_client_without_credit),
		WAKE(all_output_goes_to_a_slow_client_with_a_window_larger_than_what_is_held),
		WAKE(all_output_goes_to_a_slow_client_with_a_small_window),
		WAKE(who_looks_on_and_does_not_read_holds_up_nothing),
		WAKE(output_waits_for_a_client_that_may_come_back),
		WAKE(output_waits_for_no_client_longer_than_it_said),
		WAKE(end_comes_behind_what_a_slow_client_has_still_to_take),
		WAKE(connection_of_who_feeds_it_is_read_again_when_it_takes_its_input),
	};

	return cmocka_run_group_tests(wake_kept_tests, NULL, NULL);
}
