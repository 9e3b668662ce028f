#!/usr/bin/env python3
"""What the tiers of scripts/test.sh say in their logs: scripts/summary.py FOLDER [FAILED-TIER...]

Tells of each tier that failed which of its tests did and how they began to, so that the end of the output is enough to
know; then sums the tests of all tiers in one line.
"""

import pathlib
import re
import sys

# Of each tier, and of each test in it.
TESTS = 8
LINES = 14
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def read(path):
    return COLOURS.sub("", path.read_text(encoding="utf-8", errors="replace"))


def rust(text):
    """What cargo test prints of a failed test, up to the frames of its stack."""
    for name, said in re.findall(r"^---- (\S+) stdout ----\n(.*?)(?=^---- |^failures:|\Z)", text, re.M | re.S):
        yield name, said.split("stack backtrace:")[0]


def vitest(text):
    """What Vitest prints of a failed test: the error and its place."""
    for name, said in re.findall(r"^ *FAIL +(\S[^\n]*)\n(.*?)(?=^⎯|\Z)", text, re.M | re.S):
        yield name, said


def unittest(text):
    for name, said in re.findall(r"^(?:FAIL|ERROR): ([^\n]+)\n-+\n(.*?)(?=^={20}|\Z)", text, re.M | re.S):
        yield name, said


def failures(text):
    """The failed tests that the log names; its last lines where it names none."""
    found = [one for kind in (rust, vitest, unittest) for one in kind(text)]
    return found or [("the last lines", "\n".join(text.splitlines()[-LINES:]))]


def count(text):
    """Passed, failed and skipped, as cargo test, unittest, node --test and our own scripts say it."""
    passed = failed = skipped = 0
    for ok, bad, ignored in re.findall(r"^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored", text, re.M):
        passed, failed, skipped = passed + int(ok), failed + int(bad), skipped + int(ignored)
    for ok, bad, left in re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M):
        passed, failed, skipped = passed + int(ok), failed + int(bad), skipped + int(left)
    for kind, number in re.findall(r"^# (pass|fail|skipped) (\d+)$", text, re.M):
        passed += int(number) * (kind == "pass")
        failed += int(number) * (kind == "fail")
        skipped += int(number) * (kind == "skipped")
    for ran, end in re.findall(r"^Ran (\d+) tests? in [^\n]*\n\n(\w+[^\n]*)", text, re.M):
        found = {kind: int(number) for kind, number in re.findall(r"(failures|errors|skipped)=(\d+)", end)}
        bad, left = found.get("failures", 0) + found.get("errors", 0), found.get("skipped", 0)
        passed, failed, skipped = passed + int(ran) - bad - left, failed + bad, skipped + left
    # A Rust test that cannot run says so and returns: cargo counts it as passed.
    said = len(re.findall(r"^(?:test .* \.\.\. )?SKIPPED: ", text, re.M))
    return passed - said, failed, skipped + said


def main():
    folder, tiers = pathlib.Path(sys.argv[1]), sys.argv[2:]
    for tier in tiers:
        log = folder / f"{tier}.log"
        for name, said in failures(read(log) if log.exists() else "")[:TESTS]:
            print(f"-- {tier}: {name}")
            lines = [line.rstrip() for line in said.splitlines() if line.strip()]
            print("\n".join(f"   {line[:300]}" for line in lines[:LINES]))
    sums = [sum(of) for of in zip((0, 0, 0), *(count(read(log)) for log in sorted(folder.glob("*.log"))))]
    passed, failed, skipped = sums
    # A tier that broke before it could count its tests is a failure too.
    print(f"{passed} passed, {max(failed, len(tiers))} failed, {skipped} skipped")


main()
