/*
 * The relay between a client and an agent, both of them the test's: whoever had to wait for the
 * other is woken by what it waited for, however short the moment in which it was not there.
 */
/* WRAP: loop_now_ms loop_now_us */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/relay/relay.h"
#include "unit_budget.h"
#include "unit_clock.h"
#include "unit_loop.h"

#define INPUT_BYTES (8 * 1024 * 1024)
#define PIECE	    (32 * 1024)
#define AGENT_FULL  (300 * 1024) /* more than the relay queues for its agent */

static struct relay relay;
static struct endpoint endpoint;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char folder[] = "/tmp/msb-wake.XXXXXX";

/* The client's end: writes frames of input as long as the relay takes them, and reads if it is to. */
static struct {
	struct loop_source source;
	struct buf out;
	uint32_t id;
	size_t left, taken, enough;
	struct loop_timer late;
} client;

/* The agent's end: accepts, says ready, and reads in pieces if it is to. */
static struct {
	struct loop_source listener, source;
	int fd;
	size_t piece, taken, enough;
	struct buf out;
	size_t left; /* of the output of id 1 */
} guest;

static void guest_write(struct loop_source *source)
{
	static uint8_t data[PIECE];
	ssize_t n;

	if (!buf_len(&guest.out)) {
		assert_int_equal(msg_data_head(&guest.out, client.id, MSG_EXEC_STDOUT, PIECE), 0);
		assert_int_equal(buf_append(&guest.out, data, PIECE), 0);
		guest.left -= PIECE;
	}
	n = send(source->fd, buf_head(&guest.out), buf_len(&guest.out),
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		buf_consume(&guest.out, (size_t)n);
	if (!guest.left && !buf_len(&guest.out))
		loop_want(&loop, source, LOOP_IN);
}

static void guest_ready(struct loop_source *source, uint32_t ready)
{
	static uint8_t waste[AGENT_FULL];
	ssize_t n;

	if (ready & LOOP_OUT)
		guest_write(source);
	if (!(ready & LOOP_IN))
		return;
	n = read(source->fd, waste, guest.piece);
	if (n <= 0)
		fail_msg("the relay closed its stream");
	guest.taken += (size_t)n;
	if (guest.enough && guest.taken >= guest.enough)
		loop_stop(&loop);
}

static void guest_accept(struct loop_source *source, uint32_t ready)
{
	struct msg_ready words = {.agent_version = {"test", 4}};
	struct buf out;

	(void)ready;
	guest.fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(guest.fd >= 0);
	loop_source_init(&guest.source, guest.fd, guest_ready);
	buf_init(&guest.out, 2 * PIECE, NULL);
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_READY, &words), 0);
	assert_int_equal(write(guest.fd, buf_head(&out), buf_len(&out)), buf_len(&out));
	buf_release(&out);
}

static void no_more(struct relay_agent *unused, const char *why)
{
	(void)unused;
	fail_msg("%s", why);
}

static void (*on_up)(struct relay_agent *agent);

static void stop_once_up(struct relay_agent *agent)
{
	on_up(agent);
	loop_stop(&loop);
}

static int set_up(void **state)
{
	static struct msg_bootstrap bootstrap;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	signal(SIGPIPE, SIG_IGN);
	if (unit_set_up(state))
		return 1;
	memset(&relay, 0, sizeof(relay));
	memset(&guest, 0, sizeof(guest));
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return 1;
	loop_source_init(&guest.listener, fd, guest_accept);
	relay.loop = &loop;
	relay.agent.endpoint = &endpoint;
	relay.clients.budget = &unit_budget;
	relay.agent.bootstrap = &bootstrap;
	relay.agent.on_wrong = no_more;
	loop_want(&loop, &guest.listener, LOOP_IN);
	relay_start(&relay);
	on_up = relay.agent.on_up;
	relay.agent.on_up = stop_once_up;
	run();
	return !relay_agent_is_up(&relay.agent);
}

static int tear_down(void **state)
{
	int fd = guest.listener.fd;

	loop_remove(&loop, &guest.listener);
	loop_remove(&loop, &guest.source);
	close(fd);
	close(guest.fd);
	relay_stop(&relay);
	unlink(address.sun_path);
	return unit_tear_down(state);
}

static void start_reading(size_t piece, size_t enough)
{
	guest.piece = piece;
	guest.enough = enough;
	guest.taken = 0;
	loop_want(&loop, &guest.source, LOOP_IN);
}

static void room_is_there(struct relay_agent *agent)
{
	(void)agent;
	tell('r');
	loop_stop(&loop);
}

