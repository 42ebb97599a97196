#include <string.h>

#include "gateway/gw_mechs.h"

static bool
remembered(struct gw *gw, struct arena *a, struct str *out)
{
	bool fresh;

	pthread_mutex_lock(&gw->lock);
	fresh = now_ns() < gw->mechs_until;
	if (fresh)
		*out = str_dup(a, str_n(gw->mechs, gw->mechs_n));
	pthread_mutex_unlock(&gw->lock);
	return fresh;
}

struct str
gw_mechs(struct gw *gw, struct arena *a, struct deadline dl)
{
	struct str mechs;

	if (remembered(gw, a, &mechs))
		return mechs;
	dl = deadline_min(dl, deadline_in(GW_MECHS_WAIT_MS));
	if (dir_sasl_mechs(gw->dir, a, dl, &mechs) != RC_OK ||
	    mechs.n > sizeof(gw->mechs))
		return STR("");
	pthread_mutex_lock(&gw->lock);
	if (mechs.n > 0)
		memcpy(gw->mechs, mechs.p, mechs.n);
	gw->mechs_n = mechs.n;
	gw->mechs_until = deadline_in(GW_MECHS_MS).at_ns;
	pthread_mutex_unlock(&gw->lock);
	return mechs;
}
