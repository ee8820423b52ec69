/* What stands behind --rsh, as tools call rsh and ssh: options, a guest, words. */
#include "cli/options/rsh.h"

#include "shared/duration.h"
#include "unit.h"

#define WORDS_MAX  32
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int parse_line(const char *const *words, struct rsh *ret, struct err *err)
{
	char *argv[WORDS_MAX];
	int argc = 0;

	for (; words[argc]; argc++)
		argv[argc] = (char *)words[argc];
	argv[argc] = NULL;
	*err = (struct err){.text = ""};
	return rsh_parse(argc, argv, ret, err);
}

/* What that says, which must be good; to be released. */
static struct rsh parse(const char *const *words)
{
	struct rsh rsh;
	struct err err;

	if (parse_line(words, &rsh, &err) < 0)
		fail_msg("%s: %s", words[0], err.text);
	return rsh;
}

static void assert_refused(const char *const *words, const char *why)
{
	struct rsh rsh;
	struct err err;

	if (parse_line(words, &rsh, &err) >= 0)
		fail_msg("took %s", words[0]);
	if (!strstr(err.text, why))
		fail_msg("%s: not \"%s\"", err.text, why);
	if (strchr(err.text, '\n'))
		fail_msg("more than a line: %s", err.text);
	rsh_release(&rsh);
}

/* line NULL: none. */
static void assert_says(const char *const *words, const char *user, const char *guest,
			const char *line)
{
	struct rsh rsh = parse(words);

	assert_string_equal(rsh.guest, guest);
	if (user)
		assert_string_equal(rsh.user, user);
	else
		assert_null(rsh.user);
	if (line)
		assert_string_equal(rsh.line, line);
	else
		assert_null(rsh.line);
	rsh_release(&rsh);
}

static void words_are_joined_by_blanks(void **state)
{
	(void)state;
	assert_says(WORDS("web"), NULL, "web", NULL);
	assert_says(WORDS("web", "ls"), NULL, "web", "ls");
	assert_says(WORDS("web", "ls", "-l", "a  b", "", "'c d'"), NULL, "web",
		    "ls -l a  b  'c d'");
	assert_says(WORDS("web", ""), NULL, "web", "");
}

static void options_stand_before_and_behind_the_guest(void **state)
{
	const char *const *const lines[] = {
		WORDS("-l", "bob", "web", "ls", "-l"),
		WORDS("-lbob", "web", "ls", "-l"),
		WORDS("web", "-l", "bob", "ls", "-l"),
		WORDS("-xql", "bob", "web", "ls", "-l"),
		WORDS("-l", "bob", "--", "web", "ls -l"),
		WORDS("web", "-lbob", "--", "ls", "-l"),
		WORDS("-x", "-lbob", "--", "web", "ls", "-l"),
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lines); i++)
		assert_says(lines[i], "bob", "web", "ls -l");
	/* From the first word on all are words. */
	assert_says(WORDS("web", "ls", "--", "-l", "bob"), NULL, "web", "ls -- -l bob");
	assert_says(WORDS("web", "--", "--", "x"), NULL, "web", "-- x");
	/* And, as ssh has it, behind a guest that a -- stands before. */
	assert_says(WORDS("-x", "--", "web", "-lbob", "--", "ls"), NULL, "web", "-lbob -- ls");
}

static void user_is_the_first_that_is_named(void **state)
{
	(void)state;
	assert_says(WORDS("bob@web", "ls"), "bob", "web", "ls");
	assert_says(WORDS("-l", "ann", "bob@web"), "ann", "web", NULL);
	assert_says(WORDS("bob@web", "-l", "ann"), "bob", "web", NULL);
	assert_says(WORDS("-oUser=ann", "bob@web"), "ann", "web", NULL);
	assert_says(WORDS("-o", "User=\"ann\"", "web"), "ann", "web", NULL);
	/* What belongs to an address names nobody. */
	assert_says(WORDS("bob@corp@web"), "bob@corp", "web", NULL);
	assert_says(WORDS("unix:@sock"), NULL, "unix:@sock", NULL);
	assert_says(WORDS("bob@unix:@sock"), "bob", "unix:@sock", NULL);
	assert_says(WORDS("/run/a@b"), NULL, "/run/a@b", NULL);
	assert_says(WORDS("hvsock:/a@b:1"), NULL, "hvsock:/a@b:1", NULL);
	/* Of a submodule's address, say, which git takes apart and passes on. */
	assert_refused(WORDS("exec:touch x", "git-upload-pack"),
		       "not named by a command: exec:touch x");
	assert_refused(WORDS("bob@exec:touch x"), "not named by a command: exec:touch x");
	assert_refused(WORDS("bob@"), "bob@ names no guest");
	assert_refused(WORDS(""), "\"\" names no guest");
	assert_refused(WORDS("ssh://web"), "ssh://web is not an address");
	assert_refused(WORDS("-x"), "no guest is named");
}

