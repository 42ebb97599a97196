#!/usr/bin/python3
"""Write casemap_data.c: RFC 5051's i;unicode-casemap as tables.

A character is mapped to its simple titlecase and then decomposed completely
(canonical and compatibility).  Hangul syllables are done by arithmetic in
search.c and are left out here.  Run by hand when Unicode moves:

    mail/casemap.py > mail/casemap_data.c
"""
import sys
import unicodedata


def fold(ch):
    title = ch.title()
    if len(title) != 1:
        title = ch  # only the simple mapping counts
    return unicodedata.normalize('NFKD', title)


def numbers(name, kind, values):
    print(f'const {kind} {name}[] = {{')
    line = ''
    for v in values:
        item = f'{v},'
        if len(line) + len(item) > 72:
            print('\t' + line)
            line = ''
        line += item
    print('\t' + line)
    print('};\n')


def main():
    pages, low, at, pool, known = [], [], [], bytearray(), {}
    last = 0
    rows = {}
    for cp in range(0x80, 0x110000):
        if 0xD800 <= cp < 0xE000 or 0xAC00 <= cp < 0xD7A4:
            continue
        to = fold(chr(cp))
        if to != chr(cp):
            rows[cp] = to.encode()
            last = cp
    for page in range((last >> 8) + 1):
        pages.append(len(low))
        for cp in range(page << 8, (page + 1) << 8):
            if cp not in rows:
                continue
            if rows[cp] not in known:
                known[rows[cp]] = len(pool)
                pool += bytes([len(rows[cp])]) + rows[cp]
            low.append(cp & 0xFF)
            at.append(known[rows[cp]])
    pages.append(len(low))
    if max(len(low), len(pool)) > 0xFFFF:
        sys.exit('a table got too large for its type')
    print('/*\n * Made by casemap.py from Unicode',
          unicodedata.unidata_version + ': do not edit.\n */')
    print('/* clang-format off */')
    print('#include "mail/casemap.h"\n')
    print(f'const size_t casemap_pages = {len(pages) - 1};\n')
    numbers('casemap_page', 'uint16_t', pages)
    numbers('casemap_low', 'uint8_t', low)
    numbers('casemap_at', 'uint16_t', at)
    numbers('casemap_pool', 'uint8_t', pool)


main()
