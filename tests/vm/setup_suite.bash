# Before the tests in a machine: how to run one here, and one that all tests may use which leave it
# as it was: $MSB_TEST_AGENT.

BATS_TEST_DIRNAME=$(dirname "${BASH_SOURCE[0]}")/..
# shellcheck source=tests/helper.bash
source "$BATS_TEST_DIRNAME/helper.bash"
# shellcheck source=tests/vm/vm.bash
source "$BATS_TEST_DIRNAME/vm/vm.bash"

# works ACCEL: a machine boots with that. /dev/kvm may be there and yet never get anywhere.
works() {
	VM_LIMIT=$2 qemu -accel "$1" -no-reboot -serial stdio -append "console=ttyS0 quiet rdinit=/probe" 2>&1 |
		grep -q 'it works'
}

setup_suite() {
	local begin=$EPOCHREALTIME
	if [[ -w /dev/kvm ]] && works kvm 10; then
		export ACCEL=kvm SLOW=2
	elif works tcg 60; then
		export ACCEL=tcg SLOW=5
	else
		echo "no machine boots here, neither with KVM nor emulated" >&2
		return 1
	fi
	vm_new
	echo "# machines run with $ACCEL" >&3
	vm_up
	export MSB_TEST_AGENT=unix:$VM/s
}

teardown_suite() {
	vm_down
}
