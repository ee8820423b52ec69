/*
 * The record: who began which session, and how it ended, a line for each at level info. Sessions are numbered here,
 * each with a number that no other has while the daemon lives. Below that level nothing else is done.
 */
#ifndef MSB_LEDGER_H
#define MSB_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "shared/io/loop.h"

/* Sessions of one client within a second that have their lines; the others are counted. */
#define LEDGER_A_SECOND 100
#define LEDGER_SHARES	64

/* What those have had in this second whose number leads to the same one. */
struct ledger_share {
	uint64_t since_ms;
	unsigned begun;
};

struct ledger {
	struct loop *loop;
	uint64_t last; /* number */
	struct ledger_share shares[LEDGER_SHARES];
	uint64_t missing; /* to be said when the timer is due */
	struct loop_timer timer;
};

/* Part of a session, for whoever has it; others may read it. */
struct ledger_entry {
	uint64_t number;
	bool recorded; /* it has had its first line, or will, and not its second */
	char kept[MSG_SESSION_ID_LEN + 1];
};

/* What is known before the request is consumed. */
struct ledger_note {
	struct ledger_entry entry;
	char command[ACCOUNT_COMMAND_LEN];
};

void ledger_init(struct ledger *ledger, struct loop *loop);

/* Says what is still to be said. */
void ledger_close(struct ledger *ledger);

/* A session is to begin: it has a number from now on. */
void ledger_open(struct ledger *ledger, const struct owner *owner,
		 const struct msg_exec_request *request, struct ledger_note *ret);

/* It does: its number, command and kept are filled in here. */
void ledger_begins(const struct ledger_note *note, struct account_begin *begin);

/* It never did, and why: both lines. */
void ledger_fails(const struct ledger_note *note, const struct owner *owner, uint32_t id,
		  const char *why);

/* It is kept by that id from now on. */
void ledger_keeps(struct ledger_entry *entry, const char *id);

/* It has ended; said once. Its number and kept are filled in here. */
void ledger_ends(struct ledger_entry *entry, struct account_end *end);

#endif
