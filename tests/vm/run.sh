#!/usr/bin/env bash
# run.sh BUILD [--bats=FLAG]... [FILE...]: the tests in a machine; without FILEs those of the local daemon
# that make sense there, and then those of machines alone.
set -eu

cd "$(dirname "$0")/.."
BUILD=$(realpath "../$1")
shift
export BUILD
flags=(--bats=--setup-suite-file --bats=vm/setup_suite.bash)
while [[ ${1:-} == --bats=* ]]; do
	flags+=("$1")
	shift
done
# They may be named as the Makefile names them, or from here.
set -- "${@#tests/}"
[[ $# -gt 0 ]] || set -- exec.bats cli.bats spawn.bats kill.bats signals.bats tty.bats stream.bats \
	vm/guest.bats vm/host.bats vm/chaos.bats vm/cgroup.bats
# One machine for all, which the suite starts.
files=$(IFS=+ && echo "$*")
slow=${SLOW:-}
# How to run one, and what it is slower by than this machine.
BATS_TEST_DIRNAME=.
bats_require_minimum_version() { :; }
# shellcheck source=tests/helper.bash
source ./helper.bash
# shellcheck source=tests/vm/vm.bash
source vm/vm.bash
if [[ -w /dev/kvm ]] && works kvm 10; then
	export ACCEL=kvm
	factor=2
elif works tcg $((60 * SLOW)); then
	export ACCEL=tcg
	factor=5
else
	echo "not ok 1 machine: none boots here, neither with KVM nor emulated"
	exit 1
fi
# What was said about this machine is not about the one in it.
[[ -z $slow ]] || export SLOW=$((slow * factor))
# $LOAD others are at work beside it.
exec python3 -B run.py -j 1 -n "$factor" -l "${LOAD:-0}" "${flags[@]}" "$files"
