"""Evidence packages (docs/format/evidence.md), written from that page and from nothing else; used by verify_ledger.py.

It trusts the text of the agreement in the package, whose SHA-256 it says: compare it with the text that was signed.
"""
import base64
import hashlib
import hmac
import json
import struct

FORMAT = "entente-evidence/1"


def jcs(value):
    """RFC 8785, for values without fractions."""
    if isinstance(value, dict):
        return "{" + ",".join(jcs(k) + ":" + jcs(value[k]) for k in sorted(value, key=lambda k: k.encode("utf-16-be"))) + "}"
    if isinstance(value, list):
        return "[" + ",".join(jcs(v) for v in value) + "]"
    if isinstance(value, float):
        raise ValueError("a fraction")
    return json.dumps(value, ensure_ascii=False)


def strict(text):
    def once(pairs):
        out = dict(pairs)
        if len(out) != len(pairs):
            raise ValueError("a name stands twice")
        return out

    return json.loads(text, object_pairs_hook=once)


def consistent(old_size, old_root, size, root, proof, node):
    """RFC 9162 section 2.1.4.2."""
    if old_size == size:
        return not proof and old_root == root
    if old_size == 0 or old_size > size or not proof:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == root


class Package:
    def __init__(self, data, v, expected_text):
        self.v = v  # the module verify_ledger
        self.problems, self.facts = [], []
        self.keys = {}  # kid -> [(party, role, key)]
        self.witnesses = {}
        self.shown = []  # (party, origin, note, {index: (leaf, text, record)}, cosigned)
        self.listed, self.released = {}, set()
        text = data.decode("utf-8").rstrip("\n")
        self.p = strict(text)
        if not isinstance(self.p, dict) or self.p.get("format") != FORMAT:
            raise v.No("this is no evidence package")
        if jcs(self.p) != text:
            self.problem("the package is not in canonical form")
        self.agreement = self.p["agreement"]
        self.read_acts(expected_text)
        self.maker()
        for log in self.p["logs"]:
            self.log(log)
        for m in self.p["manifests"]:
            self.guard("a manifest", self.manifest, m)
        for r in self.p["receipts"]:
            self.guard("a receipt", self.receipt, r)
        for o in self.p["objects"]:
            self.object(o)
        if "conflict" in self.p:
            self.conflict(self.p["conflict"])
        self.private()
        self.claim()
        if not self.shown:
            self.problem("the package shows no ledger")

    def problem(self, text):
        self.problems.append(text)

    def guard(self, what, f, *args):
        try:
            f(*args)
        except (self.v.No, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            self.problem(f"{what}: {error}")

    # The acts give the text; the text, and the notices about keys, give the keys.
    def read_acts(self, expected_text):
        self.acts = []
        for text in self.p["acts"]:
            try:
                act = strict(text)
                if jcs(act) != text or act["act"]["agreement_id"] != self.agreement:
                    raise ValueError("not canonical, or of another agreement")
                self.acts.append((act, text))
            except (ValueError, KeyError, TypeError) as error:
                self.problem(f"an act cannot be read: {error}")
        document = None
        for act, _ in self.acts:
            d = act["act"]["body"].get("document") if isinstance(act["act"]["body"], dict) else None
            if d and hashlib.sha256(jcs(d).encode()).hexdigest() == self.p["text_sha256"]:
                document = d
        if document is None:
            raise self.v.No("the acts give no text of the agreement with the digest that the package names")
        if expected_text and self.p["text_sha256"] != expected_text:
            self.problem("the text of the agreement is not the one that was expected")
        for party in document["parties"]:
            for key in party["keys"]:
                self.add_key(party["party"], key)
        for act, _ in self.acts:
            body = act["act"]["body"]
            if act["act"]["kind"] == "annex_notice" and isinstance(body, dict):
                for key in body.get("add", []):
                    self.add_key(act["act"]["party"], key)
        for w in document.get("ledger", {}).get("witnesses", []):
            self.witnesses.setdefault(w["kid"], bytes.fromhex(w["public"]))
        for act, _ in self.acts:
            if not act["sigs"]:
                self.problem(f"an act bears no signature: {act['act']['kind']}")
            payload = base64.urlsafe_b64encode(jcs(act["act"]).encode()).rstrip(b"=").decode()
            for s in act["sigs"]:
                self.guard("an act's signature", self.act_signature, act["act"], s, payload)
        self.facts.append(f"{len(self.acts)} acts; text of the agreement {self.p['text_sha256']}")

    def add_key(self, party, key):
        raw = bytes.fromhex(key["public"])
        self.keys.setdefault(key["kid"], []).append((party, key["role"], raw))
        if key["role"] == "witness":
            self.witnesses[key["kid"]] = raw

    def act_signature(self, act, s, payload):
        pad = "=" * (-len(s["protected"]) % 4)
        header = strict(base64.urlsafe_b64decode(s["protected"] + pad))
        if header.get("alg") != "Ed25519":
            raise self.v.No("another algorithm")
        pad = "=" * (-len(s["signature"]) % 4)
        signature = base64.urlsafe_b64decode(s["signature"] + pad)
        if base64.urlsafe_b64encode(signature).rstrip(b"=").decode() != s["signature"]:
            raise self.v.No("unused bits that are not zero")
        message = (s["protected"] + "." + payload).encode()
        for party, role, key in self.keys.get(header.get("kid"), []):
            if party == act["party"] and role in ("plenipotentiary", "authority") and self.v.signed(key, message, signature):
                return
        raise self.v.No(f"{act['kind']} of {act['party']} is not signed by {header.get('kid')}")

    def node_signed(self, kid, party, message, signature):
        return any(r == "node" and (party is None or p == party) and self.v.signed(k, message, signature) for p, r, k in self.keys.get(kid, []))

    def maker(self):
        rest = {k: x for k, x in self.p.items() if k != "signature"}
        message = (FORMAT + "\n" + jcs(rest)).encode()
        try:
            good = self.node_signed(self.p["made"]["by"], None, message, self.v.b64(self.p["signature"]))
        except (self.v.No, KeyError, TypeError):
            good = False
        if not good:
            self.problem("the package is not signed by the node that it names")

    def open(self, note, origin, party):
        for kid in self.keys:
            for p, role, key in self.keys[kid]:
                if p == party and role == "log":
                    try:
                        return self.v.open_checkpoint(note.encode(), origin, key) + (key,)
                    except self.v.No:
                        pass
        return None

    def cosigned(self, note, origin, key):
        """name -> second, of the witnesses that signed; a line that does not fit is an error."""
        found = {}
        for name, k in self.witnesses.items():
            r = self.v.cosigned(note.encode(), origin, key, {name: k})
            found.update(r["cosigned"])
        return found

    def log(self, log):
        party, origin, note = log["party"], log["origin"], log["checkpoint"]
        uuid = self.agreement.removeprefix("urn:uuid:")
        private = origin == f"entente/{party.lower()}/private"
        name = f"the {'private log' if private else 'ledger'} of {party}"
        if not private and origin != f"entente/{party.lower()}/{uuid}":
            return self.problem(f"a ledger is neither of this agreement nor private: {origin}")
        head = self.open(note, origin, party)
        if head is None:
            return self.problem(f"the head of {name} is not signed by a log key that the agreement names")
        size, root, key = head
        try:
            by = self.cosigned(note, origin, key)
        except self.v.No as error:
            by = {}
            self.problem(f"{name}: {error}")
        self.facts.append(f"{name}: {size} entries, cosigned by {', '.join(sorted(by)) or 'nobody'}")
        entries = {}
        for e in log["entries"]:
            self.guard(f"an entry of {name}", self.entry, e, size, root, entries, name)
        for o in log["older"]:
            self.guard(f"an older head of {name}", self.older, o, origin, party, size, root, name)
        self.shown.append((party, origin, note, entries, by))

    def entry(self, e, size, root, entries, name):
        index, text = e["index"], e["leaf"]
        leaf = self.v.check_leaf(text.encode())
        proof = [self.v.b64(h, 32) for h in e["proof"]]
        if index in entries or type(index) is not int or not self.v.included(self.v.leaf_hash(text.encode()), index, size, proof, root):
            raise self.v.No(f"entry {index} of {name} is not shown to be under the signed root")
        record = e.get("record", "")
        if record and hashlib.sha256(b"entente/leaf/v1" + self.v.b64(e["salt"]) + record.encode()).hexdigest() != leaf["body"]["c"]:
            raise self.v.No(f"the record of entry {index} of {name} is not what its leaf commits to")
        entries[index] = (leaf, text, record)
        self.facts.append(f"entry {index} of {name}: {leaf['kind']} {leaf['rcpt']} {leaf['at']}{', opened' if record else ''}")

    def older(self, o, origin, party, size, root, name):
        head = self.open(o["checkpoint"], origin, party)
        if head is None:
            raise self.v.No("not signed by its log key")
        proof = [self.v.b64(h, 32) for h in o["proof"]]
        if not consistent(head[0], head[1], size, root, proof, self.v.node_hash):
            raise self.v.No(f"{name} is not shown to extend its head of {head[0]} entries")
        self.cosigned(o["checkpoint"], origin, head[2])
        self.facts.append(f"{name} extends its head of {head[0]} entries")

    def stands(self, party, index, text):
        uuid = self.agreement.removeprefix("urn:uuid:")
        return any(p == party and o == f"entente/{party.lower()}/{uuid}" and index in e and e[index][1] == text for p, o, _, e, _ in self.shown)

    def manifest(self, text):
        m = strict(text)
        rows, salt, object_salt = m["objects"], self.v.b64(m["salt"], 32), self.v.b64(m["object_salt"], 32)
        hashes = []
        for i, (ident, version, sha, _art, _tlp, _pap, _tombstone) in enumerate(rows):
            s = hmac.new(object_salt, struct.pack(">I", i), hashlib.sha256).digest()
            c = hashlib.sha256(b"entente/object/v1" + s + ident.encode() + b"\0" + version.encode() + b"\0" + bytes.fromhex(sha)).hexdigest()
            hashes.append(self.v.leaf_hash(c.encode()))
        record = {"agreement": m["agreement"], "agreement_version": m["agreement_version"], "at": m["created"], "from": m["from"], "to": m["to"],
                  "count": len(rows), "objects_root": self.v.tree_root(hashes).hex(), "list_sha256": hashlib.sha256(jcs(rows).encode()).hexdigest()}
        if m.get("committed"):
            record["committed_sha256"] = hashlib.sha256(jcs(m["committed"]).encode()).hexdigest()
        if "v" in m:  # before version 2 the leaf did not bind `commits`
            if m["v"] != 2 or isinstance(m["v"], bool):
                raise self.v.No(f"{m['id']} is of version {m['v']}, which is not known here")
            record["v"] = 2
            if m.get("committed"):
                record["commits_sha256"] = hashlib.sha256(jcs(m.get("commits", [])).encode()).hexdigest()
        leaf = self.v.check_leaf(m["leaf"].encode())
        if leaf["kind"] != "release" or leaf["rcpt"] != m["to"] or leaf["agr"] != m["agreement"] or leaf["av"] != m["agreement_version"]:
            raise self.v.No("its leaf is of another agreement, version, recipient or kind")
        if hashlib.sha256(b"entente/leaf/v1" + salt + jcs(record).encode()).hexdigest() != leaf["body"]["c"]:
            raise self.v.No("its leaf does not commit to its objects")
        message = f"entente/manifest/v1{m['id']}\n{m['leaf_index']}\n{m['leaf']}".encode()
        if not self.node_signed(m["kid"], m["from"], message, self.v.b64(m["signature"], 64)):
            raise self.v.No(f"{m['id']} is not signed by the node of {m['from']}")
        if not self.stands(m["from"], m["leaf_index"], m["leaf"]):
            raise self.v.No(f"the leaf of {m['id']} is not among the proven entries")
        for ident, version, sha, *_ in rows:
            self.listed.setdefault(sha, (m["from"], ident, version))
        self.released.add(hashlib.sha256(m["leaf"].encode()).hexdigest())
        self.facts.append(f"{m['from']} released {len(rows)} objects to {m['to']} at {m['created']} (entry {m['leaf_index']})")

    def receipt(self, text):
        r = strict(text)
        record = strict(r["record"])
        if jcs(record) != r["record"]:
            raise self.v.No("its record is not canonical")
        leaf = self.v.check_leaf(r["leaf"].encode())
        if leaf["rcpt"] != record["to"] or leaf["agr"] != record["agreement"] or leaf["kind"] != ("refuse" if record["refused"] else "receipt"):
            raise self.v.No("its leaf is of another agreement, recipient or kind")
        if hashlib.sha256(b"entente/leaf/v1" + self.v.b64(r["salt"], 32) + r["record"].encode()).hexdigest() != leaf["body"]["c"]:
            raise self.v.No("its leaf does not commit to its record")
        message = f"entente/receipt/v2{r['record']}\n{r['leaf_index']}\n{r['leaf']}".encode()
        if not self.node_signed(r["kid"], record["from"], message, self.v.b64(r["signature"], 64)):
            raise self.v.No(f"{r['id']} is not signed by the node of {record['from']}")
        if not self.stands(record["from"], r["leaf_index"], r["leaf"]):
            raise self.v.No(f"the leaf of {r['id']} is not among the proven entries")
        self.facts.append(f"{record['from']} acknowledges {record['manifest']}: {record['received']} taken, {len(record['refused'])} refused")

    def object(self, o):
        sender, ident, version = self.listed.get(o["sha256"], (None, None, None))
        if ident is None or ident != o["id"] or version != o["version"]:
            return self.problem(f"object {o['id']} is in no manifest of the package")
        if "text" in o and hashlib.sha256(o["text"].encode()).hexdigest() != o["sha256"]:
            return self.problem(f"the octets of {o['id']} are not those that were released")
        self.facts.append(f"{o['id']} was released by {sender}")

    def conflict(self, c):
        recorded = False
        for _, _, _, entries, _ in self.shown:
            for leaf, _, record in entries.values():
                if leaf["kind"] == "conflict" and record:
                    r = strict(record)
                    recorded |= r["peer"] == c["party"] and all(r[k] == c[k] for k in ("problem", "earlier", "later"))
        if not recorded:
            self.problem("the conflict is not the one that the opened leaf records")
        origin = f"entente/{c['party'].lower()}/{self.agreement.removeprefix('urn:uuid:')}"
        a, b = self.open(c["earlier"], origin, c["party"]), self.open(c["later"], origin, c["party"])
        if a and b and a[0] == b[0] and a[1] != b[1]:
            self.facts.append(f"PROVED by itself: {c['party']} signed two heads of {a[0]} entries with two roots")

    # A private leaf counts for as old as the anchor in a ledger that others hold.
    def private(self):
        uuid = self.agreement.removeprefix("urn:uuid:")
        for party, origin, note, entries, _ in self.shown:
            if origin != f"entente/{party.lower()}/private":
                continue
            anchors = []
            for p, o, _, e, _ in self.shown:
                if p != party or o != f"entente/{party.lower()}/{uuid}":
                    continue
                for leaf, _, record in e.values():
                    if leaf["kind"] == "anchor" and record and strict(record).get("note") == note and strict(record).get("party") == party:
                        anchors.append(leaf["at"])
            if not anchors:
                self.problem(f"the head of the private log of {party} is not anchored in its ledger")
            elif any(leaf["at"] > max(anchors) for leaf, _, _ in entries.values()):
                self.problem("a private entry is dated after the anchor that covers it")

    def claim(self):
        if self.p["about"].get("kind") != "claim":
            return
        for act, text in self.acts:
            if act["act"]["kind"] == "claim_breach" and hashlib.sha256(jcs(act["act"]).encode()).hexdigest().startswith(self.p["about"]["value"]):
                if not any(leaf["kind"] == "act" and record == text for _, _, _, e, _ in self.shown for leaf, _, record in e.values()):
                    self.problem("the claim is not in the ledger of who made the package")
                self.facts.append(f"{act['act']['party']} claims a breach")
                return
        self.problem("the claim that the package is about is not among its acts")


def check(data, v, expected_text=None):
    try:
        p = Package(data, v, expected_text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise v.No(f"this is no evidence package: {error!r}") from None
    return {"ok": not p.problems, "problem": "; ".join(p.problems), "problems": p.problems, "facts": p.facts, "text_sha256": p.p["text_sha256"]}
