#!/usr/bin/env python3
"""Every planted hit of every type found, no other: `entente hunt` over logs, flow records, captures and dnstap files.

    hunt_test.py ENTENTE [DATA] [FORMAT…]

For each form (hunt_formats.py, packet_formats.py) a file of ENTENTE_E2E_RECORDS records (default 60,000) is written, with known indicators planted in it in every way in
which that form can show them (hunt_world.py) and as many values that only resemble one. What `entente hunt` finds, by the raw scan and with --fields,
must be what was planted, and what the independent matcher (tests/oracle/hunt_oracle.py) finds. With DATA (the folder of real data), real
logs and real indicators are judged by the matcher too; where it is absent that part is skipped, and said so.
"""
import collections
import csv
import gzip
import itertools
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracle")]
import hunt_oracle  # noqa: E402
from hunt_formats import FORMATS  # noqa: E402
from packet_formats import PACKET_FORMATS  # noqa: E402
from hunt_world import Common, Indicator, World, stix_line  # noqa: E402

RECORDS = int(os.environ.get("ENTENTE_E2E_RECORDS", "60000"))
SEED = int(os.environ.get("ENTENTE_E2E_SEED", "20261129"))
BINARY = ("v5", "v9", "ipfix", "pcap", "dnstap")
FORMATS = FORMATS | PACKET_FORMATS


def cpu(since=None):
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system - (since or 0)


def hunted(entente, indicators, path, *options):
    """(id, record, field) as told, each once: a second time is a fault; by source if `path` is a list."""
    paths = path if isinstance(path, list) else [path]
    run = subprocess.run([entente, "hunt", "--indicators", str(indicators), *options, *map(str, paths)], capture_output=True, text=True, errors="surrogateescape")
    if run.returncode not in (0, 1):
        sys.exit(f"entente hunt: status {run.returncode}: {run.stderr}")
    found = {str(p): collections.Counter() for p in paths}
    for line in run.stdout.split("\n"):
        if line:
            m = json.loads(line)
            found[m["source"]][m["indicator"], m["record"], m["field"]] += 1
    return (found if isinstance(path, list) else found[str(path)]), run.stderr


def record_text(path, form, number):
    if form in BINARY:
        return "(binary)"
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as f:
        for k, line in enumerate(f, 1):
            if k == number:
                return line.rstrip("\n")
    return "?"


def compare(what, want, got, path, form, patterns):
    """Says what is missed and what is too much; the number of differences."""
    missed, extra = want - got, got - want
    for kind, some in (("MISSED", missed), ("EXTRA", extra)):
        for ident, record, field in sorted(some, key=lambda x: (x[1], x[0]))[:8]:
            print(f"  {what}: {kind} {patterns.get(ident, ident)} in {field} of record {record}: {record_text(path, form, record)[:400]!r}")
    return sum(missed.values()) + sum(extra.values())


def planted_format(entente, name, world, folder, indicators, known):
    form, filler, writer = FORMATS[name]
    path = pathlib.Path(folder, name)
    f = filler(random.Random(f"{SEED} {name}"), world, Common(SEED), rate=0.06 if RECORDS <= 100_000 else 0.02)
    planted = collections.Counter()
    begin, number = time.monotonic(), 0
    if form in BINARY:
        with open(path, "wb") as out:
            for octets, truths in writer(f, RECORDS):
                out.write(octets)
                for truth in truths:
                    number += 1
                    planted.update((ident, number, field) for ident, field in set(truth))
    else:
        with open(path, "w", encoding="utf-8", newline="\n") as out:
            for line, truth in writer(f, RECORDS):
                number += 1
                out.write(line)
                out.write("\n")
                if truth:
                    planted.update((ident, number, field) for ident, field in set(truth))
    made = time.monotonic() - begin
    patterns = {i.id: i.pattern for i in world.all}
    begin = time.monotonic()
    raw, notes = hunted(entente, indicators, path)
    took = time.monotonic() - begin
    wrong = compare(name, planted, raw, path, form, patterns)
    fields, more = hunted(entente, indicators, path, "--fields")
    if fields != raw:
        wrong += compare(name + " --fields", planted, fields, path, form, patterns) or compare(name + " raw beside --fields", fields, raw, path, form, patterns)
    begin = time.monotonic()
    judged = collections.Counter((ident, number, field) for number, found in hunt_oracle.matches(form, path, known) for ident, field in found)
    wrong += compare(name + " (oracle beside planted)", planted, judged, path, form, patterns)
    for note in [x for x in (notes + more).splitlines() if "matches" not in x and "records" not in x]:
        print(f"  {name}: note: {note}")
    by_kind = collections.Counter()
    kinds = {i.id: k for k, all_of in world.by_kind.items() for i in all_of}
    for ident, _, _ in planted:
        by_kind[kinds[ident]] += 1
    print(f"{name}: {number:,} records, {path.stat().st_size / 1e6:.0f} MB (made in {made:.0f} s); {sum(planted.values()):,} planted, {sum(raw.values()):,} found in "
          f"{took:.1f} s, {wrong} differences; matcher {time.monotonic() - begin:.0f} s; {' '.join(f'{k} {v}' for k, v in sorted(by_kind.items()))}", flush=True)
    path.unlink()
    if len(by_kind) < {"v5": 2, "v9": 4, "ipfix": 4, "pcap": 11}.get(form, 8) and RECORDS >= 10_000:
        sys.exit(f"{name}: the generator planted too few kinds")
    return wrong


# --- Real data -------------------------------------------------------------------------------------------------------------------------


