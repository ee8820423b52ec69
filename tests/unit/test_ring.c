/* The last bytes of a stream: against the whole stream, for every order of what can be asked. */
#include "daemon/session/ring.h"

#include "unit.h"

/* WRAP: malloc */
void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);

static bool no_memory;

void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

/* The stream: each byte says where it stands. */
static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void assert_holds(const struct ring *ring)
{
	const uint8_t *data;
	uint64_t at = ring->begin;

	assert_in_range(ring->end - ring->begin, 0, ring->room);
	assert_true(ring->room <= ring->limit);
	for (size_t len; (len = ring_peek(ring, at, &data)); at += len)
		for (size_t i = 0; i < len; i++)
			if (data[i] != byte_at(at + i))
				fail_msg("byte %zu of the piece at %ju", i, (uintmax_t)at);
	assert_int_equal(at, ring->end);
}

/* Comes as far as there is room for it: the bytes that came. */
static size_t come(struct ring *ring, size_t max, size_t read_len)
{
	uint8_t *space = NULL;
	ssize_t len = ring_reserve(ring, max, &space);
	size_t n;

	assert_in_range(len, 0, max);
	n = (size_t)len < read_len ? (size_t)len : read_len;
	for (size_t i = 0; i < n; i++)
		space[i] = byte_at(ring->end + i);
	ring_commit(ring, n);
	return n;
}

/* So many bytes, in whatever pieces. */
static void fill(struct ring *ring, size_t len)
{
	for (size_t n; len; len -= n) {
		n = come(ring, len, len);
		assert_int_not_equal(n, 0);
	}
}

static void ring_has_no_memory_before_it_is_needed(void **state)
{
	struct ring_total total = {.limit = 1 << 20};
	const uint8_t *data;
	struct ring ring;

	(void)state;
	ring_init(&ring, 65536, &total, 17);
	assert_int_equal(ring.begin, 17);
	assert_int_equal(ring.end, 17);
	assert_int_equal(total.held, 0);
	assert_int_equal(ring_space(&ring), 65536);
	assert_int_equal(ring_peek(&ring, 17, &data), 0);
	ring_forget(&ring, 17);
	ring_settle(&ring);
	ring_release(&ring);
	assert_int_equal(total.held, 0);
}

static void ring_grows_by_doubling_up_to_its_limit(void **state)
{
	struct ring_total total = {.limit = 1 << 20};
	struct ring ring;

	(void)state;
	ring_init(&ring, 10000, &total, 0);
	assert_int_equal(come(&ring, 65536, 1), 1);
	assert_int_equal(ring.room, 4096);
	fill(&ring, 4095);
	assert_int_equal(ring.room, 4096);
	fill(&ring, 1);
	assert_int_equal(ring.room, 8192);
	fill(&ring, 5903);
	assert_int_equal(ring.room, 10000);
	assert_int_equal(ring_space(&ring), 0);
	assert_int_equal(come(&ring, 10, 10), 0);
	assert_int_equal(ring.begin, 0);
	assert_int_equal(total.held, 10000);
	assert_holds(&ring);
	ring_release(&ring);
	assert_int_equal(total.held, 0);
}

/* Each byte is fetched before the next ones come, and the pieces grow all the same. */
static void ring_grows_for_a_stream_that_fills_it_at_once(void **state)
{
	struct ring ring;

	(void)state;
	ring_init(&ring, 1 << 20, NULL, 99);
	for (int i = 0; i < 30; i++) {
		come(&ring, 65536, 65536);
		ring_forget(&ring, ring.end);
	}
	assert_int_equal(ring.room, 65536);
	for (int i = 0; i < 3000; i++) {
		come(&ring, 65536, 700);
		ring_forget(&ring, ring.end);
	}
	assert_int_equal(ring.room, 65536);
	ring_release(&ring);
}

