/* Why it is over: see reason.h. */
#include "reason.h"

const char *reason_name(enum reason reason)
{
	static const char *const names[] = {
		[REASON_EXITED] = "exited",
		[REASON_SIGNAL] = "signal",
		[REASON_TIMEOUT] = "timeout",
		[REASON_OOM] = "oom",
		[REASON_CANCELLED] = "cancelled",
		[REASON_DETACHED] = "detached",
		[REASON_UNREACHABLE] = "unreachable",
		[REASON_LOST] = "lost",
		[REASON_NOT_FOUND] = "not_found",
		[REASON_NOT_EXECUTABLE] = "not_executable",
		[REASON_BAD_CWD] = "bad_cwd",
		[REASON_BAD_USER] = "bad_user",
		[REASON_BAD_ARGS] = "bad_args",
		[REASON_REFUSED] = "refused",
		[REASON_NO_SESSION] = "no_session",
		[REASON_USAGE] = "usage",
		[REASON_IO] = "io",
		[REASON_ERROR] = "error",
	};

	return names[reason];
}
