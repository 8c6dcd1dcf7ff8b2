"""Opens a connection as a director does that sends in its own name, asks for a page and prints it:
toa.py INTERFACE MAC LOCAL PORT REMOTE PATH WHEN CLIENT CLIENTPORT

WHEN: in which segments the client's address is: `both` (the handshake's last and the first data),
`data`, `late` (only the second data), `none`.
"""
import socket
import struct
import sys
import time

INTERFACE, MAC, LOCAL, PORT, REMOTE, PATH, WHEN, CLIENT, CLIENT_PORT = sys.argv[1:]
SIX = ":" in LOCAL
HEADER = 40 if SIX else 20
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def total(data):
    data += b"\0" * (len(data) % 2)
    number = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return number


def option():
    told = address(CLIENT)
    return struct.pack("!BBH", 254, 4 + len(told), int(CLIENT_PORT)) + told


def segment(flags, sequence, acknowledged, options=b"", data=b""):
    offset = (20 + len(options)) // 4 << 4
    tcp = struct.pack(
        "!HHIIBBHHH", int(PORT), 80, sequence, acknowledged, offset, flags, 65535, 0, 0
    )
    tcp += options + data
    pseudo = address(LOCAL) + address(REMOTE) + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", 0xFFFF & ~total(pseudo + tcp)) + tcp[18:]
    if SIX:
        start = struct.pack("!IHBB", 0x60000000, len(tcp), 6, 64)
        return start + address(LOCAL) + address(REMOTE) + tcp
    start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0)
    start += address(LOCAL) + address(REMOTE)
    return start[:10] + struct.pack("!H", 0xFFFF & ~total(start)) + start[12:] + tcp


wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((INTERFACE, 0))
wire.settimeout(0.2)
ETHERNET = bytes.fromhex(MAC.replace(":", "")) + wire.getsockname()[4]
ETHERNET += b"\x86\xdd" if SIX else b"\x08\x00"


def send(*what, **how):
    wire.send(ETHERNET + segment(*what, **how))


def receive():
    """Flags, sequence and data of the next segment to us; None if there is none."""
    try:
        frame = wire.recv(65536)
    except socket.timeout:
        return None
    ip, tcp = frame[14:], frame[14 + HEADER :]
    ports = struct.pack("!HH", 80, int(PORT))
    if frame[:6] == ETHERNET[:6] or tcp[:4] != ports:
        return ()
    length = struct.unpack("!H", ip[4:6])[0] if SIX else struct.unpack("!H", ip[2:4])[0] - 20
    data = tcp[(tcp[12] >> 4) * 4 : length]
    return tcp[13], struct.unpack("!I", tcp[4:8])[0], data


def wait(wanted, again):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        got = receive()
        if got is None:
            again()
        elif got and got[0] & RST:
            sys.exit("reset")
        elif got and wanted(got):
            return got
    sys.exit("no answer")


syn = lambda: send(SYN, 1000, 0, options=b"\2\4\5\xb4")
syn()
_, sequence, _ = wait(lambda got: got[0] == SYN | ACK, syn)
sequence = (sequence + 1) & 0xFFFFFFFF
telling = {"both": (1, 1, 0), "data": (0, 1, 0), "late": (0, 0, 1), "none": (0, 0, 0)}[WHEN]
options = [option() if tells else b"" for tells in telling]
first, second = b"GET %s HTTP/1.0\r\n" % PATH.encode(), b"\r\n"
send(ACK, 1001, sequence, options=options[0])
time.sleep(0.3)
send(ACK | PUSH, 1001, sequence, options=options[1], data=first)
time.sleep(0.1)
last = lambda: send(ACK | PUSH, 1001 + len(first), sequence, options=options[2], data=second)
last()
_, _, data = wait(lambda got: got[2], last)
send(RST, 1001 + len(first + second), 0)
print(data.decode().split("\r\n\r\n")[-1].strip())
