#!/usr/bin/env python3
"""usage: compare.py [--record] [TEST|SUITE|GLOB …]      default: what selection.txt names

Runs smbtorture against our server and compares: with Samba's results (samba-4.17.12.tsv), with the exceptions
(../torture-exceptions.tsv) and with the committed result (result.tsv). Fails where

- a subtest that Samba passes does not pass and is no exception,
- a subtest that passed in the committed result does not pass any more,
- an exception passes: its line must go.

A subtest that is in doubt runs again: one that then passes is flaky, and counts as failed. --record writes result.tsv.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))
import peers  # noqa: E402

USERS = {"alice": "Passw0rd", "bob": "Passw0rd"}
WORKERS = 3


def table(path, columns):
    """A tab-separated file without comments, as {name: the other columns}."""
    rows = (line.rstrip("\n").split("\t") for line in open(path) if line.strip() and not line.startswith("#"))
    return {row[0]: row[1:columns] for row in rows}


def outcomes(path):
    """Suite, test, outcome per line, as {name: outcome}. A suite that is its own test has one name."""
    found = {}
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            suite, test, outcome = line.rstrip("\n").split("\t")
            found[f"{suite}.{test}" if suite != f"smb2.{test}" else suite] = outcome
    return found


class Torture:
    """Our server with what the suites expect: two users, a share for each worker, one that hides what is unreadable."""

    def __init__(self, work):
        self.work = Path(work)
        self.port = peers.free_port()
        shares = [f"share{n}" for n in range(WORKERS)]
        self.shares = ",".join(shares)
        words = [peers.ours("smb-server"), "--listen", f"127.0.0.1:{self.port}", "--torture-fsctl", "--max-credits", "8192"]
        for user, password in USERS.items():
            words += ["--user", f"{user}:{password}"]
        for name in [*shares, "hideunread", "noperm"]:
            (self.work / name).mkdir()
            words += ["--share", f"{name}={self.work / name}" + (",hide-unreadable" if name == "hideunread" else "")]
        self.words, self.log = words, self.work / "log"

    def __enter__(self):
        self.proc = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
                                     stderr=subprocess.STDOUT, start_new_session=True)
        peers.wait_for_port(self.port, self.proc, self.log)
        return self

    def __exit__(self, *_):
        peers.stop(self.proc)

    def run(self, tests):
        """The outcomes of the named tests."""
        tsv = self.work / "out.tsv"
        env = dict(os.environ, TSV=str(tsv), USER2="bob", PASS2=USERS["bob"], LOG_DIR=str(self.work / "logs"),
                   TEST_TIMEOUT=os.environ.get("TEST_TIMEOUT", "90"))
        subprocess.run([HERE / "run", "127.0.0.1", str(self.port), self.shares, f"alice%{USERS['alice']}", *tests],
                       env=env, check=False, stdin=subprocess.DEVNULL)
        if self.proc.poll() is not None:
            raise RuntimeError(f"smb-server ended with {self.proc.returncode}:\n{peers.tail(self.log)}")
        return outcomes(tsv)


def judge(got, samba, committed, exceptions):
    """What is wrong, as {name: reason}."""
    wrong = {}
    for name, outcome in got.items():
        if outcome == "PASS":
            if name in exceptions:
                wrong[name] = "passes: take it out of the exceptions"
        elif committed.get(name) == "PASS":
            wrong[name] = f"{outcome}, and passed in the committed result"
        elif samba.get(name) == "PASS" and name not in exceptions:
            wrong[name] = f"{outcome}, Samba passes, no exception"
    return wrong


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--record", action="store_true")
    args.add_argument("tests", nargs="*", default=[f"@{HERE / 'selection.txt'}"])
    args = args.parse_args()
    try:
        peers.tool("smbtorture")
    except peers.Missing as e:
        print(f"SKIP torture: {e}")
        return 1 if os.environ.get("CI") == "true" else 0
    samba = outcomes(HERE / "samba-4.17.12.tsv")
    exceptions = table(HERE.parent / "torture-exceptions.tsv", 3)
    committed = {name: row[0] for name, row in table(HERE / "result.tsv", 2).items()}
    for name, columns in exceptions.items():
        if len(columns) != 2 or not all(columns):
            raise SystemExit(f"torture-exceptions.tsv: {name} needs a section and a reason")
    with tempfile.TemporaryDirectory(prefix="smb-torture-") as work, Torture(work) as torture:
        got = torture.run(args.tests)
        wrong = judge(got, samba, committed, exceptions)
        again = [name for name in wrong if got[name] != "PASS"]
        if again:
            second = torture.run(again)
            wrong.update((name, f"flaky: {got[name]}, then PASS") for name in again if second.get(name) == "PASS")
    if args.record:
        lines = sorted(f"{name}\t{outcome}" for name, outcome in got.items())
        (HERE / "result.tsv").write_text("".join(f"{line}\n" for line in lines))
    for name, reason in sorted(wrong.items()):
        print(f"WRONG {name}: {reason}")
    passed = sum(outcome == "PASS" for outcome in got.values())
    of_samba = sum(samba.get(name) == "PASS" for name in got)
    print(f"torture: {passed} passed of {len(got)}; Samba passes {of_samba}; {len(exceptions)} exceptions")
    print(f"{len(got) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong or not got else 0


if __name__ == "__main__":
    sys.exit(main())
