/* The values of msb-exec's options: durations, signals, limits. */
#include "cli/options/values.h"
#include <inttypes.h>

#include "shared/duration.h"
#include "shared/size.h"
#include "shared/wire/rlimit.h"

#include <signal.h>

#include "unit.h"

static uint64_t duration(const char *text)
{
	struct err err = {.text = ""};
	uint64_t ms = 12345;

	if (duration_parse(text, &ms, &err) < 0)
		fail_msg("%s", err.text);
	return ms;
}

static void durations_are_in_seconds_unless_they_say_otherwise(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} rows[] = {
		{"0", 0},
		{"0s", 0},
		{"0.0", 0},
		{"1", 1000},
		{"1s", 1000},
		{"1.5s", 1500},
		{".5", 500},
		{"1.", 1000},
		{"500ms", 500},
		{"2m", 120000},
		{"1.5m", 90000},
		{"1h", 3600000},
		{"1d", 86400000},
		{"0ms", 0},
		{"365d", 31536000000},
		{"00010", 10000},
		{"0.25", 250},
		{"2.5ms", 3},
		{"0.001", 1},
		{"999999999ms", 999999999},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++)
		if (duration(rows[i].text) != rows[i].ms)
			fail_msg("%s is not %llu ms", rows[i].text, (unsigned long long)rows[i].ms);
}

/* Or a time-out would turn into none. */
static void duration_that_is_not_zero_stays_so(void **state)
{
	(void)state;
	assert_int_equal(duration("0.0001"), 1);
	assert_int_equal(duration("0.000000000001"), 1);
	assert_int_equal(duration("0.1ms"), 1);
	assert_int_equal(duration(".00000001d"), 1);
	assert_int_equal(duration("1.0001"), 1001);
	assert_int_equal(duration("1000.5ms"), 1001);
}

