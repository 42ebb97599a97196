/*
 * dlv_queue_impl - what the files of the queue share.
 *
 * Threads  All with the queue's lock.
 */
#ifndef DLV_QUEUE_IMPL_H
#define DLV_QUEUE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf/conf.h"
#include "delivery/dlv_queue.h"
#include "delivery/dlv_reload.h"
#include "delivery/dlv_sched.h"
#include "store/store_client.h"

#define DLV_QUEUE_THREADS 4u

struct dlv_send;

struct dlv_queue {
	struct dlv *d;
	pthread_t thread[DLV_QUEUE_THREADS];
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed;
	_Atomic bool stop;
	bool loaded, loading;
	struct dlv_reload reload;
	struct dlv_sched sched;
	struct dlv_send *outcomes; /* to be committed */
	struct dlv_fresh *fresh;   /* to be sent for the first time */
	int64_t clocks_apart;      /* unix and monotonic, ms */
	unsigned mute;             /* times in a row that remote said nothing */
	uint64_t muted;            /* the last one, by dlv_sched_mark */
	unsigned idle;             /* threads that wait */
	_Atomic bool drain;        /* nothing new is begun */
	_Atomic unsigned leaving;  /* they still wake somebody */
};

/* The places of a message as it was read. */
void dlv_queue_note(struct dlv_queue *q, struct dlv_message *m,
    const struct conf *conf, const struct store_queue_item *item);
/* All of it; gives the lock away while asking the store. */
void dlv_queue_load(struct dlv_queue *q);

#endif
