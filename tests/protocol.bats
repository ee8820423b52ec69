#!/usr/bin/env bats
# shared/PROTOCOL.md, the page of what we add to the reference's protocol: it says what the code does.

load helper

@test "protocol: the page has each type and key that is ours, with flags and kinds, and no other" {
	run -0 python3 -B "$ROOT/tests/protocol.py"
	echo "$output"
	[[ -z $output ]]
}

@test "protocol: what the page has not, or otherwise, is told" {
	local page="$BATS_TEST_TMPDIR/shared/PROTOCOL.md" change told
	mkdir "$BATS_TEST_TMPDIR/tests" "$BATS_TEST_TMPDIR/shared"
	cp "$ROOT/tests/protocol.py" "$BATS_TEST_TMPDIR/tests"
	ln -s "$ROOT/shared/wire" "$BATS_TEST_TMPDIR/shared/wire"
	while IFS=@ read -r change told; do
		sed "$change" "$ROOT/shared/PROTOCOL.md" >"$page"
		run ! cmp -s "$ROOT/shared/PROTOCOL.md" "$page"
		run -0 python3 -B "$BATS_TEST_TMPDIR/tests/protocol.py"
		echo "$change: $output"
		[[ $output == $told* ]]
	done <<-'END'
		s/`stdin_at` u64/`stdin_at` u32/@core.session.attached: stdin_at is u64, on the page u32
		s/`stdin_at` u64/`stdin_on` u64/@core.session.attached: stdin_at is not on the page*stdin_on is on the page alone
		/^. core.session.refused/d@core.session.refused: flags 0, on the page None*message is not on the page
		s/^. core.session.done . G . 1/| core.session.done | G | 0/@core.session.done: flags 1, on the page 0
		s/^. core.session.done/| core.session.down/@core.session.done: flags 1, on the page None*core.session.down: on the page alone
		s/`login_shell` bool/`login_shell`/@core.exec.request: of which kind login_shell is, the page does not say
		s/`"taken"`/`"stolen"`/@"taken" of detached is not on the page
		s/, `pixels`//@`pixels` of exec_features is not on the page
	END
}
