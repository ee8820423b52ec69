/*
 * The many ways to write a number: heads of any width, tags, big numbers, floats; and the limits of
 * each kind. All are legal CBOR, and one or another of the reference's peers uses them.
 */
#include "unit.h"

/* Decodes a map of one key, whose value is given. */
static int decode(enum msg_type type, const char *key, const char *value, void *ret_struct)
{
	char payload[128];

	snprintf(payload, sizeof(payload), "a1 %s %s", key, value);
	unit_held struct msg_bytes bytes = unit_hex(payload);

	return msg_decode(type, bytes, ret_struct);
}

struct number {
	const char *cbor;
	int64_t value;
};

static void assert_codes(const struct number *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct msg_exec_exited exited;

		if (decode(MSG_EXEC_EXITED, "64'code'", rows[i].cbor, &exited) < 0)
			fail_msg("refused %s", rows[i].cbor);
		assert_int_equal(exited.code, rows[i].value);
	}
}

static void integers_may_have_heads_of_any_width(void **state)
{
	static const struct number rows[] = {
		{"00", 0},
		{"17", 23},
		{"1800", 0},
		{"1818", 24},
		{"18ff", 255},
		{"190005", 5},
		{"19ffff", 65535},
		{"1a00000005", 5},
		{"1a7fffffff", INT32_MAX},
		{"1b0000000000000005", 5},
		{"1b000000007fffffff", INT32_MAX},
		{"20", -1},
		{"37", -24},
		{"3800", -1},
		{"38ff", -256},
		{"390000", -1},
		{"39ffff", -65536},
		{"3a00000000", -1},
		{"3a7fffffff", INT32_MIN},
		{"3b0000000000000000", -1},
		{"3b000000007fffffff", INT32_MIN},
	};

	(void)state;
	assert_codes(rows, UNIT_COUNT(rows));
}

static void tags_before_a_value_are_passed_over(void **state)
{
	static const struct number rows[] = {
		{"c005", 5},
		{"d81805", 5},
		{"d9d9f705", 5},
		{"da00010000 05", 5},
		{"dbffffffffffffffff 24", -5},
		{"c0 c1 d81e 05", 5},
		{"c2 05", 5},
	};

	(void)state;
	assert_codes(rows, UNIT_COUNT(rows));
}

/* In the tag's own head, where there is room for 24, and in the longer one. */
static void tags_of_every_number_are_passed_over(void **state)
{
	(void)state;
	for (int tag = 0; tag < 256; tag++) {
		struct msg_exec_exited exited;
		char value[16];

		snprintf(value, sizeof(value), "d8%02x 05", tag);
		if (decode(MSG_EXEC_EXITED, "64'code'", value, &exited) < 0 || exited.code != 5)
			fail_msg("refused tag %d in two bytes", tag);
		snprintf(value, sizeof(value), "%02x 05", 0xc0 + tag);
		if (tag < 24 &&
		    (decode(MSG_EXEC_EXITED, "64'code'", value, &exited) < 0 || exited.code != 5))
			fail_msg("refused tag %d in one byte", tag);
	}
}

static void big_numbers_are_taken_if_they_fit(void **state)
{
	static const struct number rows[] = {
		{"c240", 0},
		{"c24105", 5},
		{"c2420100", 256},
		{"c2447fffffff", INT32_MAX},
		{"c24a00000000000000000005", 5},
		{"c2580105", 5},
		{"c34100", -1},
		{"c340", -1},
		{"c3447fffffff", INT32_MIN},
		{"c34b0000000000000000000001", -2},
		{"d840c24105", 5},
	};
	struct msg_ready ready;

	(void)state;
	assert_codes(rows, UNIT_COUNT(rows));
	unit_held struct msg_bytes payload = unit_hex(
		"a3 6c'boot_time_ns'c248ffffffffffffffff 6c'init_time_ns'1bffffffffffffffff"
		"6d'ready_time_ns'c249008000000000000000");

	assert_int_equal(msg_decode(MSG_READY, payload, &ready), 0);
	assert_true(ready.boot_time_ns == UINT64_MAX && ready.init_time_ns == UINT64_MAX);
	assert_true(ready.ready_time_ns == UINT64_C(1) << 63);
}

static void floats_are_taken_if_they_are_integers(void **state)
{
	static const struct number rows[] = {
		{"f90000", 0},
		{"f94500", 5},
		{"fa40a00000", 5},
		{"fb4014000000000000", 5},
		{"fb41dfffffffc00000", INT32_MAX},
	};
	unit_held struct msg_bytes payload =
		unit_hex("a3 6c'boot_time_ns'fb43efffffffffffff 6c'init_time_ns'fb41f0000000000000"
			 "6d'ready_time_ns'fb4340000000000000");
	struct msg_ready ready;

	(void)state;
	assert_codes(rows, UNIT_COUNT(rows));
	assert_int_equal(msg_decode(MSG_READY, payload, &ready), 0);
	assert_true(ready.boot_time_ns == UINT64_MAX - 2047);
	assert_true(ready.init_time_ns == UINT64_C(1) << 32);
	assert_true(ready.ready_time_ns == UINT64_C(1) << 53);
}

