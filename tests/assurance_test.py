#!/usr/bin/env python3
"""docs/assurance.md says what proves what. This test fails where that is not so: an invariant without a property, a rule without a test, a name
that no test has, a number of cases or of planted faults that is not the one in the source.

    assurance_test.py [ROOT]
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
DOC = (ROOT / "docs/assurance.md").read_text()
wrong = []


def section(title):
    m = re.search(rf"^## {re.escape(title)}.*?$(.*?)(?=^## |\Z)", DOC, re.M | re.S)
    if not m:
        sys.exit(f"assurance: docs/assurance.md has no section '{title}'")
    return m[1]


def rows(text):
    table = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table if not re.match(r"^\|[-| ]+\|$", line)][1:]


# Suite.Name -> (its text up to the next test, the tags behind its name)
tests = {}
for path in sorted((ROOT / "src").rglob("*_test.cc")):
    source = path.read_text()
    heads = list(re.finditer(r"^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\((\w+),\s*(\w+)[^{\n]*\{[^\S\n]*(?://([\d ]+)$)?", source, re.M))
    for head, after in zip(heads, heads[1:] + [None]):
        tests[f"{head[1]}.{head[2]}"] = (source[head.start(): after.start() if after else len(source)], {int(n) for n in (head[3] or "").split()})


def named(cell, where):
    """The tests that a cell names; each has to be there."""
    found = re.findall(r"`([^`]+)`", cell)
    for name in found:
        if "/" in name or name.endswith(".py"):
            if not (ROOT / name).exists():
                wrong.append(f"{where}: there is no file {name}")
        elif name not in tests:
            wrong.append(f"{where}: no test is called {name}")
    return found


# ---- the invariants: numbers, properties, cases
claimed = {}
for number, _, cell, cases in rows(section("The invariants")):
    where = f"invariant {number}"
    found = named(cell, where)
    if not found:
        wrong.append(f"{where}: no property")
    claimed[int(number)] = set(found)
    # Where the source says how many cases, the table says the same.
    counts = [int(n) for name in found if name in tests for n in re.findall(r"for_cases\((\d+),", tests[name][0])]
    said = [int(n.replace(",", "")) for n in re.findall(r"[\d,]+", cases.split("+")[0])]
    if counts and (not said or said[0] != sum(counts)):
        wrong.append(f"{where}: {sum(counts)} cases in the source, '{cases}' in the table")
for number in range(1, 36):
    if number not in claimed:
        wrong.append(f"invariant {number} is not in the table")
for name, (_, tags) in tests.items():
    if name.split(".")[0] not in ("Invariants", "ExchangeInvariants"):
        continue
    if not tags:
        wrong.append(f"{name} does not say of which invariant it is: // N behind its name")
    for number in tags:
        if name not in claimed.get(number, ()):
            wrong.append(f"{name} says that it is of invariant {number}; the table does not")
for number, names in claimed.items():
    for name in names:
        if name in tests and name.split(".")[0] in ("Invariants", "ExchangeInvariants") and number not in tests[name][1]:
            wrong.append(f"the table says that {name} is of invariant {number}; its source does not")

total = sum(int(n) for text, _ in tests.values() for n in re.findall(r"for_cases\((\d+),", text))
m = re.search(r"\*\*([\d,]+) cases\*\* of properties", DOC)
if not m or int(m[1].replace(",", "")) != total:
    wrong.append(f"the properties judge {total:,} cases, the text says {m[1] if m else 'nothing'}")
if total < 20_000:
    wrong.append(f"only {total} cases of properties")

# ---- checks of documents, and bad input
numbers = set()
for number, _, cell in rows(section("Checks of a document")):
    numbers.add(int(number))
    if not named(cell, f"check {number}"):
        wrong.append(f"check {number}: no test")
if numbers != set(range(1, 13)):
    wrong.append(f"checks of a document: {sorted(set(range(1, 13)) - numbers)} are missing")
for what, _, cell in rows(section("Bad input")):
    if not named(cell, what):
        wrong.append(f"bad input '{what}': no test")

# ---- planted faults
mutate = (ROOT / "tools/mutate").read_text() + (ROOT / "tools/sensor_faults.py").read_text()
planted = len(re.findall(r'^    \("', mutate, re.M))
m = re.search(r"\*\*Score: (\d+) of (\d+) found\*\*(?:[^,.]*, and (\d+) planted since)?", DOC)
if not m or int(m[2]) + int(m[3] or 0) != planted:
    wrong.append(f"tools/mutate plants {planted} faults, the text says {m[0] if m else 'nothing'}")
elif m[1] != m[2]:
    wrong.append(f"not every fault is found: {m[0]}")
parts = sum(int(row[1]) for row in rows(DOC[: DOC.index("\n## ")]))
if parts != planted:
    wrong.append(f"the table of planted faults adds up to {parts}, tools/mutate plants {planted}")

# A fault whose line was written anew can no more be planted: the score would be of other code.
lines = subprocess.run([sys.executable, str(ROOT / "tools/mutate"), "-", "--lines"], capture_output=True, text=True)
if lines.returncode != 0:
    wrong.append(lines.stdout.strip() or lines.stderr.strip())

print("\n".join(wrong) or f"assurance: 35 invariants, {len(tests)} tests looked up, {total:,} cases of properties, {planted} planted faults")
sys.exit(1 if wrong else 0)
