/* A connection of the daemon's that stopped reading, or whose jobs did: each is woken. */
#include "daemon/serve/serial.h"
#include "daemon/session/job.c"
#include "unit_wake.h"

/* What held up the frames is gone with the flush of the same turn, and nothing else will happen. */
static void frames_behind_a_queue_that_one_flush_empties_are_taken(void **state)
{
	struct reader reader;
	struct conn *conn;
	int to, from;

	(void)state;
	conn = open_pipes(&to, &from);
	assert_true(fcntl(from, F_SETPIPE_SZ, FULL) >= FULL);
	put_bytes(conn, FULL);
	send_ping(to);
	reader_start(&reader, from, FULL, FULL + pong_len());
	run();
	reader_stop(&reader);
	close(to);
	close(from);
}

/* The same with a client that is gone by then: its connection is not kept for ever. */
static void end_behind_a_queue_that_one_flush_empties_is_seen(void **state)
{
	struct conn *conn;
	int to, from;

	(void)state;
	conn = open_pipes(&to, &from);
	assert_true(fcntl(from, F_SETPIPE_SZ, FULL) >= FULL);
	send_ping(to);
	close(to);
	link_read(&conn->link);
	link_read(&conn->link);
	assert_true(conn->link.ended);
	put_bytes(conn, FULL);
	conn->link.ended = false;
	link_mark(&conn->link);
	while (dispatch.conns.conn_count)
		run_once();
	close(from);
}

/* A client that takes little by little is served as one that takes all. */
static void more_frames_than_a_turn_takes_are_all_answered(void **state)
{
	struct reader reader;
	int to, from;

	(void)state;
	open_pipes(&to, &from);
	for (int i = 0; i < 1000; i++)
		send_ping(to);
	reader_start(&reader, from, 100, 1000 * pong_len());
	run();
	reader_stop(&reader);
	close(to);
	close(from);
}

/* A peer that is gone while nothing is read is heard although there is something to write, too. */
static void hang_up_is_heard_while_output_waits(void **state)
{
	struct conn *conn;
	int to, from;

	(void)state;
	conn = open_pipes(&to, &from);
	put_bytes(conn, FULL + 1000);
	conn->link.in_source.on_ready(&conn->link.in_source, LOOP_OUT | LOOP_HUP);
	assert_true(conn->link.ended);
	while (dispatch.conns.conn_count)
		run_once();
	close(to);
	close(from);
}

/* ---- jobs that wait for room in the queue ---- */

