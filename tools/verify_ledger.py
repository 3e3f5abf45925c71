#!/usr/bin/env python3
"""A second verifier of entente's ledgers, written from docs/format/ledger.md and from nothing else.

  tools/verify_ledger.py audit FOLDER --origin NAME --key HEX      every entry, every tile, the signed root
  tools/verify_ledger.py leaves FOLDER --origin NAME --key HEX     each leaf canonical, each writer's chain unbroken
  tools/verify_ledger.py proof FILE --origin NAME --key HEX        one entry is in the log
  tools/verify_ledger.py extends FOLDER CHECKPOINT --origin NAME --key HEX
                                                                   the log still holds what an older checkpoint signed
  tools/verify_ledger.py compare CHECKPOINT CHECKPOINT --origin NAME --key HEX
                                                                   two heads of one size with two roots: a split view
  tools/verify_ledger.py cosigned CHECKPOINT --origin NAME --key HEX --witness NAME=HEX [--witness …]
                                                                   each of these witnesses cosigned the head, and when
  tools/verify_ledger.py evidence FILE [--text HEX]                an evidence package: every part, with nothing but the file

Standard library, and the package `cryptography` for Ed25519. It shares no code with the program, so that two parties who trust neither
each other nor one vendor can each check with a program of their own. With -o json, one object. Exit: 0 yes, 1 no, 2 could not run.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import sys

WIDTH = 256
LEVELS = 8


class No(Exception):
    """The answer is no; the text says why."""


# --- Ed25519: RFC 8032, cofactorless, S < L, no key and no R of small order, no second encoding of the key ---------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def decode_point(raw):
    """(x, y) of 32 octets, or None if they are no point. An encoding with y >= p is taken modulo p."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    y %= P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    if x & 1 != raw[31] >> 7:
        x = -x % P
    return x, y


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P)


def small_order(raw):
    point = decode_point(raw)
    if point is None:
        return False  # no point at all: the signature cannot fit
    for _ in range(3):
        point = add(point, point)
    return point == (0, 1)


