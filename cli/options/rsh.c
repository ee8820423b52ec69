/* What stands behind --rsh: see rsh.h. */
#include "rsh.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/duration.h"
#include "shared/utf8.h"

#define BLANKS	 " \t"
#define SSH_PORT "22"

/*
 * Read by /bin/sh, whatever the user's shell is, and so without a quote. The places are those of Debian,
 * Fedora, FreeBSD and Alpine, Arch, and of an OpenSSH that was built by hand.
 */
static const char sftp_line[] =
	"exec /bin/sh -c '"
	"for p in /usr/lib/openssh /usr/libexec/openssh /usr/libexec /usr/lib/ssh /usr/lib; do "
	"test -x $p/sftp-server && exec $p/sftp-server; done; "
	"p=$(command -v sftp-server) && exec \"$p\"; "
	"echo \"msb-exec: the guest has no sftp-server (Debian: openssh-sftp-server)\" >&2; "
	"exit 127'";

static int no_memory(struct err *err)
{
	return err_set(err, ENOMEM, NULL, "cannot read what stands behind --rsh");
}

/* ---- settings: -o KEY=VALUE ---- */

enum setting_kind {
	SETTING_IGNORED, /* nothing can come of it, whatever it says */
	SETTING_NO,	 /* only that it is not to be is something that we do */
	SETTING_TTY,
	SETTING_USER,
	SETTING_PORT,
	SETTING_TIMEOUT,
	SETTING_ALIVE,
	SETTING_SEND,
	SETTING_SET,
	SETTING_ESCAPE,
	SETTING_STDIN,
	SETTING_SESSION,
};

static const struct setting {
	const char *name;
	enum setting_kind kind;
} settings[] = {
	{"RequestTTY", SETTING_TTY},
	{"User", SETTING_USER},
	{"Port", SETTING_PORT},
	{"ConnectTimeout", SETTING_TIMEOUT},
	{"ServerAliveInterval", SETTING_ALIVE},
	{"SendEnv", SETTING_SEND},
	{"SetEnv", SETTING_SET},
	{"EscapeChar", SETTING_ESCAPE},
	{"StdinNull", SETTING_STDIN},
	{"SessionType", SETTING_SESSION},
	{"ForkAfterAuthentication", SETTING_NO},
	{"ForwardAgent", SETTING_NO},
	{"ForwardX11", SETTING_NO},
	{"ForwardX11Trusted", SETTING_NO},
	{"GatewayPorts", SETTING_NO},
	{"GSSAPIDelegateCredentials", SETTING_NO},
	{"PermitLocalCommand", SETTING_NO},
	{"ProxyCommand", SETTING_NO},
	{"ProxyJump", SETTING_NO},
	{"RemoteCommand", SETTING_NO},
	{"Tunnel", SETTING_NO},
	{"AddKeysToAgent", SETTING_IGNORED},
	{"AddressFamily", SETTING_IGNORED},
	{"BatchMode", SETTING_IGNORED},
	{"BindAddress", SETTING_IGNORED},
	{"BindInterface", SETTING_IGNORED},
	{"CanonicalizeHostname", SETTING_IGNORED},
	{"CertificateFile", SETTING_IGNORED},
	{"ChallengeResponseAuthentication", SETTING_IGNORED},
	{"CheckHostIP", SETTING_IGNORED},
	{"Ciphers", SETTING_IGNORED},
	{"ClearAllForwardings", SETTING_IGNORED},
	{"Compression", SETTING_IGNORED},
	{"ConnectionAttempts", SETTING_IGNORED},
	{"ControlMaster", SETTING_IGNORED},
	{"ControlPath", SETTING_IGNORED},
	{"ControlPersist", SETTING_IGNORED},
	{"ExitOnForwardFailure", SETTING_IGNORED},
	{"FingerprintHash", SETTING_IGNORED},
	{"GlobalKnownHostsFile", SETTING_IGNORED},
	{"GSSAPIAuthentication", SETTING_IGNORED},
	{"HashKnownHosts", SETTING_IGNORED},
	{"HostbasedAuthentication", SETTING_IGNORED},
	{"HostKeyAlgorithms", SETTING_IGNORED},
	{"HostKeyAlias", SETTING_IGNORED},
	{"IdentitiesOnly", SETTING_IGNORED},
	{"IdentityAgent", SETTING_IGNORED},
	{"IdentityFile", SETTING_IGNORED},
	{"IgnoreUnknown", SETTING_IGNORED},
	{"IPQoS", SETTING_IGNORED},
	{"KbdInteractiveAuthentication", SETTING_IGNORED},
	{"KexAlgorithms", SETTING_IGNORED},
	{"LogLevel", SETTING_IGNORED},
	{"MACs", SETTING_IGNORED},
	{"NumberOfPasswordPrompts", SETTING_IGNORED},
	{"PasswordAuthentication", SETTING_IGNORED},
	{"PreferredAuthentications", SETTING_IGNORED},
	{"PubkeyAcceptedAlgorithms", SETTING_IGNORED},
	{"PubkeyAcceptedKeyTypes", SETTING_IGNORED},
	{"PubkeyAuthentication", SETTING_IGNORED},
	{"RekeyLimit", SETTING_IGNORED},
	{"ServerAliveCountMax", SETTING_IGNORED},
	{"StrictHostKeyChecking", SETTING_IGNORED},
	{"TCPKeepAlive", SETTING_IGNORED},
	{"UpdateHostKeys", SETTING_IGNORED},
	{"UserKnownHostsFile", SETTING_IGNORED},
	{"VerifyHostKeyDNS", SETTING_IGNORED},
	{"VisualHostKey", SETTING_IGNORED},
};

