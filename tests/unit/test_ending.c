/* How a session ended: each end that an agent may tell of, with what to exit with, why, and the words. */
#include "cli/exec/ending.h"

#include <signal.h>

#include "cli/options/exit.h"
#include "unit.h"

static const struct opts run = {.action = OPTS_RUN};

static struct msg_text text(const char *words)
{
	return (struct msg_text){words, strlen(words)};
}

static struct ending ending(const struct remote_end *end, const struct opts *opts, bool was_asked)
{
	struct ending_terms terms = {.opts = opts, .was_asked = was_asked, .label = "work"};
	struct ending ret;

	ending_of(end, &terms, &ret);
	return ret;
}

static struct ending exited(struct msg_exec_exited how)
{
	return ending(
		&(struct remote_end){.how = REMOTE_EXITED, .had_started = true, .exited = how},
		&run, false);
}

static void assert_ends(struct ending got, enum reason reason, int status, const char *complaint)
{
	if (got.reason != reason || got.status != status || strcmp(got.complaint, complaint) != 0)
		fail_msg("%s, %d, [%s], not %s, %d, [%s]", reason_name(got.reason), got.status,
			 got.complaint, reason_name(reason), status, complaint);
}

static void commands_end_is_its_own(void **state)
{
	(void)state;
	for (int code = 0; code < 256; code++)
		assert_ends(exited((struct msg_exec_exited){.code = code}), REASON_EXITED, code,
			    "");
	/* As the kernel would keep it of one that is larger. */
	assert_ends(exited((struct msg_exec_exited){.code = 256}), REASON_EXITED, 0, "");
	for (uint32_t signal = 1; signal <= 64; signal++) {
		struct ending got =
			exited((struct msg_exec_exited){.code = -1, .signal = (uint8_t)signal});

		assert_ends(got, REASON_SIGNAL, 128 + (int)signal, "");
		assert_int_equal(got.signal, signal);
	}
}

static void signal_that_nobody_names_is_255_with_words(void **state)
{
	(void)state;
	assert_ends(exited((struct msg_exec_exited){.code = -1}), REASON_SIGNAL, EXIT_NO_SIGNAL,
		    "a signal ended the command; this agent does not say which");
	assert_ends(exited((struct msg_exec_exited){.code = -1, .signal = 200}), REASON_SIGNAL,
		    EXIT_NO_SIGNAL,
		    "signal 200 ended the command, as this agent says; there is none");
}

static void want_of_memory_is_told_from_another_kill(void **state)
{
	struct msg_exec_exited how = {.code = -1, .signal = SIGKILL, .oom_killed = true};

	(void)state;
	assert_ends(exited(how), REASON_OOM, 128 + SIGKILL,
		    "out of memory: the kernel killed the command");
	how = (struct msg_exec_exited){.code = 3, .oom_killed = true};
	assert_ends(exited(how), REASON_OOM, 3,
		    "out of memory: the kernel killed a process of the command");
	/* It did without. */
	how.code = 0;
	assert_ends(exited(how), REASON_EXITED, 0,
		    "out of memory: the kernel killed a process of the command");
}

static void timeout_is_124_whatever_the_end(void **state)
{
	static const struct opts limited = {.action = OPTS_RUN, .timeout_ms = 1};
	struct remote_end end = {.how = REMOTE_EXITED, .exited = {.code = 3, .timed_out = true}};
	struct ending_terms terms = {.opts = &run, .timed_out = true, .label = ""};
	struct ending got;

	(void)state;
	assert_ends(ending(&end, &limited, false), REASON_TIMEOUT, EXIT_TIMED_OUT, "");
	assert_ends(ending(&end, &run, false), REASON_TIMEOUT, EXIT_TIMED_OUT,
		    "the command ran for longer than the agent lets any");
	end.exited = (struct msg_exec_exited){.code = -1, .signal = SIGTERM};
	/* By our own clock. */
	ending_of(&end, &terms, &got);
	assert_ends(got, REASON_TIMEOUT, EXIT_TIMED_OUT, "");
	assert_int_equal(got.signal, 0);
}

static struct ending failed(const char *kind, const char *stage, const char *message)
{
	struct remote_end end = {
		.how = REMOTE_FAILED,
		.failed = {.kind = text(kind), .stage = text(stage), .message = text(message)}};

	return ending(&end, &run, false);
}

