/* Where a container's log goes besides its file: the drivers syslog, gelf and fluentd, their options, and how a line looks on the wire. Pure. */
#ifndef MODEL_LOGDEST_H
#define MODEL_LOGDEST_H

#include "model/container.h"

enum log_driver { LOG_FILE, LOG_NONE, LOG_SYSLOG, LOG_GELF, LOG_FLUENTD };

struct log_dest {
	enum log_driver driver;
	bool       udp;
	struct str host;                              /* a name or an address; slices of the options */
	int        port;
	int        facility;                          /* syslog */
	struct str format, tag;                       /* syslog: "", "rfc3164", "rfc5424", "rfc5424micro"; tag: a template */
	bool       precise;                           /* fluentd: times with nanoseconds */
};

/* The driver and its options, all of them checked. EINVAL; ENOTSUP names what is not supported. */
int log_dest_parse(const struct log_config *l, struct log_dest *out, struct err *e);

struct log_line { struct str text; bool is_stderr; int64_t time_ns; };  /* without the line feed */

/* Who speaks, made once: the tag with what it stands for. */
struct log_speaker {
	struct str id, name, image, image_id, command, host, tag;
	int64_t    created_ns, pid;
};
struct str log_tag(struct arena *a, const struct log_dest *d, const struct log_speaker *s);

/* One message. TCP: whole with what ends it. */
void log_message(struct buf *b, const struct log_dest *d, const struct log_speaker *s, const struct log_line *l);

#endif
