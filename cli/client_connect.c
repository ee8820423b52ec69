/* The beginning and the end of a connection to an agent: see client.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "../shared/process.h"
#include "client_inside.h"
#include "hint.h"

#define OUT_MAX	      (FRAME_WIRE_MAX + 1024 * 1024) /* a whole request, and input behind it */
#define PAUSE_MS      50			     /* between tries */
#define PAUSE_EXEC_MS 1000
#define PAUSE_END_MS  20   /* between looks whether the program of the last try has ended */
#define ENDING_MS     1000 /* from the end of its stream to that of a process */
#define PATIENCE_MS   4000 /* the same, once more: a daemon gives its commands 2 s */

/* ---- the end ---- */

static void say_ended(struct client *client, const char *how, int status)
{
	char said[CLIENT_QUOTE_LEN + 32] = "", quote[CLIENT_QUOTE_LEN];
	struct err err;

	if (client_quote(client, quote, sizeof(quote)))
		snprintf(said, sizeof(said), "; it said \"%s\"", quote);
	if (client->greeted) {
		err_set(&err, 0, NULL, "lost the connection to %s: %s%s", client->name,
			how ? "it ended with " : "the agent closed it", how ? how : "");
	} else if (how) {
		err_set(&err, 0, NULL, "%s ended with %s before an agent answered%s", client->name,
			how, said);
		if (status >= 0)
			hint_greeting(&client->dial.endpoint, status, &err);
	} else {
		err_set(&err, 0, NULL, "%s closed the connection at once%s", client->name, said);
		err_hint(&err, "may uid %u connect? msb-execd --allow-uid lets it", geteuid());
	}
	client_lose(client, &err);
}

static void stop_waiting(struct client *client)
{
	int fd = client->ending.fd;

	if (fd < 0)
		return;
	loop_disarm(client->loop, &client->deadline);
	loop_remove(client->loop, &client->ending);
	close(fd);
}

static void on_process_ended(struct loop_source *source, uint32_t ready)
{
	struct client *client = container_of(source, struct client, ending);
	char words[64];
	int status;

	(void)ready;
	stop_waiting(client);
	if (waitpid(client->process, &status, WNOHANG) != client->process) {
		say_ended(client, NULL, -1);
		return;
	}
	client->process = 0;
	say_ended(client, process_words(status, words, sizeof(words)),
		  WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

void client_lose_ended(struct client *client, int error)
{
	struct err err;
	int fd;

	if (client->lost)
		return;
	/* What was not sent goes nowhere, and its end would be there to be read for ever. */
	link_stop(&client->link);
	if (error && client->process <= 0) {
		err_set(&err, error, NULL, "lost the connection to %s", client->name);
		client_lose(client, &err);
		return;
	}
	/* From Linux 5.3 on; without it the line says a little less. */
	fd = client->process > 0 ? (int)syscall(SYS_pidfd_open, client->process, 0) : -1;
	if (fd < 0) {
		say_ended(client, NULL, -1);
		return;
	}
	loop_source_init(&client->ending, fd, on_process_ended);
	loop_want(client->loop, &client->ending, LOOP_IN);
	loop_arm(client->loop, &client->deadline, ENDING_MS);
}

static void on_deadline(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, deadline);
	char quote[CLIENT_QUOTE_LEN];
	struct err err;

	if (client->ending.fd >= 0) {
		stop_waiting(client);
		say_ended(client, NULL, -1);
		return;
	}
	if (client_quote(client, quote, sizeof(quote)))
		err_set(&err, ETIMEDOUT, NULL, "no greeting from %s, which said \"%s\"",
			client->name, quote);
	else
		err_set(&err, ETIMEDOUT, NULL, "%s %s",
			client->greeted ? "no answer from" : "no greeting from", client->name);
	/* It is in the background, and what reads or sets a terminal there the kernel stops. */
	if (client->process > 0 && process_is_stopped(client->process))
		err_hint(&err, "it was stopped, maybe because it asks for a password, and the "
			       "terminal is the command's; use a key");
	else if (!client->greeted)
		hint_greeting(&client->dial.endpoint, -1, &err);
	client_lose(client, &err);
}

void client_release(struct client *client)
{
	/* Of an agent that said nothing or no more there is nothing to wait for. */
	bool patient = client->greeted && !client->lost && !client->patience.said;

	client_drop(client);
	dial_cancel(&client->dial);
	loop_disarm(client->loop, &client->again);
	stop_waiting(client);
	loop_disarm(client->loop, &client->deadline);
	loop_disarm(client->loop, &client->alive);
	loop_disarm(client->loop, &client->patience_due);
	if (client->linked)
		link_release(&client->link);
	client->linked = false;
	if (client->process > 0)
		process_end(client->process, patient ? PATIENCE_MS : 0);
	process_end_now(&client->old);
}

/* ---- the beginning ---- */

static uint64_t left_ms(const struct client *client)
{
	uint64_t now = loop_now_ms();

	if (client->connect_due_ms == DIAL_FOREVER)
		return DIAL_FOREVER;
	return client->connect_due_ms > now ? client->connect_due_ms - now : 0;
}

static void take_stream(struct client *client, int fd, pid_t process)
{
	uint64_t left = left_ms(client);

	client->process = process;
	link_init(&client->link, client->loop, fd, fd, OUT_MAX, client->spare, &client_calls,
		  LINK_TO_THE_LAST);
	link_take_raw(&client->link, true);
	client->linked = true;
	if (left != DIAL_FOREVER)
		loop_arm(client->loop, &client->deadline, left);
}

static void on_dialed(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	struct client *client = container_of(dial, struct client, dial);
	struct err hinted;

	if (fd >= 0) {
		take_stream(client, fd, process);
		return;
	}
	hinted = *err;
	hint_connect(&dial->endpoint, client->wait_ms, &hinted);
	client_lose(client, &hinted);
}

static void connect_to(struct client *client, const char *text,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err))
{
	struct endpoint endpoint;
	struct err err;

	if (endpoint_parse(text, ENDPOINT_CLIENT, &endpoint, &err) < 0) {
		client->wait_ms = 0;
		client_lose(client, &err);
		return;
	}
	endpoint_name(&endpoint, client->name, sizeof(client->name));
	dial_start(&client->dial, client->loop, &endpoint, left_ms(client), on_done);
}

