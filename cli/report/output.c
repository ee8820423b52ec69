/* Where the command's output goes: see output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal/term.h"
#include "json.h"

#define CUT_MAX 128 /* of what says how much was left out */

static const char *const names[] = {
	[MSG_STREAM_STDOUT] = "stdout",
	[MSG_STREAM_STDERR] = "stderr",
};

/* Where a file's next byte goes. */
static off_t position(int fd)
{
	struct stat st;

	if (fcntl(fd, F_GETFL) & O_APPEND)
		return fstat(fd, &st) == 0 ? st.st_size : -1;
	return lseek(fd, 0, SEEK_CUR);
}

void report_output_begin(struct report_output *output, const struct opts *opts, struct stream *out,
			 struct stream *err)
{
	struct stat st;

	output->json = opts->json;
	output->cuts = opts->has_max_output;
	output->to[MSG_STREAM_STDOUT] = out;
	output->to[MSG_STREAM_STDERR] = opts->json ? out : err;
	for (int i = 0; i < 2; i++) {
		excerpt_init(&output->excerpt[i], opts->max_output);
		jsonl_init(&output->lines[i], names[i]);
	}
	output->file.is_one = opts->json && fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode);
}

void report_output_release(struct report_output *output)
{
	for (int i = 0; i < 2; i++)
		excerpt_release(&output->excerpt[i]);
	free(output->space);
}

/* ---- lines ---- */

/* How a line of ours ends there: what is raw makes no returns of its own. */
static const char *line_end(const struct stream *to)
{
	return term_is_raw() && isatty(to->fd) ? "\r\n" : "\n";
}

static int put_line(struct report_output *output, const char *line, size_t len)
{
	struct stream *out = output->to[MSG_STREAM_STDOUT];

	if (!len)
		return 0;
	if (output->file.is_one && !out->gone) {
		output->file.begins[output->file.lines++ % REPORT_OUTPUT_BACK] = position(out->fd);
		output->file.len = len;
	}
	if (line_end(out)[0] == '\n')
		return stream_write(out, line, len);
	stream_write(out, line, len - 1);
	return stream_write(out, line_end(out), strlen(line_end(out)));
}

void report_output_line(struct report_output *output, const char *line, size_t len)
{
	put_line(output, line, len);
}

static bool is_full(const struct stream *stream)
{
	return stream->gone &&
	       (stream->error == ENOSPC || stream->error == EDQUOT || stream->error == EFBIG);
}

/* Whether the file ends in the midst of our latest line. Whatever others have written behind that is theirs. */
static bool is_ours(const struct report_output_file *file, int fd)
{
	off_t begin = file->begins[(file->lines - 1) % REPORT_OUTPUT_BACK];
	struct stat st;

	return file->lines && begin >= 0 && fstat(fd, &st) == 0 && position(fd) == st.st_size &&
	       st.st_size >= begin && st.st_size - begin < (off_t)file->len;
}

/* Whether what is written next begins there. */
static bool cut_back(int fd, off_t at)
{
	return at >= 0 && ftruncate(fd, at) == 0 &&
	       (fcntl(fd, F_GETFL) & O_APPEND || lseek(fd, at, SEEK_SET) == at);
}

void report_output_squeeze(struct report_output *output, const char *line, size_t len)
{
	struct report_output_file *file = &output->file;
	int fd = output->to[MSG_STREAM_STDOUT]->fd;
	off_t begin = 0;

	if (!file->is_one || !is_full(output->to[MSG_STREAM_STDOUT]) || !is_ours(file, fd))
		return;
	for (int i = 0; i < REPORT_OUTPUT_BACK && file->lines; i++) {
		begin = file->begins[--file->lines % REPORT_OUTPUT_BACK];
		/* What is taken back makes room. */
		if (!cut_back(fd, begin) || write(fd, line, len) == (ssize_t)len)
			return;
	}
	cut_back(fd, begin);
}

/* ---- output ---- */

