/* Regular files in the event loop: epoll refuses them, and they are always ready. */
#include <fcntl.h>
#include <unistd.h>

#include "unit_timers.h"

struct reader {
	struct loop_source source;
	struct reader *removes;
	int calls, stops_at;
	uint32_t ready;
};

static void on_ready(struct loop_source *source, uint32_t ready)
{
	struct reader *reader = (struct reader *)((char *)source - offsetof(struct reader, source));

	reader->calls++;
	reader->ready |= ready;
	if (reader->calls == reader->stops_at)
		loop_stop(&loop);
	if (reader->removes)
		loop_remove(&loop, &reader->removes->source);
}

/* Returns the descriptor, for the caller to close. */
static int open_file(struct reader *reader)
{
	char path[] = "/tmp/msb-unit-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	*reader = (struct reader){.calls = 0};
	loop_source_init(&reader->source, fd, on_ready);
	return fd;
}

static void regular_file_is_always_ready(void **state)
{
	struct reader file;
	int fd = open_file(&file);

	(void)state;
	file.stops_at = 3;
	loop_want(&loop, &file.source, LOOP_IN);
	run_until_stopped();
	assert_int_equal(file.ready, LOOP_IN);
	/* Until it wants nothing: then the loop sleeps. */
	loop_want(&loop, &file.source, 0);
	run_for(5);
	assert_int_equal(file.calls, 3);
	file.stops_at = 6;
	loop_want(&loop, &file.source, LOOP_OUT | LOOP_IN);
	run_until_stopped();
	assert_int_equal(file.ready, LOOP_OUT | LOOP_IN);
	loop_remove(&loop, &file.source);
	loop_remove(&loop, &file.source);
	assert_int_equal(file.source.fd, -1);
	run_for(5);
	assert_int_equal(file.calls, 6);
	close(fd);
}

static void file_that_wants_nothing_lets_the_loop_sleep(void **state)
{
	struct reader file;
	int fd = open_file(&file);
	uint64_t begun;

	(void)state;
	loop_want(&loop, &file.source, LOOP_IN);
	loop_want(&loop, &file.source, 0);
	begun = cpu_ms();
	run_for(100);
	assert_true(cpu_ms() - begun < 50);
	assert_int_equal(file.calls, 0);
	loop_remove(&loop, &file.source);
	close(fd);
}

static void ready_files_do_not_starve_the_others(void **state)
{
	struct reader file, in = {.stops_at = 10};
	int fd = open_file(&file), fds[2];
	struct clock clock;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_source_init(&in.source, fds[0], on_ready);
	loop_want(&loop, &file.source, LOOP_OUT);
	loop_want(&loop, &in.source, LOOP_IN);
	run_until_stopped();
	assert_int_equal(file.calls, 10);
	make(&clock, 1);
	clock.stops_at = 1;
	loop_arm(&loop, &clock.timer, 3);
	run_until_stopped();
	loop_remove(&loop, &file.source);
	loop_remove(&loop, &in.source);
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

static void file_may_remove_any_file_while_it_is_called(void **state)
{
	(void)state;
	for (size_t which = 0; which < 9; which++) {
		struct reader files[3];
		int fds[3];

		for (size_t i = 0; i < 3; i++) {
			fds[i] = open_file(&files[i]);
			loop_want(&loop, &files[i].source, LOOP_IN);
		}
		files[which / 3].removes = &files[which % 3];
		run_rounds(4);
		for (size_t i = 0; i < 3; i++) {
			if (i == which % 3)
				assert_in_range(files[i].calls, 0, 1);
			else
				assert_int_equal(files[i].calls, 4);
			loop_remove(&loop, &files[i].source);
			close(fds[i]);
		}
		assert_null(loop.aside);
	}
}

int main(void)
{
	const struct CMUnitTest loop_file_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_set_up, unit_tear_down)
		TEST(regular_file_is_always_ready),
		TEST(file_that_wants_nothing_lets_the_loop_sleep),
		TEST(ready_files_do_not_starve_the_others),
		TEST(file_may_remove_any_file_while_it_is_called),
	};

	return cmocka_run_group_tests(loop_file_tests, NULL, NULL);
}
