/* Where the frames of a client's jobs go: see outlet.h. */
#include "outlet.h"

#include <errno.h>
#include <sys/socket.h>

static struct list *bucket(const struct outlet *outlet, uint32_t id)
{
	return (struct list *)&outlet->by_id[id % ARRAY_LEN(outlet->by_id)];
}

struct outlet_member *outlet_find(const struct outlet *outlet, uint32_t id)
{
	struct outlet_member *member;

	list_each(member, bucket(outlet, id), by_id)
		if (member->id == id)
			return member;
	return NULL;
}

void outlet_lose(struct outlet *outlet, uint32_t start, uint64_t end)
{
	struct outlet_member *member, *next;

	for (size_t i = 0; i < ARRAY_LEN(outlet->by_id); i++)
		list_each_safe(member, next, &outlet->by_id[i], by_id)
			if (member->id >= start && member->id < end)
				member->calls->on_lost(member);
}

void outlet_flushed(struct outlet *outlet, bool emptied)
{
	struct outlet_member *member;

	if (emptied)
		outlet->sent_ms = loop_now_ms();
	if (!outlet->awaited)
		return;
	outlet->awaited = false;
	list_each(member, &outlet->turns, turn)
		member->calls->on_moved(member);
}

ssize_t outlet_move(struct outlet_member *member, int from_fd, size_t len)
{
	uint8_t waste[16 * 1024];
	ssize_t n;

	if (member)
		return member->calls->on_move(member, from_fd, len);
	n = recv(from_fd, waste, len < sizeof(waste) ? len : sizeof(waste), MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

void outlet_join(struct outlet *outlet, struct outlet_member *member, uint32_t id,
		 const struct outlet_calls *calls)
{
	*member = (struct outlet_member){.outlet = outlet, .id = id, .calls = calls};
	list_append(bucket(outlet, id), &member->by_id);
	list_append(&outlet->turns, &member->turn);
}

void outlet_leave(struct outlet_member *member)
{
	struct outlet *outlet = member->outlet;

	outlet_stall(member, false);
	list_remove(bucket(outlet, member->id), &member->by_id);
	list_remove(&outlet->turns, &member->turn);
	member->outlet = NULL;
}

void outlet_served(struct outlet_member *member)
{
	list_remove(&member->outlet->turns, &member->turn);
	list_append(&member->outlet->turns, &member->turn);
}

void outlet_stall(struct outlet_member *member, bool stalled)
{
	if (member->stalled == stalled)
		return;
	member->stalled = stalled;
	member->outlet->stalled += stalled ? 1 : -1u;
	link_mark(member->outlet->link);
}
