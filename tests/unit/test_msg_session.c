/*
 * The messages of kept sessions, from a table that says of each key what it is: whole, without a key,
 * with one twice, null or of another kind. Then where each value is in its struct.
 */
#include "unit.h"

enum kind { TEXT, BOOL, U8, U16, U32, U64, I32, BYTES, LIST, MAP };

/* Required; sent always, and zero where it does not come; left out where it says nothing, or null. */
enum rule { REQUIRED, ALWAYS, OPTION };

struct key {
	const char *name;
	enum kind kind;
	enum rule rule;
	const char *value; /* as hex, not what it is where it does not come */
};

#define EXITED                                                                             \
	"a3 64'code'20 66'signal'09 65'usage'a4 67'user_us'01 66'sys_us'02 67'wall_us'03 " \
	"6b'max_rss_kib'04"

static const struct key list_keys[] = {{"for_uid", U32, OPTION, "1903e8"}};
static const struct key entry_keys[] = {
	{"session", TEXT, REQUIRED, "6c'0123456789ab'"},
	{"name", TEXT, OPTION, "65'build'"},
	{"user", TEXT, ALWAYS, "64'root'"},
	{"pid", U32, ALWAYS, "1a00010000"},
	{"tty", BOOL, OPTION, "f5"},
	{"age_ms", U64, ALWAYS, "1b0000000100000001"},
	{"cpu_us", U64, ALWAYS, "1b0000000100000002"},
	{"attached", U32, ALWAYS, "02"},
	{"command", LIST, ALWAYS, "82 62'sh' 60"},
	{"stdout_begin", U64, ALWAYS, "1b0000000100000003"},
	{"stdout_end", U64, ALWAYS, "1b0000000100000004"},
	{"stderr_begin", U64, ALWAYS, "1b0000000100000005"},
	{"stderr_end", U64, ALWAYS, "1bffffffffffffffff"},
	{"exited", MAP, OPTION, EXITED},
};
static const struct key attach_keys[] = {
	{"session", TEXT, REQUIRED, "65'build'"},
	{"mode", TEXT, OPTION, "65'watch'"},
	{"stdout_since", U64, OPTION, "1b0000000100000001"},
	{"stderr_since", U64, OPTION, "00"},
	{"rows", U16, OPTION, "1818"},
	{"cols", U16, OPTION, "1850"},
	{"xpixel", U16, OPTION, "190280"},
	{"ypixel", U16, OPTION, "1901e0"},
	{"stdin_window", BOOL, OPTION, "f5"},
	{"output_window", U64, OPTION, "1a00040000"},
	{"hold_ms", U64, OPTION, "19ea60"},
	{"for_uid", U32, OPTION, "00"},
};
static const struct key attached_keys[] = {
	{"session", TEXT, REQUIRED, "6c'0123456789ab'"},
	{"name", TEXT, OPTION, "65'build'"},
	{"pid", U32, ALWAYS, "1904d2"},
	{"tty", BOOL, OPTION, "f5"},
	{"stdout_at", U64, ALWAYS, "1b0000000100000001"},
	{"stderr_at", U64, ALWAYS, "1b0000000100000002"},
	{"stdin_at", U64, ALWAYS, "1b0000000100000003"},
	{"stdin_window", U64, OPTION, "1a00080000"},
	{"restore", BYTES, OPTION, "44 1b5b306d"},
};
static const struct key skipped_keys[] = {{"stream", TEXT, REQUIRED, "66'stderr'"},
					  {"bytes", U64, REQUIRED, "1b0000000100000001"}};
static const struct key detach_keys[] = {{"restore", BYTES, OPTION, "44 1b5b306d"}};
static const struct key refused_keys[] = {{"message", TEXT, REQUIRED, "62'no'"}};
static const struct key detached_keys[] = {{"why", TEXT, REQUIRED, "65'taken'"},
					   {"session", TEXT, REQUIRED, "6c'0123456789ab'"},
					   {"name", TEXT, OPTION, "65'build'"}};
