#!/usr/bin/env python3
"""entente beside stix2-validator and python-stix2, object by object.

    interop_stix.py ENTENTE [DATA_DIR] [--show]

A right object of every type (oracle/stix_bases.py) is changed in one place at a time, thousands of times; both programs say valid or not. Each difference must be one that
docs/stix-differences.md names, and each row there must occur. Deterministic ids of random observables must be those that python-stix2 computes. ATT&CK samples too, where they are.
"""
import collections, copy, json, logging, pathlib, random, re, subprocess, sys, uuid

import stix2
from stix2validator import ValidationOptions, validate_instance

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "oracle"))
from stix_bases import EXT, OBJECTS, TLP, U, V, ref  # noqa: E402

logging.disable(logging.CRITICAL)
ENTENTE = sys.argv[1]
DATA = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 and not sys.argv[2].startswith("-") else None
SHOW = "--show" in sys.argv
# Rules between objects: the cases share their ids on purpose.
SET_CODES = "S20-created,S21-after-revocation,S22-version-content,S22-creator,S30-circular-marking,S39-translation,S39-object-modified,S42-duplicate"


def wrong_values(key, value):
    """Values that some rule may forbid at a place where `value` stands."""
    yield "null", None
    if isinstance(value, bool):
        yield from (("text", "true"), ("number", 1), ("other", not value))
    elif isinstance(value, (int, float)):
        yield from (("text", "5"), ("minus", -1), ("zero", 0), ("half", 0.5), ("large", 10**10), ("boolean", True), ("181", 181), ("70000", 70000))
    elif isinstance(value, str):
        yield from (("number", 5), ("list", [value]), ("empty", ""), ("words", "Some Words"), ("object", {"a": "b"}))
        if re.match(r"\d{4}-\d\d-", value):
            yield from (("no-date", "2020-02-30T00:00:00.000Z"), ("offset", "2020-01-01T00:00:00.000+01:00"), ("space", "2020-01-01 00:00:00.000Z"), ("lower", "2020-01-01t00:00:00.000z"), ("seconds", "2020-06-01T00:00:00Z"),
                        ("one-digit", "2020-06-01T00:00:00.1Z"), ("nine-digits", "2020-06-01T00:00:00.123456789Z"), ("dot", "2020-06-01T00:00:00.Z"), ("hour", "2020-06-01T24:00:00.000Z"), ("early", "2019-01-01T00:00:00.000Z"),
                        ("late", "2030-01-01T00:00:00.000Z"), ("same", "2020-01-01T00:00:00.000Z"))
        elif "--" in value:
            kind = value.split("--")[0]
            yield from (("other-type", ref("tool" if kind != "tool" else "url")), ("sco", ref("mutex", True)), ("sro", ref("relationship")), ("bundle", ref("bundle")), ("marking", ref("marking-definition")),
                        ("language", ref("language-content")), ("no-uuid", kind + "--1"), ("upper", f"{kind}--{U.upper()}"), ("variant", f"{kind}--8e2e2d2b-17d4-4cbf-038f-98ee46b3cd3f"), ("v1", f"{kind}--8e2e2d2b-17d4-1cbf-938f-98ee46b3cd3f"),
                        ("v4", f"{kind}--{U}"), ("v5", f"{kind}--{V}"), ("one-hyphen", f"{kind}-{U}"), ("braces", f"{kind}--{{{U}}}"), ("custom", ref("x-mine")))
        elif key.endswith("_hex") or re.fullmatch(r"[0-9a-f]{32,}", value):
            yield from (("upper", value.upper() + "AB"), ("odd", value + "a"), ("no-hex", "xy" * (len(value) // 2)))
        elif key.endswith("_bin"):
            yield from (("unpadded", "VGh"), ("characters", "VG-_"))
        elif key in ("lang", "languages"):
            yield from (("region", "en-GB"), ("underscore", "en_GB"), ("long", "englishlanguage"))
        elif key == "value":
            yield from (("address4", "198.51.100.300"), ("cidr4", "198.51.100.0/24"), ("cidr4-33", "198.51.100.0/33"), ("address6", "2001:db8::/96"), ("cidr6-129", "2001:db8::/129"), ("mac", "D2:FB:49:24:37:18"), ("name", "no name"))
        elif key == "key":
            yield from (("hive", "HKLM\\System"), ("hive-lower", "hkey_local_machine\\system"))
        elif key == "cpe":
            yield "cpe-2.2", "cpe:/a:microsoft:word:2000"
        elif key == "pattern":
            yield from (("open", "[file:size = 1"), ("two", "[file:size = 1] AND [file:name = 'x']"), ("twice", "[file:size = 1] REPEATS 2 TIMES REPEATS 3 TIMES"), ("no-type", "[size = 1]"), ("plus", "[file:size = +1]"))
        elif key == "relationship_type":
            yield from (("custom", "does-things-to"), ("upper", "Indicates"), ("underscore", "related_to"))
    elif isinstance(value, list):
        yield from (("empty", []), ("alone", value[0]), ("twice", value + value), ("object", {"a": "b"}))
    elif isinstance(value, dict):
        yield from (("empty", {}), ("list", [value]), ("text", "x"), ("unknown", {**value, "zzz": "x"}), ("spaced", {**value, "a b": "x"}), ("upper", {**value, "ABC": "x"}))


def places(value, path=()):
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


def changed(base, path, value, delete=False):
    out = copy.deepcopy(base)
    here = out
    for step in path[:-1]:
        here = here[step]
    if delete:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return out


ADDED = [("x_mine", 1), ("mine", "x"), ("Mine", "x"), ("mi-ne", "x"), ("severity", "x"), ("username", "x"), ("action", "x"), ("m", "x"), ("x_" + "a" * 260, 1), ("x_mine_ref", "nobody"), ("created", "2020-01-01T00:00:00.000Z"),
         ("confidence", 5), ("lang", "en"), ("labels", ["x"]), ("extensions", {EXT: {"extension_type": "property-extension", "level": "b"}}), ("extensions", {EXT: {"level": "b"}}), ("extensions", {EXT: {"extension_type": "nonsense"}}),
         ("extensions", {"foo": {"level": "b"}}), ("extensions", {"x-foo-ext": {"level": "b"}}), ("extensions", {EXT: {"extension_type": "toplevel-property-extension"}}),
         ("granular_markings", [{"selectors": ["type"]}]), ("granular_markings", [{"lang": "en", "marking_ref": TLP, "selectors": ["type"]}]), ("granular_markings", [{"marking_ref": TLP, "selectors": ["none"]}]),
         ("granular_markings", [{"marking_ref": TLP, "selectors": ["type.[0]"]}]), ("granular_markings", [{"marking_ref": TLP, "selectors": ["a b"]}]),
         ("external_references", [{"source_name": "cve", "external_id": "x"}]), ("external_references", [{"source_name": "capec", "external_id": "x"}]), ("external_references", [{"source_name": "x"}]),
         ("object_marking_refs", [ref("marking-definition")]), ("defanged", True)]
# Several properties at once.
PAIRS = [("mutex", {"granular_markings": [{"lang": "en", "selectors": ["type"]}]}), ("tool", {"granular_markings": [{"lang": "en", "selectors": ["type"]}]}), ("directory", {"path_enc": "utf-8"}), ("file", {"name_enc": "no-such"}),
         ("email-message", {"additional_header_fields": {"X-Mailer": ["a"]}}), ("tool", {"extensions": {EXT: {"extension_type": "property-extension", "a": "b"}}}),
         ("indicator", {"pattern_type": "yara", "pattern": "rule x"}), ("malware", {"is_family": True, "name": None}), ("observed-data", {"objects": {"0": {"type": "mutex", "name": "x"}}}),
         ("observed-data", {"object_refs": None, "objects": {"0": {"type": "mutex", "name": "x"}}}), ("observed-data", {"object_refs": None, "objects": {"0": {"type": "file", "name": "x", "content_ref": "7"}}}),
         ("observed-data", {"object_refs": [ref("relationship")]}), ("observed-data", {"object_refs": None}), ("location", {"latitude": None}), ("location", {"latitude": None, "longitude": None}),
         ("location", {"latitude": None, "longitude": None, "precision": None}), ("location", {"latitude": None, "longitude": None, "precision": None, "region": None, "country": None}),
         ("malware-analysis", {"result": None, "analysis_sco_refs": None}), ("file", {"name": None, "name_enc": None, "hashes": None}), ("file", {"name": None}), ("artifact", {"payload_bin": None}), ("artifact", {"url": "https://x.example"}),
         ("artifact", {"encryption_algorithm": None}), ("network-traffic", {"src_ref": None, "dst_ref": None}), ("network-traffic", {"is_active": True}), ("network-traffic", {"is_active": None}), ("email-message", {"is_multipart": True}),
         ("email-message", {"is_multipart": False, "body": "x"}), ("marking-definition", {"definition_type": "tlp", "definition": {"tlp": "red"}}), ("marking-definition", {"definition_type": "tlp", "definition": {"tlp": "blue"}}),
         ("marking-definition", {"definition_type": None}), ("marking-definition", {"definition_type": None, "definition": None}), ("extension-definition", {"extension_types": ["property-extension"]}),
         ("relationship", {"source_ref": ref("indicator"), "target_ref": ref("tool"), "relationship_type": "mitigates"}), ("indicator", {"type": "x-mine", "id": ref("x-mine")}), ("indicator", {"type": "mine", "id": ref("mine")})]


COMMON = {"type", "id", "spec_version", "created_by_ref", "created", "modified", "revoked", "labels", "confidence", "lang", "external_references", "object_marking_refs", "granular_markings", "defanged"}
# What all types of a class have in common is changed in these alone, but for what is left out.
FULL = {"indicator", "tool", "identity", "relationship", "language-content", "extension-definition", "marking-definition", "file", "process", "mutex"}


def cases():
    for base in OBJECTS:
        kind = base["type"]
        yield f"{kind}: right", base
        yield f"{kind}: least", {k: v for k, v in base.items() if k in ("type", "id", "spec_version", "created", "modified")}
        for path in places(base):
            where = "/".join(map(str, path))
            yield f"{kind}: {where} removed", changed(base, path, None, delete=True)
            here = base
            for step in path:
                here = here[step]
            if path[0] in COMMON and kind not in FULL:
                continue
            for what, value in wrong_values(str(path[-1] if isinstance(path[-1], str) else path[-2]), here):
                yield f"{kind}: {where} {what}", changed(base, path, value)
        for name, value in ADDED:
            if isinstance(value, list) and name in base:
                value = copy.deepcopy(value)
            yield f"{kind}: with {name} {json.dumps(value)[:60]}", {**base, name: value}
    for kind, changes in PAIRS:
        for base in OBJECTS:
            if base["type"] == kind:
                yield f"{kind}: {json.dumps(changes)[:80]}", {k: v for k, v in {**base, **changes}.items() if v is not None}


def ours(objects):
    """Errors per object, by line."""
    text = "\n".join(json.dumps(o) for o in objects) + "\n"
    r = subprocess.run([ENTENTE, "-o", "json", "stix", "validate", "--disable", SET_CODES, "-"], input=text, capture_output=True, text=True)
    if r.returncode not in (0, 1):
        raise SystemExit(r.stderr)
    out = collections.defaultdict(list)
    for line in r.stdout.splitlines():
        f = json.loads(line)
        if f["level"] == "error":
            out[f["line"] - 1].append((f["code"], f["pointer"]))
    return [out[i] for i in range(len(objects))]


def theirs(o, options):
    try:
        r = validate_instance(copy.deepcopy(o), options)
        return [re.sub(r"\s+", " ", str(e)) for e in r.errors]
    except Exception as e:  # it raises where the input surprises it
        return [f"raised {type(e).__name__}: {e}"]


def differences():
    """Rows of the document: name, who refuses, pattern of ours or theirs, of the case."""
    rows = []
    for line in (HERE.parent / "docs" / "stix-differences.md").read_text().splitlines():
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 6 and re.fullmatch(r"D\d+", cells[0]):
            rows.append((cells[0], cells[1], re.compile(cells[2].strip("`")), re.compile(cells[3].strip("`"))))
    return rows


def compare(named, rows, used, failures):
    options = ValidationOptions(version="2.1")
    names = [n for n, _ in named]
    objects = [o for _, o in named]
    agree = collections.Counter()
    for name, o, mine in zip(names, objects, ours(objects)):
        their = theirs(o, options)
        if bool(mine) == bool(their):
            agree["refused by both" if mine else "accepted by both"] += 1
            continue
        # All that the refusing side says has to be covered: one reason alone would be enough to refuse.
        side = "entente" if mine else "stix2-validator"
        reasons = [f"{c} {p}" for c, p in mine] if mine else their
        left = []
        for reason in reasons:
            row = next((r for r in rows if r[1] == side and r[2].search(reason) and r[3].search(name)), None)
            if row is None:
                left.append(reason)
            else:
                used[row[0]] += 1
        agree[f"refused by {side} only" + ("" if not left else ", UNLISTED")] += 1
        if left:
            failures.append(f"{side} only | {name} | " + " ; ".join(left))
    return agree


def deterministic(failures):
    """Random observables with their contributing properties, among them what canonical JSON makes hard."""
    rng = random.Random(20211)
    texts = ["", "x", "ö", "日本", "\U0001f600", "a\"b\\c", "\u2028", "\x7f", "e\u0301", "C:\\Windows", "</script>", "\t\n", "\ufb33", "\u0080"]
    word = lambda: "".join(rng.choice(texts) for _ in range(3)) or "y"
    hashes = lambda: {k: v for k, v in {"SHA-256": "a" * 64, "MD5": "b" * 32, "SHA-512": "c" * 128, "SHA-1": "d" * 40}.items() if rng.random() < 0.6} or {"SHA3-256": "e" * 64}
    made = []
    for _ in range(2000):
        kind = rng.choice(["file", "directory", "url", "mutex", "software", "user-account", "email-message", "windows-registry-key", "network-traffic", "autonomous-system", "x509-certificate", "artifact", "domain-name", "email-addr"])
        props = {"directory": {"path": word()}, "url": {"value": word()}, "mutex": {"name": word()}, "domain-name": {"value": word()}, "email-addr": {"value": word()},
                 "software": {"name": word(), "vendor": word(), "version": word()}, "user-account": {"user_id": word(), "account_type": word(), "account_login": word()},
                 "email-message": {"is_multipart": False, "subject": word(), "body": word(), "from_ref": ref("email-addr", True)}, "windows-registry-key": {"key": word(), "values": [{"name": word(), "data": word(), "data_type": "REG_SZ"}]},
                 "network-traffic": {"protocols": ["tcp", word()], "src_ref": ref("ipv4-addr", True), "src_port": rng.randrange(65536), "start": "2020-01-01T00:00:00.5Z",
                                     "extensions": {"icmp-ext": {"icmp_type_hex": "08", "icmp_code_hex": "00"}}},
                 "autonomous-system": {"number": rng.randrange(2**32)}, "x509-certificate": {"serial_number": word(), "hashes": hashes()}, "artifact": {"payload_bin": "VGhl", "hashes": hashes()},
                 "file": {"name": word(), "hashes": hashes(), "parent_directory_ref": ref("directory", True)}}[kind]
        for optional in [k for k in props if k not in ("is_multipart", "protocols", "path", "value", "number", "src_ref")]:
            if len(props) > 1 and kind in ("user-account", "email-message", "file", "x509-certificate", "network-traffic") and rng.random() < 0.3:
                del props[optional]
        made.append((kind, props))
    classes = stix2.v21.OBJ_MAP_OBSERVABLE
    lines, wanted = [], []
    for kind, props in made:
        try:
            o = classes[kind](allow_custom=True, **copy.deepcopy(props))
        except Exception:  # what python-stix2 refuses to build has no id of its own
            continue
        lines.append(json.dumps({"type": kind, "id": f"{kind}--{U}", **props}))
        wanted.append(o["id"])
    r = subprocess.run([ENTENTE, "-o", "json", "stix", "id", "-"], input="\n".join(lines), capture_output=True, text=True)
    got = [json.loads(x)["computed"] for x in r.stdout.splitlines()]
    # Without a contributing property both make a version 4 UUID, which is not to compare.
    pairs = [(l, w) for l, w in zip(lines, wanted) if uuid.UUID(w.split("--")[1]).version == 5]
    if len(pairs) < 1500 or len(got) != len(pairs):
        failures.append(f"ids: {len(got)} of ours, {len(pairs)} of theirs")
    for (line, w), g in zip(pairs, got):
        if w != g:
            failures.append(f"id: {line} is {w} for python-stix2, {g} here")
    return len(pairs)


def main():
    rows, used, failures = differences(), collections.Counter(), []
    named = list(cases())
    agree = compare(named, rows, used, failures)
    print(f"{len(named)} generated objects: " + ", ".join(f"{n} {k}" for k, n in sorted(agree.items())))
    print(f"{deterministic(failures)} deterministic ids compared with python-stix2")
    samples = sorted((DATA / "attack").glob("*.json")) if DATA and (DATA / "attack").exists() else []
    for path in samples:
        objects = json.loads(path.read_text())["objects"]
        refused = [o for o, errors in zip(objects, ours(objects)) if errors]
        chosen = objects if "--all" in sys.argv else refused + random.Random(7).sample(objects, 300) + [o for o in objects if o["type"].startswith("x-")][:50]
        agree = compare([(f"{path.name}: {o['id']}", o) for o in chosen], rows, used, failures)
        print(f"{len(chosen)} of {path.name}: " + ", ".join(f"{n} {k}" for k, n in sorted(agree.items())))
    if not samples:
        print("ATT&CK is absent: only generated objects were compared")
    for row in rows:
        if row[0] not in used and samples:
            failures.append(f"{row[0]} of docs/stix-differences.md did not occur")
    for f in failures if SHOW else failures[:60]:
        print("WRONG " + f[:600])
    print(f"{len(failures)} unlisted" if failures else "no difference that is not listed")
    return 1 if failures else 0


sys.exit(main())
