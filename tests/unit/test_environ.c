/* The environment of a command: which entry wins, which are dropped, and that it stays quick. */
#include "daemon/spawn/environ.h"

#include <time.h>

#include "unit.h"

#define ENTRIES_MAX 16

/* Settles a list and compares what is left with another; both end with NULL. */
static void assert_settles(size_t inherited, const char *const *given, const char *const *left)
{
	char *entries[ENTRIES_MAX + 1];
	size_t count = 0, kept = 0;

	for (; given[count]; count++)
		entries[count] = (char *)given[count];
	entries[count] = NULL;
	while (left[kept])
		kept++;
	assert_int_equal(environ_settle(entries, count, inherited), kept);
	for (size_t i = 0; i < kept; i++)
		assert_string_equal(entries[i], left[i]);
	assert_null(entries[kept]);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void empty_environment_stays_empty(void **state)
{
	(void)state;
	assert_settles(0, LIST(NULL), LIST(NULL));
}

static void last_of_a_key_wins_and_order_is_kept(void **state)
{
	(void)state;
	assert_settles(0, LIST("A=1", "B=1", "C=1"), LIST("A=1", "B=1", "C=1"));
	assert_settles(2, LIST("A=1", "B=1", "A=2", "C=1", "B=2", "A=3"),
		       LIST("C=1", "B=2", "A=3"));
	assert_settles(0, LIST("A=1", "A=1"), LIST("A=1"));
	assert_settles(1, LIST("Z=", "Z=x", "Y=", "Z="), LIST("Y=", "Z="));
}

static void keys_are_compared_whole(void **state)
{
	(void)state;
	assert_settles(0, LIST("PATH=1", "PAT=2", "PATHS=3", "path=4", "P=ATH=5"),
		       LIST("PATH=1", "PAT=2", "PATHS=3", "path=4", "P=ATH=5"));
	/* '.' sorts before '=': a key is not compared with the sign behind it. */
	assert_settles(0, LIST("A=1", "A.B=2", "A=3", "A.B=4"), LIST("A=3", "A.B=4"));
	assert_settles(0, LIST("A=1=2", "A=3=4"), LIST("A=3=4"));
	assert_settles(0, LIST("\xc3\xa9=1", "e=2", "\xc3\xa9=3"), LIST("e=2", "\xc3\xa9=3"));
}

static void entry_without_equals_is_dropped(void **state)
{
	(void)state;
	assert_settles(1, LIST("A", "B=1", "C", "", "B"), LIST("B=1"));
	assert_settles(0, LIST("A"), LIST(NULL));
}

static void what_systemd_told_the_daemon_is_dropped(void **state)
{
	(void)state;
	assert_settles(7,
		       LIST("NOTIFY_SOCKET=/run/x", "LISTEN_FDS=1", "LISTEN_PID=2", "HOME=/",
			    "LISTEN_FDNAMES=a", "WATCHDOG_USEC=1", "WATCHDOG_PID=2"),
		       LIST("HOME=/"));
}

static void what_only_looks_like_systemds_stays(void **state)
{
	(void)state;
	assert_settles(6,
		       LIST("NOTIFY_SOCKETS=1", "NOTIFY=1", "LISTEN=1", "WATCHDOG=1",
			    "listen_FDS=1", "XLISTEN_FDS=1"),
		       LIST("NOTIFY_SOCKETS=1", "NOTIFY=1", "LISTEN=1", "WATCHDOG=1",
			    "listen_FDS=1", "XLISTEN_FDS=1"));
}

static void what_a_request_sets_stays_even_if_it_is_systemds(void **state)
{
	(void)state;
	assert_settles(2,
		       LIST("NOTIFY_SOCKET=/old", "LISTEN_FDS=1", "NOTIFY_SOCKET=/new",
			    "LISTEN_PID=3", "WATCHDOG_USEC=4"),
		       LIST("NOTIFY_SOCKET=/new", "LISTEN_PID=3", "WATCHDOG_USEC=4"));
	assert_settles(0, LIST("LISTEN_FDS=1"), LIST("LISTEN_FDS=1"));
}

static void value_is_found_by_its_whole_key(void **state)
{
	char *entries[] = {(char *)"PATHS=no", (char *)"PATH=yes=1",
			   (char *)"EMPTY=", (char *)"PATH=later", NULL};

	(void)state;
	assert_string_equal(environ_get(entries, "PATH"), "yes=1");
	assert_string_equal(environ_get(entries, "EMPTY"), "");
	assert_null(environ_get(entries, "PAT"));
	assert_null(environ_get(entries, "EMPTY="));
	assert_null(environ_get(entries, "HOME"));
	assert_null(environ_get(&entries[4], "PATH"));
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A request may name a hundred thousand keys of its sender's choice. */
static void settle(const char *format, size_t count, size_t keys, size_t want)
{
	char **entries = malloc((count + 1) * sizeof(char *));
	char *text = malloc(count * 48);
	double begun;

	assert_true(entries && text);
	for (size_t i = 0; i < count; i++) {
		entries[i] = text + i * 48;
		snprintf(entries[i], 48, format, i % keys, i);
	}
	entries[count] = NULL;
	begun = seconds();
	assert_int_equal(environ_settle(entries, count, 0), want);
	/* A fraction of it, but sanitizers and busy machines are slow; squared it is a minute. */
	assert_true(seconds() - begun < 10.0);
	for (size_t i = 0; i < want; i++) {
		char expected[48];

		snprintf(expected, sizeof(expected), format, i, count - keys + i);
		assert_string_equal(entries[i], expected);
	}
	free(text);
	free(entries);
}

static void hundred_thousand_keys_take_no_time(void **state)
{
	(void)state;
	settle("K%zu=%zu", 100000, 100000, 100000);
	settle("A_RATHER_LONG_COMMON_PREFIX_%zu=%zu", 100000, 50000, 50000);
	settle("K%zu=%zu", 100000, 1, 1);
}

int main(void)
{
	const struct CMUnitTest environ_tests[] = {
		cmocka_unit_test(empty_environment_stays_empty),
		cmocka_unit_test(last_of_a_key_wins_and_order_is_kept),
		cmocka_unit_test(keys_are_compared_whole),
		cmocka_unit_test(entry_without_equals_is_dropped),
		cmocka_unit_test(what_systemd_told_the_daemon_is_dropped),
		cmocka_unit_test(what_only_looks_like_systemds_stays),
		cmocka_unit_test(what_a_request_sets_stays_even_if_it_is_systemds),
		cmocka_unit_test(value_is_found_by_its_whole_key),
		cmocka_unit_test(hundred_thousand_keys_take_no_time),
	};

	return cmocka_run_group_tests(environ_tests, NULL, NULL);
}
