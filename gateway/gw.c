#include "gateway/gw.h"

const struct conf *
gw_conf(struct gw *gw)
{
	const struct conf *conf;

	pthread_mutex_lock(&gw->lock);
	conf = conf_ref(gw->conf);
	pthread_mutex_unlock(&gw->lock);
	return conf;
}

void
gw_conf_set(struct gw *gw, const struct conf *conf)
{
	const struct conf *old;

	pthread_mutex_lock(&gw->lock);
	old = gw->conf;
	gw->conf = conf;
	pthread_mutex_unlock(&gw->lock);
	conf_unref(&old);
}