/* Full between two of its turns, and empty again in the one that follows. */
static void an_agent_that_was_full_between_two_looks_tells_of_its_room(void **state)
{
	struct relay_agent *agent = &relay.agent;
	static uint8_t data[AGENT_FULL];

	(void)state;
	agent->on_room = room_is_there;
	assert_true(relay_agent_has_room(agent));
	relay_agent_put_input(agent, 1, data, sizeof(data));
	while (relay_agent_has_room(agent))
		relay_agent_put_input(agent, 1, data, sizeof(data));
	start_reading(sizeof(data), 0);
	run();
	assert_string_equal(story, "r");
}

static void one_that_asked_for_room_for_input_hears_of_it_too(void **state)
{
	struct relay_agent *agent = &relay.agent;
	static uint8_t data[AGENT_FULL];

	(void)state;
	agent->on_room = room_is_there;
	while (relay_agent_input_room(agent) >= sizeof(data))
		relay_agent_put_input(agent, 1, data, sizeof(data));
	assert_int_equal(relay_agent_input_room(agent), 0);
	start_reading(sizeof(data), 0);
	run();
	assert_string_equal(story, "r");
}

static void client_read(struct loop_source *source)
{
	static uint8_t waste[AGENT_FULL];
	ssize_t n = read(source->fd, waste, sizeof(waste));

	if (n <= 0)
		fail_msg("the relay closed the client");
	client.taken += (size_t)n;
	if (client.taken >= client.enough)
		loop_stop(&loop);
}

static void client_ready(struct loop_source *source, uint32_t ready)
{
	static uint8_t data[PIECE];
	ssize_t n;

	if (ready & LOOP_IN)
		client_read(source);
	if (!(ready & LOOP_OUT))
		return;
	if (!buf_len(&client.out) && client.left) {
		assert_int_equal(
			msg_data_head(&client.out, client.id, MSG_EXEC_STDIN, sizeof(data)), 0);
		assert_int_equal(buf_append(&client.out, data, sizeof(data)), 0);
		client.left -= sizeof(data);
	}
	if (!buf_len(&client.out)) {
		loop_want(&loop, source, client.enough ? LOOP_IN : 0);
		return;
	}
	n = send(source->fd, buf_head(&client.out), buf_len(&client.out),
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		buf_consume(&client.out, (size_t)n);
}

static int client_open(size_t bytes)
{
	struct msg_exec_request request = {.cmd = {"x", 1}};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	relay_open(&relay, pair[0], &unit_peer);
	buf_init(&client.out, 4 * PIECE, NULL);
	client.left = bytes;
	client.id = relay_slot_min(
		list_owner(relay.clients.list.last, struct relay_client, in_host)->slot);
	assert_int_equal(msg_put(&client.out, client.id, MSG_EXEC_REQUEST, &request), 0);
	loop_source_init(&client.source, pair[1], client_ready);
	loop_want(&loop, &client.source, LOOP_OUT);
	return pair[1];
}

static void client_close(int fd)
{
	loop_remove(&loop, &client.source);
	buf_release(&client.out);
	close(fd);
}

/* All of it comes through, whatever the sizes in which the agent takes it. */
static void input_of_a_client_goes_on_whenever_the_agent_takes_some(void **state)
{
	static const size_t pieces[] = {256 * 1024, 100 * 1000, 4096};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		int fd = client_open(INPUT_BYTES);

		start_reading(pieces[i], INPUT_BYTES);
		run();
		client_close(fd);
		loop_want(&loop, &guest.source, 0);
		relay_clients_close(&relay.clients, "test");
	}
}

/* Both are full by then, or are soon. */
static void client_reads(struct loop_timer *timer)
{
	(void)timer;
	client.enough = INPUT_BYTES;
	loop_want(&loop, &client.source, LOOP_IN | LOOP_OUT);
}

/* Output of an agent without credit that its client takes late, while there is input for it. */
static void an_agent_that_was_not_read_is_read_again(void **state)
{
	int fd = client_open(INPUT_BYTES);

	(void)state;
	guest.left = INPUT_BYTES;
	/* The request first, or the output is nobody's. */
	start_reading(16, 16);
	run();
	guest.enough = 0;
	loop_want(&loop, &guest.source, LOOP_OUT);
	client.late.on_due = client_reads;
	client.taken = 0;
	loop_arm(&loop, &client.late, 300);
	run();
	assert_true(client.taken >= INPUT_BYTES);
	buf_release(&guest.out);
	client_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_agent_that_was_full_between_two_looks_tells_of_its_room, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(one_that_asked_for_room_for_input_hears_of_it_too,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			input_of_a_client_goes_on_whenever_the_agent_takes_some, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_agent_that_was_not_read_is_read_again, set_up,
						tear_down),
	};
	struct err err;
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", folder);
	if (endpoint_parse(address.sun_path, ENDPOINT_CLIENT, &endpoint, &err) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
