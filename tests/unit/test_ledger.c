/* The record's lines: a command as a shell would read it, both lines' form, and which sessions have them. */
/* WRAP: loop_now_ms log_record */
#include "daemon/session/ledger.h"

#include "shared/utf8.h"
#include "unit.h"

/* ---- what the record says, and when it is ---- */

static struct {
	char line[LOG_LINE_MAX];
	char event[16];
	unsigned count;
	uint64_t now_ms;
} said;

void __wrap_log_record(const char *line, const struct log_field *fields, size_t count);
uint64_t __wrap_loop_now_ms(void);

void __wrap_log_record(const char *line, const struct log_field *fields, size_t count)
{
	assert_true(count > 1);
	assert_string_equal(fields[0].key, "event");
	snprintf(said.event, sizeof(said.event), "%s", fields[0].value);
	snprintf(said.line, sizeof(said.line), "%s", line);
	said.count++;
}

uint64_t __wrap_loop_now_ms(void)
{
	return said.now_ms;
}

static int set_up(void **state)
{
	(void)state;
	memset(&said, 0, sizeof(said));
	said.now_ms = 5000;
	log_init("it", LOG_LEVEL_INFO);
	return 0;
}

/* ---- commands ---- */

/* What comes of a request with these words, over the wire as in the daemon. */
static void of_request(const struct msg_exec_request *asked, char ret[ACCOUNT_COMMAND_LEN])
{
	struct msg_exec_request request;
	struct msg_envelope envelope;
	struct frame frame;
	struct buf wire;

	buf_init(&wire, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&wire, 1, MSG_EXEC_REQUEST, asked), 0);
	envelope = unit_open(&wire, &frame);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, envelope.payload, &request), 0);
	account_command(&request, ret);
	assert_int_equal(request.args.count, asked->args.count);
	buf_release(&wire);
}

static void assert_command(const char *const *argv, const char *want)
{
	char command[ACCOUNT_COMMAND_LEN];
	size_t count = 0;

	while (argv[1 + count])
		count++;
	of_request(&(struct msg_exec_request){.cmd = {(char *)argv[0], strlen(argv[0])},
					      .args = {.count = count,
						       .strv = (char *const *)(argv + 1)}},
		   command);
	assert_string_equal(command, want);
}

#define COMMAND(want, ...) assert_command((const char *[]){__VA_ARGS__, NULL}, want)

static void a_command_is_quoted_where_a_shell_wants_it(void **state)
{
	(void)state;
	COMMAND("ls -l /tmp", "ls", "-l", "/tmp");
	COMMAND("sh -c 'echo $HOME; ls *'", "sh", "-c", "echo $HOME; ls *");
	COMMAND("echo ''", "echo", "");
	COMMAND("''", "");
	COMMAND("echo 'it'\\''s'", "echo", "it's");
	COMMAND("echo '~' '#x' 'a\\b' '!'", "echo", "~", "#x", "a\\b", "!");
	COMMAND("env A=b", "env", "A=b");
	COMMAND("'A=b' c", "A=b", "c");
	COMMAND("echo 'gr\xc3\xbc\xc3\x9f'", "echo", "gr\xc3\xbc\xc3\x9f");
}

static void what_drives_a_terminal_is_escaped(void **state)
{
	(void)state;
	COMMAND("echo $'\\033[31m'", "echo", "\033[31m");
	COMMAND("echo $'a\\012msb-execd: session 1 ends:'", "echo",
		"a\nmsb-execd: session 1 ends:");
	COMMAND("echo $'\\'\\\\\\011'", "echo", "'\\\t");
	/* C1, as of UTF-8; a mark that turns the direction; a blank of no width. */
	COMMAND("echo $'\\302\\2333m'", "echo", "\xc2\x9b\x33m");
	COMMAND("echo $'\\342\\200\\256x'", "echo", "\xe2\x80\xaex");
	COMMAND("echo $'\\342\\200\\213'", "echo", "\xe2\x80\x8b");
	COMMAND("echo $'\\177'", "echo", "\177");
}

