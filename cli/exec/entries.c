/* The list of kept sessions, collected and printed: see entries.h. */
#include "entries.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/exit.h"
#include "cli/report/json.h"
#include "columns.h"
#include "shared/base.h"
#include "shared/names.h"
#include "shared/shown.h"
#include "shared/utf8.h"

#define PAD_MAX	 64  /* columns that one long text may shift the others by */
#define CELL_MAX 200 /* that it may take */

struct entry {
	struct msg_session_entry said; /* its texts are in the payload */
	size_t turn;		       /* in which it came */
	uint8_t *payload;	       /* owned */
	size_t len;		       /* of the payload */
};

/* ---- collecting ---- */

static int make_room(struct entries *entries)
{
	size_t cap = entries->cap ? 2 * entries->cap : 16;
	struct entry *list;

	if (entries->count < entries->cap)
		return 0;
	list = reallocarray(entries->list, cap, sizeof(*list));
	if (!list)
		return -ENOMEM;
	entries->list = list;
	entries->cap = cap;
	return 0;
}

int entries_add(struct entries *entries, struct msg_bytes payload)
{
	size_t bytes = sizeof(struct entry) + payload.len;
	struct entry *entry;
	uint8_t *copy;
	int r;

	if (bytes > ENTRIES_MAX_BYTES - entries->bytes)
		return -E2BIG;
	if (make_room(entries) < 0)
		return -ENOMEM;
	copy = malloc(payload.len);
	if (!copy)
		return -ENOMEM;
	/* What is decoded points into what it was decoded from, which has to stay. */
	memcpy(copy, payload.ptr, payload.len);
	entry = &entries->list[entries->count];
	*entry = (struct entry){.turn = entries->count, .payload = copy, .len = payload.len};
	r = msg_decode(MSG_SESSION_ENTRY, (struct msg_bytes){copy, payload.len}, &entry->said);
	if (r < 0) {
		free(copy);
		return r;
	}
	entries->count++;
	entries->bytes += bytes;
	return 0;
}

void entries_release(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free(entries->list[i].payload);
	free(entries->list);
	*entries = (struct entries){0};
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->said.age_ms != b->said.age_ms)
		return a->said.age_ms > b->said.age_ms ? -1 : 1;
	return a->turn < b->turn ? -1 : 1;
}

void entries_sort(struct entries *entries)
{
	if (entries->count)
		qsort(entries->list, entries->count, sizeof(*entries->list), compare);
}

/* ---- text that is not trusted ---- */

/* The next character of text that is UTF-8, and of how many bytes it is; 0 at the end. */
static size_t next_char(struct msg_text text, size_t at, uint32_t *ret)
{
	return at < text.len ? utf8_char(text.ptr + at, text.len - at, ret) : 0;
}

static bool is_plain(uint32_t c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || strchr("_@%+=:,./-", (int)c);
}

/* As one word of a shell; with control characters, of one that has $''. */
static void put_word(struct msg_text text, FILE *out)
{
	bool plain = text.len > 0, controls = false;
	uint32_t c = 0;
	size_t n;

	for (size_t at = 0; (n = next_char(text, at, &c)); at += n) {
		plain &= is_plain(c) && !shown_is_control(c);
		controls |= shown_is_control(c);
	}
	if (plain) {
		fwrite(text.ptr, 1, text.len, out);
		return;
	}
	fputs(controls ? "$'" : "'", out);
	for (size_t at = 0; (n = next_char(text, at, &c)); at += n) {
		char one[SHOWN_MAX];

		if (shown_is_control(c)) {
			shown_next(text.ptr + at, n, one);
			fputs(one, out);
		} else if (c == '\'') {
			fputs(controls ? "\\'" : "'\\''", out);
		} else if (c == '\\' && controls) {
			fputs("\\\\", out);
		} else {
			fwrite(text.ptr + at, 1, n, out);
		}
	}
	fputc('\'', out);
}

