/* What programs are told: see report.h. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/names.h"

int report_open(struct report *report, const struct opts *opts, struct err *err)
{
	report->opened = true;
	report->result = RESULT_NONE;
	return opts->result ? result_open(&report->result, opts->result, err) : 0;
}

void report_begin(struct report *report, const struct opts *opts, struct report_output *output)
{
	report->opts = opts;
	report->output = output;
}

void report_release(struct report *report)
{
	if (report->opened)
		result_close(&report->result);
}

/* Empty is none. */
static void put_string(struct json *json, const char *key, const char *text)
{
	json_word(json, key, text && text[0] ? text : NULL);
}

/* ---- what happens meanwhile ---- */

static void begin(struct report *report, struct json *json, const char *type)
{
	json_begin(json, report->line, sizeof(report->line));
	put_string(json, "type", type);
}

static void print(struct report *report, struct json *json)
{
	report_output_line(report->output, report->line, json_end(json));
}

static void put_session(struct json *json, const char *session, const char *name)
{
	put_string(json, "session", session);
	put_string(json, "name", name);
}

void report_started(struct report *report, const struct remote *remote)
{
	struct json json;

	if (!report->opts->json)
		return;
	begin(report, &json, "started");
	json_number(&json, "pid", remote->pid);
	json_bool(&json, "tty", remote->tty);
	json_bool(&json, "merged", remote->merged);
	put_session(&json, remote->id, remote->name[0] ? remote->name : report->opts->name);
	print(report, &json);
}

void report_attached(struct report *report, const struct remote *remote)
{
	struct json json;

	if (!report->opts->json)
		return;
	begin(report, &json, "attached");
	json_number(&json, "pid", remote->pid);
	json_bool(&json, "tty", remote->tty);
	put_session(&json, remote->id, remote->name);
	json_number(&json, "stdout_at", remote->at[MSG_STREAM_STDOUT]);
	json_number(&json, "stderr_at", remote->at[MSG_STREAM_STDERR]);
	print(report, &json);
}

void report_skipped(struct report *report, enum msg_stream stream, uint64_t bytes)
{
	struct json json;

	if (!report->opts->json)
		return;
	begin(report, &json, "skipped");
	put_string(&json, "stream", msg_stream_name(stream));
	json_number(&json, "bytes", bytes);
	print(report, &json);
}

void report_away(struct report *report, const char *why)
{
	struct json json;

	if (!report->opts->json)
		return;
	begin(report, &json, "away");
	put_string(&json, "message", why);
	print(report, &json);
}

void report_back(struct report *report)
{
	struct json json;

	if (!report->opts->json)
		return;
	begin(report, &json, "back");
	print(report, &json);
}

/* ---- the last ---- */

static const char *type_of(const struct report_end *end)
{
	if (end->reason < REASON_CANCELLED || (end->reason == REASON_CANCELLED && end->exited))
		return "exited";
	/* As it was wanted. */
	return end->reason == REASON_DETACHED && end->status == 0 ? "detached" : "failed";
}

static void put_how(struct json *json, const struct report_end *end)
{
	const struct msg_exec_exited *how = end->exited ? &end->how : NULL;
	bool has_code = how && !how->signal && how->code >= 0;
	const char *name = how && how->signal ? signal_name(how->signal) : NULL;

	if (has_code)
		json_signed(json, "code", how->code);
	else
		json_null(json, "code");
	if (how && how->signal)
		json_number(json, "signal", how->signal);
	else
		json_null(json, "signal");
	put_string(json, "signal_name", name);
	json_bool(json, "core_dumped", how && how->core_dumped);
}

static void put_usage(struct json *json, const struct report_end *end)
{
	const struct msg_usage *usage = &end->how.usage;

	if (!end->exited || !end->how.has_usage) {
		json_null(json, "usage");
		return;
	}
	json_open(json, "usage");
	json_number(json, "user_us", usage->user_us);
	json_number(json, "sys_us", usage->sys_us);
	json_number(json, "wall_us", usage->wall_us);
	json_number(json, "max_rss_kib", usage->max_rss_kib);
	json_close(json);
}

/* output may be NULL: there was none. Returns the line's length. */
static size_t make_last(char *line, size_t size, const struct report_end *end,
			const struct report_output *output)
{
	static const struct report_output none;
	struct json json;

	output = output ? output : &none;
	json_begin(&json, line, size);
	put_string(&json, "type", type_of(end));
	put_string(&json, "reason", reason_name(end->reason));
	json_signed(&json, "status", end->status);
	put_how(&json, end);
	put_string(&json, "message", end->complaint);
	put_string(&json, "hint", end->hint);
	put_usage(&json, end);
	json_number(&json, "stdout_bytes", output->bytes[MSG_STREAM_STDOUT]);
	json_number(&json, "stderr_bytes", output->bytes[MSG_STREAM_STDERR]);
	json_number(&json, "stdout_cut", output->cut[MSG_STREAM_STDOUT]);
	json_number(&json, "stderr_cut", output->cut[MSG_STREAM_STDERR]);
	put_session(&json, end->session, end->name);
	return json_end(&json);
}

void report_last(struct report *report, const struct report_end *end)
{
	if (!report->opts->json || report->told)
		return;
	report->told = true;
	report_output_line(report->output, report->line,
			   make_last(report->line, sizeof(report->line), end, report->output));
}

void report_squeeze(struct report *report, const struct report_end *end)
{
	if (!report->opts->json)
		return;
	report_output_squeeze(report->output, report->line,
			      make_last(report->line, sizeof(report->line), end, report->output));
}

int report_result(struct report *report, const struct report_end *end, struct err *err)
{
	if (!report->opened || !report->opts->result || report->written)
		return 0;
	report->written = true;
	return result_write(&report->result, report->line,
			    make_last(report->line, sizeof(report->line), end, report->output),
			    err);
}

void report_usage(const struct report_end *end)
{
	const struct msg_usage *usage = &end->how.usage;
	double wall = (double)usage->wall_us / 1e6, user = (double)usage->user_us / 1e6;
	double sys = (double)usage->sys_us / 1e6;

	if (!end->exited || !end->how.has_usage) {
		log_error("what the command took is not known%s",
			  end->exited ? ": this agent does not say" : "");
		return;
	}
	log_error(
		"real %.3f s, user %.3f s, system %.3f s, %.0f%% of a processor, at most %llu KiB",
		wall, user, sys, wall > 0 ? 100 * (user + sys) / wall : 0.0,
		(unsigned long long)usage->max_rss_kib);
}

/* ---- before anything began ---- */

static void write_line(const char *line, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, line, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log_error("cannot write standard output: %s", strerror(errno));
			return;
		}
		line += n;
		len -= (size_t)n;
	}
}

void report_failure(enum reason reason, int status, const struct err *err, bool json,
		    const char *result)
{
	char words[ERR_TEXT_MAX + 64], line[REPORT_LINE_MAX];
	struct report_end end = {.reason = reason,
				 .status = status,
				 .complaint = err_words(err, words, sizeof(words)),
				 .hint = err->hint};
	size_t len = make_last(line, sizeof(line), &end, NULL);
	struct result file = RESULT_NONE;
	struct err why;

	if (json)
		write_line(line, len);
	if (!result)
		return;
	if (result_open(&file, result, &why) < 0 || result_write(&file, line, len, &why) < 0)
		log_err(&why);
	result_close(&file);
}
