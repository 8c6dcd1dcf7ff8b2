"""Prints the first line of each datagram to the virtual addresses, its length and its traffic class
as `TEXT LENGTH CLASS`: receive.py VIP4 VIP6"""
import select
import socket
import sys

PORT = 7777
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
four.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
four.bind((sys.argv[1], PORT))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
six.bind((sys.argv[2], PORT))
print("ready", flush=True)
while True:
    for ready in select.select([four, six], [], [])[0]:
        data, ancillary, _, _ = ready.recvmsg(2048, 128)
        text, _, rest = data.partition(b"\n")
        print(text.decode(), len(rest), ancillary[0][2][0], flush=True)
