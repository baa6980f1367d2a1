#!/usr/bin/env python3
"""usage: work.py MOUNT SECOND SHARE [reflink]      what people do on a mounted share, as root in the lab's VM

MOUNT and SECOND are mounts of the same share by two connections, SHARE its directory on this machine. Trees are copied, a
git repository is cloned and a C program built, a file is mapped into memory, byte ranges are locked against the other
mount, files are renamed in storms. With `reflink`: files are cloned, on a file system that can. Each step says how it went;
the first that is wrong ends it.
"""
import errno
import fcntl
import filecmp
import mmap
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

mount, second, share = map(Path, sys.argv[1:4])


def run(*words, cwd=None):
    done = subprocess.run([str(w) for w in words], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def expect(what, holds):
    if not holds:
        raise SystemExit(f"not so: {what}")


def same_tree(one, other):
    """Every path of both, with the bytes of the files."""
    paths = [sorted(p.relative_to(top) for p in top.rglob("*")) for top in (one, other)]
    expect(f"{one} and {other} have the same names", paths[0] == paths[1])
    for path in paths[0]:
        if (one / path).is_file():
            expect(f"{path} is the same", filecmp.cmp(one / path, other / path, shallow=False))


def trees():
    source = Path("/tmp/tree")
    for n in range(120):
        path = source / f"d{n % 7}" / f"e{n % 3}" / f"file {n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(n * 331))
    run("cp", "-r", source, mount / "tree")
    same_tree(source, share / "tree")
    run("cp", "-r", mount / "tree", "/tmp/back")
    same_tree(source, Path("/tmp/back"))
    run("mv", mount / "tree", mount / "moved")
    run("rm", "-r", mount / "moved")
    expect("nothing is left of the tree", not any(share.iterdir()))


MAKEFILE = """CFLAGS = -O1 -Wall
program: main.o sum.o
\t$(CC) -o $@ $^
main.o sum.o: sum.h
clean:
\trm -f program *.o
"""
SOURCES = {"Makefile": MAKEFILE, "sum.h": "int sum(int, int);\n",
           "sum.c": '#include "sum.h"\nint sum(int a, int b) { return a + b; }\n',
           "main.c": '#include <stdio.h>\n#include "sum.h"\nint main(void) { printf("%d\\n", sum(40, 2)); return 0; }\n'}


def git_and_make():
    repository, clone = Path("/tmp/repository"), mount / "clone"
    repository.mkdir()
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "safe.directory=*", "-c", "protocol.file.allow=always")
    run(*git, "init", "-q", repository)
    for n, (name, text) in enumerate(SOURCES.items()):
        (repository / name).write_text(text)
        run(*git, "add", ".", cwd=repository)
        run(*git, "commit", "-q", "-m", f"commit {n}", cwd=repository)
    run(*git, "clone", "-q", "--no-local", repository, clone)
    run(*git, "fsck", "--strict", cwd=clone)
    expect("the clone is clean", run(*git, "status", "--porcelain", cwd=clone) == "")
    run("make", "-s", cwd=clone)
    expect("the program runs", run(clone / "program") == "42\n")
    (clone / "sum.c").write_text(SOURCES["sum.c"].replace("a + b", "a * b"))
    run(*git, "commit", "-q", "-a", "-m", "multiply", cwd=clone)
    run(*git, "gc", "-q", cwd=clone)
    run("make", "-s", "clean", "program", cwd=clone)
    expect("the program runs anew", run(clone / "program") == "80\n")
    expect("five commits", len(run(*git, "log", "--oneline", cwd=clone).splitlines()) == 5)
    shutil.rmtree(clone)


def mapped():
    path = mount / "mapped"
    path.write_bytes(bytes(1 << 20))
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as memory:
        for at in range(0, 1 << 20, 70_001):
            memory[at:at + 4] = at.to_bytes(4, "little")
        memory.flush()
    found = (share / "mapped").read_bytes()
    expect("what was mapped is there", all(found[at:at + 4] == at.to_bytes(4, "little") for at in range(0, 1 << 20, 70_001)))
    path.unlink()


