/* The guests that have names, listed: see guest_list.h. */
#include "guest_list.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client/client.h"
#include "cli/options/exit.h"
#include "cli/report/json.h"
#include "cli/terminal/signals.h"
#include "columns.h"
#include "shared/base.h"
#include "shared/log.h"
#include "shared/shown.h"

#define AT_ONCE	     64 /* each has descriptors, and maybe a process */
#define LOOK_MS	     20 /* between looks whether a process is gone */
#define ENDPOINT_MAX 48 /* columns of it in a terminal, and what it shifts the others by */
#define ENDPOINT_MIN 8	/* what it keeps in a narrow one */
#define ANSWER_MIN   32 /* columns that it leaves to the answer, if that is so long */

struct asked {
	struct guest_list *of;
	const char *name, *endpoint; /* in the file */
	struct client client;
	bool told;     /* it has answered, or will not */
	bool answers;  /* its version is the client's */
	bool gone;     /* and nothing is left of its connection */
	char *failure; /* owned; why it does not, with its address */
	char *why;     /* owned; the same in a few words */
};

struct guest_list {
	const struct opts *opts;
	struct loop loop;
	struct buf_spare *spare;
	struct guests file;
	struct asked *list; /* owned */
	size_t count, cap;
	size_t begun, gone;
	struct loop_timer look;
	int signal; /* that ended it all, or 0 */
	int status;
};

static int fail(struct guest_list *list, const struct err *err)
{
	log_err(err);
	list->status = EXIT_FAILED;
	return -EINVAL;
}

/* ---- the file ---- */

static int add(struct guest_list *list, const struct guest_line *line)
{
	size_t cap = list->cap ? 2 * list->cap : 16;
	struct asked *more = list->list;

	if (list->count == list->cap) {
		more = reallocarray(more, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->list = more;
		list->cap = cap;
	}
	more[list->count++] =
		(struct asked){.of = list, .name = line->name, .endpoint = line->endpoint};
	return 0;
}

/* What is wrong with a line is said, and the others are listed. */
static int read_file(struct guest_list *list)
{
	struct guest_line line;
	struct err err;
	int r = guests_open(&list->file, &err);

	if (r == -ENOENT && list->file.path[0]) {
		log_warn("no guest has a name: there is no %s", list->file.path);
		return 0;
	}
	if (r < 0)
		return fail(list, &err);
	while ((r = guests_next(&list->file, &line, &err)) != 0) {
		if (r > 0 && opts_check_guest(&line, NULL, &err) < 0)
			r = guests_about(&list->file, line.number, &err);
		if (r < 0)
			fail(list, &err);
		else if (add(list, &line) < 0) {
			err_set(&err, ENOMEM, NULL, "the list of guests");
			return fail(list, &err);
		}
	}
	return 0;
}

/* ---- asking ---- */

/* It is seen to outside of its own call. */
static void tell(struct asked *asked)
{
	asked->told = true;
	loop_arm(&asked->of->loop, &asked->of->look, 0);
}

static void on_greeted(struct client *client)
{
	struct asked *asked = client->owner;

	asked->answers = true;
	tell(asked);
}

/* What is no errno's is a sentence that mostly begins with the address, which stands beside it. */
static const char *in_few_words(const struct client *client, const struct err *err)
{
	size_t len = strlen(client->name);

	if (err->num == ETIMEDOUT)
		return "no answer in time";
	if (err->num)
		return strerror(err->num);
	return strncmp(err->text, client->name, len) == 0 && err->text[len] == ' '
		       ? err->text + len + 1
		       : err->text;
}

static void on_lost(struct client *client, const struct err *err)
{
	struct asked *asked = client->owner;
	char words[ERR_TEXT_MAX + 64];

	if (asked->told)
		return;
	asked->failure = strdup(err_words(err, words, sizeof(words)));
	asked->why = strdup(in_few_words(client, err));
	tell(asked);
}

static bool on_turn(struct client *client)
{
	(void)client;
	return true;
}

static void begin(struct guest_list *list, struct asked *asked)
{
	struct reach_terms terms = {.address = asked->endpoint,
				    .connect_ms = list->opts->connect_ms};
	struct client *client = &asked->client;

	client->owner = asked;
	client->on_greeted = on_greeted;
	client->on_lost = on_lost;
	client->on_turn = on_turn;
	client_connect(client, &list->loop, &terms, 0, list->spare);
}

/* Ends those that have told, begins others in their place. */
static void on_look(struct loop_timer *timer)
{
	struct guest_list *list = container_of(timer, struct guest_list, look);
	bool waits = false;

	for (size_t i = 0; i < list->begun; i++) {
		struct asked *asked = &list->list[i];

		if (!asked->told || asked->gone)
			continue;
		asked->gone = client_part(&asked->client);
		list->gone += asked->gone;
		waits |= !asked->gone;
	}
	while (list->begun < list->count && list->begun - list->gone < AT_ONCE)
		begin(list, &list->list[list->begun++]);
	if (list->gone == list->count)
		loop_stop(&list->loop);
	else if (waits)
		loop_arm(&list->loop, timer, LOOK_MS);
}

/* What was started is ended first. */
static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	container_of(loop, struct guest_list, loop)->signal = signal->number;
	loop_stop(loop);
}