def signed(key, message, signature):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(key) != 32 or len(signature) != 64:
        return False
    if int.from_bytes(key, "little") & (2**255 - 1) >= P or int.from_bytes(signature[32:], "little") >= L:
        return False
    if small_order(key) or small_order(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# --- hashes -------------------------------------------------------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    """RFC 6962 section 2.1, by its definition."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    # Pair up level by level; an odd one out goes up as it is. That is the same tree as splitting at powers of two.
    while len(hashes) > 1:
        paired = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = paired + ([hashes[-1]] if len(hashes) % 2 else [])
    return hashes[0]


def b64(text, length=None):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise No("not base64") from None
    if base64.b64encode(raw) != (text if isinstance(text, bytes) else text.encode()):
        raise No("base64 with unused bits that are not zero")
    if length is not None and len(raw) != length:
        raise No(f"{len(raw)} octets where {length} belong")
    return raw


def number(text):
    if not re.fullmatch(r"0|[1-9][0-9]*", text, re.A) or int(text) >= 2**64:
        raise No(f"not a number: {text[:30]!r}")
    return int(text)


# --- checkpoint ---------------------------------------------------------------------------------------------------


def open_checkpoint(note, origin, key):
    """(size, root) of a signed head."""
    if len(note) > 64 * 1024:
        raise No("checkpoint: longer than 64 KiB")
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError:
        raise No("checkpoint: not UTF-8") from None
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise No("checkpoint: control characters")
    gap = text.rfind("\n\n")
    if gap < 0:
        raise No("checkpoint: not a signed note")
    body, tail = text[: gap + 1], text[gap + 2 :]
    lines = body.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise No("checkpoint: not exactly three lines")
    if not tail.endswith("\n"):
        raise No("checkpoint: no signature line, or one without its end")
    size = number(lines[1])
    root = b64(lines[2], 32)
    if lines[0] != origin:
        raise No("checkpoint: of another log")
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    good = False
    signatures = tail[:-1].split("\n")
    if len(signatures) > 100:
        raise No("checkpoint: more than 100 signatures")
    for line in signatures:
        match = re.fullmatch("\u2014 ([^ ]+) (.*)", line)
        if not match:
            raise No("checkpoint: malformed signature line")
        blob = b64(match[2])
        if len(blob) < 5:
            raise No("checkpoint: malformed signature line")
        if match[1] != origin or blob[:4] != key_id:
            continue
        if not signed(key, body.encode(), blob[4:]):
            raise No("checkpoint: the log's signature does not fit")
        good = True
    if not good:
        raise No("checkpoint: not signed by the log's key")
    return size, root


def cosigned(note, origin, key, witnesses):
    """C2SP tlog-cosignature, cosignature/v1: which of the witnesses {name: key} cosigned this head, and at which second."""
    size, _ = open_checkpoint(note, origin, key)
    body, tail = note.decode().rsplit("\n\n", 1)
    body += "\n"
    found = {}
    for line in tail[:-1].split("\n"):
        name, blob = re.fullmatch("\u2014 ([^ ]+) (.*)", line).groups()
        blob = b64(blob)
        if name not in witnesses or name in found or blob[:4] != hashlib.sha256(name.encode() + b"\n\x04" + witnesses[name]).digest()[:4]:
            continue
        seconds = int.from_bytes(blob[4:12], "big")
        text = f"cosignature/v1\ntime {seconds}\n{body}"
        if len(blob) != 76 or not signed(witnesses[name], text.encode(), blob[12:]):
            raise No(f"the cosignature of {name} does not fit")
        found[name] = seconds
    missing = sorted(set(witnesses) - set(found))
    return {"ok": not missing, "size": size, "cosigned": found, "bad_entry": None, "problem": "not cosigned by " + ", ".join(missing) if missing else ""}


# --- files --------------------------------------------------------------------------------------------------------


def tile_name(level, n, width):
    """level is a number, or "entries"."""
    groups = [f"{n % 1000:03d}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03d}")
    name = f"tile/{level}/{'/'.join(groups)}"
    return name if width == WIDTH else f"{name}.p/{width}"


class Folder:
    def __init__(self, path):
        self.path = path

    def read(self, name, most):
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                data = file.read(most + 1)
        except OSError as error:
            raise No(f"{name}: {error.strerror}") from None
        if len(data) > most:
            raise No(f"{name}: longer than {most} octets")
        return data

    def checkpoint(self):
        return self.read("checkpoint", 64 * 1024)

    def partial_widths(self, level, n):
        folder = os.path.join(self.path, tile_name(level, n, WIDTH) + ".p")
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        return sorted(int(x) for x in names if re.fullmatch(r"[1-9][0-9]{0,2}", x, re.A) and int(x) < WIDTH)


def parse_bundle(data):
    """Entries that are whole, the offset after each, and whether nothing was left over."""
    entries, ends, at = [], [], 0
    while at + 2 <= len(data) and len(entries) < WIDTH:
        length = int.from_bytes(data[at : at + 2], "big")
        if length == 0 or at + 2 + length > len(data):
            return entries, ends, False
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
        ends.append(at)
    return entries, ends, at == len(data)


def read_bundle(folder, n, size):
    width = min(WIDTH, size - n * WIDTH)
    name = tile_name("entries", n, width)
    data = folder.read(name, WIDTH * (2 + 65535))
    entries, ends, clean = parse_bundle(data)
    return name, width, data, entries, ends, clean and len(entries) == width


# --- the audit ----------------------------------------------------------------------------------------------------


class Audit:
    def __init__(self, folder):
        self.folder = folder
        self.leaves = []  # hash of each entry that could be read
        self.bad_bundle = None  # (entry, text)
        self.bad_leaf = None
        self.bad_tile = None
        self.bad_partial = None

    def run(self, origin, key):
        size, root = open_checkpoint(self.folder.checkpoint(), origin, key)
        for n in range((size + WIDTH - 1) // WIDTH):
            self.entries(n, size)
            if self.bad_bundle:
                return self.verdict(size, False)
        level_hashes, level = self.leaves, 0
        while True:
            level_hashes = [tree_root(level_hashes[i : i + WIDTH]) for i in range(0, len(level_hashes) - WIDTH + 1, WIDTH)]
            level += 1
            if not level_hashes or level >= LEVELS:
                break
            self.level(level, level_hashes)
        return self.verdict(size, tree_root(self.leaves) == root)

    def verdict(self, size, root_fits):
        if self.bad_bundle:
            bad, text = self.bad_leaf or self.bad_bundle
        elif root_fits:
            bad, text = (None, self.bad_tile) if self.bad_tile else self.bad_partial or (None, None)
        elif self.bad_leaf:
            bad, text = self.bad_leaf
        else:
            bad, text = None, self.bad_tile or "entries and tiles agree with each other, but not with the signed root"
        return {"ok": text is None, "entries": len(self.leaves), "size": size, "bad_entry": bad, "problem": text or ""}

    def note_tile(self, text):
        self.bad_tile = self.bad_tile or text

    def hashes(self, level, n, width):
        name = tile_name(level, n, width)
        try:
            data = self.folder.read(name, WIDTH * 32)
        except No as error:
            self.note_tile(str(error))
            return None
        if len(data) != width * 32:
            self.note_tile(f"{name} is not {width} hashes long")
            return None
        return [data[i : i + 32] for i in range(0, len(data), 32)]

    def entries(self, n, size):
        first = n * WIDTH
        width = min(WIDTH, size - first)
        try:
            name, width, data, entries, ends, whole = read_bundle(self.folder, n, size)
        except No as error:
            self.bad_bundle = (first, str(error))
            return
        entries = entries[:width]
        hashes = [leaf_hash(e) for e in entries]
        tile = self.hashes(0, n, width)
        fault = None
        if tile:
            fault = next((i for i, h in enumerate(hashes) if h != tile[i]), None)
            if fault is not None:
                text = f"entry {first + fault} does not hash to its leaf in {tile_name(0, n, width)}"
                self.bad_leaf = self.bad_leaf or (first + fault, text)
                self.note_tile(text)
        if not whole:
            at = fault if fault is not None else min(len(hashes), width - 1)
            self.bad_bundle = (first + at, f"entry {first + at} of {name} is damaged")
            return
        self.leaves += hashes
        for w in self.folder.partial_widths("entries", n):
            if w < width:
                self.partial_bundle(n, w, data, ends)
        self.partial_tiles(0, n, hashes)

    def partial_bundle(self, n, w, data, ends):
        if self.bad_partial:
            return
        name = tile_name("entries", n, w)
        try:
            part = self.folder.read(name, WIDTH * (2 + 65535))
        except No:
            part = b""
        want = data[: ends[w - 1]]
        if part == want:
            return
        at = next((i for i, (a, b) in enumerate(zip(part, want)) if a != b), min(len(part), len(want)))
        entry = n * WIDTH + next((i for i in range(w) if at < ends[i]), w - 1)
        self.bad_partial = (entry, f"entry {entry} of {name} is not the entry of the longer bundle")

    def partial_tiles(self, level, n, hashes):
        for w in self.folder.partial_widths(level, n):
            if w >= len(hashes):
                continue
            name = tile_name(level, n, w)
            try:
                good = self.folder.read(name, WIDTH * 32) == b"".join(hashes[:w])
            except No:
                good = False
            if not good:
                self.note_tile(f"{name} is not a beginning of the longer tile")

    def level(self, level, hashes):
        for n in range((len(hashes) + WIDTH - 1) // WIDTH):
            want = hashes[n * WIDTH : (n + 1) * WIDTH]
            tile = self.hashes(level, n, len(want))
            if tile and tile != want:
                at = next(i for i in range(len(want)) if tile[i] != want[i])
                text = f"hash {at} of {tile_name(level, n, len(want))} does not fit the tile below"
                self.note_tile(text)
                first = (n * WIDTH + at) * WIDTH**level
                self.bad_leaf = self.bad_leaf or (first, f"entries from {first} on: {text}")
            self.partial_tiles(level, n, want)


# --- leaves -------------------------------------------------------------------------------------------------------

LEAF = {"agr": str, "at": str, "av": str, "body": dict, "by": str, "kind": str, "prev": str, "rcpt": str, "v": int}
HEX64 = re.compile(r"[0-9a-f]{64}")


def canonical(value):
    """RFC 8785 for what a leaf can hold: texts, objects and the number 1. Leaf member names are ASCII."""
    if isinstance(value, dict):
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in sorted(value)) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\x7f")
    return json.dumps(value)


def check_leaf(entry):
    if len(entry) > 4096:
        raise No("longer than 4096 octets")
    try:
        leaf = json.loads(entry.decode("utf-8"))
    except ValueError:
        raise No("not JSON") from None
    if not isinstance(leaf, dict) or canonical(leaf).encode("utf-8", "surrogatepass") != entry:
        raise No("not in canonical form")
    if set(leaf) != set(LEAF) or any(type(leaf[k]) is not t for k, t in LEAF.items()):
        raise No("not exactly the members of a leaf")
    if leaf["v"] != 1 or set(leaf["body"]) != {"c"} or not isinstance(leaf["body"]["c"], str):
        raise No("another version, or no commitment")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", leaf["at"], re.A):
        raise No("time not written with six digits and Z")
    if not HEX64.fullmatch(leaf["body"]["c"]) or any(leaf[k] and not HEX64.fullmatch(leaf[k]) for k in ("av", "prev")):
        raise No("not 64 lower-case hex digits")
    if not leaf["kind"] or not leaf["by"]:
        raise No("empty kind or writer")
    return leaf


def leaves(folder, origin, key):
    """Requires: the audit says yes."""
    size, _ = open_checkpoint(folder.checkpoint(), origin, key)
    last, kinds, index, newest = {}, {}, 0, ""
    for n in range((size + WIDTH - 1) // WIDTH):
        for entry in read_bundle(folder, n, size)[3]:
            try:
                leaf = check_leaf(entry)
                if leaf["prev"] != last.get(leaf["by"], ""):
                    raise No(f"the chain of {leaf['by']} is broken: prev is not the hash of that writer's previous leaf")
                if leaf["at"] < newest:
                    raise No(f"dated {leaf['at']}, before an earlier leaf of {newest}")
            except No as error:
                return {"ok": False, "entries": index, "bad_entry": index, "problem": f"leaf {index}: {error}", "kinds": kinds}
            newest = leaf["at"]
            last[leaf["by"]] = hashlib.sha256(entry).hexdigest()
            kinds[leaf["kind"]] = kinds.get(leaf["kind"], 0) + 1
            index += 1
    return {"ok": True, "entries": index, "bad_entry": None, "problem": "", "kinds": kinds}


# --- proofs -------------------------------------------------------------------------------------------------------


def included(leaf, index, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def check_proof(data, origin, key):
    if len(data) > 256 * 1024:
        raise No("proof: longer than 256 KiB")
    head, gap, note = data.partition(b"\n\n")
    if not gap:
        raise No("proof: ends before the checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise No("proof: not ASCII") from None
    if len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise No("proof: not the lines of a proof file")
    entry, index = b64(lines[1][6:]), number(lines[2][6:])
    proof = [b64(line, 32) for line in lines[3:]]
    if len(proof) > 64:
        raise No("proof: more hashes than a tree is high")
    size, root = open_checkpoint(note, origin, key)
    if not included(leaf_hash(entry), index, size, proof, root):
        raise No("the proof does not lead from the entry to the signed root")
    return {"ok": True, "index": index, "size": size, "entry": entry.decode("utf-8", "replace"), "problem": ""}


def extends(folder, old_note, origin, key):
    old_size, old_root = open_checkpoint(old_note, origin, key)
    report = Audit(folder)
    result = report.run(origin, key)
    if not result["ok"]:
        return result
    if old_size > result["size"]:
        raise No(f"history was cut: the older checkpoint signed {old_size} entries, the log has {result['size']}")
    if tree_root(report.leaves[:old_size]) != old_root:
        raise No(f"history was rewritten: the first {old_size} entries are not those that the older checkpoint signed")
    return result


def compare(a, b, origin, key):
    (size_a, root_a), (size_b, root_b) = open_checkpoint(a, origin, key), open_checkpoint(b, origin, key)
    if size_a == size_b and root_a != root_b:
        raise No(f"split view: the log signed two roots for {size_a} entries; these two files prove it")
    return {"ok": True, "problem": "", "sizes": [size_a, size_b]}


def evidence(args):
    import verify_evidence

    try:
        with open(args.path, "rb") as file:
            result = verify_evidence.check(file.read(), sys.modules[__name__], args.text)
    except No as error:
        result = {"ok": False, "problem": str(error), "facts": []}
    except OSError as error:
        print(f"verify_ledger: {error}", file=sys.stderr)
        return 2
    if args.form == "json":
        print(json.dumps(result, ensure_ascii=False))
    else:
        for fact in result["facts"]:
            print("  " + fact)
        print(f"yes; compare the text of the agreement: {result['text_sha256']}" if result["ok"] else "NO: " + result["problem"])
    return 0 if result["ok"] else 1


def main():
    parser = argparse.ArgumentParser(description="Checks entente's ledgers with a program of its own.")
    parser.add_argument("what", choices=["audit", "leaves", "proof", "extends", "compare", "cosigned", "evidence"])
    parser.add_argument("path")
    parser.add_argument("other", nargs="?")
    parser.add_argument("--origin", help="the log's name, entente/<party>/<uuid>; not with evidence")
    parser.add_argument("--key", help="the log's public key, 64 hex digits; not with evidence")
    parser.add_argument("--text", help="with evidence: SHA-256 of the agreement's text that must be the one in it")
    parser.add_argument("--witness", action="append", default=[], help="with cosigned: NAME=HEX; may be given several times")
    parser.add_argument("-o", dest="form", choices=["json", "text"], default="text")
    args = parser.parse_args()
    try:
        import cryptography  # noqa: F401
    except ImportError:
        print("verify_ledger: the package 'cryptography' is missing: apt install python3-cryptography", file=sys.stderr)
        return 2
    if args.what == "evidence":
        return evidence(args)
    if not args.origin:
        parser.error("--origin is required")
    if not re.fullmatch(r"[0-9a-f]{64}", args.key or ""):
        print("verify_ledger: --key is not 64 lower-case hex digits", file=sys.stderr)
        return 2
    key = bytes.fromhex(args.key)
    if (args.what in ("extends", "compare")) != (args.other is not None):
        parser.error(f"{args.what} takes {'two paths' if args.what in ('extends', 'compare') else 'one path'}")

    def content(path):
        with open(path, "rb") as file:
            return file.read(256 * 1024 + 1)

    folder = Folder(args.path)
    try:
        if args.what == "audit":
            result = Audit(folder).run(args.origin, key)
        elif args.what == "leaves":
            result = Audit(folder).run(args.origin, key)
            result = leaves(folder, args.origin, key) if result["ok"] else result
        elif args.what == "proof":
            result = check_proof(content(args.path), args.origin, key)
        elif args.what == "cosigned":
            named = dict(w.split("=", 1) for w in args.witness if "=" in w)
            if not named or not all(re.fullmatch(r"[0-9a-f]{64}", k) for k in named.values()):
                parser.error("cosigned takes --witness NAME=64 hex digits")
            result = cosigned(content(args.path), args.origin, key, {n: bytes.fromhex(k) for n, k in named.items()})
        elif args.what == "extends":
            result = extends(folder, content(args.other), args.origin, key)
        else:
            result = compare(content(args.path), content(args.other), args.origin, key)
    except No as error:
        result = {"ok": False, "bad_entry": None, "problem": str(error)}
    except OSError as error:
        print(f"verify_ledger: {error}", file=sys.stderr)
        return 2
    if args.form == "json":
        print(json.dumps(result, ensure_ascii=False))
    elif result["ok"]:
        print("yes: " + ", ".join(f"{k} {v}" for k, v in result.items() if k not in ("ok", "problem", "bad_entry")))
    else:
        print("NO: " + result["problem"])
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