static void a_cut_is_shown_and_closes_its_quotes(void **state)
{
	char word[400], want[ACCOUNT_COMMAND_LEN + 1];

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	snprintf(want, sizeof(want), "%.200s...", word);
	COMMAND(want, word);
	snprintf(want, sizeof(want), "%.198s ...", word);
	word[198] = '\0';
	COMMAND(want, word, "'");
	memset(word, ' ', sizeof(word) - 1);
	snprintf(want, sizeof(want), "'%.198s'...", word);
	COMMAND(want, word);
	/* Who ends a word so is not taken for one. */
	COMMAND("echo '...' 'a...'", "echo", "...", "a...");
}

static void a_shell_is_no_word(void **state)
{
	char command[ACCOUNT_COMMAND_LEN];
	char *const args[] = {(char *)"-c", (char *)"id"};

	(void)state;
	of_request(&(struct msg_exec_request){.login_shell = true}, command);
	assert_string_equal(command, "(login shell)");
	of_request(
		&(struct msg_exec_request){.user_shell = true, .args = {.count = 2, .strv = args}},
		command);
	assert_string_equal(command, "(shell) -c id");
}

/* Bytes of any kind, a NUL among them, which the wire does not carry. */
static void whatever_comes_is_one_short_line_of_text(void **state)
{
	char command[ACCOUNT_COMMAND_LEN], word[300];
	unsigned random = 1;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		size_t len = round % sizeof(word);

		for (size_t i = 0; i < len; i++) {
			random = random * 1103515245 + 12345;
			word[i] = round % 3 ? (char)(random >> 16) : "'\\\n\xc3"[random >> 16 & 3];
		}
		account_command(&(struct msg_exec_request){.cmd = {word, len}}, command);
		len = strlen(command);
		assert_true(len && len < sizeof(command));
		assert_true(utf8_valid(command, len));
		for (size_t i = 0; i < len; i++)
			assert_true((unsigned char)command[i] >= ' ' && command[i] != 0x7f);
	}
}

/* ---- the lines ---- */

static void the_beginning_says_who_and_what(void **state)
{
	struct account_begin begin = {
		.number = 7,
		.owner = {.kind = OWNER_USER, .number = 1000, .way = OWNER_BY_UNIX, .pid = 42},
		.id = 3,
		.as_known = true,
		.uid = 33,
		.gid = 34,
		.leader = 4711,
		.tty = true,
		.kept = "0123456789ab",
		.command = "id -u",
	};
	struct account account;

	(void)state;
	account_of_begin(&account, &begin);
	assert_string_equal(account.line,
			    "session 7 begins: from=unix uid=1000 pid=42 id=3 as=33:34 leader=4711 "
			    "tty=yes kept=0123456789ab command=id -u");
	assert_string_equal(account.fields[0].value, "begins");
	assert_string_equal(account.fields[1].key, "session");
	assert_string_equal(account.fields[account.count - 1].key, "command");
	assert_string_equal(account.fields[account.count - 1].value, "id -u");
	begin.owner =
		(struct owner){.kind = OWNER_HOST, .way = OWNER_BY_VSOCK, .cid = 2, .port = 1025};
	begin.as_known = begin.tty = false;
	begin.leader = 0;
	begin.kept = "";
	account_of_begin(&account, &begin);
	assert_string_equal(account.line,
			    "session 7 begins: from=vsock cid=2 port=1025 id=3 command=id -u");
	begin.owner = (struct owner){.kind = OWNER_RELAYED, .number = 1000, .way = OWNER_BY_SERIAL};
	account_of_begin(&account, &begin);
	assert_string_equal(account.line,
			    "session 7 begins: from=serial for_uid=1000 id=3 command=id -u");
	begin.owner = (struct owner){.kind = OWNER_HOST};
	account_of_begin(&account, &begin);
	assert_string_equal(account.line, "session 7 begins: from=stdio id=3 command=id -u");
}

static void assert_end(const struct account_end *end, const char *want)
{
	struct account account;

	account_of_end(&account, end);
	assert_string_equal(account.line, want);
}

