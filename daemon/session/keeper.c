/* The kept sessions of a daemon: see keeper.h. */
#include "keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/log.h"

static struct keeper *keeper_of(const struct kept *kept)
{
	return container_of(kept->host, struct keeper, host);
}

static void on_forgotten(struct kept *kept)
{
	log_debug("session %s: forgotten", kept->id);
	keeper_remove(keeper_of(kept), kept);
}

void keeper_init(struct keeper *keeper)
{
	keeper->host.on_forgotten = on_forgotten;
}

/* ---- ids and names ---- */

static bool is_called(const char *what, struct msg_text text)
{
	return text.len && strlen(what) == text.len && memcmp(what, text.ptr, text.len) == 0;
}

/* One that was fetched has lost its name, which may be another's. */
static bool has_name(const struct kept *kept, struct msg_text name)
{
	return !kept->fetched && is_called(kept->name, name);
}

struct kept *keeper_find(const struct keeper *keeper, struct msg_text text, const struct owner *who)
{
	struct kept *kept, *others = NULL;

	list_each(kept, &keeper->all, of_keeper) {
		if (!owner_may(who, &kept->owner))
			continue;
		if (is_called(kept->id, text))
			return kept;
		if (!has_name(kept, text))
			continue;
		/* The same name may be somebody else's, too. */
		if (owner_is(who, &kept->owner))
			return kept;
		others = others ? others : kept;
	}
	return others;
}

static bool is_taken(const struct keeper *keeper, const struct owner *owner, struct msg_text name)
{
	const struct kept *kept;

	list_each(kept, &keeper->all, of_keeper)
		if (owner_is(owner, &kept->owner) && has_name(kept, name))
			return true;
	return false;
}

static bool has_id(const struct keeper *keeper, const char *id)
{
	const struct kept *kept;

	list_each(kept, &keeper->all, of_keeper)
		if (strcmp(kept->id, id) == 0)
			return true;
	return false;
}

/* Before the kernel has randomness enough there are others that differ. */
static void make_id(const struct keeper *keeper, char id[MSG_SESSION_ID_LEN + 1])
{
	uint64_t bits;

	do {
		if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
			bits = loop_now_us() * 0x9e3779b97f4a7c15u >> 8;
		snprintf(id, MSG_SESSION_ID_LEN + 1, "%012llx",
			 (unsigned long long)(bits & 0xffffffffffffu));
	} while (has_id(keeper, id));
}

/* ---- what one owner may have ---- */

/* Of an owner whom limits hold for, while he has any. */
struct share {
	struct list_node of_keeper;
	struct owner owner;
	size_t count;
	struct ring_total total;
};

static struct share *find_share(const struct keeper *keeper, const struct owner *owner)
{
	struct share *share;

	list_each(share, &keeper->shares, of_keeper)
		if (owner_is(&share->owner, owner))
			return share;
	return NULL;
}

/* Counts one more; what its rings take is of a quarter of what all may take. 0 or -ENOMEM. */
static int enter_share(struct keeper *keeper, struct kept *kept)
{
	struct share *share;

	kept->total = &keeper->host.total;
	if (!owner_is_limited(&kept->owner))
		return 0;
	share = find_share(keeper, &kept->owner);
	if (!share) {
		share = calloc(1, sizeof(*share)); /* -fanalyzer: no leak, it is in the list then */
		if (!share)
			return -ENOMEM;
		share->owner = kept->owner;
		share->total.limit = keeper->host.total.limit / 4;
		share->total.whole = &keeper->host.total;
		list_append(&keeper->shares, &share->of_keeper);
	}
	share->count++;
	kept->total = &share->total;
	return 0;
}

static void leave_share(struct keeper *keeper, const struct owner *owner)
{
	struct share *share = owner_is_limited(owner) ? find_share(keeper, owner) : NULL;

	if (!share || --share->count)
		return;
	list_remove(&keeper->shares, &share->of_keeper);
	free(share);
}

/* ---- all of them ---- */

static size_t count_of(const struct keeper *keeper, const struct owner *owner)
{
	const struct kept *kept;
	size_t count = 0;

	list_each(kept, &keeper->all, of_keeper)
		count += owner_is(&kept->owner, owner);
	return count;
}

/* Who has more than half of them, or NULL: whoever is left over where two of different owners cancel out. */
static const struct owner *find_majority(const struct keeper *keeper)
{
	const struct owner *owner = NULL;
	const struct kept *kept;
	size_t over = 0;

	list_each(kept, &keeper->all, of_keeper) {
		if (!over)
			owner = &kept->owner;
		if (owner_is(owner, &kept->owner))
			over++;
		else
			over--;
	}
	return owner && count_of(keeper, owner) > keeper->max / 2 ? owner : NULL;
}

