"""`entente hunt` beside what people use today (a part of bench/run): the same log, the same lists, in the same run; the lines that each finds are
compared before any time counts.

The log is Zeek JSON as tests/e2e makes it, with values of the list planted as whole fields. Lists hold addresses, names and digests, chosen so that
none is a part of another value of the log: what grep finds as text is then what is there as a value. (On real logs it is not: detection.md,
peers.md §5.) entente and Python read fields; grep, ripgrep and Hyperscan lines.
"""
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))

PYTHON = """
import json, sys, time
known = set(open(sys.argv[1]).read().split("\\n")) - {""}
begin = time.process_time()
lines = 0
def values(v):
    if isinstance(v, str):
        yield v
    elif isinstance(v, list):
        for x in v:
            yield from values(x)
for line in open(sys.argv[2]):
    record = json.loads(line)
    if any(x in known for v in record.values() for x in values(v)):
        lines += 1
print(json.dumps([lines, time.process_time() - begin]))
"""


def value(r, i, kind=None):
    kind = i % 3 if kind is None else kind
    if kind == 0:
        return f"{r.choice((45, 46, 47))}.{r.randint(100, 255)}.{r.randint(100, 255)}.{r.randint(100, 254)}"
    if kind == 1:
        return f"{''.join(r.choices('abcdefghijklmnop', k=9))}{i}q.evil-{r.randint(10, 99)}.example"
    return f"{r.getrandbits(128):032x}"


def make(folder, lines, rate=2000):
    """(log, planted values, number of lines that hold one)."""
    from hunt_formats import JsonFiller, zeek_json
    from hunt_world import Common, World
    r = random.Random(5)
    filler = JsonFiller(r, World(5, 1, 0), Common(5), rate=0.0)
    planted, hits = [], 0
    log = folder / "zeek.json"
    with open(log, "w", encoding="utf-8") as out:
        for n, (line, _) in enumerate(zeek_json(filler, lines)):
            if n % rate == 7:
                hits += 1
                v = value(r, n)
                planted.append(v)
                line = line[:-1] + ',"seen":' + json.dumps(v) + "}"
            out.write(line + "\n")
    return log, planted, hits


def write_list(path, planted, n):
    r = random.Random(6)
    seen = dict.fromkeys(planted)
    i = 1_000_000
    while len(seen) < n:
        seen[value(r, i)] = None
        i += 1
    path.write_text("\n".join(seen) + "\n")


