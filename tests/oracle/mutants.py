#!/usr/bin/env python3
"""Does the oracle find faults? Plants known ones in the release decision, one at a time, and expects each to be found.

    mutants.py BUILD_DIR [CASES]

Each fault is a change of a line or two of a copy; the tree is not touched. A fault whose lines are not in the source any more fails the run: it has to be
written anew. Exit status 1 if any fault goes unseen.
"""
import json, os, pathlib, shlex, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve()
CASES = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
DECIDE, CLOSURE, PLAN = "decide.cc", "internal/closure.cc", "internal/plan.cc"

# What is broken, where, and how.
FAULTS = [
    ("the ceiling is ignored", DECIDE, [("Tlp ceiling = std::min(flow.ceiling, Tlp::kAmberStrict);", "Tlp ceiling = Tlp::kRed;")]),
    ("nobody asks the originator", DECIDE, [("  if (o.originator == in_.me || o.originator == in_.recipient) return;\n  const State* inbound", "  if (true) return;\n  const State* inbound")]),
    ("a suspension does not stop permits", PLAN, [("time_ok && s->live(in.me, in.recipient)", "time_ok && s->bound(in.me, in.recipient)")]),
    ("holds are ignored", DECIDE, [("if (!holds_.empty()) {", "if (false) {")]),
    ("forbids are ignored", PLAN, [("if (!f->permit && (bound ||", "if (!f->permit && (false ||")]),
    ("nothing survives the end", PLAN, [("(bound || s->survives(in.me, in.recipient, f->art))", "bound")]),
    ("declarations and provisional lists are ignored", PLAN, [("(rule.suspended || s->permits(f->id, in.me, in.recipient))", "true")]),
    ("what is older goes to a newcomer", DECIDE, [("graph_[i].committed < joined->second &&", "false &&")]),
    ("a project's members see what is not labelled", DECIDE, [("if (!rule.state->project.empty() && !in_scope(rule, f))", "if (false)")]),
    ("what is labelled for a project goes by its parent", DECIDE, [("if (rule.state->project.empty() && !f.projects.empty())", "if (false)")]),
    ("an initiative goes up to its flows' ceiling", DECIDE, [("if (rule.doc->level == Level::kInitiative) ceiling", "if (false) ceiling")]),
    ("an initiative gives any type", DECIDE, [("rule.doc->level == Level::kInitiative && !initiative_type(f.type)", "false")]),
    ("a suspension lifts forbids", PLAN, [("time_ok && s->bound(in.me, in.recipient)", "time_ok && s->live(in.me, in.recipient)")]),
    ("of two markings the looser counts", DECIDE, [("label.object = std::max(label.object.value_or(Tlp::kClear), *tlp);", "label.object = std::min(label.object.value_or(*tlp), *tlp);")]),
    ("an unknown marking is no marking", DECIDE, [("if (label.unknown)", "if (false)")]),
    ("references to what is withheld stay", CLOSURE, [("    case Fate::kGone:\n      return std::nullopt;", "    case Fate::kGone:\n      return id;")]),
    ("both ends of a relation need not be given", CLOSURE, [("if (fate == Fate::kGone && !is_traffic_end(f, r) && !(r.top && is_removable(f.type, r.property)))", "if (false)")]),
    ("texts are not searched", CLOSURE, [("if (passed_[i] && !nodes_[i].known) read_mentions", "if (false) read_mentions")]),
    ("the floor is not told", DECIDE, [("passed.told = std::max(whole, flow.floor);", "passed.told = whole;")]),
    ("victims are not taken out", DECIDE, [("if (!passed->redact.empty() || touched_by_protection(f, context))", "if (false)")]),
    ("what is redacted keeps its id", CLOSURE, [('n.new_id = std::string(n.original->type) + "--" + uuid_shaped(view(mac).substr(0, 16)).text();', "n.new_id = std::string(n.original->id);")]),
    ("a flow serves those it does not name", PLAN, [("|| !names(f->to, in.recipient)", "")]),
    ("a creator who is withheld stays named", CLOSURE, [("if (fate == Fate::kSame || r.id == my_identity_) break;", "break;")]),
    ("consequences are drawn once, not to the end", CLOSURE, [("    if (nodes_[i].alive && !queued[i]) {", "    if (false) {")]),
    ("the first flow wins, not the best", DECIDE, [("(!best || order(*passed) < order(*best))", "(!best)")]),
    ("base64 is not looked into", "internal/leak.cc", [("  add_encoded(token, number);\n", "")]),
    ("the last octets of a name are not compared", "internal/leak.cc", [("std::memcmp(from, needle.text.data(), len) != 0", "std::memcmp(from, needle.text.data(), len - 2) != 0")]),
]


def run(command, **kw):
    return subprocess.run(command, capture_output=True, text=True, **kw)


def compile_command(source):
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if entry["file"] == str(source):
            words = shlex.split(entry["command"])
            at = words.index("-o")
            return [w for w in words[:at] if w != "-Werror"] + ["-w"], entry["directory"]
    raise SystemExit(f"mutants: {source} is not in {BUILD}/compile_commands.json: configure with tests first")


def link_command():
    text = run(["ninja", "-C", str(BUILD), "-t", "commands", "tests/entente_release_cases"]).stdout.strip().splitlines()[-1]
    return shlex.split(text.split("&&")[1])


def judge(program, cases):
    """Empty if nothing differs."""
    r = run([sys.executable, str(ROOT / "tests/oracle/release_oracle.py"), program, str(cases), "1"], timeout=900)
    return "" if r.returncode == 0 else (r.stdout.strip().splitlines() or r.stderr.strip().splitlines() or ["it crashed"])[-1]


def main(folder):
    link = link_command()
    subprocess.run(["ninja", "-C", str(BUILD), "tests/entente_release_cases"], check=True, stdout=subprocess.DEVNULL)
    if wrong := judge(str(BUILD / "tests/entente_release_cases"), 300):
        raise SystemExit("mutants: the unbroken program differs from the oracle: " + wrong)
    unseen = []
    for name, file, changes in FAULTS:
        text = (ROOT / "src/agreement" / file).read_text()
        for old, new in changes:
            if text.count(old) != 1:
                raise SystemExit(f"mutants: '{name}': its line stands {text.count(old)} times in {file}; write it anew")
            text = text.replace(old, new)
        mutant = pathlib.Path(folder, "mutant.cc")
        mutant.write_text(text)
        command, directory = compile_command(ROOT / "src/agreement" / file)
        built = run(command + ["-o", folder + "/mutant.o", "-c", str(mutant)], cwd=directory)
        if built.returncode != 0:
            raise SystemExit(f"mutants: '{name}' does not compile:\n{built.stderr[:2000]}")
        words = list(link)
        words[words.index("-o") + 1] = folder + "/mutant"
        words.insert(words.index("src/agreement/libentente_agreement.a"), folder + "/mutant.o")
        linked = run(words, cwd=BUILD)
        if linked.returncode != 0:
            raise SystemExit(f"mutants: '{name}' does not link:\n{linked.stderr[:2000]}")
        found = judge(folder + "/mutant", 300) or judge(folder + "/mutant", CASES)
        print(f"{'found ' if found else 'UNSEEN'}  {name:<48} {found}", flush=True)
        if not found:
            unseen.append(name)
    print(f"{len(FAULTS) - len(unseen)} of {len(FAULTS)} planted faults found")
    return 1 if unseen else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente-mutants-") as folder:
        sys.exit(main(folder))
