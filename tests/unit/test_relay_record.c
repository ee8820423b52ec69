/* What the relay says of clients that come: so many a second, and how many others, whoever comes then. */
/* WRAP: loop_now_ms loop_arm loop_disarm log_line */
#include "daemon/relay/client.h"

#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static struct {
	struct relay_clients clients;
	struct loop loop;
	struct loop_timer *armed;
	uint64_t now_ms;
	unsigned connected, missing; /* lines */
	char last[LOG_LINE_MAX];
} it;

uint64_t __wrap_loop_now_ms(void);
void __wrap_loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms);
void __wrap_loop_disarm(struct loop *loop, struct loop_timer *timer);
void __wrap_log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

uint64_t __wrap_loop_now_ms(void)
{
	return it.now_ms;
}

void __wrap_loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms)
{
	(void)loop;
	assert_int_equal(after_ms, 1000);
	timer->armed = true;
	it.armed = timer;
}

void __wrap_loop_disarm(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	timer->armed = false;
	if (it.armed == timer)
		it.armed = NULL;
}

void __wrap_log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_int_equal(level, LOG_LEVEL_INFO);
	va_start(ap, fmt);
	vsnprintf(it.last, sizeof(it.last), fmt, ap);
	va_end(ap);
	it.connected += strstr(it.last, ": connected: ") != NULL;
	it.missing += strstr(it.last, " missing ") != NULL;
}

static void on_closed(struct relay_client *client)
{
	(void)client;
}

static const struct relay_client_calls calls = {.on_closed = on_closed};

static int set_up(void **state)
{
	(void)state;
	memset(&it, 0, sizeof(it));
	it.now_ms = 5000;
	it.clients.loop = &it.loop;
	it.clients.calls = &calls;
	log_init("it", LOG_LEVEL_INFO);
	return loop_init(&it.loop);
}

static int tear_down(void **state)
{
	(void)state;
	relay_clients_close(&it.clients, "the relay ends");
	loop_release(&it.loop);
	return 0;
}

static void come(unsigned count)
{
	const struct peer peer = {.kind = PEER_USER, .number = 7, .pid = 8, .name = "client 8"};
	int pair[2];

	while (count--) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		close(pair[1]);
		assert_non_null(relay_client_open(&it.clients, pair[0], &peer, 0));
	}
}

static void how_many_are_missing_is_said_though_nobody_comes_any_more(void **state)
{
	(void)state;
	come(130);
	assert_int_equal(it.connected, 100);
	assert_int_equal(it.missing, 0);
	assert_non_null(it.armed);
	it.armed->armed = false;
	it.armed->on_due(it.armed);
	assert_string_equal(it.last, "30 clients are missing in this record: more than 100 came "
				     "within a second");
	it.now_ms += 1000;
	come(1);
	assert_int_equal(it.connected, 101);
	assert_int_equal(it.missing, 1);
}

static void how_many_are_missing_is_said_at_the_end(void **state)
{
	(void)state;
	come(102);
	relay_clients_close(&it.clients, "the relay ends");
	assert_int_equal(it.missing, 1);
	assert_null(it.armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			how_many_are_missing_is_said_though_nobody_comes_any_more, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(how_many_are_missing_is_said_at_the_end, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
