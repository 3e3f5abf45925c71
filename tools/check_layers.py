#!/usr/bin/env python3
"""Holds the tree to layers.txt: every include goes to a layer that the line allows, internal/ stays private, own header first, no '../'.

    tools/check_layers.py [ROOT]       exit 0 = kept, 1 = broken (each place is printed)
    tools/check_layers.py --self-test  plants violations in a copy of two layers and must find each
"""
import pathlib, re, sys, tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def read_layers(path):
    layers = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, uses = line.partition(":")
        uses = uses.split()
        for use in uses:
            if use not in layers:
                raise SystemExit(f"{path}:{number}: {name} uses {use}, which does not stand above it")
        layers[name.strip()] = set(uses)
    return layers


def check(root):
    layers = read_layers(root / "layers.txt")
    problems = []
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        parts = path.relative_to(root / "src").parts
        layer = parts[0]
        where = path.relative_to(root)
        if layer not in layers:
            problems.append(f"{where}: src/{layer} is not a layer of layers.txt")
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".h" and "#pragma once" not in text:
            problems.append(f"{where}: header without #pragma once")
        included = []
        for number, line in enumerate(text.splitlines(), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            target = m.group(1)
            included.append(target)
            if target.startswith("../") or "/../" in target:
                problems.append(f"{where}:{number}: include by path from src/, not \"{target}\"")
                continue
            if "/" not in target:
                continue  # generated, or of the system
            other = target.split("/")[0]
            if other not in layers:
                continue
            if other != layer and other not in layers[layer]:
                problems.append(f"{where}:{number}: {layer} may not use {other} (layers.txt allows: {' '.join(sorted(layers[layer])) or 'nothing'})")
            if other != layer and "/internal/" in target:
                problems.append(f"{where}:{number}: {target} is private to {other}")
            if not (root / "src" / target).exists():
                problems.append(f"{where}:{number}: there is no src/{target}")
        own = path.with_suffix(".h")
        if path.suffix == ".cc" and own.exists():
            name = own.relative_to(root / "src").as_posix()
            if name not in included:
                problems.append(f"{where}: does not include its own header {name}")
            elif included[0] != name:
                problems.append(f"{where}: its own header {name} is not the first include")
    return problems


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "layers.txt").write_text("low:\nhigh: low\n")
        for name, text in {"low/a.h": "#pragma once\n", "low/internal/p.h": "#pragma once\n", "low/a.cc": '#include "low/a.h"\n', "high/b.h": "#pragma once\n"}.items():
            path = root / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert check(root) == [], check(root)
        planted = {"upward": ("low/bad.cc", '#include "high/b.h"\n'), "private": ("high/bad.cc", '#include "low/internal/p.h"\n'), "dots": ("high/bad.cc", '#include "../low/a.h"\n'),
                   "missing": ("high/bad.cc", '#include "low/none.h"\n'), "own header last": ("low/a.cc", '#include "low/internal/p.h"\n#include "low/a.h"\n'),
                   "own header absent": ("low/a.cc", "\n"), "stray layer": ("other/x.h", "#pragma once\n"), "no guard": ("low/n.h", "\n")}
        for what, (name, text) in planted.items():
            path = root / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text() if path.exists() else None
            path.write_text(text)
            assert check(root), f"planted violation not found: {what}"
            path.unlink() if before is None else path.write_text(before)
        for bad in ("a: b\nb:\n", "a: a\n"):
            (root / "layers.txt").write_text(bad)
            try:
                read_layers(root / "layers.txt")
            except SystemExit:
                continue
            raise AssertionError("a cycle in layers.txt was not refused")
    print(f"self-test: {len(planted) + 2} planted violations found")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        sys.exit(0)
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent))
    print("\n".join(found) if found else "layers.txt is kept")
    sys.exit(1 if found else 0)