static const struct key signal_keys[] = {{"session", TEXT, REQUIRED, "65'build'"},
					 {"signal", I32, REQUIRED, "0f"},
					 {"for_uid", U32, OPTION, "1affffffff"}};
static const struct key remove_keys[] = {{"session", TEXT, REQUIRED, "65'build'"},
					 {"for_uid", U32, OPTION, "01"}};
static const struct key started_keys[] = {{"pid", U32, REQUIRED, "1904d2"},
					  {"stdin_window", U64, OPTION, "1a00080000"},
					  {"session", TEXT, OPTION, "6c'0123456789ab'"}};

static const struct sample {
	enum msg_type type;
	const struct key *keys;
	size_t count;
} samples[] = {
	{MSG_SESSION_LIST, list_keys, UNIT_COUNT(list_keys)},
	{MSG_SESSION_ENTRY, entry_keys, UNIT_COUNT(entry_keys)},
	{MSG_SESSION_ATTACH, attach_keys, UNIT_COUNT(attach_keys)},
	{MSG_SESSION_INPUT, attach_keys, UNIT_COUNT(attach_keys)},
	{MSG_SESSION_ATTACHED, attached_keys, UNIT_COUNT(attached_keys)},
	{MSG_SESSION_SKIPPED, skipped_keys, UNIT_COUNT(skipped_keys)},
	{MSG_SESSION_DETACH, detach_keys, UNIT_COUNT(detach_keys)},
	{MSG_SESSION_REFUSED, refused_keys, UNIT_COUNT(refused_keys)},
	{MSG_SESSION_DETACHED, detached_keys, UNIT_COUNT(detached_keys)},
	{MSG_SESSION_SIGNAL, signal_keys, UNIT_COUNT(signal_keys)},
	{MSG_SESSION_REMOVE, remove_keys, UNIT_COUNT(remove_keys)},
	{MSG_SESSION_DONE, NULL, 0},
	{MSG_EXEC_STARTED, started_keys, UNIT_COUNT(started_keys)},
};

union any {
	struct msg_session_list list;
	struct msg_session_entry entry;
	struct msg_session_attach attach;
	struct msg_session_attached attached;
	struct msg_session_skipped skipped;
	struct msg_session_detach detach;
	struct msg_session_refused refused;
	struct msg_session_detached detached;
	struct msg_session_signal signal;
	struct msg_session_remove remove;
	struct msg_exec_started started;
};

/* Of each kind, and which take it. */
static const struct {
	const char *value;
	uint32_t kinds;
} values[] = {
	{"f5", 1 << BOOL},
	{"61'x'", 1 << TEXT},
	{"62 c328", 0}, /* no UTF-8 */
	{"41'x'", 1 << BYTES},
	{"a0", 0},
	{"18ff", 1 << U8 | 1 << U16 | 1 << U32 | 1 << U64 | 1 << I32},
	{"19ffff", 1 << U16 | 1 << U32 | 1 << U64 | 1 << I32},
	{"1a00010000", 1 << U32 | 1 << U64 | 1 << I32},
	{"1affffffff", 1 << U32 | 1 << U64},
	{"1b0000000100000000", 1 << U64},
	{"20", 1 << I32},
	{"81 61'x'", 1 << LIST},
	{"81 41'x'", 0},
	{"a1 64'code'00", 1 << MAP},
	{"a2 64'code'00 64'code'00", 0},
};

/* A change to one key of the payload. */
struct change {
	size_t at;
	enum { NOTHING, LEFT_OUT, TWICE, OTHER } what;
	const char *value; /* of OTHER */
};

static int times(const struct sample *sample, bool all, size_t i, struct change change)
{
	if (change.what && change.at == i)
		return change.what == LEFT_OUT ? 0 : change.what == TWICE ? 2 : 1;
	return all || sample->keys[i].rule != OPTION;
}

