#!/usr/bin/env python3
"""Checks that docs/ and tests/ name each other rightly.

- Each test that a table of docs/ names, as `file::test` or by the beginning of its name, exists.
- Each rule from 1 to the last has one row in docs/protocol-rules.md, and each contract one in docs/contracts.md.
- Each rule and contract that a file of tests/ cites is there.
- Names of tests cite a rule with two digits: `rule_02_`, never `rule_2_`.
- No test is ignored.
- Each file of tests/ is run with the features that a user chooses too, unless compression or `arbitrary` is what it is about.

Rows that say "none yet" are counted and printed. `--strict` fails on them.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CITED = re.compile(r"\b(rule|contract)s? (\d+)((?:, \d+)*)(?:,? and (\d+))?", re.IGNORECASE)


def tests_by_file():
    found = {}
    for file in sorted((ROOT / "tests").glob("*.rs")):
        text = file.read_text()
        names = re.findall(r"#\[test\](?:\s*#\[[^\n]*\]|\s*//[^\n]*)*\s*fn (\w+)", text)
        found[file.stem] = names
    return found


def rows_of(file):
    return [line for line in file.read_text().splitlines() if re.match(r"\| [^-|]", line)]


def main():
    strict = sys.argv[1:] == ["--strict"]
    faults, missing = [], []
    tests = tests_by_file()
    stages = re.search(r"^stages=\((.*?)\)", (ROOT / ".ci/run").read_text(), re.M | re.S)[1].split()
    numbers = {}
    for kind, name in [("rule", "protocol-rules"), ("contract", "contracts"), (None, "hostile-inputs")]:
        seen = []
        for row in rows_of(ROOT / f"docs/{name}.md"):
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            if cells[-1].startswith("shown by"):
                continue
            label = f"docs/{name}.md, {cells[0]}"
            if kind:
                seen.append(int(cells[0]))
            if cells[-1] == "none yet":
                missing.append(label)
            named = re.findall(r"`([^`]+)`", cells[-1])
            if not named and cells[-1] != "none yet":
                faults.append(f"{label}: no test")
            for test in named:
                if test.startswith(".ci/run "):
                    if test.split()[1] not in stages:
                        faults.append(f"{label}: no stage {test}")
                elif "::" not in test:
                    if not (ROOT / test).exists():
                        faults.append(f"{label}: no file {test}")
                else:
                    file, start = test.split("::")
                    if not any(name.startswith(start) for name in tests.get(file, [])):
                        faults.append(f"{label}: no test {test}")
        if kind:
            numbers[kind] = set(seen)
            if seen != list(range(1, len(seen) + 1)):
                faults.append(f"docs/{name}.md: the numbers are not 1, 2, 3, ...: {seen}")
    for file in sorted((ROOT / "tests").glob("*.rs")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            where = f"tests/{file.name}:{number}"
            if re.search(r"\brule_\d_", line):
                faults.append(f"{where}: rule_N_ in a name is written with two digits")
            if re.match(r"\s*#\[.*\bignore\b", line):
                faults.append(f"{where}: an ignored test shows nothing")
            for rule in re.findall(r"rule_(\d\d)", line):
                if int(rule) not in numbers["rule"]:
                    faults.append(f"{where}: no rule {rule}")
            if "//" not in line:
                continue
            for kind, *cited in CITED.findall(line):
                for one in re.findall(r"\d+", " ".join(cited)):
                    if int(one) not in numbers[kind.lower()]:
                        faults.append(f"{where}: no {kind.lower()} {one}")
    listed = (ROOT / "tests/featuresets/Cargo.toml").read_text()
    for file in tests:
        if f'path = "../{file}.rs"' not in listed and not re.match(r"deflate_|peer_cases|prop_arbitrary", file):
            faults.append(f"tests/featuresets/Cargo.toml: no test ../{file}.rs")
    print(*faults, sep="\n", end="\n" if faults else "")
    named = sum(len(names) for names in tests.values())
    print(f"{named} tests, {len(numbers['rule'])} rules, {len(numbers['contract'])} contracts; without a test of their own: {len(missing)}")
    print(*(f"  {label}" for label in missing), sep="\n")
    if faults or (strict and missing):
        sys.exit(1)


if __name__ == "__main__":
    main()
