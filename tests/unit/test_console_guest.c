/* A line as data for the guest's shell: inert, short enough for a terminal, and the same text. */
#include "../../cli/console_guest.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct buf put(const char *text)
{
	struct buf buf;

	buf_init(&buf, 64 * 1024 * 1024, NULL);
	assert_int_equal(guest_put_text(&buf, text), 0);
	return buf;
}

static void assert_put(const char *text, const char *expected)
{
	struct buf buf = put(text);

	assert_int_equal(buf_len(&buf), strlen(expected));
	assert_memory_equal(buf_head(&buf), expected, strlen(expected));
	buf_release(&buf);
}

static void lines_become_data(void **state)
{
	(void)state;
	assert_put("", "#.\n");
	assert_put("ls", "#pls\n#.\n");
	assert_put("a\nb", "#la\n#pb\n#.\n");
	assert_put("a\n\nb\n", "#la\n#l\n#lb\n#.\n");
	assert_put("a\tb", "#pa\n#b\\0011\n#pb\n#.\n");
	assert_put("a\t\n\x03", "#pa\n#b\\0011\n#l\n#b\\0003\n#.\n");
	assert_put("gr\xc3\xbc\xc3\x9f", "#pgr\xc3\xbc\xc3\x9f\n#.\n");
}

/* Whoever should read it instead of the function finds comments; and nothing acts on a terminal. */
static void data_is_inert_and_fits_a_terminals_line(void **state)
{
	char text[20000];
	size_t line = 0;
	struct buf buf;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)(1 + (i * i + i / 300) % 255);
	text[sizeof(text) - 1] = '\0';
	buf = put(text);
	for (size_t i = 0; i < buf_len(&buf); i++) {
		uint8_t c = buf_head(&buf)[i];

		if (line == 0)
			assert_int_equal(c, '#');
		if (c == '\n') {
			line = 0;
			continue;
		}
		assert_true(c >= ' ' && c != 0x7f);
		assert_true(++line < 1024);
	}
	assert_int_equal(line, 0);
	buf_release(&buf);
}

/* A terminal's output holds 8 KiB, and what it is sent is repeated there. */
static void data_comes_in_steps(void **state)
{
	char text[20000], plain[20000] = "", *step, *line;
	struct buf buf;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text + 9000, "\n#c\n", 4);
	buf = put(text);
	assert_int_equal(buf_append(&buf, "", 1), 0);
	line = (char *)buf_head(&buf);
	for (step = line; *line; line = strchr(line, '\n') + 1) {
		assert_true((size_t)(line - step) < 4200);
		if (memcmp(line, GUEST_STEP, strlen(GUEST_STEP)) == 0)
			step = line;
		else if (line[1] != '.')
			strncat(plain, line + 2,
				strcspn(line + 2, "\n") + (line[1] == 'l' ? 1 : 0));
	}
	assert_string_equal(plain, text);
	buf_release(&buf);
}

/* No listing of variables, no echo of what we say, may show a mark. */
static void nonce_is_never_whole(void **state)
{
	static const char nonce[] = "0123456789abcdeffedcba9876543210";
	struct buf buf;
	char *text;

	(void)state;
	for (int tty = 0; tty < 2; tty++) {
		buf_init(&buf, 1024 * 1024, NULL);
		assert_int_equal(guest_put_functions(&buf, nonce, tty, 0), 0);
		text = strndup((char *)buf_head(&buf), buf_len(&buf));
		assert_null(strstr(text, nonce));
		assert_non_null(strstr(text, "0123456789abcdef;"));
		/* It all must fit into what a terminal holds before anybody reads. */
		assert_true(strlen(text) < 4096 - 256);
		free(text);
		buf_release(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_data),
		cmocka_unit_test(data_is_inert_and_fits_a_terminals_line),
		cmocka_unit_test(data_comes_in_steps),
		cmocka_unit_test(nonce_is_never_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
