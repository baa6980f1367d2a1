#!/usr/bin/env python3
"""usage: with_smbprotocol.py PORT USER PASSWORD SHARE      smbprotocol's high-level client on a server at 127.0.0.1"""
import os
import sys

import smbclient
from smbprotocol.exceptions import SMBOSError

from data import SIZES, block, expect

port, user, password, share = sys.argv[1:]
where = dict(username=user, password=password, port=int(port))
root = rf"\\127.0.0.1\{share}\smbprotocol"

MANY = 10_000
SCRIPTS = ["Größe", "cafe\u0301", "Привет", "日本語", "שלום", "مرحبا", "🦀 𝄞 𠮷"]

for encrypt in (False, True):
    here = dict(where, encrypt=encrypt, connection_cache={})
    smbclient.mkdir(root, **here)
    for size in SIZES:
        path, data = rf"{root}\f{size}", block(size)
        with smbclient.open_file(path, mode="wb", **here) as f:
            f.write(data)
        expect(f"{path}: size", smbclient.stat(path, **here).st_size, size)
        with smbclient.open_file(path, mode="rb", **here) as f:
            expect(f"{path} after the way back", f.read() == data, True)
    expect("the listing", sorted(smbclient.listdir(root, **here)), sorted(f"f{s}" for s in SIZES))
    smbclient.rename(rf"{root}\f65537", rf"{root}\größer 漢字", **here)
    expect("a replaced file", smbclient.replace(rf"{root}\f1", rf"{root}\f65536", **here), None)
    expect("its size", smbclient.stat(rf"{root}\f65536", **here).st_size, 1)
    smbclient.utime(rf"{root}\f65536", times=(1580608922, 1580608922), **here)
    expect("its time", int(smbclient.stat(rf"{root}\f65536", **here).st_mtime), 1580608922)
    smbclient.truncate(rf"{root}\größer 漢字", 100, **here)
    expect("cut", smbclient.stat(rf"{root}\größer 漢字", **here).st_size, 100)
    smbclient.copyfile(rf"{root}\f9000001", rf"{root}\copy", **here)
    with smbclient.open_file(rf"{root}\copy", mode="rb", **here) as f:
        expect("copied on the server", f.read() == block(9000001), True)
    smbclient.setxattr(rf"{root}\copy", b"note", b"kept", **here)
    expect("an extended attribute", smbclient.getxattr(rf"{root}\copy", b"note", **here), b"kept")
    for name in SCRIPTS:
        with smbclient.open_file(rf"{root}\{name}", mode="w", **here) as f:
            f.write(name)
    expect("names of many scripts", sorted(set(SCRIPTS) & set(smbclient.listdir(root, **here))), sorted(SCRIPTS))
    with smbclient.open_file(rf"{root}\beyond", mode="wb", **here) as f:
        f.seek(4 << 30)
        f.write(b"x")
    expect("a size beyond 4 GiB", smbclient.stat(rf"{root}\beyond", **here).st_size, (4 << 30) + 1)
    try:
        smbclient.rmdir(root, **here)
        raise SystemExit("a full directory was removed")
    except SMBOSError as no:
        expect("a full directory", no.errno, 39)
    for name in smbclient.listdir(root, **here):
        smbclient.remove(rf"{root}\{name}", **here)
    smbclient.rmdir(root, **here)
    smbclient.reset_connection_cache(connection_cache=here["connection_cache"])
# What the caller has put there: a directory of so many names.
names = smbclient.listdir(rf"\\127.0.0.1\{share}\many", **where)
expect("a long listing", (len(names), len(set(names))), (MANY, MANY))
print("smbprotocol: all as it should be")
os._exit(0)  # its reader threads would be waited for
