/* Lines for people, in a file: their form, that each is one write, and files that take none. */
#include "shared/log.h"

#include <fcntl.h>
#include <regex.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/fd.h"
#include "unit.h"

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z "

struct place {
	char folder[32], path[64];
	int stderr_fd;	  /* the one that there was */
	int pipe[2];	  /* what stderr is meanwhile */
	char said[65536]; /* on it, or in the file */
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->folder, "/tmp/msb-log.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/lines", place->folder);
	place->stderr_fd = dup(STDERR_FILENO);
	assert_int_equal(pipe2(place->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(dup2(place->pipe[1], STDERR_FILENO), STDERR_FILENO);
	log_init("it", LOG_LEVEL_WARN);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	log_file_end();
	log_divert(NULL, NULL);
	dup2(place->stderr_fd, STDERR_FILENO);
	close(place->stderr_fd);
	close(place->pipe[0]);
	close(place->pipe[1]);
	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static const char *read_all(struct place *place, int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, place->said + len, sizeof(place->said) - 1 - len)) > 0)
		len += (size_t)n;
	place->said[len] = '\0';
	return place->said;
}

static const char *on_stderr(struct place *place)
{
	return read_all(place, place->pipe[0]);
}

static const char *in_file(struct place *place)
{
	cleanup_fd int fd = open(place->path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return read_all(place, fd);
}

static void assert_like(const char *text, const char *pattern)
{
	regex_t regex;
	int r;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	r = regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	if (r)
		fail_msg("%s is not in: %s", pattern, text);
}

static void a_line_has_the_time_and_who_says_it_and_stderr_has_none(void **state)
{
	struct place *place = *state;
	char pattern[128];
	struct err err;

	assert_false(log_has_file());
	assert_int_equal(log_file_fd(), -1);
	assert_int_equal(log_to_file(place->path, &err), 0);
	assert_true(log_has_file());
	log_warn("so \x1b[1m it %d", 3);
	snprintf(pattern, sizeof(pattern), STAMP "it\\[%d\\]: so \\\\x1b\\[1m it 3\n$",
		 (int)getpid());
	assert_like(in_file(place), pattern);
	assert_string_equal(on_stderr(place), "");
	log_file_end();
	log_warn("again");
	assert_string_equal(on_stderr(place), "it: again\n");
}

static void what_is_there_stays_and_a_level_too_high_is_not_said(void **state)
{
	struct place *place = *state;
	int fd = open(place->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct err err;

	assert_int_equal(write(fd, "old\n", 4), 4);
	close(fd);
	assert_int_equal(log_to_file(place->path, &err), 0);
	log_info("nobody asked");
	assert_string_equal(in_file(place), "old\n");
	log_error("new");
	assert_like(in_file(place), "^old\n[^\n]*: new\n$");
}

static void a_long_line_is_cut_and_ends(void **state)
{
	struct place *place = *state;
	char *words = malloc(5000);
	struct err err;

	memset(words, 'x', 4999);
	words[4999] = '\0';
	assert_int_equal(log_to_file(place->path, &err), 0);
	log_error("%s", words);
	free(words);
	assert_int_equal(strlen(in_file(place)), LOG_LINE_MAX - 1);
	assert_int_equal(place->said[LOG_LINE_MAX - 2], '\n');
}

static void put(void *owner, const char *line, size_t len)
{
	(void)line;
	(void)len;
	(*(unsigned *)owner)++;
}

static void a_file_counts_for_more_than_who_takes_lines_otherwise(void **state)
{
	struct place *place = *state;
	unsigned taken = 0;
	struct err err;

	log_divert(put, &taken);
	assert_int_equal(log_to_file(place->path, &err), 0);
	log_error("one");
	assert_int_equal(taken, 0);
	assert_like(in_file(place), ": one\n$");
	log_file_end();
	log_error("two");
	assert_int_equal(taken, 1);
}

static void an_answer_is_a_line_too_and_stderr_has_it_only_as_a_terminal(void **state)
{
	struct place *place = *state;
	struct err err;

	log_answer(LOG_LEVEL_WARN, "here");
	assert_string_equal(on_stderr(place), "it: here\n");
	assert_int_equal(log_to_file(place->path, &err), 0);
	log_answer(LOG_LEVEL_WARN, "there");
	assert_string_equal(on_stderr(place), "");
	assert_like(in_file(place), ": there\n$");
}

static void no_child_has_the_file(void **state)
{
	struct place *place = *state;
	struct err err;

	assert_int_equal(log_to_file(place->path, &err), 0);
	assert_true(fcntl(log_file_fd(), F_GETFD) & FD_CLOEXEC);
}

static void a_file_that_cannot_be_opened_is_said_by_name(void **state)
{
	struct place *place = *state;
	char words[256];
	struct err err;

	assert_int_equal(log_to_file(place->folder, &err), -EISDIR);
	assert_non_null(strstr(err_words(&err, words, sizeof(words)), place->folder));
	assert_false(log_has_file());
	assert_int_equal(log_to_file("/nonexistent/lines", &err), -ENOENT);
	assert_int_equal(log_to_file("", &err), -ENOENT);
}

static void a_fifo_is_not_waited_for(void **state)
{
	struct place *place = *state;
	cleanup_fd int fd = -1;
	struct err err;

	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(log_to_file(place->path, &err), -ENXIO);
	fd = open(place->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(log_to_file(place->path, &err), 0);
	for (unsigned i = 0; i < 100000; i++)
		log_error("line %u", i);
	log_file_end();
	assert_like(on_stderr(place),
		    "^it: [0-9]+ lines are missing in /tmp/[^ ]*: nobody took them\n$");
	assert_like(read_all(place, fd), ": line 0\n.*: line 1\n");
}

static void a_full_disk_is_said_once_and_at_the_end(void **state)
{
	struct place *place = *state;
	struct err err;

	if (access("/dev/full", W_OK) < 0)
		skip();
	assert_int_equal(log_to_file("/dev/full", &err), 0);
	log_error("one");
	assert_string_equal(on_stderr(place), "");
	log_file_end();
	assert_string_equal(on_stderr(place),
			    "it: 1 line is missing in /dev/full: No space left on device\n");
	log_file_end();
	assert_string_equal(on_stderr(place), "");
}

static void errno_stays_as_it_was(void **state)
{
	struct err err;

	(void)state;
	if (access("/dev/full", W_OK) < 0)
		skip();
	assert_int_equal(log_to_file("/dev/full", &err), 0);
	errno = EXDEV;
	log_error("one");
	assert_int_equal(errno, EXDEV);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Lines of stderr by now. */
static size_t count_lines(struct place *place)
{
	size_t count = 0;

	for (const char *at = on_stderr(place); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static void so_much_is_said_on_account_of_each_and_of_all(void **state)
{
	struct log_rate one = {0}, hidden = {0};
	uint64_t now = 1000000;
	size_t said = 0;

	for (int i = 0; i < 50; i++)
		said += log_may(&one, LOG_LEVEL_WARN, now, "one");
	assert_int_equal(said, 10);
	/* What is not shown takes nobody's place, and nobody is told that it was left out. */
	for (int i = 0; i < 50; i++)
		assert_false(log_may(&hidden, LOG_LEVEL_INFO, now, "hidden"));
	assert_int_equal(hidden.left_out, 0);
	/* Who comes again and again is always somebody else. */
	for (int i = 0; i < 500; i++) {
		struct log_rate another = {0};

		said += log_may(&another, LOG_LEVEL_WARN, now, "another");
	}
	assert_int_equal(said, 100);
	assert_int_equal(count_lines(*state), 0);
	/* Later it is said how many there were. */
	assert_true(log_may(&one, LOG_LEVEL_WARN, now + 10000, "one"));
	assert_string_equal(on_stderr(*state), "it: clients: 410 more lines were left out\n"
					       "it: one: 40 more lines were left out\n");
}

static void a_line_that_others_cause_is_one_of_these(void **state)
{
	struct log_rate one = {0};
	uint64_t now = UINT64_C(1) << 39;

	for (int i = 0; i < 1000; i++) {
		log_caused(LOG_LEVEL_WARN, "a line");
		log_caused(LOG_LEVEL_INFO, "hidden");
	}
	assert_int_equal(count_lines(*state), 100);
	/* What was left out is said though nothing follows, and once. */
	log_rates_end();
	log_rates_end();
	assert_string_equal(on_stderr(*state), "it: clients: 900 more lines were left out\n");
	for (int i = 0; i < 12; i++)
		log_may(&one, LOG_LEVEL_WARN, now, "one");
	log_rate_end(&one, "one");
	log_rate_end(&one, "one");
	assert_string_equal(on_stderr(*state), "it: one: 2 more lines were left out\n");
}

/* Each connection's end is, at that level. */
static void what_is_only_information_hides_no_warning(void **state)
{
	struct log_rate one = {0};
	uint64_t now = UINT64_C(1) << 40;
	size_t said = 0;

	(void)state;
	log_init("it", LOG_LEVEL_INFO);
	for (int i = 0; i < 500; i++) {
		struct log_rate another = {0};

		said += log_may(&another, LOG_LEVEL_INFO, now, "another");
	}
	assert_int_equal(said, 100);
	assert_true(log_may(&one, LOG_LEVEL_WARN, now, "one"));
	assert_true(log_may(&one, LOG_LEVEL_ERROR, now, "one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACED(a_line_has_the_time_and_who_says_it_and_stderr_has_none),
		PLACED(what_is_there_stays_and_a_level_too_high_is_not_said),
		PLACED(a_long_line_is_cut_and_ends),
		PLACED(a_file_counts_for_more_than_who_takes_lines_otherwise),
		PLACED(an_answer_is_a_line_too_and_stderr_has_it_only_as_a_terminal),
		PLACED(no_child_has_the_file),
		PLACED(a_file_that_cannot_be_opened_is_said_by_name),
		PLACED(a_fifo_is_not_waited_for),
		PLACED(a_full_disk_is_said_once_and_at_the_end),
		PLACED(errno_stays_as_it_was),
		PLACED(so_much_is_said_on_account_of_each_and_of_all),
		PLACED(a_line_that_others_cause_is_one_of_these),
		PLACED(what_is_only_information_hides_no_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
