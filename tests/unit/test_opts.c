/* msb-exec's command line: what each option sets, where options end, and what is refused. */
#include "cli/options/opts.h"

#include <signal.h>

#include "unit.h"

#define ARGS_MAX 80

static int parse_line(const char *const *args, char **argv, struct opts *ret, struct err *err)
{
	int argc = 0;

	argv[argc++] = (char *)"msb-exec";
	for (; *args; args++)
		argv[argc++] = (char *)*args;
	argv[argc] = NULL;
	return opts_parse(argc, argv, OPTS_EXEC, ret, err);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The options of that line, which must be good. What they point at is good until the next call. */
static struct opts parse(const char *const *args)
{
	static char *argv[ARGS_MAX];
	struct err err = {.text = ""};
	struct opts opts;

	if (parse_line(args, argv, &opts, &err) < 0)
		fail_msg("%s: %s", args[0], err.text);
	return opts;
}

static void assert_refused(const char *const *args, const char *why)
{
	char *argv[ARGS_MAX];
	struct err err = {.text = ""};
	struct opts opts;

	if (parse_line(args, argv, &opts, &err) >= 0)
		fail_msg("took %s", args[0]);
	if (!strstr(err.text, why))
		fail_msg("%s: not \"%s\"", err.text, why);
	opts_release(&opts);
}

static void nothing_but_a_command_takes_the_defaults(void **state)
{
	struct opts o = parse(ARGS("ls", "-l"));

	(void)state;
	assert_null(o.endpoint);
	assert_int_equal(o.tty, OPTS_TTY_AUTO);
	assert_null(o.user);
	assert_null(o.workdir);
	assert_int_equal(o.env.count, 0);
	assert_int_equal(o.rlimit_count, 0);
	assert_int_equal(o.timeout_ms, 0);
	assert_int_equal(o.kill_after_ms, 5000);
	assert_int_equal(o.timeout_signal, SIGTERM);
	assert_int_equal(o.linger_ms, 500);
	assert_int_equal(o.on_disconnect, MSG_DISCONNECT_KILL);
	assert_int_equal(o.escape_char, '~');
	assert_int_equal(o.detach_keys.len, 3);
	assert_memory_equal(o.detach_keys.keys, "\x1d\x1d\x1d", 3);
	assert_false(o.no_stdin || o.ping || o.quiet || o.verbose || o.help || o.version);
	assert_int_equal(o.command_len, 2);
	assert_string_equal(o.command[0], "ls");
	assert_string_equal(o.command[1], "-l");
	assert_null(o.command[2]);
}

static void variable_holds_an_address_unless_it_is_empty(void **state)
{
	(void)state;
	setenv("MSB_EXEC_ENDPOINT", "", 1);
	assert_null(parse(ARGS("x")).endpoint);
	setenv("MSB_EXEC_ENDPOINT", "/usual", 1);
	assert_string_equal(parse(ARGS("x")).endpoint, "/usual");
	assert_string_equal(parse(ARGS("-S", "/own", "x")).endpoint, "/own");
	setenv("MSB_EXEC_ENDPOINT", "tcp:1", 1);
	assert_refused(ARGS("x"), "MSB_EXEC_ENDPOINT: tcp:1 is not an address");
	assert_string_equal(parse(ARGS("-S", "/own", "x")).endpoint, "/own");
	assert_true(parse(ARGS("--help")).help);
	unsetenv("MSB_EXEC_ENDPOINT");
}

static void no_command_is_a_login_shell(void **state)
{
	struct opts o = parse(ARGS("-q"));

	(void)state;
	assert_int_equal(o.command_len, 0);
	assert_null(o.command[0]);
	o = parse(ARGS("--"));
	assert_int_equal(o.command_len, 0);
}

static void options_end_at_the_first_operand(void **state)
{
	struct opts o = parse(ARGS("-q", "ls", "-v", "--", "--help"));

	(void)state;
	assert_true(o.quiet);
	assert_false(o.verbose || o.help);
	assert_int_equal(o.command_len, 4);
	assert_string_equal(o.command[1], "-v");
	assert_string_equal(o.command[2], "--");
	o = parse(ARGS("-q", "--", "-v", "x"));
	assert_false(o.verbose);
	assert_int_equal(o.command_len, 2);
	assert_string_equal(o.command[0], "-v");
	/* A lone dash is an operand, and so is an empty word. */
	o = parse(ARGS("-", "-q"));
	assert_string_equal(o.command[0], "-");
	assert_false(o.quiet);
	o = parse(ARGS("", "-q"));
	assert_int_equal(o.command_len, 2);
	assert_false(o.quiet);
}

static void values_may_be_attached_or_follow(void **state)
{
	const char *const *const lines[] = {
		ARGS("-u", "bob", "x"),	    ARGS("-ubob", "x"),
		ARGS("--user", "bob", "x"), ARGS("--user=bob", "x"),
		ARGS("--use=bob", "x"),	    ARGS("-qubob", "x"),
		ARGS("-qu", "bob", "x"),    ARGS("-u", "alice", "-u", "bob", "x"),
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lines); i++) {
		struct opts o = parse(lines[i]);

		assert_string_equal(o.user, "bob");
		assert_int_equal(o.command_len, 1);
	}
}

