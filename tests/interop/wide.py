"""What is large or far away: many names, names of many scripts, a file beyond 4 GiB. Steps of the interop matrix."""
import os
import subprocess
import unicodedata

from peers import USER, PASSWORD, OurClient, Refused, tool

MANY = 10_000
GIB = 1 << 30
BEYOND = 4 * GIB + 1
# Its last MiB begins here, on both sides of 4 GiB.
BEFORE = 4 * GIB - (1 << 20)

SCRIPTS = ["Größe ÀÉÎÕÜ ß", unicodedata.normalize("NFD", "café Ångström"), "Привет мир", "Ελληνικά", "日本語のファイル名", "中文文件",
           "한국어", "שלום עולם", "مرحبا بالعالم", "हिन्दी", "ไทย", "🦀 𝄞 𠮷", "e\u0301\u0327\u0323", "#&{}$!'@+`=~^,.[]()", "é" * 127]


def expect(what, holds):
    if not holds:
        raise AssertionError(what)


def scripts(client, share, back, source):
    """Names come as they went, on disk and in listings."""
    client.mkdir("names")
    for name in SCRIPTS:
        client.put(source, f"names/{name}")
    on_disk = sorted(p.name for p in (share / "names").iterdir())
    expect(f"names on disk: {on_disk}", on_disk == sorted(SCRIPTS))
    listed = client.ls("names")
    expect(f"names in the listing: {sorted(listed)}", sorted(listed) == sorted(SCRIPTS))
    for name in SCRIPTS:
        client.get(f"names/{name}", back / "named")
        expect(f"{name} after the way back", (back / "named").read_bytes() == source.read_bytes())
        client.rename(f"names/{name}", "names/one")
        client.rename("names/one", f"names/{name[:80]}é")
        client.delete(f"names/{name[:80]}é")
    (back / "named").unlink()
    client.rmdir("names")


def many(client, share):
    """A directory of ten thousand names is listed whole."""
    (share / "many").mkdir()
    wanted = {f"file number {n:05}": n % 3 for n in range(MANY)}
    for name, size in wanted.items():
        (share / "many" / name).write_bytes(b"x" * size)
    listed = client.ls("many")
    expect(f"{len(listed)} names of {MANY}", listed == wanted)
    for name in wanted:
        (share / "many" / name).unlink()
    (share / "many").rmdir()


def holed(path, size, marks):
    """A sparse file with a few bytes at each mark."""
    with open(path, "wb") as f:
        for at in marks:
            f.seek(at)
            f.write(f"mark {at}".encode())
        f.truncate(size)


def same_end(one, other):
    """Both have BEYOND bytes, and the same from BEFORE on."""
    ends = []
    for path in (one, other):
        expect(f"{path} has {path.stat().st_size} bytes", path.stat().st_size == BEYOND)
        with open(path, "rb") as f:
            f.seek(BEFORE - 4096)
            ends.append(f.read())
    expect("the end beyond 4 GiB", ends[0] == ends[1])


def beyond(client, share, back):
    """A file of 4 GiB and a byte: its size, and its data around 4 GiB. What has holes is cheap on both disks."""
    marks = [0, GIB + 7, BEFORE - 20, BEFORE + 3, 4 * GIB - 5, BEYOND - 20]
    here, there = back / "beyond", share / "beyond"
    holed(here, BEYOND, marks)
    if isinstance(client, OurClient):
        holed(there, BEYOND, marks)
        ours_beyond(client, here)
    else:
        client.run(f'put "{here}" beyond', timeout=600)
        same_end(here, there)
        with open(here, "r+b") as f:
            f.truncate(BEFORE)
        go_on(client, here)
        same_end(here, there)
    expect("its size in the listing", client.ls("") == {"beyond": BEYOND})
    expect("its size", client.size("beyond") == BEYOND)
    client.delete("beyond")
    here.unlink()


def go_on(client, here):
    """smbclient's `reget`, which goes on where the local file ends. It also reads behind the end of the remote file, and forgets
    one of those requests if another is answered first (so Samba 4.17); the answer that nobody asked for then ends its
    connection, after all the data was there. Only that may go wrong; the caller compares the file."""
    try:
        client.run(f'reget beyond "{here}"')
    except Refused as error:
        if "NT_STATUS_INVALID_NETWORK_RESPONSE closing remote file" not in str(error):
            raise


def ours_beyond(client, here):
    """Our client reads all of it."""
    words = [client.program, "get", client.url + "beyond", "-", "--quiet", *client.words]
    got = subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, env=dict(os.environ, SMB_PASSWORD=PASSWORD))
    compared = subprocess.run(["cmp", "-", str(here)], stdin=got.stdout, stdout=subprocess.PIPE, text=True, check=False)
    got.stdout.close()
    if got.wait() or compared.returncode:
        raise Refused(f"get of 4 GiB: exit {got.returncode}; {compared.stdout}")


def shares(port):
    """The share list, as smbclient prints it."""
    words = [tool("smbclient"), "-s", "/dev/null", "-g", "-L", "//127.0.0.1", "-p", str(port), "-U", f"{USER}%{PASSWORD}", "-m", "SMB3_11"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    expect(f"the share list: {done.stdout}", "Disk|share|" in done.stdout and "IPC|IPC$|" in done.stdout)
