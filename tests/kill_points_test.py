#!/usr/bin/env python3
"""kill -9 at random points of publish, release and send: nothing is sent that is not logged, and nothing is logged twice.

    kill_points_test.py ENTENTE [POINTS]

Two nodes in force. Each point: one object is published at one of them and a moment later (0 to 50 ms, most of them short) the sender, the receiver or both are
killed and started again. Now and then, and at the end, everything must have arrived once, no ledger contradicts itself, both ends reconcile to the same with
nothing missing and nothing extra, and log, store and ledgers agree. Prints its seed; ENTENTE_CRASH_SEED repeats one. The soak runs 1,000 points.
"""
import json, os, pathlib, random, signal, sys, tempfile, time, uuid

POINTS = int(sys.argv[2]) if len(sys.argv) > 2 else 12
import crash_test as base  # its Node, agree() and wait_for(); main() does not run


def indicator(rng):
    i = uuid.UUID(int=rng.getrandbits(128), version=4)
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{i}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "pattern": f"[domain-name:value = '{i}.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "object_marking_refs": [base.GREEN]}


def settled(nodes, boxes, acknowledged, agreement):
    """Everything that was acknowledged is at the other node, once; both ends say the same."""
    for sender, receiver in (nodes, nodes[::-1]):
        want = acknowledged[sender.dir]
        base.wait_for(f"all of {pathlib.Path(sender.dir).name} arrives", 90, lambda: want <= set(receiver.ids(boxes[receiver.dir])))
        ids = receiver.ids(boxes[receiver.dir])
        if len(ids) != len(set(ids)):
            raise SystemExit("kill_points: an object came twice")
    a, b = nodes

    def same():
        r = base.subprocess.run([base.ENTENTE, "-o", "json", "ledger", "reconcile", "--with", "JP", "--dir", a.dir], capture_output=True, text=True, timeout=120)
        rows = [json.loads(x) for x in r.stdout.splitlines()]
        for row in rows:
            if row["result"]["extra"]:
                raise SystemExit(f"kill_points: received what the sender's ledger does not show: {row}")
        return r.returncode == 0 and len(rows) == 2 and all(row["same"] for row in rows)

    base.wait_for("both ends reconcile to the same", 90, same)
    for n in nodes:
        if "contradicts" not in (text := base.run("ledger", "conflicts", "--dir", n.dir)):
            raise SystemExit(f"kill_points: a conflict at {n.dir}: {text}")


def main(tmp):
    seed = int(os.environ.get("ENTENTE_CRASH_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    tmp = pathlib.Path(tmp)
    nodes = [base.Node(str(tmp / "in"), "IN"), base.Node(str(tmp / "jp"), "JP")]
    began = time.monotonic()
    try:
        for n in nodes:
            n.start()
        agreement = base.agree(tmp, nodes)
        inbox = {n.dir: n.collection("inbox") for n in nodes}
        boxes = {}
        acknowledged = {n.dir: set() for n in nodes}
        killed = 0
        for point in range(POINTS):
            sender, receiver = nodes if point % 2 == 0 else nodes[::-1]
            one = indicator(rng)
            try:
                status = sender.ask(sender.connect(), "POST", f"/local/collections/{inbox[sender.dir]}/objects/", json.dumps({"objects": [one]}))
                if status["failure_count"]:
                    raise SystemExit(f"kill_points: refused: {status}")
                acknowledged[sender.dir].add(one["id"])
            except OSError as error:
                raise SystemExit(f"kill_points: publish failed at a node that runs: {error}")
            time.sleep(rng.random() ** 3 * 0.05)
            victims = [[sender], [receiver], [sender, receiver]][rng.randrange(3)]
            for v in victims:
                v.kill()
            for v in victims:
                v.start()
            killed += 1
            if point % 100 == 99 or point + 1 == POINTS:
                for n, start in zip(nodes, ("received-jp", "received-in")):
                    boxes.setdefault(n.dir, n.collection(start))
                settled(nodes, boxes, acknowledged, agreement)
                print(f"{point + 1:>5} points, {time.monotonic() - began:.0f} s: all arrived, once; both ends the same", flush=True)
        for n in nodes:
            n.process.terminate()
            n.process.wait(20)
            base.run("node", "check", "--dir", n.dir)
            base.run("ledger", "audit", "--dir", n.dir)
        print(json.dumps({"points": killed, "objects": sum(map(len, acknowledged.values())), "sent_not_logged": 0, "logged_twice": 0}))
    finally:
        for n in nodes:
            if n.process and n.process.poll() is None:
                n.kill()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the nodes end with it
    with tempfile.TemporaryDirectory(prefix="entente-kill-") as folder:
        main(folder)
