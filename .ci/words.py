#!/usr/bin/env python3
"""Checks the comments of the Rust code, and the line lengths of code and documents.

    .ci/words.py               every file
    .ci/words.py FILE...       these files
    .ci/words.py --test        checks the checker

- No line has more than 100 columns. Rows of a table and lines without a space to break at are exempt.
  Outside of src/ and drivers/, only comments are checked: tests and benches have long literals. In
  documents, blocks of code are exempt.
- No comment begins with Whether, What, As, Where or How.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100
FOLDERS = ("src", "drivers", "examples", "tests", "benches", "fuzz")
STRICT = FOLDERS[:2]
COMMENT = re.compile(r"\s*(//[/!]?)(?!/)\s?(.*)")
BEGINS = re.compile(r"(Whether|What|As|Where|How)\b")


def faults_of(text, strict=True):
    """Returns the faults of a file as pairs of a line number and a reason.

    If strict is false, only comments are checked.
    """
    found = []
    before = None
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        comment = COMMENT.fullmatch(line)
        marker = comment and (comment[1], line.index("//"))
        if comment and comment[2].startswith("```"):
            fenced = not fenced
        words = comment[2] if comment else line.strip()
        exempt = words.startswith("|") if comment else not strict
        if len(line) > WIDTH and not exempt and " " in words:
            found.append((number, f"{len(line)} columns"))
        if comment and marker != before and not fenced and BEGINS.match(words):
            found.append((number, f"a comment begins with {words.split()[0]}"))
        before = marker
        fenced = fenced and bool(comment)
    return found


def test():
    """Breaks each rule once."""
    assert faults_of("/// Returns `true` if\n/// What follows is a second line.\nfn a() {}\n") == []
    assert faults_of("/// Whether it is.\n") == [(1, "a comment begins with Whether")]
    assert faults_of("    // As above.\n") == [(1, "a comment begins with As")]
    assert faults_of("//! How it works.\n") == [(1, "a comment begins with How")]
    assert faults_of("/// Assumes nothing. Whatever.\n") == []
    assert faults_of("let a = 1;\n// a " + "a" * 100 + "\n") == [(2, "105 columns")]
    assert faults_of("/// | a " + "a" * 100 + "|\n") == []
    assert faults_of("    let a = " + "a" * 100 + ";\n") == [(1, "113 columns")]
    assert faults_of("    let a = " + "a" * 100 + ";\n", strict=False) == []
    assert faults_of("// a " + "a" * 100 + "\n", strict=False) == [(1, "105 columns")]
    long = "a " + "a" * 100
    assert faults_of_document(f"{long}\n```\n{long}\n```\n| {long}\n") == [(1, "102 columns")]


def faults_of_document(text):
    """Returns the lines of a document that are too long, as `faults_of` does."""
    found = []
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if len(line) > WIDTH and not fenced and not line.startswith("|") and " " in line.strip():
            found.append((number, f"{len(line)} columns"))
    return found


def main():
    if sys.argv[1:] == ["--test"]:
        return test()
    if sys.argv[1:]:
        files = [Path(name).resolve() for name in sys.argv[1:]]
    else:
        files = sorted(
            file
            for folder in FOLDERS
            for file in [*(ROOT / folder).rglob("*.rs"), *(ROOT / folder).rglob("*.md")]
            if not {"target", "node_modules", "results.md"} & set(file.relative_to(ROOT).parts)
        )
        files += sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
    count = 0
    for file in files:
        name = file.relative_to(ROOT)
        text = file.read_text()
        document = file.suffix == ".md"
        strict = name.parts[0] in STRICT
        for number, reason in faults_of_document(text) if document else faults_of(text, strict):
            print(f"{name}:{number}: {reason}")
            count += 1
    if count:
        sys.exit(1)


if __name__ == "__main__":
    main()