static void duration_may_be_infinite(void **state)
{
	static const char *const texts[] = {"inf",
					    "INF",
					    "infinity",
					    "infd",
					    "1e300",
					    "1e400d",
					    "99999999999999999999",
					    "11574075d",
					    "1000000000000001ms"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		if (duration(texts[i]) != DURATION_INFINITE)
			fail_msg("%s is %" PRIu64 " ms", texts[i], duration(texts[i]));
	assert_int_equal(duration("1000000000000000ms"), 1000000000000000);
}

static void duration_may_have_an_exponent(void **state)
{
	(void)state;
	assert_int_equal(duration("1e3"), 1000000);
	assert_int_equal(duration("2.5E-1s"), 250);
	assert_int_equal(duration("1e+2ms"), 100);
	assert_int_equal(duration("1e-400"), 1);
	assert_int_equal(duration("0e5"), 0);
}

static void what_is_no_duration_is_refused(void **state)
{
	static const char *const texts[] = {
		"",    " ",	"-1",	  "+1",	  "1x",	  "s",	 "ms",	  "nan", "infi",
		"in",  "0x10",	"0X1p4",  "e5",	  "infx", "1 s", " 1",	  "1 ",	 "\t1",
		"1\n", "1ss",	"1sm",	  "1S",	  "1M",	  ".",	 ".s",	  "..5", "1.2.3",
		"1,5", "1_000", "0x",	  "1us",  "1w",	  "1y",	 "1s 2m", "--1", "-0",
		"1e",  "1-",	"nan(1)", "-inf", "+inf",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct err err = {.text = ""};
		uint64_t ms = 7;

		if (duration_parse(texts[i], &ms, &err) != -EINVAL)
			fail_msg("took \"%s\"", texts[i]);
		assert_int_equal(ms, 7);
		assert_int_equal(err.num, 0);
		assert_non_null(strstr(err.text, "is not a duration"));
	}
}

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {{"0", 0},
		    {"4096", 4096},
		    {"1K", 1024},
		    {"64k", 65536},
		    {"3M", 3 * 1024 * 1024},
		    {"2G", 2ull << 30},
		    {"1t", 1ull << 40},
		    {"18446744073709551615", UINT64_MAX}};
	static const char *const wrong[] = {"",	   "K",	  "-1", "+1",	"1X",
					    "1KB", "1 K", " 1", "1.5M", "0x10"};
	static const char *const huge[] = {"18446744073709551616", "99999999999999999999",
					   "16777216T", "18014398509481984K"};
	struct err err;
	uint64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++) {
		assert_int_equal(size_parse(wrong[i], &bytes, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not a size"));
	}
	for (size_t i = 0; i < UNIT_COUNT(huge); i++) {
		assert_int_equal(size_parse(huge[i], &bytes, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is too large"));
	}
	assert_int_equal(bytes, 7);
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		assert_int_equal(size_parse(rows[i].text, &bytes, &err), 0);
		assert_true(bytes == rows[i].bytes);
	}
}

static void signals_have_names_and_numbers(void **state)
{
	static const struct {
		const char *text;
		int number;
	} rows[] = {
		{"TERM", SIGTERM},    {"SIGTERM", SIGTERM}, {"term", SIGTERM},
		{"sigTerm", SIGTERM}, {"15", 15},	    {"1", 1},
		{"31", 31},	      {"KILL", SIGKILL},    {"9", 9},
		{"SIGUSR1", SIGUSR1}, {"int", SIGINT},	    {"Hup", SIGHUP},
		{"WINCH", SIGWINCH},  {"SYS", SIGSYS},	    {"QUIT", SIGQUIT},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct err err = {.text = ""};
		int number = 0;

		if (value_signal(rows[i].text, &number, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(number, rows[i].number);
	}
}

static void what_is_no_signal_is_refused(void **state)
{
	static const char *const texts[] = {
		"",    "0",	"32",	      "-9",  "64",  "SIG",   "TERMX", "TER",	   " 15",
		"15 ", "SIG15", "SIGSIGTERM", "0x9", "1.0", "RTMIN", "EXIT",  "9999999999"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct err err = {.text = ""};
		int number = -7;

		if (value_signal(texts[i], &number, &err) != -EINVAL)
			fail_msg("took %s", texts[i]);
		assert_int_equal(number, -7);
		assert_non_null(strstr(err.text, "is not a signal"));
	}
}

static void what_is_a_real_time_signal_is_refused_by_that_name(void **state)
{
	static const char *const texts[] = {"32", "64", "RTMIN", "SIGRTMIN+1", "rtmax"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct err err = {.text = ""};
		int number = -7;

		assert_int_equal(value_signal(texts[i], &number, &err), -EINVAL);
		assert_int_equal(number, -7);
		assert_non_null(strstr(err.text, "a real-time one"));
	}
}

static void limits_are_soft_and_hard(void **state)
{
	static const struct {
		const char *text, *name;
		uint64_t soft, hard;
	} rows[] = {
		{"nofile=64", "nofile", 64, 64},
		{"nofile=64:128", "nofile", 64, 128},
		{"NoFile=0:0", "NoFile", 0, 0},
		{"core=unlimited", "core", UINT64_MAX, UINT64_MAX},
		{"cpu=5:unlimited", "cpu", 5, UINT64_MAX},
		{"as=18446744073709551614", "as", UINT64_MAX - 1, UINT64_MAX - 1},
		{"rttime=1:1", "rttime", 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct err err = {.text = ""};
		struct msg_rlimit limit;

		if (rlimit_parse(rows[i].text, &limit, &err) < 0)
			fail_msg("%s", err.text);
		unit_assert_text(limit.resource, rows[i].name);
		assert_true(limit.soft == rows[i].soft && limit.hard == rows[i].hard);
	}
}

static void all_names_of_the_wire_are_limits(void **state)
{
	static const char *const names[] = {
		"cpu",	   "fsize", "data",  "stack",	   "core",     "rss",  "nproc",	 "nofile",
		"memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(names); i++) {
		struct msg_rlimit limit;
		struct err err;
		char text[32];

		snprintf(text, sizeof(text), "%s=1", names[i]);
		assert_int_equal(rlimit_parse(text, &limit, &err), 0);
	}
}

static void what_is_no_limit_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "not NAME=SOFT"},
		{"nofile", "not NAME=SOFT"},
		{"nofile=", "not NAME=SOFT"},
		{"nofile=:5", "not NAME=SOFT"},
		{"nofile=5:", "not NAME=SOFT"},
		{"nofile=5:6:7", "nofile: "},
		{"nofile=-1", "nofile: "},
		{"nofile=+1", "nofile: "},
		{"nofile= 1", "nofile: "},
		{"nofile=1 ", "nofile: "},
		{"nofile=0x10", "nofile: "},
		{"nofile=1x", "nofile: "},
		{"nofile=1kk", "nofile: "},
		{"nofile=99999999T", "too large"},
		{"nofile=1:-2", "nofile: "},
		{"nofile=unlimitedx", "nofile: "},
		{"nofile=Unlimited", "nofile: "},
		{"nofile=18446744073709551616", "too large"},
		{"=5", "unknown"},
		{"files=5", "unknown"},
		{"nofil=5", "unknown"},
		{"RLIMIT_NOFILE=5", "unknown"},
		{"nofile=6:5", "above"},
		{"nofile=unlimited:5", "above"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct err err = {.text = ""};
		struct msg_rlimit limit;

		if (rlimit_parse(rows[i].text, &limit, &err) != -EINVAL)
			fail_msg("took %s", rows[i].text);
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: not \"%s\"", err.text, rows[i].why);
	}
}

static void escape_characters_are_written_as_for_ssh(void **state)
{
	static const struct {
		const char *text;
		int character;
	} rows[] = {{"~", '~'}, {"%", '%'}, {"^", '^'}, {"^A", 1},     {"^a", 1},
		    {"^]", 29}, {"^@", 0},  {"n", 'n'}, {"\xff", 255}, {"none", ESCAPE_OFF}};
	static const char *const refused[] = {"", "ab", "^ab", "^1", "^?", "None", "^\xff"};
	struct err err;
	int character;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		assert_int_equal(value_escape_char(rows[i].text, &character, &err), 0);
		assert_int_equal(character, rows[i].character);
	}
	for (size_t i = 0; i < UNIT_COUNT(refused); i++)
		if (value_escape_char(refused[i], &character, &err) != -EINVAL)
			fail_msg("took %s", refused[i]);
}

static void detach_keys_are_written_as_for_docker(void **state)
{
	static const struct {
		const char *text, *keys;
	} rows[] = {{"", ""},
		    {"q", "q"},
		    {",", ","},
		    {"ctrl-p,ctrl-q", "\x10\x11"},
		    {"Ctrl-P,x", "\x10x"},
		    {"ctrl-],ctrl-],ctrl-]", "\x1d\x1d\x1d"},
		    {"ctrl-a,d", "\001d"},
		    {"a,,,b", "a,b"},
		    {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "abcdefghijklmnop"}};
	static const char *const refused[] = {
		"ctrl-", "ctrl-p,", "ctrl-pq", "pq", "ctrl-1", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
		"del"};
	struct escape_keys keys;
	struct err err;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		if (value_keys(rows[i].text, &keys, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(keys.len, strlen(rows[i].keys));
		assert_memory_equal(keys.keys, rows[i].keys, keys.len);
	}
	for (size_t i = 0; i < UNIT_COUNT(refused); i++)
		if (value_keys(refused[i], &keys, &err) != -EINVAL)
			fail_msg("took %s", refused[i]);
}

int main(void)
{
	const struct CMUnitTest value_tests[] = {
		cmocka_unit_test(durations_are_in_seconds_unless_they_say_otherwise),
		cmocka_unit_test(duration_that_is_not_zero_stays_so),
		cmocka_unit_test(duration_may_be_infinite),
		cmocka_unit_test(duration_may_have_an_exponent),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(signals_have_names_and_numbers),
		cmocka_unit_test(what_is_no_signal_is_refused),
		cmocka_unit_test(what_is_a_real_time_signal_is_refused_by_that_name),
		cmocka_unit_test(escape_characters_are_written_as_for_ssh),
		cmocka_unit_test(detach_keys_are_written_as_for_docker),
		cmocka_unit_test(limits_are_soft_and_hard),
		cmocka_unit_test(all_names_of_the_wire_are_limits),
		cmocka_unit_test(what_is_no_limit_is_refused),
	};

	return cmocka_run_group_tests(value_tests, NULL, NULL);
}
