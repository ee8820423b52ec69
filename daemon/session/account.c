/* The record's lines: see account.h. */
#include "account.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/names.h"
#include "shared/shown.h"
#include "shared/utf8.h"

#define WHY_MAX 400

/* ---- a command, as a shell would read it ---- */

enum quoting {
	QUOTING_NONE,
	QUOTING_SINGLE, /* '...' */
	QUOTING_ESCAPES /* $'...', which alone can write a control character as something else */
};

/* What is written, and how much room there is. */
struct writer {
	char *to;
	size_t at;
	bool cut;
};

/* The character that text begins with, if it can be written as it is: its bytes, or 0. */
static size_t as_it_is(const char *text, size_t len)
{
	uint32_t c;
	size_t n = utf8_char(text, len, &c);

	return n && !shown_is_control(c) ? n : 0;
}

static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_@%+:,./-", c));
}

/* What it takes for the part of a word that has room at most. An = makes no assignment behind the first. */
static enum quoting quoting_of(struct msg_text word, bool first)
{
	size_t len = word.len < ACCOUNT_COMMAND_MAX + 4 ? word.len : ACCOUNT_COMMAND_MAX + 4;
	enum quoting quoting = len ? QUOTING_NONE : QUOTING_SINGLE;

	/* That is how a cut is written. */
	if (len >= 3 && memcmp(word.ptr + len - 3, "...", 3) == 0)
		quoting = QUOTING_SINGLE;
	for (size_t i = 0, n; i < len; i += n) {
		n = as_it_is(word.ptr + i, word.len - i);
		if (!n)
			return QUOTING_ESCAPES;
		if (n > 1 || !(is_plain(word.ptr[i]) || (word.ptr[i] == '=' && !first)))
			quoting = QUOTING_SINGLE;
	}
	return quoting;
}

/* One character in that quoting to unit, how many bytes of the word it is to *ret_taken: its length. */
static size_t write_unit(const char *text, size_t len, enum quoting quoting, char unit[8],
			 size_t *ret_taken)
{
	size_t n = as_it_is(text, len);

	*ret_taken = n ? n : 1;
	if (!n)
		return (size_t)snprintf(unit, 8, "\\%03o", (unsigned char)text[0]);
	if (quoting == QUOTING_SINGLE && text[0] == '\'')
		return (size_t)snprintf(unit, 8, "'\\''");
	if (quoting == QUOTING_ESCAPES && (text[0] == '\'' || text[0] == '\\'))
		return (size_t)snprintf(unit, 8, "\\%c", text[0]);
	memcpy(unit, text, n);
	return n;
}

static void put(struct writer *writer, const char *text, size_t len)
{
	memcpy(writer->to + writer->at, text, len);
	writer->at += len;
}

static void write_word(struct writer *writer, struct msg_text word, bool first)
{
	static const char *const opening[] = {"", "'", "$'"};
	enum quoting quoting = quoting_of(word, first);
	size_t open_len = strlen(opening[quoting]), close_len = quoting ? 1 : 0;
	size_t blank = first ? 0 : 1;
	char unit[8];

	if (writer->at + blank + open_len + close_len > ACCOUNT_COMMAND_MAX) {
		writer->cut = true;
		put(writer, " ...", 4);
		return;
	}
	put(writer, " ", blank);
	put(writer, opening[quoting], open_len);
	for (size_t i = 0, taken; i < word.len && !writer->cut; i += taken) {
		size_t n = write_unit(word.ptr + i, word.len - i, quoting, unit, &taken);

		if (writer->at + n + close_len > ACCOUNT_COMMAND_MAX)
			writer->cut = true;
		else
			put(writer, unit, n);
	}
	put(writer, "'", close_len);
	if (writer->cut)
		put(writer, "...", 3);
}

void account_command(const struct msg_exec_request *request, char ret[ACCOUNT_COMMAND_LEN])
{
	bool is_shell = request->login_shell || request->user_shell;
	struct writer writer = {.to = ret};
	struct msg_list args = request->args;
	struct msg_text word = request->cmd;
	uint8_t pieces[2 * ACCOUNT_COMMAND_LEN];

	/* No word that is quoted looks like these. */
	if (is_shell)
		writer.at = (size_t)sprintf(ret, "%s",
					    request->login_shell ? "(login shell)" : "(shell)");
	else
		write_word(&writer, word, true);
	while (!writer.cut && msg_peek_text(&args, pieces, sizeof(pieces), &word))
		write_word(&writer, word, false);
	/* A word in more pieces than are put together for this. */
	if (args.count && !writer.cut)
		put(&writer, " ...", 4);
	ret[writer.at] = '\0';
}

/* ---- fields ---- */

