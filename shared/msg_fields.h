/* Which keys a message has: the tables that decoding walks by; for the msg files alone. */
#ifndef MSB_MSG_FIELDS_H
#define MSB_MSG_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "msg.h"

enum field_kind {
	FIELD_TEXT,
	FIELD_BYTES,
	FIELD_BOOL,
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_I32,
	FIELD_TEXTS,
	FIELD_MAPS, /* a list of maps */
	FIELD_FEATURES,
	FIELD_USAGE,
	FIELD_IDENTITY,
};

#define FIELD_REQUIRED 1 /* an error when missing */
#define FIELD_NULLABLE 2 /* null stands for absent */

struct field {
	const char *key;
	enum field_kind kind;
	uint8_t rules;
	uint16_t offset;  /* of the value in the struct */
	uint16_t present; /* of a bool that says whether it came, or FIELD_NOWHERE */
};

#define FIELD_NOWHERE UINT16_MAX

struct schema {
	const struct field *fields;
	size_t count;
	size_t size;	      /* of the struct */
	const void *defaults; /* what it starts as; NULL: all zero */
};

/* A type without a row has no field that we need; its payload need only be a map. */
extern const struct schema msg_schemas[MSG_TYPE_COUNT];

extern const struct schema msg_envelope_schema;

/* What stands in lists and inside other messages. */
extern const struct schema msg_rlimit_schema, msg_pair_schema, msg_usage_schema,
	msg_identity_schema;

#endif
