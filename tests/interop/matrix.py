#!/usr/bin/env python3
"""The interop matrix: matrix.py [--self-check] [--only TEXT] [--list] [--keep]

Every case runs the same steps with one client, one server, one dialect and one protection: mkdir, put, ls, size, get,
rename, delete, rmdir, and files of 0 B to 100 MiB, compared by sha256 both on the server's disk and after the way back.
Exit status: 0 all passed, 1 a case failed or (with CI=true) a peer is missing.
"""
import argparse
import contextlib
import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import wide
from peers import CIPHERS, DIALECTS, SIGNING, Missing, OurClient, OurServer, Refused, Smbclient, Smbd, peer_check, tail

KIB = 1024
SIZES = {"empty": 0, "one": 1, "64k-1": 64 * KIB - 1, "64k": 64 * KIB, "64k+1": 64 * KIB + 1, "100m": 100 * KIB * KIB}
PAIRS = {"smbclient-ours": (Smbclient, OurServer), "ours-smbd": (OurClient, Smbd), "ours-ours": (OurClient, OurServer)}
WIDE = "wide"
SELF_CHECK = {"smbclient-smbd": (Smbclient, Smbd)}


def protections(dialect):
    """(protection, algorithm) pairs of a dialect; None where the dialect leaves no choice."""
    yield "plain", None
    if dialect == "3.1.1":
        yield from (("signed", name) for name in SIGNING)
        yield from (("sealed", name) for name in CIPHERS)
    else:
        yield "signed", None
        if dialect.startswith("3"):
            yield "sealed", None


def smbd_options(protection, algorithm):
    """smbd that accepts only what the case is about: if the transfer works, that was used."""
    options = {"server_multi_channel_support": "yes"}
    if protection == "signed":
        options["server_signing"] = "mandatory"
    if protection == "sealed":
        options["server_smb_encrypt"] = "required"
    if algorithm in SIGNING:
        options["server_smb3_signing_algorithms"] = SIGNING[algorithm]
    if algorithm in CIPHERS:
        options["server_smb3_encryption_algorithms"] = CIPHERS[algorithm]
    return options


def our_options(protection, algorithm):
    words = []
    if protection == "signed":
        words += ["--signing", "required"]
    if protection == "sealed":
        words += ["--encryption", "required"]
    if algorithm in SIGNING:
        words += ["--signing-algorithms", algorithm]
    if algorithm in CIPHERS:
        words += ["--ciphers", algorithm]
    return words


def start(server, work, protection, algorithm):
    if server is Smbd:
        return Smbd(work, **smbd_options(protection, algorithm))
    return OurServer(work, *our_options(protection, algorithm))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, expected {wanted!r}")


def refuses(what, action, *words):
    """The action must fail, and its message must hold one of the words."""
    try:
        action()
    except Refused as no:
        if not any(word in str(no) for word in words):
            raise AssertionError(f"{what}: refused without naming {words}:\n{no}") from None
        return
    raise AssertionError(f"{what}: was not refused")


def steps(client, share, sources, back):
    """What a case does; `share` is the server's directory on this machine's disk."""
    client.mkdir("d")
    expect("the directory on disk", (share / "d").is_dir(), True)
    refuses("mkdir of what exists", lambda: client.mkdir("d"), "OBJECT_NAME_COLLISION")
    for name, source in sources.items():
        client.put(source, f"d/{name}")
        expect(f"{name} on the server's disk", digest(share / "d" / name), digest(source))
    expect("ls", client.ls("d"), SIZES)
    for name, source in sources.items():
        expect(f"size of {name}", client.size(f"d/{name}"), SIZES[name])
        client.get(f"d/{name}", back / name)
        expect(f"{name} after the way back", digest(back / name), digest(source))
        (back / name).unlink()
    client.put(sources["one"], "d/64k")
    expect("a shorter file over a longer one", (share / "d/64k").stat().st_size, 1)
    client.rename("d/64k+1", "d/renamed with spaces ü")
    expect("renamed", digest(share / "d/renamed with spaces ü"), digest(sources["64k+1"]))
    refuses("get of what was renamed", lambda: client.get("d/64k+1", back / "x"), "OBJECT_NAME_NOT_FOUND")
    refuses("rmdir of a full directory", lambda: client.rmdir("d"), "DIRECTORY_NOT_EMPTY")
    client.delete("d/renamed with spaces ü")
    for name in SIZES:
        if name != "64k+1":
            client.delete(f"d/{name}")
    expect("ls of the emptied directory", client.ls("d"), {})
    client.rmdir("d")
    expect("what is left", [p.name for p in share.iterdir()], [])


