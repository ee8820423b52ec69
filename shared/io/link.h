/*
 * A byte stream (one descriptor or two) and two queues, so that whole frames come in and go out. Reads and
 * writes never block. A link takes its own turns: after each batch in which something moved it takes
 * what has come as far as its owner lets it, sends what is queued, and derives from both what is
 * watched. Its owner hears of all that by the calls below, and touches nothing of its inside.
 */
#ifndef MSB_LINK_H
#define MSB_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "bulk.h"
#include "loop.h"
#include "shared/buf.h"
#include "shared/wire/frame.h"

struct link;

enum link_end {
	LINK_SENSELESS, /* no frame, or one that on_frame() would not have */
	LINK_BROKEN, /* writing failed: what is queued goes nowhere; to one that has gone, once all was taken */
	LINK_ENDED, /* the peer said end of file, or reading failed, and all before that was taken */
};

enum link_wish {
	LINK_TAKE,
	LINK_WAIT,   /* for somebody else than the peer */
	LINK_CHOKED, /* until the peer takes what it asked for */
};

/* The owner may release the link in any of them but wish(). */
struct link_calls {
	/* Whether to take more of what comes. Asked before each frame, and again after the flush. */
	enum link_wish (*wish)(struct link *link);

	/* 0; -EAGAIN to be asked again in another turn; another -errno is an end. */
	int (*on_frame)(struct link *link, const struct frame *frame);

	/*
	 * What comes first is no frame yet, as long as link_take_raw() says so. Consumes what it
	 * understands: 1 to be called again, 0 for more bytes, -errno as above. May be NULL.
	 */
	int (*on_bytes)(struct link *link, struct buf *in);

	/*
	 * The beginning of a frame is all that there is. Whether its owner takes it: it uses what
	 * is there, but for *ret_head bytes, and gets the rest of *ret_body by on_body(). May be NULL.
	 */
	bool (*on_part)(struct link *link, const struct buf *in, size_t *ret_head,
			size_t *ret_body);

	/*
	 * Takes up to len bytes from the descriptor itself: their number, 0 at its end, -EAGAIN when none
	 * are there, -EBUSY when they are to stay for now, -EINTR, or another -errno.
	 */
	ssize_t (*on_body)(struct link *link, int fd, size_t len);

	/* The stream was read. May be NULL. */
	void (*on_read)(struct link *link);

	/* After the flush of each turn; emptied: it sent the last of what was queued. */
	void (*on_flushed)(struct link *link, bool emptied);

	/* A turn has ended, and whether the link is read now. May be NULL. */
	void (*on_watched)(struct link *link, bool reads);

	/*
	 * Said once of each; error is an errno, or 0. What is still queued goes on going out, unless the
	 * owner releases or stops the link; and if it drops what made no sense, all else goes on too.
	 */
	void (*on_end)(struct link *link, enum link_end how, int error);
};

enum link_manner {
	/* What the peer said before it went is taken before that is an end, however long it takes us. */
	LINK_TO_THE_LAST,
	/* The same, but for what waits behind answers that it does not take: nobody is there for them any more. */
	LINK_HEARS_HANGUP,
	/* The same of a stream that the next peer will use: what is still to be read is thrown away. */
	LINK_DRAINS_AT_HANGUP,
};

/* For its own file alone. */
struct link {
	struct loop *loop; /* NULL once it is released */
	const struct link_calls *calls;
	enum link_manner manner;
	int in_fd, out_fd; /* owned; may be the same */
	bool in_socket, out_socket;
	struct loop_source in_source, out_source; /* out_source only when the fds differ */
	struct loop_task turn;
	struct buf in, out;
	struct bulk bulk;     /* in the midst of out; refused where the stream cannot have it */
	bool nonblock;	      /* out_fd is, as bulk needs it */
	uint64_t sent;	      /* bytes that have gone out, of frames */
	uint64_t taken;	      /* frames that have come in */
	uint32_t in_mark;     /* behind each frame that comes, or 0; see frame.h */
	bool passes_marks;    /* that nobody asked for */
	bool has_edges;	      /* what goes out is known frame by frame: */
	uint32_t out_mark;    /* behind each, or 0, */
	uint64_t marked_from; /* from that one of what ever went out on */
	size_t frame_left;    /* of the present one, */
	size_t mark_left;     /* and of what follows that */
	size_t readahead; /* bytes to read at a frame's beginning, so that a large body stays; or 0 */
	bool raw;	  /* what comes is no frame, whatever it looks like */
	size_t body;	  /* bytes in the stream that the owner takes itself */
	bool held;	  /* and would not have just now */
	bool put_off;	  /* a frame, to another turn */
	bool cut_short;	  /* the last turn, with more behind what it took */
	bool gone;	  /* the peer, with something still to be read */
	bool ended;	  /* the peer said end of file, or reading failed */
	bool broken;	  /* writing failed */
	bool stopped;	  /* nothing is read or written any more */
	unsigned told;	  /* a bit for each link_end that its owner has heard of */
	int error;	  /* the errno behind that, 0 for a plain end */
	struct loop_timer
		starved; /* armed: it does not read, as there is no memory for what comes */
};

