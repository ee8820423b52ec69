"""Of several rounds: the median of each figure, and between what it lay. All of it is pure."""
import re
import statistics

FIGURE = re.compile(r"-?\d+(?:\.\d+)?")


class Spread:
    """What a figure was in all rounds that have it."""

    def __init__(self, values):
        self.values = sorted(values)
        self.least, self.most = self.values[0], self.values[-1]
        self.median = statistics.median(self.values)

    def show(self, form):
        """The median, and the range where there is one."""
        text = form(self.median)
        if len(self.values) > 1:
            text += f" ({form(self.least)} to {form(self.most)})"
        return text


def spread(rounds, figure):
    """The Spread of figure(facts); None if no round has it."""
    values = []
    for facts in rounds:
        try:
            values.append(figure(facts))
        except (KeyError, ZeroDivisionError):
            pass
    return Spread(values) if values else None


def middle_cell(cells):
    """The cell with the median of each figure in it; as the first says it where they differ in more."""
    parts = [FIGURE.split(cell) for cell in cells]
    alike = [cell for cell, part in zip(cells, parts) if part == parts[0]]
    columns = [FIGURE.findall(cell) for cell in alike]
    text = parts[0][0]
    for figures, after in zip(zip(*columns), parts[0][1:]):
        digits = max(len(figure.partition(".")[2]) for figure in figures)
        text += f"{statistics.median(map(float, figures)):.{digits}f}" + after
    return text


def middle_rows(tables):
    """Rows of the same table of several rounds: those of one name become one, in the first's order."""
    named = {}
    for rows in tables:
        for row in rows:
            named.setdefault(row[0], []).append(row)
    return [[name, *(middle_cell([str(row[i]) for row in rows]) for i in range(1, len(rows[0])))]
            for name, rows in named.items()]


def middle_tables(rounds):
    """Lists of tables, one for each round, become one; a table is known by its title."""
    titled = {}
    for tables in rounds:
        for table in tables:
            titled.setdefault(table.title, []).append(table)
    return [tables[0].with_rows(middle_rows([table.rows for table in tables]))
            for tables in titled.values()]