static void terminal_is_said_once_twice_or_not(void **state)
{
	const struct {
		const char *words[6];
		enum rsh_tty tty;
	} cases[] = {
		{{"w"}, RSH_TTY_UNSAID},
		{{"-t", "w", "x"}, RSH_TTY_IF_TERMINAL},
		{{"-tt", "w", "x"}, RSH_TTY_FORCED},
		{{"-t", "w", "-t", "x"}, RSH_TTY_FORCED},
		{{"-tT", "w", "x"}, RSH_TTY_NEVER},
		{{"-oRequestTTY=no", "w"}, RSH_TTY_NEVER},
		{{"-oRequestTTY=yes", "w", "x"}, RSH_TTY_IF_TERMINAL},
		{{"-o", "requesttty force", "w", "x"}, RSH_TTY_FORCED},
		{{"-o", "RequestTTY = auto", "w", "x"}, RSH_TTY_AUTO},
		{{"-T", "-oRequestTTY=yes", "w", "x"}, RSH_TTY_NEVER},
		{{"-oRequestTTY=no", "-tt", "w", "x"}, RSH_TTY_FORCED},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct rsh rsh = parse(cases[i].words);

		if (rsh.tty != cases[i].tty)
			fail_msg("%s: %d", cases[i].words[0], rsh.tty);
		rsh_release(&rsh);
	}
	assert_refused(WORDS("-oRequestTTY=perhaps", "w"), "RequestTTY does not know perhaps");
}

static void flags_set_their_own(void **state)
{
	struct rsh rsh = parse(WORDS("-nqv", "-E", "log", "web", "-G"));

	(void)state;
	assert_true(rsh.no_stdin && rsh.quiet && rsh.verbose && rsh.describes);
	assert_string_equal(rsh.log_file, "log");
	rsh_release(&rsh);
	rsh = parse(WORDS("-V"));
	assert_true(rsh.version);
	rsh_release(&rsh);
	rsh = parse(WORDS("-oStdinNull=yes", "w"));
	assert_true(rsh.no_stdin);
	rsh_release(&rsh);
}

static void times_and_the_escape_character_are_honoured(void **state)
{
	struct rsh rsh =
		parse(WORDS("-oConnectTimeout=7", "-oServerAliveInterval=30", "-e", "none", "web"));

	(void)state;
	assert_true(rsh.has_connect_ms && rsh.has_keepalive_ms && rsh.has_escape_char);
	assert_int_equal(rsh.connect_ms, 7000);
	assert_int_equal(rsh.keepalive_ms, 30000);
	assert_int_equal(rsh.escape_char, ESCAPE_OFF);
	rsh_release(&rsh);
	rsh = parse(
		WORDS("-oConnectTimeout=none", "-oServerAliveInterval=0", "-oEscapeChar=^A", "w"));
	assert_false(rsh.has_connect_ms);
	assert_int_equal(rsh.keepalive_ms, 0);
	assert_int_equal(rsh.escape_char, 1);
	rsh_release(&rsh);
	assert_refused(WORDS("-oConnectTimeout=soon", "w"), "ConnectTimeout: ");
	assert_refused(WORDS("-e", "ab", "w"), "the escape character: ab is not");
}

static void variables_are_sent_and_set(void **state)
{
	struct rsh rsh;

	(void)state;
	setenv("MSB_UNIT_A", "a value", 1);
	setenv("MSB_UNIT_B", "", 1);
	rsh = parse(WORDS("-oSendEnv=MSB_UNIT_A", "web"));
	assert_int_equal(rsh.env.count, 1);
	assert_string_equal(rsh.env.entries[0], "MSB_UNIT_A=a value");
	rsh_release(&rsh);
	rsh = parse(WORDS("-o", "SendEnv MSB_UNIT_? MSB_UNIT_NOT*", "web"));
	assert_int_equal(rsh.env.count, 2);
	rsh_release(&rsh);
	rsh = parse(WORDS("-oSetEnv=A=1 B=\"2 3\" \"C=4 5\" D=", "web"));
	assert_int_equal(rsh.env.count, 4);
	assert_string_equal(rsh.env.entries[1], "B=2 3");
	assert_string_equal(rsh.env.entries[2], "C=4 5");
	assert_string_equal(rsh.env.entries[3], "D=");
	rsh_release(&rsh);
	unsetenv("MSB_UNIT_A");
	unsetenv("MSB_UNIT_B");
	assert_refused(WORDS("-oSetEnv=NAME", "web"), "SetEnv does not know NAME");
	assert_refused(WORDS("-oSendEnv=-LC_*", "web"), "SendEnv does not know -LC_*");
}