def timed(command, stdout):
    """(exit status, seconds of wall time, of CPU) with the output in a file: grep stops at the first hit if nobody reads it."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(stdout, "wb") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return status, time.monotonic() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peers(entente, build, quick, folder, row, say):
    say("hunting: 1 core, CPU time with start-up and reading of the list; every program finds the same lines")
    log, planted, hits = make(folder, 60_000 if quick else 300_000)
    megabytes = log.stat().st_size / 1e6
    programs = {"grep -F -f": lambda l: ["grep", "-F", "-f", str(l), str(log)], "rg -F -f": lambda l: ["rg", "-N", "-j1", "-F", "-f", str(l), str(log)]}
    hyperscan = next(pathlib.Path(build).rglob("entente_hyperscan_peer"), None)
    for n in (10_000,) if quick else (10_000, 100_000):
        path = folder / f"list.{n}"
        write_list(path, planted, n)
        theirs = {}
        for name, command in programs.items():
            if not shutil.which(name.split()[0]):
                say(f"  {name.split()[0]} is not installed (tools/setup bench)")
                continue
            status, wall, cpu = timed(command(path), folder / "out")
            found = sum(1 for _ in open(folder / "out", "rb"))
            check(name, status, found, hits)
            theirs[name] = cpu
        if hyperscan and n <= 10_000:  # compiling ten times as many takes ten minutes
            got = json.loads(subprocess.run([hyperscan, path, log], check=True, capture_output=True, text=True).stdout)
            check("hyperscan", 0, got["lines"], hits)
            theirs["Hyperscan literals"] = got["compile_s"] + got["scan_s"]
            row(f"Hyperscan alone, {n:,} literals, scan without compiling", round(megabytes / got["scan_s"]), "MB/s", note=f"compiled in {got['compile_s']:.1f} s, {got['database'] / 1e6:.0f} MB")
        got = json.loads(subprocess.run([sys.executable, "-c", PYTHON, path, log], check=True, capture_output=True, text=True).stdout)
        check("python", 0, got[0], hits)
        theirs["Python set"] = got[1]
        for name, options in (("hunt", []), ("hunt --fields", ["--fields"])):
            status, wall, cpu = timed([entente, "hunt", "-j", "1", *options, "--indicators", str(path), str(log)], folder / "out")
            found = len({json.loads(line)["record"] for line in open(folder / "out", "rb")})
            check(name, status, found, hits)
            row(f"{name}, {n:,} indicators, {megabytes:.0f} MB, whole program", round(megabytes / cpu), "MB/s", note=f"{hits} lines found by all")
        for name, cpu in theirs.items():
            row(f"  peer: {name}, {n:,}", round(megabytes / cpu), "MB/s")


def check(name, status, found, hits):
    if status != 0 or found != hits:
        raise SystemExit(f"bench: {name} finds {found} lines of {hits} (status {status}): no time counts")


def figures(build, quick, root, row, say):
    """The figures of the issue, by CPU time of one thread in one process (entente_detect_bench), and the past (entente_history_bench)."""
    bench = str(next(pathlib.Path(build).rglob("entente_detect_bench")))
    logs = root / "../shared/data/zeek-logs"
    sizes = ["-n", "10000", "-n", "1000000"] if quick else ["-n", "10000", "-n", "10000000"]
    goals = {"hunt": "2.0 GB/s JSON", "hunt --fields": "1.5 GB/s", "hunt, lines": "7 M/s TSV", "two threads by CPU time": "1.85", "two threads by wall time": "1.85",
             "memory, everything": "36 B", "memory, hot": "10 B", "read and built from a list": "3 s", "live: 1,000 more, found from then on": "10 ms", "cost against the smallest set": "1.5"}
    if not logs.is_dir():
        say("  ../shared/data/zeek-logs is absent: lookups without logs")
    for form, more in (("json", ["--fields", "--two", "--text"]), ("tsv", ["--fields"])):
        files = sorted(str(f) for f in (logs / form).glob("*.gz"))
        if form == "tsv" and not files:
            continue
        out = subprocess.run([bench, *sizes, *more, "-o", "json", *files], capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit("bench: hunting failed: " + out.stderr)
        for line in out.stdout.splitlines():
            r = json.loads(line)
            if form == "tsv" and not r["what"].startswith(("hunt", "cost")):
                continue
            goal = f"goal {goals[r['what']]}" if r["what"] in goals else ""
            row(f"{form}, {r['indicators']:,}: {r['what']}", r["value"], r["unit"], note=" ".join(x for x in (goal, r["note"]) if x))
    out = subprocess.run([bench, "-n", "100000", "--live", "-o", "json"], capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit("bench: live sets failed: " + out.stderr)
    for line in out.stdout.splitlines():
        r = json.loads(line)
        if r["what"].startswith("live"):
            row(f"{r['indicators']:,}: {r['what']}", r["value"], r["unit"], note=f"goal {goals[r['what']]}" if r["what"] in goals else "")


def past(build, quick, folder, row, say):
    millions = 20 if quick else int(os.environ.get("ENTENTE_BENCH_HISTORY", "1000"))
    free = shutil.disk_usage(folder).free
    if free < millions * 8_000_000:
        millions = max(10, free // 16_000_000)
        say(f"  the disk has room for {millions} million values of history only")
    out = subprocess.run([next(pathlib.Path(build).rglob("entente_history_bench")), folder / "history", str(millions), "1000", "--simulate", "-o", "json"], capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit("bench: the past failed: " + out.stderr)
    r = json.loads(out.stdout)
    shutil.rmtree(folder / "history", ignore_errors=True)
    row(f"1,000 new indicators asked of {r['seen'] / 1e6:,.0f} M values in {r['segments']} segments", r["wall_s"], "s", note=f"goal 1 at 1,000 M; first time {r['first_s']} s, CPU {r['cpu_s']} s, "
        f"{r['bytes'] / r['seen']:.1f} B a value, opened in {r['open_s']} s; {r['found']} found")


def run(entente, build, quick, root, folder, row, say):
    peers(entente, build, quick, folder, row, say)
    figures(build, quick, root, row, say)
    past(build, quick, folder, row, say)
