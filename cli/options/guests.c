/* Guests that have names: see guests.h. */
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/address/endpoint.h"
#include "shared/fd.h"
#include "shared/options.h"
#include "shared/utf8.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define BLANKS	" \t"

bool guests_is_name(const char *text)
{
	size_t len = strspn(text, LETTERS "._-");

	return len > 0 && len <= GUESTS_NAME_MAX && !text[len] && strspn(text, LETTERS) > 0;
}

/* ---- the file ---- */

static int find_path(char out[PATH_MAX], struct err *err)
{
	static const char file[] = "/msb-exec/guests";
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	/* The specification: what is not absolute is to be ignored. */
	if (config && config[0] == '/') {
		n = snprintf(out, PATH_MAX, "%s%s", config, file);
	} else {
		if (!home || home[0] != '/') {
			const struct passwd *entry = getpwuid(geteuid());

			home = entry ? entry->pw_dir : NULL;
		}
		if (!home)
			return err_set(err, ENOENT, NULL,
				       "no home, where the file with the guests' names would be");
		n = snprintf(out, PATH_MAX, "%s/.config%s", home, file);
	}
	if (n < PATH_MAX)
		return 0;
	out[0] = '\0';
	return err_set(err, ENAMETOOLONG, NULL, "the file with the guests' names");
}

/* It may say what is run, so whoever may write it must be us, or root. */
static int check_file(const char *path, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, 0, NULL, "%s is no regular file", path);
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		err_set(err, 0, NULL, "%s belongs to uid %u, and may say what is run", path,
			st->st_uid);
		return err_hint(err, "chown %u %s", geteuid(), path);
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		err_set(err, 0, NULL, "%s may be written by others, and says what is run", path);
		return err_hint(err, "chmod go-w %s", path);
	}
	if ((uint64_t)st->st_size > GUESTS_FILE_MAX)
		return err_set(err, 0, NULL, "%s is larger than 1 MiB", path);
	return 0;
}

int guests_open(struct guests *ret, struct err *err)
{
	cleanup_fd int fd = -1;
	struct stat st;
	ssize_t n;
	char *text;
	int r;

	ret->path[0] = '\0';
	r = find_path(ret->path, err);
	if (r < 0)
		return r;
	/* A FIFO without a writer would not even open. */
	fd = open(ret->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno == ENOTDIR ? ENOENT : errno, NULL, "cannot read %s",
			       ret->path);
	r = check_file(ret->path, &st, err);
	if (r < 0)
		return r;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return err_set(err, ENOMEM, NULL, "cannot read %s", ret->path);
	n = read(fd, text, (size_t)st.st_size);
	if (n < 0) {
		r = err_set(err, errno, NULL, "cannot read %s", ret->path);
		free(text);
		return r;
	}
	text[n] = '\0';
	guests_take(ret, NULL, text, (size_t)n);
	return 0;
}