/* The user's own place counts as well as the system's: whether it is there is known by now. */
static void on_system_dialed(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	struct client *client = container_of(dial, struct client, dial);
	struct err ours;

	if (fd >= 0) {
		take_stream(client, fd, process);
		return;
	}
	err_set(&ours, err->num, NULL, "no agent at %s%s%sunix:" ENDPOINT_SYSTEM,
		client->users[0] ? "unix:" : "", client->users, client->users[0] ? " nor at " : "");
	if (err->num == ENOENT)
		err_hint(&ours, "start one with msb-execd, name its address with -S, or use "
				"--local");
	else
		hint_connect(&dial->endpoint, client->wait_ms, &ours);
	client_lose(client, &ours);
}

static void on_users_dialed(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	struct client *client = container_of(dial, struct client, dial);

	if (fd >= 0) {
		take_stream(client, fd, process);
		return;
	}
	client->users_num = err->num;
	connect_to(client, ENDPOINT_SYSTEM, on_system_dialed);
}

/* Without an address: the user's daemon, then the system's. */
static void connect_usual(struct client *client)
{
	client->users_num = EINVAL;
	if (endpoint_of_user(client->users))
		connect_to(client, client->users, on_users_dialed);
	else
		connect_to(client, ENDPOINT_SYSTEM, on_system_dialed);
}

static uint64_t due_after(uint64_t now_ms, uint64_t ms)
{
	return ms == DIAL_FOREVER ? DIAL_FOREVER : now_ms + ms;
}

static void try_once(struct client *client)
{
	client->connect_due_ms = due_after(loop_now_ms(), client->connect_ms);
	if (client->address)
		connect_to(client, client->address, on_dialed);
	else
		connect_usual(client);
}

/* ---- an agent that is not there yet ---- */

/* Whether what failed may have been that the guest is still on its way. */
static bool may_pass(int num)
{
	static const int passing[] = {0,	   ENOENT,    ENOTDIR, ECONNREFUSED, ECONNRESET,
				      EPIPE,	   ETIMEDOUT, ENODEV,  EHOSTUNREACH, ENETUNREACH,
				      ECONNABORTED};

	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (passing[i] == num)
			return true;
	return false;
}

static bool is_to_be_waited_for(const struct client *client, int num)
{
	if (client->greeted || !client->wait_ms || client->dial.endpoint.kind == ENDPOINT_LOCAL)
		return false;
	/* Of the usual places one is enough. */
	return may_pass(num) || (!client->address && may_pass(client->users_num));
}

bool client_tries_again(struct client *client, const struct err *err)
{
	/* A program costs more than a look at a socket, and may say each time why it failed. */
	uint64_t pause = client->dial.endpoint.kind == ENDPOINT_EXEC ? PAUSE_EXEC_MS : PAUSE_MS;
	uint64_t now = loop_now_ms();
	char words[ERR_TEXT_MAX + 64];

	if (!is_to_be_waited_for(client, err->num) || now >= client->wait_due_ms)
		return false;
	if (!client->tries++)
		log_info("%s; trying again", err_words(err, words, sizeof(words)));
	loop_disarm(client->loop, &client->deadline);
	/* The last one at the very end: it may be there by then. */
	if (pause > client->wait_due_ms - now)
		pause = client->wait_due_ms - now;
	loop_arm(client->loop, &client->again, pause);
	return true;
}

void client_tell_lost(struct client *client, const struct err *err)
{
	struct err told = *err;
	char tried[32] = "";

	if (client->tries)
		snprintf(tried, sizeof(tried), ", tried %u times", client->tries + 1);
	if (!client->greeted && (client->tries || client->from))
		snprintf(told.text, sizeof(told.text), "%.430s%s%s%s", err->text,
			 client->from ? ", the address in " : "", client->from ? client->from : "",
			 tried);
	client->on_lost(client, &told);
}

/* What is left of a try. The program that carried it ends beside the loop, which serves signals. */
static void clear_away(struct client *client)
{
	stop_waiting(client);
	if (client->linked)
		link_release(&client->link);
	client->linked = false;
	if (client->process > 0)
		process_end_on(&client->old, client->loop, client->process, 0);
	client->process = 0;
}

static void on_again(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, again);

	clear_away(client);
	if (client->old.pid) {
		loop_arm(client->loop, timer, PAUSE_END_MS);
		return;
	}
	client->lost = false;
	try_once(client);
}

void client_connect(struct client *client, struct loop *loop, const char *text,
		    struct buf_spare *spare)
{
	client->loop = loop;
	client->spare = spare;
	client->address = text;
	client->deadline.on_due = on_deadline;
	client->again.on_due = on_again;
	client->ending.fd = -1;
	client->wait_due_ms = due_after(loop_now_ms(), client->wait_ms);
	try_once(client);
}
