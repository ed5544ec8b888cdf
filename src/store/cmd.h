/* What the command files share: their functions (for the table in commands.c), and loading and saving of objects.
 * Private to store/. "No such ..." sentences are Docker's. */
#ifndef STORE_CMD_H
#define STORE_CMD_H

#include "base/version.h"
#include "model/keys.h"
#include "store/commands.h"
#include "store/event.h"

#define COMMAND(name) int name(struct command_env *c, void *in, struct str *result, struct err *e)

COMMAND(cmd_account_put);
COMMAND(cmd_account_rm);
COMMAND(cmd_account_disable);
COMMAND(cmd_account_enable);
COMMAND(cmd_key_add);
COMMAND(cmd_key_rm);
COMMAND(cmd_container_create);
COMMAND(cmd_container_start);
COMMAND(cmd_container_stop);
COMMAND(cmd_container_restart);
COMMAND(cmd_container_kill);
COMMAND(cmd_container_remove);
COMMAND(cmd_container_rename);
COMMAND(cmd_container_pause);
COMMAND(cmd_container_unpause);
COMMAND(cmd_container_update);
COMMAND(cmd_container_event);
COMMAND(cmd_container_probe);
COMMAND(cmd_exec_create);
COMMAND(cmd_exec_report);
COMMAND(cmd_node_report);
COMMAND(cmd_node_register);
COMMAND(cmd_node_join);
COMMAND(cmd_token_create);
COMMAND(cmd_node_update);
COMMAND(cmd_node_remove);
COMMAND(cmd_node_forget);
COMMAND(cmd_node_state);
COMMAND(cmd_container_move);
COMMAND(cmd_image_put);
COMMAND(cmd_image_tag);
COMMAND(cmd_image_remove);
COMMAND(cmd_image_prune);
COMMAND(cmd_image_parent);
COMMAND(cmd_volume_create);
COMMAND(cmd_volume_remove);
COMMAND(cmd_network_create);
COMMAND(cmd_network_remove);
COMMAND(cmd_network_connect);
COMMAND(cmd_network_disconnect);
COMMAND(cmd_network_self);
COMMAND(cmd_usage_put);
COMMAND(cmd_cluster_init);

/* --- containers (cmd_container.c) --- */

/* ENOENT "No such container: X" when the caller's account has none with this id. */
int container_load(struct command_env *c, struct str id, struct container *ct, struct err *e);
/* Writes the record and its pending-work key. */
int container_save(struct command_env *c, const struct container *ct, struct err *e);
/* The package that these wishes get, and what it means in figures. */
int container_resources(struct command_env *c, const struct container *ct, struct resources *out, struct err *e);

void container_show_package(struct command_env *c, struct container *ct); /* as a label, after container_resources */

/* --- networks, volumes, images --- */

int network_list(struct command_env *c, struct str account, struct network **v, size_t *n, struct err *e);
/* By name, id, or a prefix of the id. ENOENT "network X not found". */
int network_find(struct command_env *c, struct str account, struct str name, struct network *out, struct err *e);
int network_drop_addresses(struct command_env *c, struct str id, struct err *e); /* all in use there: it is removed */
/* The account's default network, with a fresh id and vni. */
int network_make_bridge(struct command_env *c, struct str account, struct err *e);

/* --- containers on networks (cmd_endpoint.c) --- */

/* Find ep->network (name, id, prefix; the account's), check what is asked for, allocate. ENOENT, EPERM, EINVAL in Docker's words. */
int endpoint_join(struct command_env *c, struct container *ct, struct endpoint_settings *ep, struct err *e);
/* Does somebody hold this key of an address or a MAC (1)? A container that does not run lets go of what it has on this network
 * when another asks for it, and gets an address anew when it starts. */
int endpoint_held(struct command_env *c, const struct network *n, struct str key, struct err *e);
/* Before a start: addresses for endpoints that have let go of theirs. ENOENT: a network was removed. */
int endpoints_ready(struct command_env *c, struct container *ct, struct err *e);
int endpoints_joined(struct command_env *c, struct container *ct, struct err *e);        /* the container runs, with all of them */
int endpoints_down(struct command_env *c, struct container *ct, struct err *e);          /* its links are gone with it */
int endpoints_report(struct command_env *c, struct container *ct, const struct node_report *r, struct err *e);
int network_events(struct command_env *c, const struct container *ct, const struct endpoint_settings *ep, const char *action,
                   struct err *e);

/* Make the volume unless it is there. One that was on no node yet is on v->node from now on. */
int volume_ensure(struct command_env *c, struct volume *v, struct err *e);
/* Event mount or unmount of each volume of a container that starts or ended. */
int volumes_event(struct command_env *c, const struct container *ct, const char *action, struct err *e);
int volume_drop(struct command_env *c, struct str account, struct str name, struct err *e);