def one_session(client, share, sources, back):
    """smbclient only: everything over a single connection."""
    names = [n for n in SIZES if n != "100m"]
    client.run("mkdir s", "cd s", *(f"put {sources[n]} {n}" for n in names), "ls",
               *(f"get {n} {back / n}" for n in names), "rename one uno", *(f"del {n}" for n in names if n != "one"),
               "del uno", "cd ..", "rmdir s", "volume")
    for name in names:
        expect(f"{name} after one session", digest(back / name), digest(sources[name]))
        (back / name).unlink()
    expect("what is left after one session", [p.name for p in share.iterdir()], [])


def smbclient_details(client, sources):
    """smbclient only: what it asks beyond the matrix, in the names and order of its own commands."""
    client.run(f"put {sources['one']} one", "allinfo one", "volume", "utimes one -1 2020:01:02-03:04:05 -1 -1",
               "setmode one +r", "setmode one -r", "scopy one two", "del one", "del two", "du")


def our_verbs(client, share, sources, back):
    """Our client only: the verbs and options beyond the matrix. Small trees, so that every dialect gets them."""
    tree = back / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "empty").mkdir()
    for n in range(20):
        (tree / f"a/b/file {n}").write_bytes(bytes([n]) * (n * 5000))
    url = client.url
    expect("put -r", client.told("put", "-r", tree, url + "up")["files"], 20)
    expect("the tree on the server's disk", contents(share / "up"), contents(tree))
    client.run("mkdir", "-p", url + "x/y/z")
    client.run("mkdir", "-p", url + "x/y/z")
    expect("cp", client.told("cp", url + "up/a/b/file 19", url + "x/y")["bytes"], 19 * 5000)
    expect("the copy on disk", digest(share / "x/y/file 19"), digest(tree / "a/b/file 19"))
    expect("cp -r", client.told("cp", "-r", url + "up", url + "copy")["files"], 20)
    client.run("get", "-r", url + "copy", back / "down")
    expect("the tree after the way back", contents(back / "down"), contents(tree))
    expect("ls of a pattern", len(client.told("ls", url + "copy/a/b/file 1?")), 10)
    expect("stat", client.told("stat", url + "copy")["directory"], True)
    refuses("mv over a file", lambda: client.run("mv", url + "up/a/b/file 1", url + "up/a/b/file 2"), "COLLISION")
    client.run("mv", "--force", url + "up/a/b/file 1", url + "up/a/b/file 2")
    expect("replaced", digest(share / "up/a/b/file 2"), digest(tree / "a/b/file 1"))
    refuses("rm of a full directory", lambda: client.run("rm", url + "up"), "DIRECTORY_NOT_EMPTY")
    for name, count in ("up", 19), ("copy", 20), ("x", 1):
        expect("rm -r", client.told("rm", "-r", url + name)["files"], count)
    client.run("rm", "--force", url + "up")
    expect("readback", client.told("put", sources["64k+1"], url + "f", "--verify", "readback")["verified"], "readback")
    client.run("get", url + "f", back / "f", "--resume", "--verify", "readback")
    expect("get --resume of what has no checkpoint", digest(back / "f"), digest(sources["64k+1"]))
    client.run("rm", url + "f")
    expect("what is left of our verbs", [p.name for p in share.iterdir()], [])


def contents(top):
    """Every path below `top`, with the digest of what is a file."""
    return {str(p.relative_to(top)): digest(p) if p.is_file() else None for p in sorted(top.rglob("*"))}


def refusals(kind, port, case):
    """Wrong password, unknown share: named, and the server goes on."""
    dialect, protection, algorithm = case
    if kind is OurClient:
        wrong = OurClient(port, dialect, protection, algorithm, password="wrong")
        refuses("a wrong password", lambda: wrong.ls(""), "LOGON_FAILURE")
        nowhere = OurClient(port, dialect, protection, algorithm, share="nothing")
        refuses("an unknown share", lambda: nowhere.ls(""), "BAD_NETWORK_NAME")
    else:
        client = Smbclient(port, dialect, protection, algorithm)
        refuses("a wrong password", lambda: client.run("ls", password="wrong"), "LOGON_FAILURE")
        refuses("an unknown share", lambda: client.run("ls", share="nothing"), "BAD_NETWORK_NAME")


