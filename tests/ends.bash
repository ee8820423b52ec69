# Both ends of a relay, for a test: its clients and its guest are one script of peer.py.

# ends: runs the Python on stdin as clients and guest of a relay.
ends() {
	relay_start "$DIR/port"
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY"
}
