#!/usr/bin/env python3
"""A block from beginning to end, every step on the command line: a partner's indicators run in shadow first, are promoted, one is disputed, its originator answers, one is reported by a user; two real nodes and a sensor
that reads a log. What is suspended stays so over a killed sensor and a killed node.

    claim_test.py ENTENTE
"""
import json, pathlib, subprocess, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.argv[1:] = [ENTENTE]
import crash_test as nodes  # noqa: E402  Node, agree

FAILED = []


def check(rule, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + rule + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        FAILED.append(rule)


def run(*args, status=0):
    r = subprocess.run([ENTENTE, "-q", "-o", "json", *map(str, args)], capture_output=True, text=True, timeout=60)
    if status is not None and r.returncode != status:
        raise SystemExit(f"claim_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return [json.loads(line) for line in r.stdout.splitlines()] if status is not None else r


def until(what, condition, seconds=25):
    end = time.monotonic() + seconds
    while True:
        last = condition()
        if last is True:
            return
        if time.monotonic() > end:
            raise SystemExit(f"claim_test: {what}: not within {seconds} s; {last}")
        time.sleep(0.1)


def indicator(address):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern": f"[ipv4-addr:value = '{address}']",
            "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "indicator_types": ["malicious-activity"], "confidence": 90, "object_marking_refs": [nodes.GREEN]}


class Sensor:
    def __init__(self, tmp, node, spki):
        self.dir = tmp / "sensor"
        self.dir.mkdir()
        token = run("token", "new", "edge", "--role", "sensor", "--dir", node.dir)[0]["token"]
        (self.dir / "sensor.token").write_text(token + "\n")
        (self.dir / "sensor.token").chmod(0o600)
        self.log, self.state, self.process = self.dir / "conn.log", self.dir / "state", None
        self.log.write_text("")
        (self.dir / "sensor.toml").write_text(f'''[node]
url = "https://127.0.0.1:{node.port}"
spki = ["{spki}"]
token_file = "sensor.token"

[sensor]
mode = "block"
enforcer = "none"
state_dir = "state"
refresh = "PT1S"

[logs]
files = ["{self.log}"]

[guard]
protect_surroundings = false
shadow_first = "PT6S"
shadow_flows = 2
''')

    def start(self):
        self.process = subprocess.Popen([ENTENTE, "-q", "sensor", "run", "--config", str(self.dir / "sensor.toml")], stderr=open(self.dir / "sensor.err", "a"))
        until("the sensor answers", lambda: self.ask("list", status=None).returncode == 0)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, verb, *args, status=0):
        return run("lease", verb, *args, "--state", self.state, status=status)

    def lease(self, address, every=False):
        return next((x for x in reversed(self.ask("list", *(["--all"] if every else []))) if x["target"] == address), {"state": "none"})

    def seen(self, client, address, port):
        with self.log.open("a") as f:
            f.write(json.dumps({"ts": time.time(), "id.orig_h": client, "id.orig_p": port, "id.resp_h": address, "id.resp_p": 443, "proto": "tcp"}) + "\n")


tmp = pathlib.Path(tempfile.mkdtemp(prefix="entente-claim-"))
IN, JP = pair = [nodes.Node(str(tmp / "in"), "IN"), nodes.Node(str(tmp / "jp"), "JP")]
sensor = None
try:
    for n in pair:
        n.start()
    nodes.agree(tmp, pair)
    a, b, c = (indicator(f"198.51.100.{i}") for i in (7, 8, 9))
    sensor = Sensor(tmp, IN, json.loads((tmp / "in" / "party.json").read_text())["tls_spki_sha256"][0])
    sensor.start()
    (tmp / "o.jsonl").write_text("".join(json.dumps(o) + "\n" for o in (a, b, c)))
    run("publish", tmp / "o.jsonl", "--dir", JP.dir)
    until("the indicators arrive", lambda: sensor.lease("198.51.100.9")["state"] == "shadow" or sensor.lease("198.51.100.9"))
    check("a new partner's indicators only count", sensor.lease("198.51.100.7")["code"] == "SHADOW_FIRST", sensor.lease("198.51.100.7"))
    for i in range(4):
        sensor.seen(f"10.0.0.{i % 2 + 1}", "198.51.100.7", 40000 + i)
    words = "would have stopped 4 flows of 2 clients; 0 on protected lists"
    until("the report counts flows", lambda: sensor.ask("shadow")[0]["report"] == words or sensor.ask("shadow"))
    until("the rule promotes it", lambda: sensor.lease("198.51.100.7")["state"] == "active" or sensor.lease("198.51.100.7"))
    check("promoted by the rule", sensor.ask("shadow")[0]["promoted_by"] == "rule")
    sensor.seen("10.0.0.3", "198.51.100.7", 50000)
    until("what partners' decisions stopped", lambda: (lambda s: s["partner"] == "JP" and s["stopped_flows"] == 1 and s["counted_flows"] == 4)(sensor.ask("stats")[0]) or sensor.ask("stats"))

    r = sensor.ask("dispute", sensor.lease("198.51.100.7")["lease"], status=None)
    check("a dispute needs a reason, and says so", r.returncode != 0 and "--reason" in r.stderr, r.stderr)
    sensor.ask("dispute", sensor.lease("198.51.100.7")["lease"], "--reason", "the tax office")
    check("what is disputed is let through at once", sensor.lease("198.51.100.7", True)["ended_by"] == "disputed", sensor.lease("198.51.100.7", True))
    sensor.kill()
    sensor.start()
    check("and stays so after a killed sensor", sensor.lease("198.51.100.7")["state"] == "none", sensor.lease("198.51.100.7"))
    claims = lambda n: run("claim", "list", "--dir", n.dir)
    until("the claim reaches its originator", lambda: len(claims(JP)) == 1 and claims(JP)[0]["state"] == "pending" or claims(JP))
    claim = claims(JP)[0]
    check("with its reason, its claimant and its clock", (claim["reason"], claim["claimant"], claim["of"]) == ("the tax office", "IN", a["id"]) and "due" in claim, claim)
    until("the claimant sees that it has gone", lambda: claims(IN)[0].get("sent") is not None or claims(IN))
    until("and its sensor when it is due", lambda: sensor.ask("disputes")[0].get("due") is not None or sensor.ask("disputes"))
    r = run("claim", "answer", claim["claim"], "--uphold", "--dir", JP.dir, status=None)
    check("an indicator that stands needs a reason", r.returncode != 0 and "reason" in r.stderr, r.stderr)
    r = run("claim", "answer", claim["claim"], "--withdraw", "--dir", IN.dir, status=None)
    check("the claimant does not answer itself", r.returncode != 0 and "JP answers it" in r.stderr, r.stderr)
    IN.kill()
    run("claim", "answer", claim["claim"], "--uphold", "--reason", "seen at three banks", "--dir", JP.dir)
    IN.start()
    until("what is upheld waits for a person", lambda: sensor.lease("198.51.100.7").get("code") == "DISPUTE_UPHELD" or sensor.lease("198.51.100.7"))
    check("who is told why", "seen at three banks" in sensor.lease("198.51.100.7")["sentence"], sensor.lease("198.51.100.7"))
    sensor.ask("approve", sensor.lease("198.51.100.7")["lease"])
    check("and can approve it", sensor.lease("198.51.100.7")["state"] == "active")

    run("claim", "make", b["id"], "--reason", "a hospital", "--dir", IN.dir)
    until("a claim made at the node suspends at its sensors", lambda: sensor.lease("198.51.100.8")["state"] == "none" or sensor.lease("198.51.100.8"))
    until("it reaches its originator", lambda: len(claims(JP)) == 2 or claims(JP))
    run("claim", "answer", claims(JP)[1]["claim"], "--withdraw", "--dir", JP.dir)
    until("withdrawn is recalled", lambda: sensor.lease("198.51.100.8", True)["state"] == "ended" and claims(IN)[1]["state"] == "withdrawn" or claims(IN))
    check("nothing is overdue", run("claim", "list", "--open", "--dir", IN.dir) == [] and sensor.ask("disputes") != None)

    batch = sensor.lease("198.51.100.9")["batch"]
    check("a lease names its batch", batch.startswith("JP@") and sensor.ask("batches")[0]["batch"] == batch, sensor.ask("batches"))
    sensor.ask("report", sensor.lease("198.51.100.9")["lease"], "--reason", "a ministry cannot work")
    check("a user's report lifts the batch", [x["state"] for x in sensor.ask("list")] == [], sensor.ask("list"))
    check("and says so", "a ministry cannot work" in sensor.ask("rollbacks")[0]["reason"], sensor.ask("rollbacks"))
    for n in pair:
        run("ledger", "audit", "--dir", n.dir)
finally:
    if sensor and sensor.process:
        sensor.kill()
    for n in pair:
        if n.process and n.process.poll() is None:
            n.kill()
if FAILED:
    raise SystemExit(f"{len(FAILED)} wrong")
