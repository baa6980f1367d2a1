#!/usr/bin/env python3
"""usage: foreign.py [NAME …]      other people's clients against our server, and our client against other people's

Rust: the crates smb and smb2 (foreign/, a workspace of its own). Python: impacket and smbprotocol, in an environment of
their own under target/. Each works on the server as its users would, and fails at the first thing that is wrong.
Exit status: 0 all passed, 1 one failed or (with CI=true) is missing.
"""
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import peers

HERE = Path(__file__).resolve().parent / "foreign"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", peers.ROOT / "target")) / "foreign"


def run(*words, **kind):
    """A program's output; its failure is ours."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=kind.pop("timeout", 300), check=False, **kind)
    if done.returncode:
        raise peers.Refused(f"{' '.join(map(str, words))}\nexit {done.returncode}\n{done.stdout}")
    return done.stdout


def rust(name, profile="debug"):
    release = ["--release"] if profile == "release" else []
    run("cargo", "build", "--quiet", *release, "--manifest-path", HERE / "Cargo.toml", "--target-dir", TARGET, timeout=1800)
    return TARGET / profile / name


def python():
    """An interpreter with what foreign/python/requirements.txt names."""
    wanted, home = HERE / "python" / "requirements.txt", TARGET / "venv"
    stamp = home / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        venv.create(home, with_pip=True, clear=True)
        run(home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted, timeout=900)
        stamp.write_text(wanted.read_text())
    return home / "bin/python"


def on_ours(*program, last=(), server=(), prepare=lambda share: None):
    """A client on our server; `prepare` fills the share before."""
    with tempfile.TemporaryDirectory(prefix="smb-foreign-") as work, peers.OurServer(work, *server) as ours:
        prepare(ours.share)
        try:
            # The Rust programs take ADDR:PORT, the Python ones the port.
            at = f"127.0.0.1:{ours.port}" if str(program[0]).startswith(str(TARGET / "debug")) else ours.port
            print("     " + run(*program, at, peers.USER, peers.PASSWORD, "share", *last).strip())
            left = sorted(p.name for p in ours.share.iterdir())
        except peers.Refused as no:
            raise peers.Refused(f"{no}\n--- smb-server says\n{peers.tail(ours.log, 20)}") from None
    return left


def many_names(share):
    """Ten thousand files in a directory `many`."""
    (share / "many").mkdir()
    for n in range(10_000):
        (share / "many" / f"file number {n}").touch()


def ours_on_impacket():
    """Our client on impacket's server, which speaks 2.0.2.

    One WRITE each, of 64 KiB at most: that server drops what is written behind the end of the file, and several under way
    come in any order. (The client notices: it asks for the length before it says that a file is whole.) Several READs
    are no trouble.
    """
    with tempfile.TemporaryDirectory(prefix="smb-foreign-") as work:
        share, port, log = Path(work) / "share", peers.free_port(), Path(work) / "log"
        share.mkdir()
        words = [python(), HERE / "python/serve_impacket.py", str(port), peers.USER, peers.PASSWORD, "share", share]
        proc = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
                                start_new_session=True)
        try:
            peers.wait_for_port(port, proc, log)
            client = peers.OurClient(port, "2.0.2", "plain")
            source = Path(work) / "source"
            for size in (0, 1, 65_535, 65_536, 1_000_001):
                source.write_bytes(os.urandom(size))
                if size > 65_536:
                    (share / f"f{size}").write_bytes(source.read_bytes())
                else:
                    client.put(source, f"f{size}")
                client.get(f"f{size}", Path(work) / "back")
                if not source.read_bytes() == (share / f"f{size}").read_bytes() == (Path(work) / "back").read_bytes():
                    raise AssertionError(f"f{size} differs")
            client.mkdir("d")
            client.rename("f1", "d/renamed")
            if client.ls("d") != {"renamed": 1}:
                raise AssertionError(f"ls: {client.ls('d')}")
            client.delete("d/renamed")
            client.rmdir("d")
        except (peers.Refused, AssertionError) as no:
            raise peers.Refused(f"{no}\n--- impacket says\n{peers.tail(log, 20)}") from None
        finally:
            peers.stop(proc)


CASES = {
    "smb2-ours": lambda: on_ours(rust("with-smb2")),
    "smb-ours": lambda: on_ours(rust("with-smb")),
    "smb-ours-sealed": lambda: on_ours(rust("with-smb"), last=("sealed",)),
    "impacket-ours": lambda: on_ours(python(), HERE / "python/with_impacket.py"),
    "smbprotocol-ours": lambda: on_ours(python(), HERE / "python/with_smbprotocol.py", prepare=many_names),
    "ours-impacket": ours_on_impacket,
}


def main():
    outcomes = []
    for name in sys.argv[1:] or CASES:
        try:
            CASES[name]()
            outcome, detail = "PASS", ""
        except peers.Missing as e:
            outcome, detail = "SKIP", str(e)
        except (peers.Refused, RuntimeError, subprocess.TimeoutExpired) as e:
            outcome, detail = "FAIL", str(e)
        print(f"{outcome} {name}", flush=True)
        if detail:
            print("     " + detail.strip().replace("\n", "\n     "), flush=True)
        outcomes.append(outcome)
    passed, failed, skipped = (outcomes.count(w) for w in ("PASS", "FAIL", "SKIP"))
    print(f"foreign: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or (skipped and os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
