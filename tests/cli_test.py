#!/usr/bin/env python3
"""The contract of the command line: exit status (0 yes, 1 no, 2 could not run), `entente: WHAT (WHERE): WHAT TO DO` on standard error, one JSON
object per line with -o json, and bad input that loses nothing and leaves nothing half-written."""
import itertools, json, os, pathlib, socket, subprocess, sys, tempfile, time

ENTENTE = sys.argv[1]
FAILED = []


def run(*args, stdin=""):
    return subprocess.run([ENTENTE, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60)


def check(what, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + what + ("" if ok else f": {detail}"))
    if not ok:
        FAILED.append(what)


def expect(what, status, *args, err="", out="", stdin=""):
    r = run(*args, stdin=stdin)
    good = r.returncode == status and err in r.stderr and out in r.stdout
    if status == 2:  # could not run: says what and what to do, in the one form
        good = good and r.stderr.splitlines()[-1].startswith("entente: ")
    check(what, good, f"status {r.returncode}, out {r.stdout[:300]!r}, err {r.stderr[:500]!r}")
    return r


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def indicator(i, **more):
    o = {"type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{i:012d}", "created": "2026-01-01T00:00:00.000Z",
         "modified": "2026-01-01T00:00:00.000Z", "pattern": f"[domain-name:value = 'n{i}.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"}
    return {**o, **more}


def hunt(tmp):
    follow = "[domain-name:value = 'evil.example'] FOLLOWEDBY [network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 8443]"
    patterns = [follow, "[process:name = 'x']", "[network-traffic:dst_port = 8443]"]
    (tmp / "hunt.json").write_text("\n".join(json.dumps(indicator(i, pattern=p)) for i, p in enumerate(patterns)))
    (tmp / "a-conn.log").write_text('{"ts":"2026-01-01T00:00:03Z","id.orig_h":"10.0.0.5","id.resp_h":"198.51.100.7","id.resp_p":8443}\n')
    (tmp / "z-dns.log").write_text('{"ts":"2026-01-01T00:00:00Z","query":"EVIL.example"}\n')
    r = expect("hunt: compound patterns over files in any order", 0, "hunt", "--indicators", tmp / "hunt.json", tmp / "a-conn.log", tmp / "z-dns.log",
               err="1 patterns cannot be hunted for")
    found = {line["indicator"][-1]: line for line in map(json.loads, r.stdout.splitlines())}
    check("hunt: each that matches, once", sorted(found) == ["0", "2"] and len(r.stdout.splitlines()) == 2, r.stdout)
    check("hunt: the witness says which records", [(w["source"][-9:], w["record"]) for w in found["0"].get("witness", [])] == [("z-dns.log", 1), ("-conn.log", 1)], r.stdout)
    check("hunt: what costs every record is said", "1 patterns have no value to look up" in r.stderr, r.stderr)
    expect("hunt: nothing to hunt in", 2, "hunt", "--indicators", tmp / "hunt.json", err="--history")
    expect("hunt: a history that is not there", 2, "hunt", "--indicators", tmp / "hunt.json", "--history", tmp / "none", err="there is no history")
    expect("hunt: since when", 2, "hunt", "--indicators", tmp / "hunt.json", "--history", tmp, "--since", "yesterday", err="as in 2026-11-01, 7d, 12h")


def pattern_match(tmp):
    observed = {"type": "observed-data", "id": "observed-data--1", "first_observed": "2026-01-01T00:00:00Z", "last_observed": "2026-01-01T00:00:00Z",
                "number_observed": 2, "objects": {"0": {"type": "domain-name", "value": "x.example"}}}
    (tmp / "data.json").write_text(json.dumps(observed))
    (tmp / "loose.json").write_text(json.dumps({k: v for k, v in observed.items() if k != "number_observed"}))

    def run(what, status, patterns, data="data.json", *more, **kw):
        (tmp / "patterns.txt").write_text("\n".join(patterns) + "\n")
        return expect(what, status, "-o", "json", "pattern", "match", "--pattern-file", tmp / "patterns.txt", "--data", tmp / data, *more, **kw)

    r = run("match: some", 0, ["# a comment", "[domain-name:value = 'x.example'] REPEATS 2 TIMES", "", "[domain-name:value = 'y.example']"])
    lines = [json.loads(line) for line in r.stdout.splitlines()]
    check("match: a line for each pattern, with what it is bound to", [(n["line"], n["result"]) for n in lines] == [(2, "match"), (4, "no match")]
          and lines[0]["observed"] == [{"id": "observed-data--1", "times": 2}], r.stdout)
    run("match: none", 1, ["[domain-name:value = 'y.example']"])
    run("match: none, but one is no pattern", 2, ["[domain-name:value = 'y.example']", "[domain-name:value = ]"], err="patterns.txt:2: 1:22")
    run("match: one is no pattern, another matches", 0, ["[domain-name:value = ]", "[domain-name:value = 'x.example']"], err="patterns.txt:1")
    run("match: data that is not there", 2, ["[a:b = 1]"], "none.json", err="none.json")
    run("match: data that is none", 2, ["[a:b = 1]"], "broken.json", err="broken.json")
    run("match: incomplete observed-data", 2, ["[domain-name:value = 'x.example']"], "loose.json", err="number_observed")
    run("match: the same, leniently", 0, ["[domain-name:value = 'x.example']"], "loose.json", "--lenient")


def stream(lines, *args, mb=None):
    """Pipes lines into the program; exit status, output, and its peak of memory in megabytes."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        p = subprocess.Popen([ENTENTE, *args], stdin=subprocess.PIPE, stdout=out, stderr=err)
        for line in lines:
            p.stdin.write(line if isinstance(line, bytes) else line.encode())
        p.stdin.close()
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return p.returncode, out.read(), err.read(), usage.ru_maxrss / 1024


def stix_commands(tmp):
    good = json.dumps(indicator(1))
    # Bad input: a clear error with its place, and the rest is read.
    for what, bad, where in (
        ("broken off", '{"type": "indicator", ', "2:22"), ("a name twice", '{"type":"tool","type":"tool"}', "2 /type"), ("a lone surrogate", '{"type":"\\ud800"}', "2:10"),
        ("bad UTF-8", b'{"type":"\xff"}', "2:10"), ("a huge integer", '{"type":"tool","x":9007199254740993}', "2 /x"), ("a number beyond all", '{"type":"tool","x":1e999}', "2:20"),
        ("deep nesting", '{"x":' + "[" * 100000 + "]" * 100000 + "}", "2:69"), ("no JSON at all", "nonsense", "2:1"),
    ):
        bad = bad if isinstance(bad, bytes) else bad.encode()
        status, out, _, _ = stream([good, "\n", bad, "\n", json.dumps(indicator(2, confidence=101))], "-o", "json", "stix", "validate", "-")
        found = [json.loads(line) for line in out.splitlines()]
        check(f"validate: {what} in line 2, and line 3 is checked", status == 1 and [(f["line"], f["code"]) for f in found] == [(2, "S1-json"), (3, "S13-range")]
              and where.strip() in found[0]["message"], out)
    # A text of 100 MB is over the limit, not over the memory.
    piece = b"x" * (1 << 20)
    big = lambda: [b'{"type":"tool","name":"', *([piece] * 100), b'"}\n', good]
    status, out, _, mb = stream(big(), "-o", "json", "stix", "validate", "-")
    check("validate: a text of 100 MB is refused in bounded memory", status == 1 and json.loads(out)["code"] == "S1-json" and mb < 250, (status, out[:300], mb))
    status, out, _, mb = stream([b'{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":[', *big()[:-1], b",", good, b"]}"], "-o", "json", "stix", "validate", "-")
    check("validate: and in a bundle", status == 1 and json.loads(out)["place"] == "/objects/0" if out.count("\n") == 1 else False, (status, out[:300], mb))
    # Memory does not grow with the input: lines, and one bundle.
    text = json.dumps(indicator(0, description="d" * 400))
    lines = lambda n: (text.replace("000000000000", f"{i:012d}", 1) for i in range(n))
    few, many = (stream((t + "\n" for t in lines(n)), "stix", "validate", "--memory", "8", "-") for n in (20_000, 100_000))
    check("validate: memory is the same for 20,000 and 100,000 objects in lines", few[0] == many[0] == 0 and many[3] < few[3] * 1.2 + 5, (few, many))
    check("validate: what was not compared is said", "--memory" in many[2], many[2])
    in_bundle = itertools.chain(['{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":['],
                                ((", " if i else "") + t for i, t in enumerate(lines(100_000))), ["]}"])  # no list: a child counts its parent's memory at the fork
    bundle = stream(in_bundle, "stix", "validate", "--memory", "8", "-")
    check("validate: and in one bundle", bundle[0] == 0 and "100,000 objects: 100,000 valid" in bundle[1] and bundle[3] < few[3] * 1.2 + 5, bundle)
    # Rules over several objects, codes, strictness.
    (tmp / "twice.jsonl").write_text(good + "\n" + json.dumps(indicator(1, name="other")) + "\n")
    expect("validate: two contents of one version", 1, "stix", "validate", tmp / "twice.jsonl", out="S22-version-content")
    expect("validate: the code disabled", 0, "stix", "validate", "--disable", "S22-version-content", tmp / "twice.jsonl")
    expect("validate: a code that there is not", 2, "stix", "validate", "--disable", "S99-x", tmp / "twice.jsonl", err="stix-codes")
    expect("validate: custom content", 0, "stix", "validate", "-", stdin=json.dumps(indicator(1, x_a=1)), out="S15-custom-property")
    expect("validate: custom content, strictly", 1, "stix", "validate", "--strict", "-", stdin=json.dumps(indicator(1, x_a=1)))
    expect("validate: a pattern that is none", 1, "stix", "validate", "-", stdin=json.dumps(indicator(1, pattern="[x")), out="S41-pattern")
    expect("validate: the other files are read though one is not there", 2, "stix", "validate", tmp / "none.json", tmp / "bad.json", out="S20-modified")
    expect("id: right", 0, "stix", "id", "-", stdin='{"type":"ipv4-addr","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4","value":"198.51.100.3"}', out="28bb3599")
    expect("id: another", 1, "stix", "id", "-", stdin='{"type":"mutex","id":"mutex--28bb3599-77cd-5a82-a950-b5bc3caf07c4","name":"__CLEANSWEEP__"}', out="f93fe911-e545-5239-b9b0-597840d0c871")
    shown = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000001", "objects": [
        indicator(7, confidence=101, created_by_ref="identity--00000000-0000-4000-8000-000000000001", object_marking_refs=["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"]),
        {"type": "identity", "id": "identity--00000000-0000-4000-8000-000000000001", "name": "CERT Nowhere"}]}
    one = indicator(7)["id"]
    for part in ("TLP:RED", "CERT Nowhere", "n7.example", "S13-range", "2026-01-01T00:00:00.000Z"):
        expect(f"show: {part}", 0, "stix", "show", "-", "--id", one, stdin=json.dumps(shown), out=part)
    r = expect("show: for programs", 0, "-o", "json", "stix", "show", "-", "--id", one, stdin=json.dumps(shown))
    check("show: markings and references by name", (o := json.loads(r.stdout))["markings"][0]["name"] == "TLP:RED" and any(x.get("name") == "CERT Nowhere" for x in o["references"]), r.stdout)
    expect("show: which of several", 1, "stix", "show", "-", stdin=json.dumps(shown), err="--id")
    expect("show: not there", 1, "stix", "show", "-", "--id", "tool--x", stdin=json.dumps(shown), err="tool--x")


def main(tmp):
    tmp = pathlib.Path(tmp)
    expect("--version names version and commit", 0, "--version", out="entente 0.")
    expect("--help", 0, "--help", out="agreement")
    expect("no command", 2)
    expect("unknown command", 2, "frobnicate", err="--help")
    expect("unknown option", 2, "publish", "x", "--no-such-thing")

    # Documents and objects, offline.
    (tmp / "broken.json").write_text('{"type": "indicator", ')
    (tmp / "good.json").write_text(json.dumps(indicator(1)))
    (tmp / "bad.json").write_text(json.dumps(indicator(2, modified="2025-01-01T00:00:00.000Z")))
    expect("validate: a good object", 0, "stix", "validate", tmp / "good.json")
    expect("validate: modified before created", 1, "stix", "validate", tmp / "bad.json")
    expect("validate: a file that is not there", 2, "stix", "validate", tmp / "none.json", err="none.json")
    stix_commands(tmp)
    expect("pattern: a good one", 0, "pattern", "check", "[domain-name:value = 'x.example']")
    expect("pattern: a bad one", 1, "pattern", "check", "[domain-name:value = ]")
    expect("pattern: a bad regular expression", 1, "pattern", "check", "[domain-name:value MATCHES '(a']", out="1:28")
    expect("pattern equal: written otherwise", 0, "pattern", "equal", "[a:b IN (1, 2)]", "[a:b = 2] OR [a:b = 1]", out="equal")
    expect("pattern equal: no", 1, "pattern", "equal", "[a:b = 1]", "[a:b = 2]")
    expect("pattern equal: not a pattern", 1, "pattern", "equal", "[a:b = 1]", "[a:b = ]", err="second pattern: 1:8")
    pattern_match(tmp)
    hunt(tmp)
    # MISP: there and back, and a list of what was not carried, one JSON object per line.
    everything = pathlib.Path(__file__).parent.parent / "src/misp/testdata/everything.json"
    r = expect("import: the list on standard output if the bundle goes to a file", 0, "import", "--from", "misp", everything, "--out", tmp / "bundle.json", "-o", "json")
    lines = [json.loads(line) for line in r.stdout.splitlines()]
    counts = lines[-1]["imported"]
    check("import: every attribute is somewhere", counts["attributes"] > 50 and counts["attributes"] == sum(
        counts[k] for k in ("as_indicator", "as_observed", "as_other", "as_note", "beside", "left_out")), counts)
    check("import: what was not carried has path, type and reason", len(lines) > 10 and all(x["path"] and x["type"] and x["reason"] for x in lines[:-1]))
    expect("import: what comes out is valid strictly", 0, "stix", "validate", "--strict", tmp / "bundle.json")
    expect("export: back to MISP", 0, "export", "--to", "misp", tmp / "bundle.json", "--out", tmp / "event.json")
    once = (tmp / "bundle.json").read_text()
    expect("import: what was exported", 0, "import", "--from", "misp", tmp / "event.json", "--out", tmp / "again.json")
    check("import: there and back is the same", (tmp / "again.json").read_text() == once)
    expect("import: not MISP", 2, "import", "--from", "misp", tmp / "good.json", err="no MISP event")
    expect("import: a file that is not there", 2, "import", "--from", "misp", tmp / "none.json", err="none.json")
    expect("import: a form that we do not know", 2, "import", "--from", "fax", everything)
    expect("agreement check: not JSON", 1, "agreement", "check", tmp / "broken.json")
    expect("agreement check: not there", 2, "agreement", "check", tmp / "none.json", err="none.json")

    # Node folders.
    port = free_port()
    node = tmp / "in"
    expect("init: a bad party code", 1, "init", tmp / "x", "--party", "India", "--name", "n", err="capital")
    check("a refused init leaves nothing", not (tmp / "x").exists())
    r = expect("init", 0, "-o", "json", "init", node, "--party", "IN", "--name", "CERT", "--listen", f"127.0.0.1:{port}")
    check("init prints one JSON object", json.loads(r.stdout)["party"] == "IN")
    check("keys are private", all((k.stat().st_mode & 0o077) == 0 for k in (node / "keys").iterdir() if k.suffix in (".pem", ".key", ".token")),
          [f"{k.name} {oct(k.stat().st_mode)}" for k in (node / "keys").iterdir()])
    check("init prints no secret", (node / "keys" / "admin.token").read_text().strip() not in r.stdout + r.stderr)
    expect("init over a node", 1, "init", node, "--party", "IN", "--name", "n")
    expect("init jp", 0, "init", tmp / "jp", "--party", "JP", "--name", "CERT of Japan", "--listen", f"127.0.0.1:{free_port()}")
    expect("node status: nobody there", 2, "node", "status", "--dir", node, err="entente node run")
    expect("node status: no such folder", 2, "node", "status", "--dir", tmp / "nowhere")
    expect("node check of a stopped node", 0, "node", "check", "--dir", node)

    doc = tmp / "agreement.json"
    expect("agreement new", 0, "agreement", "new", "--pair", node / "party.json", "--pair", tmp / "jp" / "party.json", doc)
    expect("agreement check: a good one", 0, "agreement", "check", doc)
    text = json.loads(doc.read_text())
    text["surprise"] = 1
    (tmp / "unknown.json").write_text(json.dumps(text))
    expect("agreement check: an unknown field", 1, "agreement", "check", tmp / "unknown.json", out="surprise")
    expect("agreement diff: the same", 0, "agreement", "diff", doc, doc)
    expect("agreement new: one party only", 1, "agreement", "new", "--pair", node / "party.json", tmp / "one.json")
    check("a refused document is not written", not (tmp / "one.json").exists())

    # A running node and bad input.
    process = subprocess.Popen([ENTENTE, "-q", "node", "run", "--dir", str(node)], stdout=subprocess.PIPE, text=True)
    try:
        check("node run says when it serves", '"ready"' in process.stdout.readline())
        inbox = lambda: json.loads(run("-o", "json", "node", "status", "--dir", node).stdout)["objects"]["inbox"]
        before = inbox()  # the party's own identity is there from the start
        expect("publish: not JSON", 1, "publish", tmp / "broken.json", "--dir", node)
        check("nothing of it is there", inbox() == before)
        mixed = tmp / "mixed.jsonl"
        mixed.write_text("\n".join(json.dumps(o) for o in (indicator(10), indicator(11, pattern="[not a pattern"), indicator(12))))
        r = expect("publish: one of three is bad", 1, "-o", "json", "publish", mixed, "--dir", node)
        f = json.loads(r.stdout)
        check("the good ones were published, the bad one is named", f["published"] == 2 and f["failed"] == 1 and f["failures"][0]["id"].endswith("11"), r.stdout)
        expect("publish again: nothing new, nothing wrong", 0, "publish", tmp / "good.json", "--dir", node)
        check("what was good is there, and nothing else", inbox() == before + 3, inbox())
        expect("publish --as misp", 0, "publish", "--as", "misp", everything, "--dir", node, err="proposal")
        (tmp / "token").write_text("wrong\n")
        expect("a wrong token", 2, "node", "status", "--dir", node, "--token-file", tmp / "token")
        expect("a wrong pin", 2, "node", "status", "--url", f"https://127.0.0.1:{port}", "--pin", "00" * 32, "--token-file", node / "keys" / "admin.token")
        expect("an agreement nobody knows", 2, "agreement", "sign", "00000000-0000-4000-8000-000000000000", "--dir", node)
        expect("a second node in the same folder", 1, "node", "run", "--dir", node, err="stop the other node")
        expect("recall of something that is not there", 1, "recall", "indicator--00000000-0000-4000-8000-00000000ffff", "--dir", node)
        r = expect("a new token is printed once", 0, "token", "new", "t1", "--role", "analyst", "--dir", node, out="ent")
        token = r.stdout.strip().splitlines()[0]
        r = expect("token list", 0, "token", "list", "--dir", node, out="t1")
        check("the list does not show it", token not in r.stdout)
    finally:
        process.terminate()
        check("SIGTERM ends a node with 0", process.wait(15) == 0)
    expect("node check after all that", 0, "node", "check", "--dir", node)
    expect("ledger audit", 0, "ledger", "audit", "--dir", node) if any((node / "ledger").iterdir()) else None


with tempfile.TemporaryDirectory() as folder:
    main(folder)
print(f"{len(FAILED)} of the contract broken" if FAILED else "the contract is kept")
sys.exit(1 if FAILED else 0)
