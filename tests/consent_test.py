#!/usr/bin/env python3
"""Consent to onward release on three real nodes, every step on the command line: JP gives to IN, IN asks JP, JP consents for AU, AU receives; JP takes it
back and AU's copy is withdrawn; a consent runs out; a denial; what is refused is refused in words; all ledgers audit.

    consent_test.py ENTENTE
"""
import json, pathlib, subprocess, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import crash_test as nodes  # noqa: E402  Node

FAILED = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def cli(node, *args, table=False):
    r = subprocess.run([nodes.ENTENTE, "-q", *([] if table else ["-o", "json"]), *map(str, args), *(["--dir", node.dir] if node else [])], capture_output=True, text=True, timeout=60)
    return r.returncode, r.stdout, r.stderr


def must(node, *args):
    status, out, err = cli(node, *args)
    if status != 0:
        raise SystemExit(f"consent_test: {' '.join(map(str, args))}: status {status}\n{out}{err}")
    return [json.loads(line) for line in out.splitlines()]


def until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"consent_test: {what}: not within {seconds} s")
        time.sleep(0.1)


def indicator(name):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
            "pattern": f"[domain-name:value = '{name}']", "valid_from": "2026-01-01T00:00:00Z", "object_marking_refs": [nodes.GREEN]}


def agree(home, a, b, change=None):
    text = home / f"{pathlib.Path(a.dir).name}-{pathlib.Path(b.dir).name}.json"
    nodes.run("agreement", "new", "--pair", a.dir + "/party.json", "--pair", b.dir + "/party.json", text)
    if change:
        document = json.loads(text.read_text())
        change(document)
        text.write_text(json.dumps(document))
    agreement = json.loads(text.read_text())["agreement_id"]
    for x, y in ((a, b), (b, a)):
        nodes.run("peer", "add", "--from-dir", y.dir, "--dir", x.dir)
    must(a, "agreement", "propose", text)
    state = lambda n: (lambda r: json.loads(r[1].splitlines()[0])["state"] if r[0] == 0 and r[1] else "")(cli(n, "agreement", "state", agreement))  # noqa: E731
    until("the proposal arrives", lambda: state(b) == "DRAFT")
    for verb, after in (("initial", "FINALISED"), ("sign", "SIGNED"), ("notify", "IN_FORCE")):
        for n in (a, b):
            must(n, "agreement", verb, agreement)
        for n in (a, b):
            until(f"{after} at {n.dir}", lambda n=n: state(n) == after or (after == "SIGNED" and state(n) == "IN_FORCE"))
    return agreement


def publish(home, node, *objects):
    f = home / "publish.jsonl"
    f.write_text("".join(json.dumps(o) + "\n" for o in objects))
    nodes.run("publish", f, "--dir", node.dir)


def held(node, alias, object_id):
    """The versions of an object in a received collection: (modified, revoked), oldest first."""
    connection = node.connect()
    try:
        page = node.ask(connection, "GET", f"/local/collections/{alias}/objects/?match%5Bid%5D={object_id}&match%5Bversion%5D=all")
    except OSError:
        return []
    return sorted((o.get("modified", ""), o.get("revoked", False)) for o in page.get("objects", []))


