"""The two verifiers agree: ledgers that the product wrote are damaged at random, and the program (`entente ledger`) and the second
verifier (tools/verify_ledger.py, written from the format alone) must give the same verdict and name the same first bad entry.

  ledger_oracle.py ENTENTE LEDGER_CASES [COUNT [SEED]]
"""
import base64
import hashlib
import importlib.util
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("verify_ledger", ROOT / "tools" / "verify_ledger.py")
second = importlib.util.module_from_spec(spec)
spec.loader.exec_module(second)


def product(entente, *args):
    run = subprocess.run([entente, "ledger", *args, "-o", "json"], capture_output=True, text=True, timeout=60)
    assert run.returncode in (0, 1), f"exit {run.returncode}: {run.stderr}"
    return json.loads(run.stdout)


def second_audit(folder, origin, key):
    try:
        return second.Audit(second.Folder(folder)).run(origin, key)
    except second.No as no:
        return {"ok": False, "bad_entry": None, "problem": str(no)}


def second_proof(path, origin, key):
    try:
        return second.check_proof(pathlib.Path(path).read_bytes(), origin, key)
    except second.No as no:
        return {"ok": False, "problem": str(no)}


def files_of(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())


def rewrite(path, data):
    path.unlink()  # the copy is of hard links: never write through one
    path.write_bytes(data)


def damage_octets(rng, data):
    """Some octets changed, lost or added."""
    data = bytearray(data)
    kind = rng.choice(["flip", "flip", "flip", "cut", "cut_end", "grow", "insert", "empty"])
    at = rng.randrange(len(data)) if data else 0
    if kind == "flip" and data:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == "cut" and data:
        del data[at : at + rng.randrange(1, 40)]
    elif kind == "cut_end" and data:
        del data[-rng.randrange(1, min(len(data), 70) + 1) :]
    elif kind == "grow":
        data += rng.randbytes(rng.randrange(1, 70))
    elif kind == "insert":
        data[at:at] = rng.randbytes(rng.randrange(1, 40))
    else:
        data.clear()
    return f"{kind} at {at}", bytes(data)


def damage_entries(rng, folder):
    """One entry is exchanged for another text, or two change places; sometimes their hashes are made to fit, level by level: what
    somebody does who owns the files but not the key."""
    bundles = [p for p in files_of(folder) if "/tile/entries/" in str(p)]
    assert bundles
    path = rng.choice(bundles)
    entries, _, clean = second.parse_bundle(path.read_bytes())
    assert clean
    assert entries
    i = rng.randrange(len(entries))
    j = rng.randrange(len(entries))
    if i != j and rng.random() < 0.4:
        entries[i], entries[j] = entries[j], entries[i]
        what = f"entries {i} and {j} of {path} change places"
    else:
        entries[i] = entries[i][:-3] + bytes([rng.randrange(256)]) + entries[i][-2:]
        what = f"entry {i} of {path} is another"
    rewrite(path, b"".join(len(e).to_bytes(2, "big") + e for e in entries))
    level = 0
    tile = pathlib.Path(str(path).replace("/tile/entries/", "/tile/0/"))
    hashes = [second.leaf_hash(e) for e in entries]
    while rng.random() < 0.6 and tile.exists():
        rewrite(tile, b"".join(hashes))
        what += f", {tile} made to fit"
        if len(hashes) < 256:
            break
        # The hash of this tile in the one above: only for the first 256 tiles, which are enough here.
        name = tile.name
        level += 1
        above = [p for p in files_of(folder) if f"/tile/{level}/" in str(p) and (p.name == "000" or p.parent.name == "000.p")]
        if not above or not name.isdigit():
            break
        tile = max(above, key=lambda p: p.stat().st_size)
        data = bytearray(tile.read_bytes())
        n = int(name)
        if n * 32 + 32 > len(data):
            break
        data[n * 32 : n * 32 + 32] = second.tree_root(hashes)
        hashes = [bytes(data[k : k + 32]) for k in range(0, len(data), 32)]
    return what


def damage_note(rng, note, key):
    """The signed head altered in ways that text allows."""
    lines = note.decode().split("\n")
    kind = rng.randrange(7)
    if kind == 0:
        lines[1] = str(int(lines[1]) + rng.choice([-1, 1, 256]))
    elif kind == 1:
        lines[1] = "0" + lines[1]
    elif kind == 2:
        lines.insert(3, "extension")
    elif kind == 3:
        lines[-1:] = ["\u2014 witness.example " + base64.b64encode(rng.randbytes(76)).decode(), ""]  # of another: ignored
    elif kind == 4:
        # R or the whole signature of small order, or S + L: what lenient verifiers take.
        blob = bytearray(base64.b64decode(lines[-2].split(" ")[2]))
        which = rng.randrange(3)
        if which == 0:
            blob[4:36] = (1).to_bytes(32, "little")
        elif which == 1:
            blob[36:68] = bytes(32)
        else:
            s = int.from_bytes(blob[36:68], "little") + second.L
            blob[36:68] = (s % 2**256).to_bytes(32, "little")
        lines[-2] = " ".join(lines[-2].split(" ")[:2] + [base64.b64encode(blob).decode()])
    elif kind == 5:
        lines[-2] = lines[-2] + " "
    else:
        lines.insert(len(lines) - 1, lines[-2])
    return f"checkpoint, kind {kind}", "\n".join(lines).encode()