static const struct setting *find_setting(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (strncasecmp(settings[i].name, name, len) == 0 && !settings[i].name[len])
			return &settings[i];
	return NULL;
}

static bool says(const char *value, const char *word)
{
	return strcasecmp(value, word) == 0;
}

static int bad_value(const char *name, const char *value, struct err *err)
{
	return err_set(err, 0, NULL, "--rsh: %s does not know %s", name, value);
}

static int not_done(const char *name, const char *value, struct err *err)
{
	return err_set(err, 0, NULL, "--rsh: there is no -o %s=%s: no connection of ssh is made",
		       name, value);
}

static void take_user(struct rsh *rsh, const char *user)
{
	if (!rsh->user)
		rsh->user = user;
}

/* Another port would be another machine, and there is none. */
static int take_port(struct rsh *rsh, const char *value, struct err *err)
{
	if (strcmp(value, SSH_PORT) == 0 || rsh->describes)
		return 0;
	err_set(err, 0, NULL, "--rsh: there is no port %s", value);
	return err_hint(err, "a guest's name or address says all of the way to it");
}

static int take_tty(struct rsh *rsh, const char *value, struct err *err)
{
	static const struct {
		const char *word;
		enum rsh_tty tty;
	} words[] = {{"no", RSH_TTY_NEVER},	   {"false", RSH_TTY_NEVER},
		     {"yes", RSH_TTY_IF_TERMINAL}, {"true", RSH_TTY_IF_TERMINAL},
		     {"force", RSH_TTY_FORCED},	   {"auto", RSH_TTY_AUTO}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!says(value, words[i].word))
			continue;
		/* What an option has said is not taken back. */
		if (!rsh->tty)
			rsh->tty = words[i].tty;
		return 0;
	}
	return bad_value("RequestTTY", value, err);
}

static int take_session_type(struct rsh *rsh, const char *value, struct err *err)
{
	if (says(value, "subsystem"))
		rsh->is_subsystem = true;
	else if (!says(value, "default"))
		return not_done("SessionType", value, err);
	return 0;
}

/* What they match of our own environment; a wire that carries UTF-8 alone takes no other. */
static int send_matching(struct rsh *rsh, const char *pattern, struct err *err)
{
	char name[256];

	for (char **entry = environ; *entry; entry++) {
		size_t len = strcspn(*entry, "=");

		if (!len || len >= sizeof(name) || !utf8_valid(*entry, strlen(*entry)))
			continue;
		memcpy(name, *entry, len);
		name[len] = '\0';
		if (fnmatch(pattern, name, 0) == 0 && env_add(&rsh->env, *entry, err) < 0)
			return err_about(err, "--rsh: SendEnv");
	}
	return 0;
}

