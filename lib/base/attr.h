/* SPDX-License-Identifier: MIT */
/* attr - compiler attributes, scope-bound clean-up and ownership hand-over */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a)           (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN               __attribute__((noreturn))
#define UNUSED                 __attribute__((unused))

static inline void cleanup_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

/* auto_free char *s = NULL;   auto_close int fd = -1;   released when the scope ends, errno kept. */
#define auto_free  __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close)))

/* Give a descriptor away: returns *FD and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

/* Give a pointer away: the value of P, which becomes NULL. */
#define take_ptr(p)                        \
	__extension__({                    \
		__typeof__(p) *at_ = &(p); \
		__typeof__(p) out_ = *at_; \
		*at_ = NULL;               \
		out_;                      \
	})

#endif
