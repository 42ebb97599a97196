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

const struct gw_site *
gw_site(struct gw *gw)
{
	const struct gw_site *site;

	pthread_mutex_lock(&gw->lock);
	site = gw_site_ref(gw->site);
	pthread_mutex_unlock(&gw->lock);
	return site;
}

void
gw_site_set(struct gw *gw, const struct gw_site *site)
{
	const struct gw_site *old;

	pthread_mutex_lock(&gw->lock);
	old = gw->site;
	gw->site = site;
	pthread_mutex_unlock(&gw->lock);
	gw_site_unref(&old);
}
