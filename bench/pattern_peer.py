#!/usr/bin/env python3
"""stix2-matcher over the patterns and data that entente_pattern_bench wrote into FOLDER; the answers have to be the same.

    pattern_peer.py FOLDER      prints {"compile_per_s": …, "evaluations_per_s": …}
"""
import json, pathlib, sys, time

from stix2matcher.matcher import Pattern

folder = pathlib.Path(sys.argv[1])
data = json.loads((folder / "data.json").read_text())
texts = (folder / "patterns.txt").read_text().splitlines()
t = time.process_time()
patterns = [Pattern(text, "2.0") for text in texts]
compiling = time.process_time() - t
t = time.process_time()
matched = [bool(p.match(data)) for p in patterns]
matching = time.process_time() - t
if matched != [True] + [False] * (len(texts) - 1):
    sys.exit("pattern_peer: the answers differ")
print(json.dumps({"compile_per_s": round(len(texts) / compiling), "evaluations_per_s": round(len(texts) * len(data) / matching)}))
