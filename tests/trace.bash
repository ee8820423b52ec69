# Where a test failed, for a fiftieth of what it costs bats 1.8 to know it: bats notes the whole stack before
# every command, also those of a loop and of the functions of helper.bash, which was a third of all that
# `make check` took of the processors. Here it is looked at once, when a command has failed. Without the
# functions of bats that are meant, another bats goes on as it does.

declare -F bats_capture_stack_trace bats_check_status_from_trap >/dev/null || return 0

# What bats has before each command; it takes its own place. The line at each depth is for a time-out alone: that
# comes as a signal, whose trap stands in line 1 whatever line it came in.
bats_debug_trap() {
	trap '((LINENO == 1)) || LINE_AT[${#FUNCNAME[@]}]=$LINENO' DEBUG
}

# In the frames that this leaves out are the two of ours.
bats_error_trap() {
	bats_check_status_from_trap
	[[ -n ${BATS_DEBUG_LAST_STACK_TRACE_IS_VALID:-} ]] || bats_capture_stack_trace
	BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
}

bats_timeout_trap() {
	local line=${LINE_AT[${#FUNCNAME[@]} - 1]:-1}
	trap - DEBUG
	bats_capture_stack_trace
	BATS_DEBUG_LAST_STACK_TRACE[0]="$line ${BATS_DEBUG_LAST_STACK_TRACE[0]#* }"
	BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
	BATS_TIMED_OUT=1
	exit 1
}