static void put_words(struct msg_list list, FILE *out)
{
	struct msg_text word;

	for (const char *before = ""; msg_next_text(&list, &word) > 0; before = " ") {
		fputs(before, out);
		put_word(word, out);
	}
}

/* ---- the table ---- */

enum column {
	COLUMN_ID,
	COLUMN_NAME,
	COLUMN_USER,
	COLUMN_PID,
	COLUMN_STATE,
	COLUMN_AGE,
	COLUMN_CPU,
	COLUMN_ATTACHED,
	COLUMN_COMMAND,
	COLUMNS
};

static const char *const titles[COLUMNS] = {"ID",  "NAME", "USER",     "PID",	 "STATE",
					    "AGE", "CPU",  "ATTACHED", "COMMAND"};

static void put_text(struct msg_text text, FILE *out)
{
	if (text.ptr)
		put_word(text, out);
	else
		fputc('-', out);
}

static void put_state(const struct msg_session_entry *said, FILE *out)
{
	const struct msg_exec_exited *exited = &said->exited;
	const char *name = signal_name(exited->signal);

	if (!said->ended)
		fputs("running", out);
	else if (exited->timed_out)
		fputs("timed out", out);
	else if (name)
		fprintf(out, "killed %s", name);
	else if (exited->signal)
		fprintf(out, "killed %u", exited->signal);
	else
		fprintf(out, "exited %" PRId32, exited->code);
}

static void put_age(uint64_t age_ms, FILE *out)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	uint64_t s = age_ms / 1000;
	size_t i = 0;

	while (units[i].s > 1 && s < units[i].s)
		i++;
	fprintf(out, "%" PRIu64 "%c", s / units[i].s, units[i].unit);
}

static void put_cell(const struct msg_session_entry *said, enum column column, FILE *out)
{
	switch (column) {
	case COLUMN_ID:
		put_text(said->session, out);
		break;
	case COLUMN_NAME:
		put_text(said->name, out);
		break;
	case COLUMN_USER:
		put_text(said->user, out);
		break;
	case COLUMN_PID:
		fprintf(out, "%" PRIu32, said->pid);
		break;
	case COLUMN_STATE:
		put_state(said, out);
		break;
	case COLUMN_AGE:
		put_age(said->age_ms, out);
		break;
	case COLUMN_CPU:
		fprintf(out, "%" PRIu64 ".%02us", said->cpu_us / 1000000,
			(unsigned)(said->cpu_us / 10000 % 100));
		break;
	case COLUMN_ATTACHED:
		fprintf(out, "%" PRIu32, said->attached);
		break;
	default:
		put_words(said->command, out);
		break;
	}
}

/* The cells of a row in malloced memory, each terminated; or NULL. */
static char *make_row(const struct msg_session_entry *said, char *ret_cells[COLUMNS])
{
	size_t ends[COLUMNS], size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	for (int i = 0; i < COLUMNS; i++) {
		put_cell(said, (enum column)i, out);
		fputc('\0', out);
		/* The size is told by a flush. */
		fflush(out);
		ends[i] = size;
	}
	failed = ferror(out);
	failed |= fclose(out) != 0;
	if (failed) {
		free(text);
		return NULL;
	}
	for (int i = 0; i < COLUMNS; i++)
		ret_cells[i] = text + (i ? ends[i - 1] : 0);
	return text;
}

static void put_row(char *const cells[COLUMNS], const size_t widths[COLUMNS], size_t width,
		    FILE *out)
{
	size_t at = 0;

	for (int i = 0; i < COLUMN_COMMAND; i++) {
		size_t taken = columns_width(cells[i], 1);
		size_t pad = widths[i] > taken ? widths[i] - taken : 0;

		/* No name is longer, nor any that a user should have. */
		columns_put_cut(cells[i], CELL_MAX, out);
		fprintf(out, "%*s", (int)pad + 2, "");
		at += (taken < CELL_MAX ? taken : CELL_MAX) + pad + 2;
	}
	columns_put_cut(cells[COLUMN_COMMAND],
			!width	     ? SIZE_MAX
			: width > at ? width - at
				     : 0,
			out);
	fputc('\n', out);
}

