#!/usr/bin/env python3
"""An independent hunt over Zeek logs: which indicators occur in which field of which record.

Standard library only and nothing in common with src/detect: whole values are compared and words of longer values are found by regular
expression, one indicator after the other; there is no index.

  zeek_hunt.py choose DIR N SEED    picks N indicators out of the first records of the logs of a folder (names, addresses, digests) and some that are not in them
  zeek_hunt.py hunt LIST LIMIT LOG...   one line per match in the first LIMIT records of each log:
                                    value TAB log name TAB record (1-based among the records) TAB field
"""
import gzip
import itertools
import ipaddress
import json
import os
import random
import re
import sys

TEXT_TYPES = {"string", "addr", "subnet", "pattern"}


def tsv_records(lines):
    names, types, set_separator, unset, empty = [], [], ",", "-", "(empty)"
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("#"):
            key, *rest = line[1:].split("\t")
            if key == "fields":
                names = rest
            elif key == "types":
                types = rest
            elif key == "set_separator":
                set_separator = rest[0]
            continue
        record = {}
        for name, kind, value in zip(names, types, line.split("\t")):
            if value in (unset, empty):
                continue
            inner = re.fullmatch(r"(?:set|vector)\[(.*)\]", kind)
            if (inner.group(1) if inner else kind) not in TEXT_TYPES:
                continue
            values = value.split(set_separator) if inner else [value]
            record[name] = [re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m.group(1), 16)), v) for v in values]
        yield record


def json_records(lines):
    for line in lines:
        record = {}
        for name, value in json.loads(line).items():
            values = value if isinstance(value, list) else [value]
            strings = [v for v in values if isinstance(v, str)]
            if strings:
                record[name] = strings
        yield record


def records(path, limit=None):
    with gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape") as f:
        head = f.readline()
        lines = itertools.chain([head], f)
        read = json_records if head.startswith("{") else tsv_records
        yield from itertools.islice(read(lines), limit)


def log_name(path):
    parts = os.path.basename(path).split(".")
    return parts[1] if parts[0] in ("json", "tsv") else parts[0]


def as_address(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def matcher(value):
    """A function text -> bool for one indicator."""
    address = as_address(value)
    if address is not None and address.version == 6:
        run = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
        return lambda text: any(as_address(m.strip(".")) == address for m in run.findall(text))
    if "/" in value:
        network = ipaddress.ip_network(value)
        run = re.compile(r"(?<![\w.-])\d+(?:\.\d+){3}(?![\w-]|\.\w)")
        def inside(text):
            found = (as_address(m) for m in run.findall(text))
            return any(a is not None and a.version == network.version and a in network for a in found)
        return inside
    # Not inside a longer name and not below a wildcard ("*.name"); a single dot before it (".name", as cookies write) does no harm.
    word = re.compile(r"(?<![A-Za-z0-9_-])(?<![A-Za-z0-9_*-]\.)" + re.escape(value) + r"\.?(?![A-Za-z0-9_-]|\.[A-Za-z0-9_-])", re.IGNORECASE)
    return lambda text: word.search(text) is not None


def choose(folder, count, seed):
    rng = random.Random(seed)
    pool = set()
    for name in sorted(os.listdir(folder)):
        for record in records(os.path.join(folder, name), 1000):
            for values in record.values():
                for v in values:
                    if as_address(v) is not None and v.count(".") == 3:
                        pool.add(v)
                    elif as_address(v) is not None:
                        pool.add(v.lower())
                    elif re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}", v):
                        pool.add(v)
                    elif re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.[a-z][a-z0-9-]+", v) and len(v) < 200:
                        pool.add(v)
    picked = rng.sample(sorted(pool), min(count, len(pool)))
    blocks = [str(ipaddress.ip_network(v + "/" + str(rng.choice([24, 28, 30, 20])), strict=False))
              for v in picked if v.count(".") == 3 and as_address(v)][:5]
    absent = ["absent%d.example.org" % i for i in range(20)] + ["203.0.113.%d" % i for i in range(20)]
    for v in picked + blocks + absent:
        print(v)


def hunt(list_file, limit, logs):
    with open(list_file, encoding="utf-8") as f:
        indicators = [(v, matcher(v)) for v in (line.strip() for line in f) if v]
    for path in logs:
        cache = {}
        for number, record in enumerate(records(path, limit), 1):
            for field, values in record.items():
                for value in values:
                    if value not in cache:
                        cache[value] = [v for v, matches in indicators if matches(value)]
                found = sorted({v for value in values for v in cache[value]})
                for v in found:
                    print(v, log_name(path), number, field, sep="\t")


if __name__ == "__main__":
    if sys.argv[1] == "choose":
        choose(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        hunt(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
