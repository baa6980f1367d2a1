#!/usr/bin/env python3
"""Records the golden captures of the Linux kernel's client with its server: tests/tools/record_linux.py [SET…]

Both run in the lab VM (tests/lab/vm build makes it); tests/lab/record.sh says what they do and which sets there are. Each becomes smb-proto/tests/data/golden/linux-<set>/. `session.txt` has the account, and for sealed sets the
keys that the kernel tells of its session. `--from DIR` cuts captures that were recorded before.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import golden

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "smb-proto/tests/data/golden"
NAMES = {"Session Key": "session-key", "ServerIn  Key": "serverin-key", "ServerOut key": "serverout-key"}


def record(sets, out):
    command = f"bash tests/lab/record.sh /out {' '.join(sets)}"
    environment = {**os.environ, "LAB_OUT": str(out), "LAB_TIMEOUT": "1800"}
    subprocess.run([ROOT / "tests/lab/vm", "run", command], cwd=ROOT, env=environment, check=True)


def session(keys):
    """The contents of session.txt: `smbinfo keys` in our names, the session id as a number."""
    lines = ["user smbtest", "password Passw0rd"]
    for line in keys.splitlines():
        name, _, value = line.partition(": ")
        digits = value.replace(" ", "")
        if name == "Session Id":
            lines.append(f"session-id {bytes.fromhex(digits)[::-1].hex()}")
        elif name in NAMES:
            lines.append(f"{NAMES[name]} {digits}")
    return "\n".join(lines) + "\n"


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("sets", nargs="*")
    args.add_argument("--from", dest="folder", type=Path)
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = args.folder or Path(work)
        if not args.folder:
            record(args.sets, folder)
        for path in sorted(folder.glob("*.pcapng")):
            if args.sets and path.stem not in args.sets:
                continue
            selection = golden.Selection(1500, sealed=40)
            for frames in golden.conversations(path.read_bytes(), 445):
                selection.take(frames)
            selection.finish()
            count = golden.write(selection, OUT / f"linux-{path.stem}")
            keys = path.with_suffix(".keys")
            (OUT / f"linux-{path.stem}" / "session.txt").write_text(session(keys.read_text() if keys.exists() else ""))
            print(f"{path.stem}: {count} messages")


if __name__ == "__main__":
    sys.exit(main())
