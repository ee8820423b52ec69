/* The live ids of a client: see route.h. */
#include "route.h"

#include <stdlib.h>

#include "shared/wire/frame.h"

#define WINDOW	      (256 * 1024)
#define WINDOW_SMALL  (16 * 1024)
#define MANY	      64
#define HELD_FULL     (256 * 1024)
#define HELD_FULL_ALL (8 * 1024 * 1024)
#define HELD_MAX      (HELD_FULL + FRAME_WIRE_MAX)
#define DETACH_MAX    4096 /* more than any terminal's modes take */

static struct route **bucket(const struct route_table *table, uint32_t id)
{
	return (struct route **)&table->buckets[id % ROUTE_BUCKETS];
}

struct route *route_find(const struct route_table *table, uint32_t id)
{
	struct route *route = *bucket(table, id);

	while (route && route->id != id)
		route = route->next_of_bucket;
	return route;
}

static bool is_answered(const struct route *route)
{
	return route->kind == ROUTE_QUERY || route->kind == ROUTE_ASK;
}

static void count_session(struct route_table *table, const struct route *route, int by)
{
	if (!route_is_session(route))
		return;
	table->sessions += (size_t)by;
	if (table->of_user)
		*table->of_user += (size_t)by;
}

struct route *route_add(struct route_table *table, uint32_t id, enum route_kind kind)
{
	struct route *route = calloc(1, sizeof(*route));
	struct route **first = bucket(table, id);

	if (!route)
		return NULL;
	route->id = id;
	route->kind = kind;
	buf_init(&route->held, HELD_MAX, NULL);
	buf_init(&route->detach, DETACH_MAX, NULL);
	route->next_of_bucket = *first;
	*first = route;
	list_append(&table->list, &route->in_table);
	table->count++;
	count_session(table, route, 1);
	table->asks += is_answered(route);
	return route;
}

static void free_route(struct route *route)
{
	buf_release(&route->held);
	buf_release(&route->detach);
	free(route);
}

static void count_held(struct route_table *table, size_t before, size_t now)
{
	table->held += now - before;
	table->full += (now >= HELD_FULL) - (size_t)(before >= HELD_FULL);
}

void route_remove(struct route_table *table, struct route *route)
{
	struct route **at = bucket(table, route->id);

	while (*at != route)
		at = &(*at)->next_of_bucket;
	*at = route->next_of_bucket;
	list_remove(&table->list, &route->in_table);
	table->count--;
	count_session(table, route, -1);
	table->asks -= is_answered(route);
	count_held(table, buf_len(&route->held), 0);
	free_route(route);
}

void route_served(struct route_table *table, struct route *route)
{
	list_remove(&table->list, &route->in_table);
	list_append(&table->list, &route->in_table);
}

void route_clear(struct route_table *table)
{
	struct route *route, *next;

	list_each_safe(route, next, &table->list, in_table)
		route_remove(table, route);
	*table = (struct route_table){.count = 0};
}

/* ---- output ---- */

uint64_t route_window(size_t sessions)
{
	/* So that all of them together stay below what a client's queue may hold. */
	return sessions < MANY ? WINDOW : WINDOW_SMALL;
}

void route_queued(struct route *route, size_t len, uint64_t stream_end)
{
	route->output.received += len;
	route->output_end = stream_end;
	if (route->marked)
		return;
	route->marked = true;
	route->mark_at = stream_end;
	route->mark_received = route->output.received;
}

bool route_sent(struct route *route, uint64_t stream_sent, uint64_t *ret_consumed)
{
	if (!route->marked || stream_sent < route->mark_at)
		return false;
	if (stream_sent >= route->output_end) {
		route->passed = route->output.received;
		route->marked = false;
	} else {
		route->passed = route->mark_received;
		route->mark_at = route->output_end;
		route->mark_received = route->output.received;
	}
	return credit_due(&route->output, (size_t)(route->output.received - route->passed),
			  ret_consumed);
}

/* ---- input ---- */

int route_hold(struct route_table *table, struct route *route, const uint8_t *data, size_t len)
{
	size_t before = buf_len(&route->held);
	int r = buf_append(&route->held, data, len);

	if (r == 0)
		count_held(table, before, before + len);
	return r;
}

size_t route_may_go(const struct route *route, size_t max)
{
	size_t have = buf_len(&route->held);

	return credit_room(&route->input, have < max ? have : max);
}

void route_went(struct route_table *table, struct route *route, size_t len)
{
	size_t before = buf_len(&route->held);

	buf_consume(&route->held, len);
	count_held(table, before, before - len);
	route->input.sent += len;
}

bool route_table_is_full(const struct route_table *table)
{
	return table->full || table->held >= HELD_FULL_ALL;
}