def main():
    entente, cases = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else int(os.environ.get("ENTENTE_ORACLE_CASES", 700))
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="entente_ledger."))
    try:
        origin, key_hex = subprocess.run([cases, str(tmp)], capture_output=True, text=True, check=True).stdout.split()
        key = bytes.fromhex(key_hex)
        sizes = sorted(int(p.name) for p in tmp.iterdir() if p.name.isdigit())
        where = ["--origin", origin, "--key", key_hex]
        for size in sizes:
            folder = str(tmp / str(size))
            ours = product(entente, "audit", "--ledger", folder, *where)
            theirs = second_audit(folder, origin, key)
            assert ours["ok"] and theirs["ok"] and ours["entries"] == theirs["entries"] == size, (size, ours, theirs)
            leaves = second.leaves(second.Folder(folder), origin, key)
            assert leaves["ok"] and leaves["entries"] == size, leaves
            older = tmp / f"{size}.older"
            if older.exists():
                assert second.extends(second.Folder(folder), older.read_bytes(), origin, key)["ok"]
        print(f"{len(sizes)} whole ledgers of {sizes[0]} to {sizes[-1]:,} entries: both say yes")

        verdicts = {"yes": 0, "no": 0, "named": 0}
        for i in range(count):
            rng = random.Random(seed * 1_000_003 + i)
            size = rng.choice([s for s in sizes if s < 2000] * 12 + sizes[-1:])
            folder = tmp / "damaged"
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run(["cp", "-al", str(tmp / str(size)), str(folder)], check=True)
            what = []
            for _ in range(rng.choice([1, 1, 1, 2])):
                kind = rng.random()
                if kind < 0.45:
                    path = rng.choice(files_of(folder))
                    if rng.random() < 0.1:
                        path.unlink()
                        what.append(f"{path} is gone")
                    else:
                        how, data = damage_octets(rng, path.read_bytes())
                        rewrite(path, data)
                        what.append(f"{path}: {how}")
                elif kind < 0.8:
                    try:
                        what.append(damage_entries(rng, folder))
                    except AssertionError:
                        pass  # an earlier damage left no bundle to work on
                else:
                    path = folder / "checkpoint"
                    if path.exists() and path.read_bytes().count(b"\n") > 4:
                        try:
                            how, data = damage_note(rng, path.read_bytes(), key)
                        except (ValueError, IndexError, UnicodeDecodeError):
                            continue
                        rewrite(path, data)
                        what.append(how)
            ours = product(entente, "audit", "--ledger", str(folder), *where)
            theirs = second_audit(folder, origin, key)
            if (ours["ok"], ours["bad_entry"]) != (theirs["ok"], theirs["bad_entry"]):
                print(f"case {i} (size {size}): {what}\n  program: {ours}\n  second:  {theirs}\n  repeat: ledger_oracle.py … 1 with seed of case", file=sys.stderr)
                return 1
            verdicts["yes" if ours["ok"] else "no"] += 1
            verdicts["named"] += ours["bad_entry"] is not None
        print(f"{count} damaged ledgers: the same verdict and the same entry; {verdicts['no']} found ({verdicts['named']} with the entry), "
              f"{verdicts['yes']} not harmed (a file that no checkpoint needs, a signature of somebody else)")
        assert verdicts["no"] > count * 0.6 and verdicts["named"] > count * 0.2, "the damage does not bite"

        proofs = sorted(tmp.glob("*.proof"))
        for path in proofs:
            assert product(entente, "verify", str(path), *where)["ok"] and second_proof(path, origin, key)["ok"], path
        refused = 0
        for i in range(count // 2):
            rng = random.Random(seed * 2_000_003 + i)
            data = rng.choice(proofs).read_bytes()
            if rng.random() < 0.7:
                how, data = damage_octets(rng, data)
            else:
                head, _, note = data.partition(b"\n\n")
                lines = head.split(b"\n")
                how = rng.choice(["drop", "double", "swap", "index"])
                if how == "drop" and len(lines) > 3:
                    del lines[rng.randrange(3, len(lines))]
                elif how == "double" and len(lines) > 3:
                    lines.append(lines[-1])
                elif how == "swap" and len(lines) > 4:
                    lines[3], lines[4] = lines[4], lines[3]
                else:
                    lines[2] = b"index " + str(rng.randrange(2**64 + 5)).encode()
                data = b"\n".join(lines) + b"\n\n" + note
            path = tmp / "damaged.proof"
            path.write_bytes(data)
            # Of what is no proof file at all the program only says so, on standard error.
            run = subprocess.run([entente, "ledger", "verify", str(path), *where, "-o", "json"], capture_output=True, timeout=60)
            if run.stdout or not run.stderr:
                json.loads(run.stdout)  # whatever the entry holds: found by this test when it did not
            ours = run.returncode == 0
            theirs = second_proof(path, origin, key)["ok"]
            if ours != theirs or run.returncode not in (0, 1, 2):
                print(f"proof {i} ({how}): program {run.returncode} {run.stdout!r}{run.stderr!r}, second {second_proof(path, origin, key)}", file=sys.stderr)
                return 1
            refused += not ours
        print(f"{count // 2} damaged proofs of {len(proofs)}: the same verdict; {refused} refused")
        assert refused > count // 2 * 0.8

        # What only two signed heads together show, each file being whole in itself.
        head = {name: (tmp / name / "checkpoint").read_bytes() for name in ("257", "700", "fork")}
        for question, ask, answer in (
            ("truncated", lambda: second.extends(second.Folder(tmp / "257"), head["700"], origin, key), "history was cut"),
            ("rewritten", lambda: second.extends(second.Folder(tmp / "fork"), (tmp / "700.older").read_bytes(), origin, key), "history was rewritten"),
            ("split view", lambda: second.compare(head["700"], head["fork"], origin, key), "split view"),
        ):
            try:
                ask()
            except second.No as no:
                assert str(no).startswith(answer), no
                print(f"{question}: found: {no}")
            else:
                print(f"{question}: not found", file=sys.stderr)
                return 1
        assert second.compare(head["257"], head["700"], origin, key)["ok"]
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