/* The next word, without its quotes, which keep blanks together; NULL at the end. */
static char *next_word(char **at)
{
	char *in = *at + strspn(*at, BLANKS), *word = in, *out = in;
	bool quoted = false;

	if (!*in)
		return NULL;
	for (; *in && (quoted || !strchr(BLANKS, *in)); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*at = *in ? in + 1 : in;
	*out = '\0';
	return word;
}

static int take_variables(struct rsh *rsh, enum setting_kind kind, char *value, struct err *err)
{
	const char *name = kind == SETTING_SEND ? "SendEnv" : "SetEnv", *word;
	int r = 0;

	while (r == 0 && (word = next_word(&value))) {
		if (kind == SETTING_SEND && word[0] != '-')
			r = send_matching(rsh, word, err);
		else if (kind == SETTING_SET && strchr(word, '='))
			r = env_add(&rsh->env, word, err) < 0 ? err_about(err, "--rsh: SetEnv") : 0;
		else
			r = bad_value(name, word, err);
	}
	return r;
}

static int take_escape_char(struct rsh *rsh, const char *value, struct err *err)
{
	rsh->has_escape_char = true;
	return value_escape_char(value, &rsh->escape_char, err) < 0
		       ? err_about(err, "--rsh: the escape character")
		       : 0;
}

static int take_time(const char *name, const char *value, uint64_t none, bool *ret_has,
		     uint64_t *ret_ms, struct err *err)
{
	if (says(value, "none"))
		return 0;
	*ret_has = true;
	return duration_limit(value, none, ret_ms, err) < 0 ? err_about(err, "--rsh: %s", name) : 0;
}

static int take_value(struct rsh *rsh, const struct setting *setting, char *value, struct err *err)
{
	const char *name = setting->name;

	switch (setting->kind) {
	case SETTING_NO:
		return says(value, "no") || says(value, "none") || says(value, "false")
			       ? 0
			       : not_done(name, value, err);
	case SETTING_TTY:
		return take_tty(rsh, value, err);
	case SETTING_USER:
		take_user(rsh, value);
		return 0;
	case SETTING_PORT:
		return take_port(rsh, value, err);
	case SETTING_TIMEOUT:
		return take_time(name, value, DURATION_INFINITE, &rsh->has_connect_ms,
				 &rsh->connect_ms, err);
	case SETTING_ALIVE:
		return take_time(name, value, 0, &rsh->has_keepalive_ms, &rsh->keepalive_ms, err);
	case SETTING_ESCAPE:
		return take_escape_char(rsh, value, err);
	case SETTING_STDIN:
		rsh->no_stdin |= says(value, "yes") || says(value, "true");
		return 0;
	case SETTING_SESSION:
		return take_session_type(rsh, value, err);
	default:
		return 0;
	}
}

/* Kept, since others may point to it. NULL: no memory. */
static char *keep_value(struct rsh *rsh, const char *value)
{
	char **values = reallocarray(rsh->values, rsh->value_count + 1, sizeof(*values));
	char *copy;

	if (!values)
		return NULL;
	rsh->values = values;
	copy = strdup(value); /* -fanalyzer: no leak, it is in rsh->values from here */
	if (copy)
		values[rsh->value_count++] = copy;
	return copy;
}

/* One in quotes, or with blanks behind it. */
static char *take_off(char *value)
{
	size_t len = strlen(value);

	while (len && strchr(BLANKS, value[len - 1]))
		value[--len] = '\0';
	if (len < 2 || value[0] != '"' || strchr(value + 1, '"') != value + len - 1)
		return value;
	value[len - 1] = '\0';
	return value + 1;
}

/* KEY=VALUE or KEY VALUE, with blanks anywhere between them. */
static int take_setting(struct rsh *rsh, const char *text, struct err *err)
{
	const char *key = text + strspn(text, BLANKS), *rest;
	size_t len = strcspn(key, "=" BLANKS);
	const struct setting *setting = find_setting(key, len);
	char *value;

	rest = key + len + strspn(key + len, BLANKS);
	if (*rest == '=')
		rest += 1 + strspn(rest + 1, BLANKS);
	if (!setting || !len) {
		err_set(err, 0, NULL, "--rsh: there is no -o %s", text);
		return err_hint(err, "msb-exec(1) lists those of ssh that are taken");
	}
	if (!*rest)
		return err_set(err, 0, NULL, "--rsh: -o %s needs a value", setting->name);
	value = keep_value(rsh, rest);
	if (!value)
		return no_memory(err);
	if (setting->kind == SETTING_SEND || setting->kind == SETTING_SET)
		return take_variables(rsh, setting->kind, value, err);
	return take_value(rsh, setting, take_off(value), err);
}

/* ---- options ---- */

/* Those with values; and those with and without that are for a way there which is not ours. */
static const char with_value[] = "bBcDeEFiIJlLmoOpPQRSwW";
static const char values_for_ssh[] = "bBcFiImS", flags_for_ssh[] = "1246aCkx";

static int refuse(const char *option, struct err *err)
{
	static const struct {
		char letter;
		const char *what;
	} known[] = {
		{'A', "the agent's keys are not passed on"},
		{'D', "no ports are passed on"},
		{'f', "put msb-exec into the background, or see --detach"},
		{'g', "no ports are passed on"},
		{'J', "a guest's name or address says all of the way to it"},
		{'K', "no credentials are passed on"},
		{'L', "no ports are passed on"},
		{'M', "each command has a connection of its own"},
		{'N', "there is nothing to do without a command"},
		{'O', "each command has a connection of its own"},
		{'R', "no ports are passed on"},
		{'w', "no networks are passed on"},
		{'W', "no ports are passed on"},
		{'X', "no windows are passed on"},
		{'Y', "no windows are passed on"},
	};

	err_set(err, 0, NULL, "--rsh: there is no %s behind it", option);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].letter == option[1])
			return err_hint(err, "%s", known[i].what);
	return err_hint(err, "what comes behind --rsh is said as to rsh; options of msb-exec come "
			     "before it");
}

