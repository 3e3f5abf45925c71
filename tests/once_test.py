#!/usr/bin/env python3
"""Exactly once while others write: 8 writers post, one client pages by `next`, one by added_after, one follows with `entente taxii get --state`, and the
node is stopped and killed (kill -9) in between. In the end each client has every acknowledged object once, in the order of the collection.

    once_test.py ENTENTE [SECONDS]

Prints the seed of its random moments; set ENTENTE_ONCE_SEED to repeat one.
"""
import http.client, json, os, pathlib, random, subprocess, sys, tempfile, threading, time, urllib.parse

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 25
sys.argv[1:] = [ENTENTE]
import crash_test as nodes  # noqa: E402  Node, Load

WRITERS = 8
GONE = (OSError, http.client.HTTPException, ValueError)


class Reader(threading.Thread):
    """Pages for ever, by one of the two ways, with a page size that changes; a request that failed is sent again as it was."""

    def __init__(self, node, collection, by, seed):
        super().__init__(daemon=True)
        self.node, self.collection, self.by, self.rng = node, collection, by, random.Random(seed)
        self.got, self.stop, self.problem, self.retries = [], False, None, 0

    def run(self):
        connection, after, cursor, limit = None, None, None, 50
        while True:
            options = {"limit": limit, "match[version]": "all"}
            if after:
                options["added_after"] = after
            if cursor:
                options["next"] = cursor
            try:
                connection = connection or self.node.connect()
                headers = {"Authorization": f"Bearer {self.node.token}", "Accept": nodes.MEDIA}
                connection.request("GET", f"/local/collections/{self.collection}/objects/?{urllib.parse.urlencode(options)}", None, headers)
                answer = connection.getresponse()
                page, last = json.loads(answer.read()), answer.getheader("X-TAXII-Date-Added-Last")
                if answer.status in (500, 503):
                    raise OSError(answer.status)
                if answer.status != 200:
                    self.problem = f"{answer.status} {page} for {options}"
                    return
            except GONE:
                connection = None
                self.retries += 1
                time.sleep(0.02)
                continue
            objects = page.get("objects", [])
            self.got += [o["id"] for o in objects]
            limit = self.rng.choice([1, 7, 50, 400])
            if page.get("more") and self.by == "next":
                cursor = page["next"]
                continue
            # The end of a sequence, or paging by time: from here on what was added after the last that came.
            cursor, after = None, last or after
            if not page.get("more"):
                if self.stop and not objects:
                    return
                time.sleep(0.01)


class Follower(threading.Thread):
    """`entente taxii get --state`, run again and again."""

    def __init__(self, node, collection, tmp):
        super().__init__(daemon=True)
        self.node, self.collection, self.stop, self.got, self.failed, self.problem = node, collection, False, [], 0, None
        self.state, self.token = tmp / "state.json", tmp / "token"
        self.token.write_text(node.token)

    def run(self):
        while True:
            last_round = self.stop
            r = subprocess.run([ENTENTE, "-q", "-o", "json", "taxii", "get", f"https://127.0.0.1:{self.node.port}", self.collection, "--root", "/local/", "--ca", f"{self.node.dir}/keys/tls.crt", "--token-file",
                                str(self.token), "--state", str(self.state), "--limit", "100", "--all-versions", "--retries", "8"], capture_output=True, text=True)
            # What was printed before a failure counts: the state is written after each page.
            self.got += [json.loads(line)["id"] for line in r.stdout.splitlines()]
            if r.returncode != 0:
                self.failed += 1
                if r.returncode != 2:
                    self.problem = f"status {r.returncode}: {r.stderr}"
                    return
            elif last_round:
                return
            time.sleep(0.05)


def main(tmp):
    seed = int(os.environ.get("ENTENTE_ONCE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}", flush=True)
    rng, tmp = random.Random(seed), pathlib.Path(tmp)
    node = nodes.Node(str(tmp / "in"), "IN")
    writers, readers = [], []
    try:
        node.start()
        inbox = node.collection("inbox")
        writers = [nodes.Load(node, inbox, seed + k) for k in range(WRITERS)]
        readers = [Reader(node, inbox, "next", seed + 100), Reader(node, inbox, "added_after", seed + 101), Reader(node, inbox, "next", seed + 102), Follower(node, inbox, tmp)]
        for t in [*writers, *readers]:
            t.start()
        end, kills, stops = time.monotonic() + SECONDS, 0, 0
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.3, 1.5))
            if rng.random() < 0.7:
                node.kill()
                kills += 1
            else:
                node.process.terminate()
                node.process.wait(20)
                stops += 1
            node.start()
        for w in writers:
            w.stop = True
        for w in writers:
            w.join(20)
        for r in readers:
            r.stop = True
        for r in readers:
            r.join(30)
            if r.is_alive() or r.problem:
                raise SystemExit(f"once_test: a reader {'did not end' if r.is_alive() else 'failed'}: {r.problem}")
        order = node.ids(inbox)
        acknowledged = {i for w in writers for i in w.acknowledged}
        lost = acknowledged - set(order)
        if lost or len(order) != len(set(order)):
            raise SystemExit(f"once_test: the node lost {len(lost)} acknowledged objects, or has one twice")
        if len(acknowledged) < 500 or kills == 0:
            raise SystemExit(f"once_test: only {len(acknowledged)} acknowledged and {kills} kills: this was no load")
        for name, r in zip(("by next", "by added_after", "by next again", "entente taxii get --state"), readers):
            if r.got != order:
                twice = len(r.got) - len(set(r.got))
                raise SystemExit(f"once_test: {name}: {len(r.got)} of {len(order)} objects, {twice} twice, {len(set(order) - set(r.got))} missing" + (", in another order" if not twice and set(order) == set(r.got) else ""))
            print(f"{name}: all {len(order):,} objects once and in order", flush=True)
        print(f"{kills} kills, {stops} restarts, {len(acknowledged):,} acknowledged by {WRITERS} writers ({sum(w.errors for w in writers)} requests cut), readers asked {sum(getattr(r, 'retries', 0) for r in readers)} times again")
    finally:
        for t in [*writers, *readers]:
            t.stop = True
        if node.process and node.process.poll() is None:
            node.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente-once-") as folder:
        main(folder)