void guests_take(struct guests *ret, const char *path, char *text, size_t len)
{
	if (path)
		snprintf(ret->path, sizeof(ret->path), "%s", path);
	ret->text = ret->at = text;
	ret->len = len;
	ret->count = 0;
	ret->number = 0;
	/* A byte order mark, as editors on other systems leave it. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		ret->at += 3;
}

void guests_close(struct guests *guests)
{
	free(guests->text);
	guests->text = guests->at = NULL;
}

/* ---- its lines ---- */

int guests_about(const struct guests *guests, int number, struct err *err)
{
	return err_about(err, "%s:%d", guests->path, number);
}

/* The next line, whose end becomes a NUL; or NULL. */
static char *next_line(struct guests *guests, size_t *ret_len)
{
	char *line = guests->at, *limit = guests->text + guests->len, *end;

	if (line >= limit)
		return NULL;
	end = memchr(line, '\n', (size_t)(limit - line));
	if (!end)
		end = limit;
	guests->at = end + 1;
	guests->number++;
	*end = '\0';
	*ret_len = (size_t)(end - line);
	if (*ret_len && end[-1] == '\r')
		line[--*ret_len] = '\0';
	return line;
}

/* Behind a backslash at that place: the byte that stands for itself, or the backslash. */
static bool is_escape(const char *at, char quote)
{
	return at[0] == '\\' && quote != '\'' && (!quote || (at[1] && strchr("$`\"\\", at[1])));
}

/*
 * The next word, without its quotes, where it stood: it can only get shorter. *at goes to what follows it. NULL
 * if something is left open.
 */
static char *next_word(char **at, struct err *err)
{
	char *word = *at, *in = *at, *out = *at, quote = '\0';

	for (; *in && (quote || !strchr(BLANKS, *in)); in++) {
		if (is_escape(in, quote)) {
			if (!*++in) {
				err_set(err, 0, NULL, "nothing follows the backslash at its end");
				return NULL;
			}
			*out++ = *in;
		} else if (*in == quote) {
			quote = '\0';
		} else if (!quote && (*in == '\'' || *in == '"')) {
			quote = *in;
		} else {
			*out++ = *in;
		}
	}
	if (quote) {
		err_set(err, 0, NULL, "a %c without its second", quote);
		return NULL;
	}
	*at = *in ? in + 1 : in;
	*at += strspn(*at, BLANKS);
	*out = '\0';
	return word;
}

static int read_name(struct guests *guests, struct guest_line *line, struct err *err)
{
	if (!guests_is_name(line->name)) {
		err_set(err, 0, NULL, "%.100s is no name for a guest", line->name);
		return err_hint(err,
				"letters, digits and ._- behind a letter or a digit, at most "
				"%d",
				GUESTS_NAME_MAX);
	}
	for (size_t i = 0; i < guests->count; i++)
		if (strcmp(guests->names[i], line->name) == 0)
			return err_set(err, 0, NULL, "there is a guest %s above", line->name);
	if (guests->count == GUESTS_MAX)
		return err_set(err, 0, NULL, "more than %d guests", GUESTS_MAX);
	guests->names[guests->count++] = line->name;
	return 0;
}

static int read_endpoint(char **at, struct guest_line *line, struct err *err)
{
	struct endpoint endpoint;

	if (!**at) {
		err_set(err, 0, NULL, "%s has no address", line->name);
		return err_hint(err, "a line is NAME ENDPOINT [OPTION]...");
	}
	if (strncmp(*at, "exec:", 5) == 0) {
		line->endpoint = *at;
		*at += strlen(*at);
	} else {
		line->endpoint = next_word(at, err);
	}
	if (!line->endpoint)
		return -EINVAL;
	/* What has neither is a name, or a file of wherever we are. */
	if (guests_is_name(line->endpoint))
		return err_set(err, 0, NULL, "%s is not an address, which has a : or a /",
			       line->endpoint);
	return endpoint_parse(line->endpoint, ENDPOINT_CLIENT, &endpoint, err);
}

/* 1: a guest; 0: nothing. */
static int read_line(struct guests *guests, char *text, size_t len, struct guest_line *line,
		     struct err *err)
{
	char *at = text + strspn(text, BLANKS);

	if (strlen(text) == len && (!*at || *at == '#'))
		return 0;
	if (strlen(text) != len || !utf8_valid(text, len)) {
		err_set(err, 0, NULL, strlen(text) != len ? "a NUL byte" : "not UTF-8");
		return -EINVAL;
	}
	line->name = next_word(&at, err);
	if (!line->name || read_name(guests, line, err) < 0 || read_endpoint(&at, line, err) < 0)
		return -EINVAL;
	line->words[0] = line->name;
	line->word_count = 1;
	while (*at) {
		if (line->word_count == GUESTS_WORDS_MAX) {
			err_set(err, 0, NULL, "too many words");
			return -EINVAL;
		}
		line->words[line->word_count] = next_word(&at, err);
		if (!line->words[line->word_count++])
			return -EINVAL;
	}
	line->words[line->word_count] = NULL;
	return 1;
}

int guests_next(struct guests *guests, struct guest_line *ret, struct err *err)
{
	size_t len;
	char *text;

	ret->text = NULL;
	while ((text = next_line(guests, &len))) {
		int r = read_line(guests, text, len, ret, err);

		ret->number = guests->number;
		if (r < 0)
			guests_about(guests, guests->number, err);
		if (r)
			return r;
	}
	return 0;
}

/* ---- one of them ---- */

/* The name that was meant, if one is so near that it may be said; or NULL. */
static const char *nearest(const struct guests *guests, const char *name)
{
	size_t len = strlen(name), least = len / 3 + 1;
	const char *best = NULL;

	for (size_t i = 0; i < guests->count; i++) {
		size_t far = options_distance(name, len, guests->names[i]);

		if (far < least || (far == least && !best)) {
			best = guests->names[i];
			least = far;
		}
	}
	return best;
}

static int unknown(const struct guests *guests, const char *name, bool exists, struct err *err)
{
	const char *meant = exists ? nearest(guests, name) : NULL;

	err_set(err, 0, NULL, "no guest is called %s", name);
	if (meant)
		err_hint(err, "did you mean %s? names are in %s", meant, guests->path);
	else if (exists)
		err_hint(err, "names are in %s; a socket in this folder is ./%s", guests->path,
			 name);
	else
		err_hint(err,
			 "names would be in %s, which is not there; a socket in this folder "
			 "is ./%s",
			 guests->path, name);
	return -ENOENT;
}

static int find(struct guests *guests, const char *name, guests_check *check, void *of,
		struct guest_line *ret, struct err *err)
{
	struct guest_line line;
	bool found = false;
	int r;

	while ((r = guests_next(guests, &line, err)) > 0) {
		if (check && check(&line, of, err) < 0)
			return guests_about(guests, line.number, err);
		if (strcmp(line.name, name) != 0)
			continue;
		*ret = line;
		found = true;
	}
	if (r < 0)
		return r;
	return found ? 0 : unknown(guests, name, true, err);
}

int guests_find(const char *name, guests_check *check, void *of, struct guest_line *ret,
		struct err *err)
{
	struct guests guests = {.text = NULL};
	int r = guests_open(&guests, err);

	if (r < 0)
		return r == -ENOENT && guests.path[0] ? unknown(&guests, name, false, err) : r;
	r = find(&guests, name, check, of, ret, err);
	if (r == 0) {
		ret->text = guests.text;
		guests.text = NULL;
	}
	guests_close(&guests);
	return r;
}

void guest_line_release(struct guest_line *line)
{
	free(line->text);
	*line = (struct guest_line){0};
}