static void each_option_sets_its_own(void **state)
{
	struct opts o = parse(ARGS("-S", "unix:/s", "-w", "/w", "-u", "u:g", "--timeout", "1.5s",
				   "-k", "2m", "--signal", "int", "--linger", "7s",
				   "--on-disconnect", "hangup", "-n", "-v", "-i"));

	(void)state;
	assert_string_equal(o.endpoint, "unix:/s");
	assert_string_equal(o.workdir, "/w");
	assert_string_equal(o.user, "u:g");
	assert_int_equal(o.timeout_ms, 1500);
	assert_int_equal(o.kill_after_ms, 120000);
	assert_int_equal(o.timeout_signal, SIGINT);
	assert_int_equal(o.linger_ms, 7000);
	assert_int_equal(o.on_disconnect, MSG_DISCONNECT_HANGUP);
	assert_true(o.no_stdin && o.verbose);
	assert_false(o.ping || o.quiet || o.help || o.version);
	assert_int_equal(o.tty, OPTS_TTY_AUTO);
}

static void flags_set_their_own(void **state)
{
	(void)state;
	assert_true(parse(ARGS("--ping")).ping);
	assert_true(parse(ARGS("-q")).quiet);
	assert_true(parse(ARGS("--quiet")).quiet);
	assert_true(parse(ARGS("--verbose")).verbose);
	assert_true(parse(ARGS("-V")).version);
	assert_true(parse(ARGS("--version")).version);
	assert_true(parse(ARGS("-h")).help);
	assert_true(parse(ARGS("--help")).help);
	assert_true(parse(ARGS("--no-stdin")).no_stdin);
	assert_string_equal(parse(ARGS("--local")).endpoint, "local:");
	assert_string_equal(parse(ARGS("--local", "-S", "/s")).endpoint, "/s");
	assert_string_equal(parse(ARGS("-S", "/s", "--local")).endpoint, "local:");
}

static void terminal_is_asked_for_once_or_forced_by_twice(void **state)
{
	(void)state;
	assert_int_equal(parse(ARGS("-t")).tty, OPTS_TTY_IF_TERMINAL);
	assert_int_equal(parse(ARGS("--tty")).tty, OPTS_TTY_IF_TERMINAL);
	assert_int_equal(parse(ARGS("-it")).tty, OPTS_TTY_IF_TERMINAL);
	assert_int_equal(parse(ARGS("-tt")).tty, OPTS_TTY_FORCED);
	assert_int_equal(parse(ARGS("-t", "--tty")).tty, OPTS_TTY_FORCED);
	assert_int_equal(parse(ARGS("-ttt")).tty, OPTS_TTY_FORCED);
	assert_int_equal(parse(ARGS("-T")).tty, OPTS_TTY_NEVER);
	assert_int_equal(parse(ARGS("-tT")).tty, OPTS_TTY_NEVER);
	assert_int_equal(parse(ARGS("-Tt")).tty, OPTS_TTY_IF_TERMINAL);
	assert_int_equal(parse(ARGS("-ttT")).tty, OPTS_TTY_NEVER);
}

