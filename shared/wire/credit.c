/* Flow control by credit: see credit.h. */
#include "credit.h"

size_t credit_room(const struct credit *credit, size_t want)
{
	uint64_t in_flight = credit->sent - credit->consumed;

	if (!credit->window)
		return want;
	if (in_flight >= credit->window)
		return 0;
	return want < credit->window - in_flight ? want : (size_t)(credit->window - in_flight);
}

void credit_consumed(struct credit *credit, uint64_t consumed)
{
	if (consumed > credit->sent)
		consumed = credit->sent;
	if (consumed > credit->consumed)
		credit->consumed = consumed;
}

bool credit_due(struct credit_account *account, size_t waiting, uint64_t *ret_consumed)
{
	/* Of a queue that others fill too, all may be theirs. */
	uint64_t consumed = account->received > waiting ? account->received - waiting : 0;

	if (!account->window || consumed < account->told ||
	    consumed - account->told < (account->window + 3) / 4)
		return false;
	account->told = *ret_consumed = consumed;
	return true;
}