static int refuse_letter(char letter, struct err *err)
{
	return refuse((const char[]){'-', letter, '\0'}, err);
}

static int take_flag(struct rsh *rsh, char letter, struct err *err)
{
	switch (letter) {
	case 't':
		rsh->tty = rsh->tty >= RSH_TTY_IF_TERMINAL ? RSH_TTY_FORCED : RSH_TTY_IF_TERMINAL;
		return 0;
	case 'T':
		rsh->tty = RSH_TTY_NEVER;
		return 0;
	case 'n':
		rsh->no_stdin = true;
		return 0;
	case 'q':
		rsh->quiet = true;
		return 0;
	case 'v':
		rsh->verbose = true;
		return 0;
	case 's':
		rsh->is_subsystem = true;
		return 0;
	case 'G':
		rsh->describes = true;
		return 0;
	case 'V':
		rsh->version = true;
		return 0;
	default:
		return strchr(flags_for_ssh, letter) ? 0 : refuse_letter(letter, err);
	}
}

static int take_with_value(struct rsh *rsh, char letter, char *value, struct err *err)
{
	switch (letter) {
	case 'l':
		take_user(rsh, value);
		return 0;
	case 'o':
		return take_setting(rsh, value, err);
	case 'p':
		return take_port(rsh, value, err);
	case 'e':
		return take_escape_char(rsh, value, err);
	case 'E':
		rsh->log_file = value;
		return 0;
	default:
		return strchr(values_for_ssh, letter) ? 0 : refuse_letter(letter, err);
	}
}

/* The letters of argv[*at], of which the last one may have its value in the next word. */
static int take_letters(struct rsh *rsh, int argc, char *argv[], int *at, struct err *err)
{
	for (char *letters = argv[*at] + 1; *letters;) {
		char letter = *letters++;

		if (!strchr(with_value, letter)) {
			if (take_flag(rsh, letter, err) < 0)
				return -EINVAL;
			continue;
		}
		if (!*letters && *at + 1 == argc)
			return err_set(err, 0, NULL, "--rsh: option -%c needs a value", letter);
		return take_with_value(rsh, letter, *letters ? letters : argv[++*at], err);
	}
	return 0;
}

