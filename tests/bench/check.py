#!/usr/bin/env python3
"""Tests what the bench computes; nothing is measured. Needs less than a second."""
import contextlib
import io
import types
import unittest
from unittest import mock

import bench
import chart
import report
from procs import Failed, LeftOut
from rounds import middle_cell, middle_rows, middle_tables, spread


class Rounds(unittest.TestCase):
    def test_a_cell_holds_the_median_of_each_figure_in_it(self):
        self.assertEqual(middle_cell(["1.87 (0.27)", "1.90 (0.21)", "2.00 (0.30)"]), "1.90 (0.27)")
        self.assertEqual(middle_cell(["0.10x", "0.25x"]), "0.17x")
        self.assertEqual(middle_cell(["7", "9", "100"]), "9")
        self.assertEqual(middle_cell(["-0.225", "-0.1"]), "-0.163")

    def test_a_cell_without_figures_stays_as_it_is(self):
        self.assertEqual(middle_cell(["-", "-"]), "-")
        self.assertEqual(middle_cell(["libcbor, libc", "libcbor, libc"]), "libcbor, libc")

    def test_a_cell_that_one_round_lacks_is_of_those_that_are_as_the_first(self):
        self.assertEqual(middle_cell(["1.0", "-", "3.0"]), "2.0")
        self.assertEqual(middle_cell(["-", "2.0"]), "-")

    def test_rows_are_found_by_name_whatever_their_order(self):
        rounds = [[["a", "1"], ["b", "2"]], [["b", "4"], ["a", "3"]], [["a", "5"]]]
        self.assertEqual(middle_rows(rounds), [["a", "3"], ["b", "3"]])

    def test_tables_are_found_by_title_and_keep_their_note(self):
        one = report.Table("t", ["way", "ms"], [["a", "1"]], "a note")
        other = report.Table("t", ["way", "ms"], [["a", "2"]], "another")
        lone = report.Table("u", ["way"], [["a"]])
        made = middle_tables([[one], [other, lone]])
        self.assertEqual([(table.title, table.rows, table.note) for table in made],
                         [("t", [["a", "2"]], "a note"), ("u", [["a"]], "")])

    def test_a_ratio_is_of_each_round_and_its_spread_of_those_that_have_it(self):
        rounds = [{"a": 2, "b": 1}, {"a": 9, "b": 3}, {"a": 1}, {"a": 1, "b": 0}, {"a": 8, "b": 2}]
        got = spread(rounds, report.over("a", "b"))
        self.assertEqual((got.least, got.median, got.most), (2, 3, 4))
        self.assertEqual(got.show("{:g}x".format), "3x (2x to 4x)")
        self.assertIsNone(spread(rounds, report.fact("c")))


class Failures(unittest.TestCase):
    """A measurement that fails in a round spoils neither others nor other rounds."""

    def measure(self, count, **measurements):
        """The run, with all of these in each round."""
        run = bench.Run("nowhere")
        run.count = count
        with mock.patch.object(bench, "MEASUREMENTS", {name: [act] for name, act in measurements.items()}), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for number in range(1, count + 1):
                one = types.SimpleNamespace(facts={}, number=number)
                run.tables.append(run.measure(one, number, list(measurements)))
                run.facts.append(one.facts)
        return run

    @staticmethod
    def fine(one):
        one.facts["fine"] = one.number
        return [report.Table("fine", ["way", "n"], [["a", str(one.number)]])]

    @staticmethod
    def first_fails(one):
        if one.number == 1:
            raise Failed("it does not like firsts")
        one.facts["late"] = one.number
        return []

    @staticmethod
    def left_out(_):
        raise LeftOut("nothing is here")

    def test_others_and_other_rounds_are_reported(self):
        run = self.measure(3, first_fails=self.first_fails, fine=self.fine)
        self.assertEqual(run.failed, ["round 1: first_fails: it does not like firsts"])
        self.assertEqual(spread(run.facts, report.fact("late")).values, [2, 3])
        self.assertEqual([table.rows for table in middle_tables(run.tables)], [[["a", "2"]]])

    def test_what_is_left_out_is_no_failure(self):
        run = self.measure(1, left_out=self.left_out, fine=self.fine)
        self.assertEqual((run.failed, run.skipped), ([], {"left_out": "nothing is here"}))


class Promises(unittest.TestCase):
    def row(self, promise, *values):
        return promise.row([{"a": value} for value in values])[3:]

    def test_the_median_decides(self):
        most = report.Promise("p", 2, 1, report.fact("a"))
        self.assertEqual(self.row(most, 1.5), ["1.5x", "ok"])
        self.assertEqual(self.row(most, 0.5, 1, 9), ["1x (0.5x to 9x)", "ok, and the goal"])
        self.assertEqual(self.row(most, 1, 3, 4), ["3x (1x to 4x)", "missed"])
        least = report.at_least("p", 2, 3, report.fact("a"))
        self.assertEqual(self.row(least, 1), ["1x", "missed"])
        self.assertEqual(self.row(least, 3), ["3x", "ok, and the goal"])

    def test_what_was_not_measured_is_not_kept(self):
        promise = report.Promise("p", 2, 1, report.fact("b"))
        self.assertEqual(self.row(promise, 1), ["not measured", "-"])


class Chart(unittest.TestCase):
    @staticmethod
    def light(colour):
        """Its relative luminance, as WCAG has it."""
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722)))

    def test_text_and_bars_are_readable_on_their_ground(self):
        for of in (chart.LIGHT, chart.DARK):
            ground = self.light(of["ground"])
            for name, least in (("text", 4.5), ("unit", 4.5), ("rival", 3), ("base", 3), ("ours", 3)):
                light = self.light(of[name])
                contrast = (max(light, ground) + 0.05) / (min(light, ground) + 0.05)
                self.assertGreaterEqual(contrast, least, (name, of[name]))

    def test_a_range_is_drawn_where_there_are_rounds(self):
        one = [{"latency.msb": 2}]
        self.assertNotIn("<line", chart.svg(one))
        self.assertIn("<line", chart.svg(one + [{"latency.msb": 3}]))
        self.assertIn(">2.50</text>", chart.svg(one + [{"latency.msb": 3}]))

    def test_every_way_of_a_group_has_a_name(self):
        for _, _, prefix, keys, _ in chart.GROUPS:
            self.assertTrue(chart.svg([{prefix + key: 1 for key in keys}]))


if __name__ == "__main__":
    unittest.main()
