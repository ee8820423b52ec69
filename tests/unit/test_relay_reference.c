/*
 * The relay before an agent of the reference, which the test plays, word by word: what reaches it,
 * in which order, and what becomes of clients when it turns out to be another.
 */
/* WRAP: loop_now_ms loop_now_us */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/relay/relay.h"
#include "daemon/relay/seek.h"
#include "unit_budget.h"
#include "unit_clock.h"
#include "unit_loop.h"

#define CLIENTS_MAX 2
#define LONG_MS	    20000 /* of silence: a clock that is due then asks */

static struct relay relay;
static struct endpoint endpoint;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char folder[] = "/tmp/msb-reference.XXXXXX";
static int listener = -1;
static int guest = -1;		    /* the agent's end */
static int client[CLIENTS_MAX];	    /* the clients' ends */
static uint32_t first[CLIENTS_MAX]; /* of each client's ids */

/* One letter for each type that is told apart. */
static char letter_of(enum msg_type type)
{
	static const char letters[MSG_TYPE_COUNT] = {
		[MSG_BOOTSTRAP] = 'B',
		[MSG_INIT_ACK] = 'A',
		[MSG_PING] = 'P',
		[MSG_EXEC_REQUEST] = 'R',
		[MSG_EXEC_STDIN] = 'I',
		[MSG_EXEC_SIGNAL] = 'S',
		[MSG_FS_REQUEST] = 'F',
		[MSG_FS_DATA] = 'f',
		[MSG_RELAY_CLIENT_DISCONNECTED] = 'D',
		[MSG_PONG] = 'p',
		[MSG_READY] = 'r',
		[MSG_ERROR] = 'e',
		[MSG_EXEC_STARTED] = 's',
	};

	return letters[type] ? letters[type] : '?';
}

/* The types of the frames that have come, a letter each; len counts their bytes. */
static const char *heard(int fd, bool greeted)
{
	static char words[1024];
	static uint8_t bytes[1024 * 1024];
	size_t at = greeted ? 0 : 8, count = 0;
	ssize_t len;

	settle();
	len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (len > 0 && at < (size_t)len && count + 1 < sizeof(words)) {
		struct frame frame = {.body = bytes + at + FRAME_HEADER_LEN};
		struct msg_envelope envelope;

		frame.wire_len = FRAME_PREFIX_LEN + (size_t)frame_u32(bytes + at);
		frame.body_len = frame.wire_len - FRAME_HEADER_LEN;
		frame.id = frame_u32(bytes + at + 4);
		frame.flags = bytes[at + 8];
		assert_int_equal(msg_open(&frame, &envelope), 0);
		words[count++] = letter_of(envelope.type);
		at += frame.wire_len;
	}
	words[count] = '\0';
	return words;
}

static void write_all(int fd, const struct buf *out)
{
	assert_int_equal(write(fd, buf_head(out), buf_len(out)), buf_len(out));
}

static void say_empty(int fd, uint32_t id, enum msg_type type)
{
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put_empty(&out, id, type), 0);
	write_all(fd, &out);
	buf_release(&out);
}

static void say_ready(uint8_t generation)
{
	struct msg_ready ready = {.agent_version = {"test", 4}};
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_READY, &ready), 0);
	/* Behind the head come the map and the key of one letter. */
	buf_head(&out)[FRAME_HEADER_LEN + 3] = generation;
	write_all(guest, &out);
	buf_release(&out);
}

static void say_resolved(void)
{
	struct msg_init_resolved resolved = {{0, 0}};
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_INIT_RESOLVED, &resolved), 0);
	write_all(guest, &out);
	buf_release(&out);
}

static void say_map(int fd, uint32_t id, enum msg_type type)
{
	uint8_t map[] = {0xa0};
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put_payload(&out, id, type, (struct msg_bytes){map, 1}), 0);
	write_all(fd, &out);
	buf_release(&out);
}

static void say_request(int fd, uint32_t id)
{
	struct msg_exec_request request = {.cmd = {"x", 1}};
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, id, MSG_EXEC_REQUEST, &request), 0);
	write_all(fd, &out);
	buf_release(&out);
}

/* Nothing has come from the agent for so long. */
static void silence(uint64_t ms)
{
	relay.agent.heard_ms = loop_now_ms() - ms;
}

static void be_asked(void)
{
	silence(LONG_MS);
	relay.agent.clock.on_due(&relay.agent.clock);
}

static void on_wrong(struct relay_agent *unused, const char *why)
{
	(void)unused;
	fail_msg("%s", why);
}

