#!/usr/bin/env python3
"""Patterns beside the OASIS reference: stix2-matcher 3.0.0 evaluates, stix2-patterns 2.1.2 accepts and rejects.

    interop_pattern.py ENTENTE [--cases N] [--seed N]

Every difference has to be one of DIFFERENCES (what the reference does otherwise, by rule of STIX 2.1 section 9); any other fails the test. A rule of the
list that no case shows any more fails as well: the list says what is so today.
"""
import argparse, collections, json, pathlib, random, re, subprocess, sys, tempfile, warnings

try:
    from stix2matcher.matcher import match as reference_match
    from stix2patterns.v21.pattern import Pattern as ReferencePattern
except ImportError:
    print("interop_pattern: skipped: stix2-matcher is not installed (tools/setup test)")
    sys.exit(77)

warnings.simplefilter("ignore")  # Python's re about bracket expressions of PCRE

# Name: why the product is otherwise, and the section of the standard.
DIFFERENCES = {
    "within-exclusive": "WITHIN: less than the duration, not up to it (9.5.1)",
    "dotall": "MATCHES and LIKE: a dot or wildcard matches newlines too; LIKE is about the whole value, also a last newline (9.6.1)",
    "pcre": "MATCHES is PCRE, the reference uses Python's re (9.6.1)",
    "ipv6": "ISSUBSET and ISSUPERSET know IPv6 (9.6.1)",
    "plain-address": "an address without a prefix length, and /0, are blocks (9.6.1)",
    "not-an-address": "a value that is no address makes ISSUBSET false, not an error (9.6.1)",
    "not-a-timestamp": "a value that is no timestamp is incomparable with t'', not an error (9.6.1)",
    "boolean-in": "IN: true is not 1 (9.6.1)",
    "octets-in": "IN compares octets as = does (9.6.4)",
    "octets-like": "LIKE on octets that are not UTF-8 is defined (9.6.4)",
    "octets-bad": "a _bin or _hex value that is none is incomparable, not an error (9.6.4)",
    "not-exists": "NOT EXISTS is evaluated; the reference takes it for EXISTS (9.3)",
    "exists-joined": "EXISTS joined with another test by AND or OR is evaluated; the reference raises an internal error (9.3)",
    "precision": "instants are compared at full precision (9.6.1)",
    "refs-in-place": "an unresolved entry of a _refs list keeps its place (9.7.4)",
    "reference-not-text": "a reference that is no text leads nowhere, not an error (9.7.4)",
    "duplicate-qualifier": "the same qualifier twice on one expression is an error (9.5)",
    "impossible-date": "a date that does not exist is no timestamp (9.2)",
    "mixed-set": "a set has members of one type (9.6.1)",
    "range": "numbers beyond 64 bits are refused (limit of the product)",
    "zero": "WITHIN and REPEATS need more than nothing (9.5)",
    "regex-invalid": "a wrong regular expression is found when the pattern is checked (9.6.1)",
    "sdo-root": "any object that the observation lists may be a root",
}