def refused(f, kind, start, length):
    try:
        fcntl.lockf(f, kind | fcntl.LOCK_NB, length, start)
    except OSError as no:
        expect(f"EACCES or EAGAIN, not {no}", no.errno in (errno.EACCES, errno.EAGAIN))
        return True
    return False


def locks():
    """The mounts have a connection each: what keeps them apart is the server."""
    (share / "locked").write_bytes(bytes(100))
    with open(mount / "locked", "r+b") as one, open(second / "locked", "r+b") as other:
        fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
        expect("a locked range is refused", refused(other, fcntl.LOCK_EX, 5, 10))
        expect("for reading, too", refused(other, fcntl.LOCK_SH, 0, 1))
        expect("the rest is free", not refused(other, fcntl.LOCK_EX, 10, 10))
        expect("and then is not", refused(one, fcntl.LOCK_EX, 15, 1))
        fcntl.lockf(other, fcntl.LOCK_UN, 10, 10)
        child = os.fork()
        if child == 0:
            # Waits for the range until it is let go of.
            with open(second / "locked", "r+b") as third:
                fcntl.lockf(third, fcntl.LOCK_EX, 10, 0)
                third.write(b"mine")
                third.flush()
                fcntl.lockf(third, fcntl.LOCK_UN, 10, 0)
            os._exit(0)
        time.sleep(1)
        expect("it waits", os.waitpid(child, os.WNOHANG) == (0, 0))
        fcntl.lockf(one, fcntl.LOCK_UN, 10, 0)
        expect("it got the lock", os.waitpid(child, 0)[1] == 0)
    expect("it wrote", (share / "locked").read_bytes()[:4] == b"mine")
    (mount / "locked").unlink()


def renames():
    chance, names = random.Random(3), {}
    (mount / "storm").mkdir()
    for n in range(60):
        (mount / "storm" / f"{n}").write_text(str(n))
        names[f"{n}"] = str(n)
    for n in range(400):
        old = chance.choice(sorted(names))
        new = chance.choice(sorted(names)) if chance.random() < 0.2 else f"renamed {n} ü"
        os.replace((mount, second)[n % 2] / "storm" / old, (mount, second)[n % 2] / "storm" / new)
        if new != old:
            names[new] = names.pop(old)
    found = {p.name: p.read_text() for p in (share / "storm").iterdir()}
    expect("every file is where it was put last", found == names)
    expect("the listing says so", sorted(os.listdir(second / "storm")) == sorted(names))
    shutil.rmtree(mount / "storm")


def shared_extents(path):
    os.sync()
    return "shared" in run("filefrag", "-v", path)


def reflink():
    data = os.urandom(3 << 20) + b"the end"
    (mount / "source").write_bytes(data)
    run("cp", "--reflink=always", mount / "source", mount / "clone")
    expect("the clone has the bytes", (share / "clone").read_bytes() == data)
    expect("and shares the blocks", shared_extents(share / "clone"))
    with open(mount / "clone", "r+b") as f:
        f.seek(4096)
        f.write(b"changed")
    expect("the source stays", (share / "source").read_bytes() == data)
    expect("the clone does not", (share / "clone").read_bytes()[4096:4103] == b"changed")
    # FICLONERANGE: the second MiB of the source as the first of another.
    (mount / "part").write_bytes(bytes(1 << 20))
    with open(mount / "source", "rb") as f, open(mount / "part", "r+b") as to:
        fcntl.ioctl(to, 0x4020940D, b"".join(n.to_bytes(8, "little") for n in (f.fileno(), 1 << 20, 1 << 20, 0)))
    expect("the part has the bytes", (share / "part").read_bytes() == data[1 << 20:2 << 20])
    expect("and shares the blocks", shared_extents(share / "part"))
    for name in ("source", "clone", "part"):
        (mount / name).unlink()


for step in [reflink] if sys.argv[4:] == ["reflink"] else [trees, git_and_make, mapped, locks, renames]:
    began = time.monotonic()
    step()
    print(f"ok {step.__name__} ({time.monotonic() - began:.0f} s)", flush=True)
