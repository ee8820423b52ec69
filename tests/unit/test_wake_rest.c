/* A stream of a job that is left alone for a moment: what ends that, and that nothing gets lost by it. */
#include "daemon/session/job.c"
#include "unit_wake.h"

#define FOR_EVER 3600000 /* ms: what ends such a rest is something else */

static int fd, out, err; /* of the client's connection, and the command's ends of its pipes */

static int set_up(void **state)
{
	fd = out = err = -1;
	return wake_set_up(state);
}

static int tear_down(void **state)
{
	close(fd);
	close(out);
	close(err);
	return wake_tear_down(state);
}

/* A job whose output rests, with two bytes in its pipe. */
static struct job *resting_job(void)
{
	int out_pipe[2], err_pipe[2];
	struct job *job;

	assert_int_equal(pipe2(out_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(err_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	out = out_pipe[1];
	err = err_pipe[1];
	job = add_job(open_socket(&fd), 3, false, -1, -1);
	pump_init(&job->pump, &loop, false, -1, out_pipe[0], err_pipe[0], FRAME_WIRE_MAX,
		  &jobs.spare);
	job->pump.on_output = on_output;
	job->pump.on_input = on_input;
	job->pump.on_rested = on_rested;
	job->pump.resting = MSG_STREAM_STDOUT;
	job->pump.paced = true;
	loop_arm(&loop, &job->pump.rest, FOR_EVER);
	watch_pump(job);
	assert_int_equal(write(out, "ab", 2), 2);
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDOUT], 0);
	return job;
}

static void output_that_rests_comes_when_the_rest_is_over(void **state)
{
	struct job *job = resting_job();

	(void)state;
	loop_arm(&loop, &job->pump.rest, 0);
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDOUT], 2);
}

/* And its end, after which nothing is to be read that would tell. */
static void output_that_rests_comes_at_once_when_it_is_waited_for(void **state)
{
	struct job *job = resting_job();

	(void)state;
	fd_close(&out);
	fd_close(&err);
	pump_hasten(&job->pump);
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDOUT], 2);
	assert_true(job->session.output_ended);
}

/* Both streams rest for the sake of others; one of them is closed meanwhile. */
static void streams_that_rest_for_others_are_read_again(void **state)
{
	struct job *job = resting_job();

	(void)state;
	pump_rest(&job->pump, (uint64_t)FOR_EVER * 1000);
	watch_pump(job);
	assert_int_equal(write(err, "c", 1), 1);
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDERR], 0);
	pump_close_output(&job->pump, MSG_STREAM_STDOUT);
	watch_pump(job);
	loop_arm(&loop, &job->pump.rest, 0);
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDERR], 1);
}

/* The echo of a key is not put off by what came before it. */
static void input_ends_a_rest(void **state)
{
	struct job *job = resting_job();

	(void)state;
	job_input(job, (struct msg_bytes){(uint8_t[]){0}, 1});
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDOUT], 2);
}

/* What was written to stdout before it comes before it. */
static void words_on_the_other_stream_end_a_rest(void **state)
{
	struct job *job = resting_job();
	struct msg_envelope envelope;
	struct reader reader;
	struct frame frame;
	size_t missing;

	(void)state;
	assert_int_equal(write(err, "c", 1), 1);
	reader_start(&reader, fd, 4096, 0);
	settle();
	assert_int_equal(job->printed[MSG_STREAM_STDOUT], 2);
	assert_int_equal(job->printed[MSG_STREAM_STDERR], 1);
	assert_int_equal(frame_next(&reader.bytes, &frame, &missing), 1);
	assert_int_equal(msg_open(&frame, &envelope), 0);
	assert_int_equal(envelope.type, MSG_EXEC_STDOUT);
	reader_stop(&reader);
}

int main(void)
{
	const struct CMUnitTest wake_rest_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		WAKE(output_that_rests_comes_when_the_rest_is_over),
		WAKE(output_that_rests_comes_at_once_when_it_is_waited_for),
		WAKE(streams_that_rest_for_others_are_read_again),
		WAKE(input_ends_a_rest),
		WAKE(words_on_the_other_stream_end_a_rest),
	};

	return cmocka_run_group_tests(wake_rest_tests, NULL, NULL);
}