static void the_end_says_how_and_why(void **state)
{
	struct account_end end = {.number = 7, .code = 3, .kept = "", .ms = 12, .out = 1ULL << 40};

	(void)state;
	assert_end(&end, "session 7 ends: how=exited code=3 ms=12 in=0 out=1099511627776 err=0");
	end = (struct account_end){
		.number = 7, .how = ACCOUNT_KILLED, .signal = 9, .kept = "", .oom_killed = true};
	assert_end(&end,
		   "session 7 ends: how=killed signal=KILL because=oom ms=0 in=0 out=0 err=0");
	end.signal = 40;
	end.core_dumped = true;
	end.oom_killed = false;
	end.client_lost = true;
	end.kept = "0123456789ab";
	assert_end(&end, "session 7 ends: how=killed signal=40 core=yes because=client_lost "
			 "kept=0123456789ab ms=0 in=0 out=0 err=0");
	end = (struct account_end){.number = 7,
				   .how = ACCOUNT_FAILED,
				   .kept = "",
				   .why = "no \"a\x1b\n\xc2\x9b\xff\": No such file"};
	assert_end(&end, "session 7 ends: how=failed ms=0 in=0 out=0 err=0 "
			 "why=no \"a\\x1b\\n\\u009b\\xff\": No such file");
}

static void of_several_reasons_one_is_said(void **state)
{
	struct account_end end = {.how = ACCOUNT_LEFT,
				  .kept = "",
				  .timed_out = true,
				  .overdue = true,
				  .shutdown = true};

	(void)state;
	assert_end(&end, "session 0 ends: how=left because=max_time ms=0 in=0 out=0 err=0");
	end.overdue = false;
	assert_end(&end, "session 0 ends: how=left because=timeout ms=0 in=0 out=0 err=0");
	end.timed_out = false;
	assert_end(&end, "session 0 ends: how=left because=shutdown ms=0 in=0 out=0 err=0");
}

