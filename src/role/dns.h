/* The dns role: name service on the gateways of the networks on this node. Gets its sockets from the node role, its names
 * from the state, and forwards the rest to the machine's resolvers. Own user, empty root, no files.
 *
 * argv: state dir, user id, zone ("<dc>.<suffix>"). Descriptors: "serve" (control). Channels to state and node come by
 * OP_CHANNEL. */
#ifndef ROLE_DNS_H
#define ROLE_DNS_H

int role_dns(int argc, char **argv);                  /* returns the exit status */

#endif
