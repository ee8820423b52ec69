# A machine of QEMU's with our daemon in it, and msb-relayd in front. All of it lives in the folder
# $VM and is found there again: sockets, logs, and the processes to end, by whichever shell.

KERNEL=$ROOT/build/vm
IMAGE=$BUILD/vm/guest.cpio
# Whatever goes wrong, no machine outlives this many seconds.
VM_LIMIT=${VM_LIMIT:-3600}

# vm_new: an empty folder for one more machine.
vm_new() {
	VM=$(mktemp -d "${BATS_TMPDIR:-/tmp}/msb-vm.XXXXXX")
	export VM
}

# qemu OPTION...: a machine with what all of ours have.
qemu() {
	timeout "$VM_LIMIT" qemu-system-x86_64 -machine pc -m 256 -nodefaults -nographic \
		-kernel "$KERNEL/vmlinuz" -initrd "$IMAGE" "$@" </dev/null 3>&-
}

# works ACCEL: a machine boots with that. /dev/kvm may be there and yet never get anywhere.
works() {
	VM_LIMIT=$2 qemu -accel "$1" -no-reboot -serial stdio -append "console=ttyS0 quiet rdinit=/probe" 2>&1 |
		grep -q 'it works'
}

# The kernel's words come into $VM/console; a panic reboots, as a watchdog would.
vm_boot() {
	rm -f "$VM/agent" "$VM/monitor"
	qemu -accel "$ACCEL" -serial "file:$VM/console" -pidfile "$VM/qemu" \
		-device virtio-serial-pci -device virtserialport,chardev=agent,name=agent \
		-chardev "socket,id=agent,path=$VM/agent,server=on,wait=off" \
		-chardev "socket,id=monitor,path=$VM/monitor,server=on,wait=off" -mon monitor \
		-append "console=ttyS0 quiet panic=-1 -- --listen serial:agent --listen vsock:1024 --allow-cid 1" \
		>"$VM/qemu.log" 2>&1 &
	wait_for 5 test -s "$VM/qemu" -a -S "$VM/agent" -a -S "$VM/monitor"
}

vm_relay() {
	"$RELAYD" --agent "unix:$VM/agent" --listen "unix:$VM/s" --log-level info \
		>>"$VM/relay.log" 2>&1 </dev/null 3>&- &
	echo $! >"$VM/relay"
}

# vm_up: a machine that answers.
vm_up() {
	if ! { vm_boot && vm_relay && vm_answers_soon; }; then
		vm_tell
		return 1
	fi
}

vm_answers() {
	"$X" -q -S "unix:$VM/s" --ping 2>/dev/null
}

vm_answers_soon() {
	wait_for 15 vm_answers
}

# vm_x ARG...: msb-exec for that machine.
vm_x() {
	"$X" -S "unix:$VM/s" "$@"
}

# pid_of NAME: of the machine's qemu or relay.
pid_of() {
	cat "$VM/$1"
}

# end NAME [SIGNAL]: of the machine's qemu or relay; returns when it is gone.
end() {
	local pid
	[[ -s $VM/$1 ]] || return 0
	pid=$(pid_of "$1")
	rm -f "$VM/$1"
	kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
	wait_for 5 gone "$pid" || kill -KILL "$pid"
}

# vm_down: nothing is left of the machine.
vm_down() {
	end relay
	end qemu
	rm -rf "$VM"
}

# kill_daemon: with SIGKILL, by a command of its own; the machine's process 1 starts it again.
kill_daemon() {
	local status=0
	# shellcheck disable=SC2016 # for the guest
	vm_x -q -n -- sh -c 'kill -9 $(pgrep -x -P 1 msb-execd)' || status=$?
	[[ $status -eq 125 ]]
}

# monitor COMMAND: of QEMU's, such as system_reset.
monitor() {
	python3 - "$VM/monitor" "$1" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(10)
		s.connect(sys.argv[1])
		def prompt():
		    said = b""
		    while not said.endswith(b"(qemu) "):
		        said += s.recv(4096) or sys.exit("the monitor is gone")
		prompt()
		s.sendall(sys.argv[2].encode() + b"\n")
		if sys.argv[2] != "quit":
		    prompt()
	PY
}
