/* Docker's progress lines, as the docker CLI draws them: one JSON object a line. Thread safe. A client that went away ends the
 * process quietly: there is nobody left to work for. */
#ifndef IMAGE_PROGRESS_H
#define IMAGE_PROGRESS_H

#include "base/str.h"

#include <pthread.h>

struct progress {
	int             fd;                           /* -1: nobody listens */
	pthread_mutex_t lock;
};

void progress_status(struct progress *p, struct str id, const char *status);   /* {"status":..,"progressDetail":{},"id":..}; id may be empty */
void progress_amount(struct progress *p, struct str id, const char *status, int64_t current, int64_t total);
void progress_line(struct progress *p, struct str status);                      /* {"status":..} */
void progress_stream(struct progress *p, struct str text);                      /* {"stream":"text\n"} */
void progress_pushed(struct progress *p, struct str tag, struct str digest, int64_t size); /* what the end of a push tells programs */
void progress_error(struct progress *p, const char *message);

struct str digest_short(struct str digest);           /* the first 12 hex digits */

#endif
