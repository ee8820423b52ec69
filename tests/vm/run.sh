#!/usr/bin/env bash
# run.sh BUILD [FILE...]: the tests in a machine; without FILEs those of the local daemon that make
# sense there, and then those of machines alone.
set -eu

cd "$(dirname "$0")/.."
BUILD=$(realpath "../$1")
shift
# One boot, a few seconds of the slowest test, and the emulation of a busy host.
export BUILD BATS_TEST_TIMEOUT=300
[[ $# -gt 0 ]] || set -- exec.bats cli.bats spawn.bats kill.bats signals.bats tty.bats stream.bats \
	vm/guest.bats vm/host.bats vm/chaos.bats
exec bats --setup-suite-file vm/setup_suite.bash "$@" </dev/null
