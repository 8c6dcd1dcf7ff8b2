#!/usr/bin/env python3
"""Records what a master of the kernel's IPVS sends:

    cargo xtask vm -- python3 crates/sync/tests/kernel/record.py > crates/sync/tests/kernel/messages.txt

A line is a step, and the datagrams that came of it; of a step with several packets, all that any of them
caused. Each packet is told (sync_threshold 0 1), but for a state that never is.
"""
import socket
import struct
import subprocess
import sys
import time

CLIENT4, CLIENT6 = "203.0.113.7", "2001:db8:7::7"
VIP4, VIP6 = "192.0.2.1", "2001:db8:2::1"
REAL4, REAL6 = "10.0.0.1", "fd00::1"
SERVER_MAC = "02:00:00:00:00:01"
SYN, ACK, FIN, RST = 2, 16, 1, 4
MARK = 7
ID, OTHER_ID = 42, 43
# A datagram goes out two seconds after its first record at the latest.
QUIET = 4

WORLD = f"""
modprobe ip_vs
modprobe ip_vs_rr
modprobe ip_vs_pe_sip
ip link set lo up
ip link add c0 type veth peer name d0
ip link add s0 type dummy
ip link add sync0 type dummy
ip link add m0 type veth peer name b0
ip link set c0 up
ip link set d0 up
ip link set s0 up
ip link set sync0 up
ip link set m0 up
ip link set b0 up
ip addr add 10.8.0.2/24 dev b0
ip addr add {VIP4}/24 dev d0
ip addr add {VIP6}/64 dev d0 nodad
ip addr add 10.0.0.254/24 dev s0
ip addr add fd00::254/64 dev s0 nodad
ip addr add 10.9.0.1/24 dev sync0
ip addr add {VIP4}/32 dev lo
ip neigh add {REAL4} lladdr {SERVER_MAC} dev s0
ip neigh add {REAL6} lladdr {SERVER_MAC} dev s0
ip route add 203.0.113.0/24 dev d0
ip route add 2001:db8:7::/64 dev d0
sysctl -q net.ipv4.conf.all.rp_filter=0
sysctl -q net.ipv4.conf.d0.rp_filter=0
sysctl -q net.ipv4.ip_forward=1
sysctl -q net.ipv6.conf.all.forwarding=1
tc qdisc add dev d0 clsact
tc filter add dev d0 ingress protocol ip u32 match ip dport 9999 0xffff action skbedit mark {MARK}
sysctl -q -w net.ipv4.vs.sync_threshold='0 1'
sysctl -q -w net.ipv4.vs.sync_version=1
ipvsadm -A -t {VIP4}:80 -s rr
ipvsadm -a -t {VIP4}:80 -r {REAL4}:8080 -m
ipvsadm -A -t {VIP4}:81 -s rr -p 100
ipvsadm -a -t {VIP4}:81 -r {REAL4}:81 -i
ipvsadm -A -t [{VIP6}]:80 -s rr -p 100
ipvsadm -a -t [{VIP6}]:80 -r [{REAL6}]:80 -g
ipvsadm -A -u {VIP4}:53 -s rr
ipvsadm -a -u {VIP4}:53 -r {REAL4}:53 -g
ipvsadm -A -u {VIP4}:5060 -s rr -p 100 --pe sip
ipvsadm -a -u {VIP4}:5060 -r {REAL4}:5060 -g
ipvsadm -A --sctp-service {VIP4}:36412 -s rr
ipvsadm -a --sctp-service {VIP4}:36412 -r {REAL4}:36412 -g
ipvsadm -A -f {MARK} -s rr -p 100
ipvsadm -a -f {MARK} -r {REAL4}:0 -g
ipvsadm --start-daemon master --mcast-interface sync0 --syncid {ID}
ipvsadm --start-daemon backup --mcast-interface b0 --syncid {OTHER_ID}
"""

SIP = b"""INVITE sip:a@b SIP/2.0\r
Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK1\r
From: <sip:c@d>;tag=1\r
To: <sip:a@b>\r
Call-ID: 4711@client.example\r
CSeq: 1 INVITE\r
Content-Length: 0\r
\r
"""


