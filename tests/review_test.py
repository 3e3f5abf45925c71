#!/usr/bin/env python3
"""Review by people, on two real nodes: what is marked amber waits at JP until two persons have approved it, none of them who published it.

    review_test.py ENTENTE
"""
import json, pathlib, subprocess, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import crash_test as nodes  # noqa: E402  Node, agree

AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
FAILED = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def indicator(mark):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "pattern_type": "stix", "pattern": "[domain-name:value = 'x.example']", "valid_from": "2026-01-01T00:00:00Z", "object_marking_refs": [mark]}


def eventually(what, seconds=20):
    end = time.time() + seconds
    while not what() and time.time() < end:
        time.sleep(0.1)
    return what()


def main():
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        india, japan = nodes.Node(str(home / "in"), "IN"), nodes.Node(str(home / "jp"), "JP")
        config = home / "jp" / "entente.toml"
        text = config.read_text()
        assert "[policy]" in text and "review_from_tlp" in text, "init writes the settings for review"
        config.write_text(text.replace("[policy]", '[policy]\nreview_from_tlp = "amber"\nreview_persons = 2', 1))
        india.start()
        japan.start()
        try:
            nodes.agree(home, [india, japan])
            people = {}
            for name, role in (("mori", "publisher"), ("mori-officer", "release-officer"), ("aiko", "release-officer"), ("ben", "release-officer"), ("cho", "analyst")):
                made = json.loads(nodes.run("token", "new", name, "--role", role, "--dir", japan.dir, "-o", "json"))
                people[name] = home / f"{name}.token"
                people[name].write_text(made["token"])
                people[name].chmod(0o600)

            pin = json.loads((home / "jp" / "party.json").read_text())["tls_spki_sha256"][0]

            def jp(person, *args):
                r = subprocess.run([nodes.ENTENTE, *args, "--url", f"https://127.0.0.1:{japan.port}", "--token-file", str(people[person]), "--pin", pin],
                                   capture_output=True, text=True, timeout=60)
                return r.returncode, r.stdout + r.stderr

            mine = [indicator(AMBER), indicator(nodes.GREEN)]
            file = home / "objects.json"
            file.write_text(json.dumps({"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": mine}))
            status, out = jp("mori", "publish", str(file))
            check("a publisher publishes", status == 0, out)
            received = india.collection("received-")
            check("what is green goes without anybody", eventually(lambda: mine[1]["id"] in india.ids(received)))
            amber = mine[0]["id"]
            status, out = jp("cho", "release", "review")
            check("an analyst sees what waits, for whom, and who published it", status == 0 and amber in out and "0 of 2" in out and "mori" in out, out)
            print(out)
            status, out = jp("cho", "release", "approve", amber, "--to", "IN")
            check("an analyst approves nothing", status != 0, out)
            status, out = jp("aiko", "release", "approve", amber, "--to", "IN")
            check("the first approval says that it waits for more", status == 0 and "1 of 2" in out, out)
            print(out)
            status, out = jp("aiko", "release", "approve", amber, "--to", "IN")
            check("one person's second word is refused, with the rule", status != 0 and "another" in out, out)
            print(out)
            time.sleep(1)
            check("one person is not two", amber not in india.ids(received))
            status, out = jp("ben", "release", "approve", amber, "--to", "IN")
            check("the second person's approval is enough", status == 0 and "2 of 2" in out, out)
            check("then it goes", eventually(lambda: amber in india.ids(received)))
            status, out = jp("cho", "release", "review")
            check("nothing waits any more", "nothing waits" in out, out)
            status, out = jp("ben", "release", "decline", amber, "--to", "IN", "--reason", "late")
            check("what does not wait is not declined, and the list is named", status != 0 and "release review" in out, out)
            print(out)
            agreement = home / "agreement.json"
            status, out = jp("cho", "agreement", "simulate", str(agreement), "--days", "1", "--from", "JP", "--to", "IN")
            check("what was published in the last day, under a text", status == 0 and amber in out and "of what was published in the last 1 day" in out, out)
            print(out)
            refused = subprocess.run([nodes.ENTENTE, "agreement", "simulate", str(agreement), "--from", "JP", "--to", "IN"], capture_output=True, text=True, timeout=60)
            check("no objects: says what to give", refused.returncode != 0 and "--days" in refused.stderr, refused)
        finally:
            india.kill()
            japan.kill()
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