static void each_way_to_disconnect_is_known(void **state)
{
	(void)state;
	assert_int_equal(parse(ARGS("--on-disconnect=keep")).on_disconnect, MSG_DISCONNECT_KEEP);
	assert_int_equal(parse(ARGS("--escape-char=none")).escape_char, ESCAPE_OFF);
	assert_int_equal(parse(ARGS("--detach-keys", "")).detach_keys.len, 0);
	assert_int_equal(parse(ARGS("--detach-k=ctrl-a,b")).detach_keys.len, 2);
	assert_refused(ARGS("--det=ctrl-a,b"), "--det may be several options");
	assert_int_equal(parse(ARGS("--on-disconnect=hangup")).on_disconnect,
			 MSG_DISCONNECT_HANGUP);
	assert_int_equal(parse(ARGS("--on-disconnect=keep", "--on-disconnect=kill")).on_disconnect,
			 MSG_DISCONNECT_KILL);
}

static void environment_grows_in_order(void **state)
{
	struct opts o;

	(void)state;
	setenv("MSB_UNIT_SET", "host", 1);
	unsetenv("MSB_UNIT_UNSET");
	o = parse(ARGS("-e", "A=1", "--env=B", "-eMSB_UNIT_SET", "-e", "MSB_UNIT_UNSET", "-e",
		       "A=2", "--env-file", "/dev/null", "--env", "C="));
	assert_int_equal(o.env.count, 4);
	assert_string_equal(o.env.entries[0], "A=1");
	assert_string_equal(o.env.entries[1], "MSB_UNIT_SET=host");
	assert_string_equal(o.env.entries[2], "A=2");
	assert_string_equal(o.env.entries[3], "C=");
	opts_release(&o);
	assert_int_equal(o.env.count, 0);
}

static void of_limits_for_one_resource_the_last_counts(void **state)
{
	struct opts o;

	(void)state;
	o = parse(ARGS("--rlimit", "nofile=5:6", "--rlimit", "core=0", "--rlimit", "NOFILE=7"));
	assert_int_equal(o.rlimit_count, 2);
	assert_int_equal(o.rlimits[0].soft, 7);
	assert_int_equal(o.rlimits[0].hard, 7);
	assert_int_equal(o.rlimits[1].soft, 0);
}

static void durations_may_be_zero_and_infinite(void **state)
{
	(void)state;
	assert_int_equal(parse(ARGS("--timeout=0")).timeout_ms, 0);
	assert_int_equal(parse(ARGS("-k0")).kill_after_ms, 0);
	assert_int_equal(parse(ARGS("--linger=0")).linger_ms, 0);
	assert_true(parse(ARGS("--linger=inf")).linger_ms == DURATION_INFINITE);
	assert_int_equal(parse(ARGS("--timeout=5", "--timeout=inf")).timeout_ms, 0);
	assert_int_equal(parse(ARGS("-k", "inf")).kill_after_ms, 0);
	assert_int_equal(parse(ARGS("--timeout=1e-1")).timeout_ms, 100);
}

