/* The messages of a birth: see runtime/parts.h. */
#include "runtime/parts.h"
#include "os/fd.h"

#include <errno.h>
#include <stdio.h>

int birth_send(int sock, const struct birth_msg *m, const int *fds, size_t nfds, struct err *e)
{
	return fd_send(sock, m, sizeof *m, fds, nfds, e);
}

int birth_recv(int sock, struct birth_msg *m, int *fds, size_t *nfds, struct err *e)
{
	ssize_t n = fd_recv(sock, m, sizeof *m, fds, nfds, e);

	if (n <= 0)
		return (int)n;
	if (n != sizeof *m)
		return err_set(e, EBADMSG, "a message of %zd bytes while starting", n);
	m->text[sizeof m->text - 1] = 0;
	return 1;
}

void birth_fail(int sock, const struct err *e, int exit_code)
{
	struct birth_msg m = { .kind = BIRTH_FAILED, .code = e->code, .exit_code = exit_code };

	snprintf(m.text, sizeof m.text, "%s", e->msg);
	birth_send(sock, &m, NULL, 0, NULL);
	_exit(exit_code);
}