static void each_kind_of_failure_has_its_reason(void **state)
{
	static const struct {
		const char *kind, *stage;
		enum reason reason;
		int status;
	} rows[] = {
		{"not_found", "execve", REASON_NOT_FOUND, EXIT_NOT_FOUND},
		{"permission_denied", "execve", REASON_NOT_EXECUTABLE, EXIT_CANNOT_RUN},
		{"not_executable", "execve", REASON_NOT_EXECUTABLE, EXIT_CANNOT_RUN},
		{"bad_cwd", "chdir", REASON_BAD_CWD, EXIT_FAILED},
		{"bad_args", "request", REASON_BAD_ARGS, EXIT_FAILED},
		{"bad_args", "execve", REASON_BAD_ARGS, EXIT_CANNOT_RUN},
		{"resource_limit", "rlimit", REASON_REFUSED, EXIT_FAILED},
		{"user_setup_failed", "user", REASON_BAD_USER, EXIT_FAILED},
		{"out_of_memory", "", REASON_REFUSED, EXIT_FAILED},
		{"pty_setup_failed", "", REASON_REFUSED, EXIT_FAILED},
		{"other", "", REASON_REFUSED, EXIT_FAILED},
		{"of_the_future", "", REASON_ERROR, EXIT_FAILED},
	};
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		int kind = msg_failure_parse(text(rows[i].kind));

		seen |= kind < 0 ? 0 : 1u << kind;
		assert_ends(failed(rows[i].kind, rows[i].stage, "words"), rows[i].reason,
			    rows[i].status, "words");
	}
	/* None is left out. */
	assert_int_equal(seen, (2u << MSG_FAILURE_OTHER) - 1);
	assert_ends(failed("other", "", ""), REASON_REFUSED, EXIT_FAILED,
		    "the agent could not run it, and does not say why");
}

static void refusal_is_of_the_session_or_of_what_was_asked_for(void **state)
{
	struct remote_end end = {.how = REMOTE_REFUSED, .why = "no such session"};

	(void)state;
	end.failed.message = text("no such session");
	assert_ends(ending(&end, &run, true), REASON_NO_SESSION, EXIT_FAILED,
		    "no such session: work");
	assert_ends(ending(&end, &run, false), REASON_REFUSED, EXIT_FAILED,
		    "the agent refused the session: no such session");
	end.failed.message = text("busy");
	end.why = "busy";
	assert_ends(ending(&end, &run, true), REASON_REFUSED, EXIT_FAILED, "busy: work");
	end.had_started = true;
	assert_ends(ending(&end, &run, false), REASON_LOST, EXIT_FAILED,
		    "the agent ended the session: busy");
	end.failed.message = text("");
	assert_ends(ending(&end, &run, false), REASON_LOST, EXIT_FAILED,
		    "the agent ended the session");
}

static void each_way_to_be_detached_has_words(void **state)
{
	static const char *const words[] = {
		[MSG_DETACHED_ASKED] = "session work was detached",
		[MSG_DETACHED_TAKEN] = "session work was attached elsewhere",
		[MSG_DETACHED_REMOVED] = "session work was removed",
		[MSG_DETACHED_DONE] = "session work has ended",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(words); i++) {
		struct remote_end end = {.how = REMOTE_DETACHED,
					 .had_started = true,
					 .detached = (enum msg_detached)i};

		assert_ends(ending(&end, &run, true), REASON_DETACHED, EXIT_FAILED, words[i]);
	}
}

static void each_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i <= REASON_ERROR; i++) {
		assert_non_null(reason_name((enum reason)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(reason_name((enum reason)i),
						reason_name((enum reason)j));
	}
}

int main(void)
{
	const struct CMUnitTest ending_tests[] = {
		cmocka_unit_test(commands_end_is_its_own),
		cmocka_unit_test(signal_that_nobody_names_is_255_with_words),
		cmocka_unit_test(want_of_memory_is_told_from_another_kill),
		cmocka_unit_test(timeout_is_124_whatever_the_end),
		cmocka_unit_test(each_kind_of_failure_has_its_reason),
		cmocka_unit_test(refusal_is_of_the_session_or_of_what_was_asked_for),
		cmocka_unit_test(each_way_to_be_detached_has_words),
		cmocka_unit_test(each_reason_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(ending_tests, NULL, NULL);
}