def run_wide(kind, work, source):
    """Many names, strange names, a file beyond 4 GiB; both kinds at 3.1.1."""
    back = Path(work) / "back"
    back.mkdir()
    with OurServer(work) as server:
        client = kind(server.port, "3.1.1", "signed", "gmac")
        wide.scripts(client, server.share, back, source)
        wide.many(client, server.share)
        wide.beyond(client, server.share, back)
        wide.shares(server.port)


def run_case(kind, server_kind, case, sources, work):
    dialect, protection, algorithm = case
    back = Path(work) / "back"
    back.mkdir()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start(server_kind, work, protection, algorithm))
        client = kind(server.port, dialect, protection, algorithm)
        try:
            refusals(kind, server.port, case)
            steps(client, server.share, sources, back)
            if kind is OurClient:
                our_verbs(client, server.share, sources, back)
            if kind is Smbclient:
                one_session(client, server.share, sources, back)
                smbclient_details(client, sources)
        except Exception as e:
            if server_kind is OurServer:
                raise RuntimeError(f"{e}\n--- smb-server says\n{tail(server.log, 20)}") from e
            raise


def cases(pairs):
    for pair, (client, server) in pairs.items():
        for dialect in DIALECTS:
            for protection, algorithm in protections(dialect):
                name = " ".join(w for w in (pair, dialect, protection, algorithm) if w)
                yield name, client, server, (dialect, protection, algorithm)
        if client is OurClient:
            yield f"{pair} peer-check", None, server, None
        if server is OurServer:
            yield f"{pair} wide", client, server, WIDE


# What a server must be able to do for our client library (smb-client/examples/peer_check.rs).
FILES = ["names", "tree", "metadata", "size", "small", "streams_of_bytes", "space", "copy", "locks", "watch"]
ALL = [*FILES, "link", "attributes", "named_streams", "security"]
# smbd keeps streams in extended attributes here, as its default needs a file system that has them.
SMBD_FOR_ALL = {"vfs_objects": "acl_xattr streams_xattr", "ea_support": "yes", "kernel_change_notify": "yes"}


def check_peer(server_kind, work):
    """One server, asked for everything our client library can do, by a program of its own."""
    if server_kind is Smbd:
        with Smbd(work, **SMBD_FOR_ALL) as server:
            return peer_check(server.port, ALL)
    with OurServer(work) as server:
        return peer_check(server.port, FILES)


def make_sources(work):
    rng, sources = random.Random(7), {}
    for name, size in SIZES.items():
        sources[name] = Path(work) / f"source-{name}"
        sources[name].write_bytes(rng.randbytes(size))
    return sources


def attempt(name, kind, server, case, sources, keep):
    """Runs one case and prints its line. Returns its outcome."""
    began, outcome, detail = time.monotonic(), "PASS", ""
    try:
        work = tempfile.mkdtemp(prefix="smb-interop-")
        if kind is None:
            detail = check_peer(server, work)
        elif case is WIDE:
            run_wide(kind, work, sources["one"])
        else:
            run_case(kind, server, case, sources, work)
    except Missing as e:
        outcome, detail = "SKIP", str(e)
    except (AssertionError, Refused, RuntimeError) as e:
        outcome, detail = "FAIL", str(e)
    except Exception:
        outcome, detail = "FAIL", traceback.format_exc()
    finally:
        if keep:
            print(f"     {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    print(f"{outcome} {name} ({time.monotonic() - began:.1f} s)", flush=True)
    if detail:
        print("     " + detail.strip().replace("\n", "\n     "), flush=True)
    return outcome


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--self-check", action="store_true", help="smbclient with smbd: tests this harness")
    args.add_argument("--only", default="", help="run the cases whose name contains this")
    args.add_argument("--list", action="store_true")
    args.add_argument("--keep", action="store_true", help="leave the work directories")
    args = args.parse_args()
    chosen = [c for c in cases(SELF_CHECK if args.self_check else PAIRS) if args.only in c[0]]
    if args.list or not chosen:
        print("\n".join(c[0] for c in chosen) or "no such case")
        return 0 if chosen else 1
    with tempfile.TemporaryDirectory(prefix="smb-interop-") as work:
        sources = make_sources(work)
        outcomes = [attempt(*case, sources, args.keep) for case in chosen]
    passed, failed, skipped = (outcomes.count(w) for w in ("PASS", "FAIL", "SKIP"))
    print(f"interop: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or (skipped and os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