static void widen(size_t widths[COLUMNS], char *const cells[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++) {
		size_t width = columns_width(cells[i], 1);

		width = width < PAD_MAX ? width : PAD_MAX;
		widths[i] = width > widths[i] ? width : widths[i];
	}
}

/* Each row is made twice, to be measured and to be printed, so that the table is never in memory as a whole. */
int entries_table(const struct entries *entries, FILE *out, size_t width)
{
	size_t widths[COLUMNS] = {0};
	char *cells[COLUMNS], *row;

	for (int i = 0; i < COLUMNS; i++)
		cells[i] = (char *)titles[i];
	widen(widths, cells);
	for (size_t i = 0; i < entries->count; i++) {
		row = make_row(&entries->list[i].said, cells);
		if (!row)
			return -ENOMEM;
		widen(widths, cells);
		free(row);
	}
	for (int i = 0; i < COLUMNS; i++)
		cells[i] = (char *)titles[i];
	put_row(cells, widths, width, out);
	for (size_t i = 0; i < entries->count; i++) {
		row = make_row(&entries->list[i].said, cells);
		if (!row)
			return -ENOMEM;
		put_row(cells, widths, width, out);
		free(row);
	}
	return 0;
}

/* ---- JSON ---- */

static void put_string(struct json *json, const char *key, struct msg_text text)
{
	json_text(json, key, text.ptr, text.len);
}

static void put_strings(struct json *json, const char *key, struct msg_list list)
{
	struct msg_text text;

	json_open_list(json, key);
	while (msg_next_text(&list, &text) > 0)
		put_string(json, NULL, text);
	json_close(json);
}

static void put_range(struct json *json, const char *key, uint64_t begin, uint64_t end)
{
	json_open(json, key);
	json_number(json, "begin", begin);
	json_number(json, "end", end);
	json_close(json);
}

static void put_end(struct json *json, const struct msg_exec_exited *exited)
{
	const char *name = signal_name(exited->signal);
	char number[16];

	json_signed(json, "code", exited->code);
	snprintf(number, sizeof(number), "%u", exited->signal);
	json_word(json, "signal", !exited->signal ? NULL : name ? name : number);
	json_bool(json, "timed_out", exited->timed_out);
	if (!exited->has_usage)
		return;
	json_open(json, "usage");
	json_number(json, "user_us", exited->usage.user_us);
	json_number(json, "sys_us", exited->usage.sys_us);
	json_number(json, "wall_us", exited->usage.wall_us);
	json_number(json, "max_rss_kib", exited->usage.max_rss_kib);
	json_close(json);
}

static void put_object(struct json *json, const struct msg_session_entry *said)
{
	put_string(json, "id", said->session);
	put_string(json, "name", said->name);
	put_string(json, "user", said->user);
	json_number(json, "pid", said->pid);
	json_bool(json, "tty", said->tty);
	json_word(json, "state", said->ended ? "ended" : "running");
	json_number(json, "age_ms", said->age_ms);
	json_number(json, "cpu_us", said->cpu_us);
	json_number(json, "attached", said->attached);
	put_strings(json, "command", said->command);
	put_range(json, "stdout", said->stdout_begin, said->stdout_end);
	put_range(json, "stderr", said->stderr_begin, said->stderr_end);
	if (said->ended)
		put_end(json, &said->exited);
}

int entries_json(const struct entries *entries, FILE *out)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct entry *entry = &entries->list[i];
		/* In the payload a text has its head, which pays for what stands around it in the line. */
		size_t size = JSON_SIZE_MIN + JSON_ESCAPED * entry->len;
		char *space = malloc(size);
		struct json json;

		if (!space)
			return -ENOMEM;
		json_begin(&json, space, size);
		put_object(&json, &entry->said);
		fwrite(space, 1, json_end(&json), out);
		free(space);
	}
	return 0;
}