/* It was full between two looks, and is not at either of them. */
static void output_is_read_again_after_a_queue_that_filled_and_emptied_in_one_batch(void **state)
{
	struct conn *conn;
	struct job *job;
	int to, from, out[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	job = add_job(conn, 1, false, -1, out[0]);
	put_bytes(conn, JOB_OUTPUT_LIMIT);
	assert_int_equal(write(out[1], "x", 1), 1);
	link_mark(&conn->link);
	run_once();
	/* The pipe took a part of it. */
	assert_true(link_unsent(&conn->link) > 0);
	assert_true(buf_len(&conn->link.out) < JOB_OUTPUT_LIMIT);
	assert_true(job->pump.out_source.want & LOOP_IN);
	close(to);
	close(from);
	close(out[1]);
}

static void output_behind_a_full_queue_comes_once_the_client_reads(void **state)
{
	struct reader reader;
	struct conn *conn;
	int to, from, out[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	add_job(conn, 1, false, -1, out[0]);
	put_bytes(conn, FULL);
	assert_int_equal(write(out[1], "x", 1), 1);
	link_mark(&conn->link);
	run_once();
	reader_start(&reader, from, 5000, FULL + 1);
	run();
	reader_stop(&reader);
	close(to);
	close(from);
	close(out[1]);
}

/* Pages that another job has on the way are waited for, and no longer than they are there. */
static void output_that_waits_for_the_pages_of_another_is_read_again(void **state)
{
	static uint8_t much[PUMP_READ_MAX];
	int fd, one[2], other[2], ends[2];
	struct conn *conn;
	struct job *job;

	(void)state;
	conn = open_socket(&fd);
	assert_int_equal(pipe2(one, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	job = add_job(conn, 1, false, -1, one[0]);
	job->pump.plenty[MSG_STREAM_STDOUT] = true;
	/* So little that one flush takes it. */
	assert_int_equal(write(other[1], much, 1000), 1000);
	assert_int_equal(bulk_fill(&conn->link.bulk, other[0], 1000), 1000);
	conn->link.bulk.before = 0;
	watch_pump(job);
	assert_int_equal(job->pump.out_source.want, 0);
	link_mark(&conn->link);
	run_once();
	assert_int_equal(conn->link.bulk.len, 0);
	assert_true(job->pump.out_source.want & LOOP_IN);
	close(fd);
	close(one[1]);
	close(other[0]);
	close(other[1]);
	close(ends[0]);
	close(ends[1]);
}

static void output_over_the_window_comes_with_the_credit(void **state)
{
	struct reader reader;
	struct conn *conn;
	struct job *job;
	struct buf credit;
	int to, from, out[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	job = add_job(conn, 1, false, -1, out[0]);
	job->output.window = 10;
	assert_int_equal(write(out[1], "twenty bytes of text", 20), 20);
	while (job->output.sent < 10)
		run_once();
	assert_int_equal(job->pump.out_source.want, 0);
	buf_init(&credit, 4096, NULL);
	assert_int_equal(msg_put_credit(&credit, 1, MSG_EXEC_OUTPUT_CREDIT, 10), 0);
	assert_int_equal(write(to, buf_head(&credit), buf_len(&credit)), buf_len(&credit));
	buf_release(&credit);
	while (job->output.sent < 20)
		run_once();
	reader_start(&reader, from, 4096, 40);
	run();
	reader_stop(&reader);
	close(to);
	close(from);
	close(out[1]);
}

/* The clock of silence stands while something is to be sent, and goes on when that is out. */
static void silence_is_told_once_all_is_sent(void **state)
{
	static const size_t fills[] = {200000, JOB_OUTPUT_LIMIT, FULL};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(fills); i++) {
		struct reader reader;
		struct conn *conn;
		struct job *job;
		int to, from, out[2];

		conn = open_pipes(&to, &from);
		assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
		job = add_job(conn, 1, false, -1, out[0]);
		job->linger_ms = 1;
		put_bytes(conn, fills[i]);
		happen(job, SESSION_LEADER_ENDED);
		link_mark(&conn->link);
		run_once();
		assert_false(job->session.silent);
		reader_start(&reader, from, 50000, fills[i] + 1);
		run();
		reader_stop(&reader);
		assert_true(job->session.silent);
		close(to);
		close(from);
		close(out[1]);
	}
}

/* ---- input that a command does not take ---- */

static void connection_of_a_stalled_job_is_read_again_when_it_takes_its_input(void **state)
{
	static uint8_t much[JOB_INPUT_LIMIT * 2];
	struct reader reader, child;
	struct conn *conn;
	struct job *job;
	int to, from, in[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	job = add_job(conn, 1, false, in[1], -1);
	job_input(job, (struct msg_bytes){much, sizeof(much)});
	assert_int_equal(conn->outlet.stalled, 1);
	send_ping(to);
	run_once();
	run_once();
	reader_start(&child, in[0], 10000, 0);
	reader_start(&reader, from, 4096, pong_len());
	run();
	reader_stop(&reader);
	reader_stop(&child);
	close(to);
	close(from);
	close(in[0]);
}

/* Its input goes with its terminal, and does not hold up the others for ever. */
static void connection_of_a_stalled_terminal_is_read_again_when_that_is_closed(void **state)
{
	static uint8_t much[JOB_INPUT_LIMIT * 4];
	struct reader reader;
	struct conn *conn;
	struct job *job;
	int to, from, pair[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	job = add_job(conn, 1, true, pair[0], pair[0]);
	job_input(job, (struct msg_bytes){much, sizeof(much)});
	assert_int_equal(conn->outlet.stalled, 1);
	send_ping(to);
	run_once();
	on_output_close(&job->member, MSG_STREAM_STDOUT);
	reader_start(&reader, from, 4096, pong_len());
	run();
	reader_stop(&reader);
	close(to);
	close(from);
	close(pair[1]);
}

static void client_hears_of_its_credit_when_the_command_reads(void **state)
{
	static uint8_t much[JOB_INPUT_WINDOW];
	struct reader reader, child;
	struct conn *conn;
	struct job *job;
	int to, from, in[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	job = add_job(conn, 1, false, in[1], -1);
	job->input.window = JOB_INPUT_WINDOW;
	job_input(job, (struct msg_bytes){much, sizeof(much)});
	run_once();
	reader_start(&child, in[0], 10000, 0);
	reader_start(&reader, from, 4096, 1);
	while (job->input.told < JOB_INPUT_WINDOW / 2)
		run();
	reader_stop(&reader);
	reader_stop(&child);
	close(to);
	close(from);
	close(in[0]);
}

/* What the client still has to write. */
struct writer {
	struct loop_source source;
	struct buf bytes;
};

static void writer_writes(struct loop_source *source, uint32_t ready)
{
	struct writer *writer = (struct writer *)((char *)source - offsetof(struct writer, source));
	ssize_t n = write(source->fd, buf_head(&writer->bytes), buf_len(&writer->bytes));

	(void)ready;
	if (n > 0)
		buf_consume(&writer->bytes, (size_t)n);
	if (!buf_len(&writer->bytes))
		loop_want(&loop, source, 0);
}

/* Frames of a mebibyte, whose bodies are moved and not read, to a command that is slow. */
static void large_frames_of_input_go_on_when_the_command_reads(void **state)
{
	static const uint64_t windows[] = {0, JOB_INPUT_WINDOW};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(windows); i++) {
		struct reader child;
		struct writer writer;
		struct conn *conn;
		struct job *job;
		int fd, in[2];

		conn = open_socket(&fd);
		assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
		job = add_job(conn, 1, false, in[1], -1);
		job->input.window = windows[i];
		buf_init(&writer.bytes, 1 << 24, NULL);
		for (int frame = 0; frame < 3; frame++) {
			uint8_t *space;

			assert_int_equal(msg_data_begin(&writer.bytes, 1 << 20, &space), 0);
			memset(space, 0, 1 << 20);
			msg_data_end(&writer.bytes, 1, MSG_EXEC_STDIN, 1 << 20);
		}
		loop_source_init(&writer.source, fd, writer_writes);
		loop_want(&loop, &writer.source, LOOP_OUT);
		/* First it reads nothing, until all that may be under way is. */
		while (!conn->outlet.stalled)
			run_once();
		reader_start(&child, in[0], 5000, 3 << 20);
		run();
		reader_stop(&child);
		loop_remove(&loop, &writer.source);
		buf_release(&writer.bytes);
		close(fd);
		close(in[0]);
	}
}

/* ---- a terminal that nobody has open ---- */

/* A look at it while there is no room must not take it for its end. */
static void parked_terminal_survives_a_look_without_room(void **state)
{
	struct reader reader;
	struct conn *conn;
	struct job *job;
	int to, from, pair[2];

	(void)state;
	conn = open_pipes(&to, &from);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	job = add_job(conn, 1, true, pair[0], pair[0]);
	job->pump.parked = true;
	watch_pump(job);
	put_bytes(conn, FULL);
	assert_int_equal(write(pair[1], "tail", 4), 4);
	job->parked.on_due(&job->parked);
	assert_true(pump_is_open(&job->pump, MSG_STREAM_STDOUT));
	link_mark(&conn->link);
	reader_start(&reader, from, 50000, FULL + 4);
	run();
	assert_int_equal(job->output.sent, 4);
	reader_stop(&reader);
	close(to);
	close(from);
	close(pair[1]);
}

/* ---- a serial port ---- */

static void no_end(struct serial *serial)
{
	(void)serial;
}

/* What does not come because we do not read has not broken off. */
static void half_a_frame_is_not_missed_while_nothing_is_read(void **state)
{
	static struct serial serial = {.on_end = no_end};
	struct conn *conn = &serial.conn;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	serial_open(&serial, &dispatch, pair[0], "test", 0);
	run_once();
	assert_int_equal(write(pair[1], "\0\0\0\x10\0", 5), 5);
	while (!serial.cut_timer.armed)
		run_once();
	put_bytes(conn, FULL + 100000);
	link_mark(&conn->link);
	run_once();
	assert_true(buf_len(&conn->link.out) < FULL || !serial.cut_timer.armed);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest wake_conn_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, wake_set_up, wake_tear_down)
		WAKE(frames_behind_a_queue_that_one_flush_empties_are_taken),
		WAKE(end_behind_a_queue_that_one_flush_empties_is_seen),
		WAKE(more_frames_than_a_turn_takes_are_all_answered),
		WAKE(hang_up_is_heard_while_output_waits),
		WAKE(output_is_read_again_after_a_queue_that_filled_and_emptied_in_one_batch),
		WAKE(output_behind_a_full_queue_comes_once_the_client_reads),
		WAKE(output_that_waits_for_the_pages_of_another_is_read_again),
		WAKE(output_over_the_window_comes_with_the_credit),
		WAKE(silence_is_told_once_all_is_sent),
		WAKE(connection_of_a_stalled_job_is_read_again_when_it_takes_its_input),
		WAKE(connection_of_a_stalled_terminal_is_read_again_when_that_is_closed),
		WAKE(client_hears_of_its_credit_when_the_command_reads),
		WAKE(large_frames_of_input_go_on_when_the_command_reads),
		WAKE(parked_terminal_survives_a_look_without_room),
		WAKE(half_a_frame_is_not_missed_while_nothing_is_read),
	};

	return cmocka_run_group_tests(wake_conn_tests, NULL, NULL);
}
