/* What a hostile container sends and what others see of it: built by 56-attacks.sh, run inside containers.
 *
 *     frames watch               (promiscuous) counts frames with ATTACK in them until one with END; prints the count
 *     frames udp PORT            prints the datagrams that a program would get, until END comes
 *     frames send KIND MY-MAC MY-IP NEIGHBOUR-MAC NEIGHBOUR-IP VICTIM-MAC VICTIM-IP
 *
 * `send` ends with "sent". Kind `end` is an honest datagram with END, `honest` one with ATTACK: both must arrive, so that
 * a count of 0 means something. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ATTACK "TRITON-ATTACK"
#define END    "TRITON-END"
#define PORT   9999

struct who { uint8_t mac[6], ip[4]; };

static uint8_t frame[1500];
static size_t len;

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void put(const void *p, size_t n)
{
	memcpy(frame + len, p, n);
	len += n;
}

static void put16(unsigned v)
{
	put((uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static uint16_t sum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void ether(const uint8_t *to, const uint8_t *from, unsigned type)
{
	len = 0;
	put(to, 6);
	put(from, 6);
	put16(type);
}

/* An IPv4 header; `fragment` is the field with flags and offset. */
static void ip(const uint8_t *from, const uint8_t *to, unsigned proto, size_t payload, unsigned id, unsigned fragment)
{
	size_t at = len;
	uint16_t c;

	put((uint8_t[]){ 0x45, 0 }, 2);
	put16((unsigned)(20 + payload));
	put16(id);
	put16(fragment);
	put((uint8_t[]){ 64, (uint8_t)proto, 0, 0 }, 4);
	put(from, 4);
	put(to, 4);
	c = sum(frame + at, 20);
	frame[at + 10] = (uint8_t)(c >> 8);
	frame[at + 11] = (uint8_t)c;
}

static void udp(const uint8_t *from, const uint8_t *to, unsigned sport, unsigned dport, const char *text)
{
	size_t n = strlen(text);

	ip(from, to, 17, 8 + n, 1, 0);
	put16(sport);
	put16(dport);
	put16((unsigned)(8 + n));
	put16(0);
	put(text, n);
}

static int packets(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex("eth0") };
	struct packet_mreq promiscuous = { .mr_ifindex = a.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous))
		fail("packet socket");
	return fd;
}

static void transmit(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = packets();
	if (len < 60) {
		memset(frame + len, 0, 60 - len);
		len = 60;
	}
	if (send(fd, frame, len, 0) != (ssize_t)len)
		fail("send");
}

static void arp(const uint8_t *mac_in_frame, const uint8_t *mac, const uint8_t *claim, const struct who *to)
{
	ether(to->mac, mac_in_frame, ETH_P_ARP);
	put((uint8_t[]){ 0, 1, 8, 0, 6, 4, 0, 2 }, 8);
	put(mac, 6);
	put(claim, 4);
	put(to->mac, 6);
	put(to->ip, 4);
	put(ATTACK, sizeof ATTACK);
	transmit();
}

static void raw_ip(const struct who *neighbour, const struct who *victim)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	len = 0;
	udp(neighbour->ip, victim->ip, PORT, PORT, ATTACK);
	memcpy(&to.sin_addr, victim->ip, 4);
	if (fd < 0 || sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof to) < 0)
		fail("raw socket");
	close(fd);
}

/* The second fragment writes over the end of the first: what a filter saw is not what arrives. */
static void overlapping(const struct who *me, const struct who *victim)
{
	static const char first[] = "harmless, harmless, harml", second[] = ATTACK "-by-overlap-------";

	ether(victim->mac, me->mac, ETH_P_IP);
	ip(me->ip, victim->ip, 17, 32, 77, 0x2000);
	put16(PORT), put16(PORT), put16(8 + 40), put16(0);
	put(first, 24);
	transmit();
	ether(victim->mac, me->mac, ETH_P_IP);
	ip(me->ip, victim->ip, 17, 32, 77, 16 / 8);       /* from byte 16 on: the first ended at 32 */
	put(second, 32);
	transmit();
}

static void link_local(const uint8_t *to, unsigned type, const struct who *me)
{
	ether(to, me->mac, type);
	put(ATTACK, sizeof ATTACK);
	transmit();
}

