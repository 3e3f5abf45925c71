#!/usr/bin/env python3
"""Joint action between two real nodes, every step on the command line: proposal, narrower consent, go, T-0, reports of sensors, a partner that is away half way,
stand-down. Both boards must say the same, the steps must be in both ledgers, and what a step may not do is refused in words.

    joint_test.py ENTENTE
"""
import http.client, json, pathlib, re, socket, ssl, subprocess, sys, tempfile, time, uuid

ENTENTE = sys.argv[1]
FAILED = []


def check(rule, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + rule + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        FAILED.append(rule)


def run(*args, status=0, table=False):
    r = subprocess.run([ENTENTE, "-q", *([] if table else ["-o", "json"]), *map(str, args)], capture_output=True, text=True, timeout=60)
    if status is not None and r.returncode != status:
        raise SystemExit(f"joint_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        last = condition()
        if last is True:
            return
        if time.monotonic() > end:
            raise SystemExit(f"joint_test: {what}: not within {seconds} s; {last}")
        time.sleep(0.1)


class Node:
    def __init__(self, tmp, code):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.code, self.dir, self.process = code, tmp / code.lower(), None
        run("init", self.dir, "--party", code, "--name", f"CERT of {code}", "--listen", f"127.0.0.1:{self.port}")

    def start(self):
        self.process = subprocess.Popen([ENTENTE, "-q", "node", "run", "--dir", str(self.dir)], stdout=subprocess.PIPE, stderr=open(self.dir.with_suffix(".log"), "a"), text=True)
        if "ready" not in self.process.stdout.readline():
            raise SystemExit(f"joint_test: node {self.code} did not start")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def joint(self, verb, *args, status=0, table=False):
        return run("joint", verb, *args, "--dir", self.dir, status=status, table=table)

    def action(self, begins):
        r = self.joint("show", begins, status=None)
        return json.loads(r.stdout) if r.returncode == 0 else {}

    def post(self, path, body, token):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, our own node
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        c.request("POST", path, body=json.dumps(body), headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        r = c.getresponse()
        return r.status, r.read().decode()

    def token(self, name, role):
        return json.loads(run("token", "new", name, "--role", role, "--dir", self.dir).stdout)["token"]


def indicator(address):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern": f"[ipv4-addr:value = '{address}']",
            "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "indicator_types": ["malicious-activity"], "confidence": 90, "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}


tmp = pathlib.Path(tempfile.mkdtemp(prefix="entente-joint-"))
a, b = Node(tmp, "IN"), Node(tmp, "JP")
try:
    a.start(), b.start()
    for x, y in ((a, b), (b, a)):
        run("peer", "add", "--from-dir", y.dir, "--dir", x.dir)
    text = tmp / "agreement.json"
    run("agreement", "new", "--pair", a.dir / "party.json", "--pair", b.dir / "party.json", text)
    agreement = json.loads(text.read_text())["agreement_id"]
    run("agreement", "propose", text, "--dir", a.dir)
    knows = lambda n: lambda: run("agreement", "state", agreement, "--dir", n.dir, status=None).returncode == 0
    until("the text reaches the partner", knows(b))
    for verb in ("initial", "sign", "notify"):
        for n, other in ((a, b), (b, a)):
            until(f"{verb} of {n.code}", lambda: run("agreement", verb, agreement, "--dir", n.dir, status=None).returncode == 0)
        time.sleep(0.5)
    state = lambda n: json.loads(run("agreement", "state", agreement, "--dir", n.dir).stdout.splitlines()[0])["state"]
    until("the agreement is in force", lambda: (state(a), state(b)) == ("IN_FORCE", "IN_FORCE") or f"{state(a)} {state(b)}")

    first, second, own = indicator("198.51.100.7"), indicator("198.51.100.8"), indicator("198.51.100.9")
    (tmp / "a.jsonl").write_text("".join(json.dumps(o) + "\n" for o in (first, second)))
    run("publish", tmp / "a.jsonl", "--dir", a.dir)

    r = a.joint("propose", agreement, "--title", "t", "--drop", own["id"], "--t0", "+PT5S", "--for", "PT1H", status=None)
    check("a measure about what the node does not hold is refused, and it says what to do", r.returncode != 0 and "does not hold" in r.stderr and "publish it" in r.stderr, r.stderr)
    r = a.joint("propose", agreement, "--title", "t", "--drop", first["id"], "--t0", "+PT5S", "--for", "P400D", status=None)
    check("an action beyond the agreement's longest block is refused with the article", r.returncode != 0 and "longest block" in r.stderr and "article" in r.stderr, r.stderr)

    done = json.loads(a.joint("propose", agreement, "--title", "botnet of November", "--drop", first["id"], "--drop", second["id"], "--t0", "+PT4S", "--for", "PT1H").stdout)
    action = done["action"]
    check("a proposal waits for the other party", done["stage"] == "proposed", done)
    until("the proposal reaches the partner", lambda: b.action(action).get("stage") == "proposed" or b.action(action))
    r = a.joint("go", action, status=None)
    check("no go before the quorum", r.returncode != 0 and "1 of the 2" in r.stderr, r.stderr)
    r = b.joint("go", action, status=None)
    check("no go by another than the lead", r.returncode != 0 and "only the lead, IN" in r.stderr, r.stderr)
    check("a narrower consent", json.loads(b.joint("consent", action[:12], "--measure", "m1", "--article", "Act 104, s. 5").stdout)["stage"] == "ready")
    until("the consent reaches the lead", lambda: a.action(action).get("stage") == "ready" or a.action(action).get("stage"))
    check("the go before T-0", json.loads(a.joint("go", action).stdout)["stage"] in ("set", "running"))
    for n in (a, b):
        until(f"T-0 at {n.code}", lambda: n.action(action).get("stage") == "running" or n.action(action).get("stage"))
    parties = b.action(action)["parties"]
    check("each executes what it consented to", parties["IN"]["executing"] and parties["JP"]["executing"] and parties["JP"]["measures"] == ["m1"] and parties["IN"]["measures"] == ["m1", "m2"], parties)
    r = b.joint("consent", action, status=None)
    check("after the begin nobody widens", r.returncode != 0 and "can only narrow" in r.stderr, r.stderr)

    sensor, analyst = b.token("edge", "sensor"), b.token("ana", "analyst")
    counts = {"action": action, "dropping": 1, "counting": 0, "waiting": 0, "refused": 0, "hits": 12}
    check("an analyst does not report for sensors", b.post("/api/v1/joint/reports", {"reports": [counts]}, analyst)[0] == 403)
    check("a report with a wrong count is refused", b.post("/api/v1/joint/reports", {"reports": [{**counts, "hits": -1}]}, sensor)[0] in (400, 422))
    check("a report about an unknown action is refused", b.post("/api/v1/joint/reports", {"reports": [{**counts, "action": "0" * 64}]}, sensor)[0] == 404)
    check("a sensor reports", b.post("/api/v1/joint/reports", {"reports": [counts]}, sensor)[0] == 200)
    until("the report reaches the lead", lambda: a.action(action)["parties"]["JP"].get("report", {}).get("hits") == 12 or a.action(action)["parties"]["JP"])

    b.stop()
    time.sleep(0.3)
    a.joint("stand-down", action, "--reason", "done")
    check("the lead's stand-down ends it for all", a.action(action)["stage"] == "stood down" and not any(p["executing"] for p in a.action(action)["parties"].values()), a.action(action))
    b.start()
    until("a partner that was away learns of it", lambda: b.action(action).get("stage") == "stood down" or b.action(action).get("stage"))

    board = b.joint("show", action, table=True).stdout
    check("the board is for people", all(w in board for w in ("botnet of November", "stood down", "Act 104", "m1 m2", "12")), board)
    check("the list leaves out what is past", action[:12] not in b.joint("list", table=True).stdout and action[:12] in b.joint("list", "--all", table=True).stdout)
    same = [{k: v for k, v in n.action(action).items()} for n in (a, b)]
    check("both boards say the same", same[0] == same[1], same)
    for n in (a, b):
        run("ledger", "audit", "--dir", n.dir)
        check(f"the instrument at {n.code} is untouched by the steps", state(n) == "IN_FORCE")
finally:
    for n in (a, b):
        n.stop()
print(f"joint: {len(FAILED)} failed", flush=True)
sys.exit(1 if FAILED else 0)
