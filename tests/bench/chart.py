"""The chart: for each of some measurements a bar for each way, and in it a thin line for the range of
its rounds, where there are some."""
from xml.sax.saxutils import escape

from rounds import spread

WIDTH, LEFT, RIGHT, EDGE = 800, 256, 104, 20
BAR, GAP, TITLE, SPACE = 16, 7, 30, 18
SHORT = {"local": "local", "msb": "msb-exec", "static": "msb-exec, static", "base": "msb-exec, earlier",
         "relay": "bare relay", "floor": "floor: start, local run, wake-ups", "socat": "socat, Unix socket",
         "ssh": "ssh, ControlMaster", "crun": "crun exec (for docker exec)",
         "one": "msb-exec, one connection"}

GROUPS = (
    ("One-shot latency of true", "ms, less is better", "latency.",
     ("local", "floor", "msb", "static", "socat", "ssh", "crun"), "{:.2f}"),
    ("Throughput of stdout", "MiB/s, more is better", "stdout.rate.",
     ("local", "msb", "socat", "ssh", "crun"), "{:.0f}"),
    ("CPU of client and server", "s/GiB of stdout, less is better", "stdout.cpu.",
     ("msb", "socat", "ssh"), "{:.2f}"),
    ("Output of a terminal", "MiB/s, more is better", "tty.rate.",
     ("local", "relay", "msb", "base", "ssh"), "{:.0f}"),
    ("Echo of a key on a terminal", "microseconds, less is better", "echo.idle.p50.",
     ("local", "relay", "msb", "base", "ssh", "crun"), "{:.0f}"),
    ("Many at once: 16 clients", "sessions a second, more is better", "many.rate.",
     ("local", "one", "msb", "static", "base", "ssh", "crun"), "{:.0f}"),
)

# Whoever shows it may have a page that is not of the reader's scheme: the chart brings its own ground, so that
# text and ground always change together.
LIGHT = {"ground": "#ffffff", "edge": "#d0d7de", "text": "#24292f", "unit": "#57606a",
         "rival": "#7d8590", "base": "#8c929b", "ours": "#0969da"}
DARK = {"ground": "#0d1117", "edge": "#30363d", "text": "#e6edf3", "unit": "#9198a1",
        "rival": "#8b949e", "base": "#6e7681", "ours": "#4493f8"}


def colours(of):
    return f"""text {{ fill: {of["text"]} }}
.unit {{ fill: {of["unit"]} }}
.ground {{ fill: {of["ground"]}; stroke: {of["edge"]} }}
.range {{ stroke: {of["text"]} }}
.halo {{ stroke: {of["ground"]} }}
.rival {{ fill: {of["rival"]} }}
.base {{ fill: {of["base"]} }}
.ours {{ fill: {of["ours"]} }}
"""


STYLE = f"""
text {{ font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif }}
.title {{ font-weight: 600; font-size: 14px }}
.unit {{ font-weight: 400 }}
.range {{ stroke-width: 1.5 }}
.halo {{ stroke-width: 4.5 }}
.name-ours {{ font-weight: 600 }}
{colours(LIGHT)}@media (prefers-color-scheme: dark) {{
{colours(DARK)}}}
"""


def kind(key):
    if key in ("msb", "static", "one"):
        return "ours"
    return "base" if key in ("local", "relay", "floor") else "rival"


def bar(key, value, form, scale, y):
    """The lines of one bar: the way's name, the bar, its range, and the figure."""
    bold = ' class="name-ours"' if kind(key) == "ours" else ""
    length = max(1, value.median * scale)
    middle, right = y + BAR - 3.5, LEFT + length
    lines = [f'<text{bold} x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(SHORT[key])}</text>',
             f'<rect class="{kind(key)}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>']
    if value.most > value.least:
        ends = LEFT + value.least * scale, LEFT + value.most * scale
        at = y + BAR / 2
        lines += [f'<line class="{name}" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{at}" y2="{at}"/>'
                  for name in ("halo", "range")]
        right = max(right, ends[1])
    lines.append(f'<text{bold} x="{right + 8:.1f}" y="{middle}">{form.format(value.median)}</text>')
    return lines


def group(title, unit, prefix, keys, form, rounds, top):
    """The lines of one group, and how high it is; nothing if it was not measured."""
    values = {key: spread(rounds, lambda facts, name=prefix + key: facts[name]) for key in keys}
    values = {key: value for key, value in values.items() if value}
    if not values:
        return [], 0
    lines = [f'<text class="title" x="{EDGE}" y="{top + 14}">{escape(title)}'
             f'<tspan class="unit" dx="8">{escape(unit)}</tspan></text>']
    scale = (WIDTH - LEFT - RIGHT) / max(value.most for value in values.values())
    y = top + TITLE
    for key, value in values.items():
        lines += bar(key, value, form, scale, y)
        y += BAR + GAP
    return lines, y + SPACE - top


def svg(rounds):
    """Of the facts of each round."""
    lines, top = [], EDGE
    for one in GROUPS:
        more, height = group(*one, rounds, top)
        lines += more
        top += height
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}" role="img" aria-label="msb-exec beside what people use today">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{top - 1}" rx="6"/>',
        *lines, "</svg>"]) + "\n"
