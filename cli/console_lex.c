/* The shell's grammar, as far as a console needs it: see console_lex.h. */
#include "console_lex.h"

#include <stdint.h>
#include <string.h>

#define HERES_MAX 16

/* A here-document that has been announced; its body begins in the next line. */
struct here {
	size_t word, word_len;
	bool tabs;
};

struct reader {
	const char *text;
	size_t len, at;
	struct lex *lex;
	struct here heres[HERES_MAX];
	size_t here_count;
	size_t word; /* where the current word began; SIZE_MAX between words */
};

static char top(const struct lex *lex)
{
	return lex->depth ? lex->open[lex->depth - 1] : '\0';
}

static void push(struct lex *lex, char c)
{
	if (strchr("({A`", c))
		lex->special = true;
	if (lex->depth < LEX_DEPTH)
		lex->open[lex->depth++] = c;
	else
		lex->special = true;
}

static void pop(struct lex *lex)
{
	if (lex->depth)
		lex->depth--;
}

static bool is_open(const struct lex *lex, char c)
{
	return memchr(lex->open, c, lex->depth) != NULL;
}

static char peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->len ? r->text[r->at + ahead] : '\0';
}

/* ---- words ---- */

static bool is_one_of(const char *word, size_t len, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == len && memcmp(*words, word, len) == 0)
			return true;
	return false;
}

static bool is_assignment(const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);

	if (!equals || equals == word)
		return false;
	for (const char *c = word; c < equals; c++)
		if (*c != '_' && !(*c >= '0' && *c <= '9') &&
		    !((*c | 32) >= 'a' && (*c | 32) <= 'z'))
			return false;
	return true;
}

/* A word is over: what it means for the next one. */
static void end_word(struct reader *r)
{
	static const char *const partnered[] = {
		"if",	"for",	"while", "until",  "case", "select", "function",
		"[[",	"{",	"time",	 "coproc", "!",	   "then",   "do",
		"else", "elif", "fi",	 "done",   "esac", "}",	     NULL};
	static const char *const before_command[] = {"if", "while", "until", "then", "do",   "else",
						     "{",  "!",	    "time",  "elif", "sudo", NULL};
	const char *word = r->text + r->word;
	size_t len = r->at - r->word;

	if (r->word == SIZE_MAX)
		return;
	r->word = SIZE_MAX;
	if (!r->lex->command)
		return;
	if (is_one_of(word, len, partnered))
		r->lex->special = true;
	r->lex->command = is_one_of(word, len, before_command) || is_assignment(word, len);
}

static void begin_word(struct reader *r)
{
	if (r->word == SIZE_MAX)
		r->word = r->at;
}

/* ---- here-documents ---- */

/* At <<: notes the word that will end it. */
static void announce_here(struct reader *r)
{
	struct here here = {0};

	r->at += 2;
	here.tabs = peek(r, 0) == '-';
	r->at += here.tabs;
	while (peek(r, 0) == ' ' || peek(r, 0) == '\t')
		r->at++;
	here.word = r->at;
	for (char quote = 0; r->at < r->len; r->at++) {
		char c = r->text[r->at];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (strchr(" \t\n;|&<>()", c))
			break;
	}
	here.word_len = r->at - here.word;
	if (here.word_len && r->here_count < HERES_MAX)
		r->heres[r->here_count++] = here;
}

/* Whether the line is the word without its quotes. */
static bool ends_here(const struct reader *r, const struct here *here, const char *line, size_t len)
{
	const char *word = r->text + here->word;
	size_t at = 0;

	while (here->tabs && len && *line == '\t') {
		line++;
		len--;
	}
	for (size_t i = 0; i < here->word_len; i++) {
		if (strchr("'\"\\", word[i]))
			continue;
		if (at == len || line[at] != word[i])
			return false;
		at++;
	}
	return at == len;
}

/* Behind the end of a line: passes over the bodies that were announced in it. */
static void skip_heres(struct reader *r)
{
	for (size_t i = 0; i < r->here_count; i++) {
		bool ended = false;

		while (r->at < r->len && !ended) {
			const char *line = r->text + r->at;
			const char *end = memchr(line, '\n', r->len - r->at);
			size_t len = end ? (size_t)(end - line) : r->len - r->at;

			ended = ends_here(r, &r->heres[i], line, len);
			r->at += len + (end ? 1 : 0);
		}
		r->lex->here |= !ended;
	}
	r->here_count = 0;
}

/* ---- contexts ---- */

static void at_dollar(struct reader *r)
{
	bool quoted = top(r->lex) == '"';

	begin_word(r);
	if (peek(r, 1) == '(' && peek(r, 2) == '(') {
		push(r->lex, 'A');
		r->at += 3;
	} else if (peek(r, 1) == '(' || peek(r, 1) == '{') {
		push(r->lex, peek(r, 1));
		r->lex->command = peek(r, 1) == '(';
		r->word = SIZE_MAX;
		r->at += 2;
	} else if (peek(r, 1) == '\'' && !quoted) {
		push(r->lex, 'E');
		r->at += 2;
	} else {
		r->at++;
	}
}