/*
 * Takes ownership of the descriptors; calls must live as long as the link. out_max bounds what may be
 * queued to go out, in bytes. Sockets are used as they are; other descriptors must be non-blocking.
 */
void link_init(struct link *link, struct loop *loop, int in_fd, int out_fd, size_t out_max,
	       struct buf_spare *spare, const struct link_calls *calls, enum link_manner manner);
void link_release(struct link *link);

/* Something changed that wish() derives from, or was queued: a turn follows this batch. */
void link_mark(struct link *link);

/* Reads what is there, at most one read; for whoever cannot wait until that is heard. */
void link_read(struct link *link);

/* Writes what is queued until it is gone or the peer takes no more. Whether it sent the last of it. */
bool link_flush(struct link *link);

/* Nothing is read or written any more. */
void link_stop(struct link *link);

/* ---- what comes ---- */

/* From now on on_bytes() takes what comes, or on_frame() does. */
void link_take_raw(struct link *link, bool raw);

/* From the next frame on each has that mark behind it, or, with 0, none. Else it is LINK_SENSELESS, by EILSEQ. */
static inline void link_expect_mark(struct link *link, uint32_t mark)
{
	link->in_mark = mark;
}

/* Whether marks are passed over, which then are of frames for who was here before us, and had asked for them. */
static inline void link_pass_marks(struct link *link, bool pass)
{
	link->passes_marks = pass;
}

static inline bool link_expects_mark(const struct link *link)
{
	return link->in_mark;
}

/* Of each frame no more than that is read at first, so that its body may be moved; 0: as much as there is. */
void link_limit_readahead(struct link *link, size_t len);

/* What has come and was not taken. */
static inline struct buf *link_in(struct link *link)
{
	return &link->in;
}

/* The same if it is a frame that is not whole, of which more is to come; else NULL. */
struct buf *link_cut(struct link *link);

/* Drops what has come. */
void link_drop_input(struct link *link);

/* All that has come was taken, and nothing more is there. */
bool link_is_dry(const struct link *link);

/* There is no memory for more of it just now. */
static inline bool link_is_starved(const struct link *link)
{
	return link->starved.armed;
}

static inline bool link_has_body(const struct link *link)
{
	return link->body > 0;
}

/* Frames so far. */
static inline uint64_t link_taken(const struct link *link)
{
	return link->taken;
}

/* ---- what goes ---- */

/* The queue of what goes out, for the msg functions; link_mark() comes after that. */
static inline struct buf *link_out(struct link *link)
{
	return &link->out;
}

/* The payload in its midst that is moved and not copied. */
static inline struct bulk *link_bulk(struct link *link)
{
	return &link->bulk;
}

/*
 * Gives each frame that is queued from now on that mark, or, with 0, none. Whoever will ever do that says so before
 * the first frame is sent, if only with 0: what is queued is whole frames then, and nothing else.
 */
void link_mark_frames(struct link *link, uint32_t mark);

/*
 * What had to be queued could not be, and who misses it would wait for ever: the stream is as if it were
 * broken, which its owner hears of in the next turn.
 */
void link_give_up(struct link *link, int error);

/*
 * Queues bytes; of a large piece, what the peer takes at once goes out without having been
 * copied. 0, or -errno of the queue: nothing of it goes out, or the link is given up.
 */
int link_put(struct link *link, const uint8_t *data, size_t len);

/* Bytes that are queued to go out. */
static inline size_t link_unsent(const struct link *link)
{
	return buf_len(&link->out) + link->bulk.len + link->mark_left;
}

/* Nobody takes them any more. */
static inline bool link_is_broken(const struct link *link)
{
	return link->broken;
}

/* The same, or the peer has gone by now, though its last words may still be heard. */
bool link_has_lost_peer(const struct link *link);

/* All bytes of frames that ever went out; and will have, once what is queued has. */
static inline uint64_t link_sent(const struct link *link)
{
	return link->sent;
}

static inline uint64_t link_queued(const struct link *link)
{
	return link->sent + buf_len(&link->out) + link->bulk.len;
}

#endif