# --- cases by hand: (pattern, members of the one object, expected, difference or None)
M = lambda **members: members
HAND = [
    ("[x:a = 1]", M(a=1), True, None), ("[x:a = 1]", M(a=2), False, None), ("[x:a != 1]", M(b=1), False, None), ("[x:a NOT = 1]", M(b=1), False, None),
    ("[x:a NOT IN (1)]", M(b=1), False, None), ("[x:a = 12.0]", M(a=12), True, None), ("[x:a = 12]", M(a=12.5), False, None), ("[x:a < 12.5]", M(a=12), True, None),
    ("[x:a = '1']", M(a=1), False, None), ("[x:a != '1']", M(a=1), True, None), ("[x:a NOT = '1']", M(a=1), True, None), ("[x:a NOT != '1']", M(a=1), False, None),
    ("[x:a < '2']", M(a=1), False, None), ("[x:a NOT < '2']", M(a=1), False, None), ("[x:a = true]", M(a=True), True, None), ("[x:a = 1]", M(a=True), False, None),
    ("[x:a = true]", M(a=1), False, None), ("[x:a != true]", M(a=1), True, None), ("[x:a > 'a']", M(a="ab"), True, None), ("[x:a = 'B']", M(a="b"), False, None),
    ("[x:a = '\u00e9']", M(a="e\u0301"), False, None), ("[x:a LIKE '\u00e9']", M(a="e\u0301"), True, None), ("[x:a MATCHES '^\u00e9$']", M(a="e\u0301"), True, None),
    ("[x:a > '\uff41']", M(a="\U0001f600"), True, None), ("[x:a = 'it\\'s \\\\']", M(a="it's \\"), True, None),
    ("[x:a = t'2026-01-01T00:00:00Z']", M(a="2026-01-01T00:00:00.000Z"), True, None), ("[x:a < t'2026-01-01T00:00:01Z']", M(a="2026-01-01T00:00:00.9Z"), True, None),
    ("[x:a = '2026-01-01T00:00:00Z']", M(a="2026-01-01T00:00:00.000Z"), False, None), ("[x:a = t'2026-01-01T00:00:00Z']", M(a=1), False, None),
    ("[x:a != t'2026-01-01T00:00:00Z']", M(a=1), True, None),
    ("[x:a = t'2026-01-01T00:00:00Z']", M(a="soon"), False, "not-a-timestamp"), ("[x:a != t'2026-01-01T00:00:00Z']", M(a="soon"), True, "not-a-timestamp"),
    ("[x:a = t'2026-01-01T00:00:00.1234567Z']", M(a="2026-01-01T00:00:00.1234568Z"), False, "precision"),
    ("[x:a_bin = 'AB']", M(a_bin="QUI="), True, None), ("[x:a_hex = 'AB']", M(a_hex="4142"), True, None), ("[x:a_hex = '\u00c3']", M(a_hex="c3"), True, None),
    ("[x:a_hex = '\u6f22']", M(a_hex="c3"), False, None), ("[x:a_hex != '\u6f22']", M(a_hex="c3"), True, None), ("[x:a_hex < '\u6f22']", M(a_hex="c3"), False, None),
    ("[x:a_hex NOT < '\u6f22']", M(a_hex="c3"), True, None), ("[x:a = h'c3']", M(a="\u00c3"), True, None), ("[x:a = b'QUI=']", M(a="AB"), True, None),
    ("[x:a_hex = b'QUI=']", M(a_hex="4142"), True, None), ("[x:a_hex = 1]", M(a_hex="41"), False, None), ("[x:a_hex != 1]", M(a_hex="41"), True, None),
    ("[x:a_bin IN ('AB')]", M(a_bin="QUI="), True, "octets-in"), ("[x:a_hex = '4']", M(a_hex="4"), False, "octets-bad"), ("[x:a_bin != '4']", M(a_bin="4"), True, "octets-bad"),
    ("[x:a IN (1, 2.0)]", M(a=2), True, None), ("[x:a IN ()]", M(a=2), False, None), ("[x:a NOT IN ()]", M(a=2), True, None), ("[x:a NOT IN (1)]", M(a=2), True, None),
    ("[x:a IN (1, 2)]", M(a=True), False, "boolean-in"), ("[x:a IN (t'2026-01-01T00:00:00Z')]", M(a="2026-01-01T00:00:00.0Z"), True, None),
    ("[x:a LIKE '%b_']", M(a="aabc"), True, None), ("[x:a LIKE 'b%']", M(a="aabc"), False, None), ("[x:a LIKE 'a.c']", M(a="abc"), False, None), ("[x:a LIKE '']", M(a=""), True, None),
    ("[x:a NOT LIKE 'b%']", M(a=1), True, None), ("[x:a LIKE '%']", M(a="a\nb"), True, "dotall"), ("[x:a LIKE 'a_b']", M(a="a\nb"), True, "dotall"),
    ("[x:a LIKE 'ab']", M(a="ab\n"), False, "dotall"), ("[x:a LIKE '__']", M(a="\u6f22\u5b57"), True, None), ("[x:a_hex LIKE 'A%']", M(a_hex="4142"), True, None),
    ("[x:a_hex LIKE '%']", M(a_hex="ff"), True, "octets-like"), ("[x:a_hex LIKE '\u6f22%']", M(a_hex="e6bca2"), False, None),
    ("[x:a MATCHES '\\\\d+']", M(a="x12"), True, None), ("[x:a MATCHES '^x$']", M(a="xx"), False, None), ("[x:a MATCHES 'x.y']", M(a="x\ny"), True, "dotall"),
    ("[x:a MATCHES 'b$']", M(a="ab\n"), True, None), ("[x:a MATCHES '^(ab)\\\\1$']", M(a="abab"), True, None), ("[x:a MATCHES 'a(?=b)']", M(a="ab"), True, None),
    ("[x:a MATCHES '(?<!a)b']", M(a="ab"), False, None), ("[x:a MATCHES '(?i)AB']", M(a="xab"), True, None), ("[x:a MATCHES '\\\\Qa.c\\\\E']", M(a="a.c"), True, "pcre"),
    ("[x:a MATCHES '[[:digit:]]']", M(a="7"), True, "pcre"), ("[x:a MATCHES '\\\\d']", M(a="\u0663"), False, "pcre"), ("[x:a MATCHES '(a(?1)?b)']", M(a="aabb"), True, "pcre"),
    ("[x:a_hex MATCHES '^.$']", M(a_hex="e4"), True, None), ("[x:a_hex MATCHES '\u6f22']", M(a_hex="e6bca2"), False, None), ("[x:a MATCHES '1']", M(a=1), False, None),
    ("[x:a NOT MATCHES '1']", M(a=1), True, None),
    ("[x:a ISSUBSET '198.51.100.0/24']", M(a="198.51.100.7"), True, None), ("[x:a ISSUBSET '198.51.100.9/24']", M(a="198.51.100.7/25"), True, None),
    ("[x:a ISSUBSET '198.51.100.0/24']", M(a="198.51.0.0/16"), False, None), ("[x:a ISSUPERSET '198.51.100.0/24']", M(a="198.51.0.0/16"), True, None),
    ("[x:a ISSUPERSET '198.51.100.7']", M(a="198.51.100.0/24"), True, None), ("[x:a NOT ISSUBSET '198.51.100.0/24']", M(a=1), True, None),
    ("[x:a ISSUBSET '2001:db8::/32']", M(a="2001:db8::1"), True, "ipv6"), ("[x:a ISSUPERSET '2001:db8::1']", M(a="2001:db8::/32"), True, "ipv6"),
    ("[x:a ISSUBSET '0.0.0.0/0']", M(a="198.51.100.7"), True, "plain-address"), ("[x:a ISSUBSET '198.51.100.7']", M(a="198.51.100.7"), True, "plain-address"),
    ("[x:a ISSUPERSET '198.51.100.7']", M(a="198.51.100.7"), True, "plain-address"), ("[x:a ISSUBSET '10.0.0.0/8']", M(a="no address"), False, "not-an-address"),
    ("[EXISTS x:a]", M(a=0), True, None), ("[EXISTS x:a]", M(b=0), False, None), ("[NOT EXISTS x:a]", M(b=0), True, "not-exists"), ("[NOT EXISTS x:a]", M(a=0), False, "not-exists"),
    ("[x:a[1] = 2]", M(a=[1, 2]), True, None), ("[x:a[2] = 2]", M(a=[1, 2]), False, None), ("[x:a[-1] = 2]", M(a=[1, 2]), False, None), ("[x:a[*] = 2]", M(a=[1, 2]), True, None),
    ("[x:a[*] NOT = 2]", M(a=[1, 2]), True, None), ("[x:a[*] NOT = 2]", M(a=[]), False, None), ("[x:a = 1]", M(a=[1]), False, None), ("[x:a != 1]", M(a=[1]), True, None),
    ("[x:a.b = 1]", M(a=[1]), False, None), ("[x:a.'b c'[0].d = 1]", M(a={"b c": [{"d": 1}]}), True, None), ("[x:a = 1]", M(a={"b": 1}), False, None),
    ("[x:a != 1]", M(a={"b": 1}), True, None), ("[x:to_ref.a = 2]", M(to_ref="x--2"), True, None), ("[x:to_ref.a = 2]", M(to_ref="x--9"), False, None),
    ("[x:to_ref.type = 'x']", M(to_ref="x--2"), True, None), ("[x:to_ref != 'q']", M(to_ref="x--2"), True, None), ("[EXISTS x:to_ref]", M(to_ref="x--9"), False, None),
    ("[x:to_refs[*].a = 2]", M(to_refs=["x--9", "x--2"]), True, None), ("[x:to_refs[1].a = 2]", M(to_refs=["x--9", "x--2"]), True, "refs-in-place"),
    ("[x:to_refs[0].a = 2]", M(to_refs=["x--9", "x--2"]), False, "refs-in-place"), ("[x:to_refs[0].to_ref.a = 2]", M(to_refs=["x--3"]), True, None),
    ("[x:to_ref.a = 2]", M(to_ref=5), False, "reference-not-text"), ("[x:to_refs[*].a = 2]", M(to_refs="x--2"), False, "reference-not-text"),
    ("[x:to_ref.to_ref.to_ref.to_ref.a = 2]", M(to_ref="x--3"), False, None),
    ("[x:a = 1 AND x:b = 2]", M(a=1, b=2), True, None), ("[x:a = 1 AND y:a = 1]", M(a=1), False, None), ("[x:a = 1 OR x:b = 3 AND x:b = 2]", M(a=1, b=2), True, None),
    ("[(x:a = 1 OR x:b = 3) AND x:b = 3]", M(a=1, b=2), False, None), ("[x:a == 1 AND x:b <> 3]", M(a=1, b=2), True, None), ("[x:a = 1 /* c */ AND // d\n x:b = 2]", M(a=1, b=2), True, None),
    ("[x:a = 1] REPEATS 2 TIMES", M(a=1), False, None), ("[x:a = 1] AND [x:a = 1]", M(a=1), False, None), ("[x:a = 1] OR [x:a = 2]", M(a=1), True, None),
    ("[identity:name = 'n']", M(), True, "sdo-root"),
]
# --- cases of time by hand: observations (first s, last s, number, n), pattern, expected, difference
TIME = [
    ([(0, 0, 1, 1), (5, 5, 1, 2)], "([x:n = 1] AND [x:n = 2]) WITHIN 5 SECONDS", False, "within-exclusive"),
    ([(0, 0, 1, 1), (5, 5, 1, 2)], "([x:n = 1] AND [x:n = 2]) WITHIN 5.5 SECONDS", True, None), ([(0, 2, 1, 1), (5, 5, 1, 2)], "([x:n = 1] AND [x:n = 2]) WITHIN 3 SECONDS", False, "within-exclusive"),
    ([(0, 0, 1, 1), (5, 5, 1, 2)], "[x:n = 1] FOLLOWEDBY [x:n = 2]", True, None), ([(0, 0, 1, 1), (5, 5, 1, 2)], "[x:n = 2] FOLLOWEDBY [x:n = 1]", False, None),
    ([(5, 5, 1, 1), (5, 5, 1, 2)], "[x:n = 1] FOLLOWEDBY [x:n = 2]", True, None), ([(3, 9, 1, 1), (0, 3, 1, 2)], "[x:n = 1] FOLLOWEDBY [x:n = 2]", True, None),
    ([(4, 9, 1, 1), (0, 3, 1, 2)], "[x:n = 1] FOLLOWEDBY [x:n = 2]", False, None), ([(0, 0, 3, 1)], "[x:n = 1] REPEATS 3 TIMES", True, None), ([(0, 0, 3, 1)], "[x:n = 1] REPEATS 4 TIMES", False, None),
    ([(0, 0, 3, 1)], "[x:n = 1] AND [x:n = 1] AND [x:n = 1]", True, None), ([(0, 0, 2, 1), (0, 0, 1, 2)], "([x:n = 1] AND [x:n = 2]) REPEATS 2 TIMES", False, None),
    ([(5, 9, 1, 1)], "[x:n = 1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:05Z'", False, None), ([(5, 9, 1, 1)], "[x:n = 1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:06Z'", True, None),
    ([(5, 9, 1, 1)], "[x:n = 1] START t'2026-01-01T00:00:09Z' STOP t'2026-01-01T00:00:10Z'", True, None), ([(5, 9, 1, 1)], "[x:n = 1] START t'2026-01-01T00:00:07Z' STOP t'2026-01-01T00:00:07Z'", False, None),
    ([(0, 0, 1, 1), (9, 9, 1, 1)], "[x:n = 1] WITHIN 5 SECONDS REPEATS 2 TIMES", True, None), ([(0, 0, 1, 1), (9, 9, 1, 1)], "[x:n = 1] REPEATS 2 TIMES WITHIN 5 SECONDS", False, None),
    ([(0, 0, 1, 1), (1, 1, 1, 2), (2, 2, 1, 3)], "[x:n = 1] AND [x:n = 2] FOLLOWEDBY [x:n = 3]", True, None), ([(0, 0, 1, 1), (3, 3, 1, 2), (2, 2, 1, 3)], "[x:n = 1] AND [x:n = 2] FOLLOWEDBY [x:n = 3]", False, None),
    ([(0, 0, 1, 1), (1, 1, 1, 2)], "[x:n = 1] OR [x:n = 7] FOLLOWEDBY [x:n = 2]", True, None), ([(0, 0, 1, 1)], "([x:n = 1] REPEATS 1 TIMES) REPEATS 1 TIMES", True, None),
]
# --- texts that are patterns or not: (text, expected, difference or None)
GRAMMAR = [
    ("[a:b = 1]", True, None), ("[a:b = 1", False, None), ("", False, None), ("[]", False, None), ("[a:b]", False, None), ("[a = 1]", False, None), ("a:b = 1", False, None),
    ("[a:b = 'x']", True, None), ("[a:b = \"x\"]", False, None), ("[a:b-c = 1]", False, None), ("[a:'b-c' = 1]", True, None), ("[a-b:c = 1]", True, None),
    ("[a:b = .5]", True, None), ("[a:b = 5.]", False, None), ("[a:b = 01]", False, None), ("[a:b = 1e5]", False, None), ("[a:b = -1]", True, None), ("[a:b = +1]", True, None),
    ("[a:b = h'0']", False, None), ("[a:b = h'AF']", True, None), ("[a:b = b'QQ==']", True, None), ("[a:b = b'QQ=']", False, None), ("[a:b = b'']", False, None), ("[a:b = h'']", True, None),
    ("[a:b = t'2026-01-01T00:00:00Z']", True, None), ("[a:b = t'2026-01-01t00:00:00z']", False, None), ("[a:b = t'2026-13-01T00:00:00Z']", False, None),
    ("[a:b = t'2026-02-30T00:00:00Z']", False, "impossible-date"), ("[a:b IN (1, 2)]", True, None), ("[a:b IN ()]", True, None), ("[a:b IN (1, 'x')]", False, "mixed-set"),
    ("[a:b < true]", False, None), ("[a:b LIKE 1]", False, None), ("[NOT a:b = 1]", False, None), ("[a:b NOT NOT = 1]", False, None), ("[NOT EXISTS a:b]", True, None),
    ("[EXISTS a:b]", True, None), ("[a:b = 1] WITHIN 5 SECONDS", True, None), ("[a:b = 1] WITHIN 0.5 SECONDS", True, None), ("[a:b = 1] WITHIN 0 SECONDS", False, "zero"),
    ("[a:b = 1] WITHIN -1 SECONDS", False, None), ("[a:b = 1] REPEATS 0 TIMES", False, "zero"), ("[a:b = 1] REPEATS 1.5 TIMES", False, None),
    ("[a:b = 1] REPEATS 2 TIMES REPEATS 2 TIMES", False, "duplicate-qualifier"), ("([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES", True, None),
    ("[a:b = 1] START '2026-01-01T00:00:00Z' STOP '2026-01-02T00:00:00Z'", False, None), ("[a:b = 1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'", True, None),
    ("[a:b = 99999999999999999999]", False, "range"), ("[a:b = 'a\\n']", False, None), ("[a:b MATCHES '(']", False, "regex-invalid"), ("[a:b[1][*].c = 1]", True, None), ("[a:[1] = 1]", False, None),
    ("[a:LIKE = 1]", False, None), ("[a:b = 1] AND", False, None), ("[a:b = 1] and [a:b = 2]", False, None), ("[a:b = 1 [a:c = 2]", False, None), ("([a:b = 1]", False, None), ("[a:b = 'x\ny']", True, None),
    ("[a:b = 1]\u00a0AND\u2003[a:b = 2]", True, None), ("[a:b == 1]", True, None), ("[a:b <> 1]", True, None), ("[a:b => 1]", False, None), ("[a:b = 1]]", False, None), ("[a.b:c = 1]", False, None),
    ("[a:b = TRUE]", False, None), ("[a:b = true]", True, None), ("[a:b.c.d = 1]", True, None), ("[a:b..c = 1]", False, None), ("[a:b. c = 1]", True, None), ("[a :b = 1]", True, None),
]


