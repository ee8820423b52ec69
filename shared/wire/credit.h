/*
 * Flow control by credit, the same for stdin and for output: the sender never has more bytes in
 * flight than the window that the receiver gave, and the receiver says now and then how many
 * bytes it is done with, counted from the session's beginning. Pure.
 */
#ifndef MSB_CREDIT_H
#define MSB_CREDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sender's side. All zero to start with: without a window everything may go. */
struct credit {
	uint64_t window; /* bytes; 0: no limit */
	uint64_t sent, consumed;
};

/* How many of want bytes may go now. */
size_t credit_room(const struct credit *credit, size_t want);

/* The receiver says so. A number that makes no sense counts as the nearest one that does. */
void credit_consumed(struct credit *credit, uint64_t consumed);

/* The receiver's side. All zero to start with: a sender that counts nothing is told nothing. */
struct credit_account {
	uint64_t window;
	uint64_t received, told;
};

/*
 * Whether to tell the sender, of whose bytes so many at most still wait here; *ret_consumed is what to
 * say. Once a quarter of the window, so that neither side ever waits for a small rest.
 */
bool credit_due(struct credit_account *account, size_t waiting, uint64_t *ret_consumed);

#endif
