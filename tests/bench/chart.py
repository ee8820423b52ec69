"""The chart: for each of four measurements, a bar for each way."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 760, 236, 84
BAR, GAP, TITLE, SPACE = 16, 7, 30, 18
SHORT = {"local": "local", "msb": "msb-exec", "static": "msb-exec, static", "relay": "bare relay",
         "socat": "socat, Unix socket", "ssh": "ssh, ControlMaster", "crun": "crun exec (for docker exec)"}

GROUPS = (
    ("One-shot latency of true", "ms, less is better", "latency.",
     ("local", "msb", "static", "socat", "ssh", "crun"), "{:.2f}"),
    ("Throughput of stdout", "MiB/s, more is better", "stdout.rate.",
     ("local", "msb", "socat", "ssh", "crun"), "{:.0f}"),
    ("CPU of client and server", "s/GiB of stdout, less is better", "stdout.cpu.",
     ("msb", "socat", "ssh"), "{:.2f}"),
    ("Echo of a key on a terminal", "microseconds, less is better", "echo.idle.p50.",
     ("local", "relay", "msb", "ssh", "crun"), "{:.0f}"),
)

# Shades that hold on white and on black; text changes with the scheme.
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.unit { fill: #6e7781 }
.rival { fill: #8c959f }
.base { fill: #afb8c1 }
.ours { fill: #2f81f7 }
.name-ours { font-weight: 600 }
@media (prefers-color-scheme: dark) {
	text { fill: #e6edf3 }
	.unit { fill: #9198a1 }
	.rival { fill: #6e7681 }
	.base { fill: #484f58 }
}
"""


def kind(key):
    if key in ("msb", "static"):
        return "ours"
    return "base" if key in ("local", "relay") else "rival"


def group(title, unit, prefix, keys, form, facts, top):
    """The lines of one group, and how high it is; nothing if it was not measured."""
    values = {key: facts[prefix + key] for key in keys if prefix + key in facts}
    if not values:
        return [], 0
    lines = [f'<text class="title" x="0" y="{top + 14}">{escape(title)}'
             f'<tspan class="unit" font-weight="400" dx="8">{escape(unit)}</tspan></text>']
    scale = (WIDTH - LEFT - RIGHT) / max(values.values())
    y = top + TITLE
    for key, value in values.items():
        bold = ' class="name-ours"' if kind(key) == "ours" else ""
        length = max(1, value * scale)
        middle = y + BAR - 3.5
        lines += [f'<text{bold} x="{LEFT - 10}" y="{middle}" text-anchor="end">'
                  f"{escape(SHORT[key])}</text>",
                  f'<rect class="{kind(key)}" x="{LEFT}" y="{y}" width="{length:.1f}" '
                  f'height="{BAR}" rx="2"/>',
                  f'<text{bold} x="{LEFT + length + 8:.1f}" y="{middle}">{form.format(value)}</text>']
        y += BAR + GAP
    return lines, y + SPACE - top


def svg(facts):
    lines, top = [], 8
    for one in GROUPS:
        more, height = group(*one, facts, top)
        lines += more
        top += height
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}" role="img" aria-label="msb-exec beside what people use today">',
        f"<style>{STYLE}</style>", *lines, "</svg>"]) + "\n"
