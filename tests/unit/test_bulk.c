/* Payloads that are moved: their heads, the pipe they wait in, and their place in the queue. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/io/link.h"
#include "shared/wire/msg.h"
#include "unit.h"

#define PAYLOAD_LEN 100000

static void head_is_that_of_a_copied_frame(void **state)
{
	static const size_t lens[] = {0, 23, 24, 255, 256, 65535, 65536, 1048576, 4000000};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lens); i++) {
		struct buf copied, moved;
		uint8_t *space;

		buf_init(&copied, FRAME_WIRE_MAX, NULL);
		buf_init(&moved, FRAME_WIRE_MAX, NULL);
		assert_int_equal(msg_data_begin(&copied, lens[i], &space), 0);
		memset(space, 'x', lens[i]);
		msg_data_end(&copied, 9, MSG_EXEC_STDERR, lens[i]);
		assert_int_equal(msg_data_head(&moved, 9, MSG_EXEC_STDERR, lens[i]), 0);
		assert_true(buf_len(&moved) <= MSG_DATA_HEAD_MAX);
		assert_int_equal(buf_len(&moved) + lens[i], buf_len(&copied));
		assert_memory_equal(buf_head(&moved), buf_head(&copied), buf_len(&moved));
		buf_release(&copied);
		buf_release(&moved);
	}
}

static void large_head_is_known_by_its_beginning(void **state)
{
	struct buf in;
	size_t len = 0;

	(void)state;
	buf_init(&in, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDOUT, &len), 0);
	assert_int_equal(msg_data_head(&in, 9, MSG_EXEC_STDOUT, 1048576), 0);
	assert_int_equal(buf_len(&in), MSG_BULK_HEAD_OUTPUT);
	assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDOUT, &len), MSG_BULK_HEAD_OUTPUT);
	assert_int_equal(len, 1048576);
	assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDERR, &len), 0);
	assert_int_equal(msg_peek_data(&in, 8, MSG_EXEC_STDOUT, &len), 0);
	in.tail--;
	assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDOUT, &len), 0);
	buf_release(&in);
}

/* The same frame in another encoding, or with a length that no frame has, is for others. */
static void other_beginnings_are_not_taken_for_it(void **state)
{
	struct buf in;
	size_t len;

	(void)state;
	buf_init(&in, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_data_head(&in, 9, MSG_EXEC_STDOUT, 1048576), 0);
	for (size_t i = 0; i < MSG_BULK_HEAD_OUTPUT; i++) {
		buf_head(&in)[i] ^= 0x40;
		assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDOUT, &len), 0);
		buf_head(&in)[i] ^= 0x40;
	}
	frame_put_u32(buf_head(&in), UINT32_MAX);
	assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDOUT, &len), 0);
	frame_put_u32(buf_head(&in), 100);
	assert_int_equal(msg_peek_data(&in, 9, MSG_EXEC_STDOUT, &len), 0);
	buf_release(&in);
}

static void filled_from_what_is_no_pipe_is_refused_for_good(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct bulk bulk;

	(void)state;
	bulk_init(&bulk);
	assert_true(bulk_is_free(&bulk));
	if (bulk_fill(&bulk, fd, 100) == -EOPNOTSUPP)
		assert_false(bulk_is_free(&bulk));
	bulk_release(&bulk);
	close(fd);
}

static void empty_pipe_says_again_and_a_closed_one_its_end(void **state)
{
	struct bulk bulk;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	bulk_init(&bulk);
	assert_int_equal(bulk_fill(&bulk, ends[0], 100), -EAGAIN);
	close(ends[1]);
	assert_int_equal(bulk_fill(&bulk, ends[0], 100), 0);
	assert_true(bulk_is_free(&bulk));
	bulk_release(&bulk);
	close(ends[0]);
}

/* Reads all that is there and appends it. */
static size_t drain(int fd, uint8_t *to, size_t have, size_t max)
{
	ssize_t n;

	while (have < max && (n = recv(fd, to + have, max - have, MSG_DONTWAIT)) > 0)
		have += (size_t)n;
	return have;
}

/* Bytes, pages, bytes: in that order, though the socket takes them in pieces. */
static void pages_go_out_in_their_place(void **state)
{
	static uint8_t sent[PAYLOAD_LEN], got[PAYLOAD_LEN + 200];
	struct loop loop;
	struct link link;
	size_t have = 0;
	int pair[2], ends[2], small = 4096;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	assert_int_equal(write(ends[1], sent, sizeof(sent)), sizeof(sent));
	assert_int_equal(loop_init(&loop), 0);
	link_init(&link, &loop, pair[0], pair[0], 4096, NULL, NULL, LINK_TO_THE_LAST);
	assert_int_equal(buf_append(&link.out, "before", 6), 0);
	assert_int_equal(bulk_fill(&link.bulk, ends[0], sizeof(sent)), sizeof(sent));
	link.bulk.before = buf_len(&link.out);
	assert_int_equal(buf_append(&link.out, "after", 5), 0);
	assert_int_equal(link_unsent(&link), 6 + sizeof(sent) + 5);
	for (int i = 0; i < 10000 && have < 6 + sizeof(sent) + 5; i++) {
		link_flush(&link);
		have = drain(pair[1], got, have, sizeof(got));
	}
	assert_int_equal(have, 6 + sizeof(sent) + 5);
	assert_memory_equal(got, "before", 6);
	assert_memory_equal(got + 6, sent, sizeof(sent));
	assert_memory_equal(got + 6 + sizeof(sent), "after", 5);
	assert_true(bulk_is_free(&link.bulk));
	link_release(&link);
	loop_release(&loop);
	close(pair[1]);
	close(ends[0]);
	close(ends[1]);
}

static void peer_that_is_gone_breaks_the_link(void **state)
{
	struct loop loop;
	struct link link;
	int pair[2], ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(loop_init(&loop), 0);
	link_init(&link, &loop, pair[0], pair[0], 4096, NULL, NULL, LINK_TO_THE_LAST);
	assert_int_equal(bulk_fill(&link.bulk, ends[0], 1), 1);
	close(pair[1]);
	link_flush(&link);
	assert_true(link.broken);
	assert_int_equal(link.error, EPIPE);
	link_release(&link);
	loop_release(&loop);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest bulk_tests[] = {
		cmocka_unit_test(head_is_that_of_a_copied_frame),
		cmocka_unit_test(large_head_is_known_by_its_beginning),
		cmocka_unit_test(other_beginnings_are_not_taken_for_it),
		cmocka_unit_test(filled_from_what_is_no_pipe_is_refused_for_good),
		cmocka_unit_test(empty_pipe_says_again_and_a_closed_one_its_end),
		cmocka_unit_test(pages_go_out_in_their_place),
		cmocka_unit_test(peer_that_is_gone_breaks_the_link),
	};

	return cmocka_run_group_tests(bulk_tests, NULL, NULL);
}