static void at_backslash(struct reader *r)
{
	begin_word(r);
	r->lex->escaped = r->at + 1 == r->len;
	r->at += 2;
}

static void at_backquote(struct reader *r)
{
	/* What is open inside belongs to it and ends with it. */
	if (is_open(r->lex, '`')) {
		while (top(r->lex) != '`')
			pop(r->lex);
		pop(r->lex);
		r->lex->command = false;
	} else {
		push(r->lex, '`');
		r->lex->command = true;
		r->word = SIZE_MAX;
	}
	r->at++;
}

/* What quotes in any context but between single quotes. Whether it was that. */
static bool quoting(struct reader *r, char c)
{
	char in = top(r->lex);

	if (c == '\\')
		at_backslash(r);
	else if (c == '$')
		at_dollar(r);
	else if (c == '`')
		at_backquote(r);
	else if (c == '"' && in == '"')
		pop(r->lex), r->at++;
	else if (c == '"')
		begin_word(r), push(r->lex, '"'), r->at++;
	else if (c == '\'' && in != '"' && in != 'A' && !(in == '{' && is_open(r->lex, '"')))
		begin_word(r), push(r->lex, '\''), r->at++;
	else
		return false;
	return true;
}

/* Between single quotes, plain or with escapes. */
static void in_single(struct reader *r, char c)
{
	if (c == '\\' && top(r->lex) == 'E')
		r->at++;
	else if (c == '\'')
		pop(r->lex);
	r->at++;
}

static void in_arithmetic(struct reader *r, char c)
{
	if (c == '(') {
		push(r->lex, 'a');
	} else if (c == ')' && top(r->lex) == 'a') {
		pop(r->lex);
	} else if (c == ')' && peek(r, 1) == ')') {
		pop(r->lex);
		r->at++;
	}
	r->at++;
}

static void at_parenthesis(struct reader *r, char c)
{
	end_word(r);
	if (c == ')') {
		r->lex->special = true;
		if (top(r->lex) == '(')
			pop(r->lex);
		r->lex->command = true;
	} else if (peek(r, 1) == '(' && r->lex->command) {
		push(r->lex, 'A');
		r->at++;
	} else {
		push(r->lex, '(');
		r->lex->command = true;
	}
	r->at++;
}

static void at_newline(struct reader *r)
{
	end_word(r);
	r->lex->command = true;
	r->at++;
	skip_heres(r);
}

/* Where commands are. */
static void in_command(struct reader *r, char c)
{
	if (c == '#' && r->word == SIZE_MAX) {
		const char *end = memchr(r->text + r->at, '\n', r->len - r->at);

		r->at = end ? (size_t)(end - r->text) : r->len;
	} else if (c == '\n') {
		at_newline(r);
	} else if (c == '(' || c == ')') {
		at_parenthesis(r, c);
	} else if (c == ' ' || c == '\t') {
		end_word(r);
		r->at++;
	} else if (strchr(";|&", c)) {
		end_word(r);
		r->lex->command = true;
		r->at++;
	} else if (c == '<' && peek(r, 1) == '<' && peek(r, 2) != '<') {
		end_word(r);
		announce_here(r);
	} else if (c == '<' || c == '>') {
		end_word(r);
		r->at += peek(r, 1) == '<' ? 3 : 1;
	} else {
		begin_word(r);
		r->at++;
	}
}

void lex_read(const char *text, size_t len, struct lex *ret)
{
	struct reader r = {.text = text, .len = len, .lex = ret, .word = SIZE_MAX};

	*ret = (struct lex){.command = true};
	while (r.at < len) {
		char c = text[r.at], in = top(ret);

		if (in == '\'' || in == 'E')
			in_single(&r, c);
		else if (quoting(&r, c))
			continue;
		else if (in == '"')
			r.at++;
		else if (in == 'A' || in == 'a')
			in_arithmetic(&r, c);
		else if (in == '{')
			r.at++, (void)(c == '}' ? pop(ret) : (void)0);
		else
			in_command(&r, c);
	}
	r.at = len;
	/* The end of the text is the end of its line, but its last word may go on. */
	ret->here |= r.here_count > 0;
	if (r.word != SIZE_MAX) {
		bool command = ret->command;

		end_word(&r);
		ret->command = command;
	}
}

/* Whether the last thing is an operator that wants another command. */
static bool ends_in_operator(const char *text, size_t len)
{
	while (len && strchr(" \t\n", text[len - 1]))
		len--;
	return len &&
	       (text[len - 1] == '|' || (text[len - 1] == '&' && len > 1 && text[len - 2] == '&'));
}

enum lex_verdict lex_judge(const char *text, size_t len)
{
	struct lex lex;

	lex_read(text, len, &lex);
	if (lex.escaped || lex.here)
		return LEX_OPEN;
	if (lex.depth == 1 && strchr("'\"E", lex.open[0]))
		return LEX_OPEN;
	return lex.special || lex.depth || ends_in_operator(text, len) ? LEX_ASK : LEX_WHOLE;
}
