/* What becomes of each frame that a client sends. */
#ifndef MSB_DISPATCH_H
#define MSB_DISPATCH_H

#include "conn.h"
#include "letter.h"

/* Acts upon one frame, or answers why not. 0, or -errno to close the connection. */
int dispatch_frame(struct conn *conn, const struct frame *frame);

/* Decodes the payload: 0; or refuses as below: -EBADMSG. */
int dispatch_decode(struct conn *conn, const struct letter *letter, void *ret_struct);

#endif
