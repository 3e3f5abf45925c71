#!/usr/bin/env python3
"""How long until a head is cosigned by the quorum? Two nodes in force on this machine; each round publishes an object and waits for the head over its release.

    cosigned.py ENTENTE [ROUNDS]

One JSON object: median and worst, in ms, from the answer to the post. Heads are shown to witnesses twice a second, so half of that is waiting for the next look.
"""
import json, pathlib, sys, tempfile, time, uuid

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))
import crash_test as base


def main(tmp):
    tmp = pathlib.Path(tmp)
    nodes = [base.Node(str(tmp / "in"), "IN"), base.Node(str(tmp / "jp"), "JP")]
    try:
        for n in nodes:
            n.start()
        base.agree(tmp, nodes)
        a = nodes[0]
        inbox, c, times = a.collection("inbox"), a.connect(), []
        ledger = lambda: a.ask(c, "GET", "/api/v1/status")["ledger"][0]
        for i in range(ROUNDS):
            before = ledger()["entries"]
            one = {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                   "pattern": f"[domain-name:value = 'c{i}.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z", "object_marking_refs": [base.GREEN]}
            a.ask(c, "POST", f"/local/collections/{inbox}/objects/", json.dumps({"objects": [one]}))
            began = time.monotonic()
            while ledger()["witnesses"]["cosigned"] <= before:
                if time.monotonic() - began > 30:
                    raise SystemExit("cosigned: no quorum within 30 s")
                time.sleep(0.005)
            times.append((time.monotonic() - began) * 1e3)
            time.sleep(0.3)
        times.sort()
        print(json.dumps({"cosigned_p50_ms": times[len(times) // 2], "cosigned_worst_ms": times[-1]}))
    finally:
        for n in nodes:
            if n.process and n.process.poll() is None:
                n.process.terminate()
                n.process.wait(20)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente-cosigned-") as folder:
        main(folder)
