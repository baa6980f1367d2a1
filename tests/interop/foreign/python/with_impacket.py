#!/usr/bin/env python3
"""usage: with_impacket.py PORT USER PASSWORD SHARE      impacket's client on a server at 127.0.0.1"""
import io
import sys

from impacket.dcerpc.v5 import srvs, transport
from impacket.smbconnection import SMBConnection, SessionError

from data import SIZES, block, expect

port, user, password, share = sys.argv[1:]


def connect(secret=password):
    connection = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=int(port))
    connection.login(user, secret)
    return connection


try:
    connect("wrong")
    raise SystemExit("a wrong password was let in")
except SessionError as no:
    expect("a wrong password", no.getErrorString()[0], "STATUS_LOGON_FAILURE")
smb = connect()
names = [s["shi1_netname"][:-1] for s in smb.listShares()]
expect("the share is listed", share in names, True)
rpc = transport.SMBTransport("127.0.0.1", filename=r"\srvsvc", smb_connection=smb).get_dce_rpc()
rpc.connect()
rpc.bind(srvs.MSRPC_UUID_SRVS)
for level in (0, 1, 2, 501, 502, 503):
    info = srvs.hNetrShareGetInfo(rpc, share + "\0", level)["InfoStruct"][f"ShareInfo{level}"]
    expect(f"the share at level {level}", info[f"shi{level}_netname"], share + "\0")
expect("its server", info["shi503_servername"], "*\0")
try:
    srvs.hNetrShareGetInfo(rpc, share + "\0", 1006)
    raise SystemExit("a level that is not told was told")
except srvs.DCERPCSessionError as no:
    expect("a level that is not told", no.get_error_code(), 124)
rpc.disconnect()
smb.createDirectory(share, "impacket")
for size in SIZES:
    data = block(size)
    smb.putFile(share, f"impacket\\f{size}", io.BytesIO(data).read)
    back = io.BytesIO()
    smb.getFile(share, f"impacket\\f{size}", back.write)
    expect(f"f{size} after the way back", back.getvalue() == data, True)
listed = {f.get_longname(): f.get_filesize() for f in smb.listPath(share, "impacket\\*")}
expect("the listing", {n: s for n, s in listed.items() if n not in (".", "..")}, {f"f{s}": s for s in SIZES})
expect("a pattern", len(smb.listPath(share, "impacket\\f6553?")), 3)
smb.rename(share, "impacket\\f65537", "impacket\\größer 漢字")
expect("the new name", smb.listPath(share, "impacket\\größer 漢字")[0].get_filesize(), 65537)
try:
    smb.deleteDirectory(share, "impacket")
    raise SystemExit("a full directory was removed")
except SessionError as no:
    expect("a full directory", no.getErrorString()[0], "STATUS_DIRECTORY_NOT_EMPTY")
for f in smb.listPath(share, "impacket\\*"):
    if f.get_longname() not in (".", ".."):
        smb.deleteFile(share, f"impacket\\{f.get_longname()}")
smb.deleteDirectory(share, "impacket")
smb.logoff()
print("impacket: all as it should be")