def main():
    with tempfile.TemporaryDirectory(prefix="entente-consent-") as folder:
        home = pathlib.Path(folder)
        japan, india, australia = (nodes.Node(str(home / code.lower()), code) for code in ("JP", "IN", "AU"))
        three = (japan, india, australia)
        for n in three:
            n.start()
        try:
            in_jp, au_in = agree(home, india, japan), agree(home, australia, india)
            from_japan, from_india = "received-jp-" + in_jp[9:17], "received-in-" + au_in[9:17]
            first, second, third = (indicator(f"{w}.example") for w in ("first", "second", "third"))
            publish(home, japan, first, second, third)
            until("India has what Japan gave", lambda: all(held(india, from_japan, o["id"]) for o in (first, second, third)))

            plan = home / "plan.json"
            plan.write_text(json.dumps(first))
            status, out, err = cli(india, "release", "plan", plan, "--to", "AU")
            check("a plan names the rule and the command that would change it", "ORIGINATOR_CONSENT" in out and f"entente consent ask {first['id']} --to AU" in out, out + err)
            status, out, err = cli(india, "consent", "ask", indicator("x")["id"], "--to", "AU")
            check("who does not hold an object asks for nothing", status != 0 and "no partner gave this node" in err, err)
            status, out, err = cli(india, "consent", "ask", first["id"], "--to", "JP", "--purpose", "cyber-defence")
            check("between two parties no consent is needed", status != 0 and "third party" in err, err)

            stolen = home / "stolen.jsonl"
            stolen.write_text(json.dumps(first) + "\n" + json.dumps(dict(second, id="indicator--" + str(uuid.uuid4()))) + "\n")
            status, out, err = cli(india, "publish", stolen)
            check("what Japan gave is not published as India's own, under its id or another", status == 1 and (out + err).count("ORIGINATOR_CONSENT") == 2, out + err)

            board = lambda n, *more: must(n, "consent", "list", *more)  # noqa: E731
            purpose = "cyber-defence"
            status, out, err = cli(india, "consent", "ask", first["id"], "--to", "AU", "--purpose", "marketing")
            check("a purpose outside the agreement is refused with those it has", status != 0 and "no purpose of the agreement" in err and purpose in err, err)
            asked = must(india, "consent", "ask", first["id"], "--to", "AU", "--purpose", purpose, "--reason", "their grid is hit too")[0]["request"]
            until("the request reaches Japan", lambda: board(japan, "--waiting"))
            check("a request reaches the originator and says that it waits", board(japan, "--waiting")[0]["request"] == asked)
            check("and nobody else", board(australia, "--all") == [])
            time.sleep(1)
            check("silence is no consent", held(australia, from_india, first["id"]) == [])
            status, out, err = cli(india, "consent", "give", asked, "--for", "P30D")
            check("the holder does not consent for the originator", status != 0 and "only the originator" in err, err)
            status, out, err = cli(japan, "consent", "give", asked)
            check("a consent has an end", status != 0 and "--for" in err, err)
            must(japan, "consent", "give", asked[:12], "--for", "P30D")
            until("Australia receives", lambda: held(australia, from_india, first["id"]))
            check("what went on is what Japan gave", held(australia, from_india, first["id"]) == [(first["modified"], False)], held(australia, from_india, first["id"]))
            check("and only that", held(australia, from_india, second["id"]) == [])
            shown = cli(india, "consent", "show", asked, table=True)[1]
            check("the page of a consent is for people", all(w in shown for w in ("given", first["id"], "of JP, held by IN, for AU".replace("of ", ""), "their grid is hit too", "went on")), shown)

            short = must(india, "consent", "ask", second["id"], "--to", "AU", "--purpose", purpose)[0]["request"]
            denied = must(india, "consent", "ask", third["id"], "--to", "AU", "--purpose", purpose)[0]["request"]
            until("the requests reach Japan", lambda: len(board(japan, "--waiting")) == 2)
            must(japan, "consent", "give", short, "--until", "+PT6S")
            # Japan's authority has its key on a machine without a network: the denial travels on a file, there and back.
            paper = home / "deny.json"
            must(japan, "consent", "deny", denied, "--reason", "source at risk", "--export", paper)
            check("an exported step is not said yet", any(c["request"] == denied for c in board(japan, "--waiting")))
            status, out, err = cli(japan, "consent", "deny", "--import", paper)
            check("unsigned it is not taken", status != 0 and "signatures are missing" in err, err)
            signed = cli(None, "agreement", "countersign", paper, "--key", pathlib.Path(japan.dir) / "keys/authority-1.pem", table=True)
            check("the signer reads what it signs", signed[0] == 0 and "onward_deny" in signed[1] and "source at risk" in signed[1], signed)
            status, out, err = cli(japan, "consent", "give", "--import", paper)
            check("a denial is no consent, whatever the command", status != 0 and "another act" in err, err)
            check("signed it is said", must(japan, "consent", "deny", "--import", paper)[0]["stage"] == "denied")
            until("a denial reaches the holder", lambda: any(c["request"] == denied and c["stage"] == "denied" and c["reason"] == "source at risk" for c in board(india, "--all")))
            until("Australia receives for a while", lambda: held(australia, from_india, second["id"]))
            until("and the consent is over", lambda: any(revoked for _, revoked in held(australia, from_india, second["id"])))
            check("a consent that is over takes back what went under it", True)
            status, out, err = cli(india, "release", "plan", (home / "plan2.json") if (home / "plan2.json").write_text(json.dumps(second)) else "", "--to", "AU")
            check("CONSENT_EXPIRED is the reason then", "CONSENT_EXPIRED" in out, out + err)
            check("a denied one never went", held(australia, from_india, third["id"]) == [])

            australia.kill()
            must(japan, "consent", "withdraw", asked, "--reason", "it was wrong")
            until("the withdrawal reaches India", lambda: any(c["request"] == asked and c["stage"] == "withdrawn" for c in board(india, "--all")))
            australia.start()
            until("a third party that was away gets the tombstone", lambda: any(revoked for _, revoked in held(australia, from_india, first["id"])))
            until("and signs for it", lambda: any(w["withdrawn"] for c in board(india, "--all") if c["request"] == asked for w in c["went"]))
            status, out, err = cli(japan, "consent", "give", asked, "--for", "P1D")
            check("what was withdrawn takes a new request", status != 0 and "new request" in err, err)
            listed = cli(japan, "consent", "list", "--all", table=True)[1]
            check("the list is a table", "withdrawn" in listed and "denied" in listed and "expired" in listed, listed)
            both = [{c["request"]: (c["stage"], c["last_step"]) for c in board(n, "--all")} for n in (india, japan)]
            check("both parties see the same", both[0] == both[1], both)
            for n in three:
                check(f"the ledgers of {pathlib.Path(n.dir).name} audit", cli(n, "ledger", "audit")[0] == 0)
        finally:
            for n in three:
                if n.process and n.process.poll() is None:
                    n.process.terminate()
                    n.process.wait(15)
    print(f"consent: {len(FAILED)} failed", flush=True)
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
