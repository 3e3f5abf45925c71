#!/usr/bin/env python3
"""A sensor with every enforcer, killed at random moments (kill -9) while indicators come and go: what is blocked stays blocked in the kernel, after a restart the desired
state is there and nothing else, no restart leaks a table, program, map, pin, descriptor or file, and when the sensor stays away everything passes. About half a minute."""
import json, os, pathlib, random, signal, socket, subprocess, sys, tempfile, time

from sensor_lab import Checks, Node, Sensor, address, indicator, own_namespace, within

ENTENTE = sys.argv[1]
SECONDS = float(os.environ.get("ENTENTE_KILL_SECONDS", "16"))
check = Checks()
sh = lambda command: subprocess.run(command, shell=True, capture_output=True, text=True)


SENDER = """
import socket, sys
for source in sys.stdin:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source.strip(), 0))
        s.sendto(source.encode(), ("10.77.0.1", 7000))
"""


def passes(source):
    """Does a packet that the other side sends from this address arrive here?"""
    HERE.setblocking(False)
    try:
        while True:
            HERE.recv(100)
    except BlockingIOError:
        pass
    HERE.settimeout(0.25)
    OTHER.stdin.write(source + "\n")
    OTHER.stdin.flush()
    try:
        return HERE.recv(100).decode().strip() == source
    except OSError:
        return False


def nft_set(name, table="entente"):
    r = sh(f"nft -j list set inet {table} {name}")
    if r.returncode != 0:
        return None
    elements = json.loads(r.stdout)["nftables"][1]["set"].get("elem", [])
    return sorted(e["elem"]["val"] if isinstance(e, dict) else e for e in elements)


# Files that a sensor writes only once there is something to keep.
LATER = {"sightings.jsonl", "effect.jsonl", "trials.json", "uses.bin"}


def kernel():
    """Everything that a sensor could leave in the kernel or on the disk, as numbers."""
    pins = sorted(p.name for p in pathlib.Path("/sys/fs/bpf/lab").iterdir()) if os.path.isdir("/sys/fs/bpf/lab") else []
    programs = [p for p in json.loads(sh("bpftool -j prog list").stdout or "[]") if p.get("name") == "entente_drop"]
    maps = [m for m in json.loads(sh("bpftool -j map list").stdout or "[]") if m.get("name") in ("hosts4", "hosts6", "nets4", "nets6", "allow4", "allow6", "control", "totals")]
    return {"tables": sh("nft list tables").stdout.split("\n"), "pins": pins, "programs": len(programs), "maps": len(maps),
            "xdp": sh("ip -d link show here0").stdout.count("prog/xdp"), # a write that was killed leaves NAME.tmp, which the next one overwrites
            "files": sorted({p.name.removesuffix(".tmp") for p in sensor.state.iterdir()} | LATER)}


