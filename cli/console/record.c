/* What was run: see record.h. */
#include "record.h"

#include <string.h>

#define RECORD_MAX (16 * 1024 * 1024)

void record_init(struct record *record)
{
	buf_init(&record->runs, RECORD_MAX, NULL);
	buf_init(&record->kept, RECORD_MAX, NULL);
}

void record_release(struct record *record)
{
	buf_release(&record->runs);
	buf_release(&record->kept);
}

void record_add(struct record *record, const char *line)
{
	buf_append(&record->runs, line, strlen(line));
	buf_append(&record->runs, "\n", 1);
}

void record_keep(struct record *record, bool failed)
{
	const char *text = (const char *)buf_head(&record->runs);
	size_t len = buf_len(&record->runs), blanks = 0;

	while (blanks < len && strchr(" \t\n", text[blanks]))
		blanks++;
	if (blanks < len) {
		if (failed)
			buf_append(&record->kept, "-", 1);
		buf_append(&record->kept, text, len);
	}
	record_forget(record);
}

void record_forget(struct record *record)
{
	buf_consume(&record->runs, buf_len(&record->runs));
}
