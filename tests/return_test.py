#!/usr/bin/env python3
"""`on_end: return` on two real nodes: what is over its term is handed back, nothing is destroyed while the originator is away, and both ends see how far it is.

    return_test.py ENTENTE
"""
import json, pathlib, sys, tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import consent_test as lab  # noqa: E402  agree, cli, must, until
import crash_test as nodes  # noqa: E402

check, cli, must, until = lab.check, lab.cli, lab.must, lab.until


def hands_back(text):
    text["retention"] = {**text["retention"], "on_end": "return", "deletion_receipt": "PT72H", "max_days": {"green": 0}}


def main():
    with tempfile.TemporaryDirectory(prefix="entente-return-") as folder:
        home = pathlib.Path(folder)
        japan, india = (nodes.Node(str(home / code.lower()), code) for code in ("JP", "IN"))
        for n in (japan, india):
            n.start()
        try:
            agreement = lab.agree(home, india, japan, hands_back)
            from_japan = "received-jp-" + agreement[9:17]
            given = lab.indicator("over.example")
            lab.publish(home, japan, given)
            until("India has it", lambda: lab.held(india, from_japan, given["id"]))
            files = lambda: [f.name for f in (pathlib.Path(india.dir) / "data").iterdir() if f.is_file() and b"over.example" in f.read_bytes()]
            japan.kill()  # it will not confirm
            done = must(india, "retention", "run")[0]
            check("what is over is handed back, not destroyed", (done["handed_back"], done["destroyed"]) == (1, 0), done)
            done = must(india, "retention", "run")[0]
            check("and waits", (done["handed_back"], done["destroyed"], done["waiting"]) == (0, 0, 1), done)
            check("its text is here still", files() != [])
            status, out, err = cli(india, "retention", "list", table=True)
            check("the list says what it waits for, and until when", status == 0 and "waits for the confirmation until" in out and "over.example" not in out, out + err)
            india.kill()
            for n in (india, japan):
                n.start()
            returned = lambda n: [o for o in must(n, "retention", "list") if "state" in o]
            until("the originator has confirmed", lambda: [(r["by"], r["to"], r["state"], r["objects"]) for r in returned(japan)] == [("IN", "JP", "confirmed", 1)] or returned(japan))
            until("then it is destroyed, without a person's word", lambda: [r["state"] for r in returned(india)] == ["destroyed"] or returned(india))
            until("no file of the node holds it", lambda: files() == [] or files())
            until("and the originator has the receipt", lambda: json.loads(cli(japan, "recall", "--status", given["id"])[1].splitlines()[0])["holders"][0]["destroyed"] is not None)
            for n in (japan, india):
                check(f"the ledgers of {pathlib.Path(n.dir).name} audit", cli(n, "ledger", "audit")[0] == 0)
        finally:
            for n in (japan, india):
                if n.process and n.process.poll() is None:
                    n.process.terminate()
                    n.process.wait(15)
    print(f"return: {len(lab.FAILED)} failed", flush=True)
    return 1 if lab.FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
