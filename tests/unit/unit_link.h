/* What a link asks of an owner who has nothing to say to it, for a test of the rest. */
#ifndef MSB_UNIT_LINK_H
#define MSB_UNIT_LINK_H

#include "shared/io/link.h"

static inline enum link_wish unit_link_takes(struct link *link)
{
	(void)link;
	return LINK_TAKE;
}

static inline enum link_wish unit_link_waits(struct link *link)
{
	(void)link;
	return LINK_WAIT;
}

static inline int unit_link_drops(struct link *link, const struct frame *frame)
{
	(void)link;
	(void)frame;
	return 0;
}

static inline void unit_link_flushed(struct link *link, bool emptied)
{
	(void)link;
	(void)emptied;
}

#endif
