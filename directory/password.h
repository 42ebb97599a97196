/*
 * password - stored passwords of the LDIF back-end (userPassword, RFC 2307
 * section 5.3): {SSHA}, {SSHA256}, {SSHA512}, {SHA}, {SHA256}, {SHA512}, or
 * plain text without a scheme.  Any other scheme matches nothing.
 *
 * Threads  Pure functions.  The time does not depend on where bytes differ.
 * Limits   A stored value of at most 1,024 bytes.
 */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "lib/base.h"

bool dir_password_match(struct str stored, struct str password);

#endif
