/*
 * What the wire calls things, and which keys a message has: the tables that both directions walk
 * by. For the msg files alone.
 */
#ifndef MSB_MSG_TABLES_H
#define MSB_MSG_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "msg.h"

/* FIELD_LIST and FIELD_MAP say in `of` what they hold; a list without holds texts. */
enum field_kind {
	FIELD_TEXT,
	FIELD_BYTES,
	FIELD_BOOL,
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_I32,
	FIELD_LIST,
	FIELD_MAP,
	FIELD_FEATURES,
};

/* Decoding. */
#define FIELD_REQUIRED 1 /* an error when missing */
#define FIELD_NULLABLE 2 /* null stands for absent */
#define FIELD_NOTED    4 /* what tells of it is a bool, to be set when it came */
/* Encoding, of a field of which nothing tells. */
#define FIELD_NULL    8	 /* it is null */
#define FIELD_OMITTED 16 /* its key is not there; without either rule it is sent as it is */

struct field {
	const char *key;
	enum field_kind kind;
	uint8_t rules, key_len;
	uint16_t offset; /* of the value in the struct */
	/* The bytes of the struct, any but 0, that tell whether there is a value to send. */
	uint16_t told_at, told_len;
	const struct schema *of;
};

struct schema {
	const struct field
		*fields; /* in the order in which they are sent: the reference's, then ours */
	size_t count;
	size_t size;	      /* of the struct */
	size_t room;	      /* for the payload, in bytes; 0: as its texts and lists need */
	const void *defaults; /* what decoding starts with; NULL: all zero */
};

/* For numbers and fixed words; a message for people, which is cut there. */
#define ROOM_SMALL   256
#define ROOM_MESSAGE 1024

struct message {
	const char *name;
	uint8_t flags;	      /* exactly these, or the frame is refused */
	struct schema schema; /* empty: no field that we need, the payload need only be a map */
};

extern const struct message msg_messages[MSG_TYPE_COUNT];

extern const struct schema msg_envelope_schema, msg_rlimit_schema, msg_pair_schema;

/* Only ever sent: of what comes with their types nothing is needed. */
struct msg_no_support {
	bool ok;
	struct msg_text error, data;
};

struct msg_touched {
	uint64_t activity_seq;
};

extern const struct schema msg_empty_schema, msg_touched_schema, msg_no_fs_schema,
	msg_no_tcp_schema;

extern const char *const msg_failure_names[];
extern const char *const msg_refusal_names[];
extern const char *const msg_on_disconnect_names[];
extern const char *const msg_stream_names[];
extern const char *const msg_attach_names[];
extern const char *const msg_detached_names[];

/* In the order of their bits. */
#define MSG_FEATURE_COUNT 14
extern const char *const msg_feature_names[MSG_FEATURE_COUNT];

/* The index of text in names, or -EINVAL. */
int msg_name_index(const char *const *names, size_t count, struct msg_text text);

/* The type of that name, or MSG_UNKNOWN. */
enum msg_type msg_type_of(struct msg_text name);

/* The next of a decoded list of maps, as msg_next_rlimit(). */
int msg_next_map(struct msg_list *list, const struct schema *schema, void *ret_struct);

#endif