static void ask(struct guest_list *list)
{
	static const int watched[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
	int r = loop_init(&list->loop);

	if (r < 0) {
		log_error("cannot set up the event loop: %s", strerror(-r));
		list->status = EXIT_FAILED;
		return;
	}
	signals_watch(&list->loop, watched, ARRAY_LEN(watched), on_signal);
	list->look.on_due = on_look;
	loop_arm(&list->loop, &list->look, 0);
	r = loop_run(&list->loop);
	if (r < 0) {
		log_error("cannot wait for the guests: %s", strerror(-r));
		list->status = EXIT_FAILED;
	}
}

/* ---- the table ---- */

enum column { COLUMN_NAME, COLUMN_ENDPOINT, COLUMN_ANSWER, COLUMNS };

/* What an agent or a file says reaches no terminal that it could drive. */
static void put_shown(const char *text, FILE *out)
{
	size_t len = strlen(text);
	char one[SHOWN_MAX];

	for (size_t at = 0; at < len;) {
		at += shown_next(text + at, len - at, one);
		fputs(one, out);
	}
}

/* Malloced, or NULL. */
static char *make_cell(const struct asked *asked, enum column column)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (column == COLUMN_ANSWER && asked->answers)
		fputs("answers, ", out);
	if (column == COLUMN_NAME)
		put_shown(asked->name, out);
	else if (column == COLUMN_ENDPOINT)
		put_shown(asked->endpoint, out);
	else if (asked->answers)
		put_shown(asked->client.agent.version, out);
	else
		put_shown(asked->why ? asked->why : "no answer", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* A text in a column of so many; of a terminal it does not get wider. */
static void put_padded(const char *text, size_t width, bool cut, FILE *out)
{
	size_t taken = columns_width(text, 1);

	columns_put_cut(text, cut && taken > width ? width : SIZE_MAX, out);
	taken = cut && taken > width ? width : taken;
	fprintf(out, "%*s", (int)(taken < width ? width - taken : 0) + 2, "");
}

/* In a terminal the address leaves room for what is said of it. */
static void put_row(char *const cells[COLUMNS], const size_t widths[COLUMNS], FILE *out)
{
	size_t all = columns_of_terminal(), name = widths[COLUMN_NAME] + 2;
	size_t endpoint = widths[COLUMN_ENDPOINT], answer = widths[COLUMN_ANSWER];

	answer = answer < ANSWER_MIN ? answer : ANSWER_MIN;
	if (all && name + endpoint + 2 + answer > all)
		endpoint = all > name + 2 + answer + ENDPOINT_MIN ? all - name - 2 - answer
								  : ENDPOINT_MIN;
	put_padded(cells[COLUMN_NAME], widths[COLUMN_NAME], false, out);
	put_padded(cells[COLUMN_ENDPOINT], endpoint, all, out);
	name += endpoint + 2;
	columns_put_cut(cells[COLUMN_ANSWER], !all ? SIZE_MAX : all > name ? all - name : 0, out);
	fputc('\n', out);
}

/* A row of the list, or of the head: to be measured, or with out to be printed. */
static void see_row(const struct asked *asked, size_t widths[COLUMNS], FILE *out)
{
	static const char *const titles[COLUMNS] = {"NAME", "ENDPOINT", "ANSWER"};
	char *cells[COLUMNS];

	for (int i = 0; i < COLUMNS; i++) {
		size_t width;

		/* -fanalyzer: no leak, each is freed below */
		cells[i] = asked ? make_cell(asked, (enum column)i) : strdup(titles[i]);
		width = cells[i] ? columns_width(cells[i], 1) : 0;
		if (i == COLUMN_ENDPOINT && width > ENDPOINT_MAX)
			width = ENDPOINT_MAX;
		widths[i] = width > widths[i] ? width : widths[i];
	}
	if (out && cells[COLUMN_NAME] && cells[COLUMN_ENDPOINT] && cells[COLUMN_ANSWER])
		put_row(cells, widths, out);
	for (int i = 0; i < COLUMNS; i++)
		free(cells[i]);
}

static void print_table(const struct guest_list *list, FILE *out)
{
	size_t widths[COLUMNS] = {0};

	see_row(NULL, widths, NULL);
	for (size_t i = 0; i < list->count; i++)
		see_row(&list->list[i], widths, NULL);
	see_row(NULL, widths, out);
	for (size_t i = 0; i < list->count; i++)
		see_row(&list->list[i], widths, out);
}

/* ---- JSON ---- */

static void print_object(const struct asked *asked, FILE *out)
{
	const char *version = asked->answers ? asked->client.agent.version : NULL;
	const char *failure = asked->failure ? asked->failure : "no answer";
	size_t texts = strlen(asked->name) + strlen(asked->endpoint) + strlen(failure) +
		       sizeof(asked->client.agent.version);
	size_t size = JSON_SIZE_MIN + JSON_ESCAPED * texts;
	char *space = malloc(size);
	struct json json;

	if (!space)
		return;
	json_begin(&json, space, size);
	json_word(&json, "name", asked->name);
	json_word(&json, "endpoint", asked->endpoint);
	json_bool(&json, "answers", asked->answers);
	json_word(&json, "agent", version);
	json_word(&json, "error", asked->answers ? NULL : failure);
	fwrite(space, 1, json_end(&json), out);
	free(space);
}

/* ---- the whole ---- */

static void print(const struct guest_list *list, FILE *out)
{
	if (!list->opts->json)
		print_table(list, out);
	for (size_t i = 0; list->opts->json && i < list->count; i++)
		print_object(&list->list[i], out);
}

static void release(struct guest_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct asked *asked = &list->list[i];

		if (i < list->begun)
			client_release(&asked->client);
		free(asked->failure);
		free(asked->why);
	}
	free(list->list);
	guests_close(&list->file);
	if (list->begun)
		loop_release(&list->loop);
}

int guest_list_run(const struct opts *opts, struct buf_spare *spare)
{
	static struct guest_list list;

	list.opts = opts;
	list.spare = spare;
	if (read_file(&list) == 0 && list.count) {
		ask(&list);
		if (!list.signal)
			print(&list, stdout);
	}
	release(&list);
	if (list.signal)
		signals_die_of(list.signal);
	return list.status;
}
