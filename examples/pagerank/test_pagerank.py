"""Tests of the PageRank example: `python3 -m unittest` in this folder."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import pagerank

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = [sys.executable, os.path.join(HERE, "pagerank.py")]


class Ranks(unittest.TestCase):
    def test_the_karate_club_is_led_by_its_president_and_its_instructor(self):
        with open(os.path.join(HERE, "karate.txt"), encoding="utf-8") as lines:
            graph, edges = pagerank.parse(lines, directed=False)
        ranks, _ = pagerank.pagerank(graph, 0.85)
        self.assertEqual((len(graph), edges), (34, 78))
        self.assertAlmostEqual(sum(ranks.values()), 1.0, places=9)
        self.assertEqual(sorted(ranks, key=ranks.get, reverse=True)[:3], ["34", "1", "33"])
        # The values that other implementations publish for this graph.
        self.assertAlmostEqual(ranks["34"], 0.1009, places=4)
        self.assertAlmostEqual(ranks["1"], 0.0970, places=4)

    def test_rank_flows_along_the_direction_and_dead_ends_keep_the_sum(self):
        graph, _ = pagerank.parse(["a sink", "b sink"], directed=True)
        ranks, _ = pagerank.pagerank(graph, 0.85)
        self.assertAlmostEqual(sum(ranks.values()), 1.0, places=9)
        self.assertGreater(ranks["sink"], 2 * ranks["a"])

    def test_a_heavier_edge_carries_more(self):
        graph, _ = pagerank.parse(["a b 3", "a c 1"], directed=True)
        ranks, _ = pagerank.pagerank(graph, 0.85)
        self.assertGreater(ranks["b"], ranks["c"])


class Inputs(unittest.TestCase):
    def test_bad_lines_are_named(self):
        for lines, message in (
            (["a b", "lonely"], "line 2"),
            (["a b heavy"], "not a number"),
            (["a b -1"], "positive"),
            (["a b nan"], "positive"),
            (["# nothing"], "no edges"),
        ):
            with self.assertRaisesRegex(pagerank.InputError, message):
                pagerank.parse(lines, directed=False)

    def test_bad_settings_are_named(self):
        for environment, message in (
            ({"DAMPING": "much"}, "DAMPING"),
            ({"DAMPING": "1.5"}, "between 0 and 1"),
            ({"TOP": "0"}, "at least 1"),
            ({"DIRECTED": "yes"}, "DIRECTED"),
        ):
            with self.assertRaisesRegex(pagerank.InputError, message):
                pagerank.settings(environment)


class Program(unittest.TestCase):
    def test_files_of_the_platform_are_used_where_they_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            payload, result = os.path.join(folder, "in"), os.path.join(folder, "out")
            with open(payload, "w", encoding="utf-8") as out:
                out.write("a b\nb c\n")
            environment = {**os.environ, "EVENTFLOW_PAYLOAD_FILE": payload, "EVENTFLOW_RESULT_FILE": result, "TOP": "1"}
            done = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, timeout=30, check=True)
            with open(result, encoding="utf-8") as answer:
                ranks = json.load(answer)["ranks"]
        self.assertEqual([entry["node"] for entry in ranks], ["b"])
        self.assertEqual(done.stdout, "")
        self.assertIn("read 3 nodes and 2 edges", done.stderr)

    def test_without_files_it_is_a_filter_and_fails_with_a_reason(self):
        names = ("EVENTFLOW_PAYLOAD_FILE", "EVENTFLOW_RESULT_FILE")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        good = subprocess.run(PROGRAM, input="a b\n", env=environment, capture_output=True, text=True, timeout=30)
        self.assertEqual(json.loads(good.stdout)["nodes"], 2)
        bad = subprocess.run(PROGRAM, input="a\n", env=environment, capture_output=True, text=True, timeout=30)
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertIn("error: line 1", bad.stderr)


if __name__ == "__main__":
    unittest.main()
