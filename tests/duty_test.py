#!/usr/bin/env python3
"""Duties and the score on two real nodes: a partner that is away is overdue and later late, says so in its own ledger; both ends give the same sheets,
octet by octet, for the same entries.

    duty_test.py ENTENTE
"""
import json, pathlib, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import consent_test as lab  # noqa: E402  agree, cli, must, until
import crash_test as nodes  # noqa: E402

check, cli, must, until = lab.check, lab.cli, lab.must, lab.until


def levels(text):
    def level(name, act, trigger, within, clock):
        return {"id": name, "art": "3(3)", "act": act, "trigger": trigger, "within": within, "clock": clock, "hours": "24x7"}

    text["service_levels"] = [level("sla-routine", "release", {"any": True}, "PT24H", "committed"), level("sla-ack", "acknowledge", {"received": True}, "PT2S", "received"),
                              {**level("sla-visit", "answer", {"request": "visit"}, "PT4H", "received"), "hours": "09:00-17:00"}]
    text["reciprocity"] = {"art": "3(5)", "measure": ["released_objects", "sightings_returned"], "window": "P30D", "consequence": "report"}


def main():
    with tempfile.TemporaryDirectory(prefix="entente-duty-") as folder:
        home = pathlib.Path(folder)
        japan, india = (nodes.Node(str(home / code.lower()), code) for code in ("JP", "IN"))
        for n in (japan, india):
            n.start()
        try:
            agreement = lab.agree(home, india, japan, levels)
            from_japan = "received-jp-" + agreement[9:17]
            status, out, err = cli(india, "duty", "list", table=True)
            check("nothing is due at first", status == 0 and "no duty is open" in out, out + err)
            check("what a clock does not know is named", "kept by people, not by a clock: sla-visit" in out, out)

            first = lab.indicator("first.example")
            lab.publish(home, japan, first)
            until("India has it", lambda: lab.held(india, from_japan, first["id"]))
            seen = {"type": "sighting", "spec_version": "2.1", "id": f"sighting--{uuid.uuid4()}", "created": "2026-01-02T00:00:00.000Z", "modified": "2026-01-02T00:00:00.000Z",
                    "sighting_of_ref": first["id"], "count": 5, "object_marking_refs": [nodes.GREEN]}
            lab.publish(home, india, seen)
            until("its sighting is back", lambda: lab.held(japan, "received-in-" + agreement[9:17], seen["id"]))

            # A receipt may come well after its object: what is overdue below must be what India never saw, not what it had no time to acknowledge.
            until("its receipts are back", lambda: [d["state"] for d in must(japan, "duty", "list", "--all") if d["level"] == "sla-ack" and d["obligor"] == "IN" and d["state"] in ("met", "late")])
            late_of_india = lambda n: sum(d["state"] == "late" and d["obligor"] == "IN" for d in must(n, "duty", "list", "--all"))  # noqa: E731
            before = late_of_india(japan)

            india.kill()
            late = lab.indicator("late.example")
            lab.publish(home, japan, late)
            until("a receipt that does not come is overdue", lambda: any(d["state"] == "overdue" and d["obligor"] == "IN" and d["level"] == "sla-ack" for d in map(json.loads, cli(japan, "duty", "list", "--overdue")[1].splitlines())))
            status, out, err = cli(japan, "duty", "list", "--overdue", table=True)
            check("and the list says whose, since when, and status 1", status == 1 and "acknowledge (sla-ack)" in out and "overdue by" in out, out + err)
            india.start()
            until("India takes it", lambda: lab.held(india, from_japan, late["id"]))
            until("and was late", lambda: late_of_india(india) == before + 1)
            until("India says so in its own ledger", lambda: must(japan, "score", "partner", "IN")[0]["sheet"]["parties"]["IN"]["breaches_admitted"] == before + 1, 60)

            # The same question to both: entries that both have, and one end of the window.
            one = must(japan, "score", "partner", "IN")[0]["sheet"]
            entries = ",".join(f"{party}={n}" for party, n in one["entries"].items())
            same = ["--entries", entries, "--since", one["since"], "--until", one["until"]]
            until("both hold those entries", lambda: cli(india, "score", "partner", "JP", *same)[0] == 0)
            there = must(india, "score", "partner", "JP", *same)[0]
            here = must(japan, "score", "partner", "IN", *same)[0]
            check("both ends compute the same score, octet by octet", there["sha256"] == here["sha256"] and there["sheet"] == here["sheet"], (there, here))
            jp, in_ = here["sheet"]["parties"]["JP"], here["sheet"]["parties"]["IN"]
            check("it counts what was released, acknowledged, and what came back", jp["released"].get("indicator") == 2 and jp["acknowledged"] == jp["releases"] and in_["sightings_returned"] == 1 and in_["hits_reported"] == 5, here["sheet"])
            check("and the levels that were kept or missed", in_["duties"]["sla-ack"]["late"] == before + 1 and jp["duties"]["sla-routine"]["met"] >= 2, (jp["duties"], in_["duties"]))
            page = cli(japan, "score", "partner", "IN", table=True)[1]
            check("the sheet is a page for people", all(w in page for w in ("sightings returned", "duty sla-ack", "SHA-256", "withheld here")), page)
            status, out, err = cli(india, "score", "partner", "JP", "--entries", "JP=999999")
            check("what a node does not hold it does not guess", status != 0 and "holds" in err, err)
            for n in (japan, india):
                check(f"the ledgers of {pathlib.Path(n.dir).name} audit", cli(n, "ledger", "audit")[0] == 0)
        finally:
            for n in (japan, india):
                if n.process and n.process.poll() is None:
                    n.process.terminate()
                    n.process.wait(15)
    print(f"duty: {len(lab.FAILED)} failed", flush=True)
    return 1 if lab.FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
