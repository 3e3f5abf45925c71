#!/usr/bin/env python3
"""The libraries as others use them: installed to a prefix, found with find_package(entente), built against from outside the tree.

    library_test.py SOURCE_DIR BUILD_DIR
"""
import json, os, pathlib, subprocess, sys, tempfile

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])


def run(*args, **more):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True, **more)
    return r


def must(*args):
    r = run(*args)
    if r.returncode != 0:
        raise SystemExit(f"WRONG {' '.join(map(str, args))}\n{r.stdout[-3000:]}\n{r.stderr[-3000:]}")
    return r


def main(tmp):
    prefix, moved, out = tmp / "prefix", tmp / "moved", tmp / "out"
    must("cmake", "--install", BUILD, "--component", "development", "--prefix", prefix)
    prefix.rename(moved)  # an installation may be moved
    headers = [p.relative_to(moved / "include/entente") for p in (moved / "include/entente").rglob("*.h")]
    private = [str(h) for h in headers if "internal" in h.parts or "test" in h.name]
    if private or not headers:
        raise SystemExit(f"WRONG headers that are nobody's business are installed: {private}")
    for file in moved.rglob("*.cmake"):
        if str(SOURCE) in file.read_text() or str(BUILD) in file.read_text():
            raise SystemExit(f"WRONG {file} names the tree that it was built in")
    must("cmake", "-S", SOURCE / "examples/validate", "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={moved}", "-DCMAKE_BUILD_TYPE=Release", *sys.argv[3:])
    must("cmake", "--build", out)
    program = out / "validate"
    tool = {"type": "tool", "spec_version": "2.1", "id": "tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "created": "2020-01-01T00:00:00.000Z", "modified": "2020-01-01T00:00:00.000Z", "name": "x"}
    good = run(program, input=json.dumps(tool))
    bad = run(program, input=json.dumps({**tool, "confidence": 101}))
    checks = [good.returncode == 0, ": valid" in good.stdout, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4" in good.stdout, "Confirmed by other sources" in good.stdout,
              bad.returncode == 1, "S13-range /confidence" in bad.stdout]
    if not all(checks):
        raise SystemExit(f"WRONG {checks}\n{good}\n{bad}")
    print(f"{len(headers)} headers installed; the example was built against them, and is right")


with tempfile.TemporaryDirectory() as folder:
    main(pathlib.Path(folder))
