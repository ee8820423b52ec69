/* What C itself leaves out, and everybody wants. */
#ifndef MSB_BASE_H
#define MSB_BASE_H

#include <stddef.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* What has that member at ptr: a callback gets the member, and wants its owner. */
#define container_of(ptr, type, member)                                         \
	({                                                                      \
		__typeof__(((type *)(void *)(ptr))->member) *member_at = (ptr); \
		(type *)(void *)((char *)member_at - offsetof(type, member));   \
	})

#endif