own_namespace()
random.seed(int(os.environ.get("ENTENTE_SEED", "7")))
OTHER = subprocess.Popen(["unshare", "-n", sys.executable, "-c", SENDER], stdin=subprocess.PIPE, text=True)
HERE = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
HERE.bind(("0.0.0.0", 7000))
sensor = None
try:
    with tempfile.TemporaryDirectory() as folder:
        tmp = pathlib.Path(folder)
        within(3, lambda: os.readlink(f"/proc/{OTHER.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        r = sh(f"ip link add here0 type veth peer name there0 netns {OTHER.pid} && ip addr add 10.77.0.1/24 dev here0 && ip link set here0 up"
               f" && ip route add 198.51.100.0/24 dev here0 && nsenter -t {OTHER.pid} -n sh -c 'ip link set lo up; ip link set there0 up; ip addr add 10.77.0.2/24 dev there0;"
               " for i in 1 2 3 200; do ip addr add 198.51.100.$i/32 dev there0; done'")
        if r.returncode != 0 or not within(5, lambda: passes("198.51.100.1")):
            print("skipped: no veth pair here:", r.stderr)
            sys.exit(77)
        node = Node()
        config = lambda at_stop: (f'enforcer = "both"\nxdp_mode = "generic"\npin_dir = "/sys/fs/bpf/lab"\nxdp_capacity = 5000\ninterfaces = ["here0"]\nhold = "PT5S"\nat_stop = "{at_stop}"',
                                  '[export]\nforms = ["text", "nft"]\ndir = "exports"\n[rpz]\nlisten = "127.0.0.1:5454"\n[leases]\nttl = "PT8S"\n[history]\nmax_mib = 16\n[logs]\nlisten = ["udp:127.0.0.1:5514"]')
        sensor = Sensor(ENTENTE, tmp / "sensor", node, *config("keep"))
        node.add(address(1, "198.51.100.1"), indicator(9000, "[domain-name:value = 'evil.example']"))
        sensor.start()
        check("blocked in both", within(8, lambda: not passes("198.51.100.1")) and within(5, lambda: "198.51.100.1" in (nft_set("block4") or [])), sensor.status())
        check("and nobody else", passes("198.51.100.200"))
        first, descriptors = kernel(), sensor.open_files()

        alive, number, kills, holes, early = {1}, 10, 0, [], []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for _ in range(random.randrange(1, 30)):
                if len(alive) > 5 and random.random() < 0.4:
                    gone = random.choice([n for n in alive if n > 3])
                    alive.discard(gone)
                    node.add(address(gone, f"203.0.{gone // 250}.{gone % 250 + 1}", version=2, revoked=True))
                else:
                    number += 1
                    alive.add(number)
                    node.add(address(number, f"203.0.{number // 250}.{number % 250 + 1}"))
            time.sleep(random.choice([0, 0.01, 0.05, 0.2, 0.6, 1.2]) * random.random())
            status = sensor.kill()
            kills += 1
            if status not in (None, -9):
                early.append((status, sensor.said()[-600:]))
            if passes("198.51.100.1"):  # XDP and nftables hold it without the sensor
                holes.append(f"after kill {kills}")
            sensor.start(wait=False)
            if random.random() < 0.3 and passes("198.51.100.1"):  # while it starts
                holes.append(f"in start {kills}")
        check(f"blocked in every moment of {kills} kills", not holes, holes)
        check("it never ended by itself", not early, early[:2])

        desired = sorted(["198.51.100.1"] + [f"203.0.{n // 250}.{n % 250 + 1}" for n in alive if n > 3])
        addresses = lambda: [t for t in sensor.targets() if t != "evil.example"]
        check(f"the desired state is reconciled: {len(desired)} leases", within(15, lambda: addresses() == desired), (len(addresses()), len(desired), sensor.said()[-800:]))
        check("nftables has exactly them", within(5, lambda: nft_set("block4") == desired), (len(nft_set("block4") or []), len(desired)))
        xdp = lambda: len(json.loads(sh("bpftool -j map dump pinned /sys/fs/bpf/lab/hosts4").stdout or "[]"))
        check("XDP has exactly them", within(5, lambda: xdp() == len(desired)), (xdp(), len(desired)))
        exported = lambda: (sensor.folder / "exports/addresses.txt").read_text().splitlines()[1:]
        check("the exports have exactly them", within(5, lambda: sorted(exported()) == desired), len(exported()))
        book = (sensor.state / "leases.jsonl").read_text().splitlines()
        check("the book is whole", all(json.loads(line) for line in book if line.strip()))
        now = kernel()
        check("nothing leaked: tables, pins, programs, maps, attachments, files", now == first, (first, now))
        check("nor a descriptor", within(5, lambda: sensor.open_files() <= descriptors + 2), (descriptors, sensor.open_files()))

        sensor.kill()
        gone = time.monotonic()
        while passes("198.51.100.1") is False and time.monotonic() - gone < 25:
            time.sleep(0.2)
        away = time.monotonic() - gone
        check(f"it stays away: everything passes after {away:.1f} s (lease 8 s, hold 5 s)", 3 < away < 12 and passes("198.51.100.1"), away)
        check("by themselves all elements ended", within(8, lambda: nft_set("block4") == []), nft_set("block4"))
        manifest = json.loads((sensor.folder / "exports/manifest.json").read_text())
        check("and readers of the exports know that they are over", manifest["use_until"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()), manifest["use_until"])

        node_config = config("clear")
        sensor.write(node, *node_config)
        sensor.start()
        check("back: blocked again", within(10, lambda: not passes("198.51.100.1")) and within(10, lambda: addresses() == desired), sensor.status().get("leases"))
        check("asked to stop and clear: 0", sensor.kill(signal.SIGTERM) == 0, sensor.said()[-800:])
        left = kernel()
        check("nothing of it is left in the kernel", left["tables"] == [""] and left["pins"] == [] and left["xdp"] == 0 and within(5, lambda: kernel()["programs"] == 0 and kernel()["maps"] == 0), left)
        check("and everything passes", passes("198.51.100.1"))
finally:
    if sensor is not None:
        sensor.kill()
    OTHER.kill()
    OTHER.wait()
check.finish()