/* The payload as hex, with all keys or only what is always there. */
static const char *text_of(const struct sample *sample, bool all, struct change change)
{
	static char text[2048];
	size_t len = 2, count = 0;

	for (size_t i = 0; i < sample->count; i++) {
		const struct key *key = &sample->keys[i];
		bool other = change.what == OTHER && change.at == i;

		for (int n = times(sample, all, i, change); n; n--, count++)
			len += (size_t)sprintf(text + len, " %02zx'%s' %s",
					       0x60 + strlen(key->name), key->name,
					       other ? change.value : key->value);
	}
	assert_in_range(count, 0, 23);
	sprintf(text + len, "%s", "");
	text[0] = count < 16 ? 'a' : 'b';
	text[1] = "0123456789abcdef"[count % 16];
	return text;
}

static int decode(const struct sample *sample, const char *text)
{
	unit_held struct msg_bytes payload = unit_hex(text);
	union any any;

	return msg_decode(sample->type, payload, &any);
}

static void assert_refused(const struct sample *sample, const char *text)
{
	if (decode(sample, text) != -EBADMSG)
		fail_msg("accepted %s: %s", msg_name(sample->type), text);
}

/* Said again, it is the same, byte for byte: keys in their order, and none that says nothing. */
static void assert_said_again(const struct sample *sample, const char *text)
{
	unit_held struct msg_bytes payload = unit_hex(text);
	struct buf out;
	union any any;

	memset(&any, 0xee, sizeof(any));
	if (msg_decode(sample->type, payload, &any) < 0)
		fail_msg("refused %s: %s", msg_name(sample->type), text);
	buf_init(&out, 65536, NULL);
	assert_int_equal(msg_put(&out, 9, sample->type, &any), 0);
	unit_assert_bytes(unit_payload(&out, sample->type, 9), text);
	buf_release(&out);
}

#define each(sample) \
	(const struct sample *sample = samples; sample < samples + UNIT_COUNT(samples); sample++)

static void message_is_said_again_as_it_came(void **state)
{
	(void)state;
	for each(sample) {
		assert_said_again(sample, text_of(sample, true, (struct change){0}));
		assert_said_again(sample, text_of(sample, false, (struct change){0}));
	}
}

static void only_what_is_required_must_come(void **state)
{
	(void)state;
	for each(sample)
		for (size_t i = 0; i < sample->count; i++) {
			const char *text =
				text_of(sample, true, (struct change){i, LEFT_OUT, NULL});

			if (sample->keys[i].rule == REQUIRED)
				assert_refused(sample, text);
			else
				assert_int_equal(decode(sample, text), 0);
		}
}

static void key_that_comes_twice_is_refused(void **state)
{
	(void)state;
	for each(sample)
		for (size_t i = 0; i < sample->count; i++)
			assert_refused(sample,
				       text_of(sample, i % 2, (struct change){i, TWICE, NULL}));
}

static void null_stands_for_an_option_alone(void **state)
{
	(void)state;
	for each(sample)
		for (size_t i = 0; i < sample->count; i++) {
			struct change null = {i, OTHER, "f6"}, undefined = {i, OTHER, "f7"};

			if (sample->keys[i].rule != OPTION) {
				assert_refused(sample, text_of(sample, true, null));
				assert_refused(sample, text_of(sample, false, undefined));
				continue;
			}
			assert_int_equal(decode(sample, text_of(sample, true, null)), 0);
			assert_int_equal(decode(sample, text_of(sample, false, undefined)), 0);
		}
}

static void value_of_another_kind_is_refused(void **state)
{
	(void)state;
	for each(sample)
		for (size_t i = 0; i < sample->count; i++)
			for (size_t v = 0; v < UNIT_COUNT(values); v++) {
				const char *text = text_of(
					sample, true, (struct change){i, OTHER, values[v].value});

				if (!(values[v].kinds & 1u << sample->keys[i].kind))
					assert_refused(sample, text);
				else if (decode(sample, text) < 0)
					fail_msg("refused %s: %s", msg_name(sample->type), text);
			}
}

/* ---- where each value is ---- */

/* Decodes the whole sample of that type; what it points into is *ret_payload. */
static void decode_whole(enum msg_type type, struct msg_bytes *ret_payload, void *ret_struct)
{
	for each(sample)
		if (sample->type == type)
			*ret_payload = unit_hex(text_of(sample, true, (struct change){0}));
	assert_int_equal(msg_decode(type, *ret_payload, ret_struct), 0);
}