static void add(struct account *account, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One more, behind the others in the text; the sizes are such that all fit. */
static void add(struct account *account, const char *key, const char *fmt, ...)
{
	char *value = account->text + account->text_len;
	size_t room = sizeof(account->text) - account->text_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || account->count == ACCOUNT_FIELDS_MAX)
		return;
	account->fields[account->count++] = (struct log_field){key, value};
	account->text_len += (size_t)n + 1;
}

static void say(struct account *account, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct account *account, const char *fmt, ...)
{
	char *at = account->line + account->line_len;
	size_t room = sizeof(account->line) - account->line_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		account->line_len += (size_t)n < room ? (size_t)n : room - 1;
}

static void begin(struct account *account, uint64_t number, const char *event)
{
	account->count = account->text_len = account->line_len = 0;
	add(account, "event", "%s", event);
	add(account, "session", "%llu", (unsigned long long)number);
	say(account, "session %llu %s:", (unsigned long long)number, event);
}

/* The first two are said by the line's first words. */
static void finish(struct account *account)
{
	for (size_t i = 2; i < account->count; i++)
		say(account, " %s=%s", account->fields[i].key, account->fields[i].value);
}

static void add_owner(struct account *account, const struct owner *owner)
{
	static const char *const ways[] = {
		[OWNER_BY_STDIO] = "stdio",
		[OWNER_BY_UNIX] = "unix",
		[OWNER_BY_VSOCK] = "vsock",
		[OWNER_BY_SERIAL] = "serial",
	};

	add(account, "from", "%s", ways[owner->way]);
	if (owner->way == OWNER_BY_UNIX) {
		add(account, "uid", "%u", owner->number);
		add(account, "pid", "%d", owner->pid);
	}
	if (owner->way == OWNER_BY_VSOCK) {
		add(account, "cid", "%u", owner->cid);
		add(account, "port", "%u", owner->port);
	}
	if (owner->kind == OWNER_RELAYED)
		add(account, "for_uid", "%u", owner->number);
}

void account_of_begin(struct account *account, const struct account_begin *of)
{
	begin(account, of->number, "begins");
	add_owner(account, &of->owner);
	add(account, "id", "%u", of->id);
	if (of->as_known)
		add(account, "as", "%u:%u", of->uid, of->gid);
	if (of->leader)
		add(account, "leader", "%d", of->leader);
	if (of->tty)
		add(account, "tty", "yes");
	if (of->kept[0])
		add(account, "kept", "%s", of->kept);
	add(account, "command", "%s", of->command);
	finish(account);
}

/* Why it was made to end, or NULL. */
static const char *because(const struct account_end *of)
{
	return of->oom_killed	 ? "oom"
	       : of->overdue	 ? "max_time"
	       : of->timed_out	 ? "timeout"
	       : of->shutdown	 ? "shutdown"
	       : of->client_lost ? "client_lost"
				 : NULL;
}

static void add_how(struct account *account, const struct account_end *of)
{
	static const char *const hows[] = {
		[ACCOUNT_EXITED] = "exited", [ACCOUNT_KILLED] = "killed",
		[ACCOUNT_FAILED] = "failed", [ACCOUNT_UNKNOWN] = "unknown",
		[ACCOUNT_LEFT] = "left",
	};
	const char *name = signal_name(of->signal);

	add(account, "how", "%s", hows[of->how]);
	if (of->how == ACCOUNT_EXITED)
		add(account, "code", "%d", of->code);
	if (of->how == ACCOUNT_KILLED && name)
		add(account, "signal", "%s", name);
	else if (of->how == ACCOUNT_KILLED)
		add(account, "signal", "%d", of->signal);
	if (of->how == ACCOUNT_KILLED && of->core_dumped)
		add(account, "core", "yes");
	if (because(of))
		add(account, "because", "%s", because(of));
}

/* What has a peer's words in it. */
static void add_why(struct account *account, const char *why)
{
	char words[WHY_MAX];

	shown_put(words, sizeof(words), why, strlen(why));
	add(account, "why", "%s", words);
}

void account_of_end(struct account *account, const struct account_end *of)
{
	begin(account, of->number, "ends");
	add_how(account, of);
	if (of->kept[0])
		add(account, "kept", "%s", of->kept);
	add(account, "ms", "%llu", (unsigned long long)of->ms);
	add(account, "in", "%llu", (unsigned long long)of->in);
	add(account, "out", "%llu", (unsigned long long)of->out);
	add(account, "err", "%llu", (unsigned long long)of->err);
	if (of->how == ACCOUNT_FAILED)
		add_why(account, of->why);
	finish(account);
}

void account_of_missing(struct account *account, uint64_t count, unsigned allowed)
{
	account->count = account->text_len = account->line_len = 0;
	add(account, "event", "missing");
	add(account, "count", "%llu", (unsigned long long)count);
	say(account,
	    "%llu sessions are missing in this record: one client began more than %u within a "
	    "second",
	    (unsigned long long)count, allowed);
}
