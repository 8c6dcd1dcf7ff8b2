"""A server that says what accept() and getpeername() say of who asks: peer.py FAMILY"""
import socket
import sys

six = sys.argv[1] == "6"
listener = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if six:
    # For IPv4 as well.
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(("::" if six else "0.0.0.0", 80))
listener.listen()
print("ready", flush=True)
while True:
    connection, accepted = listener.accept()
    try:
        connection.recv(4096)
        named = connection.getpeername()
        text = "%s %d %s %d" % (accepted[:2] + named[:2])
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + text.encode())
    except OSError as error:
        print(error, flush=True)
    connection.close()
