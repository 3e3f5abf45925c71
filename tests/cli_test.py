#!/usr/bin/env python3
"""The contract of the command line: exit status (0 yes, 1 no, 2 could not run), `entente: WHAT (WHERE): WHAT TO DO` on standard error, one JSON
object per line with -o json, and bad input that loses nothing and leaves nothing half-written."""
import json, os, pathlib, socket, subprocess, sys, tempfile, time

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
    expect("pattern: a good one", 0, "pattern", "check", "[domain-name:value = 'x.example']")
    expect("pattern: a bad one", 1, "pattern", "check", "[domain-name:value = ]")
    expect("pattern: a bad regular expression", 1, "pattern", "check", "[domain-name:value MATCHES '(a']", out="1:28")
    expect("pattern equal: written otherwise", 0, "pattern", "equal", "[a:b IN (1, 2)]", "[a:b = 2] OR [a:b = 1]", out="equal")
    expect("pattern equal: no", 1, "pattern", "equal", "[a:b = 1]", "[a:b = 2]")
    expect("pattern equal: not a pattern", 1, "pattern", "equal", "[a:b = 1]", "[a:b = ]", err="second pattern: 1:8")
    pattern_match(tmp)
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
    expect("init jp", 0, "init", tmp / "jp", "--party", "JP", "--name", "CERT", "--listen", f"127.0.0.1:{free_port()}")
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
