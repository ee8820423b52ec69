#!/usr/bin/env python3
"""chardev.py SOCKET PORT: a virtual machine's serial port without the machine. Listens on SOCKET, as
QEMU's chardev does, for one host at a time, and lets its bytes through to a terminal, for which PORT
is a link; for the agent that opens it the host hangs up when its connection closes. A terminal that
was hung up is one for ever, so each host gets another. Until SIGTERM."""

import os
import selectors
import signal
import sys
import tty

from wire import listen

PIECE = 65536
QUEUE_MAX = 4 * PIECE


class Way:
    """One direction: bytes read there and not yet written here."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.queue = bytearray()

    def read(self):
        """Whether the source goes on."""
        try:
            data = os.read(self.source, PIECE)
        except BlockingIOError:
            return True
        except OSError:
            # Nobody has the terminal open, which is no end: somebody may yet.
            return True
        self.queue += data
        return bool(data)

    def write(self):
        try:
            del self.queue[:os.write(self.sink, self.queue)]
        except BlockingIOError:
            pass


def bridge(host, master, selector):
    """Until the host is gone."""
    ways = [Way(host, master), Way(master, host)]
    for fd in host, master:
        os.set_blocking(fd, False)
        selector.register(fd, selectors.EVENT_READ)
    while True:
        for way in ways:
            back = ways[1 - ways.index(way)]
            want = (len(way.queue) < QUEUE_MAX and selectors.EVENT_READ) | \
                (bool(back.queue) and selectors.EVENT_WRITE)
            if way.source in selector.get_map():
                selector.unregister(way.source)
            if want:
                selector.register(way.source, want)
        for key, ready in selector.select():
            way = ways[0] if key.fd == host else ways[1]
            if ready & selectors.EVENT_WRITE:
                try:
                    ways[1 - ways.index(way)].write()
                except OSError:
                    return
            if ready & selectors.EVENT_READ and not way.read():
                return


def main():
    path, port = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = listen(path)
    while True:
        host, _ = listener.accept()
        master, slave = os.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), port + ".new")
        os.rename(port + ".new", port)
        # Ours stays open: a terminal that nobody has open would be hung up already.
        with selectors.DefaultSelector() as selector:
            bridge(host.fileno(), master, selector)
        # The next terminal of that number may be anybody's.
        os.unlink(port)
        os.close(master)
        os.close(slave)
        host.close()


if __name__ == "__main__":
    main()
