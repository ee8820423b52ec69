/* The bounded queue of bytes: order, limit, and where its memory comes from and goes to. */
#include "unit.h"

#define BIG (1024 * 1024)

static void queue_that_is_new_owns_no_memory(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100, NULL);
	assert_null(buf.data);
	assert_null(buf_head(&buf));
	assert_int_equal(buf_len(&buf), 0);
	assert_int_equal(buf_room(&buf), 0);
	assert_int_equal(buf_append(&buf, NULL, 0), 0);
	assert_int_equal(buf_len(&buf), 0);
	buf_release(&buf);
}

static void queue_that_ran_empty_owns_no_memory(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100, NULL);
	assert_int_equal(buf_append(&buf, "abc", 3), 0);
	buf_consume(&buf, 2);
	assert_non_null(buf.data);
	buf_consume(&buf, 1);
	assert_null(buf.data);
	assert_int_equal(buf_room(&buf), 0);
}

static void queue_keeps_the_order_of_its_bytes(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100, NULL);
	assert_int_equal(buf_append(&buf, "abc", 3), 0);
	assert_int_equal(buf_append(&buf, "defg", 4), 0);
	assert_int_equal(buf_len(&buf), 7);
	assert_memory_equal(buf_head(&buf), "abcdefg", 7);
	buf_consume(&buf, 2);
	assert_memory_equal(buf_head(&buf), "cdefg", 5);
	buf_release(&buf);
}

static void queue_takes_its_limit_and_not_one_byte_more(void **state)
{
	uint8_t bytes[11] = "0123456789", *space = NULL;
	struct buf buf;

	(void)state;
	buf_init(&buf, 10, NULL);
	assert_int_equal(buf_append(&buf, bytes, 11), -ENOBUFS);
	assert_int_equal(buf_append(&buf, bytes, 7), 0);
	assert_int_equal(buf_append(&buf, bytes, 4), -ENOBUFS);
	assert_int_equal(buf_reserve(&buf, 4, &space), -ENOBUFS);
	assert_int_equal(buf_reserve(&buf, SIZE_MAX, &space), -ENOBUFS);
	assert_null(space);
	assert_int_equal(buf_append(&buf, bytes + 7, 3), 0);
	assert_int_equal(buf_append(&buf, bytes, 1), -ENOBUFS);
	assert_int_equal(buf_len(&buf), 10);
	assert_memory_equal(buf_head(&buf), bytes, 10);
	assert_in_range(buf.cap, 10, buf.max);
	buf_release(&buf);
}

static void limit_counts_what_is_queued_not_what_went_through(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10, NULL);
	assert_int_equal(buf_append(&buf, "0123456789", 10), 0);
	for (int i = 0; i < 100; i++) {
		buf_consume(&buf, 6);
		assert_int_equal(buf_append(&buf, "456789", 6), 0);
		assert_int_equal(buf_append(&buf, "x", 1), -ENOBUFS);
		assert_int_equal(buf_len(&buf), 10);
	}
	assert_memory_equal(buf_head(&buf), "6789456789", 10);
	buf_release(&buf);
}

static void room_that_was_consumed_is_used_again_without_growing(void **state)
{
	uint8_t *memory;
	static uint8_t bytes[4096];
	struct buf buf;
	size_t cap;

	(void)state;
	buf_init(&buf, BIG, NULL);
	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes + 4000, "tail", 4);
	assert_int_equal(buf_append(&buf, bytes, 4004), 0);
	cap = buf.cap;
	memory = buf.data;
	assert_int_equal(cap, 4096);
	buf_consume(&buf, 4000);
	assert_int_equal(buf_append(&buf, bytes, 4092), 0);
	assert_int_equal(buf.cap, cap);
	assert_ptr_equal(buf.data, memory);
	assert_memory_equal(buf_head(&buf), "tail", 4);
	assert_memory_equal(buf_head(&buf) + 4, bytes, 4000);
	/* Half of it is moved onto the other half, and no more than fits is put behind. */
	buf_consume(&buf, 2048);
	assert_int_equal(buf_append(&buf, bytes, 2048), 0);
	assert_ptr_equal(buf.data, memory);
	buf_consume(&buf, 2048);
	assert_int_equal(buf_append(&buf, bytes, 2049), 0);
	assert_int_equal(buf_len(&buf), 4097);
	assert_true(buf.cap > cap);
	buf_release(&buf);
}