static void value_that_is_wrong_is_refused(void **state)
{
	(void)state;
	assert_refused(ARGS("--timeout", "soon", "x"), "soon");
	assert_refused(ARGS("--timeout", "", "x"), "duration");
	assert_refused(ARGS("--signal", "FOO", "x"), "FOO");
	assert_refused(ARGS("--rlimit", "nofile", "x"), "nofile");
	assert_refused(ARGS("--on-disconnect", "die", "x"), "die");
	assert_refused(ARGS("--on-disconnect", "", "x"), "--on-disconnect");
	assert_refused(ARGS("-e", "=1", "x"), "--env: no variable name");
	assert_refused(ARGS("-e", "A=1", "-e", "", "x"), "no variable name");
	assert_refused(ARGS("-e", "A B=1", "x"),
		       "--env: a variable name with a blank in it: \"A B\"");
	assert_refused(ARGS("--env-file", "/no/such", "x"), "--env-file: cannot read /no/such");
	assert_refused(ARGS("--wait-for", "x", "x"), "--wait-for: x is not a duration");
	assert_refused(ARGS("-k", "x", "x"), "--kill-after: x is not a duration");
	assert_refused(ARGS("-S", "tcp:1", "x"), "--socket: tcp:1 is not an address");
	assert_refused(ARGS("-s", "a/b", "x"), "--sandbox: ");
	assert_refused(ARGS("--ping", "x"), "--ping");
}

static void detach_keeps_the_session_which_may_have_a_name(void **state)
{
	struct opts o = parse(ARGS("-d", "--name", "build-1.x_y", "make"));

	(void)state;
	assert_true(o.detach);
	assert_string_equal(o.name, "build-1.x_y");
	assert_int_equal(o.on_disconnect, MSG_DISCONNECT_KEEP);
	assert_int_equal(o.action, OPTS_RUN);
	assert_int_equal(o.command_len, 1);
	assert_true(parse(ARGS("--detach", "--on-disconnect=keep", "x")).detach);
	assert_string_equal(parse(ARGS("--on-disconnect=keep", "--name=a", "x")).name, "a");
	assert_refused(ARGS("-d", "--on-disconnect=kill", "x"), "--on-disconnect is to end");
	assert_refused(ARGS("-d", "--on-disconnect=hangup", "x"), "--on-disconnect is to end");
	assert_refused(ARGS("-d", "--local", "x"), "--detach: a private agent ends");
	assert_refused(ARGS("-d", "-S", "local:", "x"), "--detach: a private agent ends");
	assert_refused(ARGS("-d", "--ping"), "--ping: not together with --detach");
	assert_refused(ARGS("--name=a", "x"), "--name is for --detach or --on-disconnect keep");
	assert_refused(ARGS("-d", "--name=", "x"), "--name:  is no name for a session");
	assert_refused(ARGS("-d", "--name=.a", "x"), "--name: .a is no name for a session");
	assert_refused(ARGS("-d", "--name=a b", "x"), "--name: a b is no name for a session");
	assert_refused(ARGS("-d", "--name=0123456789ab", "x"), "is no name for a session");
	assert_string_equal(parse(ARGS("-d", "--name=0123456789aB", "x")).name, "0123456789aB");
	assert_refused(ARGS("-d", "--name",
			    "a23456789a123456789b123456789c123456789d123456789e123456789f12345",
			    "x"),
		       "is longer than 64 bytes");
}

static void each_action_is_for_one_session(void **state)
{
	const struct {
		const char *option;
		enum opts_action action;
	} rows[] = {
		{"--attach", OPTS_ATTACH}, {"--wait", OPTS_WAIT}, {"--logs", OPTS_LOGS},
		{"--send", OPTS_SEND},	   {"--kill", OPTS_KILL}, {"--remove", OPTS_REMOVE},
	};
	char why[64];

	(void)state;
	assert_int_equal(parse(ARGS("true")).action, OPTS_RUN);
	assert_int_equal(parse(ARGS("--sessions")).action, OPTS_SESSIONS);
	assert_false(parse(ARGS("--sessions")).json);
	assert_true(parse(ARGS("--sessions", "--json")).json);
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct opts o = parse(ARGS(rows[i].option, "build"));

		assert_int_equal(o.action, rows[i].action);
		assert_string_equal(o.session, "build");
		assert_refused(ARGS(rows[i].option, ""), "no session has an empty name");
		assert_refused(ARGS(rows[i].option, "\xff"), "is not UTF-8");
		assert_refused(ARGS(rows[i].option, "a", rows[i].option, "b"),
			       "one session at a time");
		snprintf(why, sizeof(why), "--sessions: not together with %s", rows[i].option);
		assert_refused(ARGS(rows[i].option, "a", "--sessions"), why);
		snprintf(why, sizeof(why), "%s runs nothing, and so takes no command: ls",
			 rows[i].option);
		assert_refused(ARGS(rows[i].option, "a", "--", "ls"), why);
		snprintf(why, sizeof(why), "%s: a private agent ends with msb-exec",
			 rows[i].option);
		assert_refused(ARGS(rows[i].option, "a", "--local"), why);
		assert_refused(ARGS(rows[i].option, "a", "--ping"), "--ping: not together");
	}
}

