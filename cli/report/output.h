/*
 * Where the command's output goes: as it came to our own stdout and stderr, or only its beginning and its end
 * (--max-output); or as lines of JSON to our stdout.
 */
#ifndef MSB_EXEC_OUTPUT_H
#define MSB_EXEC_OUTPUT_H

#include "cli/options/opts.h"
#include "cli/terminal/stream.h"
#include "excerpt.h"
#include "jsonl.h"

/* So many lines are taken back at most, which are longer than the last one is usually. */
#define REPORT_OUTPUT_BACK 128

/* A file that lines of JSON go to, and may be too full for the last one. */
struct report_output_file {
	bool is_one;
	off_t begins[REPORT_OUTPUT_BACK]; /* where lines begin, the oldest are written over */
	unsigned lines;			  /* that there were */
	size_t len;			  /* of the latest */
};

/* Arrays by enum msg_stream. */
struct report_output {
	bool json, cuts;
	bool ended;
	bool in_line[2];      /* what was printed last was no newline */
	struct stream *to[2]; /* not owned; of lines of JSON both are our stdout */
	uint64_t bytes[2];    /* that came, */
	uint64_t cut[2];      /* of which so many were left out */
	struct excerpt excerpt[2];
	struct excerpt_rest rest[2]; /* what of them is to be written, once they have ended */
	struct jsonl lines[2];
	char *space; /* owned: of JSONL_LINE_MAX, for a line of output */
	struct report_output_file file;
};

void report_output_begin(struct report_output *output, const struct opts *opts, struct stream *out,
			 struct stream *err);
void report_output_release(struct report_output *output);

/* 0, or -errno. */
int report_output_write(struct report_output *output, enum msg_stream which, const uint8_t *data,
			size_t len);

/* Whether it goes as it comes, so that pages may be moved there: report_output_moved() counts them. */
bool report_output_is_raw(const struct report_output *output);
void report_output_moved(struct report_output *output, enum msg_stream which, size_t len);

/* Nothing comes any more: what was kept back is written, as much as our readers take at once. */
void report_output_end(struct report_output *output);

/* More of it, where what was queued has been taken: no queue has room for all. Whether there was any. */
bool report_output_more(struct report_output *output);

/* A line of JSON, whole, of what is no output. */
void report_output_line(struct report_output *output, const char *line, size_t len);

/*
 * The last one, where a full disk has ended all in the midst of a line: that one goes, and as many before it as
 * this one needs.
 */
void report_output_squeeze(struct report_output *output, const char *line, size_t len);

#endif