def real_indicators(data, logs, r):
    """Patterns of real indicators: phishing URLs (JPCERT/CC), names and addresses of malware (maltrail), and values that occur in the logs."""
    whole = RECORDS > 100_000
    patterns = []
    urls = []
    for path in sorted((data / "jpcert-phishurl").glob("*.csv"))[0 if whole else -4:]:
        urls += [row["URL"].strip() for row in csv.DictReader(open(path, encoding="utf-8", newline=""))]
    patterns += [f"[url:value = '{u}']" for u in urls if hunt_oracle.url_of(u) and "'" not in u and "\\" not in u]
    trails = subprocess.run(["tar", "--zstd", "-xOf", str(data / "maltrail/malware.tar.zst")], capture_output=True, check=True).stdout.decode("utf-8", "replace").split("\n")
    trails = [t for t in trails if t and t[0] != "#"]
    for t in trails if whole else r.sample(trails, 30_000):
        if re.fullmatch(r"\d+(\.\d+){3}", t) and hunt_oracle.address_of(t):
            patterns.append(f"[ipv4-addr:value = '{t}']")
        elif re.fullmatch(r"([a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]+", t):
            patterns.append(f"[domain-name:value = '{t}' OR domain-name:value LIKE '%.{t}']")
    values = set()
    for path in logs:
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in itertools.islice(f, 3000):
                values.update(re.findall(r'(?<=[\t",])(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]+(?=[\t",])|(?<=[\t",])[0-9.]{7,15}(?=[\t",])|(?<=[\t",])[0-9a-f]{32,64}(?=[\t",])'
                                         r'|(?<=[\t",])[0-9a-f:]*::[0-9a-f:]+(?=[\t",])', line))
    for v in r.sample(sorted(values), min(400, len(values))):
        address = hunt_oracle.address_of(v)
        if address is not None:
            patterns.append(f"[ipv{address.version}-addr:value {'=' if r.random() < 0.7 else 'ISSUBSET'} '{v}']")
        elif len(v) in (32, 40, 64) and re.fullmatch("[0-9a-f]+", v):
            patterns.append(f"[file:hashes.{ {32: 'MD5', 40: chr(39) + 'SHA-1' + chr(39), 64: chr(39) + 'SHA-256' + chr(39)}[len(v)]} = '{v}']")
        elif hunt_oracle.name_of(v) and "." in v:
            patterns.append(f"[domain-name:value = '{v}']" if r.random() < 0.6 else f"[domain-name:value LIKE '%.{v.partition('.')[2]}']" if v.count(".") > 1 else f"[domain-name:value = '{v}']")
    return [Indicator(None, None, p, f"real {n}") for n, p in enumerate(dict.fromkeys(patterns))]


def real(entente, data, folder):
    """Real logs and lists beside the matcher: what a person would plant is not what the world holds."""
    if not (data / "zeek-logs").is_dir():
        print(f"real data: SKIPPED, {data} is absent")
        return 0
    r = random.Random(SEED)
    whole = RECORDS > 100_000
    logs = {}
    for path in sorted((data / "zeek-logs").glob("*/*.gz")):
        copy = pathlib.Path(folder, f"{path.parent.name}.{path.name[:-3]}")
        with gzip.open(path, "rb") as f, open(copy, "wb") as out:
            out.writelines(f if whole else itertools.islice(f, 1500))
        logs[copy] = path.parent.name
    world = real_indicators(data, list(logs), r)
    for path in sorted((data / "jpcert-phishurl").glob("*.csv"))[0 if whole else -2:]:
        logs[path] = "text"
    indicators = pathlib.Path(folder, "real.jsonl")
    with open(indicators, "w", encoding="utf-8") as out:
        out.writelines(stix_line(i) for i in world)
    with open(indicators, encoding="utf-8") as f:
        known = hunt_oracle.Indicators(f)
    patterns = {i.id: i.pattern for i in world}
    got = {options: hunted(entente, indicators, list(logs), *options)[0] for options in ((), ("--fields",))}
    wrong, found, records = 0, 0, 0
    for path, form in logs.items():
        judged = collections.Counter()
        for number, matches in hunt_oracle.matches(form, path, known):
            records += 1
            judged.update((ident, number, field) for ident, field in matches)
        for options, all_of in got.items():
            wrong += compare(" ".join((path.name, *options)), judged, all_of[str(path)], path, form, patterns)
        found += sum(judged.values())
    print(f"real data: {len(world):,} indicators, {records:,} records of {len(logs)} logs and lists, {found:,} matches, {wrong} differences", flush=True)
    return wrong


def main():
    entente, rest = sys.argv[1], sys.argv[2:]
    data = pathlib.Path(rest.pop(0)) if rest and rest[0] not in FORMATS else None
    begin = cpu()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="entente_e2e_") as folder:
        world = World(SEED, each=60, absent=20_000 if RECORDS <= 100_000 else 200_000)
        indicators = pathlib.Path(folder, "indicators.jsonl")
        with open(indicators, "w", encoding="utf-8") as out:
            out.writelines(world.stix_lines())
        with open(indicators, encoding="utf-8") as f:
            known = hunt_oracle.Indicators(f)
        for name in [n for n in FORMATS if n in rest] or ([] if rest else FORMATS):
            wrong += planted_format(entente, name, world, folder, indicators, known)
        if data is not None and not rest:
            wrong += real(entente, data, folder)
    print(f"{'hunt: every planted hit found, no other' if wrong == 0 else f'hunt: {wrong} DIFFERENCES'} ({cpu(begin):.0f} s of CPU)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