static void what_belongs_to_others_is_refused_with_an_action(void **state)
{
	static const char *const of_start[] = {
		"--tty",	  "--no-tty",	"--user=u",
		"--workdir=/",	  "--env=A=1",	"-d",
		"--timeout=1",	  "--linger=1", "--on-disconnect=keep",
		"--name=n",	  "-k1",	"-t",
		"--rlimit=as=1G", "--merge",	"--no-merge"};
	static const char *const of_others[][2] = {
		{"--watch", "--watch is for --attach"},
		{"--since=5", "--since is for --attach or --logs"},
		{"--eof", "--eof is for --send"},
		{"--signal=INT", "--signal is for --kill, not for --wait"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(of_start); i++)
		assert_refused(ARGS("--attach=a", of_start[i]),
			       " belongs to the start of a session, not to --attach");
	for (size_t i = 0; i < UNIT_COUNT(of_others); i++)
		assert_refused(ARGS("--wait=a", of_others[i][0]), of_others[i][1]);
	assert_refused(ARGS("--send=a", "--json"), "--json is for a command, --attach, --wait, ");
	assert_refused(ARGS("--ping", "--result=x"), "--result is for a command, --attach, ");
	assert_refused(ARGS("--sessions", "--usage"), "--usage is for a command, --attach or");
	assert_refused(ARGS("--kill=a", "--max-output=1K"), "--max-output is for a command, ");
	assert_refused(ARGS("--max-output=2G", "x"), "--max-output: 2G is more than 1G");
	assert_refused(ARGS("--since=1", "x"), "--since is for --attach or --logs");
	assert_refused(ARGS("--send=a", "-n"), "--no-stdin leaves it alone");
	assert_true(parse(ARGS("--attach=a", "-n", "-i")).no_stdin);
	assert_true(parse(ARGS("--attach=a", "--watch")).watch);
	assert_true(parse(ARGS("--send=a", "--eof")).send_eof);
	assert_int_equal(parse(ARGS("--kill=a")).timeout_signal, SIGTERM);
	assert_int_equal(parse(ARGS("--kill=a", "--signal=9")).timeout_signal, SIGKILL);
	assert_refused(ARGS("--kill=a", "--signal=34"),
		       "34 is not a signal that can be sent: it is a real-time one");
	assert_refused(ARGS("--kill=a", "--signal=RTMIN+1"),
		       "RTMIN+1 is not a signal that can be sent: it is a real-time one");
	assert_refused(ARGS("--kill=a", "--signal=65"), "65 is not a signal");
}

static void line_is_for_a_shell_and_operands_are_its_own(void **state)
{
	struct opts o = parse(ARGS("-c", "a  line", "zero", "-q"));

	(void)state;
	assert_string_equal(o.line, "a  line");
	assert_int_equal(o.command_len, 2);
	assert_string_equal(o.command[1], "-q");
	assert_false(o.login || o.user_shell || o.quiet);
	o = parse(ARGS("--login", "-c", ""));
	assert_string_equal(o.line, "");
	assert_true(o.login);
	assert_int_equal(o.command_len, 0);
	assert_true(parse(ARGS("--login")).login);
	assert_refused(ARGS("--login", "ls"),
		       "--login is for a line of -c, and not for a command: ls");
	assert_refused(ARGS("--attach=a", "-c", "x"),
		       "--command belongs to the start of a session");
	assert_refused(ARGS("--kill=a", "--login"), "--login belongs to the start of a session");
	assert_refused(ARGS("--ping", "-c", "x"),
		       "--ping runs nothing, and so takes no command: x");
	assert_refused(ARGS("-c", "\xff"), "--command is not UTF-8");
}

static void behind_rsh_another_language_begins(void **state)
{
	struct opts o = parse(ARGS("-q", "-u", "ann", "-w", "/w", "--rsh", "-l", "bob", "-x",
				   "unix:/s", "-t", "ls", "-c", "--login"));

	(void)state;
	assert_true(o.quiet && o.user_shell);
	assert_string_equal(o.endpoint, "unix:/s");
	assert_string_equal(o.endpoint_from, "--rsh");
	assert_string_equal(o.user, "bob");
	assert_string_equal(o.workdir, "/w");
	assert_string_equal(o.line, "ls -c --login");
	assert_int_equal(o.tty, OPTS_TTY_IF_TERMINAL);
	assert_int_equal(o.command_len, 0);
	assert_null(o.command[0]);
	opts_release(&o);
	/* Who has said which agent it is has said it. */
	o = parse(ARGS("-S", "unix:/own", "--rsh", "nosuch", "ls"));
	assert_string_equal(o.endpoint, "unix:/own");
	opts_release(&o);
	/* A variable does not count, which may be of another guest. */
	setenv("MSB_EXEC_ENDPOINT", "unix:/usual", 1);
	o = parse(ARGS("--rsh", "unix:/s"));
	assert_string_equal(o.endpoint, "unix:/s");
	assert_null(o.line);
	opts_release(&o);
	unsetenv("MSB_EXEC_ENDPOINT");
	assert_refused(ARGS("--rsh"), "--rsh: no guest is named");
	assert_refused(ARGS("-c", "x", "--rsh", "unix:/s"), "-c and --rsh exclude each other");
	assert_refused(ARGS("--attach=a", "--rsh", "unix:/s"), "--rsh belongs to the start");
	assert_refused(ARGS("--rsh", "unix:/s", "\xff"), "the line of --rsh is not UTF-8");
	assert_true(parse(ARGS("--help", "--rsh")).help);
}

static void console_is_not_asked_for_behind_rsh(void **state)
{
	char *console[] = {(char *)"msb-exec", (char *)"-q", (char *)"--console", NULL};
	char *behind[] = {(char *)"msb-exec", (char *)"--rsh", (char *)"--console", NULL};
	char *named[] = {(char *)"/bin/msb-rsh", (char *)"--console", NULL};

	(void)state;
	assert_true(opts_want_console(3, console));
	assert_false(opts_want_console(3, behind));
	assert_false(opts_want_console(2, named));
}

static void whoever_is_called_msb_rsh_speaks_it(void **state)
{
	char *argv[] = {(char *)"/bin/msb-rsh", (char *)"-q", (char *)"bob@unix:/s", (char *)"ls",
			NULL};
	struct opts o;
	struct err err;

	(void)state;
	assert_int_equal(opts_parse(4, argv, OPTS_EXEC, &o, &err), 0);
	assert_string_equal(o.endpoint, "unix:/s");
	assert_string_equal(o.user, "bob");
	assert_string_equal(o.line, "ls");
	assert_true(o.quiet);
	opts_release(&o);
}

static void output_is_wanted_since_a_byte(void **state)
{
	struct opts o = parse(ARGS("--attach=a"));

	(void)state;
	assert_false(o.has_since);
	o = parse(ARGS("--attach=a", "--since", "0"));
	assert_true(o.has_since && o.since == 0);
	o = parse(ARGS("--logs=a", "--since", "18446744073709551615"));
	assert_true(o.has_since && o.since == UINT64_MAX);
	assert_refused(ARGS("--logs=a", "--since=18446744073709551616"), "not a number of bytes");
	assert_refused(ARGS("--logs=a", "--since=-1"), "--since: -1 is not a number of bytes");
	assert_refused(ARGS("--logs=a", "--since=1k"), "1k is not a number of bytes");
	assert_refused(ARGS("--logs=a", "--since="), "is not a number of bytes");
}

static void coming_back_may_take_any_time_or_none(void **state)
{
	struct opts o = parse(ARGS("--attach=a"));

	(void)state;
	assert_false(o.has_reconnect);
	o = parse(ARGS("--attach=a", "--reconnect=0"));
	assert_true(o.has_reconnect && o.reconnect_ms == 0);
	o = parse(ARGS("--on-disconnect=keep", "--reconnect=inf", "x"));
	assert_true(o.has_reconnect && o.reconnect_ms == DURATION_INFINITE);
	assert_int_equal(parse(ARGS("--wait=a", "--reconnect=5m")).reconnect_ms, 300000);
	assert_refused(ARGS("--reconnect=1m", "x"), "--reconnect is for a session that is kept");
	assert_true(parse(ARGS("--reconnect=0", "x")).has_reconnect);
	assert_refused(ARGS("--attach=a", "--reconnect=x"), "--reconnect: x is not a duration");
}

static int parse_console(char *const *args, struct opts *ret, struct err *err)
{
	char *argv[ARGS_MAX] = {(char *)"msb-exec-console"};
	int argc = 1;

	for (; *args; args++)
		argv[argc++] = *args;
	return opts_parse(argc, argv, OPTS_CONSOLE, ret, err);
}

static void console_comes_back_to_a_shell_that_is_kept(void **state)
{
	char five[] = "--reconnect=5s", none[] = "--reconnect=0", kill[] = "--on-disconnect=kill",
	     keep[] = "--on-disconnect=keep";
	struct opts o;
	struct err err;

	(void)state;
	assert_int_equal(parse_console((char *[]){five, NULL}, &o, &err), 0);
	assert_true(o.has_reconnect && o.reconnect_ms == 5000 && !o.has_on_disconnect);
	assert_int_equal(parse_console((char *[]){five, keep, NULL}, &o, &err), 0);
	assert_true(o.has_on_disconnect && o.on_disconnect == MSG_DISCONNECT_KEEP);
	assert_int_equal(parse_console((char *[]){none, kill, NULL}, &o, &err), 0);
	assert_true(parse_console((char *[]){five, kill, NULL}, &o, &err) < 0);
	assert_non_null(strstr(err.text, "--reconnect is for a shell that is kept"));
}

static void option_that_is_not_known_is_refused_by_name(void **state)
{
	(void)state;
	assert_refused(ARGS("-x", "ls"), "-x");
	assert_refused(ARGS("-qx", "ls"), "-x");
	assert_refused(ARGS("--nope", "ls"), "--nope");
	assert_refused(ARGS("--nope=1", "ls"), "--nope");
	assert_refused(ARGS("--no", "ls"), "--no");
	assert_refused(ARGS("--en=A=1", "ls"), "--en");
	assert_refused(ARGS("--se=a"), "--se may be several options");
	assert_refused(ARGS("--at", "a"), "--at is short for --attach");
	assert_refused(ARGS("--kil=a"), "--kil may be several options");
	assert_refused(ARGS("--ping=1", "ls"), "--ping");
	assert_refused(ARGS("--tty=yes", "ls"), "--tty");
}

static void value_that_is_missing_is_asked_for(void **state)
{
	(void)state;
	assert_refused(ARGS("-u"), "-u needs a value");
	assert_refused(ARGS("-q", "-S"), "-S needs a value");
	assert_refused(ARGS("-qu"), "-u needs a value");
	assert_refused(ARGS("--user"), "--user needs a value");
	assert_refused(ARGS("--timeout"), "--timeout needs a value");
}

static void text_that_is_not_utf8_is_refused_and_named(void **state)
{
	(void)state;
	assert_refused(ARGS("\xff"), "the command is not UTF-8");
	assert_refused(ARGS("x", "a", "b\xff"), "argument 2 is not UTF-8");
	assert_refused(ARGS("-u", "\xc0\xaf", "x"), "--user is not UTF-8");
	assert_refused(ARGS("-w", "/\xed\xa0\x80", "x"), "--workdir is not UTF-8");
	assert_refused(ARGS("-e", "A=1", "-e", "BAD=\xe9", "x"),
		       "environment variable BAD is not UTF-8");
	assert_int_equal(parse(ARGS("\xc3\xa9", "\xf0\x9f\x98\x80")).command_len, 2);
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {
		"-S, --socket ENDPOINT",
		"--local",
		"-t, --tty",
		"-T, --no-tty",
		"-i, --interactive",
		"-n, --no-stdin",
		"-u, --user",
		"-w, --workdir",
		"-e, --env NAME",
		"--env-file",
		"--rlimit NAME",
		"--timeout DURATION",
		"-k, --kill-after",
		"--signal SIGNAL",
		"--linger",
		"--on-disconnect",
		"-d, --detach",
		"--name NAME",
		"--reconnect DURATION",
		"--sessions",
		"--json",
		"--attach ID",
		"--watch",
		"--since BYTE",
		"--wait ID",
		"--logs ID",
		"--send ID",
		"--eof",
		"--kill ID",
		"--remove ID",
		"--ping",
		"-q, --quiet",
		"-v, --verbose",
		"-V, --version",
		"-h, --help",
	};
	size_t len = 0;
	char *text = NULL;
	FILE *old = stdout, *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	stdout = out;
	opts_help();
	stdout = old;
	fclose(out);
	for (size_t i = 0; i < UNIT_COUNT(names); i++)
		if (!strstr(text, names[i]))
			fail_msg("the help lacks %s", names[i]);
	free(text);
}

int main(void)
{
	const struct CMUnitTest opts_tests[] = {
		cmocka_unit_test(nothing_but_a_command_takes_the_defaults),
		cmocka_unit_test(variable_holds_an_address_unless_it_is_empty),
		cmocka_unit_test(no_command_is_a_login_shell),
		cmocka_unit_test(options_end_at_the_first_operand),
		cmocka_unit_test(values_may_be_attached_or_follow),
		cmocka_unit_test(each_option_sets_its_own),
		cmocka_unit_test(flags_set_their_own),
		cmocka_unit_test(terminal_is_asked_for_once_or_forced_by_twice),
		cmocka_unit_test(each_way_to_disconnect_is_known),
		cmocka_unit_test(environment_grows_in_order),
		cmocka_unit_test(of_limits_for_one_resource_the_last_counts),
		cmocka_unit_test(durations_may_be_zero_and_infinite),
		cmocka_unit_test(value_that_is_wrong_is_refused),
		cmocka_unit_test(detach_keeps_the_session_which_may_have_a_name),
		cmocka_unit_test(each_action_is_for_one_session),
		cmocka_unit_test(what_belongs_to_others_is_refused_with_an_action),
		cmocka_unit_test(line_is_for_a_shell_and_operands_are_its_own),
		cmocka_unit_test(behind_rsh_another_language_begins),
		cmocka_unit_test(console_is_not_asked_for_behind_rsh),
		cmocka_unit_test(whoever_is_called_msb_rsh_speaks_it),
		cmocka_unit_test(output_is_wanted_since_a_byte),
		cmocka_unit_test(coming_back_may_take_any_time_or_none),
		cmocka_unit_test(console_comes_back_to_a_shell_that_is_kept),
		cmocka_unit_test(option_that_is_not_known_is_refused_by_name),
		cmocka_unit_test(value_that_is_missing_is_asked_for),
		cmocka_unit_test(text_that_is_not_utf8_is_refused_and_named),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(opts_tests, NULL, NULL);
}
