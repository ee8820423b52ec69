/* Words of the shell with their quotes and without, and its complaints: see console_lex.h. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console_lex.h"

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == '\x7f';
}

static bool has_control(const char *text)
{
	while (*text && !is_control(*text))
		text++;
	return *text != '\0';
}

/* bash's $'...', the only way to say a control character in one line. */
static char *quote_dollar(const char *text, char *out)
{
	char *at = stpcpy(out, "$'");

	for (; *text; text++) {
		if (is_control(*text))
			at += sprintf(at, "\\%03o", (unsigned char)*text);
		else if (*text == '\'' || *text == '\\')
			*at++ = '\\', *at++ = *text;
		else
			*at++ = *text;
	}
	return stpcpy(at, "'");
}

char *lex_quote(const char *text, char quote, bool bash)
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

char *lex_unquote(const char *text, char quote)
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

/* The wordings of bash, dash, busybox and mksh. */
bool lex_missed_end(const char *errors, size_t len)
{
	static const char *const wordings[] = {"end of file", "end-of-file", "EOF",
					       "nterminated", "issing '}'",  "no closing quote"};
	char line[512];
	size_t line_len = len;

	/* The first line alone: bash quotes the user's own words in the next one. */
	if (memchr(errors, '\n', len))
		line_len = (size_t)((const char *)memchr(errors, '\n', len) - errors);
	snprintf(line, sizeof(line), "%.*s", (int)(line_len < 500 ? line_len : 500), errors);
	/* An error that names a word of the user is no missing end, even if the word is EOF. */
	if (strstr(line, "near unexpected token") || strstr(line, "unexpected \""))
		return false;
	for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++)
		if (strstr(line, wordings[i]))
			return true;
	return false;
}