def stamp(ms):
    return f"2026-01-01T00:{ms // 60000:02}:{ms // 1000 % 60:02}.{ms % 1000:03}Z"


def observed(number, first, last, count, refs):
    return {"type": "observed-data", "id": f"observed-data--{number}", "first_observed": stamp(first), "last_observed": stamp(last), "number_observed": count, "object_refs": refs}


def bundle(objects):
    return {"type": "bundle", "id": "bundle--1", "objects": objects}


class Product:
    """Many patterns over one bundle in one run of the program."""

    def __init__(self, entente, folder):
        self.entente, self.folder = entente, pathlib.Path(folder)

    def match(self, patterns, data):
        (self.folder / "p").write_text("".join(json.dumps(p) + "\n" for p in patterns), encoding="utf-8")
        (self.folder / "d").write_text(json.dumps(data), encoding="utf-8")
        out = subprocess.run([self.entente, "-o", "json", "pattern", "match", "--pattern-file", self.folder / "p", "--data", self.folder / "d"], capture_output=True, text=True)
        lines = [json.loads(line) for line in out.stdout.splitlines()]
        if len(lines) != len(patterns):
            raise SystemExit(f"interop_pattern: {len(lines)} answers to {len(patterns)} patterns: {out.stderr[:2000]}")
        return [line["result"] for line in lines]

    def check(self, patterns):
        (self.folder / "p").write_text("".join(json.dumps(p) + "\n" for p in patterns), encoding="utf-8")
        out = subprocess.run([self.entente, "-o", "json", "pattern", "check", "--file", self.folder / "p"], capture_output=True, text=True)
        return [json.loads(line) for line in out.stdout.splitlines()]