static void attack(const char *kind, const struct who *me, const struct who *neighbour, const struct who *victim)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 }, none[4], everybody[4] = { 255, 255, 255, 255 };
	static const uint8_t stp[6] = { 1, 0x80, 0xc2 }, lldp[6] = { 1, 0x80, 0xc2, 0, 0, 14 }, ra[6] = { 0x33, 0x33, 0, 0, 0, 1 };

	if (strcmp(kind, "honest") == 0 || strcmp(kind, "end") == 0) {
		ether(victim->mac, me->mac, ETH_P_IP);
		udp(me->ip, victim->ip, PORT, PORT, *kind == 'e' ? END : ATTACK);
		transmit();
	} else if (strcmp(kind, "arp") == 0) {
		arp(me->mac, me->mac, neighbour->ip, victim);
		arp(me->mac, neighbour->mac, neighbour->ip, victim);
		arp(me->mac, neighbour->mac, me->ip, victim);
		arp(neighbour->mac, neighbour->mac, neighbour->ip, victim);
	} else if (strcmp(kind, "source") == 0) {
		ether(victim->mac, me->mac, ETH_P_IP);
		udp(neighbour->ip, victim->ip, PORT, PORT, ATTACK);
		transmit();
		ether(victim->mac, neighbour->mac, ETH_P_IP);
		udp(neighbour->ip, victim->ip, PORT, PORT, ATTACK);
		transmit();
		raw_ip(neighbour, victim);
	} else if (strcmp(kind, "mac") == 0) {            /* teach the bridge that the neighbour lives here */
		ether(victim->mac, neighbour->mac, ETH_P_IP);
		udp(me->ip, victim->ip, PORT, PORT, ATTACK);
		transmit();
		arp(neighbour->mac, neighbour->mac, neighbour->ip, &(struct who){ .mac = { 255, 255, 255, 255, 255, 255 } });
	} else if (strcmp(kind, "control") == 0) {
		ether(all, me->mac, ETH_P_IP);
		udp(none, everybody, 68, 67, ATTACK);
		transmit();
		ether(all, me->mac, ETH_P_IP);
		udp(me->ip, everybody, 67, 68, ATTACK);
		transmit();
		ether(victim->mac, me->mac, ETH_P_IP);
		udp(me->ip, victim->ip, 67, 68, ATTACK);
		transmit();
		link_local(stp, 38, me);                      /* a length, as in 802.3 */
		link_local(lldp, 0x88cc, me);
		link_local(ra, ETH_P_IPV6, me);
		link_local(victim->mac, ETH_P_IPV6, me);
		link_local(victim->mac, ETH_P_PPP_SES, me);
		ether(victim->mac, me->mac, ETH_P_8021Q);
		put16(5), put16(ETH_P_IP);
		udp(me->ip, victim->ip, PORT, PORT, ATTACK);
		transmit();
	} else if (strcmp(kind, "fragments") == 0) {
		overlapping(me, victim);
	} else {
		exit(2);
	}
}

static void who(struct who *w, const char *mac, const char *address)
{
	unsigned b[6];

	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6 || inet_pton(AF_INET, address, w->ip) != 1)
		exit(2);
	for (int i = 0; i < 6; i++)
		w->mac[i] = (uint8_t)b[i];
}

static int watch(void)
{
	int fd = packets(), seen = 0, on = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on))
		fail("ignore what goes out");
	puts("ready");
	fflush(stdout);
	for (;;) {
		uint8_t buf[2000];
		ssize_t n = recv(fd, buf, sizeof buf, 0);

		if (n < 0)
			fail("recv");
		if (n > 23 && buf[12] == 8 && buf[13] == 0 && buf[23] == 1)
			continue;                             /* "port unreachable" quotes what it answers */
		if (memmem(buf, (size_t)n, ATTACK, strlen(ATTACK)))
			seen++;
		if (memmem(buf, (size_t)n, END, strlen(END))) {
			printf("%d\n", seen);
			return 0;
		}
	}
}

static int datagrams(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a))
		fail("bind");
	puts("ready");
	fflush(stdout);
	for (;;) {
		char buf[2000];
		ssize_t n = recv(fd, buf, sizeof buf, 0);

		if (n < 0)
			fail("recv");
		printf("%.*s\n", (int)n, buf);
		fflush(stdout);
		if (memmem(buf, (size_t)n, END, strlen(END)))
			return 0;
	}
}

int main(int argc, char **argv)
{
	struct who me, neighbour, victim;

	if (argc == 2 && strcmp(argv[1], "watch") == 0)
		return watch();
	if (argc == 3 && strcmp(argv[1], "udp") == 0)
		return datagrams(argv[2]);
	if (argc != 9 || strcmp(argv[1], "send"))
		return 2;
	who(&me, argv[3], argv[4]);
	who(&neighbour, argv[5], argv[6]);
	who(&victim, argv[7], argv[8]);
	attack(argv[2], &me, &neighbour, &victim);
	puts("sent");
	return 0;
}
