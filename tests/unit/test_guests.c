/* The file of guests that have names: what becomes of its lines, and what is wrong with them. */
#include "cli/options/guests.h"

#include <errno.h>

#include "unit.h"

static struct guests read_text(const char *text, size_t len)
{
	struct guests guests = {.text = NULL};
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	guests_take(&guests, "file", copy, len);
	return guests;
}

/* name|endpoint|option... of each line. */
static void assert_guests(const char *text, const char *want)
{
	struct guests guests = read_text(text, strlen(text));
	char got[1024] = "";
	struct guest_line line;
	struct err err = {.text = ""};
	int r;

	while ((r = guests_next(&guests, &line, &err)) > 0) {
		assert_string_equal(line.words[0], line.name);
		assert_null(line.words[line.word_count]);
		sprintf(got + strlen(got), "%s|%s", line.name, line.endpoint);
		for (int i = 1; i < line.word_count; i++)
			sprintf(got + strlen(got), "|%s", line.words[i]);
		strcat(got, "\n");
	}
	if (r < 0)
		fail_msg("%s", err.text);
	assert_string_equal(got, want);
	guests_close(&guests);
}

static void assert_wrong_bytes(const char *text, size_t len, const char *why)
{
	struct guests guests = read_text(text, len);
	struct err err = {.text = ""};
	struct guest_line line;
	int r;

	while ((r = guests_next(&guests, &line, &err)) > 0)
		;
	assert_int_equal(r, -EINVAL);
	assert_string_equal(err.text, why);
	guests_close(&guests);
}

static void assert_wrong(const char *text, const char *why)
{
	assert_wrong_bytes(text, strlen(text), why);
}

static void names_and_addresses_are_words(void **state)
{
	(void)state;
	assert_guests("", "");
	assert_guests("a unix:/s", "a|unix:/s\n");
	assert_guests("a unix:/s\nb.c_d-1 ./s\n9 vsock:3:4\n",
		      "a|unix:/s\nb.c_d-1|./s\n9|vsock:3:4\n");
	assert_guests(" \ta \t unix:/s \t\n", "a|unix:/s\n");
	assert_guests("\xef\xbb\xbf"
		      "a unix:/s\r\nb local:\r\n",
		      "a|unix:/s\nb|local:\n");
}

static void empty_lines_and_comments_count_for_nothing(void **state)
{
	(void)state;
	assert_guests("\n \t\n# a: no line\n \t# neither 'is this\na unix:/#s\n\n", "a|unix:/#s\n");
}

static void quotes_and_backslashes_are_a_shells(void **state)
{
	(void)state;
	assert_guests("'a' \"unix:/b c\"", "a|unix:/b c\n");
	assert_guests("a unix:/b\\ c\\\\ -e 'A=\"\\x' -e \"B='\\\"\\$\\`\\\\\\x\" -e C=$HOME\\n",
		      "a|unix:/b c\\|-e|A=\"\\x|-e|B='\"$`\\\\x|-e|C=$HOMEn\n");
	assert_guests("a unix:/b'c d'\"e f\"g '' \"\" h\\'i", "a|unix:/bc de fg|||h'i\n");
}

