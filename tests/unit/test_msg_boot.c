/*
 * The messages between a host and an agent on a serial stream: what boots a guest, who it runs
 * commands as, and which client is gone.
 */
#include "unit.h"

static int decode(enum msg_type type, const char *hex, void *ret_struct)
{
	unit_held struct msg_bytes payload = unit_hex(hex);

	return msg_decode(type, payload, ret_struct);
}

static void bootstrap_without_a_key_asks_for_nothing(void **state)
{
	static const char *const rows[] = {
		"a0",
		"a2 66'volume'82 01 a1 61'x'f6 65'hosts'a0",
		"a5 64'user'f6 70'security_profile'f6 6b'default_cwd'f6 6b'default_env'f6"
		"67'rlimits'f6",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct msg_bootstrap bootstrap;

		assert_int_equal(decode(MSG_BOOTSTRAP, rows[i], &bootstrap), 0);
		assert_null(bootstrap.user.ptr);
		assert_null(bootstrap.security_profile.ptr);
		assert_null(bootstrap.default_cwd.ptr);
		assert_int_equal(bootstrap.default_env.count, 0);
		assert_int_equal(bootstrap.rlimits.count, 0);
	}
}

static void bootstrap_says_what_commands_start_with(void **state)
{
	unit_held struct msg_bytes payload = unit_hex(
		"a5 67'rlimits'81 a3 68'resource'66'nofile' 64'soft'01 64'hard'02"
		"6b'default_env'82 a2 63'key'61'A' 65'value'60"
		"a3 65'value'62'x=' 61'?'00 63'key'61'B'"
		"64'user'64'a:b ' 6b'default_cwd'62'/w' 70'security_profile'6a'restricted'");
	struct msg_bootstrap bootstrap;
	struct msg_rlimit limit;
	struct msg_pair pair;

	(void)state;
	assert_int_equal(msg_decode(MSG_BOOTSTRAP, payload, &bootstrap), 0);
	unit_assert_text(bootstrap.user, "a:b ");
	unit_assert_text(bootstrap.default_cwd, "/w");
	unit_assert_text(bootstrap.security_profile, "restricted");
	assert_int_equal(bootstrap.default_env.count, 2);
	assert_int_equal(msg_next_pair(&bootstrap.default_env, &pair), 1);
	unit_assert_text(pair.key, "A");
	unit_assert_text(pair.value, "");
	assert_int_equal(msg_next_pair(&bootstrap.default_env, &pair), 1);
	unit_assert_text(pair.key, "B");
	unit_assert_text(pair.value, "x=");
	assert_int_equal(msg_next_pair(&bootstrap.default_env, &pair), 0);
	assert_int_equal(msg_next_rlimit(&bootstrap.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "nofile");
	assert_int_equal(limit.soft, 1);
	assert_int_equal(limit.hard, 2);
	assert_int_equal(msg_next_rlimit(&bootstrap.rlimits, &limit), 0);
}

static void bootstrap_of_another_shape_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"f6",
		"80",
		"a1 70'security_profile'01",
		"a1 64'user'80",
		"a2 64'user'60 64'user'60",
		"a1 6b'default_env'a0",
		"a1 6b'default_env'81 63'A=B'",
		"a1 67'rlimits'81 01",
		"a1 70'security_profile'41'x'",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct msg_bootstrap bootstrap;

		if (decode(MSG_BOOTSTRAP, rows[i], &bootstrap) != -EBADMSG)
			fail_msg("accepted %s", rows[i]);
	}
}

static void pair_without_its_halves_is_refused_when_it_is_read(void **state)
{
	static const char *const rows[] = {"a0", "a1 63'key'61'A'", "a1 65'value'61'A'",
					   "a2 63'key'01 65'value'61'A'"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		char hex[200];
		struct msg_bootstrap bootstrap;
		struct msg_pair pair;

		snprintf(hex, sizeof(hex), "a1 6b'default_env'81 %s", rows[i]);
		unit_held struct msg_bytes payload = unit_hex(hex);

		assert_int_equal(msg_decode(MSG_BOOTSTRAP, payload, &bootstrap), 0);
		assert_int_equal(msg_next_pair(&bootstrap.default_env, &pair), -EBADMSG);
	}
}

static void resolved_user_survives_the_way(void **state)
{
	static const struct msg_init_resolved resolved = {{1000, UINT32_MAX - 1}};
	struct msg_init_resolved again;
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_INIT_RESOLVED, &resolved), 0);
	unit_assert_bytes(unit_payload(&out, MSG_INIT_RESOLVED, 0),
			  "a1 6c'default_user'a2 63'uid'1903e8 63'gid'1afffffffe");
	assert_int_equal(
		msg_decode(MSG_INIT_RESOLVED, unit_payload(&out, MSG_INIT_RESOLVED, 0), &again), 0);
	assert_memory_equal(&again, &resolved, sizeof(again));
	buf_release(&out);
	assert_int_equal(decode(MSG_INIT_RESOLVED, "a0", &again), -EBADMSG);
	assert_int_equal(decode(MSG_INIT_RESOLVED, "a1 6c'default_user'a1 63'uid'00", &again),
			 -EBADMSG);
}

static void range_of_a_client_survives_the_way(void **state)
{
	static const struct msg_id_range range = {1, 33554431};
	struct msg_id_range again;
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_RELAY_CLIENT_DISCONNECTED, &range), 0);
	/* The example of the protocol, section 9. */
	unit_assert_queued(&out,
			   "000000500000000000a36176076174781e636f72652e72656c61792e636c69656e742e"
			   "646973636f6e6e656374656461705821a26869645f7374617274017069645f656e645f"
			   "6578636c75736976651a01ffffff");
	assert_int_equal(msg_decode(MSG_RELAY_CLIENT_DISCONNECTED,
				    unit_payload(&out, MSG_RELAY_CLIENT_DISCONNECTED, 0), &again),
			 0);
	assert_memory_equal(&again, &range, sizeof(again));
	buf_release(&out);
	assert_int_equal(decode(MSG_RELAY_CLIENT_DISCONNECTED, "a1 68'id_start'01", &again),
			 -EBADMSG);
	/* The reference of generation 8 adds more. */
	assert_int_equal(decode(MSG_RELAY_CLIENT_DISCONNECTED,
				"a3 68'id_start'01 6b'incarnation'80 70'id_end_exclusive'02",
				&again),
			 0);
}

int main(void)
{
	const struct CMUnitTest msg_boot_tests[] = {
		cmocka_unit_test(bootstrap_without_a_key_asks_for_nothing),
		cmocka_unit_test(bootstrap_says_what_commands_start_with),
		cmocka_unit_test(bootstrap_of_another_shape_is_refused),
		cmocka_unit_test(pair_without_its_halves_is_refused_when_it_is_read),
		cmocka_unit_test(resolved_user_survives_the_way),
		cmocka_unit_test(range_of_a_client_survives_the_way),
	};

	return cmocka_run_group_tests(msg_boot_tests, NULL, NULL);
}
