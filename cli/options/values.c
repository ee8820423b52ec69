/* The values of options: see values.h. */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/names.h"

#define CTRL_MASK 0x1f

/* The protocol's signals are the names' own; what lies above them has other numbers elsewhere. */
#define LAST_SIGNAL 31

static bool is_real_time(const char *text, const char *name)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0)
		return true;
	return text[0] >= '0' && text[0] <= '9' && !*end && number > LAST_SIGNAL &&
	       number <= (unsigned long)SIGRTMAX;
}

int value_signal(const char *text, void *ret_signal, struct err *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;

	for (int i = 1; i <= LAST_SIGNAL; i++) {
		char number[4];

		snprintf(number, sizeof(number), "%d", i);
		if (strcmp(text, number) == 0 || strcasecmp(name, signal_name(i)) == 0) {
			*(int *)ret_signal = i;
			return 0;
		}
	}
	if (is_real_time(text, name))
		return err_set(err, 0, NULL,
			       "%s is not a signal that can be sent: it is a real-time one, above "
			       "%s (%d)",
			       text, signal_name(LAST_SIGNAL), LAST_SIGNAL);
	return err_set(err, 0, NULL, "%s is not a signal such as TERM, SIGKILL or 2", text);
}

int value_count(const char *text, uint64_t *ret_count, struct err *err)
{
	unsigned long long count;
	char *end;

	errno = 0;
	count = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || count > UINT64_MAX)
		return err_set(err, 0, NULL, "%s is not a number of bytes", text);
	*ret_count = count;
	return 0;
}

int value_escape_char(const char *text, void *ret_character, struct err *err)
{
	int *character = ret_character;
	unsigned char c = (unsigned char)text[0];

	if (strcmp(text, "none") == 0)
		*character = ESCAPE_OFF;
	else if (c && !text[1])
		*character = c;
	else if (c == '^' && text[1] >= '@' && !text[2])
		*character = text[1] & CTRL_MASK;
	else
		return err_set(err, 0, NULL, "%s is not a character, ^X or none", text);
	return 0;
}

/* One key of the notation, of so many bytes: its byte, or -EINVAL. */
static int parse_key(const char *text, size_t len)
{
	if (len == 1)
		return (unsigned char)text[0];
	if (len == 6 && strncasecmp(text, "ctrl-", 5) == 0 && text[5] >= '@')
		return text[5] & CTRL_MASK;
	return -EINVAL;
}

int value_keys(const char *text, void *ret_keys, struct err *err)
{
	struct escape_keys keys = {.len = 0};

	for (const char *at = text; *at;) {
		/* A comma that no other follows is the key of that name. */
		size_t len = 1 + strcspn(at + 1, ",");
		int key = parse_key(at, len);

		if (key < 0 || keys.len == ESCAPE_KEYS_MAX || (at[len] && !at[len + 1]))
			return err_set(err, 0, NULL,
				       "%s is not up to %d keys such as ctrl-p,ctrl-q or ctrl-],q",
				       text, ESCAPE_KEYS_MAX);
		keys.keys[keys.len++] = (uint8_t)key;
		at += len + (at[len] ? 1 : 0);
	}
	*(struct escape_keys *)ret_keys = keys;
	return 0;
}

static int append(struct env_list *list, const char *key, size_t key_len, const char *value,
		  struct err *err)
{
	char **entries = reallocarray(list->entries, list->count + 1, sizeof(char *));
	size_t len = strlen(value);
	char *entry;

	if (!entries)
		return err_set(err, ENOMEM, NULL, "environment");
	list->entries = entries;
	entry = malloc(key_len + len + 2); /* -fanalyzer: no leak, it is in the list from here */
	if (!entry)
		return err_set(err, ENOMEM, NULL, "environment");
	memcpy(entry, key, key_len);
	entry[key_len] = '=';
	memcpy(entry + key_len + 1, value, len + 1);
	list->entries[list->count++] = entry;
	return 0;
}

int env_add(struct env_list *list, const char *entry, struct err *err)
{
	const char *equals = strchr(entry, '=');
	const char *value;

	if (!entry[0] || equals == entry)
		return err_set(err, 0, NULL, "no variable name");
	for (const char *c = entry; *c && c != equals; c++)
		if (isspace((unsigned char)*c))
			return err_set(err, 0, NULL, "a variable name with a blank in it: \"%.*s\"",
				       (int)strcspn(entry, "="), entry);
	if (equals)
		return append(list, entry, (size_t)(equals - entry), equals + 1, err);
	value = getenv(entry);
	return value ? append(list, entry, strlen(entry), value, err) : 0;
}

static int add_line(struct env_list *list, char *line, const char *path, int number,
		    struct err *err)
{
	char *at = line;

	/* Leading blanks go, the rest is literal: quotes, blanks and a # behind a value stay. */
	while (*at == ' ' || *at == '\t')
		at++;
	if (!*at || *at == '#')
		return 0;
	return env_add(list, at, err) < 0 ? err_about(err, "%s:%d", path, number) : 0;
}

int env_add_file(struct env_list *list, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int number = 0, r = 0;

	if (!file)
		return err_set(err, errno, NULL, "cannot read %s", path);
	errno = 0;
	while (r == 0 && (len = getline(&line, &cap, file)) >= 0) {
		char *text = line;

		if (len && line[len - 1] == '\n')
			line[--len] = '\0';
		if (len && line[len - 1] == '\r')
			line[--len] = '\0';
		if (strlen(line) != (size_t)len) {
			r = err_set(err, 0, NULL, "%s:%d: a NUL byte", path, number + 1);
			break;
		}
		/* A byte order mark, as editors on other systems leave it. */
		if (++number == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
			text += 3;
		r = add_line(list, text, path, number, err);
	}
	if (r == 0 && ferror(file))
		r = err_set(err, errno, NULL, "cannot read %s", path);
	free(line);
	fclose(file);
	return r;
}

bool env_has(const struct env_list *list, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->entries[i], key, len) == 0 && list->entries[i][len] == '=')
			return true;
	return false;
}

void env_release(struct env_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i]);
	free(list->entries);
	*list = (struct env_list){0};
}