static void reserve_makes_room_that_commit_counts(void **state)
{
	uint8_t *space;
	struct buf buf;

	(void)state;
	buf_init(&buf, BIG, NULL);
	assert_int_equal(buf_reserve(&buf, 5000, &space), 0);
	assert_true(buf_room(&buf) >= 5000);
	memset(space, 'x', 5000);
	assert_int_equal(buf_len(&buf), 0);
	buf_commit(&buf, 3);
	assert_int_equal(buf_len(&buf), 3);
	assert_memory_equal(buf_head(&buf), "xxx", 3);
	buf_release(&buf);
}

static void room_that_is_there_is_given_without_a_move(void **state)
{
	uint8_t bytes[4000] = {0}, *space;
	struct buf buf;

	(void)state;
	buf_init(&buf, BIG, NULL);
	assert_int_equal(buf_append(&buf, bytes, sizeof(bytes)), 0);
	buf_consume(&buf, 3999);
	assert_int_equal(buf_room(&buf), 96);
	assert_int_equal(buf_reserve(&buf, 96, &space), 0);
	assert_ptr_equal(space, buf.data + 4000);
	assert_int_equal(buf.head, 3999);
	buf_release(&buf);
	assert_null(buf.data);
	assert_int_equal(buf_len(&buf), 0);
	assert_int_equal(buf_room(&buf), 0);
}

static void gap_is_left_standing_before_the_first_bytes(void **state)
{
	uint8_t *space;
	struct buf buf;

	(void)state;
	buf_init(&buf, 100, NULL);
	assert_int_equal(buf_reserve(&buf, 20, &space), 0);
	memcpy(space + 7, "abc", 3);
	buf_commit_after(&buf, 7, 3);
	assert_ptr_equal(buf_head(&buf), space + 7);
	assert_int_equal(buf_len(&buf), 3);
	assert_memory_equal(buf_head(&buf), "abc", 3);
	buf_release(&buf);
}

static void gap_is_closed_behind_other_bytes(void **state)
{
	uint8_t *space;
	struct buf buf;

	(void)state;
	buf_init(&buf, 100, NULL);
	assert_int_equal(buf_append(&buf, "abc", 3), 0);
	assert_int_equal(buf_reserve(&buf, 20, &space), 0);
	memcpy(space, "-------defghijklmn", 18);
	buf_commit_after(&buf, 7, 11);
	assert_int_equal(buf_len(&buf), 14);
	assert_memory_equal(buf_head(&buf), "abcdefghijklmn", 14);
	assert_int_equal(buf_reserve(&buf, 2, &space), 0);
	memcpy(space, "op", 2);
	buf_commit_after(&buf, 0, 2);
	assert_memory_equal(buf_head(&buf), "abcdefghijklmnop", 16);
	buf_release(&buf);
}

static void reserved_and_unused_memory_is_given_back_by_settle(void **state)
{
	struct buf_spare spare = {0};
	uint8_t *space;
	struct buf buf;

	(void)state;
	buf_init(&buf, 100, &spare);
	assert_int_equal(buf_reserve(&buf, 20, &space), 0);
	buf_settle(&buf);
	assert_null(buf.data);
	assert_ptr_equal(spare.data, space);
	assert_int_equal(buf_append(&buf, "abc", 3), 0);
	buf_settle(&buf);
	assert_int_equal(buf_len(&buf), 3);
	buf_release(&buf);
	buf_spare_release(&spare);
}

static void spare_goes_from_one_queue_to_the_next(void **state)
{
	struct buf_spare spare = {0};
	struct buf one, two;
	uint8_t *memory;

	(void)state;
	buf_init(&one, BIG, &spare);
	buf_init(&two, BIG, &spare);
	assert_int_equal(buf_append(&one, "abc", 3), 0);
	memory = one.data;
	buf_consume(&one, 3);
	assert_ptr_equal(spare.data, memory);
	assert_int_equal(buf_append(&two, "d", 1), 0);
	assert_ptr_equal(two.data, memory);
	assert_null(spare.data);
	assert_int_equal(spare.cap, 0);
	assert_memory_equal(buf_head(&two), "d", 1);
	buf_release(&two);
	buf_spare_release(&spare);
}

static void run_empty(struct buf *buf, size_t len)
{
	uint8_t *space;

	assert_int_equal(buf_reserve(buf, len, &space), 0);
	buf_commit(buf, len);
	buf_consume(buf, len);
}

static void spare_is_the_larger_of_two_but_nothing_huge(void **state)
{
	struct buf_spare spare = {0};
	uint8_t *kept, *space;
	struct buf buf;

	(void)state;
	buf_init(&buf, 4 * BIG, &spare);
	run_empty(&buf, 100);
	assert_int_equal(spare.cap, 4096);
	run_empty(&buf, BIG);
	assert_int_equal(spare.cap, BIG);
	kept = spare.data;
	run_empty(&buf, BIG + 1);
	assert_ptr_equal(spare.data, kept);
	assert_int_equal(spare.cap, BIG);
	/* Too small for this one: it stays where it is. */
	assert_int_equal(buf_reserve(&buf, 2 * BIG, &space), 0);
	assert_ptr_equal(spare.data, kept);
	buf_release(&buf);
	buf_spare_release(&spare);
	assert_null(spare.data);
	assert_int_equal(spare.cap, 0);
	buf_init(&buf, BIG + 1, &spare);
	run_empty(&buf, BIG + 1);
	assert_null(spare.data);
}

