/*
 * Format (host byte order; never leaves the machine): a header, INFLIGHT_DEATHS
 * records of the dead, INFLIGHT_SLOTS slots.  A slot's state word is claimed
 * with compare-and-swap (FREE -> CLAIMED), the id is written, then the state
 * becomes USED with release order: a slot that a death left CLAIMED has no
 * valid id and is freed.  The deaths are written only while the process
 * starts, before it has threads, and by inflight_forget under a lock.
 *
 * A death record is used up oldest first when there are more than fit.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/inflight.h"

#define MAGIC 0x31544c4649504721ull

enum { SLOT_FREE, SLOT_CLAIMED, SLOT_USED };

struct death {
	unsigned char id[INFLIGHT_ID];
	uint32_t deaths; /* 0: free */
	uint32_t life;   /* in which it died last */
};

struct slot {
	_Atomic uint32_t state;
	unsigned char id[INFLIGHT_ID];
};

struct table {
	uint64_t magic;
	uint32_t life; /* counts the processes that opened it */
	uint32_t pad;
	struct death dead[INFLIGHT_DEATHS];
	struct slot slots[INFLIGHT_SLOTS];
};

struct inflight {
	struct table *t;
	pthread_mutex_t lock; /* the deaths */
	atomic_uint hint;     /* where the next free slot may be */
	atomic_bool clean;    /* there are no deaths: the usual case */
};

int
inflight_make(void)
{
	AUTO_FD fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, sizeof(struct table)) < 0 ||
	    fd_pwrite_all(fd, str_n(&(uint64_t){ MAGIC }, 8), 0) != RC_OK ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -1;
	return take(&fd);
}

static void
pad(struct str id, unsigned char out[INFLIGHT_ID])
{
	size_t n = MIN(id.n, INFLIGHT_ID);

	memset(out, 0, INFLIGHT_ID);
	if (n > 0)
		memcpy(out, id.p, n);
}

static struct death *
find(struct table *t, const unsigned char id[INFLIGHT_ID])
{
	for (size_t i = 0; i < INFLIGHT_DEATHS; i++)
		if (t->dead[i].deaths > 0 &&
		    memcmp(t->dead[i].id, id, INFLIGHT_ID) == 0)
			return &t->dead[i];
	return NULL;
}

static void
count_death(struct table *t, const unsigned char id[INFLIGHT_ID])
{
	struct death *d = find(t, id);

	if (d == NULL) {
		d = &t->dead[0];
		for (size_t i = 0; i < INFLIGHT_DEATHS && d->deaths > 0; i++)
			if (t->dead[i].deaths == 0 || t->dead[i].life < d->life)
				d = &t->dead[i];
		memcpy(d->id, id, INFLIGHT_ID);
		d->deaths = 0;
	}
	d->deaths++;
	d->life = t->life;
}

struct inflight *
inflight_open(int fd)
{
	struct inflight *f = xcalloc(1, sizeof(*f));
	struct stat st;
	bool ours = fd >= 0 && fstat(fd, &st) == 0 &&
		    st.st_size == (off_t)sizeof(struct table);

	f->t = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
	    ours ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, ours ? fd : -1, 0);
	if (f->t == MAP_FAILED)
		panic("cannot map the table in flight: errno %d", errno);
	if (ours && f->t->magic != MAGIC)
		panic("the table in flight is none");
	pthread_mutex_init(&f->lock, NULL);
	f->t->life++;
	for (size_t i = 0; i < INFLIGHT_SLOTS; i++) {
		struct slot *s = &f->t->slots[i];

		if (atomic_load(&s->state) == SLOT_USED)
			count_death(f->t, s->id);
		atomic_store(&s->state, SLOT_FREE);
	}
	f->clean = true;
	for (size_t i = 0; i < INFLIGHT_DEATHS; i++)
		if (f->t->dead[i].deaths > 0)
			f->clean = false;
	return f;
}

void
inflight_close(struct inflight **fp)
{
	struct inflight *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	munmap(f->t, sizeof(struct table));
	pthread_mutex_destroy(&f->lock);
	xfree(f);
}

enum rc
inflight_begin(struct inflight *f, struct str id, unsigned *slot)
{
	unsigned start = atomic_fetch_add(&f->hint, 1);

	if (!atomic_load_explicit(&f->clean, memory_order_relaxed) &&
	    inflight_deaths(f, id) >= INFLIGHT_FATAL)
		return RC_DENY;
	for (unsigned i = 0; i < INFLIGHT_SLOTS; i++) {
		unsigned at = (start + i) % INFLIGHT_SLOTS;
		struct slot *s = &f->t->slots[at];
		uint32_t want = SLOT_FREE;

		if (!atomic_compare_exchange_strong(
			&s->state, &want, SLOT_CLAIMED))
			continue;
		pad(id, s->id);
		atomic_store(&s->state, SLOT_USED);
		*slot = at;
		return RC_OK;
	}
	return RC_TEMP;
}

void
inflight_end(struct inflight *f, unsigned slot)
{
	assert(slot < INFLIGHT_SLOTS);
	atomic_store(&f->t->slots[slot].state, SLOT_FREE);
}

unsigned
inflight_deaths(struct inflight *f, struct str id)
{
	unsigned char key[INFLIGHT_ID];
	const struct death *d;
	unsigned n;

	pad(id, key);
	pthread_mutex_lock(&f->lock);
	d = find(f->t, key);
	n = d != NULL ? d->deaths : 0;
	pthread_mutex_unlock(&f->lock);
	return n;
}

bool
inflight_found(struct inflight *f, size_t i, unsigned char id[INFLIGHT_ID],
    unsigned *deaths)
{
	bool found = false;

	pthread_mutex_lock(&f->lock);
	for (size_t k = 0; k < INFLIGHT_DEATHS && !found; k++) {
		const struct death *d = &f->t->dead[k];

		if (d->deaths == 0 || d->life != f->t->life || i-- > 0)
			continue;
		memcpy(id, d->id, INFLIGHT_ID);
		*deaths = d->deaths;
		found = true;
	}
	pthread_mutex_unlock(&f->lock);
	return found;
}

void
inflight_forget(struct inflight *f, struct str id)
{
	unsigned char key[INFLIGHT_ID];
	struct death *d;

	pad(id, key);
	pthread_mutex_lock(&f->lock);
	d = find(f->t, key);
	if (d != NULL)
		d->deaths = 0;
	pthread_mutex_unlock(&f->lock);
}