def reference(pattern, data):
    try:
        return "match" if reference_match(pattern, [json.loads(json.dumps(data))], stix_version="2.1") else "no match"
    except Exception as e:  # the reference raises where it has no answer
        return f"exception {type(e).__name__}: {e}"


def reference_accepts(text):
    try:
        ReferencePattern(text)
        return True
    except Exception:
        return False


# Which listed difference explains one in a random case, from the pattern and what the reference said.
def explain(pattern, said):
    if "Invalid timestamp in JSON" in said:
        return "not-a-timestamp"
    if "Invalid IPv4 address" in said or "Invalid CIDR subnet" in said:
        if re.search(r"ISSU(BSET|PERSET) '[^']*:", pattern):
            return "ipv6"
        return "plain-address" if re.search(r"ISSU(BSET|PERSET) '[0-9.]+(/0)?'", pattern) else "not-an-address"
    if "codec can't decode" in said and "LIKE" in pattern:
        return "octets-like"
    if "EXISTS" in pattern and ("dictionary update sequence" in said or "unsupported operand type(s) for" in said):
        return "exists-joined"
    if re.search(r" IN \(", pattern):
        if re.search(r"IN \([^)]*[hb]'", pattern) or re.search(r"_(bin|hex) (NOT )?IN", pattern):
            return "octets-in"
        if re.search(r"IN \((-?[0-9.]+|true|false)", pattern):
            return "boolean-in"
    if re.search(r"_refs\[\d", pattern):
        return "refs-in-place"
    if re.search(r"t'[^']*\.\d{7,}Z'", pattern):
        return "precision"
    return None