static void entry_is_decoded(void **state)
{
	const uint64_t high = UINT64_C(1) << 32;
	unit_held struct msg_bytes payload = {0};
	struct msg_session_entry entry;
	struct msg_text word;

	(void)state;
	decode_whole(MSG_SESSION_ENTRY, &payload, &entry);
	unit_assert_text(entry.session, "0123456789ab");
	unit_assert_text(entry.name, "build");
	unit_assert_text(entry.user, "root");
	assert_int_equal(entry.pid, 65536);
	assert_true(entry.tty && entry.ended);
	assert_true(entry.age_ms == high + 1 && entry.cpu_us == high + 2);
	assert_int_equal(entry.attached, 2);
	assert_int_equal(entry.command.count, 2);
	assert_int_equal(msg_next_text(&entry.command, &word), 1);
	unit_assert_text(word, "sh");
	assert_int_equal(msg_next_text(&entry.command, &word), 1);
	unit_assert_text(word, "");
	assert_int_equal(msg_next_text(&entry.command, &word), 0);
	assert_true(entry.stdout_begin == high + 3 && entry.stdout_end == high + 4);
	assert_true(entry.stderr_begin == high + 5 && entry.stderr_end == UINT64_MAX);
	assert_int_equal(entry.exited.code, -1);
	assert_int_equal(entry.exited.signal, 9);
	assert_true(entry.exited.has_usage && entry.exited.usage.max_rss_kib == 4);
}

static void attach_is_decoded(void **state)
{
	unit_held struct msg_bytes payload = {0};
	struct msg_session_attach attach;

	(void)state;
	decode_whole(MSG_SESSION_ATTACH, &payload, &attach);
	unit_assert_text(attach.session, "build");
	assert_int_equal(msg_attach_parse(attach.mode), MSG_ATTACH_WATCH);
	assert_true(attach.has_stdout_since && attach.stdout_since == (UINT64_C(1) << 32) + 1);
	/* From the very first is another wish than from what there is. */
	assert_true(attach.has_stderr_since && attach.stderr_since == 0);
	assert_int_equal(attach.rows, 24);
	assert_int_equal(attach.cols, 80);
	assert_int_equal(attach.xpixel, 640);
	assert_int_equal(attach.ypixel, 480);
	assert_true(attach.stdin_window);
	assert_int_equal(attach.output_window, 262144);
	assert_int_equal(attach.hold_ms, 60000);
	assert_true(attach.has_for_uid && attach.for_uid == 0);
}

static void attach_that_wants_nothing_special_is_short(void **state)
{
	unit_held struct msg_bytes payload = unit_hex("a1 67'session'61'x'");
	struct msg_session_attach attach;

	(void)state;
	memset(&attach, 0xee, sizeof(attach));
	assert_int_equal(msg_decode(MSG_SESSION_ATTACH, payload, &attach), 0);
	assert_null(attach.mode.ptr);
	assert_false(attach.has_stdout_since || attach.has_stderr_since || attach.has_for_uid);
	assert_false(attach.rows || attach.cols || attach.xpixel || attach.ypixel);
	assert_false(attach.stdin_window || attach.output_window || attach.hold_ms);
}

static void attached_is_decoded(void **state)
{
	const uint64_t high = UINT64_C(1) << 32;
	unit_held struct msg_bytes payload = {0};
	struct msg_session_attached attached;

	(void)state;
	decode_whole(MSG_SESSION_ATTACHED, &payload, &attached);
	unit_assert_text(attached.session, "0123456789ab");
	unit_assert_text(attached.name, "build");
	assert_int_equal(attached.pid, 1234);
	assert_true(attached.tty);
	assert_true(attached.stdout_at == high + 1 && attached.stderr_at == high + 2);
	assert_true(attached.stdin_at == high + 3);
	assert_int_equal(attached.stdin_window, 524288);
	unit_assert_bytes(attached.restore, "1b'[0m'");
}

