"""Sends packets in tunnels: send.py INTERFACE MAC MODE DIRECTOR4 DIRECTOR6 SERVER4 SERVER6 VIP4 VIP6

MODE right: every kind of tunnel in every pair of families, each with a datagram that says so.
MODE wrong: what a real server must not take.
MODE end: a datagram that says so.
"""
import socket
import struct
import sys

INTERFACE, MAC, MODE = sys.argv[1:4]
DIRECTOR, SERVER, VIP = [dict(zip((4, 6), sys.argv[at : at + 2])) for at in (4, 6, 8)]
CLIENT = {4: "203.0.113.7", 6: "2001:db8::7"}
PORTS = (5000, 7777)
GUE = 6080
IPIP = {4: 4, 6: 41}
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
HEADER = {4: 20, 6: 40}


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def total(data):
    data += b"\0" * (len(data) % 2)
    number = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return number


def ip(source, destination, protocol, payload, tos=0, fragment=0, options=b""):
    if ":" in source:
        start = struct.pack("!IHBB", 0x60000000 | tos << 20, len(payload), protocol, 64)
        return start + address(source) + address(destination) + payload
    words, length = 5 + len(options) // 4, 20 + len(options) + len(payload)
    header = struct.pack("!BBHHHBBH", 0x40 | words, tos, length, 1, fragment, 64, protocol, 0)
    header += address(source) + address(destination) + options
    return header[:10] + struct.pack("!H", 0xFFFF & ~total(header)) + header[12:] + payload


def udp(source, destination, ports, payload, checksum="whole"):
    length = 8 + len(payload)
    header = struct.pack("!HHHH", *ports, length, 0)
    pseudo = address(source) + address(destination) + struct.pack("!HH", 17, length)
    number = {
        "whole": 0xFFFF & ~total(pseudo + header + payload) or 0xFFFF,
        "pseudo": total(pseudo),
        "none": 0,
    }[checksum]
    return header[:6] + struct.pack("!H", number) + payload


def inner(family, payload, vip=None, tos=0, checksum="whole"):
    vip = vip or VIP[family]
    return ip(CLIENT[family], vip, 17, udp(CLIENT[family], vip, PORTS, payload, checksum), tos)


def gre(family, packet, checksum=False):
    if not checksum:
        return 47, struct.pack("!HH", 0, ETHERTYPE[family]) + packet
    whole = struct.pack("!HHHH", 0x8000, ETHERTYPE[family], 0, 0) + packet
    return 47, whole[:4] + struct.pack("!H", 0xFFFF & ~total(whole)) + whole[6:]


def gue(outer, family, packet, options=b"", checksum="none"):
    flags = 1 if options else 0
    start = struct.pack("!BBH", len(options) // 4, IPIP[family], flags)
    ports = (50000, GUE)
    return 17, udp(DIRECTOR[outer], SERVER[outer], ports, start + options + packet, checksum)


def tunnel(kind, outer, family, payload):
    if kind == "gue-remote-checksum":
        start = HEADER[family]
        options = struct.pack("!IHH", 0x80000000, start, start + 6)
        packet = inner(family, payload, checksum="pseudo")
        return gue(outer, family, packet, options, "whole")
    packet = inner(family, payload)
    return {
        "ipip": lambda: (IPIP[family], packet),
        "gre": lambda: gre(family, packet),
        "gre-checksum": lambda: gre(family, packet, True),
        "gue": lambda: gue(outer, family, packet),
        "gue-checksum": lambda: gue(outer, family, packet, checksum="whole"),
    }[kind]()


KINDS = ("ipip", "gre", "gre-checksum", "gue", "gue-checksum", "gue-remote-checksum")


def right():
    for kind in KINDS:
        for outer in (4, 6):
            for family in (4, 6):
                for size in (0, 1, 1300):
                    text = "%s %din%d %d" % (kind, family, outer, size)
                    payload = text.encode() + b"\n" + b"." * size
                    protocol, content = tunnel(kind, outer, family, payload)
                    yield ip(DIRECTOR[outer], SERVER[outer], protocol, content)
    options = b"\1\1\1\0"
    yield ip(DIRECTOR[4], SERVER[4], 4, inner(4, b"options\n"), options=options)
    for family in (4, 6):
        packet = inner(family, b"marked %d\n" % family, tos=0xB8 | 2)
        yield ip(DIRECTOR[4], SERVER[4], IPIP[family], packet, tos=3)
    limit = b"\x29\0\4\1\4\1\0\0"
    yield ip(DIRECTOR[6], SERVER[6], 60, limit + inner(6, b"limit\n"))


def wrong():
    packet = inner(4, b"wrong\n")
    stranger = DIRECTOR[4].rsplit(".", 1)[0] + ".77"
    yield ip(stranger, SERVER[4], 4, packet)
    yield ip(DIRECTOR[4], SERVER[4], 4, inner(4, b"wrong\n", vip=SERVER[4]))
    yield ip(DIRECTOR[4], SERVER[4], 4, packet, fragment=0x2000)
    yield ip(DIRECTOR[4], SERVER[4], 4, packet, tos=3)
    yield ip(DIRECTOR[4], SERVER[4], 47, struct.pack("!HHI", 0x2000, 0x0800, 5) + packet)
    yield ip(DIRECTOR[4], SERVER[4], 4, packet[:-1])
    protocol, content = tunnel("gue-remote-checksum", 4, 4, b"wrong\n")
    yield ip(DIRECTOR[4], SERVER[4], protocol, content[:-1] + b"!")


def end():
    yield ip(DIRECTOR[4], SERVER[4], 4, inner(4, b"end\n"))


wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((INTERFACE, 0))
ethernet = bytes.fromhex(MAC.replace(":", "")) + wire.getsockname()[4]
for packet in {"right": right, "wrong": wrong, "end": end}[MODE]():
    version = packet[0] >> 4
    wire.send(ethernet + struct.pack("!H", ETHERTYPE[version]) + packet)
