/*
 * The manifest of a backup, and the head and entries of a checkpoint: what is
 * taken says the same when it is put again, and nothing is read beyond its
 * end.  The manifest's sum is made right, or hardly any would be looked at.
 */
#include <string.h>

#include "store/backup.h"
#include "store/sum.h"
#include "tests/fuzz/fuzz.h"

static void
manifest(const uint8_t *data, size_t size)
{
	AUTO_ARENA a = { 0 };
	struct backup_manifest m;
	AUTO_BUF text = { 0 };
	AUTO_BUF again = { 0 };
	unsigned char sum[8];
	enum rc rc;

	buf_init(&text, size + 8);
	buf_init(&again, size + 8);
	le_put(sum, sum_of(0, data, size), 8);
	PROMISE(buf_add(&text, str_n(data, size)) == RC_OK);
	PROMISE(buf_add(&text, str_n(sum, 8)) == RC_OK);
	rc = backup_manifest_parse(&a, buf_str(&text), &m);
	PROMISE(rc == RC_OK || rc == RC_BAD || rc == RC_DENY);
	if (rc != RC_OK || le_get(data + 8, 4) != BACKUP_FORMAT ||
	    le_get(data + 12, 4) != 0)
		return;
	PROMISE(backup_manifest_put(&m, &again) == RC_OK);
	PROMISE(str_eq(buf_str(&again), buf_str(&text)));
}

static void
checkpoint(const uint8_t *data, size_t size)
{
	struct str rest = str_n(data, size);
	struct ckpt_entry e;
	struct ckpt_head h;
	enum rc rc;

	if (size >= CKPT_HEADER) {
		rc = ckpt_head_parse(data, &h);
		PROMISE(rc == RC_OK || rc == RC_BAD || rc == RC_DENY);
	}
	while ((rc = ckpt_next(&rest, &e)) == RC_OK) {
		const char *end = (const char *)data + size;

		PROMISE(e.key.n > 0 && e.key.p + e.key.n <= end);
		PROMISE(e.value.p + e.value.n == rest.p);
	}
	PROMISE(rc == RC_NOENT || rc == RC_BAD);
	PROMISE(rc != RC_NOENT || rest.n == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	manifest(data, size);
	checkpoint(data, size);
	return 0;
}
