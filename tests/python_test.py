#!/usr/bin/env python3
"""Builds the Python module with pip, as users do, into an environment of its own, and runs its tests there. They see the programs of others (build/venv) to compare with.

    python_test.py SOURCE_DIR [--setup]     --setup: only make build/venv-python
"""
import hashlib, pathlib, subprocess, sys, venv

SOURCE = pathlib.Path(sys.argv[1]).resolve()
HOME = SOURCE / "build/venv-python"
PYTHON = HOME / "bin/python"


def run(*args, **more):
    return subprocess.run([str(a) for a in args], check=True, **more)


def setup():
    wanted = SOURCE / "python/tests/requirements.txt"
    mark, digest = HOME / "installed", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        venv.create(HOME, with_pip=True, clear=True)
        run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted)
        mark.write_text(digest)
    # After the packages of this environment, those of others: only what is not here is found there.
    lib = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (HOME / lib / "others.pth").write_text(str(SOURCE / "build/venv" / lib) + "\n")


setup()
if "--setup" not in sys.argv:
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation", "--force-reinstall", "--no-deps", SOURCE / "python")
    sys.exit(subprocess.run([PYTHON, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", SOURCE / "python/tests"], cwd=SOURCE / "build").returncode)