static void open_client(int i)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	relay_open(&relay, pair[0], &unit_peer);
	client[i] = pair[1];
	first[i] = relay_slot_min(
		list_owner(relay.clients.list.last, struct relay_client, in_host)->slot);
	assert_string_equal(heard(client[i], false), "r");
}

static void close_client(int i)
{
	close(client[i]);
	client[i] = -1;
	settle();
}

static int set_up(void **state)
{
	static struct msg_bootstrap bootstrap = {.security_profile = {"default", 7}};

	signal(SIGPIPE, SIG_IGN);
	if (unit_set_up(state))
		return 1;
	memset(&relay, 0, sizeof(relay));
	client[0] = client[1] = -1;
	relay.loop = &loop;
	relay.agent.endpoint = &endpoint;
	relay.clients.budget = &unit_budget;
	relay.agent.bootstrap = &bootstrap;
	relay.agent.on_wrong = on_wrong;
	relay_start(&relay);
	settle();
	guest = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return guest < 0;
}

/* The agent begins, and is told all. */
static void boot(uint8_t generation)
{
	assert_string_equal(heard(guest, true), "B");
	say_resolved();
	assert_string_equal(heard(guest, true), "A");
	say_ready(generation);
	settle();
	assert_true(relay_agent_is_up(&relay.agent));
}

static int tear_down(void **state)
{
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (client[i] >= 0)
			close(client[i]);
	close(guest);
	relay_stop(&relay);
	return unit_tear_down(state);
}

/* Input that no command takes: all the frames of bulk that the agent takes. */
static void fill_bulk(uint32_t id)
{
	static const uint8_t byte;

	while (relay_agent_input_room(&relay.agent))
		relay_agent_put_input(&relay.agent, id, &byte, 1);
	/* It was we who asked: no client is to be woken for that. */
	relay.agent.wants_input = false;
	assert_int_equal(strlen(heard(guest, true)), 256);
}

static void what_a_stream_carries_holds_up_no_other_client(void **state)
{
	(void)state;
	boot(9);
	open_client(0);
	open_client(1);
	say_request(client[0], first[0]);
	assert_string_equal(heard(guest, true), "R");
	fill_bulk(first[0]);
	say_map(client[1], first[1], MSG_FS_REQUEST);
	assert_string_equal(heard(guest, true), "F");
	say_map(client[1], first[1], MSG_FS_DATA);
	assert_string_equal(heard(guest, true), "");
	say_empty(client[0], first[0] + 1, MSG_PING);
	assert_string_equal(heard(guest, true), "P");
}

/* More of it than waits at the agent's end waits at the client's, which the quota wakes. */
static void what_a_stream_carries_goes_on_with_the_quota(void **state)
{
	struct msg_transport_credit more = {1 << 30, 1 << 20, 1 << 30, 1 << 20};

	(void)state;
	boot(9);
	open_client(0);
	say_map(client[0], first[0], MSG_FS_REQUEST);
	assert_string_equal(heard(guest, true), "F");
	fill_bulk(first[0] + 1);
	for (int i = 0; i < 3; i++)
		say_map(client[0], first[0], MSG_FS_DATA);
	assert_string_equal(heard(guest, true), "");
	quota_grant(&relay.agent.outbox.quota, &more);
	relay_agent_mark(&relay.agent);
	assert_string_equal(heard(guest, true), "fff");
}

static void a_client_that_is_gone_does_not_wait_for_the_quota(void **state)
{
	(void)state;
	boot(9);
	open_client(0);
	say_map(client[0], first[0], MSG_FS_REQUEST);
	assert_string_equal(heard(guest, true), "F");
	fill_bulk(first[0] + 1);
	for (int i = 0; i < 3; i++)
		say_map(client[0], first[0], MSG_FS_DATA);
	assert_string_equal(heard(guest, true), "");
	close_client(0);
	assert_string_equal(heard(guest, true), "DP");
}

/* Held frames or none: what a guest that may have been reset hears first is a bootstrap. */
static void a_silent_guest_is_asked_with_a_bootstrap_though_frames_wait(void **state)
{
	(void)state;
	boot(9);
	open_client(0);
	say_request(client[0], first[0]);
	say_map(client[0], first[0] + 1, MSG_FS_REQUEST);
	assert_string_equal(heard(guest, true), "RF");
	fill_bulk(first[0]);
	say_map(client[0], first[0] + 1, MSG_FS_DATA);
	assert_string_equal(heard(guest, true), "");
	be_asked();
	assert_string_equal(heard(guest, true), "BAP");
	/* It was another, for which what waited is not. */
	say_resolved();
	say_ready(9);
	say_empty(guest, SEEK_PONG_ID, MSG_PONG);
	assert_string_equal(heard(guest, true), "");
	assert_string_equal(heard(client[0], true), "ee");
	say_request(client[0], first[0] + 2);
	assert_string_equal(heard(guest, true), "R");
}