/* The options of argv from *at on, to the first word that is none, or behind a --. 1: behind one; 0 or -errno. */
static int take_options(struct rsh *rsh, int argc, char *argv[], int *at, struct err *err)
{
	for (; *at < argc && argv[*at][0] == '-' && argv[*at][1]; ++*at) {
		if (strcmp(argv[*at], "--") == 0) {
			++*at;
			return 1;
		}
		if (argv[*at][1] == '-')
			return refuse(argv[*at], err);
		if (take_letters(rsh, argc, argv, at, err) < 0)
			return -EINVAL;
	}
	return 0;
}

/* ---- operands ---- */

/*
 * USER@GUEST, unless what is before the last @ belongs to an address. Of tools such as git it may come from a file
 * that others wrote, as that of a submodule does, and so it is never a command to run here.
 */
static int take_guest(struct rsh *rsh, const char *word, struct err *err)
{
	const char *at = memrchr(word, '@', strcspn(word, ":/ "));
	size_t len = at ? (size_t)(at - word) : 0;

	rsh->words = strdup(word);
	if (!rsh->words)
		return no_memory(err);
	rsh->guest = rsh->words;
	if (len) {
		rsh->words[len] = '\0';
		rsh->guest = rsh->words + len + 1;
		take_user(rsh, rsh->words);
	}
	if (!rsh->guest[0])
		return err_set(err, 0, NULL, "--rsh: %s names no guest", word[0] ? word : "\"\"");
	if (strncmp(rsh->guest, "exec:", 5) == 0) {
		err_set(err, 0, NULL, "--rsh: a guest is not named by a command: %s", rsh->guest);
		return err_hint(err, "the name of one in the guests file is, or -S before --rsh");
	}
	if (strncmp(rsh->guest, "ssh://", 6) == 0)
		return err_set(err, 0, NULL, "--rsh: %s is not an address of a guest", rsh->guest);
	return 0;
}

/* With single blanks between them, as the shell there will take them apart again. */
static char *join(int argc, char *argv[])
{
	size_t len = 1;
	char *line, *at;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	line = malloc(len);
	if (!line)
		return NULL;
	at = line;
	for (int i = 0; i < argc; i++) {
		if (i)
			*at++ = ' ';
		at = stpcpy(at, argv[i]);
	}
	*at = '\0';
	return line;
}

static int take_words(struct rsh *rsh, int argc, char *argv[], struct err *err)
{
	if (!argc)
		return rsh->is_subsystem
			       ? err_set(err, 0, NULL, "--rsh: -s needs the name of a subsystem")
			       : 0;
	rsh->line = join(argc, argv);
	if (!rsh->line)
		return no_memory(err);
	if (!rsh->is_subsystem)
		return 0;
	if (strcmp(rsh->line, "sftp") != 0)
		return err_set(err, 0, NULL, "--rsh: there is no subsystem but sftp: %s",
			       rsh->line);
	free(rsh->line);
	rsh->line = strdup(sftp_line);
	return rsh->line ? 0 : no_memory(err);
}

int rsh_parse(int argc, char *argv[], struct rsh *ret, struct err *err)
{
	int at = 0, r;

	*ret = (struct rsh){0};
	r = take_options(ret, argc, argv, &at, err);
	if (r < 0)
		return -EINVAL;
	if (ret->version)
		return 0;
	if (at == argc) {
		err_set(err, 0, NULL, "--rsh: no guest is named");
		return err_hint(err, "behind it comes [-l USER] GUEST [WORD]...");
	}
	if (take_guest(ret, argv[at++], err) < 0)
		return -EINVAL;
	/* As ssh has it, a -- before the guest ends those behind it, too: what begins with a dash is a word. */
	if ((!r && take_options(ret, argc, argv, &at, err) < 0) ||
	    take_words(ret, argc - at, argv + at, err) < 0)
		return -EINVAL;
	return 0;
}

void rsh_release(struct rsh *rsh)
{
	for (size_t i = 0; i < rsh->value_count; i++)
		free(rsh->values[i]);
	free(rsh->values);
	free(rsh->words);
	free(rsh->line);
	env_release(&rsh->env);
	*rsh = (struct rsh){0};
}
