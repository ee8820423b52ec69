#!/usr/bin/env bats
# SIGKILL to the relay, to QEMU and to the daemon in the guest, at random moments, with clients
# running: each ends in time and with an honest status, and nothing is left of what it ran.
# CHAOS_ROUNDS and CHAOS_SEED repeat a run; on a busy machine the rounds end after CHAOS_SECONDS.

load ../helper
load vm

ROUNDS=${CHAOS_ROUNDS:-50}
# What a client takes at most to find out, a silent guest included.
CLIENT_LIMIT=$((20 + 5 * SLOW))
SECONDS_MAX=${CHAOS_SECONDS:-360}
BATS_TEST_TIMEOUT=$((SECONDS_MAX + 120))

setup_file() {
	[[ -n ${ACCEL:-} ]] || skip "make check-vm says how machines run"
	vm_new
	vm_up
}

teardown_file() {
	[[ -z ${VM:-} ]] || vm_down
}

setup() {
	export MSB_EXEC_ENDPOINT=unix:$VM/s
	AGENT=$MSB_EXEC_ENDPOINT
	MARK=$(mark)
	CLIENTS=()
}

teardown() {
	[[ ${#CLIENTS[@]} -eq 0 ]] || kill -KILL "${CLIENTS[@]}" 2>/dev/null || true
}

# client ALLOWED ARG...: one more in the background, which may end with one of those statuses.
client() {
	local allowed=$1
	shift
	"$X" -q "$@" >/dev/null 2>"$VM/client.${#CLIENTS[@]}" </dev/null 3>&- &
	CLIENTS+=($!)
	ALLOWED+=(" $allowed ")
	WHAT+=("$*")
}

# Those that end by themselves, those that only a lost connection ends, on pipes and terminals.
clients() {
	CLIENTS=() ALLOWED=() WHAT=()
	client '0 125' -- true
	client '0 125' -- sh -c "sleep 0.$((RANDOM % 10)); seq 2000"
	client 125 -- sleep "$MARK"
	client 125 -tt -- sh -c "sleep $MARK; echo $MARK"
	client 125 -- yes "$MARK"
	client 125 -- sh -c "trap '' TERM HUP INT; while :; do sleep 0.2; : $MARK; done"
}

# strike VICTIM: and what people would do then: start it again.
strike() {
	case $1 in
	relay)
		end relay KILL
		BACK=vm_relay
		;;
	qemu)
		end qemu KILL
		BACK=vm_boot
		;;
	daemon)
		kill_daemon
		BACK=:
		;;
	esac
}

# all_end: the clients do, in time and well.
all_end() {
	local i status deadline=$((SECONDS + CLIENT_LIMIT))
	for i in "${!CLIENTS[@]}"; do
		until gone "${CLIENTS[i]}"; do
			[[ $SECONDS -le $deadline ]] || {
				echo "it hangs: ${WHAT[i]}"
				return 1
			}
			sleep 0.05
		done
		status=0
		wait "${CLIENTS[i]}" || status=$?
		[[ ${ALLOWED[i]} == *" $status "* ]] || {
			echo "it ended with $status: ${WHAT[i]}"
			cat "$VM/client.$i"
			return 1
		}
	done
	CLIENTS=()
}

@test "chaos: the relay, QEMU and the daemon are killed at random moments" {
	local seed=${CHAOS_SEED:-$RANDOM} victims=(relay qemu daemon) victim round begin=$SECONDS
	declare -A struck=([relay]=0 [qemu]=0 [daemon]=0)
	RANDOM=$seed
	echo "# $ROUNDS rounds, CHAOS_SEED=$seed" >&3
	for ((round = 1; round <= ROUNDS && SECONDS - begin < SECONDS_MAX; round++)); do
		victim=${victims[RANDOM % 3]}
		struck[$victim]=$((struck[$victim] + 1))
		clients
		sleep "0.$((RANDOM % 10))"
		strike "$victim"
		if ! all_end; then
			echo "round $round, $victim"
			vm_tell
			return 1
		fi
		$BACK
		vm_answers_soon
		wait_for 4 none_match "$MARK" || {
			echo "round $round, $victim"
			guest ps -ef
			return 1
		}
	done
	echo "# $((round - 1)) rounds in $((SECONDS - begin)) s: relay ${struck[relay]}, QEMU ${struck[qemu]}," \
		"daemon ${struck[daemon]}" >&3
	# And nothing is left here but the machine and its relay.
	[[ $(pgrep -fc -- "$VM/") -le 3 ]]
}
