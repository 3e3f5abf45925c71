#!/usr/bin/env python3
"""clang-tidy 19 over the files whose own text, or that of a header they include, changed since they were last found clean.

A file's stamp is a hash of .clang-tidy, of the file and of every header of the project that it reaches by quoted includes; clean
files are remembered in build/tidy/clean. The files that were not clean last time come first, so that a repair is judged at once.
Tests are left out: GoogleTest's macros cry wolf.
"""
import concurrent.futures as futures
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / 'build/tidy'
CLEAN = BUILD / 'clean'
INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)
NOISE = re.compile(r'warnings? generated|^Suppressed|Use -header-filter')


@functools.cache
def text(path):
    return path.read_bytes()


@functools.cache
def included(path):
    found = []
    for name in INCLUDE.findall(text(path)):
        for base in (path.parent, ROOT / 'src'):
            candidate = (base / name.decode()).resolve()
            if candidate.is_file():
                found.append(candidate)
                break
    return tuple(found)


def reached(path):
    seen, todo = {path}, [path]
    while todo:
        for header in included(todo.pop()):
            if header not in seen:
                seen.add(header)
                todo.append(header)
    return sorted(seen)


def stamp(path):
    h = hashlib.sha256(text(ROOT / '.clang-tidy'))
    for p in reached(path):
        h.update(str(p.relative_to(ROOT)).encode() + b'\0' + hashlib.sha256(text(p)).digest())
    return h.hexdigest()[:32]


def analyse(path):
    done = subprocess.run(['clang-tidy-19', '-p', str(BUILD), '--quiet', '--warnings-as-errors=*', str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = [line for line in done.stdout.splitlines() if not NOISE.search(line)]
    return done.returncode, '\n'.join(lines)


def main():
    CLEAN.mkdir(parents=True, exist_ok=True)
    files = sorted(p for p in (ROOT / 'src').rglob('*.cc')
                   if not p.name.endswith(('_test.cc', '_bench.cc', '_fuzz.cc')))
    todo = [p for p in files if not (CLEAN / stamp(p)).exists()]
    bad_before = BUILD / 'not-clean'
    first = set(bad_before.read_text().split()) if bad_before.exists() else set()
    todo.sort(key=lambda p: (str(p.relative_to(ROOT)) not in first, str(p)))
    print(f'tidy: {len(files)} files, {len(todo)} to analyse', file=sys.stderr)
    bad, last = [], time.monotonic()
    with futures.ThreadPoolExecutor(int(os.environ.get('JOBS', os.cpu_count() or 1))) as pool:
        for n, (path, (code, out)) in enumerate(zip(todo, pool.map(analyse, todo)), 1):
            if code == 0:
                (CLEAN / stamp(path)).touch()
            else:
                bad.append(str(path.relative_to(ROOT)))
                print(out or f'{path}: clang-tidy ended with {code}', flush=True)
            if time.monotonic() - last > 60:
                last = time.monotonic()
                print(f'tidy: {n} of {len(todo)}', file=sys.stderr, flush=True)
    bad_before.write_text('\n'.join(bad))
    if bad:
        print(f'tidy: {len(bad)} files not clean: {" ".join(bad)}', file=sys.stderr)
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
