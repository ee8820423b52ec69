/* Marks in the midst of output: found wherever it is cut, and never taken for what they are not. */
#include "cli/console/marks.h"

#include <string.h>

#include "unit.h"

#define NONCE	   "0123456789abcdef0123456789abcdef"
#define MARK(text) "\036" NONCE text "\036" NONCE "."

/* Output as it came, with each mark as [kind:text]. */
struct seen {
	char text[8192];
	size_t len;
};

static void on_bytes(void *owner, const char *data, size_t len)
{
	struct seen *seen = owner;

	assert_true(seen->len + len < sizeof(seen->text));
	memcpy(seen->text + seen->len, data, len);
	seen->len += len;
}

/* One with a ? in its text is none. */
static bool on_mark(void *owner, char kind, char *text)
{
	struct seen *seen = owner;

	if (strchr(text, '?'))
		return false;

	seen->len += (size_t)snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len,
				      "[%c:%s]", kind, text);
	return true;
}

/* Feeds text in pieces of step bytes. */
static void feed(struct seen *seen, const char *text, size_t len, size_t step)
{
	struct marks_sink sink = {seen, on_bytes, on_mark};
	struct marks marks;

	*seen = (struct seen){0};
	marks_init(&marks, NONCE);
	for (size_t at = 0; at < len; at += step)
		assert_int_equal(
			marks_feed(&marks, text + at, len - at < step ? len - at : step, &sink), 0);
	marks_end(&marks, &sink);
	marks_release(&marks);
}

static void assert_seen(const char *text, const char *expected)
{
	struct seen seen;

	for (size_t step = 1; step <= strlen(text); step++) {
		feed(&seen, text, strlen(text), step);
		seen.text[seen.len] = '\0';
		assert_string_equal(seen.text, expected);
	}
}

static void marks_are_found_however_the_output_is_cut(void **state)
{
	(void)state;
	assert_seen("a" MARK("e0") "b", "a[e:0]b");
	assert_seen(MARK("s"), "[s:]");
	assert_seen(MARK("i") MARK("s") "x\r\n" MARK("e1/tmp"), "[i:][s:]x\r\n[e:1/tmp]");
	assert_seen("\036" MARK("s"), "\036[s:]");
	assert_seen(MARK("p0\037/a\036b.\r\n"), "[p:0\037/a\036b.\r\n]");
	assert_seen("\036"
		    "0123" MARK("s"),
		    "\036"
		    "0123[s:]");
}

static void marks_are_nothing_but_what_has_the_whole_nonce(void **state)
{
	static const char *const plain[] = {
		"\036",
		"\036\036\036",
		"\036"
		"0123456789abcdef"
		"\036",
		"\036"
		"0123456789abcdef0123456789abcdee"
		"s\036",
		NONCE "s\036",
		"a\036"
		"b",
		"\036" NONCE "s", /* without its end */
		"\036" NONCE "s\036" NONCE,
		MARK("p$?"), /* the prompt's own text */
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(plain); i++)
		assert_seen(plain[i], plain[i]);
}

static void mark_is_found_behind_what_only_begins_like_one(void **state)
{
	(void)state;
	assert_seen(MARK("p$?") MARK("p1"), MARK("p$?") "[p:1]");
	assert_seen("\036" NONCE "p$?\036" NONCE " x\r\n" MARK("p0"),
		    "\036" NONCE "p$?\036" NONCE " x\r\n[p:0]");
}

static void marks_leave_binary_output_as_it_is(void **state)
{
	struct seen seen;
	char all[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i * 7 ^ i >> 3);
	for (size_t step = 1; step < 100; step += 9) {
		feed(&seen, all, sizeof(all), step);
		assert_int_equal(seen.len, sizeof(all));
		assert_memory_equal(seen.text, all, sizeof(all));
	}
}

static void count_bytes(void *owner, const char *data, size_t len)
{
	(void)data;
	((struct seen *)owner)->len += len;
}

static void mark_that_does_not_end_is_given_up(void **state)
{
	static struct seen seen;
	static char text[MARK_TEXT_MAX * 2];
	struct marks_sink sink = {&seen, on_bytes, on_mark};
	struct marks marks;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "\036" NONCE "e", 1 + MARK_NONCE_LEN + 1);
	marks_init(&marks, NONCE);
	for (size_t at = 0; at < MARK_TEXT_MAX; at += 4096)
		assert_int_equal(marks_feed(&marks, text + at, 4096, &sink), 0);
	assert_int_equal(seen.len, 0);
	assert_int_equal(buf_len(&marks.held), MARK_TEXT_MAX);
	sink.on_bytes = count_bytes;
	assert_int_equal(marks_feed(&marks, text, 4096, &sink), 0);
	/* What is given up at once is larger than what we keep; another may have begun. */
	assert_int_equal(seen.len + buf_len(&marks.held), MARK_TEXT_MAX + 4096);
	assert_true(buf_len(&marks.held) <= 4096);
	marks_release(&marks);
}

static void fields_of_a_mark(void **state)
{
	char text[] = "0\037/tmp\037\037/bin";
	char *at = text;

	(void)state;
	assert_string_equal(mark_field(&at), "0");
	assert_string_equal(mark_field(&at), "/tmp");
	assert_string_equal(mark_field(&at), "");
	assert_string_equal(mark_field(&at), "/bin");
	assert_string_equal(mark_field(&at), "");
	assert_string_equal(mark_field(&at), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_found_however_the_output_is_cut),
		cmocka_unit_test(marks_are_nothing_but_what_has_the_whole_nonce),
		cmocka_unit_test(mark_is_found_behind_what_only_begins_like_one),
		cmocka_unit_test(marks_leave_binary_output_as_it_is),
		cmocka_unit_test(mark_that_does_not_end_is_given_up),
		cmocka_unit_test(fields_of_a_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
