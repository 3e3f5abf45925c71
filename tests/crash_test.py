#!/usr/bin/env python3
"""kill -9 of whole nodes under load: what was acknowledged is there, once, and reaches the partner; log, store and ledgers agree after every death.

    crash_test.py ENTENTE [ROUNDS]

Two nodes with an agreement in force. Four connections publish at IN while JP pulls; each round one of the two (or both) is killed at a random moment,
examined with `node check` and started again. Prints the seed of its random moments; set ENTENTE_CRASH_SEED to repeat one.
"""
import http.client, json, os, pathlib, random, socket, ssl, subprocess, sys, tempfile, threading, time, uuid

ENTENTE = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
PHASES = ["propose", "initial", "sign", "notify"]
MEDIA = "application/taxii+json;version=2.1"
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*args):
    r = subprocess.run([ENTENTE, *map(str, args)], capture_output=True, text=True, timeout=120)
    if r.returncode != 0:
        raise SystemExit(f"crash_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


class Node:
    def __init__(self, folder, party):
        self.dir, self.port, self.process = folder, free_port(), None
        run("init", folder, "--party", party, "--name", f"Crash {party}", "--listen", f"127.0.0.1:{self.port}")
        self.token = pathlib.Path(folder, "keys", "admin.token").read_text().strip()
        self.inbox = None

    def start(self):
        log = open(pathlib.Path(self.dir).with_suffix(".log"), "a")
        self.process = subprocess.Popen([ENTENTE, "node", "run", "--dir", self.dir], stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if "ready" not in line:
            raise SystemExit(f"crash_test: node {self.dir} did not start again: {line!r}; see its log:\n" + pathlib.Path(log.name).read_text()[-2000:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, our own node
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)

    def ask(self, connection, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Accept": MEDIA}
        if body is not None:
            headers["Content-Type"] = MEDIA
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def collection(self, title_start):
        for c in self.ask(self.connect(), "GET", "/local/collections/")["collections"]:
            if c.get("alias", "").startswith(title_start):
                return c["id"]
        raise SystemExit(f"crash_test: no collection {title_start}")

    def ids(self, collection):
        """Every id in a collection, in order, page by page."""
        connection, out, cursor = self.connect(), [], ""
        while True:
            page = self.ask(connection, "GET", f"/local/collections/{collection}/manifest/?limit=5000{cursor}")
            out += [o["id"] for o in page.get("objects", [])]
            if not page.get("more"):
                return out
            cursor = "&next=" + page["next"]


class Load(threading.Thread):
    """Publishes envelopes until told to stop; keeps the ids that the node said it has."""

    def __init__(self, node, collection, number):
        super().__init__(daemon=True)
        self.node, self.collection, self.rng = node, collection, random.Random(number)
        self.acknowledged, self.stop, self.errors = [], False, 0

    def envelope(self):
        objects = []
        for _ in range(self.rng.choice([1, 5, 50])):
            i = uuid.UUID(int=self.rng.getrandbits(128), version=4)
            objects.append({"type": "indicator", "spec_version": "2.1", "id": f"indicator--{i}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                            "pattern": f"[domain-name:value = '{i}.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "object_marking_refs": [GREEN]})
        return json.dumps({"objects": objects})

    def run(self):
        connection = None
        while not self.stop:
            try:
                connection = connection or self.node.connect()
                status = self.node.ask(connection, "POST", f"/local/collections/{self.collection}/objects/", self.envelope())
                if status["failure_count"]:
                    raise SystemExit(f"crash_test: refused: {status['failures'][:2]}")
                self.acknowledged += [s["id"] for s in status.get("successes", [])]
                time.sleep(0.05)  # there are always some under way; more would only make the listings long
            except (OSError, http.client.HTTPException, ValueError):
                self.errors += 1
                connection = None
                time.sleep(0.01)


def wait_for(what, seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"crash_test: {what}: not within {seconds} s")
        time.sleep(0.1)


def agree(tmp, nodes):
    document = tmp / "agreement.json"
    run("agreement", "new", "--pair", nodes[0].dir + "/party.json", "--pair", nodes[1].dir + "/party.json", document)
    agreement = json.loads(document.read_text())["agreement_id"]
    run("peer", "add", "--from-dir", nodes[1].dir, "--dir", nodes[0].dir)
    run("peer", "add", "--from-dir", nodes[0].dir, "--dir", nodes[1].dir)

    def state(node):
        text = run("agreement", "state", "--dir", node.dir, "-o", "json").strip()
        return json.loads(text.splitlines()[0])["state"] if text else ""

    after = {"initial": "FINALISED", "sign": "SIGNED", "notify": "IN_FORCE"}
    run("agreement", "propose", document, "--dir", nodes[0].dir)
    wait_for("the proposal arrives", 15, lambda: state(nodes[1]) == "DRAFT")
    for verb in PHASES[1:]:
        for n in nodes:
            run("agreement", verb, agreement, "--dir", n.dir)
        for n in nodes:
            wait_for(f"{after[verb]} at {n.dir}", 15, lambda n=n: state(n) == after[verb])
    return agreement


def main(tmp):
    seed = int(os.environ.get("ENTENTE_CRASH_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    tmp = pathlib.Path(tmp)
    a, b = nodes = [Node(str(tmp / "in"), "IN"), Node(str(tmp / "jp"), "JP")]
    loads = []
    try:
        for n in nodes:
            n.start()
        agree(tmp, nodes)
        inbox = a.collection("inbox")
        loads = [Load(a, inbox, seed + k) for k in range(4)]
        for load in loads:
            load.start()
        killed = 0
        for r in range(ROUNDS):
            time.sleep(rng.uniform(0.1, 0.9))
            victims = [[a], [b], [a, b], [a]][r % 4]
            for n in victims:
                n.kill()
            before = sum(len(x.acknowledged) for x in loads)
            for n in victims:
                run("node", "check", "--dir", n.dir)
                n.start()
            killed += len(victims)
            have = set(a.ids(inbox))
            lost = [i for x in loads for i in list(x.acknowledged) if i not in have]
            if lost:  # may have come after the listing; ask again for those alone
                again = set(a.ids(inbox))
                lost = [i for i in lost if i not in again]
            if lost:
                raise SystemExit(f"crash_test: round {r}: {len(lost)} acknowledged objects are gone, e.g. {lost[0]}")
            print(f"round {r + 1:>2}: killed {'+'.join(pathlib.Path(n.dir).name for n in victims)}; {before:,} acknowledged so far, all there", flush=True)
        for load in loads:
            load.stop = True
        for load in loads:
            load.join(20)
        acknowledged = {i for x in loads for i in x.acknowledged}
        if len(acknowledged) < 100 * ROUNDS // 4:
            raise SystemExit(f"crash_test: only {len(acknowledged)} acknowledged: this was no load")
        received = b.collection("received-in")
        wait_for("the partner has all", 60, lambda: acknowledged <= set(b.ids(received)))
        for n, collection in ((a, inbox), (b, received)):
            ids = n.ids(collection)
            if len(ids) != len(set(ids)):
                raise SystemExit(f"crash_test: {len(ids) - len(set(ids))} objects twice in {collection} of {n.dir}")
        for n in nodes:
            n.process.terminate()
            n.process.wait(20)
            print(run("node", "check", "--dir", n.dir).strip(), flush=True)
            run("ledger", "audit", "--dir", n.dir)
        print(f"{killed} kills, {len(acknowledged):,} objects acknowledged, none lost, none twice; the partner has all")
    finally:
        for load in loads:
            load.stop = True
        for n in nodes:
            if n.process and n.process.poll() is None:
                n.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente-crash-") as folder:
        main(folder)
