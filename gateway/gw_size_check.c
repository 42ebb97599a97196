/* What `gatepost check` says of send-limit and receive-limit. */
#include "gateway/gw_size.h"
#include "lib/proc.h"

#define CHECK_MS 5000

static void
check_group(struct arena *a, struct str rule, struct str group, enum rc rc,
    struct str why, struct ipc_msg *out)
{
	struct str tried =
	    str_fmt(a, "group of %.*s: %.*s", STRF(rule), STRF(group));

	if (rc == RC_OK)
		proc_check_line(
		    out, PROC_GOOD, tried, STR("it is there"), STR(""));
	else if (rc == RC_NOENT)
		proc_check_line(out, PROC_FAIL, tried, why,
		    STR("let the rule name a group by its address or DN; "
			"until then nobody is in it"));
	else
		proc_check_line(out, PROC_UNPROVEN, tried,
		    STR("the directory gives no answer"),
		    STR("see the lines of the directory"));
}

static void
check_sizes(struct arena *a, struct str rule, const struct mail_size_limits *l,
    uint64_t most, struct ipc_msg *out)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->size[i] > most)
			proc_check_line(out, PROC_UNPROVEN,
			    str_fmt(a, "size of %.*s: %.*s", STRF(rule),
				STRF(l->group[i])),
			    STR("more than message_size_max, which counts"),
			    STR("raise message_size_max or lower the limit"));
}

void
gw_size_check(struct gw *gw, bool send, struct ipc_msg *out)
{
	const struct gw_site *site = gw_site(gw);
	const struct conf *conf = gw_conf(gw);
	const struct mail_rules *rules = gw_site_rules(site);
	const struct mail_size_limits *l =
	    send ? mail_rules_send_limits(rules)
		 : mail_rules_receive_limits(rules);
	struct str rule = send ? STR("send-limit") : STR("receive-limit");
	struct str why[MAIL_SIZE_GROUPS_MAX] = { 0 };
	enum rc is[MAIL_SIZE_GROUPS_MAX];
	AUTO_ARENA a = { 0 };

	if (l != NULL && l->n > 0) {
		for (size_t i = 0; i < l->n; i++)
			is[i] = RC_TEMP;
		(void)!dir_groups(gw->dir, &a, l->group, l->n,
		    deadline_in(CHECK_MS), is, why);
		for (size_t i = 0; i < l->n; i++)
			check_group(&a, rule, l->group[i], is[i], why[i], out);
		check_sizes(&a, rule, l, conf->message_size_max, out);
	}
	conf_unref(&conf);
	gw_site_unref(&site);
}
