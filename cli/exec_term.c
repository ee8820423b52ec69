/* The terminal of a session that has one on both sides. */
#include <string.h>

#include "exec_inside.h"
#include "term.h"

struct msg_exec_resize exec_size(const struct exec *exec)
{
	struct msg_exec_resize size = {.rows = 24, .cols = 80};

	if (exec->tty)
		term_size_or_default(&size);
	if (!(exec->client.features & MSG_FEATURE_PIXELS))
		size.xpixel = size.ypixel = 0;
	return size;
}

/*
 * A window that is dragged changes faster than a slow link takes it: while one size waits to go
 * out, the next one is not read, so that what follows it is the latest.
 */
void exec_tell_size(struct exec *exec)
{
	struct link *link = &exec->client.link;
	struct msg_exec_resize size;

	if (!exec->resized || !exec->tty || !exec->sent || exec->finished ||
	    link->sent < exec->size_end)
		return;
	exec->resized = false;
	size = exec_size(exec);
	if (memcmp(&size, &exec->size, sizeof(size)) == 0)
		return;
	if (msg_put_exec_resize(&link->out, exec->client.id, &size) < 0)
		return;
	exec->size = size;
	exec->size_end = link->sent + link_unsent(link);
}
