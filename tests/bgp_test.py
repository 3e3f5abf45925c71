#!/usr/bin/env python3
"""Leases at routers: a sensor, a GoBGP that it speaks to, and a second GoBGP behind that one, in a network namespace. What a person announced arrives at the second, and
goes with the lease, with a person's word, with a recall, and when the sensor stays away; it holds over a restart of the sensor and comes back after one of the router."""
import json, pathlib, shutil, signal, subprocess, sys, tempfile, time

import sensor_lab
from sensor_lab import Checks, Node, Sensor, address, indicator, own_namespace

ENTENTE = sys.argv[1]
check = Checks()
if shutil.which("gobgpd") is None or shutil.which("gobgp") is None:
    print("skipped: gobgpd is not installed (tools/setup test)")
    sys.exit(77)

FAMILIES = ["ipv4-unicast", "ipv6-unicast", "ipv4-flowspec", "ipv6-flowspec"]


def neighbour(address, peer_as, passive, port=0, password="", local=""):
    text = f"""[[neighbors]]
  [neighbors.config]
    neighbor-address = "{address}"
    peer-as = {peer_as}
    auth-password = "{password}"
  [neighbors.transport.config]
    passive-mode = {str(passive).lower()}
    local-address = "{local}"
    {f"remote-port = {port}" if port else ""}
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.graceful-restart.config]
    enabled = {str(passive).lower()}
    restart-time = 20
    helper-only = true
"""
    for f in FAMILIES:
        text += f"""  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{f}"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = {str(passive).lower()}
"""
    return text