/* All containers of an account, decoded: for the rare commands that must look at each. */
struct containers { struct container *v; size_t n; };
int container_list(struct command_env *c, struct str account, struct containers *out, struct err *e);
/* Those of all accounts on a node. Looks at every container of the data center. */
int containers_on(struct command_env *c, struct str node, struct containers *out, struct err *e);
int64_t container_stop_timeout(const struct container *ct); /* seconds, when nobody says */
/* The end of one: the record and all its keys go (cmd_node.c). */
int container_forget(struct command_env *c, struct container *ct, struct err *e);
/* Its process has ended, and this was told by nobody or by its node: exit code, times, events (cmd_node.c). */
int container_died(struct command_env *c, struct container *ct, int64_t exit_code, int64_t finished_ns, struct err *e);
/* It is to start on another node now (cmd_node_admin.c). ENOSPC: no node has room; nothing has changed then. */
int container_relocate(struct command_env *c, struct container *ct, struct err *e);

/* --- what nodes are called (cmd_join.c) --- */

/* The name of a machine that comes in: what it says; when another node has that, EEXIST for one that was given (`named`), else a number is added. */
int node_name_new(struct command_env *c, struct node *n, bool named, struct err *e);
/* Of one that registers: n->name when it was given and is free, else what it had (`old`), else its host name, with a number where that is taken. */
int node_name_again(struct command_env *c, struct node *n, struct str old, struct err *e);

/* --- where containers are (placement.c) --- */

/* Choose a node for `ct`, whose resources, mounts and modes are decided, and write it down in ct->node. ENOSPC: no node has
 * room, with the count of nodes for each reason; EINVAL: its volumes are on different nodes. Books nothing. */
int place_choose(struct command_env *c, struct container *ct, struct err *e);
/* Take (1) or give back (-1) the room of `ct` on ct->node. */
int place_book(struct command_env *c, const struct container *ct, int sign, struct err *e);
/* The same container with other resources: ENOSPC when it grows and its node has too little left. */
int place_resize(struct command_env *c, const struct container *before, const struct container *after, struct err *e);
/* The node's record says something new: size, availability, state. Makes its books when there are none. */
int place_node_changed(struct command_env *c, const struct node *n, struct err *e);
/* ENOSPC when the container's node is lost: what must be done there cannot be. */
int place_reachable(struct command_env *c, const struct container *ct, struct err *e);
bool place_lost(struct command_env *c, struct str node);
int place_node_removed(struct command_env *c, struct str node, struct err *e);

/* --- deciding (alloc.c, address.c) --- */

struct str alloc_id(struct command_env *c);           /* 64 hex digits */
struct str alloc_uuid(struct command_env *c);
/* adjective_noun that no container of the account has. */
int alloc_name(struct command_env *c, struct str account, struct str *out, struct err *e);
/* A free address and MAC of the network, those asked for if any; marks them as `id`'s. Also gateway and prefix length. */
int alloc_address(struct command_env *c, const struct network *n, struct str id, struct endpoint_settings *ep, struct err *e);
/* The same for IPv6 (address6.c), called by it; nothing when the network has none. `number`: of the IPv4 address in its subnet. */
int alloc_address6(struct command_env *c, const struct network *n, struct str id, uint32_t number, struct endpoint_settings *ep, struct err *e);
/* A new network's IPv6 subnet and gateway: what is given is checked, the rest chosen. `v`: the account's other networks. */
int network_plan6(struct command_env *c, struct network *net, const struct network *v, size_t n, struct err *e);
int free_address(struct command_env *c, const struct endpoint_settings *ep, struct str id, struct err *e);
/* A free uid range of the node; marks it. */
int alloc_slot(struct command_env *c, struct str node, struct str id, int64_t *slot, struct err *e);
int free_slot(struct command_env *c, const struct container *ct, struct err *e);
/* Take all published ports of a container that is to start; ephemeral ones are chosen. Nothing is taken on failure
 * beyond what the command's undo gives back. */
int alloc_ports(struct command_env *c, struct container *ct, struct err *e);
int free_ports(struct command_env *c, struct container *ct, struct err *e);
/* Addresses, ports, slot. */
int free_all(struct command_env *c, struct container *ct, struct err *e);

bool cidr4_parse(struct str s, uint32_t *base, int *prefix_len); /* /8 to /30, without host bits */
bool cidr4_split(struct str s, uint32_t *ip, int *prefix_len);   /* /8 to /32, any */
bool ip4_parse(struct str s, uint32_t *ip);
struct str ip_text(struct arena *a, uint32_t ip);

/* Somebody came, went or has another build: what every node knows now may be written from now on. Never less than before. */
int records_raise(struct command_env *c, struct err *e);
/* EPERM when a build that knows `records` cannot read what this data center writes. */
int records_check(struct command_env *c, int64_t records, struct err *e);

int cluster_load(struct command_env *c, struct cluster *out, struct err *e);
int cluster_save(struct command_env *c, const struct cluster *in, struct err *e);

#endif
