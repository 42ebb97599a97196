/*
 * casemap - the tables of i;unicode-casemap (RFC 5051); for search.c only.
 *
 * Page cp >> 8 has the rows casemap_page[page] up to casemap_page[page + 1].
 * casemap_low, sorted, holds the low byte of each character that changes and
 * casemap_at where its mapping is in the pool: a length and so many bytes of
 * UTF-8.
 */
#ifndef MAIL_CASEMAP_H
#define MAIL_CASEMAP_H

#include "lib/base.h"

extern const size_t casemap_pages;
extern const uint16_t casemap_page[];
extern const uint8_t casemap_low[];
extern const uint16_t casemap_at[];
extern const uint8_t casemap_pool[];

#endif
