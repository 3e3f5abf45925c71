#!/usr/bin/env python3
"""Two verifiers of evidence packages that share no code agree: packages that a node made are whole, altered ones are found.

    evidence_oracle.py ENTENTE_EXCHANGE_TEST [ENTENTE]

The unit tests write their packages; tools/verify_ledger.py (and the program, if it is given) judge each.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "verify_ledger.py"


def main():
    with tempfile.TemporaryDirectory(prefix="entente-evidence-") as folder:
        env = dict(os.environ, ENTENTE_EVIDENCE_OUT=folder)
        r = subprocess.run([sys.argv[1], "--gtest_filter=EvidencePackage.*", "--gtest_brief=1"], env=env, capture_output=True, text=True, timeout=300)
        if r.returncode != 0:
            raise SystemExit("evidence_oracle: the unit tests failed\n" + r.stdout[-3000:])
        whole = altered = 0
        for file in sorted(pathlib.Path(folder).iterdir()):
            good = not file.name.startswith("bad-")
            out = subprocess.run([sys.executable, TOOL, "evidence", file, "-o", "json"], capture_output=True, text=True, timeout=120)
            verdicts = {"verify_ledger.py": (out.returncode, out.stdout + out.stderr)}
            if len(sys.argv) > 2:
                out = subprocess.run([sys.argv[2], "-o", "json", "ledger", "verify", file], capture_output=True, text=True, timeout=120)
                # An altered package may be no JSON any more: that is 2.
                verdicts["entente"] = (out.returncode, out.stdout + out.stderr)
            for who, (code, said) in verdicts.items():
                if (code == 0) != good:
                    raise SystemExit(f"evidence_oracle: {who} says {code} of {file.name}: {said[:500]}")
            whole, altered = whole + good, altered + (not good)
        if whole < 8 or altered < 6:
            raise SystemExit(f"evidence_oracle: only {whole} whole and {altered} altered packages")
        print(json.dumps({"whole": whole, "altered": altered, "agree": True}))


if __name__ == "__main__":
    main()
