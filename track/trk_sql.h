/*
 * trk_sql - what the writing and the asking half of track share: the file,
 * and SQLite's results as ours.
 *
 * Errors  RC_OK (a row), RC_NOENT (done), RC_BAD (the file is damaged),
 *         RC_TEMP (anything else).
 */
#ifndef TRACK_TRK_SQL_H
#define TRACK_TRK_SQL_H

#include <sqlite3.h>

#include "lib/base.h"

#define TRK_FILE "events.db"

/* The columns of an event in the order of trk_texts, then the others. */
#define TRK_COLUMNS                                                            \
	"sid,qid,message_id,client_ip,sender,rcpt,host,code,text,"             \
	"at,kind,size,nrcpt"

static inline enum rc
trk_sql_rc(int n)
{
	switch (n & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
		return RC_OK;
	case SQLITE_DONE:
		return RC_NOENT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return RC_BAD;
	default:
		return RC_TEMP;
	}
}

/* Empty is NULL, which the indexes leave out. */
static inline int
trk_sql_bind(sqlite3_stmt *st, int i, struct str s)
{
	return s.n == 0
		   ? sqlite3_bind_null(st, i)
		   : sqlite3_bind_text(st, i, s.p, (int)s.n, SQLITE_STATIC);
}

#endif
