/* A greeting found in the midst of anything, and windows added to requests in any encoding. */
#include "unit.h"

#include "daemon/relay/seek.h"

static struct buf greeting(enum msg_type type)
{
	struct msg_ready ready = {.features = MSG_FEATURE_USAGE};
	struct msg_init_resolved resolved = {{1, 2}};
	struct buf out;

	buf_init(&out, 65536, NULL);
	assert_int_equal(type == MSG_READY ? msg_put(&out, 0, MSG_READY, &ready)
					   : msg_put(&out, 0, MSG_INIT_RESOLVED, &resolved),
			 0);
	return out;
}

static void a_greeting_is_found_at_any_offset_and_after_any_cut(void **state)
{
	struct buf ready = greeting(MSG_READY);
	size_t len = buf_len(&ready), at, found_len;
	uint8_t *data = malloc(64 + len);

	(void)state;
	/* A ready that breaks off, and then a whole one. */
	for (size_t cut = 0; cut < 64; cut++) {
		memcpy(data, buf_head(&ready), cut);
		memcpy(data + cut, buf_head(&ready), len);
		assert_int_equal(seek_greeting(data, cut + len, &at, &found_len), SEEK_READY);
		assert_int_equal(at, cut);
		assert_int_equal(found_len, len);
	}
	free(data);
	buf_release(&ready);
}

static void a_beginning_is_kept_until_it_is_whole(void **state)
{
	struct buf ready = greeting(MSG_READY);
	size_t len = buf_len(&ready), at, found_len;

	(void)state;
	for (size_t have = 1; have < len; have++) {
		uint8_t data[512] = "noise";

		memcpy(data + 5, buf_head(&ready), have);
		assert_int_equal(seek_greeting(data, 5 + have, &at, &found_len), SEEK_NOTHING);
		assert_int_equal(at, 5);
	}
	buf_release(&ready);
}

static void noise_is_dropped_and_not_changed(void **state)
{
	static uint8_t data[65536], copy[65536];
	size_t at, len;

	(void)state;
	srand(3);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)(rand() % 3 ? 0 : rand());
		memcpy(copy, data, sizeof(data));
		assert_int_equal(seek_greeting(data, sizeof(data), &at, &len), SEEK_NOTHING);
		assert_true(at >= sizeof(data) - SEEK_FRAME_MAX);
		assert_memory_equal(copy, data, sizeof(data));
	}
}

static void the_resolved_user_is_a_greeting_too_and_others_are_not(void **state)
{
	struct buf resolved = greeting(MSG_INIT_RESOLVED), pong, none;

	(void)state;
	buf_init(&pong, 4096, NULL);
	buf_init(&none, 4096, NULL);
	msg_put_empty(&pong, 0, MSG_PONG);
	msg_put_empty(&none, 0, MSG_INIT_ACK);
	assert_int_equal(seek_look(buf_head(&resolved), buf_len(&resolved)), SEEK_RESOLVED);
	assert_int_equal(seek_look(buf_head(&pong), buf_len(&pong)), SEEK_NOTHING);
	assert_int_equal(seek_look(buf_head(&none), buf_len(&none)), SEEK_NOTHING);
	buf_release(&resolved);
	buf_release(&pong);
	buf_release(&none);
}

/* Of our own pings, which nobody else's id can be. */
static void a_pong_of_the_relays_own_is_found_with_its_generation(void **state)
{
	struct buf pong;
	uint8_t data[256] = "noise";
	size_t at, len;

	(void)state;
	buf_init(&pong, 4096, NULL);
	msg_put_empty(&pong, SEEK_PONG_ID, MSG_PONG);
	for (size_t have = 1; have < buf_len(&pong); have++) {
		memcpy(data + 5, buf_head(&pong), have);
		assert_int_equal(seek_greeting(data, 5 + have, &at, &len), SEEK_NOTHING);
		assert_int_equal(at, 5);
	}
	memcpy(data + 5, buf_head(&pong), buf_len(&pong));
	assert_int_equal(seek_greeting(data, 5 + buf_len(&pong), &at, &len), SEEK_PONG);
	assert_int_equal(at, 5);
	assert_int_equal(len, buf_len(&pong));
	assert_int_equal(seek_generation(data + 5), MSG_GENERATION);
	data[5 + 7]--;
	assert_int_equal(seek_greeting(data, 5 + len, &at, &len), SEEK_NOTHING);
	buf_release(&pong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greeting_is_found_at_any_offset_and_after_any_cut),
		cmocka_unit_test(a_beginning_is_kept_until_it_is_whole),
		cmocka_unit_test(noise_is_dropped_and_not_changed),
		cmocka_unit_test(the_resolved_user_is_a_greeting_too_and_others_are_not),
		cmocka_unit_test(a_pong_of_the_relays_own_is_found_with_its_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
