/* The record: see ledger.h. */
#include "ledger.h"

#include <stdio.h>

#include "shared/base.h"

#define SECOND_MS 1000

static void record(const struct account *account)
{
	log_record(account->line, account->fields, account->count);
}

/* ---- what is missing ---- */

static void say_missing(struct ledger *ledger)
{
	struct account account;

	if (!ledger->missing)
		return;
	account_of_missing(&account, ledger->missing, LEDGER_A_SECOND);
	record(&account);
	ledger->missing = 0;
}

static void on_timer(struct loop_timer *timer)
{
	say_missing(container_of(timer, struct ledger, timer));
}

/* Whether one more of that client is said. Who has many hides nobody's but his own, and few others' by chance. */
static bool may_begin(struct ledger *ledger, const struct owner *owner)
{
	size_t which = (owner->number + 17 * (size_t)owner->kind) % LEDGER_SHARES;
	struct ledger_share *share = &ledger->shares[which];
	uint64_t now = loop_now_ms();

	if (now - share->since_ms >= SECOND_MS)
		*share = (struct ledger_share){.since_ms = now};
	if (share->begun < LEDGER_A_SECOND) {
		share->begun++;
		return true;
	}
	ledger->missing++;
	if (!ledger->timer.armed)
		loop_arm(ledger->loop, &ledger->timer, SECOND_MS);
	return false;
}

void ledger_init(struct ledger *ledger, struct loop *loop)
{
	*ledger = (struct ledger){.loop = loop, .timer.on_due = on_timer};
}

void ledger_close(struct ledger *ledger)
{
	say_missing(ledger);
	if (ledger->loop)
		loop_disarm(ledger->loop, &ledger->timer);
}

/* ---- one session ---- */

void ledger_open(struct ledger *ledger, const struct owner *owner,
		 const struct msg_exec_request *request, struct ledger_note *ret)
{
	ret->entry = (struct ledger_entry){.number = ++ledger->last};
	if (!log_shows(LOG_LEVEL_INFO) || !may_begin(ledger, owner))
		return;
	ret->entry.recorded = true;
	account_command(request, ret->command);
}

void ledger_begins(const struct ledger_note *note, struct account_begin *begin)
{
	struct account account;

	if (!note->entry.recorded)
		return;
	begin->number = note->entry.number;
	begin->command = note->command;
	account_of_begin(&account, begin);
	record(&account);
}

void ledger_fails(const struct ledger_note *note, const struct owner *owner, uint32_t id,
		  const char *why)
{
	struct account_begin begin = {.owner = *owner, .id = id, .kept = ""};
	struct account_end end = {.how = ACCOUNT_FAILED, .why = why};
	struct ledger_entry entry = note->entry;

	ledger_begins(note, &begin);
	ledger_ends(&entry, &end);
}

void ledger_keeps(struct ledger_entry *entry, const char *id)
{
	snprintf(entry->kept, sizeof(entry->kept), "%s", id);
}

void ledger_ends(struct ledger_entry *entry, struct account_end *end)
{
	struct account account;

	if (!entry->recorded)
		return;
	entry->recorded = false;
	end->number = entry->number;
	end->kept = entry->kept;
	account_of_end(&account, end);
	record(&account);
}