/* The longest of all: nothing of a line is cut by the log. */
static void the_longest_line_fits(void **state)
{
	char why[2000], command[ACCOUNT_COMMAND_LEN];
	struct account account;
	struct account_end end = {.number = UINT64_MAX,
				  .how = ACCOUNT_FAILED,
				  .kept = "0123456789ab",
				  .why = why,
				  .client_lost = true,
				  .ms = UINT64_MAX,
				  .in = UINT64_MAX,
				  .out = UINT64_MAX,
				  .err = UINT64_MAX};

	(void)state;
	memset(why, 'y', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	account_of_end(&account, &end);
	assert_true(account.line_len < LOG_LINE_MAX - 60);
	assert_int_equal(account.line_len, strlen(account.line));
	assert_string_equal(account.fields[account.count - 1].key, "why");
	memset(command, 'x', sizeof(command) - 1);
	command[sizeof(command) - 1] = '\0';
	account_of_begin(&account, &(struct account_begin){.number = UINT64_MAX,
							   .owner = {.kind = OWNER_RELAYED,
								     .number = UINT32_MAX,
								     .way = OWNER_BY_VSOCK,
								     .cid = UINT32_MAX,
								     .port = UINT32_MAX},
							   .id = UINT32_MAX,
							   .as_known = true,
							   .uid = UINT32_MAX,
							   .gid = UINT32_MAX,
							   .leader = INT32_MAX,
							   .tty = true,
							   .kept = "0123456789ab",
							   .command = command});
	assert_true(account.line_len < LOG_LINE_MAX - 60);
	assert_string_equal(account.fields[account.count - 1].value, command);
}

/* ---- which sessions have them ---- */

static const struct msg_exec_request request = {.cmd = {(char *)"x", 1}};

/* One that fails at once. */
static uint64_t run_one(struct ledger *ledger, const struct owner *owner)
{
	struct ledger_note note;

	ledger_open(ledger, owner, &request, &note);
	ledger_fails(&note, owner, 1, "no");
	return note.entry.number;
}

static void each_session_has_two_lines_and_its_number(void **state)
{
	struct owner owner = {.kind = OWNER_USER, .number = 1, .way = OWNER_BY_UNIX};
	struct account_end end = {.how = ACCOUNT_EXITED};
	struct ledger_note note;
	struct ledger ledger;
	struct loop loop = {.epoll_fd = -1};

	(void)state;
	ledger_init(&ledger, &loop);
	assert_int_equal(run_one(&ledger, &owner), 1);
	assert_int_equal(said.count, 2);
	assert_string_equal(said.line, "session 1 ends: how=failed ms=0 in=0 out=0 err=0 why=no");
	ledger_open(&ledger, &owner, &request, &note);
	ledger_keeps(&note.entry, "0123456789ab");
	ledger_ends(&note.entry, &end);
	assert_string_equal(said.line, "session 2 ends: how=exited code=0 kept=0123456789ab ms=0 "
				       "in=0 out=0 err=0");
	/* Once. */
	ledger_ends(&note.entry, &end);
	assert_int_equal(said.count, 3);
}

static void who_begins_too_many_has_them_counted(void **state)
{
	struct owner one = {.kind = OWNER_USER, .number = 1}, other = {.kind = OWNER_USER};
	struct ledger ledger;
	struct loop loop = {.epoll_fd = -1};

	(void)state;
	ledger_init(&ledger, &loop);
	for (unsigned i = 0; i < 1000; i++)
		run_one(&ledger, &one);
	assert_int_equal(said.count, 2 * LEDGER_A_SECOND);
	/* Nobody else's are hidden by them. */
	run_one(&ledger, &other);
	assert_int_equal(said.count, 2 * LEDGER_A_SECOND + 2);
	assert_true(ledger.timer.armed);
	ledger.timer.armed = false;
	ledger.timer.on_due(&ledger.timer);
	assert_string_equal(said.event, "missing");
	assert_string_equal(said.line, "900 sessions are missing in this record: one client began "
				       "more than 100 within a second");
	said.now_ms += 1000;
	run_one(&ledger, &one);
	assert_string_equal(said.event, "ends");
	assert_int_equal(said.count, 2 * LEDGER_A_SECOND + 5);
	ledger_close(&ledger);
	assert_int_equal(said.count, 2 * LEDGER_A_SECOND + 5);
}

static void what_is_missing_is_said_at_the_daemons_end_too(void **state)
{
	struct owner owner = {.kind = OWNER_HOST};
	struct ledger ledger;
	struct loop loop = {.epoll_fd = -1};

	(void)state;
	ledger_init(&ledger, &loop);
	for (unsigned i = 0; i <= LEDGER_A_SECOND; i++)
		run_one(&ledger, &owner);
	ledger_close(&ledger);
	assert_string_equal(said.event, "missing");
	assert_false(ledger.timer.armed);
}

static void below_info_only_numbers_are_given(void **state)
{
	struct owner owner = {.kind = OWNER_HOST};
	struct ledger ledger;
	struct loop loop = {.epoll_fd = -1};

	(void)state;
	log_init("it", LOG_LEVEL_WARN);
	ledger_init(&ledger, &loop);
	for (unsigned i = 0; i <= LEDGER_A_SECOND; i++)
		run_one(&ledger, &owner);
	assert_int_equal(ledger.last, LEDGER_A_SECOND + 1);
	assert_int_equal(said.count, 0);
	assert_false(ledger.timer.armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_quoted_where_a_shell_wants_it),
		cmocka_unit_test(what_drives_a_terminal_is_escaped),
		cmocka_unit_test(a_cut_is_shown_and_closes_its_quotes),
		cmocka_unit_test(a_shell_is_no_word),
		cmocka_unit_test(whatever_comes_is_one_short_line_of_text),
		cmocka_unit_test(the_beginning_says_who_and_what),
		cmocka_unit_test(the_end_says_how_and_why),
		cmocka_unit_test(of_several_reasons_one_is_said),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test_setup(each_session_has_two_lines_and_its_number, set_up),
		cmocka_unit_test_setup(who_begins_too_many_has_them_counted, set_up),
		cmocka_unit_test_setup(what_is_missing_is_said_at_the_daemons_end_too, set_up),
		cmocka_unit_test_setup(below_info_only_numbers_are_given, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
