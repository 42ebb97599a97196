/*
 * For sanitizer builds: libldap 2.5 leaks the buffer it read a server's
 * "notice of disconnection" (RFC 4511 section 4.4.1) into, some 80 bytes for
 * each connection that ends so.  Only that buffer is excused; to name it, the
 * stacks of allocations have to be complete.
 */
#include "lib/rc.h"

#ifdef GP_SANITIZED
const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *
__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

const char *
__lsan_default_suppressions(void)
{
	return "leak:ldap_alloc_ber_with_options\n";
}
#endif