static int put_lines(struct report_output *output, enum msg_stream which, const uint8_t *data,
		     size_t len)
{
	int r = 0;

	if (!output->space)
		output->space = malloc(JSONL_LINE_MAX);
	if (!output->space)
		return -ENOMEM;
	for (size_t at = 0, n; at < len && r == 0; at += n) {
		n = len - at < JSONL_SLICE ? len - at : JSONL_SLICE;
		r = put_line(output, output->space,
			     jsonl_line(&output->lines[which], data + at, n, output->space));
	}
	return r;
}

static int put(struct report_output *output, enum msg_stream which, const uint8_t *data, size_t len)
{
	if (!len || output->to[which]->gone)
		return 0;
	output->in_line[which] = data[len - 1] != '\n';
	return output->json ? put_lines(output, which, data, len)
			    : stream_write(output->to[which], data, len);
}

int report_output_write(struct report_output *output, enum msg_stream which, const uint8_t *data,
			size_t len)
{
	ssize_t now = (ssize_t)len;

	output->bytes[which] += len;
	if (output->cuts)
		now = excerpt_take(&output->excerpt[which], data, len);
	/* What is kept back would never find out, and the command would write for ever. */
	if (now == 0 && len)
		stream_look(output->to[which]);
	return now < 0 ? (int)now : put(output, which, data, (size_t)now);
}

bool report_output_is_raw(const struct report_output *output)
{
	return !output->json && !output->cuts;
}

void report_output_moved(struct report_output *output, enum msg_stream which, size_t len)
{
	output->bytes[which] += len;
}

/* The beginning of a character whose rest does not come. */
static void put_held(struct report_output *output, enum msg_stream which)
{
	if (output->space)
		put_line(output, output->space, jsonl_last(&output->lines[which], output->space));
}

static void put_cut_line(struct report_output *output, enum msg_stream which, uint64_t bytes)
{
	char line[JSON_SIZE_MIN];
	struct json json;

	put_held(output, which);
	json_begin(&json, line, sizeof(line));
	json_word(&json, "type", "cut");
	json_word(&json, "stream", names[which]);
	json_number(&json, "bytes", bytes);
	put_line(output, line, json_end(&json));
}

/* What is between, in a line of its own. */
static void put_cut(struct report_output *output, enum msg_stream which, uint64_t bytes)
{
	const char *end = line_end(output->to[which]);
	char line[CUT_MAX];
	int len;

	if (output->json) {
		put_cut_line(output, which, bytes);
		return;
	}
	len = snprintf(line, sizeof(line), "%s[%llu bytes of %s are left out here]%s",
		       output->in_line[which] ? end : "", (unsigned long long)bytes, names[which],
		       end);
	stream_write(output->to[which], line, (size_t)len);
}

/* The next piece of what was kept back of a stream. Whether there was one. */
static bool put_rest(struct report_output *output, enum msg_stream which)
{
	struct excerpt_rest *rest = &output->rest[which];
	size_t part = rest->parts[0].len ? 0 : 1, len = rest->parts[part].len;

	if (rest->cut) {
		put_cut(output, which, rest->cut);
		rest->cut = 0;
		return true;
	}
	if (!len) {
		put_held(output, which);
		return false;
	}
	len = len < JSONL_SLICE ? len : JSONL_SLICE;
	/* Told as an output that cannot be written, as it is one. */
	if (put(output, which, rest->parts[part].data, len) < 0) {
		output->to[which]->gone = true;
		output->to[which]->error = ENOMEM;
	}
	rest->parts[part].data += len;
	rest->parts[part].len -= len;
	return true;
}

bool report_output_more(struct report_output *output)
{
	bool more = false;

	/* In lines of JSON one stream after the other, since they have one reader. */
	for (int i = 0; output->ended && i < 2 && !(more && output->json); i++)
		if (!buf_len(&output->to[i]->queue))
			more |= put_rest(output, (enum msg_stream)i);
	return more;
}

void report_output_end(struct report_output *output)
{
	if (output->ended || !output->to[MSG_STREAM_STDOUT])
		return;
	output->ended = true;
	for (int i = 0; i < 2; i++) {
		if (output->cuts)
			output->rest[i] = excerpt_end(&output->excerpt[i]);
		output->cut[i] = output->rest[i].cut;
	}
	while (report_output_more(output))
		;
}