static void total_bounds_all_but_the_least_of_each(void **state)
{
	struct ring_total total = {.limit = 20000};
	struct ring rings[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		ring_init(&rings[i], 65536, &total, 0);
	/* In steps, so that the last few bytes are nobody's. */
	assert_int_equal(ring_space(&rings[0]), 16384);
	fill(&rings[0], 16384);
	assert_int_equal(ring_space(&rings[0]), 0);
	for (int i = 1; i < 4; i++) {
		assert_int_equal(ring_space(&rings[i]), RING_LEAST);
		fill(&rings[i], RING_LEAST);
		assert_int_equal(ring_space(&rings[i]), 0);
		assert_int_equal(come(&rings[i], 10, 10), 0);
		ring_forget(&rings[i], 10);
		fill(&rings[i], 10);
	}
	assert_int_equal(total.held, 16384 + 3 * RING_LEAST);
	/* What one gives back another one gets. */
	ring_release(&rings[0]);
	assert_int_equal(ring_space(&rings[1]), RING_LEAST);
	fill(&rings[1], 4096);
	assert_int_equal(rings[1].begin, 10);
	for (int i = 0; i < 4; i++)
		ring_release(&rings[i]);
	assert_int_equal(total.held, 0);
}

static void a_part_of_a_total_is_bounded_by_both(void **state)
{
	struct ring_total whole = {.limit = 40000};
	struct ring_total part = {.limit = 20000, .whole = &whole};
	struct ring mine, more, other;

	(void)state;
	ring_init(&mine, 65536, &part, 0);
	ring_init(&more, 65536, &part, 0);
	ring_init(&other, 65536, &whole, 0);
	fill(&mine, 16384);
	/* Whoever has a part takes nothing of what is the others'. */
	assert_int_equal(ring_space(&more), RING_LEAST);
	assert_int_equal(ring_space(&other), 20480);
	fill(&other, 16384);
	assert_int_equal(whole.held, 2 * 16384);
	assert_int_equal(part.held, 16384);
	ring_release(&mine);
	ring_release(&other);
	assert_int_equal(whole.held + part.held, 0);
}

static void settled_ring_has_what_it_holds(void **state)
{
	struct ring_total total = {.limit = 1 << 20};
	struct ring ring;

	(void)state;
	ring_init(&ring, 65536, &total, 1000);
	fill(&ring, 65536);
	ring_forget(&ring, 1100);
	fill(&ring, 100);
	ring_forget(&ring, ring.end - 777);
	assert_int_equal(total.held, 65536);
	ring_settle(&ring);
	assert_int_equal(total.held, 777);
	assert_int_equal(ring_held(&ring), 777);
	assert_holds(&ring);
	/* And grows again. */
	fill(&ring, 5000);
	assert_int_equal(ring_held(&ring), 5777);
	assert_holds(&ring);
	ring_forget(&ring, ring.end);
	ring_settle(&ring);
	assert_int_equal(total.held, 0);
	assert_null(ring.data);
	fill(&ring, 1);
	assert_holds(&ring);
	ring_release(&ring);
}

static void limit_of_nothing_is_the_least(void **state)
{
	struct ring ring;

	(void)state;
	ring_init(&ring, 0, NULL, 0);
	fill(&ring, RING_LEAST);
	assert_int_equal(come(&ring, 1, 1), 0);
	ring_release(&ring);
}

static void no_memory_at_all_is_said(void **state)
{
	struct ring ring;
	uint8_t *space;

	(void)state;
	ring_init(&ring, 65536, NULL, 0);
	no_memory = true;
	assert_int_equal(ring_reserve(&ring, 10, &space), -ENOMEM);
	/* Nothing is forgotten of it that would have it asked again. */
	assert_int_equal(ring_space(&ring), 65536);
	no_memory = false;
	fill(&ring, 10);
	assert_holds(&ring);
	ring_release(&ring);
}

/* Else whoever reads as long as there is space would never rest. */
static void ring_that_cannot_grow_has_no_space(void **state)
{
	struct ring ring;

	(void)state;
	ring_init(&ring, 65536, NULL, 0);
	fill(&ring, 4096);
	assert_int_not_equal(ring_space(&ring), 0);
	no_memory = true;
	assert_int_equal(come(&ring, 10, 10), 0);
	assert_int_equal(ring_space(&ring), 0);
	ring_settle(&ring);
	assert_holds(&ring);
	no_memory = false;
	/* What goes makes room, and what fills it asks for memory again. */
	ring_forget(&ring, 20);
	assert_int_not_equal(ring_space(&ring), 0);
	fill(&ring, 21);
	assert_int_equal(ring.room, 8192);
	assert_holds(&ring);
	ring_release(&ring);
}

static void settling_without_memory_changes_nothing(void **state)
{
	struct ring ring;

	(void)state;
	ring_init(&ring, 65536, NULL, 0);
	fill(&ring, 100);
	no_memory = true;
	ring_settle(&ring);
	no_memory = false;
	assert_int_equal(ring.room, 4096);
	assert_holds(&ring);
	ring_release(&ring);
}

static void step_once(struct ring *ring, uint64_t *seed)
{
	uint32_t what = unit_below(seed, 100);
	uint64_t begin = ring->begin, end = ring->end;
	size_t max = 1 + unit_below(seed, unit_below(seed, 2) ? 70000 : 50), read_len, space;

	no_memory = unit_below(seed, 20) == 0 && ring->data;
	space = ring_space(ring);
	if (what < 70) {
		read_len = unit_below(seed, 3) ? max : unit_below(seed, (uint32_t)max);
		if (come(ring, max, read_len) == 0 && read_len)
			assert_true(!space || no_memory);
		assert_int_equal(ring->begin, begin);
	} else if (what < 95) {
		ring_forget(ring, begin + unit_below(seed, (uint32_t)(end - begin) + 10));
	} else {
		ring_settle(ring);
		assert_int_equal(ring->begin, begin);
	}
	no_memory = false;
	assert_true(ring->begin >= begin && ring->end >= end);
}

/* Two that share a total. */
static void walk(uint64_t at, size_t limit, size_t total_limit, uint64_t seed)
{
	struct ring_total total = {.limit = total_limit};
	struct ring ring, other;

	ring_init(&ring, limit, &total, at);
	ring_init(&other, limit, &total, at);
	for (int i = 0; i < 800; i++) {
		step_once(&ring, &seed);
		step_once(&other, &seed);
		assert_int_equal(total.held, ring.room + other.room);
		assert_true(total.held <= total.limit || ring.room <= RING_LEAST ||
			    other.room <= RING_LEAST);
		if (i % 8 == 0) {
			assert_holds(&ring);
			assert_holds(&other);
		}
	}
	ring_release(&ring);
	ring_release(&other);
	assert_int_equal(total.held, 0);
}

static void ring_is_the_end_of_its_stream_whatever_comes(void **state)
{
	static const uint64_t starts[] = {0, 1, (UINT64_C(1) << 32) - 30000, UINT64_MAX / 2 - 30000,
					  UINT64_MAX - (UINT64_C(1) << 40)};
	static const size_t limits[] = {4096, 5000, 65536, 100003};
	static const size_t totals[] = {0, 50000, 1 << 20};
	uint64_t seed = 1;

	(void)state;
	for (size_t s = 0; s < UNIT_COUNT(starts); s++)
		for (size_t l = 0; l < UNIT_COUNT(limits); l++)
			for (size_t t = 0; t < UNIT_COUNT(totals); t++, seed++)
				walk(starts[s], limits[l], totals[t], seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_has_no_memory_before_it_is_needed),
		cmocka_unit_test(ring_grows_by_doubling_up_to_its_limit),
		cmocka_unit_test(ring_grows_for_a_stream_that_fills_it_at_once),
		cmocka_unit_test(total_bounds_all_but_the_least_of_each),
		cmocka_unit_test(a_part_of_a_total_is_bounded_by_both),
		cmocka_unit_test(settled_ring_has_what_it_holds),
		cmocka_unit_test(limit_of_nothing_is_the_least),
		cmocka_unit_test(no_memory_at_all_is_said),
		cmocka_unit_test(ring_that_cannot_grow_has_no_space),
		cmocka_unit_test(settling_without_memory_changes_nothing),
		cmocka_unit_test(ring_is_the_end_of_its_stream_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
