#!/usr/bin/env python3
"""Can the conformance suite fail? Without faults the small server of broken_server.py must pass everything that can be tested; with each fault the
numbers that FAULTS names must fail.

    self_test.py [--whole] [FAULT…]      --whole: run every check for each fault and print all that fail, not only those that must
"""
import concurrent.futures, pathlib, sys, tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[2] / "tools")]
from broken_server import FAULTS, certificate, serve  # noqa: E402
from taxii_conformance import main as suite  # noqa: E402
from taxii_conformance.session import CHECKS, Session  # noqa: E402
from taxii_conformance.wire import Wire  # noqa: E402

# Not seen on this server: no fault can be planted in it, or it is no server's business.
NOT_TESTABLE = {"T11", *(f"T{n}" for n in range(77, 83))}
UNPLANTED = {"T1", "T2", "T3", "T4", "T7", "T8", "T14", "T25"}  # TLS of Python cannot be made that bad; or every fault there breaks everything


def run(faults, cert, key, only=None):
    server, port = serve(faults, cert, key)
    try:
        session = Session(Wire(f"https://127.0.0.1:{port}", "Bearer full", ca=cert, timeout=15), others=[{"authorization": f"Bearer {who}", "kind": ""} for who in ("reader", "stranger")])
        return {r.number: r for r in suite.run_all(session, only)}
    finally:
        server.shutdown()
        server.server_close()


def main(wanted, whole):
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        clean = run([], cert, key)
        for n, r in clean.items():
            expected = "not testable" if n in NOT_TESTABLE else "pass"
            if r.result != expected:
                wrong.append(f"without faults {n} is \"{r.result}\": {r.detail}")

        def one(fault):
            results = run([fault], cert, key, None if whole else FAULTS[fault])
            failed = sorted(n for n, r in results.items() if r.result == "fail")
            return fault, failed, [n for n in FAULTS[fault] if n not in failed]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for fault, failed, missed in pool.map(one, wanted or FAULTS):
                print(f"{fault:<24} fails {' '.join(failed)}")
                if missed:
                    wrong.append(f"{fault}: {' '.join(missed)} did not fail")
    planted = {n for numbers in FAULTS.values() for n in numbers}
    for n in CHECKS:
        if n not in planted | NOT_TESTABLE | UNPLANTED:
            wrong.append(f"{n} has no fault that makes it fail")
    for w in wrong:
        print("WRONG", w)
    print(f"{len(wanted or FAULTS)} faults planted, {len(planted)} numbers made to fail; {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    names = [a for a in sys.argv[1:] if a != "--whole"]
    unknown = [f for f in names if f not in FAULTS]
    if unknown:
        sys.exit(f"self_test: no such fault: {unknown[0]}")
    sys.exit(main(names, "--whole" in sys.argv))
