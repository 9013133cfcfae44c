# SPDX-License-Identifier: BSD-3-Clause
"""Frames made by hand, and what comes back for them: how a test asks what an IP stack answers.

    prober = Prober("peer", "eth0", POD_MAC)
    prober.ask(tcp(HOST4, POD4, 80))        # ["tcp SA"], or [] from a stack that is mute

Every round of questions ends with an ARP request for the pod's address, from a sender of its own.
A stack takes frames in order: what has not been answered before that one will not be.
"""

import ctypes
import os
import socket
import struct
import threading
import time

ETH_P_ALL = 3
ETH_IP, ETH_ARP, ETH_IP6, ETH_VLAN, ETH_QINQ = 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
PACKET_IGNORE_OUTGOING = 23
CLONE_NEWNET = 0x40000000
BROADCAST = "ff:ff:ff:ff:ff:ff"
ANY4 = "0.0.0.0"

# Addresses that no stack has: answers to them are nobody else's business.
HOST4, HOST6, MARK4 = "10.0.0.77", "fd00::77", "10.0.0.78"


class FrameError(Exception):
    """The pod's stack did not even answer ARP."""


def packet_socket(namespace, interface):
    """Sees and sends frames of an interface of another namespace."""
    made = []

    def make():  # a thread's namespace is its own
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        if libc.setns(fd, CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)  # SOL_PACKET
        sock.bind((interface, ETH_P_ALL))
        made.append(sock)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


# --- making ----------------------------------------------------------------------------------------

def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    total = (total & 0xffff) + (total >> 16)
    return 0xffff - ((total & 0xffff) + (total >> 16))


def arp(sender, target, operation=1):
    """(EtherType, payload); who sends it as a frame fills in the sender's MAC."""
    return ETH_ARP, lambda mac: (struct.pack("!HHBBH", 1, ETH_IP, 6, 4, operation) + mac +
                                 address(sender) + bytes(6) + address(target))


def ip(source, target, protocol, payload, offset=0, more=False, number=1):
    """A packet of either family; with `offset` or `more`, a fragment."""
    if ":" in source:
        if offset or more:
            payload = struct.pack("!BBHI", protocol, 0, offset | more, number) + payload
            protocol = 44
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255)
        return ETH_IP6, header + address(source) + address(target) + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number,
                         more << 13 | offset >> 3, 64, protocol, 0)
    header += address(source) + address(target)
    return ETH_IP, header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def transport(source, target, protocol, header, check_at):
    """The bytes of a transport header, and what follows it, with its checksum at `check_at`."""
    pseudo = address(source) + address(target) + struct.pack("!II", len(header), protocol)
    check = checksum(pseudo + header)
    return header[:check_at] + struct.pack("!H", check) + header[check_at + 2:]


def tcp_bytes(source, target, port, from_port=7777):
    return transport(source, target, TCP, struct.pack(
        "!HHIIBBHHH", from_port, port, 1, 0, 5 << 4, 2, 65535, 0, 0), 16)


def udp_bytes(source, target, port, from_port=7777, size=8):
    return transport(source, target, UDP, struct.pack(
        "!HHHH", from_port, port, 8 + size, 0) + bytes(size), 6)


def tcp(source, target, port, **options):
    """A SYN."""
    return ip(source, target, TCP, tcp_bytes(source, target, port, **options))


def udp(source, target, port, **options):
    return ip(source, target, UDP, udp_bytes(source, target, port, **options))


def behind_options(packet):
    """The IPv6 packet with a destination options header of 8 bytes before what it carries."""
    kind, data = packet
    length, = struct.unpack("!H", data[4:6])
    return kind, (data[:4] + struct.pack("!HB", length + 8, 60) + data[7:40] +
                  bytes([data[6], 0, 1, 4, 0, 0, 0, 0]) + data[40:])


def echo(source, target, kind=None):
    """An echo request, or another ICMP message of 8 bytes."""
    if ":" in source:
        return ip(source, target, ICMP6, transport(
            source, target, ICMP6, struct.pack("!BBHHH", kind or 128, 0, 0, 7, 1), 2))
    message = struct.pack("!BBHHH", kind or 8, 0, 0, 7, 1)
    return ip(source, target, ICMP, message[:2] + struct.pack("!H", checksum(message)) +
              message[4:])


def solicit(source, target, mac):
    """A neighbour solicitation, sent to the target itself."""
    return ip(source, target, ICMP6, transport(
        source, target, ICMP6, struct.pack("!BBHI", 135, 0, 0, 0) + address(target) +
        b"\1\1" + mac_bytes(mac), 2))


# --- reading ---------------------------------------------------------------------------------------

def describe_transport(protocol, data):
    if protocol == TCP:
        return "tcp " + "".join(letter for bit, letter in enumerate("FSRPA") if data[13] >> bit & 1)
    if protocol == UDP:
        return f"udp {struct.unpack('!H', data[:2])[0]}"
    return {ICMP: f"icmp {data[0]}", ICMP6: f"icmp6 {data[0]}"}.get(protocol, f"ip {protocol}")


def describe(frame):
    """A frame in one or two words: "tcp SA", "icmp 3", "arp 2 10.0.0.2" (operation, sender)."""
    kind, = struct.unpack("!H", frame[12:14])
    if kind == ETH_ARP:
        return f"arp {frame[21]} {socket.inet_ntoa(frame[28:32])}"
    if kind == ETH_IP:
        return describe_transport(frame[23], frame[14 + (frame[14] & 15) * 4:])
    if kind == ETH_IP6:
        return describe_transport(frame[20], frame[54:])
    return f"{kind:04x}"


class Prober:
    """Puts frames on an interface and collects what the stack behind it sends back."""

    def __init__(self, namespace, interface, target_mac, target="10.0.0.2", mark=MARK4):
        self.socket = packet_socket(namespace, interface)
        self.mac = self.socket.getsockname()[4]
        self.target_mac = mac_bytes(target_mac)
        self.target, self.mark = target, mark

    def close(self):
        self.socket.close()

    def send(self, packet, source=None, tags=()):
        """One of the packets above; tags are (TPID, VLAN)."""
        kind, payload = packet
        source = mac_bytes(source) if source else self.mac
        header = (mac_bytes(BROADCAST) if kind == ETH_ARP else self.target_mac) + source
        if callable(payload):
            payload = payload(source)
        for tag in tags:
            header += struct.pack("!HH", *tag)
        self.socket.send(header + struct.pack("!H", kind) + payload)

    def collect(self, until, timeout=60):
        """Unicast frames up to one that `until` picks, or to the end of the time: in words."""
        seen = []
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                frame = self.socket.recv(65536)
            except TimeoutError:
                break
            if frame[0] & 1:
                continue
            seen.append(describe(frame))
            if until(frame):
                return seen
        raise FrameError(f"it did not come in {timeout} s; what did: {seen}")

    def marker(self):
        """What has come by the time that a question asked now is answered."""
        self.send(arp(self.mark, self.target))
        return self.collect(lambda frame: frame[12:14] == b"\x08\x06" and
                            frame[38:42] == address(self.mark))[:-1]

    def ask(self, *packets, **how):
        for packet in packets:
            self.send(packet, **how)
        return self.marker()
