/* The tables that encoding and decoding share; for the msg files alone. */
#ifndef MSB_MSG_TYPES_H
#define MSB_MSG_TYPES_H

#include <stddef.h>

#include "msg.h"

extern const char *const msg_failure_names[];
extern const char *const msg_refusal_names[];
extern const char *const msg_on_disconnect_names[];
extern const char *const msg_stream_names[];

/* In the order of their bits, MSG_FEATURE_COUNT of them. */
#define MSG_FEATURE_COUNT 9
extern const char *const msg_feature_names[];

/* The index of text in names, or -EINVAL. */
int msg_name_index(const char *const *names, size_t count, struct msg_text text);

/* The type of that name, or MSG_UNKNOWN. */
enum msg_type msg_type_of(struct msg_text name);

#endif
