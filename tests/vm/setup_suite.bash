# Before the tests in a machine: one that all tests may use which leave it as it was: $MSB_TEST_AGENT.

BATS_TEST_DIRNAME=$(dirname "${BASH_SOURCE[0]}")/..
# shellcheck source=tests/helper.bash
source "$BATS_TEST_DIRNAME/helper.bash"
# shellcheck source=tests/vm/vm.bash
source "$BATS_TEST_DIRNAME/vm/vm.bash"

setup_suite() {
	vm_new
	echo "# machines run with $ACCEL" >&3
	vm_up
	export MSB_TEST_AGENT=unix:$VM/s
}

teardown_suite() {
	vm_down
}
