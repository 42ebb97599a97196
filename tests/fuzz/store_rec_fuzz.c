/*
 * The operations of a log record: what is taken says the same when it is put
 * again, and nothing is read beyond its end.
 */
#include <string.h>

#include "store/rec.h"
#include "tests/fuzz/fuzz.h"

/* Put again what was read; REC_PART's data stands behind its head. */
static bool
put_again(struct enc *e, const struct rec_op *op)
{
	switch (op->type) {
	case REC_BODY:
		rec_put_body(e, &op->body);
		return true;
	case REC_ACCOUNT:
		rec_put_account(e, &op->account);
		return true;
	case REC_MAILBOX:
		rec_put_mailbox(e, &op->mailbox);
		return true;
	case REC_MAILBOX_DEL:
		rec_put_mailbox_del(e, op->mailbox_del);
		return true;
	case REC_KEYWORD:
		rec_put_keyword(e, &op->keyword);
		return true;
	case REC_DELIVER:
		rec_put_deliver(e, &op->deliver);
		return true;
	case REC_FLAGS:
		rec_put_flags(e, &op->flags);
		return true;
	case REC_EXPUNGE:
		rec_put_expunge(e, &op->expunge);
		return true;
	case REC_COPY:
		rec_put_copy(e, &op->copy);
		return true;
	case REC_RECENT:
		rec_put_recent(e, &op->recent);
		return true;
	case REC_QUEUE:
		rec_put_queue(e, &op->queue);
		return true;
	case REC_ENTRY:
		rec_put_entry(e, &op->entry);
		return true;
	case REC_ENTRY_DEL:
		rec_put_entry_del(e, op->entry.body, op->entry.id);
		return true;
	case REC_OPID:
		rec_put_opid(e, &op->opid);
		return true;
	case REC_MOVED:
		rec_put_moved(e, &op->body);
		return true;
	case REC_RESTORED:
		rec_put_restored(e, &op->restored);
		return true;
	case REC_PART:
		break;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str ops = str_n(data, size), rest = ops;
	AUTO_ARENA a = { 0 };
	AUTO_BUF b = { 0 };
	struct enc e = { &b, false };
	struct rec_op op;
	enum rc rc;

	buf_init(&b, size + 16);
	while ((rc = rec_next(&a, &rest, &op)) == RC_OK) {
		size_t used = size - rest.n;

		if (!put_again(&e, &op)) {
			PROMISE(op.part.data.n <= size);
			continue;
		}
		PROMISE(!e.bad && b.n <= used);
		PROMISE(memcmp(b.p, data + used - b.n, b.n) == 0);
		buf_clear(&b);
	}
	PROMISE(rc == RC_NOENT || rc == RC_BAD || rc == RC_DENY);
	PROMISE(rc != RC_NOENT || rest.n == 0);
	return 0;
}
