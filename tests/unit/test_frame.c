/* Cutting frames off a queue, and writing their headers. */
#include "unit.h"

/* The frame of exec.exited 0, whole. */
#define EXITED "00000026 00000001 01 a3 61'v'07 61't'70'core.exec.exited' 61'p' 47 a1 64'code' 00"

static void numbers_are_big_endian(void **state)
{
	static const uint32_t numbers[] = {0,	       1,	   0x80,      0x12345678,
					   0x80000000, 0xfedcba98, UINT32_MAX};
	uint8_t bytes[4];

	(void)state;
	frame_put_u32(bytes, 0x12345678);
	assert_memory_equal(bytes, "\x12\x34\x56\x78", 4);
	for (size_t i = 0; i < UNIT_COUNT(numbers); i++) {
		frame_put_u32(bytes, numbers[i]);
		assert_int_equal(frame_u32(bytes), numbers[i]);
	}
}

static void header_counts_id_flags_and_body(void **state)
{
	uint8_t header[FRAME_HEADER_LEN];

	(void)state;
	frame_put_header(header, 0xa1b2c3d4, FRAME_TERMINAL, 0x21);
	assert_memory_equal(header, "\0\0\0\x26\xa1\xb2\xc3\xd4\x01", sizeof(header));
	frame_put_header(header, 0, 0, 0);
	assert_memory_equal(header, "\0\0\0\x05\0\0\0\0\0", sizeof(header));
}

static void frame_is_cut_whole(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(EXITED);
	struct buf queue = unit_queue(bytes);
	struct frame frame;
	size_t missing = 77;

	(void)state;
	assert_int_equal(frame_next(&queue, &frame, &missing), 1);
	assert_int_equal(frame.id, 1);
	assert_int_equal(frame.flags, FRAME_TERMINAL);
	assert_ptr_equal(frame.body, bytes.ptr + 9);
	assert_int_equal(frame.body_len, bytes.len - 9);
	assert_int_equal(frame.wire_len, bytes.len);
	assert_int_equal(missing, 77);
}

static void frame_that_is_cut_short_says_how_much_is_missing(void **state)
{
	unit_held struct msg_bytes whole = unit_hex(EXITED);

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		unit_held struct msg_bytes bytes = unit_copy(whole.ptr, len);
		struct buf queue = unit_queue(bytes);
		struct frame frame = {.id = 99};
		size_t missing = 0;

		assert_int_equal(frame_next(&queue, &frame, &missing), 0);
		assert_int_equal(missing, len < 4 ? 4 - len : whole.len - len);
		assert_int_equal(frame.id, 99);
	}
}

static void frames_in_one_read_come_one_after_the_other(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(EXITED "00000006 01020304 02 a0"
							   "00000005 00000003 00"
							   "0000");
	struct buf queue = unit_queue(bytes);
	struct frame frame;
	size_t missing;

	(void)state;
	assert_int_equal(frame_next(&queue, &frame, &missing), 1);
	queue.head += frame.wire_len;
	assert_int_equal(frame_next(&queue, &frame, &missing), 1);
	assert_int_equal(frame.id, 0x01020304);
	assert_int_equal(frame.flags, 2);
	assert_int_equal(frame.body_len, 1);
	assert_int_equal(frame.body[0], 0xa0);
	queue.head += frame.wire_len;
	assert_int_equal(frame_next(&queue, &frame, &missing), 1);
	assert_int_equal(frame.id, 3);
	assert_int_equal(frame.body_len, 0);
	assert_int_equal(frame.wire_len, 9);
	queue.head += frame.wire_len;
	assert_int_equal(frame_next(&queue, &frame, &missing), 0);
	assert_int_equal(missing, 2);
}

static void frame_rejects_a_length_over_the_limit(void **state)
{
	static const char *const lengths[] = {"00400001", "00ffffff", "7fffffff", "80000000",
					      "ffffffff"};
	struct frame frame;
	size_t missing;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lengths); i++) {
		/* As soon as the length is seen: nobody waits for 4 GiB. */
		unit_held struct msg_bytes bytes = unit_hex(lengths[i]);
		struct buf queue = unit_queue(bytes);

		assert_int_equal(frame_next(&queue, &frame, &missing), -EMSGSIZE);
	}
}

static void frame_rejects_a_length_without_id_and_flags(void **state)
{
	static const char *const lengths[] = {"00000000", "00000001", "00000004"};
	struct frame frame;
	size_t missing;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lengths); i++) {
		unit_held struct msg_bytes bytes = unit_hex(lengths[i]);
		struct buf queue = unit_queue(bytes);

		assert_int_equal(frame_next(&queue, &frame, &missing), -EBADMSG);
	}
}

static void frame_of_the_greatest_length_is_legal(void **state)
{
	struct msg_bytes bytes = {malloc(FRAME_WIRE_MAX), FRAME_WIRE_MAX};
	struct buf queue = unit_queue(bytes);
	struct frame frame;
	size_t missing;

	(void)state;
	assert_non_null(bytes.ptr);
	frame_put_header(bytes.ptr, 7, 0, FRAME_LEN_MAX - FRAME_LEN_MIN);
	assert_memory_equal(bytes.ptr, "\0\x40\0\0", 4);
	assert_int_equal(frame_next(&queue, &frame, &missing), 1);
	assert_int_equal(frame.wire_len, 4194308);
	assert_int_equal(frame.body_len, 4194299);
	queue.tail--;
	assert_int_equal(frame_next(&queue, &frame, &missing), 0);
	assert_int_equal(missing, 1);
	free(bytes.ptr);
}

int main(void)
{
	const struct CMUnitTest frame_tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(header_counts_id_flags_and_body),
		cmocka_unit_test(frame_is_cut_whole),
		cmocka_unit_test(frame_that_is_cut_short_says_how_much_is_missing),
		cmocka_unit_test(frames_in_one_read_come_one_after_the_other),
		cmocka_unit_test(frame_rejects_a_length_over_the_limit),
		cmocka_unit_test(frame_rejects_a_length_without_id_and_flags),
		cmocka_unit_test(frame_of_the_greatest_length_is_legal),
	};

	return cmocka_run_group_tests(frame_tests, NULL, NULL);
}
