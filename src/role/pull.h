/* The pull role: one process for each pull, load or import, started by the node (image/host.h). Wiring only.
 *
 * argv: [1] the user and group id to become. Descriptors by name: "node" (its channel), "blobs" (the directory it writes), "root" (an
 * almost empty directory that becomes its "/": resolv.conf and hosts), "ca" (the system's authorities), and if there are any "certs"
 * (authorities by registry), "progress" (the client reads it), "input" (the archive). */
#ifndef ROLE_PULL_H
#define ROLE_PULL_H

int role_pull(int argc, char **argv);                 /* returns the exit status */

#endif
