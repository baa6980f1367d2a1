#!/usr/bin/env python3
"""usage: serve_impacket.py PORT USER PASSWORD SHARE DIRECTORY      impacket's server at 127.0.0.1"""
import sys

from impacket.ntlm import compute_lmhash, compute_nthash
from impacket.smbserver import SimpleSMBServer

port, user, password, share, directory = sys.argv[1:]
server = SimpleSMBServer(listenAddress="127.0.0.1", listenPort=int(port))
server.addShare(share.upper(), directory, readOnly="no")
server.setSMB2Support(True)
server.addCredential(user, 0, compute_lmhash(password), compute_nthash(password))
server.start()