/* Nobody's ends take the places of all others: the oldest of who has more than half of them. */
static struct kept *find_excess(const struct keeper *keeper)
{
	const struct owner *owner = find_majority(keeper);
	struct kept *kept;

	if (!owner)
		return NULL;
	list_each(kept, &keeper->all, of_keeper)
		if (kept->ended && !kept_owes(kept) && owner_is(owner, &kept->owner))
			return kept;
	return NULL;
}

/* The owner's own end that is the least likely to be asked for still: one that was fetched, or the oldest. */
static struct kept *find_own_ended(const struct keeper *keeper, const struct owner *owner)
{
	struct kept *kept, *oldest = NULL;

	list_each(kept, &keeper->all, of_keeper) {
		if (!kept->ended || kept_owes(kept) || !owner_is(owner, &kept->owner))
			continue;
		if (kept->fetched)
			return kept;
		if (!oldest || kept->ended_ms < oldest->ended_ms)
			oldest = kept;
	}
	return oldest;
}

/* The end that is the least likely to be asked for still: one that was fetched, else the oldest of the owner's own. */
static struct kept *find_ended(const struct keeper *keeper, const struct owner *owner)
{
	struct kept *kept, *oldest = NULL;

	list_each(kept, &keeper->all, of_keeper) {
		if (!kept->ended || kept_owes(kept))
			continue;
		if (kept->fetched)
			return kept;
		if (owner_may(owner, &kept->owner) &&
		    (!oldest || kept->ended_ms < oldest->ended_ms))
			oldest = kept;
	}
	return oldest;
}

static bool has_all_his(const struct keeper *keeper, const struct owner *owner)
{
	const struct share *share = owner_is_limited(owner) ? find_share(keeper, owner) : NULL;

	return share && share->count >= keeper->max_of_user;
}

/* Room for one more: 0, -EDQUOT or -ENOSPC. */
static int make_room(struct keeper *keeper, const struct owner *owner)
{
	size_t max = owner_is_limited(owner) ? keeper->max_of_others : keeper->max;
	bool has_all = has_all_his(keeper, owner);
	struct kept *ended;

	if (keeper->count < max && !has_all)
		return 0;
	ended = has_all ? find_own_ended(keeper, owner) : find_ended(keeper, owner);
	if (!ended && !has_all)
		ended = find_excess(keeper);
	if (!ended)
		return has_all ? -EDQUOT : -ENOSPC;
	if (!ended->fetched)
		log_caused(LOG_LEVEL_INFO,
			   "session %s: its end is forgotten for the sake of a new one: --max-kept",
			   ended->id);
	keeper_remove(keeper, ended);
	return 0;
}

int keeper_add(struct keeper *keeper, const struct owner *owner, struct msg_text name,
	       struct kept **ret)
{
	struct kept *kept;
	int r;

	if (name.ptr && !msg_is_session_name(name))
		return -EINVAL;
	if (name.ptr && is_taken(keeper, owner, name))
		return -EEXIST;
	r = make_room(keeper, owner);
	if (r < 0)
		return r;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	kept->host = &keeper->host;
	kept->owner = *owner;
	r = enter_share(keeper, kept);
	if (r < 0) {
		free(kept);
		return r;
	}
	make_id(keeper, kept->id);
	if (name.ptr)
		memcpy(kept->name, name.ptr, name.len);
	kept_init(kept);
	list_append(&keeper->all, &kept->of_keeper);
	keeper->count++;
	*ret = kept;
	return 0;
}

void keeper_remove(struct keeper *keeper, struct kept *kept)
{
	list_remove(&keeper->all, &kept->of_keeper);
	keeper->count--;
	kept_free(kept);
	/* It is freed after this batch. */
	leave_share(keeper, &kept->owner);
}

void keeper_remove_all(struct keeper *keeper)
{
	struct kept *kept;

	while ((kept = list_first(&keeper->all, struct kept, of_keeper)))
		keeper_remove(keeper, kept);
}

int keeper_list(const struct keeper *keeper, const struct owner *who, struct buf *out, uint32_t id)
{
	const struct kept *kept;
	struct msg_session_entry entry;
	int r = 0;

	list_each(kept, &keeper->all, of_keeper) {
		if (!owner_may(who, &kept->owner) || kept->fetched || !kept->pid)
			continue;
		kept_describe(kept, &entry);
		r = msg_put(out, id, MSG_SESSION_ENTRY, &entry);
		if (r < 0)
			return r;
	}
	return msg_put_empty(out, id, MSG_SESSION_DONE);
}

bool keeper_owes(const struct keeper *keeper)
{
	const struct kept *kept;

	list_each(kept, &keeper->all, of_keeper)
		if (kept_owes(kept))
			return true;
	return false;
}
