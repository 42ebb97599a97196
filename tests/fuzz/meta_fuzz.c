/* A blob that is taken is safe to walk and says the same when written again. */
#include "mail/meta.h"
#include "tests/fuzz/fuzz.h"

static size_t
walk(const struct mail_part *p, const struct mail_part *parent, uint64_t size)
{
	struct mail_span b = mail_part_body(p, 0);
	size_t n = 1;

	PROMISE(p->parent == parent && b.off + b.len <= size);
	PROMISE(p->kind != MAIL_PART_MESSAGE ||
		(p->child && !p->child->next && p->child->envelope));
	for (const struct mail_part *c = p->child; c; c = c->next)
		n += walk(c, p, size);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	struct mail_meta meta, head, again;
	AUTO_BUF b = { 0 };
	AUTO_ARENA a = { 0 };
	enum rc rc = mail_meta_decode(&a, in, &meta);
	enum rc head_rc = mail_meta_decode_head(&a, in, &head);

	PROMISE(rc == RC_OK ? head_rc == RC_OK : rc != RC_TEMP);
	if (rc != RC_OK)
		return 0;
	PROMISE(walk(meta.root, NULL, meta.size) == meta.nparts);
	buf_init(&b, MAIL_META_MAX);
	PROMISE(mail_meta_encode(&meta, &b) == RC_OK);
	PROMISE(mail_meta_decode(&a, buf_str(&b), &again) == RC_OK);
	PROMISE(again.nparts == meta.nparts && again.size == meta.size);
	return 0;
}
