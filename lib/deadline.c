#include <time.h>

#include "lib/base.h"

int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
now_unix_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
now_unix(void)
{
	return now_unix_ms() / 1000;
}

struct deadline
deadline_in(int64_t ms)
{
	return (struct deadline){ now_ns() + ms * 1000000 };
}

struct deadline
deadline_min(struct deadline a, struct deadline b)
{
	return a.at_ns < b.at_ns ? a : b;
}

int
deadline_left_ms(struct deadline dl)
{
	int64_t left = dl.at_ns - now_ns();

	if (left <= 0)
		return 0;
	left = (left + 999999) / 1000000;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

bool
deadline_over(struct deadline dl)
{
	return now_ns() >= dl.at_ns;
}