/* As many frames, of which the agent is done with none; then silence. */
static void count_what_is_said(uint32_t pings)
{
	size_t frames = 0;

	boot(9);
	open_client(0);
	for (uint32_t i = 0; i < pings; i++) {
		say_empty(client[0], first[0] + i, MSG_PING);
		frames += strlen(heard(guest, true));
	}
	be_asked();
	say_empty(client[0], first[0] + pings, MSG_PING);
	frames += strlen(heard(guest, true));
	assert_true(frames > 250 && frames <= 256);
}

static void what_the_relay_says_itself_is_within_the_quota(void **state)
{
	(void)state;
	count_what_is_said(254);
}

static void so_it_is_while_many_frames_wait(void **state)
{
	(void)state;
	count_what_is_said(300);
}

/* The relay has asked whether it is still the same guest, and it is not. */
static void come_as_another(void)
{
	silence(LONG_MS);
	say_request(client[0], first[0] + 1);
	assert_string_equal(heard(guest, true), "BAP");
	say_resolved();
	settle();
	assert_false(relay_agent_is_up(&relay.agent));
}

static void a_ping_on_the_id_of_a_command_does_not_make_it_the_next_guests(void **state)
{
	(void)state;
	boot(7);
	open_client(0);
	say_request(client[0], first[0]);
	assert_string_equal(heard(guest, true), "R");
	silence(LONG_MS);
	say_empty(client[0], first[0], MSG_PING);
	assert_string_equal(heard(guest, true), "BAP");
	say_resolved();
	say_ready(7);
	assert_string_equal(heard(client[0], true), "e");
}

static void what_a_client_left_for_the_next_guest_keeps_its_range(void **state)
{
	int slot;

	(void)state;
	boot(7);
	open_client(0);
	slot = relay_slot_of(first[0]);
	come_as_another();
	close_client(0);
	assert_true(relay.slots.taken[slot]);
	say_ready(7);
	assert_string_equal(heard(guest, true), "RSDP");
	say_map(guest, first[0] + 1, MSG_EXEC_EXITED);
	settle();
	assert_false(relay.slots.taken[slot]);
}

static void what_clients_say_while_the_next_guest_boots_waits_for_it(void **state)
{
	(void)state;
	boot(7);
	open_client(0);
	come_as_another();
	say_request(client[0], first[0] + 2);
	assert_string_equal(heard(client[0], true), "");
	say_ready(7);
	assert_string_equal(heard(guest, true), "RR");
	assert_string_equal(heard(client[0], true), "");
}

static void a_stream_that_was_opened_while_it_was_asked_is_the_next_guests(void **state)
{
	(void)state;
	boot(7);
	open_client(0);
	silence(LONG_MS);
	say_map(client[0], first[0], MSG_FS_REQUEST);
	assert_string_equal(heard(guest, true), "BAP");
	say_resolved();
	say_ready(7);
	assert_string_equal(heard(guest, true), "F");
	assert_string_equal(heard(client[0], true), "");
}

/* It closes a range's streams without a word about each. */
static void streams_of_a_client_that_is_gone_end_with_the_pong(void **state)
{
	int slot;

	(void)state;
	boot(7);
	open_client(0);
	slot = relay_slot_of(first[0]);
	say_map(client[0], first[0], MSG_FS_REQUEST);
	assert_string_equal(heard(guest, true), "F");
	close_client(0);
	assert_string_equal(heard(guest, true), "DP");
	assert_true(relay.slots.taken[slot]);
	say_empty(guest, relay.ranges[slot].pong_id, MSG_PONG);
	settle();
	assert_false(relay.slots.taken[slot]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_stream_carries_holds_up_no_other_client,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_stream_carries_goes_on_with_the_quota,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_client_that_is_gone_does_not_wait_for_the_quota,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_silent_guest_is_asked_with_a_bootstrap_though_frames_wait, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_the_relay_says_itself_is_within_the_quota,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(so_it_is_while_many_frames_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_ping_on_the_id_of_a_command_does_not_make_it_the_next_guests, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_a_client_left_for_the_next_guest_keeps_its_range, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_clients_say_while_the_next_guest_boots_waits_for_it, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_stream_that_was_opened_while_it_was_asked_is_the_next_guests, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(streams_of_a_client_that_is_gone_end_with_the_pong,
						set_up, tear_down),
	};
	struct err err;
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", folder);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (endpoint_parse(address.sun_path, ENDPOINT_CLIENT, &endpoint, &err) < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	close(listener);
	unlink(address.sun_path);
	rmdir(folder);
	return failed;
}
