/* What goes to the guest: see outbox.h. */
#include "outbox.h"

#include "shared/wire/msg.h"

#define HELD_MAX    (16 * 1024 * 1024) /* with what the relay says itself */
#define INPUT_PIECE (1024 * 1024)

void outbox_init(struct outbox *outbox, struct link *link, struct buf_spare *spare)
{
	outbox->link = link;
	buf_init(&outbox->control, HELD_MAX, spare);
	buf_init(&outbox->streams, HELD_MAX, spare);
	quota_begin(&outbox->quota);
}

void outbox_release(struct outbox *outbox)
{
	buf_release(&outbox->control);
	buf_release(&outbox->streams);
}

void outbox_clear(struct outbox *outbox)
{
	buf_consume(&outbox->control, buf_len(&outbox->control));
	buf_consume(&outbox->streams, buf_len(&outbox->streams));
	outbox->shut = false;
}

static int let_go(struct outbox *outbox, struct buf *queue, enum quota_kind kind)
{
	struct frame frame;
	size_t missing;

	while (frame_next(queue, &frame, &missing) > 0 &&
	       quota_fits(&outbox->quota, kind, frame.wire_len)) {
		int r = link_put(outbox->link, buf_head(queue), frame.wire_len);

		if (r < 0)
			return r;
		quota_spend(&outbox->quota, kind, frame.wire_len);
		buf_consume(queue, frame.wire_len);
	}
	return 0;
}

int outbox_pump(struct outbox *outbox)
{
	int r;

	if (outbox->shut)
		return 0;
	r = let_go(outbox, &outbox->control, QUOTA_CONTROL);
	/* What a stream carries comes behind what opened it. */
	if (r < 0 || buf_len(&outbox->control))
		return r;
	return let_go(outbox, &outbox->streams, QUOTA_BOTH);
}

int outbox_put_first(struct outbox *outbox, const struct buf *frame)
{
	quota_spend(&outbox->quota, QUOTA_CONTROL, buf_len(frame));
	return link_put(outbox->link, buf_head(frame), buf_len(frame));
}

size_t outbox_input_room(const struct outbox *outbox)
{
	size_t room = quota_bulk_room(&outbox->quota);

	/* Input comes behind the request that asked for it. */
	if (outbox->shut || buf_len(&outbox->control) || room <= MSG_DATA_HEAD_MAX)
		return 0;
	room -= MSG_DATA_HEAD_MAX;
	return room < INPUT_PIECE ? room : INPUT_PIECE;
}

int outbox_put_input(struct outbox *outbox, uint32_t id, const uint8_t *data, size_t len)
{
	struct link *link = outbox->link;
	struct buf *out = link_out(link);
	size_t before = buf_len(out);
	int r = msg_data_head(out, id, MSG_EXEC_STDIN, len);

	if (r < 0)
		return r;
	quota_spend(&outbox->quota, QUOTA_BULK, buf_len(out) - before + len);
	return link_put(link, data, len);
}
