/* Words of the shell: see words.h. */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base.h"
#include "shared/shown.h"
#include "shared/utf8.h"

/* Whether another command follows that word, which begins one itself. */
static bool is_before_command(const char *word, size_t len)
{
	static const char *const words[] = {"if", "while", "until", "then", "do",   "else",
					    "{",  "!",	   "time",  "elif", "sudo", "exec"};
	const char *equals = memchr(word, '=', len);

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
			return true;
	return equals && equals > word && !memchr(word, '/', (size_t)(equals - word));
}

struct words_place words_look(const char *line, size_t at)
{
	struct words_place place = {.command = true};
	const char *word = NULL;

	for (const char *c = line; c < line + at; c++) {
		if (place.escaped || (*c == '\\' && place.quote != '\'')) {
			word = word ? word : c;
			place.escaped = !place.escaped;
		} else if (place.quote) {
			place.quote = *c == place.quote ? 0 : place.quote;
		} else if (*c == '\'' || *c == '"') {
			word = word ? word : c;
			place.quote = *c;
		} else if (strchr(";|&(`\n", *c)) {
			place.command = true;
			word = NULL;
		} else if (strchr(" \t", *c)) {
			if (word)
				place.command &= is_before_command(word, (size_t)(c - word));
			word = NULL;
		} else {
			word = word ? word : c;
		}
	}
	return place;
}

/* Whether a line should not have the next character, of so many bytes, as it is. */
static bool is_control(const char *text, size_t *ret_len)
{
	uint32_t c = 0;
	size_t n = utf8_char(text, strlen(text), &c);

	*ret_len = n ? n : 1;
	return !n || shown_is_control(c);
}

static bool has_control(const char *text)
{
	size_t n;

	for (; *text; text += n)
		if (is_control(text, &n))
			return true;
	return false;
}

/* bash's $'...', the only way to say a control character in one line. */
static char *quote_dollar(const char *text, char *out)
{
	char *at = stpcpy(out, "$'");
	size_t n;

	for (; *text; text += n) {
		bool control = is_control(text, &n);

		for (size_t i = 0; control && i < n; i++)
			at += sprintf(at, "\\%03o", (unsigned char)text[i]);
		if (*text == '\'' || *text == '\\')
			*at++ = '\\';
		if (!control)
			at = mempcpy(at, text, n);
	}
	return stpcpy(at, "'");
}

char *words_quote(const char *text, char quote, bool bash)
{
	/* A single quote inside single quotes is the longest: '\'' for one byte. */
	char *out = malloc(strlen(text) * 4 + 4), *at = out;
	const char *special = quote == '"' ? "\"$`\\" : " \t'\"\\$`&|;<>()*?[]{}#~!=%^";

	if (!out)
		return NULL;
	if (has_control(text)) {
		if (quote || !bash) {
			free(out);
			return NULL;
		}
		quote_dollar(text, out);
		return out;
	}
	for (const char *c = text; *c; c++) {
		if (quote == '\'' && *c == '\'') {
			at = stpcpy(at, "'\\''");
			continue;
		}
		/* A tilde is special only at the beginning, where it was asked for. */
		if (quote != '\'' && strchr(special, *c) && !(*c == '~' && c != text))
			*at++ = '\\';
		*at++ = *c;
	}
	*at = '\0';
	return out;
}

char *words_unquote(const char *text, char quote)
{
	char *out = malloc(strlen(text) + 1), *at = out;

	if (!out)
		return NULL;
	for (; *text; text++) {
		if (*text == '\\' && quote != '\'' && text[1] &&
		    (quote != '"' || strchr("\"$`\\", text[1])))
			*at++ = *++text;
		else if (*text == quote && quote)
			quote = 0;
		else if (!quote && (*text == '\'' || *text == '"'))
			quote = *text;
		else
			*at++ = *text;
	}
	*at = '\0';
	return out;
}

char *words_next(const char **text, const char *home)
{
	const char *at = *text;
	char *quoted, *word, *path = NULL;
	size_t len = 0;

	while (at[len] && (words_look(at, len).quote || words_look(at, len).escaped ||
			   !strchr(" \t", at[len])))
		len++;
	*text = at + len + strspn(at + len, " \t");
	quoted = strndup(at, len);
	word = quoted ? words_unquote(quoted, 0) : NULL;
	free(quoted);
	if (!home || !word || word[0] != '~' || (word[1] && word[1] != '/'))
		return word;
	if (asprintf(&path, "%s%s", home, word + 1) < 0)
		path = NULL;
	free(word);
	return path;
}
