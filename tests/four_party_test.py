#!/usr/bin/env python3
"""Five nodes, four instruments: a group that a fourth party joins, two pairs inside it, and a project with a guest. Every act is made on the command line,
and at the end each node must hold exactly what the agreements give it: a matrix of who receives what, by which instrument, object by object.

    four_party_test.py ENTENTE

The texts are examples/agreements/ with the keys of the nodes put in, and with delays of seconds instead of months.
"""
import datetime, http.client, json, os, pathlib, socket, ssl, subprocess, sys, tempfile, time, uuid

ENTENTE = sys.argv[1]
EXAMPLES = pathlib.Path(__file__).parent.parent / "examples" / "agreements"
TLP = {"clear": "94868c89-83c2-464b-929b-a1a8aa3c8487", "green": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "amber": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
       "amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003", "red": "e828b379-4e03-4974-9ac4-e53a884c97c1"}
PROJECT = "prj-lk-01"
FAILED = []


def check(what, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        FAILED.append(what)


def run(*args, status=0):
    r = subprocess.run([ENTENTE, "-q", "-o", "json", *map(str, args)], capture_output=True, text=True, timeout=60)
    if status is not None and r.returncode != status:
        raise SystemExit(f"four_party_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def lines(r):
    return [json.loads(line) for line in r.stdout.splitlines()]


def wait_for(what, condition, seconds=20):
    end, last = time.monotonic() + seconds, None
    while True:
        last = condition()
        if last is True:
            return
        if time.monotonic() > end:
            raise SystemExit(f"four_party_test: {what}: not within {seconds} s; {last}")
        time.sleep(0.1)


class Node:
    def __init__(self, tmp, code, name):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.code, self.dir, self.process = code, tmp / code.lower(), None
        run("init", self.dir, "--party", code, "--name", name, "--listen", f"127.0.0.1:{self.port}")
        self.block = json.loads((self.dir / "party.json").read_text())

    def start(self):
        log = open(self.dir.with_suffix(".log"), "a")
        self.process = subprocess.Popen([ENTENTE, "-q", "node", "run", "--dir", str(self.dir)], stdout=subprocess.PIPE, stderr=log, text=True)
        if "ready" not in self.process.stdout.readline():
            raise SystemExit(f"four_party_test: node {self.code} did not start")

    def agreement(self, verb, *args, status=0):
        return run("agreement", verb, *args, "--dir", self.dir, status=status)

    def state(self, agreement):
        r = self.agreement("state", agreement, status=None)
        return json.loads(r.stdout.splitlines()[0]) if r.returncode == 0 and r.stdout else {}

    def is_in(self, agreement, what):
        return lambda: self.state(agreement).get("state") == what or self.state(agreement)

    def publish(self, tmp, objects):
        path = tmp / f"{self.code}.jsonl"
        path.write_text("".join(json.dumps(o) + "\n" for o in objects))
        run("publish", path, "--dir", self.dir)

    def octets(self, path):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        c.request("GET", path, headers={"Authorization": "Bearer " + (self.dir / "keys/admin.token").read_text().strip()})
        return c.getresponse().read()

    def ask(self, path, as_party=None):
        """GET as the node's own admin, or as another party's node with its TLS key."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, our own nodes
        headers = {"Accept": "application/taxii+json;version=2.1"}
        if as_party:
            context.load_cert_chain(as_party.dir / "keys/tls.crt", as_party.dir / "keys/tls.key")
        else:
            headers["Authorization"] = "Bearer " + (self.dir / "keys/admin.token").read_text().strip()
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        c.request("GET", path, headers=headers)
        r = c.getresponse()
        return r.status, json.loads(r.read() or b"{}")

    def received(self):
        """{(agreement, from): {ids}} for every collection of what partners gave."""
        out = {}
        for a in lines(self.agreement("state")):
            for c in a["collections"]:
                ids, cursor = set(), ""
                while True:
                    status, page = self.ask(f"/local/collections/{c['id']}/manifest/?limit=1000{cursor}")
                    if status != 200:
                        break
                    ids |= {o["id"] for o in page.get("objects", [])}
                    if not page.get("more"):
                        break
                    cursor = "&next=" + page["next"]
                if ids:
                    out[a["agreement_id"], c["from"]] = ids
        return out


def made(kind, tlp, *, label=None, name=None):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    o = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid.uuid4()}"}
    if kind == "user-account":
        o["account_login"] = "nobody"
    else:
        o |= {"created": now, "modified": now, "name": name or "n"}
    if kind == "indicator":
        o |= {"pattern": f"[domain-name:value = '{uuid.uuid4()}.example']", "pattern_type": "stix", "valid_from": now, "sectors": ["5g"]}
    if label:
        o["labels"] = [f"entente-project:{label}"]
    if tlp:
        o["object_marking_refs"] = ["marking-definition--" + TLP[tlp]]
    return o


def sign_all(document, path, parties, *, notify):
    """propose … (notify), by all, on the command line; waits until all know."""
    path.write_text(json.dumps(document))
    agreement = document["agreement_id"]
    parties[0].agreement("propose", path)
    for p in parties:
        wait_for(f"the proposal at {p.code}", p.is_in(agreement, "DRAFT"))
    for p in parties:
        p.agreement("initial", agreement)
    for p in parties:
        wait_for(f"initials at {p.code}", p.is_in(agreement, "FINALISED"))
    for p in parties:
        p.agreement("sign", agreement)
    after = "SIGNED" if notify else "IN_FORCE"
    for p in parties:
        wait_for(f"signatures at {p.code}", p.is_in(agreement, after))
    return agreement


def main(tmp):
    begun = time.monotonic()
    names = {"AU": "Cyber Centre of Australia", "IN": "National CERT of India", "JP": "Cyber Office of Japan", "US": "Cyber Agency of the United States", "LK": "CERT of Sri Lanka"}
    N = {code: Node(tmp, code, name) for code, name in names.items()}
    try:
        scenario(tmp, N)
    finally:
        for n in N.values():
            if n.process:
                n.process.terminate()
        for n in N.values():
            if n.process:
                n.process.wait(20)
    for n in N.values():
        check(f"node check of {n.code}", run("node", "check", "--dir", n.dir, status=None).returncode == 0)
    print(f"{time.monotonic() - begun:.1f} s")


def scenario(tmp, N):
    AU, IN, JP, US, LK = (N[c] for c in ("AU", "IN", "JP", "US", "LK"))
    for n in N.values():
        n.start()
    # The guest of the project is known to the two that invite it, and to nobody else.
    for a in N.values():
        for b in N.values():
            guest = LK in (a, b) and not {a, b} & {IN, JP}
            if a is not b and not guest:
                run("peer", "add", "--from-dir", b.dir, "--dir", a.dir)

    group = json.loads((EXAMPLES / "four-party.json").read_text())
    group["agreement_id"] = f"urn:uuid:{uuid.uuid4()}"
    group["parties"] = [AU.block, IN.block, JP.block]  # the fourth accedes
    for flow in group["flows"]:
        flow["from"] = flow["to"] = ["*"]
    group["scope"]["pillars"][3]["lead"] = None
    group["duration"]["start"]["delay"] = "PT0S"
    group["accession"]["delay"] = "PT2S"
    group["ledger"]["quorum"] = "2 of (AU/witness/1,IN/witness/1,JP/witness/1) excluding log owner"

    pair = json.loads((EXAMPLES / "india-japan.json").read_text())
    pair["agreement_id"] = f"urn:uuid:{uuid.uuid4()}"
    pair["parties"] = [IN.block, JP.block]
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    project = pair["projects"][0]
    project["not_before"] = (now - datetime.timedelta(days=1)).isoformat().replace("+00:00", "Z")
    project["not_after"] = (now + datetime.timedelta(days=300)).isoformat().replace("+00:00", "Z")

    # A pair that was made on the command line.
    other = tmp / "in-au.json"
    run("agreement", "new", "--pair", IN.dir / "party.json", "--pair", AU.dir / "party.json", other)

    B1 = sign_all(pair, tmp / "in-jp.json", [IN, JP], notify=False)
    B2 = sign_all(json.loads(other.read_text()), other, [IN, AU], notify=True)
    for p in (IN, AU):
        p.agreement("notify", B2)
    G = sign_all(group, tmp / "group.json", [AU, IN, JP], notify=True)

    # Signed is not in force. Two of three apply one flow before the start; the third is not bound.
    expected = {}  # (node, agreement, from) -> {id: what}

    def give(by, what, *receivers, **how):
        o = made(how.pop("kind", "indicator"), **how)
        for node, agreement in receivers:
            expected.setdefault((node.code, agreement, by.code), {})[o["id"]] = what
        return o

    def arrived():
        for (code, agreement, by), objects in expected.items():
            have = N[code].received().get((agreement, by), set())
            for i, what in objects.items():
                if i not in have:
                    return f"{code} lacks '{what}' of {by} under {agreement}"
        return True

    for p in (AU, JP):
        p.agreement("apply-provisionally", G, "--flow", "ci-threat")
    for p in (AU, JP, IN):
        wait_for("provisional application", p.is_in(G, "PROVISIONAL"))
    for p in (IN, AU):
        wait_for("the second pair", p.is_in(B2, "IN_FORCE"))
    AU.publish(tmp, [give(AU, "provisional", (JP, G), (IN, B2), tlp="green")])
    wait_for("the provisional flow", arrived)
    for p in (AU, IN, JP):
        p.agreement("notify", G)
    for p in (AU, IN, JP):
        wait_for("the group in force", p.is_in(G, "IN_FORCE"))

    # Phase 1: three parties, one group, two pairs.
    IN.publish(tmp, [
        give(IN, "green", (JP, B1), (AU, B2), tlp="green"),
        give(IN, "strict: the pairs allow it", (JP, B1), (AU, B2), tlp="amber+strict"),
        give(IN, "red: nobody", tlp="red"),
        give(IN, "an account: forbidden", kind="user-account", tlp="green"),
        give(IN, "for a project that is not there", tlp="green", label=PROJECT),
    ])
    JP.publish(tmp, [
        give(JP, "green", (IN, B1), (AU, G), tlp="green"),
        give(JP, "strict: above the group's ceiling", (IN, B1), tlp="amber+strict"),
        give(JP, "unmarked: the group withholds it", (IN, B1), tlp=None),
        give(JP, "an actor: the group forbids it, the pair wants its sector", kind="threat-actor", tlp="green"),
    ])
    AU.publish(tmp, [give(AU, "amber", (IN, B2), (JP, G), tlp="amber"), give(AU, "strict: the pair only", (IN, B2), tlp="amber+strict")])
    wait_for("phase 1", arrived)

    # Who is not a party sees neither the text nor the objects.
    root = IN.state(B1)["root"]
    for stranger in (AU, US, LK):
        status, _ = IN.ask(f"{root}collections/", as_party=stranger)
        check(f"{stranger.code} does not see the root of the pair IN-JP", status in (401, 403, 404), status)
    root = AU.state(G)["root"]
    status, _ = AU.ask(f"{root}collections/", as_party=US)
    check("a candidate does not see the group's root", status in (401, 403, 404), status)
    check("US knows no agreement", lines(US.agreement("state")) == [], US.agreement("state").stdout)

    # Phase 2: accession. The members' acts go to the candidate on a file, its request comes back by TAXII.
    r = US.agreement("accede", G, status=None)
    check("accede without the group's acts is refused, with what to do", r.returncode == 2 and "import" in r.stderr, r.stderr)
    AU.agreement("export", G, "--out", tmp / "group.acts")
    US.agreement("import", tmp / "group.acts")
    US.agreement("accede", G)
    for p in (AU, IN, JP):
        wait_for("the request arrives", lambda p=p: any("consent of" in w and "US" in w for w in p.state(G).get("waiting_for", [])) or p.state(G).get("waiting_for"))
    for p in (AU, IN):
        p.agreement("consent-accession", G, "--party", "US")
    US.agreement("deposit", G)
    wait_for("the deposit arrives", lambda: all("deposit" not in w for w in JP.state(G)["waiting_for"]) or JP.state(G)["waiting_for"])
    check("two of three consents are not enough", "US" not in JP.state(G)["by_party"], JP.state(G)["by_party"])
    JP.agreement("consent-accession", G, "--party", "US")
    JP.publish(tmp, [give(JP, "after the consent, before the start: no back access", (IN, B1), (AU, G), tlp="green")])
    for p in (AU, IN, JP, US):
        wait_for("US is a party", lambda p=p: p.state(G)["by_party"].get("US") == "IN_FORCE" or p.state(G)["by_party"])
    JP.publish(tmp, [give(JP, "green, after the accession", (IN, B1), (AU, G), (US, G), tlp="green")])
    IN.publish(tmp, [give(IN, "amber", (JP, B1), (AU, B2), (US, G), tlp="amber"), give(IN, "strict: not for US", (JP, B1), (AU, B2), tlp="amber+strict")])
    US.publish(tmp, [give(US, "green", (AU, G), (IN, G), (JP, G), tlp="green")])
    wait_for("phase 2", arrived)

    # Phase 3: the project, with the host's own consent and a key that the project pins.
    block = {**project, "parties": [LK.block]}
    (tmp / "project.json").write_text(json.dumps(block))
    IN.agreement("open-project", B1, tmp / "project.json")
    wait_for("IN asked", lambda: bool(JP.state(B1)["projects"]) or JP.state(B1)["projects"])
    JP.agreement("open-project", B1, tmp / "project.json")
    wait_for("the host is asked", lambda: [p["stage"] for p in LK.state(B1).get("projects", [])] == ["host asked"] or LK.state(B1).get("projects"))
    check("without the host's consent it is not open", [p["stage"] for p in IN.state(B1)["projects"]] == ["host asked"])
    LK.agreement("host-consent", B1, "--project", PROJECT)
    for p in (IN, JP, LK):
        wait_for("the project is open", lambda p=p: [x["stage"] for x in p.state(B1)["projects"]] == ["open"] or p.state(B1)["projects"])
    P = next(a["agreement_id"] for a in lines(IN.agreement("state")) if a["agreement_id"] not in (B1, B2, G))
    IN.publish(tmp, [give(IN, "for the project", (JP, P), (LK, P), tlp="green", label=PROJECT), give(IN, "not for the project", (JP, B1), (AU, B2), (US, G), tlp="green")])
    LK.publish(tmp, [give(LK, "from the guest, for the project", (IN, P), (JP, P), tlp="amber", label=PROJECT), give(LK, "the guest's own", tlp="green")])
    JP.publish(tmp, [give(JP, "red, for the project: nobody", tlp="red", label=PROJECT), give(JP, "strict: above the project's ceiling", tlp="amber+strict", label=PROJECT)])
    wait_for("phase 3", arrived)
    status, _ = JP.ask(f"{JP.state(B1)['root']}collections/", as_party=LK)
    check("the guest does not see the root of the parent", status in (401, 403, 404), status)

    # Phase 4: India suspends the pair. The project stops between the two and goes on with the guest; the group goes on.
    IN.agreement("suspend", B1, "--lasting", "--reason", "an exercise")
    for p in (IN, JP, LK):
        wait_for("the suspension", p.is_in(B1, "SUSPENDED"))
    JP.publish(tmp, [give(JP, "project, parent suspended: the guest only", (LK, P), tlp="green", label=PROJECT), give(JP, "by the group instead", (IN, G), (AU, G), (US, G), tlp="green")])
    IN.publish(tmp, [give(IN, "the second pair goes on", (AU, B2), (JP, G), (US, G), tlp="green")])
    wait_for("phase 4", arrived)
    r = JP.agreement("resume", B1, status=None)
    check("who did not suspend cannot resume, and is told the rule", r.returncode == 1 and "suspended nothing" in r.stderr, (r.returncode, r.stderr))

    # The last of every queue, then the whole matrix.
    wait_for("nothing waits to be decided", lambda: all(x["pending"] == 0 for n in N.values() for s in lines(run("node", "status", "--dir", n.dir)) for x in s.get("release", [])))
    time.sleep(1)
    title = {B1: "pair IN-JP", B2: "pair IN-AU", G: "group", P: "project"}
    what = {i: w for objects in expected.values() for i, w in objects.items()}
    have = {(n.code, *key): ids for n in N.values() for key, ids in n.received().items()}
    own = {f"identity--{x}" for x in ()}
    for code in sorted(N):
        for agreement, name in title.items():
            for by in sorted(N):
                want = set(expected.get((code, agreement, by), {}))
                got = {i for i in have.get((code, agreement, by), set()) if not i.startswith("identity--")} - own
                if want or got:
                    extra = [what.get(i, i) for i in got - want]
                    lost = [what.get(i, i) for i in want - got]
                    check(f"{code} has {len(want):2} of {by} by the {name}", got == want, f"too much: {extra}; missing: {lost}")
    check("every collection was looked at", not [k for k in have if k[1] not in title], list(have))
    for a, b, agreement in ((IN, JP, B1), (AU, US, G), (US, AU, G), (LK, IN, P), (IN, LK, P)):
        for audit in lines(run("node", "status", "--dir", a.dir))[0]["ledger"]:
            if audit["agreement_id"] == agreement and b.code in audit["mirror"]:
                check(f"{a.code} has no conflict with {b.code}'s ledger", not audit["mirror"][b.code]["conflict"], audit)
    # The ledgers of the group are cosigned by two of the other three, as it says; both ends reconcile to the same; and the ledgers can be
    # audited as they are served, by who shares the agreement, the partner's copy as well.
    def standing(node):
        status = lines(run("node", "status", "--dir", node.dir))[0]
        return next(x for x in status["ledger"] if x["agreement_id"] == G)
    for n in (AU, IN, JP, US):
        wait_for(f"{n.code}'s ledger of the group is cosigned by its quorum", lambda n=n: (lambda x: x["witnesses"]["cosigned"] == x["entries"] and len(x["witnesses"]["by"]) >= 2 or x)(standing(n)))
    for a, b in ((IN, JP), (AU, US)):
        wait_for(f"{a.code} and {b.code} reconcile to the same", lambda a=a, b=b: (lambda rows: all(r["same"] and not r["result"]["missing"] and not r["result"]["extra"] for r in rows) and len(rows) >= 2 or rows)(lines(run("ledger", "reconcile", "--dir", a.dir, "--with", b.code, status=None))))
    keys = {k["kid"]: k["public"] for n in (AU, IN, JP, US) for k in json.loads((n.dir / "party.json").read_text())["keys"]}
    bare = G.removeprefix("urn:uuid:")
    for path, server in ((f"/ledger/{bare}", JP), (f"/ledger/{bare}/mirror/JP", AU)):
        spki = json.loads((server.dir / "party.json").read_text())["tls_spki_sha256"][0]
        audit = lines(run("ledger", "audit", "--url", f"https://127.0.0.1:{server.port}{path}", "--pin", spki, "--tls-dir", IN.dir, "--origin", f"entente/jp/{bare}", "--key", keys["JP/log/1"]))[0]
        check(f"JP's ledger of the group as {server.code} serves it passes the audit", audit["ok"] and audit["entries"] > 5, audit)
    # The second verifier, which shares no code with the program, agrees on who cosigned.
    import subprocess as sp
    note = tmp / "jp.cosigned"
    note.write_bytes(JP.octets(f"/ledger/{bare}/checkpoint.cosigned"))
    verifier = [sys.executable, str(pathlib.Path(__file__).resolve().parent.parent / "tools/verify_ledger.py"), "cosigned", str(note), "--origin", f"entente/jp/{bare}", "--key", keys["JP/log/1"], "-o", "json"]
    by = standing(JP)["witnesses"]["by"]
    said = sp.run(verifier + [x for k in by for x in ("--witness", f"{k}={keys[k]}")], capture_output=True, text=True)
    check("verify_ledger.py finds the same cosignatures", said.returncode == 0 and sorted(json.loads(said.stdout)["cosigned"]) == sorted(by), said.stdout + said.stderr)
    said = sp.run(verifier + ["--witness", f"LK/witness/1={keys['IN/witness/1']}"], capture_output=True, text=True)
    check("and none that is not there", said.returncode == 1, said.stdout + said.stderr)
    denied = run("ledger", "audit", "--url", f"https://127.0.0.1:{JP.port}/ledger/{bare}", "--pin", json.loads((JP.dir / "party.json").read_text())["tls_spki_sha256"][0], "--tls-dir", LK.dir, "--origin", f"entente/jp/{bare}", "--key", keys["JP/log/1"], status=None)
    check("who does not share the agreement sees no ledger of it", denied.returncode != 0, denied.stdout)
    # All who know an instrument compute the same state of it.
    for agreement, members in ((G, (AU, IN, JP, US)), (B1, (IN, JP, LK)), (B2, (IN, AU))):
        seen = [p.state(agreement) for p in members]
        same = {json.dumps({k: s[k] for k in ("state", "by_party", "start", "end", "last_act", "hash", "projects", "pillars", "unsure", "parties")}, sort_keys=True) for s in seen}
        check(f"the {title[agreement]} is the same to {', '.join(p.code for p in members)}", len(same) == 1, same)


with tempfile.TemporaryDirectory() as folder:
    main(pathlib.Path(folder))
print(f"{len(FAILED)} checks failed" if FAILED else "every node holds what the agreements give it, and nothing else")
sys.exit(1 if FAILED else 0)