static void small_messages_of_sessions_are_decoded(void **state)
{
	unit_held struct msg_bytes skipped_bytes = {0}, detach_bytes = {0}, refused_bytes = {0},
				   detached_bytes = {0}, signal_bytes = {0}, remove_bytes = {0},
				   list_bytes = {0}, started_bytes = {0};
	union any any;

	(void)state;
	decode_whole(MSG_SESSION_SKIPPED, &skipped_bytes, &any);
	assert_int_equal(msg_stream_parse(any.skipped.stream), MSG_STREAM_STDERR);
	assert_true(any.skipped.bytes == (UINT64_C(1) << 32) + 1);
	decode_whole(MSG_SESSION_DETACH, &detach_bytes, &any);
	unit_assert_bytes(any.detach.restore, "1b'[0m'");
	decode_whole(MSG_SESSION_REFUSED, &refused_bytes, &any);
	unit_assert_text(any.refused.message, "no");
	decode_whole(MSG_SESSION_DETACHED, &detached_bytes, &any);
	assert_int_equal(msg_detached_parse(any.detached.why), MSG_DETACHED_TAKEN);
	unit_assert_text(any.detached.session, "0123456789ab");
	unit_assert_text(any.detached.name, "build");
	decode_whole(MSG_SESSION_SIGNAL, &signal_bytes, &any);
	unit_assert_text(any.signal.session, "build");
	assert_int_equal(any.signal.signal, 15);
	assert_true(any.signal.has_for_uid && any.signal.for_uid == UINT32_MAX);
	decode_whole(MSG_SESSION_REMOVE, &remove_bytes, &any);
	unit_assert_text(any.remove.session, "build");
	assert_true(any.remove.has_for_uid && any.remove.for_uid == 1);
	decode_whole(MSG_SESSION_LIST, &list_bytes, &any);
	assert_true(any.list.has_for_uid && any.list.for_uid == 1000);
	decode_whole(MSG_EXEC_STARTED, &started_bytes, &any);
	unit_assert_text(any.started.session, "0123456789ab");
	assert_int_equal(any.started.stdin_window, 524288);
}

static void request_says_what_the_kept_session_is_called(void **state)
{
	const struct msg_exec_request request = {
		.cmd = {"x", 1},
		.on_disconnect = {"keep", 4},
		.name = {"build", 5},
		.hold_ms = 60000,
		.has_for_uid = true,
	};
	struct msg_exec_request again;
	struct msg_bytes payload;
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_EXEC_REQUEST, &request), 0);
	payload = unit_payload(&out, MSG_EXEC_REQUEST, 8);
	unit_assert_bytes(payload, "ad 63'cmd'61'x' 64'args'80 63'env'80 63'cwd'f6 64'user'f6"
				   "63'tty'f4 64'rows'00 64'cols'00 67'rlimits'80"
				   "6d'on_disconnect'64'keep' 64'name'65'build'"
				   "67'hold_ms'19ea60 67'for_uid'00");
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &again), 0);
	unit_assert_text(again.name, "build");
	assert_int_equal(again.hold_ms, 60000);
	assert_true(again.has_for_uid && again.for_uid == 0);
	buf_release(&out);
}

static void request_of_nobody_in_particular_is_as_ever(void **state)
{
	unit_held struct msg_bytes payload =
		unit_hex("a4 63'cmd'61'x' 64'name'f6 67'hold_ms'f6 67'for_uid'f6");
	struct msg_exec_request request;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_null(request.name.ptr);
	assert_int_equal(request.hold_ms, 0);
	assert_false(request.has_for_uid);
}

/* ---- what is long ---- */

