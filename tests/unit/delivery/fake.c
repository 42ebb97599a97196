#include "tests/unit/delivery/fake.h"

static const char *const fake_domains[] = { "example.org" };

const struct conf fake_conf = {
	.hostname = "mail.example.org",
	.dkim_dir = "",
	.rules_file = "rules",
	.subaddress = "+",
	.postmaster = "postmaster@example.org",
	.domains = { fake_domains, COUNT(fake_domains) },
	.memory_body_max = 1u << 20,
	.queue_warn_s = 14400,
	.remote_concurrency = 2,
	.hops_max = 5,
	.queue_retry_min_s = 60,
	.queue_retry_max_s = 3600,
	.queue_lifetime_s = 86400,
	.queue_max = 100,
	.directory_timeout_ms = 1000,
	.recipients_max = 100,
	.message_size_max = 1u << 20,
};
const struct log fake_log = { 0 };

bool
log_on(const struct log *l, enum log_level level)
{
	(void)l;
	(void)level;
	return true;
}

void
log_write(const struct log *l, enum log_level level, const char *event,
    const struct log_kv *kv, size_t nkv)
{
	(void)l;
	(void)level;
	(void)kv;
	assert_non_null(event);
	assert_true(nkv > 0);
}

struct log
log_with(const struct log *l, const char *key, struct str value)
{
	(void)key;
	(void)value;
	return *l;
}

/* The settings of the tests are constant. */
const struct conf *
conf_ref(const struct conf *c)
{
	return c;
}

void
conf_unref(const struct conf **c)
{
	*c = NULL;
}

struct str
fake_people(struct str data)
{
	struct dlv_entry e;

	assert_int_equal(dlv_entry_get(data, &e), RC_OK);
	return e.people;
}

struct dir_rcpt
fake_person(const char *id, const char *address)
{
	struct dir_rcpt r = {
		.rc = RC_OK,
		.kind = DIR_USER,
		.id = str_c(id),
		.address = str_c(address),
	};

	if (str_eq(r.id, STR(DAN))) {
		r.kind = DIR_ELSEWHERE;
		r.route = STR("exchange.example.org");
	} else if (str_eq(r.id, STR(EVE))) {
		r.rc = RC_DENY;
	} else if (str_eq(r.id, STR(TOM))) {
		r.rc = RC_TEMP;
	} else if (str_eq(r.id, STR(GONE))) {
		r.rc = RC_NOENT;
	}
	return r;
}

enum rc
dir_expand(struct dir_client *d, struct arena *a, struct str group_id,
    struct deadline dl, struct dir_rcpt **out, size_t *out_n)
{
	(void)a;
	(void)dl;
	d->expanded++;
	if (d->down)
		return RC_TEMP;
	if (str_eq(group_id, STR(TEAM))) {
		*out = d->team;
		*out_n = d->nteam;
		return RC_OK;
	}
	if (str_eq(group_id, STR(STAFF))) {
		*out = d->staff;
		*out_n = d->nstaff;
		return RC_OK;
	}
	return RC_NOENT;
}

enum rc
dir_by_id(struct dir_client *d, struct arena *a, struct str id,
    struct deadline dl, struct dir_rcpt *out)
{
	(void)dl;
	d->asked++;
	if (d->down)
		return RC_TEMP;
	*out = fake_person(str_fmt(a, "%.*s", STRF(id)).p, "x@example.org");
	return out->rc;
}

enum rc
dir_rcpts(struct dir_client *d, struct arena *a, const struct str *addresses,
    size_t n, bool authenticated, struct deadline dl, struct dir_rcpt *out)
{
	(void)a;
	(void)dl;
	assert_true(authenticated);
	d->asked++;
	if (d->down)
		return RC_TEMP;
	for (size_t i = 0; i < n; i++) {
		out[i] = fake_person(
		    str_has_prefix(addresses[i], STR("bob@")) ? BOB : ANN,
		    "ann@example.org");
		out[i].address = addresses[i];
		if (str_chr(addresses[i], '+') < addresses[i].n ||
		    str_has_prefix(addresses[i], STR("nobody@")))
			out[i] = (struct dir_rcpt){ .rc = RC_NOENT };
	}
	return RC_OK;
}
