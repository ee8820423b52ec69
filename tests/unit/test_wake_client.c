/* A connection to an agent whose owner stopped reading frames, and one that is over. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client/client.h"
#include "unit_loop.h"

static struct client client;
static int agent;
static unsigned frames, looks, losses;
static bool refuses_once; /* the first look of each turn says no */

static void on_frame(struct client_session *unused, const struct msg_envelope *envelope)
{
	(void)unused;
	(void)envelope;
	frames++;
}

static const struct client_session_calls calls = {.on_frame = on_frame};
static struct client_session session;

static void on_lost(struct client *unused, const struct err *err)
{
	(void)unused;
	(void)err;
	losses++;
	loop_stop(&loop);
}

/* What it says may change with the flush between two looks. */
static bool on_turn(struct client *unused)
{
	(void)unused;
	return !refuses_once || looks++ % 2;
}

static void on_greeted(struct client *greeted)
{
	client_add(greeted, &session, greeted->agent.id, &calls);
	loop_stop(&loop);
}

/* WRAP: dial_start */
void __wrap_dial_start(struct dial *dial, struct loop *unused, const struct endpoint *endpoint,
		       uint64_t timeout_ms,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err));

/* The agent is a socket pair's other end, and has greeted. */
void __wrap_dial_start(struct dial *dial, struct loop *unused, const struct endpoint *endpoint,
		       uint64_t timeout_ms,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err))
{
	struct msg_ready ready = {.agent_version = {"test", 4}};
	uint8_t range[8] = {0, 0, 0, 1, 0, 0, 1, 0};
	struct buf out;
	int pair[2];

	(void)unused;
	(void)endpoint;
	(void)timeout_ms;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	agent = pair[1];
	buf_init(&out, 1 << 20, NULL);
	assert_int_equal(buf_append(&out, range, sizeof(range)), 0);
	assert_int_equal(msg_put(&out, 0, MSG_READY, &ready), 0);
	assert_int_equal(write(agent, buf_head(&out), buf_len(&out)), buf_len(&out));
	buf_release(&out);
	on_done(dial, pair[0], 0, NULL);
}

static int set_up(void **state)
{
	struct reach_terms terms = {.address = "/agent", .connect_ms = DIAL_FOREVER};

	signal(SIGPIPE, SIG_IGN);
	frames = looks = losses = 0;
	refuses_once = false;
	if (unit_set_up(state))
		return 1;
	client = (struct client){.on_greeted = on_greeted, .on_lost = on_lost, .on_turn = on_turn};
	client_connect(&client, &loop, &terms, 0, NULL);
	run();
	return !client.greeted;
}

static int tear_down(void **state)
{
	client_release(&client);
	if (agent >= 0)
		close(agent);
	return unit_tear_down(state);
}

static void send_pongs(unsigned count)
{
	struct buf out;

	buf_init(&out, 1 << 20, NULL);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(msg_put_empty(&out, 1, MSG_PONG), 0);
	assert_int_equal(write(agent, buf_head(&out), buf_len(&out)), buf_len(&out));
	buf_release(&out);
}

static void frames_that_wait_are_taken_when_the_owner_wants_them_after_the_flush(void **state)
{
	(void)state;
	send_pongs(3);
	/* They are there before the owner says no. */
	link_read(&client.link);
	refuses_once = true;
	client_mark(&client);
	run_once();
	assert_int_equal(frames, 0);
	refuses_once = false;
	while (frames < 3)
		run_once();
}

static void more_frames_than_a_turn_takes_all_come(void **state)
{
	(void)state;
	send_pongs(2000);
	while (frames < 2000)
		run_once();
}

/* The agent's end is read, and is there to be read for ever. */
static void connection_that_is_lost_is_not_watched_any_more(void **state)
{
	(void)state;
	close(agent);
	agent = -1;
	run();
	assert_int_equal(losses, 1);
	run_once();
	assert_int_equal(client.link.in_source.want, 0);
}

static void agent_that_makes_no_sense_is_not_watched_any_more(void **state)
{
	(void)state;
	assert_int_equal(write(agent, "\0\0\0\1", 4), 4);
	run();
	assert_int_equal(losses, 1);
	run_once();
	assert_int_equal(client.link.in_source.want, 0);
}

/* How the program ended that carried the stream is waited for; what was not sent is not. */
static void stream_that_ended_is_not_watched_while_its_program_ends(void **state)
{
	static uint8_t much[1 << 22];
	pid_t process = fork();

	(void)state;
	if (process == 0) {
		for (;;)
			pause();
	}
	assert_true(process > 0);
	/* As one that was started to be talked to: it has a group of its own to be ended by. */
	setpgid(process, process);
	client.process = process;
	assert_int_equal(buf_append(&client.link.out, much, sizeof(much)), 0);
	shutdown(agent, SHUT_WR);
	while (client.ending.fd < 0 && !losses)
		run_once();
	if (!losses)
		assert_int_equal(client.link.in_source.want, 0);
	assert_int_equal(kill(process, SIGKILL), 0);
	while (!losses)
		run();
}

int main(void)
{
	const struct CMUnitTest wake_client_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		WAKE(frames_that_wait_are_taken_when_the_owner_wants_them_after_the_flush),
		WAKE(more_frames_than_a_turn_takes_all_come),
		WAKE(connection_that_is_lost_is_not_watched_any_more),
		WAKE(agent_that_makes_no_sense_is_not_watched_any_more),
		WAKE(stream_that_ended_is_not_watched_while_its_program_ends),
	};

	return cmocka_run_group_tests(wake_client_tests, NULL, NULL);
}