def main():
    for line in WORLD.strip().splitlines():
        subprocess.run(["sh", "-ec", line], check=True, stdout=sys.stderr)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind(("c0", 0))
    other = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    other.bind(("m0", 0))
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    heard.bind(("sync0", 0))

    def step(name, *packets):
        for packet in packets:
            wire.send(ethernet(packet))
            time.sleep(0.01)
        told = []
        heard.settimeout(QUIET)
        try:
            while True:
                packet = heard.recv(2048)
                if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP:
                    told.append(packet[28:].hex())
        except TimeoutError:
            pass
        print(name, *told, flush=True)

    def tcp(flags, port=1001, to=80, wrap=ipv4):
        return wrap(6, struct.pack("!HHIIBBHHH", port, to, 1, 1, 0x50, flags, 1024, 0, 0))

    def udp(port, to, data=b"x"):
        return ipv4(17, struct.pack("!HHHH", port, to, 8 + len(data), 0) + data)

    def sctp(kind, tag=1):
        chunk = struct.pack("!BBHIIHHI", kind, 0, 20, 1, 1024, 1, 1, 1)
        return ipv4(132, struct.pack("!HHII", 1001, 36412, tag, 0) + chunk)

    step("tcp-syn", tcp(SYN))
    step("tcp-established", tcp(ACK))
    step("tcp-fin", tcp(FIN | ACK))
    step("tcp-closed", tcp(RST))
    step("udp", udp(1002, 53))
    step("several", *[udp(2000 + number, 53) for number in range(50)])
    step("template", tcp(SYN, 1003, 81), tcp(ACK, 1003, 81))
    step("ipv6", tcp(SYN, wrap=ipv6), tcp(ACK, wrap=ipv6))
    step("mark", udp(1004, 9999))
    step("sip", udp(5060, 5060, SIP))
    # Nothing in today's kernel moves sequence numbers in IPVS: another master says that they have.
    other.send(multicast(moved()))
    step("sequences", tcp(ACK, 1006))
    step("sctp", sctp(1, 0), sctp(10), sctp(0), sctp(7))
    subprocess.run(["sysctl", "-q", "-w", "net.ipv4.vs.sync_version=0"], check=True)
    step("old", tcp(SYN, 1005), tcp(ACK, 1005), tcp(ACK, 1003, 81), tcp(ACK, 1006), udp(1002, 53))


def ethernet(packet):
    addresses = [open(f"/sys/class/net/{name}/address").read().strip() for name in ("d0", "c0")]
    to, sender = (bytes.fromhex(address.replace(":", "")) for address in addresses)
    return to + sender + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


def moved():
    ends = b"".join(socket.inet_aton(address) for address in (CLIENT4, VIP4, REAL4))
    numbers = struct.pack("!BB6I", 1, 24, 1, 2, 3, 4, 5, 6)
    record = struct.pack("!BBHIHHHHII", 0, 6, 62, 0x600, 1, 1006, 80, 8080, 0, 900) + ends + numbers
    return struct.pack("!BBHBBH", 0, OTHER_ID, 8 + len(record), 1, 1, 0) + record


def multicast(message):
    """A frame to backups."""
    datagram = struct.pack("!HHHH", 8848, 8848, 8 + len(message), 0) + message
    packet = ipv4(17, datagram, "10.8.0.1", "224.0.0.81")
    return b"\x01\x00\x5e\x00\x00\x51" + bytes(6) + b"\x08\x00" + packet


def ipv4(protocol, data, sender=CLIENT4, to=VIP4):
    ends = socket.inet_aton(sender) + socket.inet_aton(to)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0x4000, 64, protocol, 0) + ends
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", 0xffff - total) + head[12:] + data


def ipv6(protocol, data):
    head = struct.pack("!IHBB", 6 << 28, len(data), protocol, 64)
    ends = [socket.inet_pton(socket.AF_INET6, address) for address in (CLIENT6, VIP6)]
    return head + b"".join(ends) + data


if __name__ == "__main__":
    main()
