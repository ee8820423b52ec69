# For files that copy: a folder with what gets lost easily, and whether two folders are the same.

# tree: a folder with what gets lost easily: blanks in names, modes, times, nothing at all, and 20 MB.
tree() {
	mkdir -p 'tree/a folder/empty'
	echo 'one line' >'tree/a name with  blanks'
	echo '#!/bin/sh' >'tree/a folder/run'
	: >'tree/-n'
	echo grüße >'tree/漢字 "q" $x'
	head -c 20000000 /dev/urandom >tree/large
	chmod 750 'tree/a folder/run'
	chmod 640 tree/large
	chmod 400 tree/-n
	touch -d '2001-02-03 04:05:06' tree/large 'tree/a folder/run'
}

# listing FOLDER: names, kinds, modes, sizes and where links lead; of files the time too.
listing() {
	find "$1" -mindepth 1 \( -type f -printf '%P %y %m %s %Ts\n' -o -printf '%P %y %m %l\n' \) | LC_ALL=C sort
}

# same FOLDER FOLDER: in contents and listing.
same() {
	diff -r --no-dereference "$1" "$2"
	diff <(listing "$1") <(listing "$2")
}

# sftp_server: wherever this system has it; Debian's place is the README's.
sftp_server() {
	local path
	for path in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec; do
		[[ ! -x $path/sftp-server ]] || SFTP_SERVER=$path/sftp-server
	done
	[[ -n $SFTP_SERVER ]] || skip "no sftp-server here"
}