class Random:
    """Small observations and patterns that have something to do with them. Times lie on half seconds, durations between, so that no case stands on a boundary."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    TEXTS = ["", "a", "b", "ab", "aab", "\u00e4", "\u00e4b", "\u6f22", "AB", "a.b", "1"]
    TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.5Z", "2026-01-02T00:00:00Z"]
    ADDRESSES = ["198.51.100.3", "198.51.100.0/24", "198.51.100.77/24", "198.51.0.0/16", "198.51.100.3/32", "2001:db8::1", "0.0.0.0/0"]
    BIN = ["YQ==", "YWI=", "5A==", "5GI=", "AA=="]
    HEX = ["61", "6162", "e4", "e462", "00"]

    def value(self):
        r = self.r
        return r.choice([lambda: r.randint(-1, 3), lambda: r.choice([1.0, 1.5, 2.0, -1.0]), lambda: r.random() < 0.5, lambda: r.choice(self.TIMES), lambda: r.choice(self.ADDRESSES),
                         lambda: r.choice(self.TEXTS), lambda: r.choice(self.TEXTS)])()

    def object(self, id, simple, near):
        r = self.r
        o = {"type": "y" if r.random() < 0.25 else "x", "id": id, "n": r.randint(1, 4)}
        if not simple:
            ref = lambda: f"x--{max(1, near + r.randint(-4, 1))}"
            for name, chance, make in (("v", 0.5, self.value), ("l", 0.5, lambda: [self.value(), self.value()]), ("o", 0.3, lambda: {"v": self.value(), "a b": self.value()}),
                                       ("p_bin", 0.3, lambda: r.choice(self.BIN)), ("p_hex", 0.3, lambda: r.choice(self.HEX)), ("t_refs", 0.3, lambda: [ref(), ref(), ref()])):
                if r.random() < chance:
                    o[name] = make()
        return o

    def data(self, count, simple):
        r, objects, seen, number = self.r, [], [], 1
        for i in range(count):
            first = r.randint(0, 12) * 500
            last = first if r.random() < 0.5 else first + r.randint(0, 6) * 500
            ids = [f"x--{number + k}" for k in range(r.randint(1, 3))]
            number += len(ids)
            objects += [self.object(id, simple, number) for id in ids]
            seen.append(observed(i, first, last, r.randint(1, 3) if r.random() < 0.3 else 1, [id for id in ids if r.random() < 0.9]))
        return bundle(objects + seen)

    def path(self):
        r = self.r
        p = r.choice(["x:", "x:", "x:", "y:"]) + (r.choice(["t_refs[*].", "t_refs[0].", "t_refs[1]."]) if r.random() < 0.2 else "")
        return p + r.choice(["v", "v", "v", "n", "l[0]", "l[1]", "l[-1]", "l[*]", "l[*]", "o.v", "o.'a b'", "p_bin", "p_hex", "l", "o"])

    def constant(self, kind):
        r = self.r
        return {"i": lambda: str(r.randint(-1, 3)), "f": lambda: r.choice(["1.0", "1.5", "2.0", "-1.0"]), "t": lambda: f"t'{r.choice(self.TIMES)}'", "h": lambda: f"h'{r.choice(self.HEX)}'",
                "b": lambda: f"b'{r.choice(self.BIN)}'", "B": lambda: r.choice(["true", "false"]), "s": lambda: f"'{r.choice(self.TEXTS)}'"}[kind]()

    def test(self):
        r = self.r
        no = "NOT " if r.random() < 0.3 else ""
        k = r.randint(0, 9)
        if k == 0:
            return f"EXISTS {self.path()}"
        if k in (1, 2):
            return f"{self.path()} {no}LIKE '{r.choice(['%', 'a%', '%b', '_', 'a_', '%a%b%', '__', '', '%_b', chr(228) + '%', '_%_'])}'"
        if k == 3:
            return f"{self.path()} {no}MATCHES '{r.choice(['a', '^a', 'a.b', 'a+b', '^(a|b)*$', '[ab][ab]', '^$', 'b?a', '^.$', '(a)(b)'])}'"
        if k == 4:
            return f"{self.path()} {no}{r.choice(['ISSUBSET', 'ISSUPERSET'])} '{r.choice(self.ADDRESSES)}'"
        if k == 5:
            kind = r.choice("ifthbBs")
            return f"{self.path()} {no}IN ({', '.join(self.constant(kind) for _ in range(r.randint(0, 3)))})"
        if k in (6, 7):
            return f"{self.path()} {no}{r.choice(['<', '<=', '>', '>='])} {self.constant(r.choice('ifthbs'))}"
        return f"{self.path()} {no}{r.choice(['=', '=', '!='])} {self.constant(r.choice('ifthbBss'))}"

    def comparison(self, depth):
        if depth == 0 or self.r.random() < 0.5:
            return self.test()
        s = self.comparison(depth - 1) + self.r.choice([" AND ", " OR "]) + self.comparison(depth - 1)
        return f"({s})" if self.r.random() < 0.5 else s

    def qualifiers(self):
        r, s = self.r, ""
        if r.random() < 0.2:
            s += f" REPEATS {r.randint(1, 3)} TIMES"
        if r.random() < 0.25:
            s += f" WITHIN {r.choice(['1.25', '2.25', '0.25', '3.25', '0.75'])} SECONDS"
        if r.random() < 0.12:
            s += f" START t'{stamp(r.randint(0, 8) * 500)}' STOP t'{stamp(r.randint(2, 16) * 500)}'"
        return s

    def pattern(self, depth, simple):
        r = self.r
        if depth == 0:
            body = f"[{'y' if r.random() < 0.15 else 'x'}:n {r.choice(['=', '=', '>='])} {r.randint(1, 4)}]" if simple else f"[{self.comparison(2)}]"
            return body + (self.qualifiers() if simple else "")
        s = self.pattern(depth - 1, simple)
        for _ in range(r.randint(1, 2)):
            s += r.choice([" AND ", " FOLLOWEDBY ", " OR "]) + self.pattern(r.randint(0, depth - 1), simple)
        return f"({s})" + self.qualifiers()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("entente")
    p.add_argument("--cases", type=int, default=200, help="random sets of observations, each with 12 patterns")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    seen, wrong, compared = collections.Counter(), [], 0

    def judge(what, ours, theirs, expected, difference):
        nonlocal compared
        compared += 1
        if expected is not None and ours != expected:
            wrong.append(f"{what}\n  expected {expected}, entente says {ours}")
        elif ours != theirs:
            if difference is None:
                wrong.append(f"{what}\n  entente says {ours}, the reference {theirs}: not a listed difference")
            else:
                seen[difference] += 1
        elif expected is not None and difference is not None:
            wrong.append(f"{what}\n  listed as {difference}, but the reference says the same")

    with tempfile.TemporaryDirectory(prefix="entente-interop-") as folder:
        product = Product(a.entente, folder)
        for pattern, members, expected, difference in HAND:
            objects = [{"type": "x", "id": "x--1", **members}, {"type": "x", "id": "x--2", "a": 2}, {"type": "x", "id": "x--3", "to_ref": "x--2"}, {"type": "identity", "id": "identity--1", "name": "n"}]
            # The others are there to be referred to: as roots they would answer too.
            objects[1]["type"] = objects[2]["type"] = "z" if "type = 'x'" not in pattern else "x"
            refs = ["x--1", "x--2", "x--3"] + (["identity--1"] if difference == "sdo-root" else [])
            data = bundle(objects + [observed(1, 0, 0, 1, refs)])
            judge(f"{pattern!r} over {members}", product.match([pattern], data)[0], reference(pattern, data), "match" if expected else "no match", difference)
        for times, pattern, expected, difference in TIME:
            data = bundle([{"type": "x", "id": f"x--{i}", "n": t[3]} for i, t in enumerate(times)] + [observed(i, t[0] * 1000, t[1] * 1000, t[2], [f"x--{i}"]) for i, t in enumerate(times)])
            judge(f"{pattern!r} over {times}", product.match([pattern], data)[0], reference(pattern, data), "match" if expected else "no match", difference)
        hand = compared
        matches = 0
        for i in range(a.cases):
            r = Random(a.seed * 1_000_003 + i)
            simple = i % 2 == 0
            data = r.data(r.r.randint(1, 5 if simple else 3), simple)
            patterns = [r.pattern(r.r.randint(1, 2), True) if simple else r.pattern(r.r.randint(0, 1), False) for _ in range(12)]
            for pattern, ours in zip(patterns, product.match(patterns, data)):
                theirs = reference(pattern, data)
                matches += ours == "match"
                judge(f"{pattern!r} over {json.dumps(data, ensure_ascii=False)}", ours, theirs, None, None if ours == theirs else explain(pattern, theirs))
        texts = [t for t, _, _ in GRAMMAR]
        for (text, expected, difference), ours in zip(GRAMMAR, product.check(texts)):
            judge(f"grammar: {text!r}", ours["valid"], reference_accepts(text), expected, difference)
        # Patterns with something broken: both have to say the same.
        r = Random(a.seed)
        broken = []
        for _ in range(a.cases * 5):
            text = r.pattern(r.r.randint(0, 2), r.r.random() < 0.5)
            tokens = re.findall(r"'[^']*'|[A-Za-z_0-9.-]+|[^\sA-Za-z_0-9]", text)
            at = r.r.randrange(len(tokens))
            k = r.r.randint(0, 3)
            if k == 0:
                del tokens[at]
            elif k == 1:
                tokens.insert(at, r.r.choice(tokens))
            elif k == 2:
                tokens[at] = r.r.choice(["AND", "[", "]", "(", ")", "NOT", "=", "1", "'x'", "a:b", "EXISTS", "IN", "WITHIN", "5"])
            broken.append(" ".join(tokens))
        for text, ours in zip(broken, product.check(broken)):
            theirs = reference_accepts(text)
            difference = None
            if ours["valid"] != theirs:
                why = ours.get("error", "")
                difference = ("duplicate-qualifier" if "twice" in why else "mixed-set" if "different types" in why else
                              "zero" if "more than 0" in why or "at least 1" in why else "regex-invalid" if "regular expression" in why else None)
            judge(f"broken: {text!r} {ours.get('error', '')} {ours.get('where', '')}", ours["valid"], theirs, None, difference)

    for text in wrong[:20]:
        print("WRONG", text)
    for name, text in DIFFERENCES.items():
        if seen[name]:
            print(f"{seen[name]:6} {name}: {text}")
    silent = [n for n in DIFFERENCES if not seen[n]]
    for name in silent:
        print(f"WRONG {name} is listed, but no case shows it")
    print(f"{compared} comparisons ({hand} of evaluation by hand, {a.cases * 12} random with {matches} matches, the rest of grammar), {sum(seen.values())} listed differences, {len(wrong)} others")
    return 1 if wrong or silent else 0


if __name__ == "__main__":
    sys.exit(main())
