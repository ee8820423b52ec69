/* Lines with fields: as the journal takes them, and as a line where it takes none. */
/* WRAP: sendto */
#include "shared/journal.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/log.h"
#include "unit.h"

struct place {
	int stderr_fd; /* the one that there was */
	int pipe[2];   /* what stderr is meanwhile */
	char said[8192];
};

/* What the journal was sent last, how often, and what it answers. */
static struct {
	char bytes[JOURNAL_MESSAGE_MAX];
	size_t len;
	unsigned count;
	int flags, error;
	char path[108];
} journal;
static int journal_fd = -1; /* of the log, which keeps it */

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len);

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len)
{
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	journal_fd = fd;
	assert_int_equal(to_len, sizeof(struct sockaddr_un));
	snprintf(journal.path, sizeof(journal.path), "%s",
		 ((const struct sockaddr_un *)(const void *)to)->sun_path);
	journal.flags = flags;
	if (journal.error) {
		errno = journal.error;
		return -1;
	}
	memcpy(journal.bytes, data, len);
	journal.len = len;
	journal.count++;
	return (ssize_t)len;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char stream[64];
	struct stat st;

	assert_non_null(place);
	place->stderr_fd = dup(STDERR_FILENO);
	assert_int_equal(pipe2(place->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup2(place->pipe[1], STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("it", LOG_LEVEL_INFO);
	memset(&journal, 0, sizeof(journal));
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	unsetenv("JOURNAL_STREAM");
	dup2(place->stderr_fd, STDERR_FILENO);
	close(place->stderr_fd);
	close(place->pipe[0]);
	close(place->pipe[1]);
	free(place);
	return 0;
}

static const char *on_stderr(struct place *place)
{
	ssize_t n = read(place->pipe[0], place->said, sizeof(place->said) - 1);

	place->said[n > 0 ? n : 0] = '\0';
	return place->said;
}

static const struct log_field fields[] = {{"session", "7"}, {"as", "0:0"}};

static void a_record_goes_to_the_journal_once(void **state)
{
	static const char message[] = "MESSAGE=session 7 begins\nPRIORITY=6\n"
				      "SYSLOG_IDENTIFIER=it\nMSB_SESSION=7\nMSB_AS=0:0\n";

	log_record("session 7 begins", fields, UNIT_COUNT(fields));
	assert_int_equal(journal.len, strlen(message));
	assert_memory_equal(journal.bytes, message, journal.len);
	assert_int_equal(journal.count, 1);
	assert_string_equal(journal.path, "/run/systemd/journal/socket");
	assert_true(journal.flags & MSG_DONTWAIT && journal.flags & MSG_NOSIGNAL);
	assert_string_equal(on_stderr(*state), "");
}

static void what_the_journal_does_not_take_is_a_line(void **state)
{
	static const int errors[] = {EAGAIN, ENOENT, ECONNREFUSED, EMSGSIZE, EACCES, ENOBUFS};

	for (size_t i = 0; i < UNIT_COUNT(errors); i++) {
		journal.error = errors[i];
		errno = EDOM;
		log_record("session 7 begins", fields, UNIT_COUNT(fields));
		assert_int_equal(errno, EDOM);
		assert_string_equal(on_stderr(*state), "<6>session 7 begins\n");
	}
	journal.error = 0;
	log_record("session 7 begins", fields, UNIT_COUNT(fields));
	assert_int_equal(journal.count, 1);
}

static void other_lines_go_where_they_went(void **state)
{
	log_info("hello");
	assert_int_equal(journal.count, 0);
	assert_string_equal(on_stderr(*state), "<6>hello\n");
}

static void where_stderr_is_no_journal_a_record_is_a_line(void **state)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init("it", LOG_LEVEL_INFO);
	log_record("session 7 begins", fields, UNIT_COUNT(fields));
	assert_int_equal(journal.count, 0);
	assert_string_equal(on_stderr(*state), "it: session 7 begins\n");
}

static void below_info_there_is_none(void **state)
{
	log_init("it", LOG_LEVEL_WARN);
	assert_false(log_shows(LOG_LEVEL_INFO));
	assert_true(log_shows(LOG_LEVEL_WARN));
	log_record("session 7 begins", fields, UNIT_COUNT(fields));
	assert_int_equal(journal.count, 0);
	assert_string_equal(on_stderr(*state), "");
}

static void a_newline_begins_no_field_of_its_own(void **state)
{
	static const char bytes[] = "A=b\nC\n\x03\0\0\0\0\0\0\0x\ny\nD=\n";
	struct journal_message message = {.len = 0};

	(void)state;
	assert_int_equal(journal_put(&message, "A", "b", 1), 0);
	assert_int_equal(journal_put(&message, "C", "x\ny", 3), 0);
	assert_int_equal(journal_put(&message, "D", "", 0), 0);
	assert_int_equal(message.len, sizeof(bytes) - 1);
	assert_memory_equal(message.bytes, bytes, message.len);
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
	char value[JOURNAL_MESSAGE_MAX] = {0};
	struct journal_message message = {.len = 0};

	(void)state;
	assert_int_equal(journal_put(&message, "A", value, sizeof(value) - 2), -ENOBUFS);
	assert_int_equal(message.len, 0);
	assert_int_equal(journal_put(&message, "A", value, sizeof(value) - 3), 0);
	assert_int_equal(message.len, sizeof(message.bytes));
	assert_int_equal(journal_put(&message, "", value, 0), -ENOBUFS);
	message.len = 0;
	memset(value, '\n', sizeof(value));
	assert_int_equal(journal_put(&message, "A", value, sizeof(value) - 10), -ENOBUFS);
	assert_int_equal(journal_put(&message, "A", value, sizeof(value) - 11), 0);
}

static int close_socket(void **state)
{
	(void)state;
	return close(journal_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_record_goes_to_the_journal_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_the_journal_does_not_take_is_a_line, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(other_lines_go_where_they_went, set_up, tear_down),
		cmocka_unit_test_setup_teardown(where_stderr_is_no_journal_a_record_is_a_line,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(below_info_there_is_none, set_up, tear_down),
		cmocka_unit_test(a_newline_begins_no_field_of_its_own),
		cmocka_unit_test(what_does_not_fit_is_left_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, close_socket);
}
