#!/usr/bin/env python3
"""The whole conformance suite on a real node, and docs/taxii-conformance.md is what it says.

    node_test.py ENTENTE SOURCE_DIR

Two nodes with an agreement in force: the suite is run at one of them as its own people (all rights, and beside them an auditor and a liaison), with
Basic instead of a token, and as the partner, by client certificate. ENTENTE_WRITE_DOCS=1 writes the page anew.
"""
import json, os, pathlib, subprocess, sys, tempfile

sys.dont_write_bytecode = True
ENTENTE, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests"))
sys.argv[1:] = [ENTENTE]  # crash_test reads it too
import crash_test as nodes  # noqa: E402  its Node and agree()

SUITE = [sys.executable, str(SOURCE / "tools" / "taxii-conformance")]
# What no run from outside can show, whoever asks.
NEVER = {"T11", *(f"T{n}" for n in range(77, 83))}
PASSWORD = "conformance-run-4711"


def suite(node, *more):
    r = subprocess.run([*SUITE, f"https://127.0.0.1:{node.port}", "--ca", f"{node.dir}/keys/tls.crt", "-o", "json", *more], capture_output=True, text=True, timeout=300)
    if r.returncode == 2 or not r.stdout:
        raise SystemExit(f"node_test: the suite did not run: {r.stderr}")
    return r.returncode, {x["number"]: x for x in map(json.loads, r.stdout.splitlines())}


def judge(what, got, not_testable):
    status, results = got
    n = {k: sum(x["result"] == k for x in results.values()) for k in ("pass", "fail", "not testable")}
    print(f"{what}: {n['pass']} pass, {n['fail']} fail, {n['not testable']} not testable")
    bad = [f"{x['number']} {x['detail']}" for x in results.values() if x["result"] == "fail"]
    bad += [f"{x['number']} is not testable: {x['detail']}" for x in results.values() if x["result"] == "not testable" and x["number"] not in not_testable]
    if status != (1 if n["fail"] else 0):
        bad.append(f"exit status {status}")
    for b in bad:
        print(f"WRONG {what}: {b}")
    return not bad


def main(tmp):
    tmp = pathlib.Path(tmp)
    a, b = pair = [nodes.Node(str(tmp / "in"), "IN"), nodes.Node(str(tmp / "jp"), "JP")]
    try:
        for n in pair:
            n.start()
        nodes.agree(tmp, pair)
        token = {role: nodes.run("token", "new", f"c-{role}", "--role", role, "--dir", a.dir).split()[0] for role in ("auditor", "liaison")}
        (tmp / "password").write_text(PASSWORD)
        nodes.run("account", "add", "carol", "--role", "analyst", "--password-file", tmp / "password", "--dir", a.dir)
        also = [x for t in token.values() for x in ("--also", f"bearer:{t}")]
        page = tmp / "page.md"
        good = [judge("as admin", suite(a, "--token", a.token, *also, "--doc", str(page), "--doc-server", "an entente node, asked as its own people, beside them an auditor and a liaison"), NEVER)]
        # R8 needs a token. The rest is the same by Basic, the one scheme that every client has.
        good.append(judge("with Basic", suite(a, "--user", "carol", "--password", PASSWORD, *also), NEVER | {"R8"}))
        # The partner reads what was released to it, by its key. It writes nothing here.
        cert = ["--cert", f"{b.dir}/keys/tls.crt", "--cert-key", f"{b.dir}/keys/tls.key"]
        status, results = suite(a, *cert)
        good.append(judge("as partner", (status, {k: v for k, v in results.items() if v["result"] != "not testable"}), set()))
        good.append(sum(r["result"] == "pass" for r in results.values()) > 40 or print("WRONG as partner: hardly anything could be tested"))
        doc = SOURCE / "docs" / "taxii-conformance.md"
        if os.environ.get("ENTENTE_WRITE_DOCS"):
            doc.write_text(page.read_text())
        elif not doc.exists() or doc.read_text() != page.read_text():
            print("WRONG docs/taxii-conformance.md is not what this run gives: run this test with ENTENTE_WRITE_DOCS=1")
            good.append(False)
        # What cannot be asked is status 2, not a pass.
        r = subprocess.run([*SUITE, f"https://127.0.0.1:{nodes.free_port()}"], capture_output=True, text=True, timeout=60)
        if r.returncode != 2 or "cannot be asked" not in r.stderr:
            print(f"WRONG nobody there: status {r.returncode}")
            good.append(False)
        return 0 if all(good) else 1
    finally:
        for n in pair:
            if n.process and n.process.poll() is None:
                n.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente-conformance-") as folder:
        sys.exit(main(folder))
