/* `triton serve`: makes the data directory, binds the listeners, starts the roles as processes and starts again what
 * dies. Root; parses nothing from outside and reads no network. */
#ifndef ROLE_SERVE_H
#define ROLE_SERVE_H

int role_serve(int argc, char **argv);                /* returns the exit status */

#endif
