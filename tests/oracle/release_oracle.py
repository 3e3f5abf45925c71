#!/usr/bin/env python3
"""The release decision a second time, written from the text of the rules and sharing nothing with the product.

It is slow and obvious on purpose: every rule is a few lines over parsed JSON, the closure is recomputed from scratch until nothing
changes, and the leak scan looks at the finished object, not at the raw text. It judges cases that the product has decided:

    release_oracle.py PROGRAM [COUNT [SEED]]   run PROGRAM COUNT SEED and judge what it prints
    release_oracle.py - < CASES                judge JSON lines

Exit status 0: all agree; 1: some differ (the first few are shown).
"""
import base64
import datetime
import functools
import hashlib
import hmac
import json
import multiprocessing
import os
import re
import subprocess
import sys
import uuid

DEFAULT_CASES = 20000
PROGRESS = 50_000  # cases between two words of progress
PIECE = 250  # cases per run of the program: small enough that the cores end together

TLP = ["clear", "green", "amber", "amber+strict", "red"]
PAP = ["clear", "green", "amber", "red"]
LEVELS = ["project", "bilateral", "group", "initiative"]
MD = "marking-definition--"
TLP_OBJECTS = {
    MD + "94868c89-83c2-464b-929b-a1a8aa3c8487": "clear",
    MD + "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "green",
    MD + "55d920b0-5e8b-4f79-9ee9-91f868d9b421": "amber",
    MD + "939a9414-2ddd-4d32-a0cd-375ea402b003": "amber+strict",
    MD + "e828b379-4e03-4974-9ac4-e53a884c97c1": "red",
    MD + "613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
    MD + "34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
    MD + "f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    MD + "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
}
SCO = {"artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "ipv4-addr", "ipv6-addr",
       "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account", "windows-registry-key", "x509-certificate"}
NO_OBSERVABLE = {"attack-pattern", "campaign", "course-of-action", "extension-definition", "grouping", "identity", "incident", "indicator",
                 "infrastructure", "intrusion-set", "language-content", "location", "malware", "malware-analysis", "marking-definition",
                 "note", "observed-data", "opinion", "relationship", "report", "sighting", "threat-actor", "tool", "vulnerability"}


def observable(ref):
    """What a type of one's own is, nobody else knows: it may be one."""
    return ref.split("--")[0] not in NO_OBSERVABLE


# What may be left out: everything that a standard type has and that is not named here.
STRUCTURE = {"type", "id", "spec_version", "created", "modified", "revoked", "extensions", "defanged", "object_marking_refs",
             "granular_markings", "lang"}
NEEDED = {
    "indicator": {"pattern", "pattern_type", "pattern_version", "valid_from", "valid_until", "indicator_types"},
    "malware": {"is_family", "name"}, "identity": {"name"}, "report": {"name", "published", "object_refs"},
    "note": {"content", "object_refs"}, "relationship": {"relationship_type", "source_ref", "target_ref"},
    "sighting": {"sighting_of_ref", "count"}, "threat-actor": {"name"}, "incident": {"name"},
    "observed-data": {"first_observed", "last_observed", "number_observed", "objects", "object_refs"},
    "marking-definition": {"definition_type", "definition", "name"},
    "ipv4-addr": {"value"}, "domain-name": {"value"}, "email-addr": {"value"}, "user-account": set(),
    "file": {"hashes", "name", "name_enc"}, "network-traffic": {"protocols", "src_ref", "dst_ref", "end", "is_active"},
}
PLACEHOLDER = "(withheld)"
IEP = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"
ACS = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
PAP_EXT = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
IEP_ACTIONS = {"none": "red", "contact-for-instruction": "red", "internally-visible-actions": "red",
               "externally-visible-indirect-actions": "amber", "externally-visible-direct-actions": "clear"}
THREE = {"IN": "IND", "JP": "JPN", "US": "USA"}
DETERMINATIONS = {"PUBREL", "AIS", "INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT", "PII-NOT-PRESENT",
                  "PII-NECESSARY-TO-UNDERSTAND-CYBERSECURITY-THREAT"}
GONE, SAME, CHANGED = "gone", "same", "changed"


def at_least(a, b, order):
    return a if order.index(a) >= order.index(b) else b


