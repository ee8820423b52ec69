/*
 * Messages that were cut short or damaged: nothing is accepted before its last byte is there, and
 * nothing is read beyond it (each piece stands in memory of exactly its size, for the sanitizers).
 */
#include "unit.h"

union any {
	struct msg_ready ready;
	struct msg_exec_request request;
	struct msg_bootstrap bootstrap;
	struct msg_exec_failed failed;
	struct msg_exec_exited exited;
	struct msg_stdin_error stdin_error;
	struct msg_data data;
	struct msg_error error;
	struct msg_session_entry entry;
	struct msg_session_attach attach;
	struct msg_session_attached attached;
};

struct sample {
	enum msg_type type;
	const char *payload;
};

/* One of each, with every kind of value, in plain and in unusual dress. */
static const struct sample samples[] = {
	{MSG_READY,
	 "a6 6c'boot_time_ns'1b0000000100000001 6c'init_time_ns'1902ff 6d'ready_time_ns'00"
	 "6d'agent_version'65'1.2.3' 6d'exec_features'82 65'usage' 66'linger'"
	 "6b'exec_limits' a2 61'a'01 61'b'82f9000060"},
	{MSG_EXEC_REQUEST, "ad 63'cmd'62'sh' 64'args'82 62'-c' 7818'0123456789abcdefghijklmn'"
			   "63'env'81 63'A=1' 63'cwd'64'/tmp' 64'user'f6 63'tty'f5 64'rows'1828"
			   "64'cols'19012c 67'rlimits'81 a3 68'resource'66'nofile' 64'soft'190400"
			   "64'hard'1bffffffffffffffff 6a'timeout_ms'1903e8 69'linger_ms'1901f4"
			   "6d'on_disconnect'64'keep' 6b'login_shell'f4"},
	{MSG_EXEC_REQUEST, "bf 7f62'cm'61'd'ff 7f61's'61'h'ff 44'args'9f 7f61'a'ff c061'b' ff"
			   "63'env'9fff 67'rlimits'9f bf 68'resource'7f63'cpu'ff 64'soft'c24101"
			   "64'hard'fb41f0000000000000 ff ff 61'?'bf 80 a0 ff ff"},
	{MSG_EXEC_STDIN, "a1 64'data'5818'0123456789abcdefghijklmn'"},
	{MSG_EXEC_STDOUT, "b90001 64'data'd8405f 43'abc' 5801'd' 40 ff"},
	{MSG_EXEC_STDERR, "a1 64'data'9f 01 18ff 1900ff c24107 ff"},
	{MSG_EXEC_STDIN_ERROR, "a3 65'errno'1820 6a'errno_name'65'EPIPE' 67'message'66'broken'"},
	{MSG_EXEC_EXITED,
	 "a5 64'code'20 66'signal'09 6b'core_dumped'f5 69'timed_out'f5 65'usage'"
	 "a4 67'user_us'190100 66'sys_us'02 67'wall_us'03 6b'max_rss_kib'1a00010000"},
	{MSG_EXEC_FAILED, "a5 64'kind'69'not_found' 65'errno'02 6a'errno_name'66'ENOENT'"
			  "67'message'63'no!' 65'stage'66'execve'"},
	{MSG_EXEC_RESIZE, "a2 64'rows'1832 64'cols'1884"},
	{MSG_EXEC_SIGNAL, "a1 66'signal'c000"},
	{MSG_EXEC_STARTED, "a1 63'pid'1904d2"},
	{MSG_EXEC_OUTPUT_CLOSE, "a1 66'stream'66'stdout'"},
	{MSG_ERROR,
	 "a3 64'kind'6d'invalid_flags' 67'message'63'bad' 6e'offending_type'69'core.ping'"},
	{MSG_BOOTSTRAP, "a2 70'security_profile'67'default' 67'rlimits'81a161'x'f6"},
	{MSG_SESSION_ENTRY,
	 "ad 67'session'6c'0123456789ab' 64'name'61'n' 64'user'61'u' 63'pid'07 63'tty'f5"
	 "66'age_ms'190100 66'cpu_us'1a00010000 67'command'82 61'a' 7f61'b'60ff"
	 "6c'stdout_begin'00 6a'stdout_end'1b0000000100000000 6c'stderr_begin'c24101"
	 "6a'stderr_end'02 66'exited' a2 64'code'20 65'usage'"
	 "a4 67'user_us'01 66'sys_us'02 67'wall_us'03 6b'max_rss_kib'04"},
	{MSG_SESSION_ATTACH,
	 "bf 67'session'7f 63'bui' 62'ld' ff 64'mode'65'watch' 6c'stdout_since'00"
	 "6c'stderr_since'f6 64'rows'1818 64'cols'1850 6c'stdin_window'f5"
	 "6d'output_window'1a00010000 67'hold_ms'01 67'for_uid'00 ff"},
	{MSG_SESSION_ATTACHED,
	 "a6 67'session'61'x' 63'pid'01 69'stdout_at'1bffffffffffffffff 69'stderr_at'00"
	 "68'stdin_at'18ff 67'restore'5f 42 1b5b 42'0m' ff"},
	{MSG_SESSION_SKIPPED, "a2 66'stream'66'stdout' 65'bytes'190400"},
	{MSG_SESSION_DETACH, "a1 67'restore'd840 42 1b63"},
	{MSG_SESSION_DETACHED, "a3 63'why'65'asked' 67'session'61'x' 64'name'f7"},
	{MSG_SESSION_SIGNAL, "a2 67'session'61'x' 66'signal'0f"},
	{MSG_SESSION_REMOVE, "a2 67'session'61'x' 67'for_uid'1affffffff"},
};

