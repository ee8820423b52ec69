/*
 * The words of a command line, as both programs read them, and the files that they name: every file
 * that is opened holds the input itself. The first byte says which program, which value, or that it is
 * the file of guests; words end with a NUL.
 */
#include "fuzz.h"

#include "cli/options/opts.h"
#include "daemon/settings.h"
#include "daemon/spawn/interpreter.h"
#include "daemon/spawn/user.h"
#include "shared/duration.h"
#include "shared/utf8.h"
#include "shared/wire/rlimit.h"

#define WORDS_MAX 64

/* WRAP: fopen */
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);

static const uint8_t *file_data;
static size_t file_len;

FILE *__wrap_fopen(const char *path, const char *mode)
{
	/* The fuzzer keeps what it has found. */
	if (mode[0] != 'r')
		return __real_fopen(path, mode);
	return file_len ? fmemopen((void *)file_data, file_len, "r") : NULL;
}

/* As main() does. */
static void read_options(int argc, char *argv[])
{
	bool console = opts_want_console(argc, argv);
	struct opts opts;
	struct err err;
	int r;

	if (console)
		opts_want_lines(argc, argv);
	r = opts_parse(argc, argv, console ? OPTS_CONSOLE : OPTS_EXEC, &opts, &err);
	CLAIM(r <= 0);
	if (r == 0) {
		CLAIM(opts.command && opts.command_len <= (size_t)argc);
		for (size_t i = 0; i < opts.env.count; i++)
			CLAIM(strchr(opts.env.entries[i], '=') &&
			      utf8_valid(opts.env.entries[i], strlen(opts.env.entries[i])));
	} else {
		CLAIM(err.text[0] || err.num);
	}
	opts_release(&opts);
}

static void read_settings(int argc, char *argv[])
{
	struct settings settings;
	struct err err;

	if (settings_parse(argc, argv, &settings, &err) == 0)
		CLAIM(settings.listen_count <= SETTINGS_LISTEN_MAX);
	else
		CLAIM(err.text[0] || err.num);
}

static void read_command_line(const uint8_t *data, size_t len, bool client)
{
	char *text = malloc(len + 1), *argv[WORDS_MAX + 2] = {(char *)"msb"};
	int argc = 1;

	CLAIM(text);
	memcpy(text, data, len);
	text[len] = '\0';
	for (char *at = text; at < text + len && argc <= WORDS_MAX; at += strlen(at) + 1)
		argv[argc++] = at;
	if (client)
		read_options(argc, argv);
	else
		read_settings(argc, argv);
	free(text);
}

static void read_value(int kind, const char *text)
{
	struct msg_rlimit limit;
	struct env_list env = {0};
	struct endpoint endpoint;
	struct user user = {0};
	char name[ENDPOINT_NAME_MAX];
	struct err err;
	uint64_t ms;
	int signal;

	switch (kind) {
	case 0:
		duration_parse(text, &ms, &err);
		break;
	case 1:
		if (value_signal(text, &signal, &err) == 0)
			CLAIM(signal >= 1 && signal <= 31);
		break;
	case 2:
		if (rlimit_parse(text, &limit, &err) == 0)
			CLAIM(limit.soft <= limit.hard);
		break;
	case 3:
		env_add_file(&env, "file", &err);
		env_release(&env);
		break;
	case 4:
		if (endpoint_parse(text, ENDPOINT_CLIENT, &endpoint, &err) == 0)
			CLAIM(strlen(endpoint_name(&endpoint, name, sizeof(name))) < sizeof(name));
		break;
	case 5:
		if (endpoint_parse(text, ENDPOINT_DAEMON, &endpoint, &err) == 0)
			CLAIM(strlen(endpoint_name(&endpoint, name, sizeof(name))) < sizeof(name));
		break;
	case 6:
		CLAIM(strlen(interpreter_of(file_data, file_len, name, sizeof(name))) <
		      sizeof(name));
		break;
	default:
		/* passwd and group are the input, too. */
		if (user_resolve(text, strlen(text), &user, &err) == 0) {
			CLAIM(user.uid != UINT32_MAX && user.gid != UINT32_MAX);
			user_release(&user);
		}
		break;
	}
}

/* The file of guests: each line is wrong, or all that it holds is where it was. */
static void read_guests(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct guests guests = {.text = NULL};
	struct guest_line line;
	struct err err;
	int r;

	CLAIM(text);
	memcpy(text, data, len);
	text[len] = '\0';
	guests_take(&guests, "file", text, len);
	while ((r = guests_next(&guests, &line, &err)) != 0) {
		if (r < 0) {
			CLAIM(err.text[0]);
			continue;
		}
		CLAIM(guests_is_name(line.name) && !line.words[line.word_count]);
		CLAIM(line.endpoint > text && line.endpoint <= text + len);
		for (int i = 1; i < line.word_count; i++)
			CLAIM(line.words[i] > line.words[i - 1] && line.words[i] <= text + len);
		if (opts_check_guest(&line, NULL, &err) < 0)
			CLAIM(err.text[0]);
	}
	guests_close(&guests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len < 1)
		return 0;
	file_data = data + 1;
	file_len = len - 1;
	if (data[0] < 64) {
		read_command_line(data + 1, len - 1, true);
	} else if (data[0] < 128) {
		read_command_line(data + 1, len - 1, false);
	} else if (data[0] >= 192) {
		read_guests(data + 1, len - 1);
	} else {
		text = malloc(len);
		CLAIM(text);
		memcpy(text, data + 1, len - 1);
		text[len - 1] = '\0';
		read_value(data[0] % 8, text);
		free(text);
	}
	return 0;
}
