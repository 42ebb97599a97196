/* Leases and figures; what they are about is in local_compact.c. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "store/svc_upkeep.h"
#include "store/wire.h"

struct lease {
	uint64_t token; /* 0: free */
	struct deadline until;
};

struct svc_upkeep {
	struct log log;
	struct engine *e;
	pthread_mutex_t lock; /* guards what follows */
	struct lease leases[UPKEEP_LEASES];
};

struct svc_upkeep *
svc_upkeep_new(const struct log *log, struct engine *e)
{
	struct svc_upkeep *u = xcalloc(1, sizeof(*u));

	u->log = *log;
	u->e = e;
	pthread_mutex_init(&u->lock, NULL);
	return u;
}

/* Under the lock. */
static void
end_lease(struct svc_upkeep *u, struct lease *l)
{
	l->token = 0;
	if (u->e->ops->pin(u->e, false, NULL) != RC_OK)
		panic("unpin");
}

void
svc_upkeep_tend(struct svc_upkeep *u)
{
	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < UPKEEP_LEASES; i++) {
		struct lease *l = &u->leases[i];

		if (l->token == 0 || deadline_left_ms(l->until) > 0)
			continue;
		log_warn(&u->log, "lease.expired",
		    KVC("consequence", "that backup must begin again"));
		end_lease(u, l);
	}
	pthread_mutex_unlock(&u->lock);
}

void
svc_upkeep_free(struct svc_upkeep **up)
{
	struct svc_upkeep *u = *up;

	if (u == NULL)
		return;
	for (size_t i = 0; i < UPKEEP_LEASES; i++)
		if (u->leases[i].token != 0)
			end_lease(u, &u->leases[i]);
	pthread_mutex_destroy(&u->lock);
	xfree(u);
	*up = NULL;
}

static struct lease *
find(struct svc_upkeep *u, uint64_t token)
{
	for (size_t i = 0; i < UPKEEP_LEASES; i++)
		if (u->leases[i].token == token)
			return &u->leases[i];
	return NULL;
}

static enum rc
new_lease(struct svc_upkeep *u, struct store_lease *out)
{
	struct engine_position at;
	struct lease *l = find(u, 0);
	enum rc rc;

	if (l == NULL)
		return RC_TEMP;
	rc = u->e->ops->pin(u->e, true, &at);
	if (rc != RC_OK)
		return rc;
	do
		seal_random((unsigned char *)&l->token, sizeof(l->token));
	while (l->token == 0);
	l->until = deadline_in(UPKEEP_LEASE_MS);
	*out = (struct store_lease){ .token = l->token,
		.pos = at.pos,
		.last = at.last,
		.seq = at.seq,
		.chain = at.chain };
	return RC_OK;
}

/* New, renewed, or ended. */
static enum rc
lease(
    struct svc_upkeep *u, const struct wire_account *x, struct store_lease *out)
{
	struct lease *l;
	enum rc rc = RC_OK;

	*out = (struct store_lease){ .token = x->mailbox };
	pthread_mutex_lock(&u->lock);
	l = x->mailbox != 0 ? find(u, x->mailbox) : NULL;
	if (x->mailbox == 0)
		rc = new_lease(u, out);
	else if (l == NULL)
		rc = RC_NOENT;
	else if (x->on)
		l->until = deadline_in(UPKEEP_LEASE_MS);
	else
		end_lease(u, l);
	pthread_mutex_unlock(&u->lock);
	return rc;
}

static enum rc
upkeep(struct svc_upkeep *u, struct rpcd_req *r)
{
	struct engine_stats x;
	struct engine_upkeep k;
	enum rc rc = u->e->ops->upkeep(u->e, &k);

	if (rc != RC_OK)
		return rc;
	u->e->ops->stats(u->e, &x);
#define N(name) (unsigned long long)(name)
#define B(name) (name) ? "true" : "false"
	wire_put_bytes(&r->out,
	    str_fmt(&r->a,
		"{\"segments\":%llu,\"log_bytes\":%llu,\"live_bytes\":%llu,"
		"\"garbage_bytes\":%llu,\"checkpoint_bytes\":%llu,"
		"\"accounts\":%llu,\"mailboxes\":%llu,\"messages\":%llu,"
		"\"bodies\":%llu,\"queued\":%llu,\"free_bytes\":%llu,"
		"\"commits\":%llu,\"written_bytes\":%llu,\"syncs\":%llu,"
		"\"read_only\":%s,\"below_floor\":%s,"
		"\"compaction\":{\"running\":%s,\"runs\":%llu,\"failed\":%s,"
		"\"waits_for_backup\":%s,\"to_move\":%llu,\"moved\":%llu,"
		"\"freed\":%llu}}",
		N(k.segments), N(k.sealed_bytes), N(k.live_bytes),
		N(k.sealed_bytes - MIN(k.live_bytes, k.sealed_bytes)),
		N(k.checkpoint_bytes), N(x.accounts), N(x.mailboxes),
		N(x.messages), N(x.bodies), N(x.queued), N(x.free_bytes),
		N(x.commits), N(x.log_bytes), N(x.log_syncs), B(x.read_only),
		B(x.below_floor), B(k.running), N(k.runs), B(k.failed),
		B(k.waits), N(k.total), N(k.done), N(k.freed)));
#undef N
#undef B
	return RC_OK;
}

enum rpcd_next
svc_upkeep_handle(struct svc_upkeep *u, struct rpcd_req *r, enum rc *rc)
{
	struct wire_account x;
	struct store_lease out;

	if (r->uid != 0 && r->uid != geteuid()) {
		log_warn(&u->log, "upkeep.deny", KVU("uid", r->uid),
		    KVI("pid", r->pid));
		*rc = RC_DENY;
		return RPCD_REPLY;
	}
	*rc = wire_get_account(&r->in, &r->a, &x);
	if (*rc != RC_OK)
		return RPCD_REPLY;
	if (r->op == STORE_OP_COMPACT) {
		*rc = u->e->ops->compact(u->e, false);
	} else if (r->op == STORE_OP_LEASE) {
		*rc = lease(u, &x, &out);
		if (*rc == RC_OK)
			wire_put_lease(&r->out, &out);
	} else {
		*rc = upkeep(u, r);
	}
	return RPCD_REPLY;
}
