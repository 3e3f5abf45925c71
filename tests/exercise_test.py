#!/usr/bin/env python3
"""An exercise beside the real thing, with real processes: two live nodes, two nodes for exercises of the same parties, one text in both worlds. No act, key,
object or sensor of one world is taken by the other, in either direction; an exercise counts and never drops.

    exercise_test.py ENTENTE

The part with nftables is skipped, and said so, where namespaces are not permitted.
"""
import http.client, json, os, pathlib, re, shutil, socket, ssl, subprocess, sys, tempfile, time, uuid

ENTENTE = sys.argv[1]
FAILED = []
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"

KERNEL = os.geteuid() == 0 and shutil.which("nft") and shutil.which("unshare") and subprocess.run(["unshare", "-n", "nft", "list", "tables"], capture_output=True).returncode == 0
if KERNEL and "ENTENTE_EXERCISE_INSIDE" not in os.environ:
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, "ENTENTE_EXERCISE_INSIDE": "1"})
if KERNEL:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
else:
    print("skipped: what the kernel holds (namespaces or nft are not permitted)")


def check(rule, ok, detail=""):
    print(("ok    " if ok else "WRONG ") + rule + ("" if ok else f": {detail}"), flush=True)
    if not ok:
        FAILED.append(rule)


def run(*args, status=0):
    r = subprocess.run([ENTENTE, "-q", "-o", "json", *map(str, args)], capture_output=True, text=True, timeout=60)
    if status is not None and r.returncode != status:
        raise SystemExit(f"exercise_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        last = condition()
        if last is True:
            return
        if time.monotonic() > end:
            raise SystemExit(f"exercise_test: {what}: not within {seconds} s; {last}")
        time.sleep(0.05)


class Node:
    def __init__(self, tmp, code, real=None):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.code, self.dir, self.process = code, tmp / (code.lower() + ("-exercise" if real else "")), None
        listen = f"127.0.0.1:{self.port}"
        made = run("exercise", "new", self.dir, "--from", real.dir, "--listen", listen) if real else run("init", self.dir, "--party", code, "--name", f"CERT of {code}", "--listen", listen)
        self.spki = json.loads(made.stdout)["spki"]

    def start(self):
        self.process = subprocess.Popen([ENTENTE, "-q", "node", "run", "--dir", str(self.dir)], stdout=subprocess.PIPE, stderr=open(self.dir.with_suffix(".log"), "a"), text=True)
        return "ready" in self.process.stdout.readline()

    def ask(self, method, path, body=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, our own node
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        c.request(method, path, body=body, headers={"Authorization": "Bearer " + (self.dir / "keys" / "admin.token").read_text().strip(), "Content-Type": "application/json"})
        r = c.getresponse()
        return r.status, r.read().decode()

    def acts(self, agreement):
        found = json.loads(self.ask("GET", "/api/v1/agreements")[1])["agreements"]
        return [act for a in found if a["agreement_id"] == agreement for act in a["acts"]]


def indicator(address, **more):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern": f"[ipv4-addr:value = '{address}']",
            "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "indicator_types": ["malicious-activity"], "confidence": 90, "object_marking_refs": [GREEN], **more}


def agree(a, b, text):
    for x, y in ((a, b), (b, a)):
        run("peer", "add", "--from-dir", y.dir, "--dir", x.dir)
    agreement = json.loads(text.read_text())["agreement_id"]
    run("agreement", "propose", text, "--dir", a.dir)
    until("the text reaches the partner", lambda: run("agreement", "state", agreement, "--dir", b.dir, status=None).returncode == 0)
    for verb in ("initial", "sign", "notify"):
        for n in (a, b):
            until(f"{verb} of {n.code}", lambda: run("agreement", verb, agreement, "--dir", n.dir, status=None).returncode == 0)
    state = lambda n: json.loads(run("agreement", "state", agreement, "--dir", n.dir).stdout.splitlines()[0])["state"]
    until("the agreement is in force", lambda: (state(a), state(b)) == ("IN_FORCE", "IN_FORCE") or f"{state(a)} {state(b)}")
    return agreement


def sensor(tmp, name, node, exercise, mode, enforcer="nft" if KERNEL else "none"):
    at = tmp / name
    at.mkdir()
    (at / "token").write_text(json.loads(run("token", "new", name, "--role", "sensor", "--dir", node.dir).stdout)["token"] + "\n")
    (at / "token").chmod(0o600)
    (at / "sensor.toml").write_text(f'[node]\nurl = "https://127.0.0.1:{node.port}"\nspki = ["{node.spki}"]\ntoken_file = "token"\n[sensor]\nmode = "{mode}"\nenforcer = "{enforcer}"\n'
                                    f'exercise = {"true" if exercise else "false"}\nstate_dir = "state"\nrefresh = "PT1S"\n[guard]\nprotect_surroundings = false\n')
    return at, subprocess.Popen([ENTENTE, "sensor", "run", "--config", str(at / "sensor.toml")], stderr=open(at / "log", "w"))


tmp = pathlib.Path(tempfile.mkdtemp(prefix="entente-exercise-"))
processes = []
try:
    a, b = Node(tmp, "IN"), Node(tmp, "JP")
    xa, xb = Node(tmp, "IN", a), Node(tmp, "JP", b)
    nodes = (a, b, xa, xb)
    for n in nodes:
        assert n.start(), n.dir
        processes.append(n.process)
    text, rehearsal = tmp / "agreement.json", tmp / "exercise.json"
    run("agreement", "new", "--pair", a.dir / "party.json", "--pair", b.dir / "party.json", text)
    run("exercise", "agreement", text, rehearsal, "--party", xa.dir / "party.json", "--party", xb.dir / "party.json")
    real, copy = json.loads(text.read_text()), json.loads(rehearsal.read_text())
    check("the copy has the rules of the text, keys and an id of its own, and says what it is", copy["flows"] == real["flows"] and copy["exercise"] and copy["agreement_id"] != real["agreement_id"]
          and copy["title"]["en"].startswith("EXERCISE"), copy["title"])
    check("no key is in both worlds", not {k["public"] for p in real["parties"] for k in p["keys"]} & {k["public"] for p in copy["parties"] for k in p["keys"]})
    r = run("exercise", "agreement", text, tmp / "x.json", "--party", a.dir / "party.json", "--party", xb.dir / "party.json", status=None)
    check("an exercise binds no key that acts outside it", r.returncode != 0 and "exercise key" in r.stderr, r.stderr)
    smuggled = json.loads(text.read_text())
    smuggled["parties"][0] = json.loads((xa.dir / "party.json").read_text())
    (tmp / "smuggled.json").write_text(json.dumps(smuggled))
    r = run("agreement", "check", tmp / "smuggled.json", status=None)
    check("no real text binds an exercise key", r.returncode == 1 and "exercise key" in r.stdout, r.stdout)

    live, played = agree(a, b, text), agree(xa, xb, rehearsal)
    for what, of, to in (("a live node", xa, a), ("a node for exercises", a, xa)):
        agreement = played if of is xa else live
        for act in of.acts(agreement):
            status, answer = to.ask("POST", "/api/v1/acts", act)
            kind = json.loads(act)["act"]["kind"]
            check(f"{what} refuses the {kind} of the other world, and says which rule", status == 403 and "EXERCISE" in answer, (status, answer))
        check(f"{what} knows nothing of the other world's agreement", to.acts(agreement) == [])
    for n, doc in ((a, rehearsal), (xa, text)):
        r = run("agreement", "propose", doc, "--dir", n.dir, status=None)
        check(f"own people cannot propose the other world's text at {n.dir.name}", r.returncode != 0, r.stdout + r.stderr)

    mine, theirs = indicator("198.51.100.7"), indicator("198.51.100.8")
    for n, o in ((b, mine), (xb, theirs)):
        (tmp / "o.jsonl").write_text(json.dumps(o) + "\n")
        run("publish", tmp / "o.jsonl", "--dir", n.dir)
    (tmp / "o.jsonl").write_text(json.dumps(indicator("198.51.100.9", x_entente_exercise=True)) + "\n")
    r = run("publish", tmp / "o.jsonl", "--dir", a.dir, status=None)
    check("an object that is marked as of an exercise does not come into a live node", r.returncode != 0 and "EXERCISE" in r.stdout + r.stderr, r.stdout + r.stderr)

    def received(n):
        alias = next(c["alias"] for g in json.loads(n.ask("GET", "/api/v1/agreements")[1])["agreements"] for c in g["collections"])
        return n.ask("GET", f"/local/collections/{alias}/objects/")[1]

    until("objects flow in both worlds", lambda: mine["id"] in received(a) and theirs["id"] in received(xa))
    check("every object of the exercise is marked", '"x_entente_exercise":true' in received(xa), received(xa))
    check("no object of the real world is", "x_entente_exercise" not in received(a))

    at, p = sensor(tmp, "rehearsing", xa, True, "monitor")
    processes.append(p)
    wrong, q = sensor(tmp, "astray", xa, False, "block")
    processes.append(q)
    far, r = sensor(tmp, "other", a, True, "monitor", "none")  # one sensor of an exercise to a network: they would share the table
    processes.append(r)
    leases = lambda where: json.loads(run("lease", "list", "--state", where / "state").stdout or "{}") if (where / "state" / "control.sock").exists() else None
    until("the exercise's sensor counts", lambda: "198.51.100.8" in (at / "state" / "leases.jsonl").read_text() if (at / "state" / "leases.jsonl").exists() else False)
    until("a live sensor refuses a node for exercises", lambda: "EXERCISE: the node is for exercises" in (wrong / "log").read_text())
    until("an exercise's sensor refuses a live node", lambda: "EXERCISE: this sensor is for exercises" in (far / "log").read_text())
    time.sleep(1.5)
    for where, name in ((wrong, "a live sensor at a node for exercises"), (far, "an exercise's sensor at a live node")):
        file = where / "state" / "leases.jsonl"
        check(f"{name} holds nothing", not file.exists() or "198.51.100" not in file.read_text())
    if KERNEL:
        rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout.split("\n")
        own = subprocess.run(["nft", "list", "table", "inet", "entente_exercise"], capture_output=True, text=True).stdout
        check("the exercise has a table of its own, and its address is counted there", "198.51.100.8" in own, tables)
        other = subprocess.run(["nft", "list", "table", "inet", "entente"], capture_output=True, text=True).stdout
        check("nothing of it is in the live table", "198.51.100.8" not in other, other[:400])
        sets = [s.split("\n", 1)[0] for s in own.split("set ") if "198.51.100.8" in s]
        check("it stands in no set that drops, and no rule of the table drops", all("block" not in s for s in sets) and not re.search(r"\bdrop\b", own), sets)
    (at / "bad.toml").write_text((at / "sensor.toml").read_text().replace('"monitor"', '"block"'))
    r = run("sensor", "run", "--config", at / "bad.toml", status=None)
    check("a sensor that would block in an exercise does not start", r.returncode != 0 and "exercise" in r.stderr, r.stderr)

    # Neither a flag nor copied keys move a node to the other world.
    a.process.terminate(), a.process.wait()
    config = (a.dir / "entente.toml").read_text()
    (a.dir / "entente.toml").write_text(config.replace("[node]\n", "[node]\nexercise = true\n"))
    check("a live node with a flag does not start", not a.start())
    (a.dir / "entente.toml").write_text(config)
    xa.process.terminate(), xa.process.wait()
    shutil.copy(a.dir / "party.json", xa.dir / "party.json")
    check("a node for exercises with real keys does not start", not xa.start())
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