def micros(text):
    t = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((t - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds() * 1_000_000)


def read_iep(d, ext):
    """What an IEP 2.0 policy asks, or None if it is not one that can be read."""
    fields = {"extension_type", "encrypt_in_transit", "permitted_actions", "affected_party_notifications", "tlp", "provider_attribution",
              "unmodified_resale", "iep_id", "iep_version", "policy_name", "description", "start_date", "end_date"}
    ok = (set(ext) <= fields and ext.get("iep_version") == 2.0 and ext.get("tlp") in ("white", "clear", "green", "amber", "amber+strict", "red")
          and ext.get("permitted_actions") in IEP_ACTIONS and ext.get("provider_attribution") in ("may", "must", "must-not")
          and ext.get("encrypt_in_transit") in ("may", "must") and ext.get("affected_party_notifications") in ("may", "must-not")
          and ext.get("unmodified_resale") in ("may", "must-not") and "start_date" in ext)
    if not ok:
        return None
    until = micros(ext["end_date"]) if "end_date" in ext else None
    return {"tlp": {"white": "clear"}.get(ext["tlp"], ext["tlp"]), "pap": IEP_ACTIONS[ext["permitted_actions"]], "from": micros(ext["start_date"]),
            "until": until, "named": lambda c: ext["provider_attribution"], "reads": lambda c: True, "defends": lambda c: True}


def read_acs(d, ext):
    """What an ACS 3.0 marking lets a government have, or None if anything in it is not understood."""
    m = re.fullmatch(r"urn:isa:policy:acs:ns:v3\.0\?privdefault=(permit|deny)&sharedefault=(permit|deny)", ext.get("policy_reference", ""))
    control = ext.get("control_set", {})
    if not m or not set(ext) <= {"extension_type", "identifier", "name", "create_date_time", "responsible_entity_custodian", "authority_reference",
                                 "responsible_entity_originator", "policy_reference", "public_release", "access_privilege", "further_sharing",
                                 "control_set"}:
        return None
    if not set(control) <= {"classification", "formal_determination", "permitted_nationalities", "permitted_organizations", "entity", "shareability"}:
        return None
    if "classification" not in control or not set(control.get("formal_determination", [])) <= DETERMINATIONS:
        return None
    public = "PUBREL" in control.get("formal_determination", [])

    def listed(values, country):
        return any(v in ("ALL", country) or v.startswith(country + ".") for v in values)

    def about(scope, country):
        return all(listed(scope[k], country) for k in ("permitted_nationalities", "permitted_organizations") if k in scope)

    def inside(scope, country):
        return about(scope, country) and "shareability" not in scope and ("entity" not in scope or bool({"GOV", "ALL"} & set(scope["entity"])))

    def may(action, country):
        rules = [r for r in ext.get("access_privilege", []) if r["privilege_action"] in ("ALL", action)]
        if any(r["rule_effect"] == "deny" and about(r.get("privilege_scope", {}), country) for r in rules):
            return False
        return m[1] == "permit" or any(r["rule_effect"] == "permit" and inside(r.get("privilege_scope", {}), country) for r in rules)

    def passes_on(country):
        rules = [r["rule_effect"] for r in ext.get("further_sharing", []) if "FOREIGNGOV" in r["sharing_scope"] or listed(r["sharing_scope"], country)]
        return "deny" not in rules and (m[2] == "permit" or "permit" in rules)

    def reads(party):
        c = THREE[party]
        return control["classification"] == "U" and (public or (inside(control, c) and (party == "US" or passes_on(c)) and may("DISPLAY", c)))

    return {"tlp": None, "pap": None, "from": None, "until": None, "reads": reads, "defends": lambda p: public or may("NETDEF", THREE[p]),
            "named": lambda p: "may" if public or may("IDSRC", THREE[p]) else "must-not"}


def read_policy(d):
    exts = d.get("extensions")
    if exts is not None:
        if len(exts) != 1 or "definition" in d:
            return None
        (name, ext), = exts.items()
        if not isinstance(ext, dict) or ext.get("extension_type") != "property-extension":
            return None
        return read_iep(d, ext) if name == IEP else read_acs(d, ext) if name == ACS else None
    m = re.fullmatch(r'ais-marking:AISConsent="(EVERYONE|USG|NONE)"', d.get("definition", {}).get("statement", ""))
    if not m or d.get("definition_type") != "statement":
        return None
    named = {"EVERYONE": lambda p: "may", "NONE": lambda p: "must-not", "USG": lambda p: "may" if p == "US" else "must-not"}[m[1]]
    return {"tlp": None, "pap": None, "from": None, "until": None, "reads": lambda p: True, "defends": lambda p: True, "named": named}


def removable(kind, prop):
    return kind in NEEDED and prop not in STRUCTURE and prop not in NEEDED[kind]


def covers(listed, name):
    return "*" in listed or name in listed


def leaves(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for v in value:
            yield from leaves(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from leaves(v)


def texts(value):
    """Every string, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for v in value:
            yield from texts(v)
    elif isinstance(value, dict):
        for k, v in value.items():
            yield k
            yield from texts(v)


def telling(obj):
    """What an object could be recognised by in a text."""
    if obj["type"] in ("relationship", "sighting", "marking-definition", "extension-definition"):
        return []
    out = [obj[p] for p in ("name", "value", "account_login", "user_id", "display_name", "contact_information", "serial_number", "path")
           if isinstance(obj.get(p), str)]
    out += [a for a in obj.get("aliases", []) if isinstance(a, str)]
    out += [h for h in obj.get("hashes", {}).values() if isinstance(h, str)]
    return out


def refang(text):
    for a, b in (("[.]", "."), ("(.)", "."), ("{.}", "."), ("[dot]", "."), ("(dot)", "."), ("{dot}", "."), ("[:]", ":"), ("[@]", "@"),
                 ("(@)", "@"), ("[at]", "@"), ("[://]", "://"), ("hxxp", "http")):
        text = text.replace(a, b)
    return text


def core(token):
    """Blanks and ends of lines around a name are no part of it."""
    return token.strip("".join(map(chr, range(33))))


def blanked(text):
    """How lines end says nothing: a text of several lines is the same with blanks between them."""
    return "".join(" " if ord(c) < 32 else c for c in text)


# The closure is recomputed from scratch in every round, so the same few texts are asked for again and again.
@functools.lru_cache(maxsize=20000)
def plain(text):
    return refang("".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text))


@functools.lru_cache(maxsize=20000)
def decoded(text):
    """All that could be base64 in a text, at every offset; letters made small."""
    out = []
    for alphabet in (text, text.replace("-", "+").replace("_", "/")):
        for run in re.findall(r"[A-Za-z0-9+/]{8,}", alphabet):
            for skip in range(4):
                part = run[skip:]
                part = part[: len(part) // 4 * 4]
                if part:
                    out.append(base64.b64decode(part).lower())
    return out


class Scan:
    def __init__(self, obj):
        self.plain = [blanked(plain(t)) for t in texts(obj)]
        self.hidden = [d for t in texts(obj) for d in decoded(t)]

    def has(self, token, word):
        token = plain(core(token))
        if len(token.encode()) < 3:
            return False
        shown = blanked(token)
        pattern = re.escape(shown) if any(shown in t for t in self.plain) else None
        if pattern and word:
            if re.match(r"[A-Za-z0-9_]", shown[0]):
                pattern = r"(?<![A-Za-z0-9_])" + pattern
            if re.match(r"[A-Za-z0-9_]", shown[-1]):
                pattern += r"(?![A-Za-z0-9_])"
        if pattern and any(re.search(pattern, t) for t in self.plain):
            return True
        octets = token.encode()
        return len(octets) >= 8 and any(octets in h for h in self.hidden)


class Oracle:
    def __init__(self, case):
        self.c = case
        self.objs = [json.loads(g["raw"]) for g in case["graph"]]
        self.published = set(case["public_ids"]) | {case["my_identity"]} | set(TLP_OBJECTS)
        self.defs = {}
        for o in self.objs:
            if o["type"] == "marking-definition":
                self.defs.setdefault(o["id"], []).append(o)
        self.victims = {o["id"] for o in self.objs if "victim" in [r.lower() for r in o.get("roles", [])]}
        for o in self.objs:
            if o["type"] == "relationship" and o["relationship_type"] == "targets":
                self.victims.add(o["target_ref"])
            if o["type"] == "sighting":
                self.victims |= set(o.get("where_sighted_refs", []))
        self.victims -= self.published
        self.origins = {}
        for o in self.objs:
            if o["type"] == "relationship" and o["relationship_type"] == "derived-from" and o["source_ref"] != o["target_ref"]:
                self.origins.setdefault(o["source_ref"], set()).add(o["target_ref"])

    # ---- marks

    def mark(self, ref):
        """('tlp', x) | ('pap', x) | ('policy', p) | ('none',) | ('unknown',)"""
        if ref in TLP_OBJECTS and ref not in self.defs:
            return ("tlp", TLP_OBJECTS[ref])
        for d in self.defs.get(ref, []):
            ext = d.get("extensions", {}).get(PAP_EXT, {})
            if len(d.get("extensions", {})) == 1 and set(ext) == {"extension_type", "pap"} and "definition" not in d:
                return ("pap", {"white": "clear"}.get(ext["pap"], ext["pap"]))
            policy = read_policy(d)
            if policy is not None:
                return ("policy", policy)
            if d.get("definition_type") == "statement" and "extensions" not in d:
                s = d.get("definition", {}).get("statement", "")
                m = re.fullmatch(r"PAP:(RED|AMBER|GREEN|CLEAR|WHITE)", s)
                if m:
                    return ("pap", "clear" if m[1] == "WHITE" else m[1].lower())
                if not s.lower().startswith(("tlp", "pap", "ais-marking")):
                    return ("none",)
        return ("unknown",)

    def roots(self, x):
        """Everything that x comes from."""
        out, todo = set(), [x]
        while todo:
            for y in self.origins.get(todo.pop(), ()):
                if y not in out and y != x:
                    out.add(y)
                    todo.append(y)
        return out - self.published

    def label(self, i):
        """Its own marks joined with those of all that it is derived from."""
        out = self.own_label(i)
        out["inherited"] = self.c["graph"][i]["inherited"]
        out["origin"] = set()
        for root in self.roots(self.objs[i]["id"]):
            held = [j for j, o in enumerate(self.objs) if o["id"] == root]
            if not held:
                out["origin"].add("DERIVED_FROM_CONTROLLED")
            for j in held:
                g, theirs = self.c["graph"][j], self.own_label(j)
                for tlp in [g["inherited"], theirs["tlp"] or "clear"] + [t for t, _ in theirs["parts"]]:
                    out["inherited"] = at_least(out["inherited"], tlp, TLP)
                if theirs["pap"]:
                    out["pap"] = theirs["pap"] if out["pap"] is None else at_least(out["pap"], theirs["pap"], PAP)
                out["unknown"] |= theirs["unknown"]
                out["policies"] += theirs["policies"]
                if g["originator"] not in (self.c["me"], self.c["recipient"]) and not self.consented(self.objs[j], g)[0]:
                    out["origin"].add("DERIVED_FROM_CONTROLLED")
        return out

    def policies(self, label):
        out, to = set(), self.c["recipient"]
        for p in label["policies"]:
            if not p["reads"](to):
                out.add("AUDIENCE")
            elif not p["defends"](to):
                out.add("PURPOSE")
            if (p["from"] is not None and self.c["at"] < p["from"]) or (p["until"] is not None and self.c["at"] >= p["until"]):
                out.add("IEP_CONFLICT")
        if {"must", "must-not"} <= {p["named"](to) for p in label["policies"]}:
            out.add("IEP_CONFLICT")
        return out

    def own_label(self, i):
        o = self.objs[i]
        out = {"tlp": None, "pap": None, "unknown": False, "conflict": False, "parts": [], "policies": []}
        seen = set()
        for ref in o.get("object_marking_refs", []):
            m = self.mark(ref)
            tlp = m[1] if m[0] == "tlp" else m[1]["tlp"] if m[0] == "policy" else None
            if tlp:
                seen.add(tlp)
                out["tlp"] = tlp if out["tlp"] is None else at_least(out["tlp"], tlp, TLP)
        out["conflict"] = len(seen) > 1
        granular = [g for g in o.get("granular_markings", []) if "marking_ref" in g]
        for g in granular:
            m = self.mark(g["marking_ref"])
            tlp = m[1] if m[0] == "tlp" else m[1]["tlp"] if m[0] == "policy" else None
            if tlp:
                out["parts"].append((tlp, g["selectors"]))
        for ref in o.get("object_marking_refs", []) + [g["marking_ref"] for g in granular]:
            m = self.mark(ref)
            if m[0] == "unknown":
                out["unknown"] = True
            if m[0] == "policy":
                out["policies"].append(m[1])
            pap = m[1] if m[0] == "pap" else m[1]["pap"] if m[0] == "policy" else None
            if pap:
                out["pap"] = pap if out["pap"] is None else at_least(out["pap"], pap, PAP)
        return out

    # ---- steps 2 to 7

    def between(self, a):
        return a["by_party"].get(self.c["me"]), a["by_party"].get(self.c["recipient"])

    def relevant(self):
        return [a for a in self.c["agreements"] if None not in self.between(a)]

    def divided(self, a):
        return sorted([self.c["me"], self.c["recipient"]]) in a["closed"]

    def early_flows(self, a):
        """None: both are in force; else the flows that both apply before the start."""
        kinds = self.between(a)
        if "provisional" not in kinds:
            return None
        mine, theirs = (set(a["provisional"].get(p, [])) for p in (self.c["me"], self.c["recipient"]))
        return mine & theirs

    def has_node(self, a):
        """The recipient's receipts can be checked: it has a key of a node now."""
        keys = next(p["keys"] for p in a["document"]["parties"] if p["party"] == self.c["recipient"])
        return any(k["role"] == "node" and micros(k["not_before"]) <= self.c["at"] < micros(k["not_after"]) for k in keys)

    def is_live(self, a):
        if not self.has_node(a):
            return False
        if self.divided(a) or not all(k in ("in force", "ending", "provisional") for k in self.between(a)):
            return False
        return self.early_flows(a) is None or bool(self.early_flows(a))

    def is_bound(self, a):
        return all(k in ("in force", "ending", "suspended", "provisional") for k in self.between(a))

    def open_flow(self, a, f):
        """A flow that a party does not apply yet, or has declared itself out of, is as if it were not there."""
        if self.early_flows(a) is not None and f["id"] not in self.early_flows(a) and f["id"] not in a["suspended_flows"]:
            return False
        limits = [a["declared"][p] for p in (self.c["me"], self.c["recipient"]) if p in a["declared"]]
        return all(f["id"] in limit for limit in limits) or f["id"] in a["suspended_flows"]

    def outlives(self, a, f):
        if not {self.c["me"], self.c["recipient"]} <= set(a["began"]):
            return False
        if not all(k in ("in force", "ending", "suspended", "terminated", "expired") for k in self.between(a)):
            return False
        return any(f["art"] == s or f["art"].startswith(s + "(") for s in a["document"]["duration"].get("survives", []))

    def closed_codes(self):
        out = set()
        for a in self.relevant():
            if self.is_live(a):
                continue
            kinds = self.between(a)
            if not self.has_node(a) and not self.divided(a) and all(k in ("in force", "ending", "provisional") for k in kinds) and (self.early_flows(a) is None or self.early_flows(a)):
                out.add("PARTY_KEY_UNKNOWN")
                continue
            if self.divided(a) and not any(k in ("terminated", "expired", "abandoned", "none", "draft", "finalised", "part-signed", "signed") for k in kinds):
                out.add("SUSPENDED")
            elif any(k in ("terminated", "expired", "abandoned") for k in kinds):
                out.add("ENDED")
            elif any(k in ("none", "draft", "finalised", "part-signed", "signed") for k in kinds):
                out.add("NOT_YET_IN_FORCE")
            elif "suspended" in kinds:
                out.add("SUSPENDED")
            else:
                out.add("NOT_YET_IN_FORCE")
        return out

    def flows(self, effect, ok):
        for a in self.relevant():
            if ok(a):
                for f in a["document"]["flows"]:
                    if f["effect"] == effect and covers(f["from"], self.c["me"]) and covers(f["to"], self.c["recipient"]):
                        yield a, f

    def own(self, i):
        """(codes, None) if it is withheld, else (notes, what is known of it)."""
        o, g, c = self.objs[i], self.c["graph"][i], self.c
        if not c["clock_safe"]:
            return {"CLOCK_UNSAFE"}, None
        codes = set()
        sectors = o.get("sectors", [])
        third = g["originator"] not in (c["me"], c["recipient"])

        def sector_hit(f):
            return "*" in f["sectors"] or any(s in f["sectors"] for s in sectors)

        mine = [x[len("entente-project:"):] for x in o.get("labels", []) if x.startswith("entente-project:")]

        def concerns(a):  # a project is about what is labelled for it; a definition goes with what it marks
            return not a["project"] or o["type"] == "marking-definition" or a["project"] in mine

        for a, f in self.flows("forbid", lambda a: True):
            if not self.is_bound(a) and not self.outlives(a, f):
                continue
            if concerns(a) and covers(f["object_types"], o["type"]) and (not sectors or sector_hit(f)):
                codes.add("FORBIDDEN_BY_ARTICLE")
        for h in c["holds"]:
            if h["object_id"] == o["id"] and not ("not_before" in h and c["at"] >= h["not_before"]):
                codes.add("EMBARGO" if h["reason"] == "EMBARGO" else "NATIONAL_HOLD")
        if not g["verified"]:
            codes.add("SOURCE_UNVERIFIED")
        if o["type"] in c["policy"]["withhold_types"]:
            codes.add("REVIEW_REQUIRED")
        label = self.label(i)
        if label["unknown"]:
            codes.add("MARK_UNKNOWN")
        codes |= label["origin"] | self.policies(label)
        names = {p["named"](c["recipient"]) for p in label["policies"]}
        secret_creator = o.get("created_by_ref", c["my_identity"]) not in self.published

        permits = [(a, f) for a, f in self.flows("permit", self.is_live) if self.open_flow(a, f)]
        listed = [(a, f) for a, f in permits if covers(f["object_types"], o["type"])]
        good, bad = [], set()
        for a, f in listed:
            why = set()
            if not concerns(a) or (not a["project"] and mine):
                why.add("PROJECT_SCOPE")
            if c["recipient"] in a["joined"] and g["committed"] < a["joined"][c["recipient"]] and o["type"] != "marking-definition" and o["id"] not in set(c["public_ids"]) | {c["my_identity"]}:
                why.add("NOT_YET_IN_FORCE")
            initiative = a["document"]["level"] == "initiative"
            if initiative and o["type"] not in ("course-of-action", "report", "attack-pattern", "marking-definition"):
                why.add("TYPE_NOT_LISTED")
            if f["id"] in a["suspended_flows"]:
                why.add("SUSPENDED")
            if a["suspended_sectors"] and (not sectors or any(s in a["suspended_sectors"] for s in sectors)):
                why.add("SUSPENDED")
            if "*" not in f["sectors"] and not sectors:
                why.add("SECTOR_UNKNOWN")
            elif not sector_hit(f):
                why.add("SCOPE")
            if third and a["document"]["originator_control"]["rule"] == "never":
                why.add("ORIGINATOR_CONSENT")
            if secret_creator and "must" in names and "must-not" not in names and any("property" in p["match"] for p in a["document"]["protection"]):
                why.add("IEP_CONFLICT")
            tlp = label["tlp"] or (None if f["unmarked"] == "withhold" else f["unmarked"])
            if tlp is None:
                bad |= why | {"MARK_MISSING"}
                continue
            whole = at_least(tlp, label["inherited"], TLP)
            ceiling = min(f["tlp_ceiling"], "amber+strict", "green" if initiative else "red", c["policy"].get("max_tlp", "red"), key=TLP.index)
            told = at_least(whole, f["tlp_floor"], TLP)
            cut = []
            for part, selectors in label["parts"]:
                if TLP.index(part) > TLP.index(ceiling):
                    cut.append(selectors)
                else:
                    told = at_least(told, part, TLP)
            if TLP.index(whole) > TLP.index(ceiling):
                why.add("ABOVE_CEILING")
            elif any(not removable(o["type"], s.split(".")[0]) or (mine and s.split(".")[0] == "labels") for sel in cut for s in sel):
                why.add("ABOVE_CEILING")
            if why:
                bad |= why
                continue
            doc = a["document"]
            good.append(((LEVELS.index(doc["level"]), -TLP.index(told), -len(doc["protection"]), doc["agreement_id"], f["id"]), a, f, told, cut))
        if not good:
            if not listed:
                if permits:
                    codes.add("TYPE_NOT_LISTED")
                codes |= self.closed_codes()
                if not self.relevant():
                    codes.add("NO_AGREEMENT")
                elif not permits and not self.closed_codes():
                    codes.add("NO_PERMIT")
            else:
                codes |= bad | self.closed_codes()
        if third:
            codes |= self.consent(o, g)
        if codes:
            return codes | ({"MARK_CONFLICT"} if label["conflict"] else set()), None
        _, a, f, told, cut = min(good, key=lambda x: x[0])
        return self.protect(i, a, f, told, cut, label)

    def consented(self, o, g):
        """(a consent holds, one has ended)"""
        c = self.c
        version = o.get("modified", o.get("created", ""))
        mine = [k for k in c["consents"] if k["object_id"] == o["id"] and k["originator"] == g["originator"] and k["recipient"] == c["recipient"]
                and k["version"] in ("*", version)]
        return any(k["valid_from"] <= c["at"] < k["valid_until"] for k in mine), any(c["at"] >= k["valid_until"] for k in mine)

    def consent(self, o, g):
        c = self.c
        for a in c["agreements"]:
            if g["received_under"] == a["document"]["agreement_id"] and a["document"]["originator_control"]["rule"] == "never":
                return {"ORIGINATOR_CONSENT"}
        holds, ended = self.consented(o, g)
        return set() if holds else {"CONSENT_EXPIRED"} if ended else {"ORIGINATOR_CONSENT"}

    def protect(self, i, a, f, told, cut, label):
        o, notes, stripped = dict(self.objs[i]), set(), []
        prose = {"description", "contact_information", "aliases", "display_name", "account_login", "user_id", "objective", "abstract", "summary"}
        silent = {"roles", "labels", "sectors", "identity_class", "lang", "kill_chain_phases", "confidence", "created_by_ref", "revoked", "type",
                  "spec_version", "id", "object_marking_refs", "granular_markings"}
        for selectors in cut:
            for s in selectors:
                top = s.split(".")[0]
                if top in o:
                    if top in prose:
                        stripped += leaves(o[top])
                    del o[top]
                    notes.add("PROPERTY_REDACTED")
        victim = o["id"] in self.victims
        anonymous = any(p["named"](self.c["recipient"]) == "must-not" for p in label["policies"])
        if anonymous and "created_by_ref" in o and o["created_by_ref"] not in self.published:
            o["created_by_ref"] = self.c["my_identity"]
            notes.add("REPORTER_ANONYMISED")

        projects = [x for x in o.get("labels", []) if x.startswith("entente-project:")]

        def take(prop):
            if prop == "labels" and projects:  # for which project it is stays with it
                more = o["labels"] != projects
                o["labels"] = projects
                return more
            """True if the object changed; None if the property cannot go."""
            if prop not in o:
                return False
            if removable(o["type"], prop):
                if prop not in silent and not prop.endswith(("_types", "_ref", "_refs")):
                    stripped.extend(leaves(o[prop]))
                del o[prop]
                return True
            if prop != "name":
                return None
            if o["name"] == PLACEHOLDER:
                return False
            stripped.append(o["name"])
            o["name"] = PLACEHOLDER
            return True

        for p in a["document"]["protection"]:
            m = p["match"]
            if "property" in m:
                if "created_by_ref" in o and "created_by_ref" in self.objs[i] and self.objs[i]["created_by_ref"] not in self.published:
                    o["created_by_ref"] = self.c["my_identity"]
                    notes.add("REPORTER_ANONYMISED")
                continue
            kinds = m["type"] if isinstance(m["type"], list) else [m["type"]]
            if o["type"] not in kinds or ("role" in m and not victim):
                continue
            code = "VICTIM_STRIPPED" if "role" in m else "PERSONAL_DATA_REMOVED"
            if p["method"] == "remove" and "fields" not in m:
                return {code}, {"withheld": True, "stripped": telling(self.objs[i])}
            keep = {"type", "id", "spec_version", "created", "modified", "revoked", "defanged", "created_by_ref", "object_marking_refs",
                    "granular_markings"} | set(p.get("keep", []))
            todo = m["fields"] if p["method"] == "remove" else [k for k in list(o) if k not in keep]
            results = [take(k) for k in todo]
            if None in results:
                return {code}, {"withheld": True, "stripped": telling(self.objs[i])}
            if any(results):
                notes.add(code)
        prune(o)
        # An account needs one property of its own.
        bare = {"type", "id", "spec_version", "object_marking_refs", "granular_markings", "defanged", "extensions"}
        if o["type"] == "user-account" and not set(o) - bare - {"sectors", "external_references", "labels", "created_by_ref", "description"}:
            why = {"PERSONAL_DATA_REMOVED", "VICTIM_STRIPPED"} & notes or {"ABOVE_CEILING"}
            return why, {"withheld": True, "stripped": telling(self.objs[i])}
        changed = o != self.objs[i]
        if label["conflict"]:
            notes.add("MARK_CONFLICT")
        doc = a["document"]
        return notes, {"withheld": False, "obj": o, "changed": changed, "stripped": [s for s in stripped if s != PLACEHOLDER], "agreement": doc["agreement_id"],
                       "flow": f["id"], "article": f["art"], "told": told, "pap": label["pap"] or doc["actions"]["default_pap"],
                       "key": bytes.fromhex(self.c["keys"].get(doc["agreement_id"], ""))}

    # ---- steps 8 to 10

    def new_id(self, i):
        mac = hmac.new(self.info[i]["key"], self.objs[i]["id"].encode(), hashlib.sha256).digest()[:16]
        return self.objs[i]["type"] + "--" + str(uuid.UUID(bytes=mac, version=5))

    def fates(self):
        out = {}
        for x in {o["id"] for o in self.objs}:
            members = [i for i, o in enumerate(self.objs) if o["id"] == x]
            if x in self.published:
                out[x] = (SAME, x)
            elif any(self.c["graph"][i]["known"] and self.c["graph"][i]["originator"] == self.c["recipient"] for i in members):
                out[x] = (SAME, x)
            elif any(i in self.alive and i not in self.changed for i in members):
                out[x] = (SAME, x)
            elif any(i in self.alive for i in members):
                out[x] = (CHANGED, min(self.new_id(i) for i in members if i in self.alive))
            else:
                out[x] = (GONE, None)
        for x in self.published:
            out[x] = (SAME, x)
        return out

    def examine(self, i, fates):
        """(reasons to withhold, finished object or None)"""
        why, touched = set(), i in self.changed
        src = self.info[i]["obj"]
        kind = src["type"]

        def fate(ref):
            return fates.get(ref, (GONE, None))

        def is_id(v):
            return isinstance(v, str) and "--" in v

        moved = {}

        known = self.c["graph"][i]["known"]  # the recipient has read it: its text gives nothing away any more

        def text(t):
            nonlocal touched
            if known:
                return t
            for x, (what, new) in fates.items():
                if what == CHANGED and x in t:
                    touched = True
                    t = t.replace(x, new)
            return t

        def walk(node, top):
            nonlocal touched
            if isinstance(node, str):
                return text(node)
            if isinstance(node, list):
                return [walk(v, False) for v in node]
            if not isinstance(node, dict):
                return node
            out = {}
            for k, v in node.items():
                if top and k in ("id", "object_marking_refs", "granular_markings", "created_by_ref"):
                    out[k] = v
                elif k.endswith("_ref") and is_id(v):
                    what, new = fate(v)
                    touched |= what != SAME
                    if what != GONE:
                        out[k] = new
                    elif top and kind == "network-traffic" and k in ("src_ref", "dst_ref"):
                        pass
                    elif not (top and removable(kind, k)):
                        why.add("REF_ENDPOINT_WITHHELD")
                elif k.endswith("_refs") and isinstance(v, list):
                    kept = []
                    for n, x in enumerate(v):
                        what, new = fate(x) if is_id(x) else (SAME, x)
                        touched |= what != SAME
                        if what != GONE:
                            if top:
                                moved[(k, n)] = len(kept)
                            kept.append(new)
                    if top and len(kept) != len(v):
                        moved[k] = True
                    lost_all = kind == "observed-data" and top and k == "object_refs" and not any(observable(x) for x in kept)
                    if lost_all and any(observable(x) for x in v):
                        why.add("EMPTY_CONTAINER")  # it must name an observable
                    if kept:
                        out[k] = kept
                    elif not (top and removable(kind, k)):
                        why.add("EMPTY_CONTAINER")
                else:
                    out[text(k)] = walk(v, False)
            return out

        o = walk(src, True)
        for ref in src.get("object_marking_refs", []) + [g["marking_ref"] for g in src.get("granular_markings", []) if "marking_ref" in g]:
            if fate(ref)[0] != SAME:
                why.add("MARKING_NOT_RELEASABLE")
        if kind == "network-traffic" and ("src_ref" in src or "dst_ref" in src) and "src_ref" not in o and "dst_ref" not in o:
            why.add("REF_ENDPOINT_WITHHELD")
        if "created_by_ref" in src and src["created_by_ref"] != self.c["my_identity"] and fate(src["created_by_ref"])[0] != SAME:
            touched = True
        own = src["id"]
        if touched:
            if not self.info[i]["key"]:
                why.add("REVIEW_REQUIRED")
            else:
                o["id"] = self.new_id(i)
                if "created_by_ref" in o or (kind in NEEDED and kind not in SCO):
                    o["created_by_ref"] = self.c["my_identity"]
            o = json.loads(json.dumps(o))
            for g in o.get("granular_markings", []):
                g["selectors"] = [n for n in (follow(s, moved) for s in g.get("selectors", [])) if n]
            if "granular_markings" in o:
                o["granular_markings"] = [g for g in o["granular_markings"] if g["selectors"]]
            prune(o)
        if known:
            return why, o, touched
        # The finished object must not speak of what is not given.
        said = {k: v for k, v in o.items() if k not in ("object_marking_refs", "granular_markings", "created_by_ref")}  # judged above
        scan = Scan(said)
        for x, (what, _) in fates.items():
            if x == own and o["id"] == own:
                if what == GONE and Scan({k: v for k, v in said.items() if k != "id"}).has(x, False):
                    why.add("TEXT_MENTIONS_WITHHELD")
                continue
            if what == GONE and scan.has(x, False):
                why.add("TEXT_MENTIONS_WITHHELD")
            if what == CHANGED and (x != own or touched) and scan.has(x, False):
                why.add("TEXT_MENTIONS_WITHHELD")
        open_words = {}
        scan = Scan(src)  # names and values: as they stood before any id in them was replaced
        for j, other in enumerate(self.objs):
            if other["id"] in self.published:
                continue
            knows = self.knows_whole(j)
            if not knows:
                for t in self.info[j]["stripped"]:
                    if scan.has(t, len(plain(core(t)).encode()) < 6):
                        why.add("TEXT_MENTIONS_WITHHELD")
            if j == i or j in self.alive or knows:  # what it has without its names it does not read
                continue
            for t in telling(other):
                if not scan.has(t, True):
                    continue
                if other["type"] not in open_words:
                    open_words[other["type"]] = self.open_words(i, other["type"])
                if other["id"] in self.victims or plain(core(t)) not in open_words[other["type"]]:
                    why.add("TEXT_MENTIONS_WITHHELD")
        return why, o, touched

    def knows_whole(self, j):
        """Known under its own id is known with all its names; else it may be known without them."""
        return self.c["graph"][j]["known"] and self.c["graph"][j]["originator"] == self.c["recipient"]

    def open_words(self, me, kind):
        """What the recipient reads by right in an object of this type; `me` speaks of itself by right as well."""
        out = set()
        for j, o in enumerate(self.objs):
            if o["type"] == kind and (j == me or j in self.alive or self.knows_whole(j)) and o["id"] not in self.published:
                out |= {plain(core(t)) for t in telling(o) if not (j in self.alive and t in self.info[j]["stripped"])}
        return out

    def run(self):
        self.codes, self.info = [], []
        self.alive, self.changed = set(), set()
        for i in range(len(self.objs)):
            codes, info = self.own(i)
            self.codes.append(codes)
            if info is None or info["withheld"]:
                self.info.append(info or {"withheld": True, "stripped": []})
                continue
            self.info.append(info)
            self.alive.add(i)
            if info["changed"]:
                self.changed.add(i)
        passed = set(self.alive)
        # An object that had to be changed but cannot be renamed must go before its id is asked for.
        while True:
            self.alive -= {i for i in self.alive & self.changed if not self.info[i]["key"]}
            fates = self.fates()
            results = {i: self.examine(i, fates) for i in self.alive}
            die = {i for i, (why, _, _) in results.items() if why}
            change = {i for i, (_, _, touched) in results.items() if touched}
            if not die and change <= self.changed:
                break
            self.alive -= die
            self.changed |= change
        out = []
        for i, g in enumerate(self.c["graph"]):
            if g["known"]:
                out.append({"verdict": "known"})
            elif i in self.alive:
                done = results[i][1]
                info = self.info[i]
                d = {"verdict": "redacted" if i in self.changed else "released", "agreement": info["agreement"], "flow": info["flow"], "article": info["article"],
                     "told_tlp": info["told"], "told_pap": info["pap"], "id": done["id"]}
                if i in self.changed:
                    d["object"] = done
                out.append(d)
            elif i in passed:
                out.append({"verdict": "withheld", "codes": self.final_reasons(i, fates)})
            else:
                out.append({"verdict": "withheld", "codes": self.codes[i]})
        return out

    def final_reasons(self, i, fates):
        # As things are at the end: what it would have had to be changed for in between depends on who went first.
        changed = self.changed
        self.changed = (changed - {i}) | ({i} if self.info[i]["changed"] else set())
        why, _, touched = self.examine(i, fates)
        self.changed = changed
        if touched and not self.info[i]["key"]:
            why.add("REVIEW_REQUIRED")
        return why


def follow(selector, moved):
    m = re.match(r"([^.]+)\.\[(\d+)\](.*)$", selector)
    if not m or m[1] not in moved:
        return selector
    to = moved.get((m[1], int(m[2])))
    return None if to is None else f"{m[1]}.[{to}]{m[3]}"


def prune(o):
    if "granular_markings" not in o:
        return
    kept = []
    for g in o["granular_markings"]:
        g = dict(g)
        if "selectors" in g:
            g["selectors"] = [s for s in g["selectors"] if s.split(".")[0] in o]
            if not g["selectors"]:
                continue
        kept.append(g)
    if kept:
        o["granular_markings"] = kept
    else:
        del o["granular_markings"]


def judge(case):
    """Differences as lines of text."""
    out = []
    for i, (want, got) in enumerate(zip(Oracle(case).run(), case["decisions"])):
        got = dict(got)
        if got["bytes"]:
            got["object"] = json.loads(got["bytes"])
        if want["verdict"] != got["verdict"]:
            out.append(f"object {i}: oracle {want['verdict']} {sorted(want.get('codes', []))}, product {got['verdict']} {sorted(set(got['codes']))}")
            continue
        for k, v in want.items():
            have = set(got["codes"]) if k == "codes" else got.get(k)
            if have != v:
                out.append(f"object {i} ({want['verdict']}): {k}: oracle {v!r}, product {have!r}")
        if want["verdict"] == "withheld" and not got["codes"]:
            out.append(f"object {i}: withheld without a reason")
    return out


def judge_all(lines):
    """What a run of cases showed: counts, and the first few differences."""
    cases = objects = wrong = 0
    verdicts, shown = {}, []
    for line in lines:
        case = json.loads(line)
        cases += 1
        objects += len(case["graph"])
        for d in case["decisions"]:
            verdicts[d["verdict"]] = verdicts.get(d["verdict"], 0) + 1
        differences = judge(case)
        if differences:
            wrong += 1
            if wrong <= 5:
                shown += [f"seed {case['seed']}:"] + ["  " + d for d in differences]
    return cases, objects, wrong, verdicts, shown, 0


def judge_seeds(job):
    """One piece of the work: the program is run for these seeds alone."""
    program, count, first = job
    process = subprocess.Popen([program, str(count), str(first)], stdout=subprocess.PIPE, text=True)
    found = judge_all(process.stdout)
    status = process.wait()
    # A program that ends early and says that all is well must not pass: the number of cases is part of the result.
    if status == 0 and found[0] != count:
        status = f"0 after {found[0]} of {count} cases"
    return (*found[:5], status)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if sys.argv[1] == "-":
        parts = [judge_all(sys.stdin)]
    else:
        count = int(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("ENTENTE_ORACLE_CASES", DEFAULT_CASES))
        first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
        jobs = [(sys.argv[1], min(PIECE, count - at), first + at) for at in range(0, count, PIECE)]
        with multiprocessing.Pool(min(len(jobs), os.cpu_count() or 1) or 1) as pool:
            parts, done = [], 0
            for part in pool.imap(judge_seeds, jobs):
                parts.append(part)
                if part[4]:  # at once: the rest of a long run may take half an hour
                    print("\n".join(part[4][:20]), file=sys.stderr, flush=True)
                if done // PROGRESS != (done + part[0]) // PROGRESS:
                    print(f"oracle: {done + part[0]:,} of {count:,} cases, {sum(p[2] for p in parts)} differ", file=sys.stderr, flush=True)
                done += part[0]
    verdicts, shown = {}, []
    for part in parts:
        shown += part[4]
        for v, n in part[3].items():
            verdicts[v] = verdicts.get(v, 0) + n
    cases, objects, wrong = (sum(part[k] for part in parts) for k in range(3))
    print("\n".join(shown[:60]), end="\n" if shown else "")
    print(f"{cases} cases, {objects} objects ({', '.join(f'{n} {v}' for v, n in sorted(verdicts.items()))}): {wrong} cases differ")
    status = next((part[5] for part in parts if part[5] != 0), 0)
    if status != 0:
        print(f"the program that makes the cases ended with status {status}")
    return 1 if wrong or status or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
