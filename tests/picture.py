#!/usr/bin/env python3
"""picture.py BUILD OUT.svg: the README's picture. Types a real session into bash in tmux, against a
private daemon, takes the screen with its colours, and draws it."""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

COLUMNS, ROWS = 84, 36
LIMIT = 20 * float(os.environ.get("SLOW", "1"))  # seconds for each step
HOST, GUEST = "host$ ", "guest$ "

# What is typed, and the prompt that follows it; or a Ctrl-C, and then the guest's.
INTERRUPT = "C-c"
SESSION = [
    ("msb-exec -u nobody --rlimit nofile=64 -- sh -c 'id -un; ulimit -n'", HOST),
    ("msb-exec -- sh -c 'echo out; echo err >&2; exit 3' 2>/dev/null; echo status $?", HOST),
    ("msb-exec --timeout 0.5s -- sleep 60; echo status $?", HOST),
    ("msb-exec -- yes | head -2", HOST),
    ("echo 'Into the guest, and back.' | msb-exec -- tr a-z A-Z", HOST),
    ("msb-exec -d --name build -- sh -c 'read word; echo $word; exit 4'", HOST),
    ("msb-exec --sessions", HOST),
    ("echo 'left, and come back' | msb-exec --send build", HOST),
    ("msb-exec --attach build; echo status $?", HOST),
    ("msb-exec -t -- bash --norc", GUEST),
    ("stty size; tty >/dev/null && echo a terminal", GUEST),
    ("ls --color=always -d /dev/null /etc /bin/sh", GUEST),
    ("sleep 60", INTERRUPT),
    ("exit 7", HOST),
    ("echo status $?", HOST),
]

# The sixteen colours of a terminal on a dark ground of its own, so that the page may be dark or light.
GROUND, TEXT = "#1d2330", "#d8dee9"
PALETTE = ("#3b4252 #e06c75 #98c379 #e5c07b #61afef #c678dd #56b6c2 #d8dee9 "
           "#5c6370 #ff7b86 #b5e890 #ffd98c #82c4ff #e09af5 #76d5e0 #ffffff").split()
CHAR, LINE, MARGIN, BAR = 8.43, 18, 16, 28  # pixels


class Tmux:
    def __init__(self, folder, build):
        self.socket = folder + "/tmux"
        self.env = {**os.environ, "PATH": build + ":" + os.environ["PATH"]}

    def __call__(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *words], check=True,
                              capture_output=True, text=True, env=self.env).stdout

    def screen(self):
        return self("capture-pane", "-p").rstrip("\n").split("\n")

    def wait(self, prompt, lines):
        """Until the last line is the prompt alone, below at least so many others."""
        end = time.monotonic() + LIMIT
        while True:
            shown = [line for line in self.screen() if line]
            if shown and shown[-1] == prompt.rstrip() and len(shown) > lines:
                return len(shown)
            if time.monotonic() > end:
                sys.exit("picture: no prompt:\n" + "\n".join(shown))
            time.sleep(0.05)


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def wait_for_process(words, ancestor):
    """Until the command runs below that process."""
    end = time.monotonic() + LIMIT
    while True:
        found = subprocess.run(["pgrep", "-fx", words], capture_output=True, text=True, check=False)
        for pid in map(int, found.stdout.split()):
            while pid > 1 and pid != ancestor:
                pid = parent(pid)
            if pid == ancestor:
                return
        if time.monotonic() > end:
            sys.exit(f"picture: {words} does not run")
        time.sleep(0.05)


def play(build, folder):
    """The screen at the end, with its escapes."""
    tmux = Tmux(folder, build)
    prompt = "\\[\\e[1;3{}m\\]{}\\[\\e[0m\\]".format
    env = {"PS1": prompt(2, HOST), "HISTFILE": "", "PROMPT_COMMAND": "",
           "MSB_EXEC_ENDPOINT": f"unix:{folder}/s"}
    options = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
    daemon = subprocess.Popen([build + "/msb-execd", "--listen", env["MSB_EXEC_ENDPOINT"]],
                              env={**os.environ, "PS1": prompt(4, GUEST), "HISTFILE": ""})
    try:
        while not os.path.exists(folder + "/s") and daemon.poll() is None:
            time.sleep(0.05)
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), *options,
             "bash", "--norc", "--noprofile")
        lines = tmux.wait(HOST, 0)
        for typed, after in SESSION:
            tmux("send-keys", "-l", "--", typed)
            tmux("send-keys", "Enter")
            if after == INTERRUPT:
                tmux.wait(GUEST + typed, lines - 1)
                wait_for_process(typed, daemon.pid)
                tmux("send-keys", "C-c")
            lines = tmux.wait(GUEST if after == INTERRUPT else after, lines)
        return tmux("capture-pane", "-e", "-p").rstrip("\n").split("\n")
    finally:
        subprocess.run(["tmux", "-S", tmux.socket, "kill-server"], capture_output=True)
        daemon.terminate()
        daemon.wait()


def spans(line, style):
    """(style, text) for each run; style is (colour or None, bold), and goes on in the next line."""
    for escape, text in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", line):
        if text:
            yield tuple(style), text
            continue
        for code in map(int, (escape or "0").split(";")):
            if code == 0:
                style[:] = None, False
            elif code == 1:
                style[1] = True
            elif 30 <= code <= 37:
                style[0] = code - 30
            elif 90 <= code <= 97:
                style[0] = code - 82
            elif code == 39:
                style[0] = None


def draw(lines):
    width = round(COLUMNS * CHAR + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN + BAR
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" role="img" aria-label="A session of msb-exec">')
    yield f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>'
    for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        yield f'<circle cx="{20 + 20 * i}" cy="20" r="6" fill="{colour}"/>'
    yield (f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
           f'font-size="14" fill="{TEXT}" xml:space="preserve">')
    style = [None, False]
    for row, line in enumerate(lines):
        column = 0
        y = MARGIN + BAR + (row + 1) * LINE - 5
        for (colour, bold), text in spans(line, style):
            # Each run has its length given, so that it fits whatever the reader's font is.
            if text.strip():
                paint = f' fill="{PALETTE[colour]}"' if colour is not None else ""
                weight = ' font-weight="bold"' if bold else ""
                yield (f'<text x="{MARGIN + column * CHAR:.1f}" y="{y}" '
                       f'textLength="{len(text) * CHAR:.1f}"{paint}{weight}>{html.escape(text)}</text>')
            column += len(text)
    yield "</g>\n</svg>"


def main():
    build, out = os.path.abspath(sys.argv[1]), sys.argv[2]
    folder = tempfile.mkdtemp(prefix="msb-picture.")
    os.chmod(folder, 0o755)
    try:
        lines = play(build, folder)
    finally:
        shutil.rmtree(folder)
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(draw(lines)) + "\n")


if __name__ == "__main__":
    main()