/* Decodes and reads the lists to their ends, as a receiver would. */
static int take(enum msg_type type, struct msg_bytes payload, size_t *ret_elements)
{
	struct msg_rlimit limit;
	struct msg_text text;
	size_t count = 0;
	union any any;
	int more;

	if (msg_decode(type, payload, &any) < 0)
		return -EBADMSG;
	if (type == MSG_EXEC_REQUEST) {
		size_t promised = any.request.args.count + any.request.env.count;

		while (msg_next_text(&any.request.args, &text))
			count++;
		while (msg_next_text(&any.request.env, &text))
			count++;
		assert_int_equal(count, promised);
		while ((more = msg_next_rlimit(&any.request.rlimits, &limit)) > 0)
			count++;
		if (more < 0)
			return more;
	} else if (type == MSG_SESSION_ENTRY) {
		size_t promised = any.entry.command.count;

		while (msg_next_text(&any.entry.command, &text))
			count++;
		assert_int_equal(count, promised);
	}
	*ret_elements = count;
	return 0;
}

static void every_sample_is_whole(void **state)
{
	size_t elements = 0, total = 0;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(samples); i++) {
		unit_held struct msg_bytes payload = unit_hex(samples[i].payload);

		if (take(samples[i].type, payload, &elements) < 0)
			fail_msg("refused %s", samples[i].payload);
		total += elements;
	}
	assert_int_equal(total, 4 + 3 + 2);
}

static void payload_that_is_cut_short_is_refused(void **state)
{
	size_t elements;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(samples); i++) {
		unit_held struct msg_bytes whole = unit_hex(samples[i].payload);

		for (size_t len = 0; len < whole.len; len++) {
			unit_held struct msg_bytes payload = unit_copy(whole.ptr, len);

			if (take(samples[i].type, payload, &elements) != -EBADMSG)
				fail_msg("accepted %zu bytes of %s", len, samples[i].payload);
		}
	}
}

/* The envelope around a payload, with what comes first before it. */
static struct msg_bytes wrap(const char *open, const struct sample *sample, const char *close)
{
	const char *name = msg_name(sample->type);
	char hex[1024];

	snprintf(hex, sizeof(hex), "%s 61'v'07 61't'78%02zx'%s' 61'p'59", open, strlen(name), name);
	unit_held struct msg_bytes head = unit_hex(hex), payload = unit_hex(sample->payload);
	unit_held struct msg_bytes tail = unit_hex(close);
	struct msg_bytes body = {malloc(head.len + 2 + payload.len + tail.len), 0};
	uint8_t *at = body.ptr;