static void what_is_no_integer_is_refused(void **state)
{
	static const char *const values[] = {
		"f4",
		"f5",
		"60",
		"40",
		"4105",
		"80",
		"a0",
		"ff",
		"f93c01",
		"fa3fc00000",
		"fb3ff8000000000000",
		"f97e00",
		"f97c00",
		"f9fc00",
		"fb7ff0000000000000",
		"fbbff8000000000000",
		"fb43f0000000000000",
		"fb7fefffffffffffff",
		/* A byte string is a big number only behind its own tag. */
		"d8404105",
		"c14105",
		"c44105",
		"c26105",
		"c2 c1 4105",
		"c3 d840 4105",
		"c249010000000000000000",
		"c24b0100000000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(values); i++) {
		struct msg_exec_exited exited;

		if (decode(MSG_EXEC_EXITED, "64'code'", values[i], &exited) != -EBADMSG)
			fail_msg("accepted %s as %d", values[i], exited.code);
	}
}

struct range {
	enum msg_type type;
	const char *key, *value;
};

static void integers_out_of_their_range_are_refused(void **state)
{
	static const struct range rows[] = {
		{MSG_EXEC_EXITED, "64'code'", "1a80000000"},
		{MSG_EXEC_EXITED, "64'code'", "1b0000000100000000"},
		{MSG_EXEC_EXITED, "64'code'", "1bffffffffffffffff"},
		{MSG_EXEC_EXITED, "64'code'", "3a80000000"},
		{MSG_EXEC_EXITED, "64'code'", "3bffffffffffffffff"},
		{MSG_EXEC_EXITED, "64'code'", "c348ffffffffffffffff"},
		{MSG_EXEC_EXITED, "64'code'00 66'signal'", "190100"},
		{MSG_EXEC_EXITED, "64'code'00 66'signal'", "20"},
		{MSG_EXEC_STARTED, "63'pid'", "1b0000000100000000"},
		{MSG_EXEC_STARTED, "63'pid'", "20"},
		{MSG_EXEC_STARTED, "63'pid'", "c34100"},
		{MSG_EXEC_RESIZE, "64'rows'01 64'cols'", "1a00010000"},
		{MSG_EXEC_RESIZE, "64'rows'01 64'cols'", "20"},
		{MSG_EXEC_RESIZE, "64'rows'01 64'cols'", "fb40f0000000000000"},
		{MSG_EXEC_SIGNAL, "66'signal'", "1a80000000"},
		{MSG_EXEC_REQUEST, "63'cmd'60 6a'timeout_ms'", "20"},
		{MSG_EXEC_REQUEST, "63'cmd'60 6e'timeout_signal'", "1a80000000"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct msg_exec_request any;
		char payload[128];

		snprintf(payload, sizeof(payload), "bf %s %s ff", rows[i].key, rows[i].value);
		unit_held struct msg_bytes bytes = unit_hex(payload);

		if (msg_decode(rows[i].type, bytes, &any) != -EBADMSG)
			fail_msg("accepted %s", payload);
	}
}

static void integers_at_the_ends_of_their_range_are_taken(void **state)
{
	unit_held struct msg_bytes ended = unit_hex("a2 64'code'00 66'signal'18ff");
	unit_held struct msg_bytes size = unit_hex("a2 64'rows'00 64'cols'19ffff");
	struct msg_exec_started started;
	struct msg_exec_resize resize;
	struct msg_exec_exited exited;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_EXITED, ended, &exited), 0);
	assert_int_equal(exited.signal, 255);
	assert_int_equal(msg_decode(MSG_EXEC_RESIZE, size, &resize), 0);
	assert_int_equal(resize.rows, 0);
	assert_int_equal(resize.cols, 65535);
	assert_int_equal(decode(MSG_EXEC_STARTED, "63'pid'", "1affffffff", &started), 0);
	assert_true(started.pid == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest msg_value_tests[] = {
		cmocka_unit_test(integers_may_have_heads_of_any_width),
		cmocka_unit_test(tags_before_a_value_are_passed_over),
		cmocka_unit_test(tags_of_every_number_are_passed_over),
		cmocka_unit_test(big_numbers_are_taken_if_they_fit),
		cmocka_unit_test(floats_are_taken_if_they_are_integers),
		cmocka_unit_test(what_is_no_integer_is_refused),
		cmocka_unit_test(integers_out_of_their_range_are_refused),
		cmocka_unit_test(integers_at_the_ends_of_their_range_are_taken),
	};

	return cmocka_run_group_tests(msg_value_tests, NULL, NULL);
}