class Router:
    def __init__(self, tmp, name, address, number, neighbours, api):
        self.conf, self.api, self.process = tmp / f"{name}.toml", api, None
        self.log = tmp / f"{name}.log"
        self.conf.write_text(f"""[global.config]
  as = {number}
  router-id = "{address}"
  port = 1790
  local-address-list = ["{address}"]
""" + "".join(neighbours))
        self.start()

    def start(self):
        self.process = subprocess.Popen(["gobgpd", "-f", str(self.conf), "--api-hosts", f"127.0.0.1:{self.api}", "--pprof-disable"], stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def routes(self):
        """(family, prefix or rule) -> its attributes as text"""
        out = {}
        for family in ["ipv4", "ipv6", "ipv4-flowspec", "ipv6-flowspec"]:
            r = subprocess.run(["gobgp", "-p", str(self.api), "global", "rib", "-a", family, "-j"], capture_output=True, text=True)
            if r.returncode != 0:
                return None
            for key, paths in (json.loads(r.stdout) or {}).items():
                out[(family, key)] = json.dumps(paths)
        return out


def within(seconds, condition, every=0.2):  # each look at a router is four processes
    return sensor_lab.within(seconds, condition, every)


def keys(router):
    routes = router.routes()
    return None if routes is None else sorted(k for _, k in routes)


own_namespace()
with tempfile.TemporaryDirectory() as folder:
    tmp = pathlib.Path(folder)
    for a in ("10.9.0.1", "10.9.0.2", "10.9.0.9"):
        subprocess.run(["ip", "addr", "add", f"{a}/32", "dev", "lo"], check=True)
    near = Router(tmp, "near", "10.9.0.1", 64513, [neighbour("10.9.0.9", 64512, True, password="hidden", local="10.9.0.1"), neighbour("10.9.0.2", 64513, False, port=1790, local="10.9.0.1")], 50061)
    far = Router(tmp, "far", "10.9.0.2", 64513, [neighbour("10.9.0.1", 64513, False, port=1790, local="10.9.0.2")], 50062)
    (tmp / "bgp.password").write_text("hidden\n")
    (tmp / "bgp.password").chmod(0o600)
    node = Node()
    sensor = Sensor(ENTENTE, tmp / "sensor", node, 'enforcer = "none"\nhold = "PT4S"', f"""[bgp]
peer = "10.9.0.1:1790"
local_as = 64512
peer_as = 64513
router_id = "10.9.0.9"
source = "10.9.0.9"
password_file = "{tmp}/bgp.password"
max_rules = 5
[leases]
ttl = "PT30S"
""").start()
    lease_of = lambda target: next((x["lease"] for x in sensor.leases() if x["target"] == target), "L999")
    announce = lambda target, how: sensor.run("lease", "announce", lease_of(target), "--as", how, "--reason", "a test", "--state", sensor.state)
    bgp = lambda: sensor.status().get("bgp", {})
    try:
        node.add(address(1, "198.51.100.1"), address(2, "198.51.100.2"), address(3, "198.51.100.3"), indicator(4, "[ipv6-addr:value = '2001:db8::4']"),
                 indicator(5, "[ipv4-addr:value ISSUBSET '203.0.113.0/25']"), address(6, "198.51.100.6", valid_until=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 25))))
        check("leases are in force", within(5, lambda: len(sensor.targets()) == 6), sensor.targets())
        check("a session stands", within(15, lambda: bgp().get("established")), json.dumps(bgp()) + near.log.read_text()[-1500:])
        check("with a neighbour that keeps routes over a restart", bgp().get("keeps_over_restart"), bgp())
        behind = lambda: "Establ" in subprocess.run(["gobgp", "-p", "50062", "neighbor"], capture_output=True, text=True).stdout
        check("and one between the two routers", within(20, behind, every=0.3), far.log.read_text()[-800:])
        check("without a person's word nothing is announced", keys(near) == [] and bgp().get("approved") == 0, near.routes())
        began = time.monotonic()
        r = announce("198.51.100.1", "rtbh")
        check("announced as a black hole", r.returncode == 0, r.stderr)
        arrived = within(10, lambda: "198.51.100.1/32" in (keys(far) or []), every=0.02)
        check("it arrives at the router behind", arrived, near.log.read_text()[-800:] + far.log.read_text()[-800:])
        print(f"      after {time.monotonic() - began:.2f} s, most of it the asking")
        text = (far.routes() or {}).get(("ipv4", "198.51.100.1/32"), "")
        blackhole, no_export = 65535 << 16 | 666, 0xffffff01
        check("with the community 65535:666, and not to leave that AS", str(blackhole) in text and str(no_export) in text and "192.0.2.1" in text, text)
        check("as flow specification, to and from", announce("203.0.113.0/25", "flowspec").returncode == 0 and
              within(10, lambda: sum("203.0.113.0/25" in k for k in keys(far) or []) == 2), far.routes())
        text = "".join(v for (f, k), v in (far.routes() or {}).items() if "203.0.113" in k)
        check("that discards", '"rate": 0' in text or '"rate":0' in text or "discard" in text, text)
        check("of IPv6", announce("2001:db8::4", "rtbh").returncode == 0 and within(10, lambda: "2001:db8::4/128" in (keys(far) or [])), far.routes())
        check("a range is no black hole", announce("203.0.113.0/25", "rtbh").returncode != 0 and "--as flowspec" in announce("203.0.113.0/25", "rtbh").stderr)
        r = announce("198.51.100.2", "flowspec")
        check("the cap holds: 4 of 5 rules are in use, a flow specification is two", r.returncode != 0 and "at most 5" in r.stderr and "max_rules" in r.stderr, r.stderr)
        check("below it there is room", announce("198.51.100.6", "rtbh").returncode == 0 and within(10, lambda: "198.51.100.6/32" in (keys(far) or [])), far.routes())
        r = announce("198.51.100.77", "rtbh")
        check("only what is leased", r.returncode != 0 and "no lease in force" in r.stderr, r.stderr)
        listed = [json.loads(x) for x in sensor.run("lease", "announced", "--state", sensor.state).stdout.splitlines()]
        check("what is announced, and why, is told", {x["target"] for x in listed} == {"198.51.100.1", "203.0.113.0/25", "2001:db8::4", "198.51.100.6"} and all(x["reason"] == "a test" for x in listed), listed)

        # Killed and back within the hold: routers notice nothing. A sample each 50 ms.
        gone, end = [], time.monotonic() + 3
        sensor.kill()
        restarted = False
        while time.monotonic() < end:
            if "198.51.100.1/32" not in (keys(far) or []):
                gone.append(time.monotonic())
            if not restarted and end - time.monotonic() < 1.5:
                sensor.start(wait=False)
                restarted = True
            time.sleep(0.05)
        check("a restart of the sensor takes nothing from the routers", not gone, len(gone))
        check("the session is back", within(15, lambda: bgp().get("established") and bgp().get("announced", 0) >= 4), bgp())
        check("what is approved is still announced", within(10, lambda: {"198.51.100.1/32", "2001:db8::4/128"} <= set(keys(far) or [])), far.routes())

        check("its lease ends, it goes", within(30, lambda: "198.51.100.6/32" not in (keys(far) or ["198.51.100.6/32"])) and "198.51.100.6" not in sensor.targets(), far.routes())
        node.add(address(1, "198.51.100.1", version=2, revoked=True))
        began = time.monotonic()
        check("a recall takes it from the routers", within(10, lambda: "198.51.100.1/32" not in (keys(far) or ["198.51.100.1/32"]), every=0.02), far.routes())
        print(f"      after {time.monotonic() - began:.2f} s")
        lease = lease_of("2001:db8::4")
        r = sensor.run("lease", "withdraw", lease, "--state", sensor.state)
        check("so does a person", r.returncode == 0 and within(10, lambda: "2001:db8::4/128" not in (keys(far) or ["2001:db8::4/128"])), r.stderr)
        check("and the lease itself stays", "2001:db8::4" in sensor.targets())

        near.kill()
        check("the router is away: said once", within(10, lambda: not bgp().get("established")) and bgp().get("error"), bgp())
        node.add(address(7, "198.51.100.7"))
        within(5, lambda: "198.51.100.7" in sensor.targets())
        r = announce("198.51.100.7", "rtbh")
        check("meanwhile an announcement waits", r.returncode == 0, r.stderr)
        near.start()
        check("after a restart of the router everything is there again", within(25, lambda: "198.51.100.7/32" in (keys(far) or []) and sum("203.0.113.0/25" in k for k in keys(far) or []) == 2), far.routes())
        check("one warning for one loss", sensor.said().count("trying again") <= 4, sensor.said()[-1500:])

        sensor.kill()
        within(2, lambda: False)
        held = "198.51.100.7/32" in (keys(far) or [])
        check("killed: the routers hold what they have", held, far.routes())
        check("it stays away: after the hold they let it go", within(15, lambda: keys(far) == [] and keys(near) == []), far.routes())

        (sensor.state / "announcements.json").write_text("{torn")
        sensor.start()
        check("damaged approvals: nothing is announced, and it is said", within(10, lambda: bgp().get("established")) and keys(far) == [] and bgp().get("approved") == 0
              and (sensor.state / "announcements.json.damaged").exists() and "approves it anew" in sensor.said(), bgp())
    finally:
        sensor.kill()
        near.kill()
        far.kill()
check.finish()
