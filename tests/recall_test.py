#!/usr/bin/env python3
"""A recall down to the enforcers, with real processes: two nodes, two sensors with nftables in network namespaces of the test's own. The lease is gone in both
kernels, the partner's node says so signed, a sensor that was killed is late and named, and a person takes it out.

    recall_test.py ENTENTE [--trials N]     with --trials: only the figure, one JSON object

Skips (77) where namespaces or nft are not permitted.
"""
import json, os, pathlib, shutil, signal, socket, statistics, subprocess, sys, tempfile, time, uuid

ENTENTE = sys.argv[1]
TRIALS = int(sys.argv[sys.argv.index("--trials") + 1]) if "--trials" in sys.argv else 0
FAILED = []
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"

if "ENTENTE_RECALL_INSIDE" not in os.environ:
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("unshare") or subprocess.run(["unshare", "-n", "nft", "list", "tables"], capture_output=True).returncode != 0:
        print("skipped: namespaces or nft are not permitted here")
        sys.exit(77)
    # All of it in a network of its own: the machine's is not touched.
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, "ENTENTE_RECALL_INSIDE": "1"})


def check(rule, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + rule + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        FAILED.append(rule)


def run(*args, status=0, table=False):
    r = subprocess.run([ENTENTE, "-q", *([] if table else ["-o", "json"]), *map(str, args)], capture_output=True, text=True, timeout=60)
    if status is not None and r.returncode != status:
        raise SystemExit(f"recall_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def until(what, condition, seconds=20, pause=0.05):
    end = time.monotonic() + seconds
    while True:
        last = condition()
        if last is True:
            return
        if time.monotonic() > end:
            raise SystemExit(f"recall_test: {what}: not within {seconds} s; {last}")
        time.sleep(pause)


def shell(*args):
    subprocess.run(args, check=True, capture_output=True)


class Node:
    def __init__(self, tmp, code, address):
        with socket.socket() as s:
            s.bind((address, 0))
            self.port = s.getsockname()[1]
        self.code, self.dir, self.process, self.address = code, tmp / code.lower(), None, address
        self.spki = json.loads(run("init", self.dir, "--party", code, "--name", f"CERT of {code}", "--listen", f"{address}:{self.port}").stdout)["spki"]

    def start(self):
        self.process = subprocess.Popen([ENTENTE, "-q", "node", "run", "--dir", str(self.dir)], stdout=subprocess.PIPE, stderr=open(self.dir.with_suffix(".log"), "a"), text=True)
        if "ready" not in self.process.stdout.readline():
            raise SystemExit(f"recall_test: node {self.code} did not start")


class Sensor:
    """With nftables, in the namespace of a process that only sleeps there (None: in ours)."""

    def __init__(self, tmp, name, node, inside):
        self.dir, self.inside, self.process = tmp / name, inside, None
        self.dir.mkdir()
        token = json.loads(run("token", "new", name, "--role", "sensor", "--dir", node.dir).stdout)["token"]
        (self.dir / "token").write_text(token + "\n")
        (self.dir / "token").chmod(0o600)
        (self.dir / "sensor.toml").write_text(f'[node]\nurl = "https://{node.address}:{node.port}"\nspki = ["{node.spki}"]\ntoken_file = "token"\n[sensor]\nmode = "block"\nenforcer = "nft"\n'
                                              'state_dir = "state"\nrefresh = "PT1S"\n[guard]\nprotect_surroundings = false\n[leases]\nttl = "PT1H"\n')

    def there(self, *args):
        return [*(["nsenter", "-t", str(self.inside), "-n"] if self.inside else []), *args]

    def start(self):
        self.process = subprocess.Popen(self.there(ENTENTE, "-q", "sensor", "run", "--config", str(self.dir / "sensor.toml")), stderr=open(self.dir / "log", "a"))

    def blocks(self, address):
        return address in subprocess.run(self.there("nft", "list", "ruleset"), capture_output=True, text=True).stdout


def indicator(address, marking=GREEN):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern": f"[ipv4-addr:value = '{address}']",
            "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "indicator_types": ["malicious-activity"], "confidence": 90, "object_marking_refs": [marking]}


tmp = pathlib.Path(tempfile.mkdtemp(prefix="entente-recall-"))
processes = []
try:
    shell("ip", "link", "set", "lo", "up")
    shell("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
    shell("ip", "addr", "add", "192.0.2.1/24", "dev", "near")
    shell("ip", "link", "set", "near", "up")
    away = subprocess.Popen(["unshare", "-n", "sleep", "600"])
    processes.append(away)
    until("the second namespace", lambda: os.readlink(f"/proc/{away.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
    shell("ip", "link", "set", "far", "netns", str(away.pid))
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "addr", "add", "192.0.2.2/24", "dev", "far"], ["ip", "link", "set", "far", "up"]):
        shell("nsenter", "-t", str(away.pid), "-n", *command)

    a, b = Node(tmp, "IN", "192.0.2.1"), Node(tmp, "JP", "192.0.2.1")
    for n in (a, b):
        n.start()
        processes.append(n.process)
    for x, y in ((a, b), (b, a)):
        run("peer", "add", "--from-dir", y.dir, "--dir", x.dir)
    text = tmp / "agreement.json"
    run("agreement", "new", "--pair", a.dir / "party.json", "--pair", b.dir / "party.json", text)
    document = json.loads(text.read_text())
    document["retention"]["max_days"]["amber"] = 0  # what is marked so is over its term at once
    text.write_text(json.dumps(document))
    agreement = document["agreement_id"]
    run("agreement", "propose", text, "--dir", a.dir)
    until("the text reaches the partner", lambda: run("agreement", "state", agreement, "--dir", b.dir, status=None).returncode == 0)
    for verb in ("initial", "sign", "notify"):
        for n in (a, b):
            until(f"{verb} of {n.code}", lambda: run("agreement", verb, agreement, "--dir", n.dir, status=None).returncode == 0)
    state = lambda n: json.loads(run("agreement", "state", agreement, "--dir", n.dir).stdout.splitlines()[0])["state"]
    until("the agreement is in force", lambda: (state(a), state(b)) == ("IN_FORCE", "IN_FORCE") or f"{state(a)} {state(b)}")

    gateway, branch = Sensor(tmp, "gateway", a, None), Sensor(tmp, "branch", a, away.pid)
    for s in (gateway, branch):
        s.start()
        processes.append(s.process)

    def publish(objects):
        (tmp / "o.jsonl").write_text("".join(json.dumps(o) + "\n" for o in objects))
        run("publish", tmp / "o.jsonl", "--dir", b.dir)

    def status(ids):
        return [json.loads(line) for line in run("recall", "--status", *ids, "--dir", b.dir, status=None).stdout.splitlines()]

    both = lambda address, want: gateway.blocks(address) == want and branch.blocks(address) == want
    sensors = lambda: [json.loads(line) for line in run("sensor", "list", "--dir", a.dir).stdout.splitlines()]
    until("both sensors have reported", lambda: len(sensors()) == 2)

    if TRIALS:
        addresses = [f"203.0.113.{i + 100}" for i in range(TRIALS)]
        objects = [indicator(x) for x in addresses]
        publish(objects)
        until("all of them are blocked", lambda: all(both(x, True) for x in addresses), 60)
        zero, signed = [], []
        for address, o in zip(addresses, objects):
            time.sleep(0.05)
            began = time.monotonic()
            r = subprocess.Popen([ENTENTE, "-q", "-o", "json", "recall", o["id"], "--dir", str(b.dir)], stdout=subprocess.DEVNULL)
            until("zero enforcers", lambda: both(address, False), 20, 0.005)
            zero.append(time.monotonic() - began)
            until("the signed answer", lambda: status([o["id"]])[0]["holders"][0]["complete"], 20, 0.005)
            signed.append(time.monotonic() - began)
            r.wait()
        p95 = lambda x: sorted(x)[max(0, -(-len(x) * 95 // 100) - 1)]
        ms = lambda x: round(x * 1000, 1)
        print(json.dumps({"trials": TRIALS, "enforcers": 2, "zero_p50_ms": ms(statistics.median(zero)), "zero_p95_ms": ms(p95(zero)), "signed_p50_ms": ms(statistics.median(signed)), "signed_p95_ms": ms(p95(signed))}))
        sys.exit(0)

    first, second = indicator("198.51.100.7"), indicator("198.51.100.8")
    publish([first, second])
    until("both sensors block", lambda: both("198.51.100.7", True) and both("198.51.100.8", True))
    r = json.loads(run("recall", first["id"], "--reason", "false positive", "--dir", b.dir).stdout)
    check("the recall names whom it reaches", r["recalled"][0]["reaches"] == ["IN"], r)
    began = time.monotonic()
    until("zero enforcers", lambda: both("198.51.100.7", False), 10, 0.01)
    check("the other indicator is blocked as before", both("198.51.100.8", True))
    until("the signed answer is back", lambda: status([first["id"]])[0]["holders"][0]["complete"] or status([first["id"]]))
    h = status([first["id"]])[0]["holders"][0]
    check("withdrawn from 2 of 2 enforcers, by 2 of 2 sensors", [h["answer"][k] for k in ("withdrawn", "enforcers", "told", "sensors")] == [2, 2, 2, 2], h)
    check("two leases were ended, nobody is late", h["answer"]["leases"] == 2 and not h["answer"]["late"] and h["late_seconds"] == 0, h)
    check("it says what became of copies, and under which article", h["answer"]["copies"]["state"] == "kept" and h["answer"]["copies"]["article"], h)
    r = run("recall", "--status", first["id"], "--dir", b.dir, table=True)
    check("in words for people", "withdrawn from 2 of 2 enforcers; 1 of 1 parties are done" in r.stdout, r.stdout)

    # Retention: what is over its term leaves the node's files, the sensors, and the partner knows it.
    lines = lambda *args: [json.loads(line) for line in run(*args, "--dir", a.dir).stdout.splitlines()]
    kept, short = indicator("198.51.100.66", AMBER), indicator("198.51.100.77", AMBER)
    run("hold", kept["id"], "--dir", a.dir)
    publish([kept, short])
    until("both are blocked", lambda: both("198.51.100.66", True) and both("198.51.100.77", True))
    check("a machine may block on it, and it says until when it is kept", json.loads(run("handling", second["id"], "--dir", a.dir).stdout)["received"][0]["keep"]["why"] == "1825 days at tlp:green")
    over = {o["id"]: o["hold"] for o in lines("retention", "run", "--dry-run")}
    check("a dry run names what would go, and what a hold keeps", over == {kept["id"]: "legal hold", short["id"]: ""}, over)
    files = lambda: sorted(str(f) for f in (a.dir / "data").iterdir() if f.is_file() and b"198.51.100.77" in f.read_bytes())
    check("its text stands in the node's files", files() != [])
    done = json.loads(run("retention", "run", "--dir", a.dir).stdout)
    check("one is destroyed, one held", (done["destroyed"], done["held"]) == (1, 1), done)
    check("no file of the node holds its text any more", files() == [], files())
    until("sensors let go of it", lambda: both("198.51.100.77", False), 10)
    check("what the hold keeps is blocked still", both("198.51.100.66", True))
    until("the partner has the receipt", lambda: status([short["id"]])[0]["holders"][0]["destroyed"] is not None)
    until("no sensor has its text", lambda: all("198.51.100.77" not in (s.dir / "state" / "objects.jsonl").read_text() for s in (gateway, branch)))

    branch.process.send_signal(signal.SIGKILL)
    branch.process.wait()
    run("recall", second["id"], "--dir", b.dir)
    until("the living sensor withdraws", lambda: not gateway.blocks("198.51.100.8"), 10, 0.01)
    until("an answer that is not complete", lambda: "answer" in status([second["id"]])[0]["holders"][0] or status([second["id"]]))
    h = status([second["id"]])[0]["holders"][0]
    check("a sensor that is gone is late: 1 of 2 enforcers", not h["complete"] and [h["answer"][k] for k in ("withdrawn", "enforcers", "told", "sensors")] == [1, 2, 1, 2], h)
    marks = {s["name"].split("/")[0]: (s["name"], s["mark"]) for s in sensors()}
    late = h["answer"]["late"]
    check("it is named by its mark, with the time it was last heard of", len(late) == 1 and late[0]["sensor"] == marks["branch"][1] and late[0]["last_heard"], late)
    r = run("recall", "--status", second["id"], "--dir", b.dir, status=1, table=True)
    check("the table names the laggard", marks["branch"][1] in r.stdout and "has not answered" in r.stdout, r.stdout)
    check("its kernel does block still: the answer did not flatter", branch.blocks("198.51.100.8"))

    branch.start()
    processes.append(branch.process)
    until("it comes back and answers", lambda: status([second["id"]])[0]["holders"][0]["complete"] or status([second["id"]]), 20)
    check("and it is gone from its kernel", not branch.blocks("198.51.100.8"))

    branch.process.terminate()
    branch.process.wait()
    run("sensor", "forget", marks["branch"][0], "--dir", a.dir)
    check("a sensor that a person takes out is not waited for", [s["name"] for s in sensors()] == [marks["gateway"][0]], sensors())
    r = run("sensor", "forget", "nobody/nowhere", "--dir", a.dir, status=None)
    check("what is not there cannot be taken out, and it says where names are", r.returncode != 0 and "sensor list" in r.stderr, r.stderr)
    for n in (a, b):
        n.process.terminate()
        n.process.wait(15)
        r = run("node", "check", "--dir", n.dir, status=None)
        check(f"the store of {n.code} is what its log says, after all that", r.returncode == 0, r.stdout + r.stderr)
        r = run("ledger", "audit", "--dir", n.dir, status=None)
        check(f"the ledger of {n.code} is whole", r.returncode == 0, r.stdout + r.stderr)
finally:
    for p in reversed(processes):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
    if FAILED:
        print(f"kept: {tmp}")
    else:
        shutil.rmtree(tmp, ignore_errors=True)
sys.exit(1 if FAILED else 0)