static void exec_goes_on_to_the_end_of_its_line(void **state)
{
	(void)state;
	assert_guests("web exec:kubectl exec -i pod -- msb-execd --listen stdio:\nb local:",
		      "web|exec:kubectl exec -i pod -- msb-execd --listen stdio:\nb|local:\n");
	assert_guests("a exec:sh -c 'x \"y\" \\z' # \"no comment",
		      "a|exec:sh -c 'x \"y\" \\z' # \"no comment\n");
	assert_guests("a 'exec:ssh h d' -u nobody", "a|exec:ssh h d|-u|nobody\n");
	assert_guests("a \"exec:ssh h d\" -u nobody", "a|exec:ssh h d|-u|nobody\n");
	assert_guests("a ex'ec:ssh h d' -u b", "a|exec:ssh h d|-u|b\n");
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state;
	assert_wrong("\n# x\n-a unix:/s", "file:3: -a is no name for a guest");
	assert_wrong("a:b unix:/s", "file:1: a:b is no name for a guest");
	assert_wrong("a/b unix:/s", "file:1: a/b is no name for a guest");
	assert_wrong(".a unix:/s", "file:1: .a is no name for a guest");
	assert_wrong("'a b' unix:/s", "file:1: a b is no name for a guest");
	assert_wrong("'' unix:/s", "file:1:  is no name for a guest");
	assert_wrong("a", "file:1: a has no address");
	assert_wrong("a unix:/s\na unix:/t", "file:2: there is a guest a above");
	assert_wrong("a b", "file:1: b is not an address, which has a : or a /");
	assert_wrong("a tcp:h:1", "file:1: tcp:h:1 is not an address");
	assert_wrong("a ''", "file:1: the address is empty");
	assert_wrong("a exec: ", "file:1: exec:  is not an address; use exec:COMMAND");
	assert_wrong("a stdio:", "file:1: stdio: is an address for msb-execd, not for clients");
	assert_wrong("a unix:/s 'b", "file:1: a ' without its second");
	assert_wrong("a \"unix:/s\nb \"local:", "file:1: a \" without its second");
	assert_wrong("a unix:/s \\", "file:1: nothing follows the backslash at its end");
	assert_wrong("a unix:/s\xff", "file:1: not UTF-8");
	assert_wrong_bytes("a unix:/s\0b", 11, "file:1: a NUL byte");
}

static void a_line_has_so_many_words_and_a_name_so_many_letters(void **state)
{
	char text[1024], why[1024], name[GUESTS_NAME_MAX + 2];
	size_t at;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[GUESTS_NAME_MAX] = '\0';
	sprintf(text, "%s unix:/s", name);
	sprintf(why, "%s|unix:/s\n", name);
	assert_guests(text, why);
	name[GUESTS_NAME_MAX] = 'n';
	name[GUESTS_NAME_MAX + 1] = '\0';
	sprintf(text, "%s unix:/s", name);
	sprintf(why, "file:1: %s is no name for a guest", name);
	assert_wrong(text, why);

	at = (size_t)sprintf(text, "a unix:/s");
	for (int i = 1; i < GUESTS_WORDS_MAX; i++)
		at += (size_t)sprintf(text + at, " x");
	strcpy(why, "a|unix:/s");
	for (int i = 1; i < GUESTS_WORDS_MAX; i++)
		strcat(why, "|x");
	strcat(why, "\n");
	assert_guests(text, why);
	strcat(text, " x");
	assert_wrong(text, "file:1: too many words");
}

static void there_are_so_many_guests(void **state)
{
	char *text = malloc((GUESTS_MAX + 1) * 16), why[64];
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i <= GUESTS_MAX; i++)
		at += (size_t)sprintf(text + at, "a%d local:\n", i);
	sprintf(why, "file:%d: more than %d guests", GUESTS_MAX + 1, GUESTS_MAX);
	assert_wrong(text, why);
	free(text);
}

static void what_follows_a_wrong_line_can_be_read(void **state)
{
	static const char text[] = "a unix:/s\nb\nc local:";
	struct guests guests = read_text(text, strlen(text));
	struct guest_line line;
	struct err err;

	(void)state;
	assert_int_equal(guests_next(&guests, &line, &err), 1);
	assert_int_equal(guests_next(&guests, &line, &err), -EINVAL);
	assert_int_equal(line.number, 2);
	assert_int_equal(guests_next(&guests, &line, &err), 1);
	assert_string_equal(line.name, "c");
	assert_int_equal(line.number, 3);
	assert_int_equal(guests_next(&guests, &line, &err), 0);
	guests_close(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_are_words),
		cmocka_unit_test(empty_lines_and_comments_count_for_nothing),
		cmocka_unit_test(quotes_and_backslashes_are_a_shells),
		cmocka_unit_test(exec_goes_on_to_the_end_of_its_line),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_line_has_so_many_words_and_a_name_so_many_letters),
		cmocka_unit_test(there_are_so_many_guests),
		cmocka_unit_test(what_follows_a_wrong_line_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
