/* The way to an agent: see reach.h. */
#include "reach.h"

#include <errno.h>
#include <stdio.h>

#include "cli/options/hint.h"
#include "shared/base.h"
#include "shared/log.h"

#define ADDRESS_MAX 128 /* in a message, of what may be a long command */

#define PAUSE_MS      50 /* between tries */
#define PAUSE_EXEC_MS 1000
#define PAUSE_END_MS  20 /* between looks whether what is left of the last try has gone */

struct reach_terms reach_terms_of(const struct opts *opts)
{
	return (struct reach_terms){.address = opts->endpoint,
				    .guest = opts->guest,
				    .from = opts_endpoint_variable(opts),
				    .connect_ms = opts->connect_ms,
				    .wait_ms = opts->wait_ms};
}

uint64_t reach_left_ms(const struct reach *reach)
{
	uint64_t now = loop_now_ms();

	if (reach->due_ms == DIAL_FOREVER)
		return DIAL_FOREVER;
	return reach->due_ms > now ? reach->due_ms - now : 0;
}

/* ---- one try ---- */

static void connect_to(struct reach *reach, const char *text);

static void on_dialed(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	struct reach *reach = container_of(dial, struct reach, dial);
	struct err told;

	if (fd >= 0) {
		reach->on_stream(reach, fd, process);
		return;
	}
	if (reach->at_users) {
		reach->at_users = false;
		reach->users_num = err->num;
		connect_to(reach, ENDPOINT_SYSTEM);
		return;
	}
	told = *err;
	if (reach->terms.guest)
		snprintf(told.text, sizeof(told.text), "%.430s, the address of %s", err->text,
			 reach->terms.guest);
	/* The user's own place counts as well as the system's: whether it is there is known by now. */
	if (!reach->terms.address)
		err_set(&told, err->num, NULL, "no agent at %s%s%sunix:" ENDPOINT_SYSTEM,
			reach->users[0] ? "unix:" : "", reach->users,
			reach->users[0] ? " nor at " : "");
	if (!reach->terms.address && err->num == ENOENT)
		err_hint(&told, "start one with msb-execd, name its address with -S, or use "
				"--local");
	else
		hint_connect(&dial->endpoint, reach->terms.wait_ms, &told);
	reach_fail(reach, &told);
}

static void name_it(struct reach *reach, const struct endpoint *endpoint)
{
	const char *guest = reach->terms.guest;
	char address[ADDRESS_MAX];

	endpoint_name(endpoint, address, sizeof(address));
	snprintf(reach->name, sizeof(reach->name), guest ? "%s (%s)" : "%s%s", guest ? guest : "",
		 address);
}

static void connect_to(struct reach *reach, const char *text)
{
	struct endpoint endpoint;
	struct err err;

	if (endpoint_parse(text, ENDPOINT_CLIENT, &endpoint, &err) < 0) {
		reach_want_no_more(reach);
		reach_fail(reach, &err);
		return;
	}
	name_it(reach, &endpoint);
	dial_start(&reach->dial, reach->loop, &endpoint, reach_left_ms(reach), on_dialed);
}

static uint64_t due_after(uint64_t now_ms, uint64_t ms)
{
	return ms == DIAL_FOREVER ? DIAL_FOREVER : now_ms + ms;
}

/* Without an address: the user's daemon, then the system's. */
static void try_once(struct reach *reach)
{
	const char *address = reach->terms.address;

	reach->due_ms = due_after(loop_now_ms(), reach->terms.connect_ms);
	reach->users_num = EINVAL;
	reach->at_users = !address && endpoint_of_user(reach->users);
	connect_to(reach, address ? address : reach->at_users ? reach->users : ENDPOINT_SYSTEM);
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

static bool is_to_be_waited_for(const struct reach *reach, int num)
{
	if (!reach->terms.wait_ms || reach->dial.endpoint.kind == ENDPOINT_LOCAL)
		return false;
	/* Of the usual places one is enough. */
	return may_pass(num) || (!reach->terms.address && may_pass(reach->users_num));
}

static bool try_again(struct reach *reach, const struct err *err)
{
	/* A program costs more than a look at a socket, and may say each time why it failed. */
	uint64_t pause = reach->dial.endpoint.kind == ENDPOINT_EXEC ? PAUSE_EXEC_MS : PAUSE_MS;
	uint64_t now = loop_now_ms();
	char words[ERR_TEXT_MAX + 64];

	if (!is_to_be_waited_for(reach, err->num) || now >= reach->wait_due_ms)
		return false;
	if (!reach->tries++)
		log_info("%s; trying again", err_words(err, words, sizeof(words)));
	/* The last one at the very end: it may be there by then. */
	if (pause > reach->wait_due_ms - now)
		pause = reach->wait_due_ms - now;
	loop_arm(reach->loop, &reach->again, pause);
	return true;
}

void reach_fail(struct reach *reach, const struct err *err)
{
	const char *from = reach->terms.from;
	struct err told = *err;
	char tried[32] = "";

	if (try_again(reach, err))
		return;
	if (reach->tries)
		snprintf(tried, sizeof(tried), ", tried %u times", reach->tries + 1);
	if (reach->tries || from)
		snprintf(told.text, sizeof(told.text), "%.430s%s%s%s", err->text,
			 !from		      ? ""
			 : reach->terms.guest ? ", the guest in "
					      : ", the address in ",
			 from ? from : "", tried);
	reach->on_failed(reach, &told);
}

static void on_again(struct loop_timer *timer)
{
	struct reach *reach = container_of(timer, struct reach, again);

	if (reach->clear(reach))
		try_once(reach);
	else
		loop_arm(reach->loop, timer, PAUSE_END_MS);
}

/* ---- life ---- */

void reach_start(struct reach *reach, struct loop *loop, const struct reach_terms *terms)
{
	reach->loop = loop;
	reach->terms = *terms;
	reach->again.on_due = on_again;
	reach->wait_due_ms = due_after(loop_now_ms(), terms->wait_ms);
	try_once(reach);
}

void reach_again(struct reach *reach, uint64_t wait_ms)
{
	reach->terms.wait_ms = wait_ms;
	reach->wait_due_ms = due_after(loop_now_ms(), wait_ms);
	reach->tries = 0;
	loop_arm(reach->loop, &reach->again, PAUSE_MS);
}

void reach_want_no_more(struct reach *reach)
{
	reach->terms.wait_ms = 0;
}

void reach_cancel(struct reach *reach)
{
	dial_cancel(&reach->dial);
	loop_disarm(reach->loop, &reach->again);
}
