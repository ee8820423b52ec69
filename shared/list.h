/*
 * A list of what is embedded in its owners, in the order in which it was put there. All zero: empty. What is in
 * no list is all zero too; nothing is allocated and nothing is owned.
 */
#ifndef MSB_LIST_H
#define MSB_LIST_H

#include "base.h"

struct list_node {
	struct list_node *next, *prev;
};

struct list {
	struct list_node *first, *last;
};

static inline void list_append(struct list *list, struct list_node *node)
{
	node->next = NULL;
	node->prev = list->last;
	*(list->last ? &list->last->next : &list->first) = node;
	list->last = node;
}

static inline void list_remove(struct list *list, struct list_node *node)
{
	*(node->prev ? &node->prev->next : &list->first) = node->next;
	*(node->next ? &node->next->prev : &list->last) = node->prev;
	*node = (struct list_node){NULL, NULL};
}

/* The owner of a node, or NULL of none. */
#define list_owner(node, type, member)                                \
	({                                                            \
		struct list_node *node_at = (node);                   \
		node_at ? container_of(node_at, type, member) : NULL; \
	})

#define list_first(list, type, member) list_owner((list)->first, type, member)
#define list_after(owner, member)      list_owner((owner)->member.next, __typeof__(*(owner)), member)

/* Each owner of a list; while none but those before it leave. */
#define list_each(owner, list, member)                                      \
	for (owner = list_first(list, __typeof__(*(owner)), member); owner; \
	     owner = list_after(owner, member))

/* The same where the one at hand may leave; after holds the next one. */
#define list_each_safe(owner, after, list, member)                   \
	for (owner = list_first(list, __typeof__(*(owner)), member); \
	     owner && (after = list_after(owner, member), 1); owner = after)

#endif
