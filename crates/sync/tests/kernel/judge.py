#!/usr/bin/env python3
"""Records which records of wrong datagrams a backup of the kernel's IPVS takes:

    cargo xtask vm -- python3 crates/sync/tests/kernel/judge.py > crates/sync/tests/kernel/judged.txt

A line is a case, its datagram, and the ports of the clients whose connections there are then.
"""
import socket
import struct
import subprocess
import sys
import time

from record import ipv4, multicast

CLIENT, VIP, REAL = (socket.inet_aton(it) for it in ("203.0.113.7", "192.0.2.1", "10.0.0.1"))
TCP, UDP, SCTP = 6, 17, 132
INACTIVE, MOVED, TEMPLATE, ONE_PACKET = 0x100, 0x600, 0x1000, 0x2000
ID = 43

WORLD = f"""
modprobe ip_vs
modprobe ip_vs_pe_sip
ip link add m0 type veth peer name b0
ip link set m0 up
ip link set b0 up
ip addr add 10.8.0.2/24 dev b0
sysctl -q net.ipv4.conf.all.rp_filter=0
ipvsadm --start-daemon backup --mcast-interface b0 --syncid {ID}
"""


def main():
    for line in WORLD.strip().splitlines():
        subprocess.run(["sh", "-ec", line], check=True, stdout=sys.stderr)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind(("m0", 0))
    before = set()
    for name, datagram in cases():
        wire.send(multicast(datagram))
        time.sleep(0.2)
        with open("/proc/net/ip_vs_conn_sync") as listing:
            now = {int(line.split()[2], 16) for line in list(listing)[1:]}
        print(name, datagram.hex(), *sorted(now - before), flush=True)
        before = now


def cases():
    """Each with connections of its own, numbered by their clients' ports."""
    number = 0

    def three(**second):
        nonlocal number
        number += 3
        return record(number), record(number + 1, **second), record(number + 2)

    numbers = b"\1\x18" + bytes(24)
    parameters = {
        "sequences": numbers,
        "sequences-optional": b"\x41\x18" + bytes(24),
        "sequences-twice": numbers + numbers,
        "sequences-short": b"\1\2xx",
        "unknown": b"\4\2xx",
        "unknown-optional": b"\x44\2xx",
        "unknown-then-broken": b"\4\2xx\2",
        "empty": b"\2\0",
        "empty-optional": b"\x44\0",
        "half": b"\2",
        "beyond": b"\2\3xx",
        "data": b"\2\1x",
        "data-twice": b"\2\1x\2\1x\3\3sip",
        "name": b"\3\3sip",
        "name-long": b"\2\1x\3\x11" + b"s" * 17,
        "engine": b"\2\1x\3\3sip",
        "engine-reversed": b"\3\3sip\2\1x",
        "engine-unknown": b"\2\1x\3\3sop",
    }
    for name, value in parameters.items():
        yield "parameter-" + name, message(*three(parameters=value))
    for kind in (1, 2, 3, 0x80):
        yield f"type-{kind}", message(*three(kind=kind))
    for size in (0, 35, 37, 72, 73, 4095):
        yield f"size-{size}", message(*three(size=size))
    yield "record-version", message(*three(version=1))
    for protocol, states in ((TCP, (10, 11)), (UDP, (0, 1)), (SCTP, (13, 14)), (1, (0,))):
        for state in states:
            yield f"state-{protocol}-{state}", message(*three(protocol=protocol, state=state))
    for state in (0, 1, 2):
        yield f"template-{state}", message(*three(flags=TEMPLATE, state=state))
    yield "template-of-none", message(*three(flags=TEMPLATE, protocol=0))
    yield "one-packet", message(*three(protocol=UDP, state=0, flags=ONE_PACKET))
    yield "flags", message(*three(flags=0xffffcfff))
    yield "more", message(*three(), count=4)
    yield "fewer", message(*three(), count=2)
    yield "none", message(*three(), count=0)
    yield "behind", message(*three(), behind=b"\1" * 50)
    yield "cut", message(*three(), behind=record(9000)[:35], count=4)
    yield "spare", message(*three(), spare=1)
    yield "reserved", message(*three(), reserved=1)
    yield "version-2", message(*three(), version=2)
    yield "other-id", message(*three(), identity=ID + 1)
    yield "longer", message(*three()) + b"\0"
    yield "shorter", message(*three())[:-1]
    yield "short", struct.pack("!BBB", 0, ID, 0)
    yield "head", struct.pack("!BBH", 0, ID, 4)
    yield "old", old(9100, 9101)
    yield "old-sequences", old(9102, 9103, flags=MOVED, behind=bytes(24))
    yield "old-sequences-cut", old(9104, 9105, flags=MOVED, behind=bytes(23), cut=24)
    yield "old-cut", old(9114, 9115, cut=1)
    yield "old-state", old(9106, 9107, state=11)
    yield "old-protocol", old(9108, 9109, protocol=1)
    yield "old-template", old(9110, 9111, flags=TEMPLATE, state=2)
    yield "old-one-packet", old(9112, 9113, flags=ONE_PACKET)


def record(port, protocol=TCP, flags=0, state=1, kind=0, size=None, version=0, parameters=b""):
    size = 36 + len(parameters) if size is None else size
    numbers = (kind, protocol, version << 12 | size, flags, state, port, 80, 8080, 0, 500)
    return struct.pack("!BBHIHHHHII", *numbers) + CLIENT + VIP + REAL + parameters


def message(*records, count=None, reserved=0, identity=ID, version=1, spare=0, behind=b""):
    body = b"".join(it + bytes(-len(it) % 4) for it in records) + behind
    count = len(records) if count is None else count
    return struct.pack("!BBHBBH", reserved, identity, 8 + len(body), count, version, spare) + body


def old(first, second, protocol=TCP, flags=INACTIVE, state=1, behind=b"", cut=0):
    """Two records of version 0: a wrong one, and a right one behind it."""
    def one(port, protocol, flags, state):
        ports = struct.pack("!BBHHH", 0, protocol, port, 80, 8080)
        return ports + CLIENT + VIP + REAL + struct.pack("!HH", flags, state)

    body = one(first, protocol, flags, state) + behind + one(second, TCP, INACTIVE, 1)
    body = body[:len(body) - cut]
    return struct.pack("!BBH", 2, ID, 4 + len(body)) + body


main()
