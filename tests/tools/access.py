#!/usr/bin/python3
"""Has Samba decide access checks: tests/tools/access.py > smb-proto/tests/data/dtyp/access.tsv (needs python3-samba)

Descriptors are drawn at random, the same ones each time. A line has the descriptor in hex, the identifiers of who asks
(the user first), the access asked for, and what Samba grants, or `denied`.
"""
import random

from samba import NTSTATUSError, security
from samba.dcerpc import security as idl
from samba.ndr import ndr_pack

DRAW = random.Random(20)
PEOPLE = ["S-1-1-0", "S-1-5-11", "S-1-3-4", "S-1-5-32-544", "S-1-22-1-1000", "S-1-22-1-1001", "S-1-22-2-100"]
ALL, MAXIMUM = 0x001F01FF, 0x02000000


def mask():
    return DRAW.getrandbits(32) & (DRAW.getrandbits(32) | DRAW.choice([0, ALL])) & ALL


def descriptor():
    found = idl.descriptor()
    found.type |= idl.SEC_DESC_SELF_RELATIVE | idl.SEC_DESC_DACL_PRESENT
    found.owner_sid = idl.dom_sid(DRAW.choice(PEOPLE[3:]))
    found.dacl = idl.acl()
    found.dacl.revision = 2
    for _ in range(DRAW.randrange(6)):
        ace = idl.ace()
        ace.type = DRAW.choice([0, 0, 1])
        ace.flags = DRAW.choice([0, 0, 0, 3, 8, 11, 16])
        ace.access_mask = mask()
        ace.trustee = idl.dom_sid(DRAW.choice(PEOPLE))
        found.dacl_add(ace)
    return found


def main():
    for _ in range(250):
        subject, people = descriptor(), [DRAW.choice(PEOPLE[4:6]), *DRAW.sample(["S-1-1-0", "S-1-5-11", "S-1-5-32-544", "S-1-22-2-100"], 2)]
        token = idl.token()
        token.sids = [idl.dom_sid(sid) for sid in people]
        token.num_sids = len(people)
        for desired in (MAXIMUM, mask() & mask(), 1 << DRAW.randrange(9)):
            try:
                granted = f"{security.access_check(subject, token, desired):08x}"
            except NTSTATUSError:
                granted = "denied"
            print(ndr_pack(subject).hex(), ",".join(people), f"{desired:08x}", granted, sep="\t")


if __name__ == "__main__":
    main()
