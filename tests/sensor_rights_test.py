#!/usr/bin/env python3
"""A sensor with the rights of its unit and no others (packaging/systemd): a user without a name, the capabilities that the unit and its addition for XDP
list, nothing in the bounding set but them. With the unit alone nftables drops; with the addition XDP is attached, drops, and lets go; without it XDP is
refused with what to do. What the unit says is read from the unit, so the two cannot part."""
import json, os, pathlib, re, stat, subprocess, sys, tempfile

from sensor_lab import Checks, Node, Sensor, address, own_namespace, within

ENTENTE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
NOBODY = 65534
check = Checks()


def capabilities(*units):
    text = "\n".join((ROOT / "packaging/systemd" / u).read_text() for u in units)
    ambient = set(" ".join(re.findall(r"^AmbientCapabilities=(.*)$", text, re.M)).split())
    bounding = set(" ".join(re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.M)).split())
    check(f"{' + '.join(units)}: what it has is all that it could get", ambient == bounding and ambient, f"{ambient} {bounding}")
    return sorted(c.removeprefix("CAP_").lower() for c in ambient)


def program_of(folder, name, rights):
    """`entente` as that user with these rights."""
    path = pathlib.Path(folder, name)
    plus = ",".join("+" + c for c in rights)
    path.write_text(f"#!/bin/sh\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --no-new-privs --bounding-set=-all,{plus} --inh-caps=-all,{plus} --ambient-caps=-all,{plus}"
                    f' -- {ENTENTE} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return str(path)


def sensor(folder, name, program, node, lines):
    s = Sensor(program, pathlib.Path(folder, name), node, lines)
    for p in (s.folder, s.folder / "token", s.folder / "sensor.toml"):
        os.chown(p, NOBODY, NOBODY)
    return s


def rights_of(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {k: int(v, 16) for k, v in re.findall(r"^Cap(Eff|Bnd|Amb):\s*(\w+)$", status, re.M)}


own_namespace()
if subprocess.run(["sh", "-c", "command -v setpriv"], capture_output=True).returncode != 0:
    print("skipped: no setpriv here")
    sys.exit(77)
plain = capabilities("entente-sensor@.service")
more = capabilities("entente-sensor@.service", "entente-sensor-xdp.conf")
check("the addition brings CAP_BPF alone", sorted(set(more) - set(plain)) == ["bpf"], more)
filters = (ROOT / "packaging/systemd/entente-sensor-xdp.conf").read_text()
check("and the call that it is for", "SystemCallFilter=bpf" in filters and "AF_XDP" in filters)
subprocess.run("ip link add edge0 type veth peer name edge1 && ip link set edge0 up && ip link set edge1 up && ip addr add 10.66.0.1/24 dev edge0", shell=True, check=True)
with tempfile.TemporaryDirectory(prefix="entente-rights-") as tmp:
    os.chmod(tmp, 0o755)
    pins = pathlib.Path(tmp, "bpf")
    pins.mkdir()
    # What ExecStartPre of the addition does.
    subprocess.run(["mount", "-t", "bpf", "-o", "mode=0700,nosuid,nodev,noexec", "bpf", pins], check=True)
    os.chown(pins, NOBODY, NOBODY)
    node = Node()
    node.add(address(1, "198.51.100.7"))
    lines = 'interfaces = ["edge0"]\n'
    try:
        s = sensor(tmp, "nft", program_of(tmp, "entente-nft", plain), node, lines + 'enforcer = "nft"\n').start()
        check("nftables: with the unit's rights it drops", within(10, lambda: s.targets() == ["198.51.100.7"]), s.said()[-1500:])
        got = rights_of(s.process.pid)
        check("it has no right beyond them", len(set(got.values())) == 1 and bin(got["Eff"]).count("1") == len(plain), got)
        listed = subprocess.run(["nft", "list", "table", "inet", "entente"], capture_output=True, text=True)
        check("and the kernel holds it", "198.51.100.7" in listed.stdout, listed.stderr)
        s.kill(15)
        subprocess.run(["nft", "delete", "table", "inet", "entente"], check=True)

        xdp = lines + f'enforcer = "xdp"\nxdp_mode = "generic"\npin_dir = "{pins}/edge"\nxdp_capacity = 1000\n'
        s = sensor(tmp, "without", program_of(tmp, "entente-without", plain), node, xdp).start(wait=False)
        check("XDP without CAP_BPF: refused", within(10, lambda: s.process.poll() is not None) and s.process.returncode != 0, s.said()[-1500:])
        check("and it says which right is missing", "CAP_BPF" in s.said(), s.said()[-1500:])
        s.kill()

        for mode in ("generic", "native"):
            s = sensor(tmp, mode, program_of(tmp, "entente-xdp", more), node, xdp.replace("generic", mode)).start()
            check(f"XDP {mode}: with CAP_BPF beside them it drops", within(10, lambda: s.targets() == ["198.51.100.7"]), s.said()[-1500:])
            link = json.loads(subprocess.run(["ip", "-j", "link", "show", "edge0"], capture_output=True, text=True).stdout)[0]
            check(f"XDP {mode}: the program is on the interface", "xdp" in link, link)
            got = rights_of(s.process.pid)
            check(f"XDP {mode}: it has no right beyond them", len(set(got.values())) == 1 and bin(got["Eff"]).count("1") == len(more), got)
            s.kill(9)
            check(f"XDP {mode}: what is in force stays when it is killed", "xdp" in json.loads(subprocess.run(["ip", "-j", "link", "show", "edge0"], capture_output=True, text=True).stdout)[0])
            s.start()
            check(f"XDP {mode}: and is taken over with the same rights", within(10, lambda: s.targets() == ["198.51.100.7"]), s.said()[-1500:])
            s.write(node, xdp.replace("generic", mode) + 'at_stop = "clear"\n')
            s.kill(15)
            s.start()
            within(10, lambda: s.targets() == ["198.51.100.7"])
            s.kill(15)
            check(f"XDP {mode}: and goes", "xdp" not in json.loads(subprocess.run(["ip", "-j", "link", "show", "edge0"], capture_output=True, text=True).stdout)[0], s.said()[-800:])
    finally:
        subprocess.run(["umount", "-l", pins])
check.finish()