	assert_non_null(at);
	at = mempcpy(at, head.ptr, head.len);
	*at++ = (uint8_t)(payload.len >> 8);
	*at++ = (uint8_t)payload.len;
	at = mempcpy(at, payload.ptr, payload.len);
	at = mempcpy(at, tail.ptr, tail.len);
	body.len = (size_t)(at - body.ptr);
	return body;
}

static void body_that_is_cut_short_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * UNIT_COUNT(samples); i++) {
		const struct sample *sample = &samples[i / 2];
		unit_held struct msg_bytes whole =
			i % 2 ? wrap("bf", sample, "ff") : wrap("a4 61'?'8261'x'f6", sample, "");
		struct msg_envelope envelope;

		for (size_t len = 0; len <= whole.len; len++) {
			unit_held struct msg_bytes body = unit_copy(whole.ptr, len);
			const struct frame frame = {.body = body.ptr, .body_len = len};

			if (msg_open(&frame, &envelope) != (len < whole.len ? -EBADMSG : 0))
				fail_msg("%zu bytes of %zu: %s", len, whole.len, sample->payload);
		}
	}
}

/* Whatever it says, it is refused or understood; it is never read past its end, nor for ever. */
static void damaged_messages_do_no_harm(void **state)
{
	static const uint8_t heads[] = {0x1b, 0x3b, 0x40, 0x5b, 0x5f, 0x60, 0x7b, 0x7f, 0x80, 0x9b,
					0x9f, 0xa0, 0xbb, 0xbf, 0xc2, 0xc3, 0xf6, 0xf9, 0xfb, 0xff};
	size_t accepted = 0, refused = 0;
	uint64_t seed = 20;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		const struct sample *sample = &samples[round % (int)UNIT_COUNT(samples)];
		unit_held struct msg_bytes body = wrap("a3", sample, "");
		const struct frame frame = {.body = body.ptr, .body_len = body.len};
		struct msg_envelope envelope;
		size_t elements;

		for (uint32_t n = 1 + unit_below(&seed, 3); n; n--) {
			uint32_t at = unit_below(&seed, (uint32_t)body.len);

			body.ptr[at] = unit_below(&seed, 2)
					       ? (uint8_t)unit_random(&seed)
					       : heads[unit_below(&seed, UNIT_COUNT(heads))];
		}
		if (msg_open(&frame, &envelope) == 0 &&
		    take(envelope.type, envelope.payload, &elements) == 0)
			accepted++;
		else
			refused++;
	}
	/* Both happen often, or this tests nothing. */
	assert_true(accepted > 6000 && refused > 6000);
}

static void noise_does_no_harm(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		unit_held struct msg_bytes bytes = {malloc(64), 1 + unit_below(&seed, 64)};
		enum msg_type type = (enum msg_type)unit_below(&seed, MSG_TYPE_COUNT);
		size_t elements;

		assert_non_null(bytes.ptr);
		for (size_t i = 0; i < bytes.len; i++)
			bytes.ptr[i] = (uint8_t)unit_random(&seed);
		bytes.ptr[0] = unit_below(&seed, 2) ? 0xbf : (uint8_t)(0xa0 + unit_below(&seed, 8));
		unit_held struct msg_bytes exact = unit_copy(bytes.ptr, bytes.len);
		const struct frame frame = {.body = exact.ptr, .body_len = exact.len};
		struct msg_envelope envelope;

		if (round % 2)
			assert_int_equal(msg_open(&frame, &envelope), -EBADMSG);
		else
			take(type, exact, &elements);
	}
}

int main(void)
{
	const struct CMUnitTest msg_damaged_tests[] = {
		cmocka_unit_test(every_sample_is_whole),
		cmocka_unit_test(payload_that_is_cut_short_is_refused),
		cmocka_unit_test(body_that_is_cut_short_is_refused),
		cmocka_unit_test(damaged_messages_do_no_harm),
		cmocka_unit_test(noise_does_no_harm),
	};

	return cmocka_run_group_tests(msg_damaged_tests, NULL, NULL);
}