static void spare_over_a_queues_limit_is_not_taken(void **state)
{
	struct buf_spare spare = {0};
	struct buf large, small;
	uint8_t *space;

	(void)state;
	buf_init(&large, BIG, &spare);
	buf_init(&small, 5000, &spare);
	run_empty(&large, 6000);
	assert_true(spare.cap > 5000);
	assert_int_equal(buf_append(&small, "abc", 3), 0);
	assert_non_null(spare.data);
	assert_in_range(small.cap, 3, 5000);
	buf_release(&small);
	/* One that is just of that size is, whole. */
	buf_init(&small, spare.cap, &spare);
	assert_int_equal(buf_reserve(&small, small.max, &space), 0);
	assert_null(spare.data);
	buf_release(&small);
	buf_spare_release(&spare);
}

#define MODEL_MAX 9000

/* A queue that is an array whose front is cut off, to compare with. */
struct model {
	uint8_t bytes[MODEL_MAX];
	size_t len;
};

static void put_both(struct buf *buf, struct model *model, uint64_t *seed)
{
	static uint8_t bytes[MODEL_MAX];
	size_t len = unit_below(seed, 3000), gap = unit_below(seed, 3) ? unit_below(seed, 200) : 0;
	uint8_t *space;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)unit_random(seed);
	if (model->len + gap + len > MODEL_MAX) {
		assert_int_equal(buf_reserve(buf, gap + len, &space), -ENOBUFS);
		return;
	}
	if (unit_below(seed, 2)) {
		assert_int_equal(buf_append(buf, bytes, len), 0);
	} else {
		assert_int_equal(buf_reserve(buf, gap + len, &space), 0);
		if (len) {
			memset(space, 0xee, gap);
			memcpy(space + gap, bytes, len);
		}
		buf_commit_after(buf, gap, len);
	}
	memcpy(model->bytes + model->len, bytes, len);
	model->len += len;
}

static void queue_behaves_as_an_array_would(void **state)
{
	static struct model model;
	struct buf_spare spare = {0};
	uint64_t seed = 1;
	struct buf buf;

	(void)state;
	buf_init(&buf, MODEL_MAX, &spare);
	for (int i = 0; i < 20000; i++) {
		if (unit_below(&seed, 2)) {
			put_both(&buf, &model, &seed);
		} else {
			size_t len = unit_below(&seed, (uint32_t)model.len + 1);

			buf_consume(&buf, len);
			memmove(model.bytes, model.bytes + len, model.len -= len);
		}
		assert_int_equal(buf_len(&buf), model.len);
		if (model.len)
			assert_memory_equal(buf_head(&buf), model.bytes, model.len);
		assert_true(buf.cap <= MODEL_MAX && buf.tail <= buf.cap);
	}
	buf_release(&buf);
	buf_spare_release(&spare);
}

int main(void)
{
	const struct CMUnitTest buf_tests[] = {
		cmocka_unit_test(queue_that_is_new_owns_no_memory),
		cmocka_unit_test(queue_that_ran_empty_owns_no_memory),
		cmocka_unit_test(queue_keeps_the_order_of_its_bytes),
		cmocka_unit_test(queue_takes_its_limit_and_not_one_byte_more),
		cmocka_unit_test(limit_counts_what_is_queued_not_what_went_through),
		cmocka_unit_test(room_that_was_consumed_is_used_again_without_growing),
		cmocka_unit_test(reserve_makes_room_that_commit_counts),
		cmocka_unit_test(room_that_is_there_is_given_without_a_move),
		cmocka_unit_test(gap_is_left_standing_before_the_first_bytes),
		cmocka_unit_test(gap_is_closed_behind_other_bytes),
		cmocka_unit_test(reserved_and_unused_memory_is_given_back_by_settle),
		cmocka_unit_test(spare_goes_from_one_queue_to_the_next),
		cmocka_unit_test(spare_is_the_larger_of_two_but_nothing_huge),
		cmocka_unit_test(spare_over_a_queues_limit_is_not_taken),
		cmocka_unit_test(queue_behaves_as_an_array_would),
	};

	return cmocka_run_group_tests(buf_tests, NULL, NULL);
}
