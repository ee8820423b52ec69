#!/usr/bin/env bats
# The manuals: lint-clean, every option of each program's table and no other, examples that work.

load helper

setup() {
	common_setup
	mapfile -t PROGRAMS < <(programs)
}

teardown() {
	common_teardown
}

# page_of PROGRAM: its manual page.
page_of() {
	local pages=("$ROOT"/*/"${1##*/}".[18])
	[[ ${#pages[@]} -eq 1 && -f ${pages[0]} ]] || return 1
	echo "${pages[0]}"
}

@test "manual: every program has one, and every manual a program" {
	local pages=("$ROOT"/*/msb-*.[18])
	[[ ${#PROGRAMS[@]} -ge 2 && ${#pages[@]} -eq ${#PROGRAMS[@]} ]]
	for program in "${PROGRAMS[@]}"; do
		page_of "$program"
	done
}

@test "manual: mandoc's lint has nothing to say" {
	run -0 mandoc -Tlint -Wwarning "$ROOT"/*/msb-*.[18]
	[[ -z $output ]]
	# Of what is a matter of style all but what depends on which manuals are installed here.
	run mandoc -Tlint -Wall "$ROOT"/*/msb-*.[18]
	run grep -vE 'referenced manual not found|outdated mandoc.db|STYLE: lower case character' <<<"$output"
	[[ -z $output ]]
}

@test "manual: each has the sections that a reader looks for" {
	for page in "$ROOT"/*/msb-*.[18]; do
		for title in NAME SYNOPSIS DESCRIPTION OPTIONS ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES; do
			grep -qx ".Sh $title" "$page" || {
				echo "$page: no $title"
				return 1
			}
		done
	done
}

@test "manual: every option of the table is in it, with its value, and no other" {
	for program in "${PROGRAMS[@]}"; do
		"$program" --help >"$DIR/help"
		python3 -B "$ROOT/tests/manual.py" options "$DIR/help" "$(page_of "$program")"
	done
}

@test "manual: a missing, a foreign and a changed option are all found" {
	"$EXECD" --help >"$DIR/help"
	sed -e '/-u, --user/d' -e 's/--cwd DIR/--cwd    /' "$DIR/help" >"$DIR/other"
	echo '      --new VALUE             something' >>"$DIR/other"
	run -1 python3 -B "$ROOT/tests/manual.py" options "$DIR/other" "$ROOT/daemon/msb-execd.8"
	[[ ${#lines[@]} -eq 3 && $output == *--user* && $output == *--cwd* && $output == *--new* ]]
}

@test "manual: every command of the console is in its manual, and no other" {
	sed -nE 's/^\t\{"\\\\([^"]+)", .*/\1/p' "$ROOT/cli/console/commands.c" | sort >"$DIR/table"
	sed -nE 's/^\.It Ic \\e([^ ]+).*/\1/p' "$ROOT/cli/msb-exec-console.1" | sort -u >"$DIR/manual"
	[[ -s $DIR/table ]]
	run diff "$DIR/table" "$DIR/manual"
	echo "$output"
	[[ -z $output ]]
}

@test "manual: no long option is shown with one dash, as after a comma of mdoc's" {
	local program
	for program in "${PROGRAMS[@]}"; do
		run -1 grep -nE '^\.(.* )?Fl Fl [a-z-]+ , [a-z]' "$(page_of "$program")"
	done
}

@test "manual: the examples do what they promise" {
	daemon_start --cwd "$DIR"
	cd "$DIR"
	export PATH=$BUILD:$PATH HOME=$DIR
	for program in "${PROGRAMS[@]}"; do
		python3 -B "$ROOT/tests/manual.py" examples "$(page_of "$program")"
	done
}

@test "manual: an example that ends otherwise is found" {
	{
		echo '.Sh EXAMPLES'
		printf '.\\" run 0: x\n.Bd -literal\n%s\n.Ed\n' 'echo y' 'echo x; exit 1' 'echo x'
	} >"$DIR/page"
	run -1 python3 -B "$ROOT/tests/manual.py" examples "$DIR/page"
	[[ $(grep -c wanted <<<"$output") -eq 2 ]]
}
