#include "tool/tty.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* What a signal must put back; a process asks one question at a time. */
static struct {
	int            fd;
	struct termios before;
} echo;

static void restore_and_die(int sig)
{
	tcsetattr(echo.fd, TCSAFLUSH, &echo.before);
	signal(sig, SIG_DFL);
	raise(sig);
}

static int tty_open(struct err *e)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? err_set(e, ENOTTY, "there is no terminal to ask on") : fd;
}

/* Byte by byte, so that nothing of the secret stays in a buffer of ours but `out`. */
static int read_line(int fd, struct buf *out, struct err *e)
{
	char c;

	buf_reserve(out, LINE_MAX_BYTES);
	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && out->n == 0)
			return err_set(e, EINTR, "nothing was typed");
		if (n <= 0 || c == '\n' || c == '\r')
			return 0;
		buf_char(out, c);
		if (!buf_ok(out) || out->n >= LINE_MAX_BYTES)
			return err_set(e, EINVAL, "the line is longer than %d bytes", LINE_MAX_BYTES);
	}
}

int tty_secret(const char *prompt, struct buf *out, struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction act = { .sa_handler = restore_and_die }, old[4];
	auto_fd fd = tty_open(e);
	struct termios quiet;
	int rc;

	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &echo.before))
		return err_sys(e, "terminal");
	echo.fd = fd;
	for (int i = 0; i < 4; i++)
		sigaction(signals[i], &act, &old[i]);
	quiet = echo.before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	quiet.c_lflag |= ICANON | ISIG;
	tcsetattr(fd, TCSAFLUSH, &quiet);
	dprintf(fd, "%s", prompt);
	rc = read_line(fd, out, e);
	tcsetattr(fd, TCSAFLUSH, &echo.before);
	dprintf(fd, "\n");
	for (int i = 0; i < 4; i++)
		sigaction(signals[i], &old[i], NULL);
	return rc;
}

int tty_confirm(const char *question, struct err *e)
{
	auto_buf line = BUF_INIT(LINE_MAX_BYTES);
	auto_fd fd = tty_open(e);
	struct str answer;

	if (fd < 0)
		return -1;
	dprintf(fd, "%s [y/N] ", question);
	if (read_line(fd, &line, NULL))
		return 0;
	answer = str_trim(buf_as_str(&line));
	return str_eq_nocase(answer, STR("y")) || str_eq_nocase(answer, STR("yes"));
}