static void modes_and_commands_may_be_long(void **state)
{
	char *word = malloc(100001), *words[] = {word, (char *)"", word};
	const struct msg_session_attached attached = {.session = {"x", 1},
						      .restore = {(uint8_t *)word, 100000}};
	const struct msg_session_entry entry = {
		.session = {word, 1000},
		.user = {word, 1000},
		.command = {.count = 3, .strv = words},
		.ended = true,
		.exited = {.code = INT32_MIN,
			   .signal = 255,
			   .core_dumped = true,
			   .timed_out = true,
			   .has_usage = true,
			   .usage = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}},
		.age_ms = UINT64_MAX,
		.cpu_us = UINT64_MAX,
		.stdout_begin = UINT64_MAX,
		.stdout_end = UINT64_MAX,
		.stderr_begin = UINT64_MAX,
		.stderr_end = UINT64_MAX,
		.pid = UINT32_MAX,
		.attached = UINT32_MAX,
		.tty = true,
	};
	union any any;
	struct buf out;

	(void)state;
	assert_non_null(word);
	memset(word, 'w', 100000);
	word[100000] = '\0';
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_SESSION_ATTACHED, &attached), 0);
	assert_int_equal(
		msg_decode(MSG_SESSION_ATTACHED, unit_payload(&out, MSG_SESSION_ATTACHED, 8), &any),
		0);
	assert_int_equal(any.attached.restore.len, 100000);
	buf_consume(&out, buf_len(&out));
	assert_int_equal(msg_put(&out, 8, MSG_SESSION_ENTRY, &entry), 0);
	assert_int_equal(
		msg_decode(MSG_SESSION_ENTRY, unit_payload(&out, MSG_SESSION_ENTRY, 8), &any), 0);
	assert_int_equal(any.entry.command.count, 3);
	assert_int_equal(any.entry.exited.code, INT32_MIN);
	assert_int_equal(any.entry.user.len, 1000);
	buf_release(&out);
	free(word);
}

/* Many short words take more room for their heads than for themselves. */
static void entry_may_have_many_words(void **state)
{
	enum { COUNT = 20000 };
	char **words = malloc(COUNT * sizeof(*words));
	struct msg_session_entry entry = {.session = {"x", 1}};
	union any any;
	struct buf out;

	(void)state;
	assert_non_null(words);
	for (int i = 0; i < COUNT; i++)
		words[i] = (char *)(i % 2 ? "" : "a");
	entry.command = (struct msg_list){.count = COUNT, .strv = words};
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_SESSION_ENTRY, &entry), 0);
	assert_int_equal(
		msg_decode(MSG_SESSION_ENTRY, unit_payload(&out, MSG_SESSION_ENTRY, 8), &any), 0);
	assert_int_equal(any.entry.command.count, COUNT);
	buf_release(&out);
	free(words);
}

static void message_over_the_wires_limit_is_refused(void **state)
{
	uint8_t *bytes = calloc(1, FRAME_LEN_MAX);
	const struct msg_session_detach detach = {.restore = {bytes, FRAME_LEN_MAX}};
	struct buf out;

	(void)state;
	assert_non_null(bytes);
	buf_init(&out, 2 * FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_SESSION_DETACH, &detach), -EMSGSIZE);
	assert_int_equal(buf_len(&out), 0);
	buf_release(&out);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest msg_session_tests[] = {
		cmocka_unit_test(message_is_said_again_as_it_came),
		cmocka_unit_test(only_what_is_required_must_come),
		cmocka_unit_test(key_that_comes_twice_is_refused),
		cmocka_unit_test(null_stands_for_an_option_alone),
		cmocka_unit_test(value_of_another_kind_is_refused),
		cmocka_unit_test(entry_is_decoded),
		cmocka_unit_test(attach_is_decoded),
		cmocka_unit_test(attach_that_wants_nothing_special_is_short),
		cmocka_unit_test(attached_is_decoded),
		cmocka_unit_test(small_messages_of_sessions_are_decoded),
		cmocka_unit_test(request_says_what_the_kept_session_is_called),
		cmocka_unit_test(request_of_nobody_in_particular_is_as_ever),
		cmocka_unit_test(modes_and_commands_may_be_long),
		cmocka_unit_test(entry_may_have_many_words),
		cmocka_unit_test(message_over_the_wires_limit_is_refused),
	};

	return cmocka_run_group_tests(msg_session_tests, NULL, NULL);
}
