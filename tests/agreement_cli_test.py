#!/usr/bin/env python3
"""`entente agreement …` and `entente key …`: every verb with its help, its effect on two running nodes, and the rule that it names where it has none; keys
under a passphrase, on a PKCS #11 token (SoftHSM, if it is installed) and on a machine without a network; one person who holds two keys.

    agreement_cli_test.py ENTENTE
"""
import json, os, pathlib, shutil, socket, subprocess, sys, tempfile, time

ENTENTE = sys.argv[1]
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
FAILED = []
VERBS = """propose initial sign notify certify apply-provisionally end-provisional amend correct-error annex-notice rotate-key revoke-key suspend resume
claim-mismatch claim-breach withdraw no-renewal end-by-consent abandon accede consent-accession deposit object join-pillar leave-pillar lead-pillar open-project
host-consent join-project close-project countersign submit export import new revise new-project check show diff simulate state""".split()


def run(*args, env=None, stdin=""):
    return subprocess.run([ENTENTE, "-q", *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})})


def check(what, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + what + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        FAILED.append(what)


def expect(what, status, *args, err="", out="", **more):
    r = run(*args, **more)
    good = r.returncode == status and err in r.stderr and out in r.stdout
    if status != 0 and r.stderr:  # says what, and what to do, in the one form
        good = good and any(line.startswith("entente: ") for line in r.stderr.splitlines())
    check(what, good, f"status {r.returncode}, out {r.stdout[:400]!r}, err {r.stderr[:600]!r}")
    return r


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Node:
    def __init__(self, tmp, code, name):
        self.code, self.dir, self.process = code, tmp / code.lower(), None
        r = run("init", self.dir, "--party", code, "--name", name, "--listen", f"127.0.0.1:{free_port()}")
        assert r.returncode == 0, r.stderr

    def start(self):
        self.process = subprocess.Popen([ENTENTE, "-q", "node", "run", "--dir", str(self.dir)], stdout=subprocess.PIPE, stderr=open(self.dir.with_suffix(".log"), "a"), text=True)
        assert "ready" in self.process.stdout.readline(), f"{self.code} did not start"

    def state(self, agreement):
        r = run("-o", "json", "agreement", "state", agreement, "--dir", self.dir)
        return json.loads(r.stdout.splitlines()[0]) if r.returncode == 0 and r.stdout else {}


def wait_for(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"agreement_cli_test: {what}: not within {seconds} s")
        time.sleep(0.05)


def documents(tmp, IN, JP):
    doc = tmp / "agreement.json"
    expect("new: a pair", 0, "agreement", "new", "--pair", IN.dir / "party.json", "--pair", JP.dir / "party.json", doc)
    check("new: says beside the document what there is to decide", "`flows`" in doc.with_name(doc.name + ".notes.md").read_text())
    text = f"{doc}.en.txt"
    expect("check: article by article, with the text", 0, "agreement", "check", doc, "--text", f"en={text}", out="flow ioc (3(1))")
    expect("check: says how much a machine enforces", 0, "agreement", "check", doc, out="article(s) enforced")
    (tmp / "other.txt").write_text("another text")
    expect("check: another text than the one that is bound", 1, "agreement", "check", doc, "--text", f"en={tmp / 'other.txt'}", out="check 11")
    expect("check: a text that is missing", 1, "agreement", "check", doc, "--text", f"ja={text}", out="not attached")
    for language, word in (("en", "What flows"), ("ja", "情報の流れ"), ("hi", "सूचना का प्रवाह")):
        expect(f"show: {language}", 0, "agreement", "show", doc, "--lang", language, out=word)
        r = expect(f"show: {language} as HTML", 0, "agreement", "show", doc, "--lang", language, "--html", "-", out=word)
        check(f"show: {language}, the page loads nothing", f'<html lang="{language}">' in r.stdout and "http://" not in r.stdout and "<script" not in r.stdout)
    raw = json.loads(doc.read_text())
    twice = tmp / "twice.json"
    twice.write_text(doc.read_text().replace('"version"', '"version": 7, "version"', 1))
    expect("check: a name twice", 1, "agreement", "check", twice, out="version")
    for what, change, says in (
        ("an unknown field", lambda d: d.update(surprise=1), "/surprise"), ("a party code that only looks right", lambda d: d["parties"][0].update(party="ІN"), "two capital letters"),
        ("a name that only looks right", lambda d: d["parties"][1].update(name={"en": "National СERT"}), "look alike"),
        ("a direction that changes", lambda d: d["parties"][1].update(name={"en": "CERT\u202e"}), "nobody sees"),
        ("the same name twice", lambda d: d["parties"][1].update(name=d["parties"][0]["name"]), "look the same"),
    ):
        bad = json.loads(json.dumps(raw))
        change(bad)
        (tmp / "bad.json").write_text(json.dumps(bad))
        expect(f"check: {what}", 1, "agreement", "check", tmp / "bad.json", out=says)
    # The next version, and what it changes, in words and in releases.
    expect("revise", 0, "agreement", "revise", doc, tmp / "v2.json", out="version 2")
    expect("revise: nothing is written over a text", 1, "agreement", "revise", doc, tmp / "v2.json", err="exists already")
    expect("diff: only the version", 0, "agreement", "diff", doc, tmp / "v2.json", out="say the same")
    v2 = json.loads((tmp / "v2.json").read_text())
    v2["flows"][0]["tlp_ceiling"] = "green"
    v2["actions"]["auto_block_requires"]["min_confidence"] = 50
    (tmp / "v2.json").write_text(json.dumps(v2))
    expect("diff: in words", 1, "agreement", "diff", doc, tmp / "v2.json", out="amber+strict becomes green")
    expect("diff: what is wider", 1, "agreement", "diff", doc, tmp / "v2.json", out="1 wider, 1 narrower")
    mark = lambda i, t: {"type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{i:012d}", "created": "2026-01-01T00:00:00.000Z",
                         "modified": "2026-01-01T00:00:00.000Z", "pattern": "[domain-name:value = 'x.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
                         "object_marking_refs": [f"marking-definition--{t}"]}
    (tmp / "objects.json").write_text("\n".join(json.dumps(mark(i, t)) for i, t in enumerate(("bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "55d920b0-5e8b-4f79-9ee9-91f868d9b421"))))
    r = expect("diff: in releases", 1, "-o", "json", "agreement", "diff", doc, tmp / "v2.json", "--objects", tmp / "objects.json", "--from", "IN", "--to", "JP")
    found = [json.loads(line) for line in r.stdout.splitlines()]
    check("diff: the object that fares otherwise", [(f["id"][-1], f["was"], f["becomes"]) for f in found] == [("1", "released", "withheld")], r.stdout)
    floor = json.loads((tmp / "v2.json").read_text())
    floor["flows"][0].update(tlp_ceiling="amber+strict", tlp_floor="amber")
    (tmp / "v2floor.json").write_text(json.dumps(floor))
    r = expect("diff: handling alone", 1, "-o", "json", "agreement", "diff", doc, tmp / "v2floor.json", "--objects", tmp / "objects.json", "--from", "IN", "--to", "JP")
    found = [json.loads(line) for line in r.stdout.splitlines()]
    check("diff: given before and after, but to be handled more strictly", [(f["id"][-1], f["was"], f["becomes"], f["handling"][:9]) for f in found] == [("0", "released", "released", "TLP:AMBER")], r.stdout)
    expect("diff: objects without parties", 1, "agreement", "diff", doc, tmp / "v2.json", "--objects", tmp / "objects.json", err="--from")
    return doc, tmp / "v2.json"


def keys(tmp, IN):
    """IN's keys as a ministry keeps them: the plenipotentiary's elsewhere, one authority's under a passphrase, the other's on a token."""
    folder = IN.dir / "keys"
    away = tmp / "airgap"
    away.mkdir()
    shutil.move(folder / "plenipotentiary.pem", away / "plenipotentiary.pem")
    (tmp / "pass").write_text("a long passphrase\n")
    expect("key protect", 0, "key", "protect", folder / "authority-1.pem", away / "authority-1.pem", "--passphrase-file", tmp / "pass")
    (folder / "authority-1.pem").unlink()
    expect("key show: the wrong passphrase", 1, "key", "show", away / "authority-1.pem", env={"ENTENTE_PASSPHRASE": "wrong"}, err="does not open")
    shown = json.loads(expect("key show", 0, "-o", "json", "key", "show", away / "authority-1.pem", env={"ENTENTE_PASSPHRASE": "a long passphrase"}).stdout)["public"]
    block = json.loads((IN.dir / "party.json").read_text())
    record = {k["kid"]: k for k in block["keys"]}
    check("key show: the public key of the party's block", shown == record["IN/authority/1"]["public"], shown)
    # Two people, by salted hashes; the same person again is known again.
    one = json.loads(expect("key custodian", 0, "-o", "json", "key", "custodian", "A. Person").stdout)
    again = json.loads(expect("key custodian: the same person", 0, "-o", "json", "key", "custodian", "a.person", "--salt", one["salt"]).stdout)
    check("the same person has the same hash, and another salt gives another", again == one and json.loads(run("-o", "json", "key", "custodian", "A. Person").stdout)["custodian"] != one["custodian"])
    copy = tmp / "block.json"
    copy.write_text(json.dumps(block))
    expect("key custodian: into the block", 0, "key", "custodian", "A. Person", "--salt", one["salt"], "--party-file", copy, "--kid", "IN/authority/1", "--kid", "IN/authority/2")
    check("both keys bear it", [k.get("custodian") for k in json.loads(copy.read_text())["keys"] if k["role"] == "authority"] == [one["custodian"]] * 2)
    expect("key custodian: no such key", 2, "key", "custodian", "A. Person", "--party-file", copy, "--kid", "IN/authority/9", err="no such key")
    second, env = str(folder / "authority-2.pem"), {}
    if os.path.exists(SOFTHSM):
        (tmp / "tokens").mkdir()
        (tmp / "softhsm2.conf").write_text(f"directories.tokendir = {tmp / 'tokens'}\nlog.level = ERROR\n")
        env = {"SOFTHSM2_CONF": str(tmp / "softhsm2.conf")}
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "ministry", "--pin", "4711", "--so-pin", "0815"], check=True, capture_output=True, env={**os.environ, **env})
        (tmp / "pin").write_text("4711\n")
        second = f"pkcs11:token=ministry;object=IN%2Fauthority%2F2?module-path={SOFTHSM}&pin-source=file:{tmp / 'pin'}"
        r = expect("key new: on a token", 0, "-o", "json", "key", "new", second, env=env)
        expect("key new: keys are not overwritten", 1, "key", "new", second, env=env, err="already")
        expect("key show: a wrong PIN", 1, "key", "show", second.split("&")[0], env={**env, "ENTENTE_PASSPHRASE": "0000"}, err="refuses this PIN")
        record["IN/authority/2"]["public"] = json.loads(r.stdout)["public"]
        (folder / "authority-2.pem").unlink()
    else:
        print("SKIPPED: no token (SoftHSM is not installed; tools/setup test installs it)")
    (IN.dir / "party.json").write_text(json.dumps(block))
    return away, second, env


def acts(tmp, IN, JP, doc, v2, away, second, env):
    agreement = json.loads(doc.read_text())["agreement_id"]
    go = lambda node, verb, *args: ("agreement", verb, agreement, *args, "--dir", node.dir)
    first = ("--key", away / "authority-1.pem", "--passphrase-file", tmp / "pass")
    own = {IN: (*first,), JP: ()}
    both = (*first, "--key", second)

    def until(what, name="state"):
        for n in (IN, JP):
            wait_for(f"{what} at {n.code}", lambda n=n: n.state(agreement).get(name) == what)

    expect("propose by a key that is no key of the party", 1, "agreement", "propose", doc, "--dir", IN.dir, "--key", JP.dir / "keys/authority-1.pem", err="not one of the party's keys")
    expect("propose: the keys are not in the folder", 1, "agreement", "propose", doc, "--dir", IN.dir, err="countersign")
    expect("propose", 0, "agreement", "propose", doc, "--dir", IN.dir, *first)
    until("DRAFT")
    expect("sign before all have initialled", 1, *go(JP, "sign"), err="initials the same text first")
    for n in (IN, JP):
        expect(f"initial by {n.code}", 0, *go(n, "initial", *own[n]))
    until("FINALISED")
    # Signing without a network: the request goes to two people and comes back.
    request = tmp / "request.json"
    expect("sign --export", 0, *go(IN, "sign", "--export", request), out="missing signatures")
    expect("submit too early", 1, "agreement", "submit", request, "--dir", IN.dir, err="signatures are missing")
    expect("countersign: shows what is signed", 0, "agreement", "countersign", request, "--key", away / "plenipotentiary.pem", out="You sign: sign by IN")
    expect("countersign twice by one key", 1, "agreement", "countersign", request, "--key", away / "plenipotentiary.pem", err="a second person")
    expect("countersign by a stranger's key", 1, "agreement", "countersign", request, "--key", JP.dir / "keys/authority-1.pem", err="not one of the party's keys")
    expect("import another verb's act", 1, *go(IN, "notify", "--import", request), err="another act")
    expect("countersign by the second", 0, "agreement", "countersign", request, *first)
    forged = tmp / "forged.json"
    forged.write_text(request.read_text().replace('\\"kind\\":\\"sign\\"', '\\"kind\\":\\"amend\\"'))
    expect("an act that was changed on the way", 1, "agreement", "submit", forged, "--dir", IN.dir, err="quorum")
    expect("sign --import", 0, *go(IN, "sign", "--import", request))
    expect("sign --import again", 1, *go(IN, "sign", "--import", request), err="already known")
    expect("sign by JP, from its folder", 0, *go(JP, "sign"))
    until("SIGNED")
    expect("abandon after signature", 1, *go(JP, "abandon"), err="use withdraw")
    expect("apply provisionally: the text does not allow it", 1, *go(JP, "apply-provisionally", "--flow", "ioc"), err="no provisional application")
    expect("certify before the start is known", 1, *go(JP, "certify"), err="not known yet")
    expect("notify by IN", 0, *go(IN, "notify", "--key", away / "plenipotentiary.pem"))
    expect("notify by JP", 0, *go(JP, "notify"))
    until("IN_FORCE")
    expect("certify the computed start", 0, *go(JP, "certify"))

    # Narrow alone, widen together.
    expect("suspend a flow", 0, *go(JP, "suspend", "--scope", "flow:ioc", "--reason", "a test"))
    expect("suspend: no such scope", 1, *go(JP, "suspend", "--scope", "moon"), err="flow:ID")
    expect("resume another scope", 1, *go(JP, "resume", "--scope", "sector:5g"), err="not suspended that scope")
    expect("resume by one person", 1, *go(JP, "resume", "--scope", "flow:ioc", "--key", JP.dir / "keys/authority-1.pem"), err="missing authority")
    expect("resume by two", 0, *go(JP, "resume", "--scope", "flow:ioc"))
    expect("suspend the whole, for a day", 0, *go(IN, "suspend", *first), out="a second person of IN")
    until("SUSPENDED")
    expect("resume by the file and the token", 0, *go(IN, "resume", *both), env=env)
    until("IN_FORCE")
    expect("suspend, lasting: two persons", 0, *go(IN, "suspend", "--lasting", *both), env=env)
    until("SUSPENDED")
    expect("resume", 0, *go(IN, "resume", *both), env=env)
    until("IN_FORCE")
    expect("claim a mismatch", 0, *go(JP, "claim-mismatch", "--flow", "ioc"))
    expect("and take it back", 0, *go(JP, "resume"))
    expect("claim a breach", 0, *go(JP, "claim-breach", "--opening", "leaf 7"))

    # Keys.
    expect("key new: under a passphrase", 0, "key", "new", tmp / "authority-3.pem", "--passphrase-file", tmp / "pass")
    rotate = ("--new-key", tmp / "authority-3.pem", "--kid", "JP/authority/3", "--role", "authority", "--passphrase-file", tmp / "pass")
    expect("rotate: a plenipotentiary's key changes by amendment", 2, *go(JP, "rotate-key", *rotate[:-4], "--role", "plenipotentiary"), err="--role")
    expect("rotate: another party's name", 1, *go(JP, "rotate-key", "--new-key", tmp / "authority-3.pem", "--kid", "IN/authority/3", "--role", "authority", "--passphrase-file", tmp / "pass"), err="must begin with JP/")
    expect("rotate", 0, *go(JP, "rotate-key", *rotate))
    expect("the new key does not count yet", 1, *go(JP, "suspend", "--key", tmp / "authority-3.pem", "--passphrase-file", tmp / "pass"), err="not one of the party's keys")
    expect("revoke: no such key", 1, *go(JP, "revoke-key", "--revoke", "JP/authority/9"), err="no such key")
    expect("revoke", 0, *go(JP, "revoke-key", "--revoke", "JP/authority/2"))
    expect("a revoked key signs nothing", 1, *go(JP, "resume", "--key", JP.dir / "keys/authority-1.pem", "--key", JP.dir / "keys/authority-2.pem"), err="key")
    (tmp / "contacts.json").write_text('[{"role":"operational","name":"Night desk","hours":"24x7"}]')
    expect("notice of contacts", 1, *go(JP, "annex-notice", "--contacts", tmp / "contacts.json"), err="authority")  # two persons, and one key is revoked
    expect("notice of contacts by two", 0, *go(IN, "annex-notice", "--contacts", tmp / "contacts.json", *both), env=env)

    # The text.
    expect("amend: nothing was proposed", 2, *go(JP, "amend"), err="no later text")
    expect("propose the next version", 0, "agreement", "propose", v2, "--dir", IN.dir, *first)
    wait_for("it arrives", lambda: any('"version":2' in a for a in JP.state(agreement)["acts"]))
    expect("correct-error: this is an amendment", 1, *go(JP, "correct-error", "--passage", "/flows"), err="takes an amendment")
    expect("amend by JP", 0, *go(JP, "amend"), out="acceptance of version 2")
    expect("amend by IN", 0, *go(IN, "amend", "--key", away / "plenipotentiary.pem", *first))
    for n in (IN, JP):
        wait_for("both know", lambda n=n: not any("acceptance" in w for w in n.state(agreement)["waiting_for"]))
    check("version 1 holds until version 2 has been notified", JP.state(agreement)["version"] == 1)
    expect("notify version 2 by JP", 0, *go(JP, "notify", "--text", json.loads(run("-o", "json", "agreement", "check", v2).stdout)["hash"][:12]))
    expect("notify version 2 by IN", 0, *go(IN, "notify", "--text", json.loads(run("-o", "json", "agreement", "check", v2).stdout)["hash"][:12], "--key", away / "plenipotentiary.pem"))
    until(2, "version")

    # What this agreement does not have, or not now.
    expect("accede: who is a party", 1, *go(JP, "accede"), err="party already")
    expect("deposit without a request", 2, *go(JP, "deposit"), err="request_accession")
    expect("consent to nobody", 2, *go(JP, "consent-accession", "--party", "FR"), err="request_accession")
    expect("object to nobody", 1, *go(JP, "object", "--party", "FR"), err="nobody to object to")
    expect("join a pillar", 0, *go(JP, "join-pillar", "--pillar", "information-sharing"))
    expect("lead a pillar", 0, *go(JP, "lead-pillar", "--pillar", "information-sharing"))
    expect("leave it", 0, *go(JP, "leave-pillar", "--pillar", "information-sharing"))
    expect("a pillar that there is not", 1, *go(JP, "join-pillar", "--pillar", "moon"), err="no pillar")
    expect("host consent to an unknown project", 2, *go(JP, "host-consent", "--project", "p"), err="asked to open")
    expect("close an unknown project", 1, *go(JP, "close-project", "--project", "p"), err="names no project")
    project = tmp / "project.json"
    expect("new-project", 0, "agreement", "new-project", v2, project, "--id", "ports", "--until", "2031-01-01T00:00:00Z")
    for n in (IN, JP):
        expect(f"open the project by {n.code}", 0, *go(n, "open-project", project, *(("--key", away / "plenipotentiary.pem", *first) if n is IN else ())))
        wait_for("it is known", lambda: all(m.state(agreement)["projects"] for m in (IN, JP)))
    wait_for("it is open", lambda: JP.state(agreement)["projects"][0]["stage"] == "open")
    expect("state shows it", 0, "agreement", "state", agreement, "--dir", JP.dir, out="ports")
    expect("close it for oneself", 0, *go(JP, "close-project", "--project", "ports"))

    # For an auditor: the acts, on a file, give the same state elsewhere.
    expect("export", 0, *go(JP, "export", "--out", tmp / "acts.jsonl"), out="acts")
    expect("import what is known", 0, "agreement", "import", tmp / "acts.jsonl", "--dir", IN.dir, out="0 refused")
    text = (tmp / "acts.jsonl").read_text().splitlines()
    (tmp / "bad.jsonl").write_text(text[0][:-2] + "\n" + text[1] + "\n")
    expect("import: one line is broken, the others are read", 1, "agreement", "import", tmp / "bad.jsonl", "--dir", IN.dir, err="bad.jsonl:1", out="1 known")

    # The end.
    expect("no renewal", 0, *go(IN, "no-renewal", *first))
    expect("end by consent: one alone", 0, *go(JP, "end-by-consent"), out="consent of IN to the end")
    expect("withdraw", 0, *go(JP, "withdraw"))
    expect("end by consent: all", 0, *go(IN, "end-by-consent", "--key", away / "plenipotentiary.pem", *first))
    until("TERMINATED")
    expect("after the end", 1, *go(JP, "suspend"), err="it has ended")


def one_person(tmp, IN, JP, first):
    """The two authority keys of a party are held by one person: together they are one."""
    doc = tmp / "custodian.json"
    run("agreement", "new", "--pair", IN.dir / "party.json", "--pair", JP.dir / "party.json", doc)
    text = json.loads(doc.read_text())
    for k in text["parties"][1]["keys"]:
        if k["role"] == "authority":
            k["custodian"] = "5f" * 32
    text["duration"]["start"] = {"rule": "on_last_signature", "delay": "P0D"}
    doc.write_text(json.dumps(text))
    agreement = text["agreement_id"]
    expect("custodian: propose", 0, "agreement", "propose", doc, "--dir", JP.dir)
    wait_for("the proposal", lambda: IN.state(agreement).get("state") == "DRAFT")
    pleni = ("--key", tmp / "airgap" / "plenipotentiary.pem")
    for verb, more in (("initial", ()), ("sign", pleni)):
        expect(f"custodian: {verb} by JP", 0, "agreement", verb, agreement, "--dir", JP.dir) if verb == "initial" else None
        expect(f"custodian: {verb} by IN", 0, "agreement", verb, agreement, "--dir", IN.dir, *first, *more)
        if verb == "initial":
            for n in (IN, JP):
                wait_for("initials", lambda n=n: n.state(agreement).get("state") in ("FINALISED", "PART_SIGNED"))
    expect("custodian: sign by JP", 0, "agreement", "sign", agreement, "--dir", JP.dir)
    for n in (IN, JP):
        wait_for("force", lambda n=n: n.state(agreement).get("state") == "IN_FORCE")
    expect("custodian: suspend", 0, "agreement", "suspend", agreement, "--dir", JP.dir)
    expect("custodian: resume by one person with two keys", 1, "agreement", "resume", agreement, "--dir", JP.dir, err="of different persons, and 1 are here")
    expect("custodian: and the node does not take it either", 1, "agreement", "resume", agreement, "--dir", JP.dir, "--key", JP.dir / "keys/authority-1.pem", "--key", JP.dir / "keys/authority-2.pem", err="one custodian, who counts once")


def main(tmp):
    tmp = pathlib.Path(tmp)
    for verb in VERBS:
        r = run("agreement", verb, "--help")
        check(f"help of {verb}", r.returncode == 0 and len(r.stdout.splitlines()) > 3, r.stdout)
    r = run("agreement", "--help")
    check("every verb is in the help", all(f"  {v} " in r.stdout for v in VERBS), [v for v in VERBS if f"  {v} " not in r.stdout])
    expect("a verb without an agreement", 1, "agreement", "suspend", "--dir", tmp, err="which agreement")
    IN, JP = Node(tmp, "IN", "National CERT of India"), Node(tmp, "JP", "Cyber Office of Japan")
    away, second, env = keys(tmp, IN)
    doc, v2 = documents(tmp, IN, JP)
    try:
        IN.start()
        JP.start()
        run("peer", "add", "--from-dir", JP.dir, "--dir", IN.dir)
        run("peer", "add", "--from-dir", IN.dir, "--dir", JP.dir)
        one_person(tmp, IN, JP, ("--key", away / "authority-1.pem", "--passphrase-file", tmp / "pass"))
        acts(tmp, IN, JP, doc, v2, away, second, env)
    finally:
        for n in (IN, JP):
            if n.process:
                n.process.terminate()
                n.process.wait(15)


with tempfile.TemporaryDirectory() as folder:
    main(folder)
print(f"{len(FAILED)} of the contract broken" if FAILED else "the contract is kept")
sys.exit(1 if FAILED else 0)
