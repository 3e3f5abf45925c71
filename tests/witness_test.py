#!/usr/bin/env python3
"""A neutral witness as a process of its own beside two nodes: it is needed for the quorum, seen by the audit, and asked by a client that is not ours.
Then what the ledgers prove: an evidence package, private leaves that are opened, and the reconciliation that says what is withheld to its own side alone.

    witness_test.py ENTENTE SOURCE
"""
import base64, hashlib, http.client, json, pathlib, signal, socket, ssl, subprocess, sys, tempfile, time

ENTENTE, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tools"))
try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    print("witness_test: skipped, the package 'cryptography' is missing")
    sys.exit(77)
import verify_ledger

NAME = "osaka-u/witness/1"
failures = 0


def check(what, good, detail=""):
    global failures
    print(("ok    " if good else "FAILED ") + what + ("" if good else f": {detail}"), flush=True)
    failures += not good


def run(*args, status=0):
    r = subprocess.run([ENTENTE, *map(str, args)], capture_output=True, text=True, timeout=120)
    if status is not None and r.returncode != status:
        raise SystemExit(f"witness_test: entente {' '.join(map(str, args))}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(*args, log):
    p = subprocess.Popen([ENTENTE, *map(str, args)], stdout=subprocess.PIPE, stderr=open(log, "a"), text=True)
    line = p.stdout.readline()
    if "ready" not in line:
        raise SystemExit(f"witness_test: {args} did not start: {line!r} {pathlib.Path(log).read_text()[-2000:]}")
    return p, json.loads(line)


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got or time.monotonic() > end:
            check(what, bool(got), f"not within {seconds} s")
            return got
        time.sleep(0.2)


def post(port, path, body):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, our own witness
    c = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    c.request("POST", path, body)
    r = c.getresponse()
    return r.status, r.read()


class PythonLog:
    """A log of somebody else: its heads are signed here, from the standard's text."""

    def __init__(self, origin):
        self.origin, self.key, self.leaves = origin, Ed25519PrivateKey.generate(), []
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def note(self, leaves=None):
        hashes = [verify_ledger.leaf_hash(x) for x in (leaves or self.leaves)]
        body = f"{self.origin}\n{len(hashes)}\n{base64.b64encode(verify_ledger.tree_root(hashes)).decode()}\n"
        key_id = hashlib.sha256(self.origin.encode() + b"\n\x01" + self.public).digest()[:4]
        return body + f"\n\u2014 {self.origin} {base64.b64encode(key_id + self.key.sign(body.encode())).decode()}\n"


def python_client(port, witness_dir, witness_key):
    log = PythonLog("example.org/log")
    log.leaves = [b"one", b"two"]
    ask = lambda old, note, proof=(): post(port, "/add-checkpoint", f"old {old}\n{''.join(base64.b64encode(h).decode() + chr(10) for h in proof)}\n{note}".encode())
    check("a log that it does not know: 404", ask(0, log.note())[0] == 404)
    run("witness", "add", "--dir", witness_dir, "--origin", log.origin, "--key", log.public.hex())
    check("a log is added once", run("witness", "add", "--dir", witness_dir, "--origin", log.origin, "--key", log.public.hex(), status=None).returncode in (1, 2))
    witness.send_signal(signal.SIGHUP)
    wait_for("SIGHUP: it knows the log", lambda: ask(0, log.note())[0] in (200, 409))
    status, body = ask(2, log.note())
    check("the same head again is cosigned again", status == 200, status)
    r = verify_ledger.cosigned(log.note().encode() + body, log.origin, log.public, {NAME: bytes.fromhex(witness_key)})
    check("the cosignature verifies with a program of its own", r["ok"], r)
    check("old is not what it cosigned: 409 and the size", ask(0, log.note()) == (409, b"2\n"))
    other = PythonLog(log.origin)
    other.leaves = log.leaves
    check("another key: 403", ask(2, other.note())[0] == 403)
    check("another history of one size: 409", ask(2, log.note([b"one", b"three"]))[0] == 409)
    log.leaves.append(b"three")
    check("growth without proof: 422", ask(2, log.note())[0] == 422)
    check("growth with its proof is cosigned", ask(2, log.note(), [verify_ledger.leaf_hash(b"three")])[0] == 200)
    check("no request: 400", post(port, "/add-checkpoint", b"hello")[0] == 400)
    check("only this path, only POST", post(port, "/ledger/x", b"")[0] == 404)
    check("a body too large is refused", post(port, "/add-checkpoint", b"x" * 300_000)[0] in (400, 413))


def main(tmp):
    global witness
    tmp = pathlib.Path(tmp)
    wdir, wport = tmp / "w", free_port()
    made = json.loads(run("-o", "json", "witness", "init", wdir, "--name", NAME, "--listen", f"127.0.0.1:{wport}").stdout)
    check("a witness is not made over another", run("witness", "init", wdir, "--name", NAME, status=None).returncode in (1, 2))
    check("a name that a note cannot hold is refused", run("witness", "init", tmp / "x", "--name", "a b", status=None).returncode in (1, 2))
    witness, ready = start("witness", "run", "--dir", wdir, log=tmp / "w.log")
    processes = [witness]
    check("it says its key", ready["public"] == made["public"] and ready["name"] == NAME, ready)
    try:
        python_client(wport, wdir, made["public"])
        nodes = {}
        for party in ("IN", "JP"):
            d, port = tmp / party.lower(), free_port()
            run("init", d, "--party", party, "--name", f"Test {party}", "--listen", f"127.0.0.1:{port}")
            with open(d / "entente.toml", "a") as f:
                f.write(f'pad_to = 8\npad_minutes = 1\n[[witness]]\nname = "{NAME}"\nurl = "https://127.0.0.1:{wport}"\nspki = "{made["spki"]}"\n')
            nodes[party] = (d, port)
        for party, (d, _) in nodes.items():
            processes.append(start("node", "run", "--dir", d, log=tmp / f"{party}.log")[0])
        (ind, inport), (jpd, jpport) = nodes["IN"], nodes["JP"]
        run("peer", "add", "--from-dir", jpd, "--dir", ind)
        run("peer", "add", "--from-dir", ind, "--dir", jpd)
        doc = tmp / "a.json"
        run("agreement", "new", "--pair", ind / "party.json", "--pair", jpd / "party.json", doc)
        d = json.loads(doc.read_text())
        d["ledger"]["witnesses"] = [{"kid": NAME, "public": made["public"]}]
        d["ledger"]["quorum"] = f"all(IN/witness/1,JP/witness/1,{NAME})"
        doc.write_text(json.dumps(d))
        agreement = d["agreement_id"]
        uuid = agreement.removeprefix("urn:uuid:")
        logs = {}
        for party, (folder, _) in nodes.items():
            keys = json.loads((folder / "party.json").read_text())["keys"]
            logs[party] = next(k["public"] for k in keys if k["role"] == "log")
        state = lambda folder: next((json.loads(x)["state"] for x in run("-o", "json", "agreement", "state", "--dir", folder).stdout.splitlines() if x), "")
        run("agreement", "propose", doc, "--dir", ind)
        wait_for("the proposal arrives", lambda: state(jpd) == "DRAFT")
        for verb, after in (("initial", "FINALISED"), ("sign", "SIGNED"), ("notify", "IN_FORCE")):
            for folder in (ind, jpd):
                run("agreement", verb, agreement, "--dir", folder)
            wait_for(after, lambda: state(ind) == after and state(jpd) == after)
        ind_file = tmp / "i.jsonl"
        objects = [{"type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-00000000000{i}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                    "indicator_types": ["malicious-activity"], "pattern": f"[domain-name:value = 'x{i}.example']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
                    "object_marking_refs": ["marking-definition--" + ("e828b379-4e03-4974-9ac4-e53a884c97c1" if i > 2 else "bab4a63c-aed9-4cf5-a766-dfca5abac2bb")]} for i in range(6)]
        ind_file.write_text("\n".join(json.dumps(o) for o in objects))
        run("publish", ind_file, "--dir", jpd)
        status = lambda folder: json.loads(run("-o", "json", "node", "status", "--dir", folder).stdout)
        ledger = lambda folder: next(x for x in status(folder)["ledger"] if x["agreement_id"] == agreement)
        wait_for("three are received", lambda: status(ind)["objects"].get(f"received-jp-{uuid[:8]}", 0) >= 3 or any(v >= 3 for k, v in status(ind)["objects"].items() if k.startswith("received-jp")))
        time.sleep(1.5)
        check("without the neutral witness there is no quorum of all", ledger(jpd)["witnesses"]["cosigned"] == 0, ledger(jpd)["witnesses"])
        for party in nodes:
            run("witness", "add", "--dir", wdir, "--origin", f"entente/{party.lower()}/{uuid}", "--key", logs[party])
        witness.send_signal(signal.SIGHUP)
        got = wait_for("the quorum has the neutral witness", lambda: NAME in ledger(jpd)["witnesses"]["by"] and NAME in ledger(ind)["witnesses"]["by"], 90)
        heads = [json.loads(x) for x in run("-o", "json", "witness", "list", "--dir", wdir).stdout.splitlines()]
        sizes = [h["size"] for h in heads if h["origin"].startswith("entente/") and h["size"]]
        check("it saw padded sizes alone", sizes and all(s % 8 == 0 for s in sizes), sizes)
        # The audit over HTTP names who cosigned, the neutral witness with them.
        spki = json.loads((jpd / "party.json").read_text())["tls_spki_sha256"][0]
        audit = run("ledger", "audit", "--url", f"https://127.0.0.1:{jpport}/ledger/{uuid}", "--pin", spki, "--tls-dir", ind, "--origin", f"entente/jp/{uuid}", "--key", logs["JP"], status=None)
        check("the partner's public tiles pass the audit", audit.returncode == 0, audit.stdout + audit.stderr)
        cosigned = jpd / "x.cosigned"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(ind / "keys" / "tls.crt", ind / "keys" / "tls.key")
        c = http.client.HTTPSConnection("127.0.0.1", jpport, timeout=10, context=context)
        c.request("GET", f"/ledger/{uuid}/checkpoint.cosigned")
        note = c.getresponse().read()
        r = verify_ledger.cosigned(note, f"entente/jp/{uuid}", bytes.fromhex(logs["JP"]), {NAME: bytes.fromhex(made["public"])})
        check("its cosignature verifies under the node's ledger", r["ok"], r)

        # Killed and started again, it holds what it cosigned.
        witness.kill()
        witness.wait()
        witness, _ = start("witness", "run", "--dir", wdir, log=tmp / "w.log")
        processes.append(witness)
        again = [json.loads(x) for x in run("-o", "json", "witness", "list", "--dir", wdir).stdout.splitlines()]
        check("kill -9 loses no head", all(h["size"] >= g["size"] for h, g in zip(again, heads) if g["size"]), (heads, again))
        check("an old head is not cosigned again", post(wport, "/add-checkpoint", b"old 0\n\n" + note)[0] == 409)

        # Evidence, opened leaves, reconciliation.
        package, opened = tmp / "e.json", tmp / "o.json"
        run("ledger", "evidence", "--with", "JP", "--dir", ind, "--object", objects[0]["id"], "--out", package)
        v = run("ledger", "verify", package)
        check("the package verifies", "JP released" in v.stdout and "IN acknowledges" in v.stdout, v.stdout)
        second = subprocess.run([sys.executable, SOURCE / "tools" / "verify_ledger.py", "evidence", package], capture_output=True, text=True)
        check("and with the second verifier", second.returncode == 0, second.stdout + second.stderr)
        check("not under another text of the agreement", run("ledger", "verify", package, "--text", "0" * 64, status=None).returncode == 1)
        package.write_text(package.read_text().replace('"JP"', '"JQ"', 1))
        check("altered: no", run("ledger", "verify", package, status=None).returncode in (1, 2))
        check("of an object that never went: none", run("ledger", "evidence", "--with", "JP", "--dir", ind, "--object", objects[5]["id"], status=None).returncode in (1, 2))
        leaves = [json.loads(x) for x in run("-o", "json", "ledger", "private", "--dir", jpd).stdout.splitlines()]
        kinds = {x["kind"] for x in leaves}
        check("the private log holds decisions, operators, configuration, keys and clock", {"decision", "operator", "config", "key", "clock"} <= kinds, kinds)
        first = next(x["leaf"] for x in leaves if x["kind"] == "config")
        run("ledger", "open-private", "--dir", jpd, "--leaf", first, "--out", opened)
        v = run("ledger", "verify", opened)
        check("an opened leaf was anchored before", "the private log of JP had these" in v.stdout, v.stdout)
        late = leaves[-1]["leaf"]
        check("what is not anchored yet is not opened", run("ledger", "open-private", "--dir", jpd, "--leaf", late, status=None).returncode in (1, 2))
        rows = lambda folder, other: {(x["result"]["from"], x["result"]["to"]): x for x in map(json.loads, run("-o", "json", "ledger", "reconcile", "--with", other, "--dir", folder, status=None).stdout.splitlines())}
        wait_for("the reconciliation says up to which leaf the partner has all", lambda: "entitled_upto" in rows(ind, "JP").get(("JP", "IN"), {"result": {}})["result"])
        here, there = rows(ind, "JP"), rows(jpd, "IN")
        check("withheld is said to the side that withholds", "withheld" in there[("JP", "IN")], there)
        check("and not to its partner", "withheld" not in here[("JP", "IN")], here)
    finally:
        for p in processes:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(15)
                except subprocess.TimeoutExpired:
                    p.kill()
    if failures:
        for log in tmp.glob("*.log"):
            print(log.name, log.read_text()[-1500:])
    return failures


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the nodes end with it
    with tempfile.TemporaryDirectory(prefix="entente-witness-") as folder:
        sys.exit(1 if main(folder) else 0)