static void what_tools_always_say_is_taken(void **state)
{
	const char *const *const lines[] = {
		/* scp, in both of its ways */
		WORDS("-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes",
		      "-oRemoteCommand=none", "-oRequestTTY=no", "-oForwardAgent=no", "-p", "22",
		      "-l", "bob", "--", "web", "scp -t x"),
		WORDS("-oForwardX11 no", "-oPermitLocalCommand no", "-oClearAllForwardings yes",
		      "-lbob", "-2", "web", "scp -t x"),
		/* sshfs, and others */
		WORDS("-x", "-a", "-oClearAllForwardings=yes", "-2", "bob@web", "scp -t x"),
		WORDS("-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o",
		      "KbdInteractiveAuthentication=no", "-o",
		      "PreferredAuthentications=gssapi-with-mic,publickey", "-o",
		      "PasswordAuthentication=no", "-o", "User=\"bob\"", "-o", "ConnectTimeout=10",
		      "-o", "ControlPath=\"/a b/c\"", "-T", "web", "scp -t x"),
		WORDS("-46kF", "/dev/null", "-i", "key", "-c", "aes", "-m", "hmac", "-S", "none",
		      "-b", "addr", "-Bif", "-oPort=22", "-oBatchMode=yes", "-oLogLevel=quiet",
		      "bob@web", "scp -t x"),
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lines); i++)
		assert_says(lines[i], "bob", "web", "scp -t x");
}

static void what_is_not_done_is_refused_by_name(void **state)
{
	static const char *const flags[] = {"-A", "-f", "-g", "-K", "-M",
					    "-N", "-X", "-Y", "-y", "-Z"};
	static const char *const valued[] = {"-D", "-J", "-L", "-O", "-P", "-Q", "-R", "-w", "-W"};
	static const char *const settings[] = {
		"ForwardAgent=yes", "ProxyJump=x",	"ProxyCommand=nc x 1", "RemoteCommand=ls",
		"ForwardX11=yes",   "GatewayPorts=yes", "Tunnel=yes",	       "SessionType=none"};
	static const char *const unknown[] = {
		"LocalForward=1 x:2", "RemoteForward=1", "HostName=y", "DynamicForward=1",
		"LocalCommand=x",     "Nonsense=1",	 "=1",	       ""};
	char word[64];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(flags); i++) {
		snprintf(word, sizeof(word), "there is no %s behind it", flags[i]);
		assert_refused(WORDS(flags[i], "web", "x"), word);
	}
	for (size_t i = 0; i < UNIT_COUNT(valued); i++) {
		snprintf(word, sizeof(word), "there is no %s behind it", valued[i]);
		assert_refused(WORDS(valued[i], "v", "web", "x"), word);
	}
	for (size_t i = 0; i < UNIT_COUNT(settings); i++) {
		snprintf(word, sizeof(word), "there is no -o %s: ", settings[i]);
		assert_refused(WORDS("-o", settings[i], "web", "x"), word);
	}
	for (size_t i = 0; i < UNIT_COUNT(unknown); i++) {
		snprintf(word, sizeof(word), "there is no -o %s", unknown[i]);
		assert_refused(WORDS("-o", unknown[i], "web", "x"), word);
	}
	assert_refused(WORDS("--help"), "there is no --help behind it");
	assert_refused(WORDS("-o", "User", "web"), "-o User needs a value");
	assert_refused(WORDS("-l"), "option -l needs a value");
}

static void port_is_the_usual_one_unless_it_only_describes(void **state)
{
	(void)state;
	assert_says(WORDS("-p22", "web", "x"), NULL, "web", "x");
	assert_refused(WORDS("-p", "2222", "web", "x"), "there is no port 2222");
	assert_refused(WORDS("-oPort=2222", "web", "x"), "there is no port 2222");
	assert_says(WORDS("-G", "-p", "2222", "web"), NULL, "web", NULL);
}

static void subsystem_is_sftp_and_no_other(void **state)
{
	const char *const *const lines[] = {WORDS("-s", "web", "sftp"), WORDS("web", "-s", "sftp"),
					    WORDS("-s", "--", "web", "sftp"),
					    WORDS("-oSessionType=subsystem", "web", "sftp"),
					    WORDS("-x", "-a", "-2", "web", "-s", "sftp")};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(lines); i++) {
		struct rsh rsh = parse(lines[i]);

		assert_non_null(strstr(rsh.line, "exec /bin/sh -c '"));
		assert_non_null(strstr(rsh.line, "/usr/lib/openssh"));
		rsh_release(&rsh);
	}
	assert_refused(WORDS("-s", "web", "netconf"), "no subsystem but sftp: netconf");
	assert_refused(WORDS("-s", "web"), "-s needs the name of a subsystem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_joined_by_blanks),
		cmocka_unit_test(options_stand_before_and_behind_the_guest),
		cmocka_unit_test(user_is_the_first_that_is_named),
		cmocka_unit_test(terminal_is_said_once_twice_or_not),
		cmocka_unit_test(flags_set_their_own),
		cmocka_unit_test(times_and_the_escape_character_are_honoured),
		cmocka_unit_test(variables_are_sent_and_set),
		cmocka_unit_test(what_tools_always_say_is_taken),
		cmocka_unit_test(what_is_not_done_is_refused_by_name),
		cmocka_unit_test(port_is_the_usual_one_unless_it_only_describes),
		cmocka_unit_test(subsystem_is_sftp_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
