/*
 * guard - keeps a client network from spending an account's last tries.
 *
 * After DIR_GUARD_TRIES wrong passwords for one account within DIR_GUARD_S
 * from one network (/24, /64), password logins for it from there are put off
 * for DIR_GUARD_S.  A password that was wrong is not asked again for
 * DIR_GUARD_S, unless the account's password was changed meanwhile.
 *
 * Threads  Locks inside, briefly.
 * Limits   DIR_GUARD_MAX accounts and networks, as many passwords; the
 *          oldest go first.  Passwords are kept as keyed hashes only.
 */
#ifndef DIRECTORY_GUARD_H
#define DIRECTORY_GUARD_H

#include "lib/base.h"

#define DIR_GUARD_TRIES 5u
#define DIR_GUARD_S     60
#define DIR_GUARD_MAX   65536u
/* Tries under way at once before any has failed. */
#define DIR_GUARD_BURST 16u

enum dir_guard_verdict { DIR_GUARD_ASK, DIR_GUARD_WRONG, DIR_GUARD_WAIT };

struct dir_guard_try {
	struct str id; /* of the account */
	struct str client_ip;
	struct str password;
	struct str pw_changed; /* whatever changes with the password */
};

struct dir_guard;

struct dir_guard *dir_guard_new(void);
void dir_guard_free(struct dir_guard **g);
/* DIR_GUARD_ASK: the caller asks, then says the outcome with _end. */
enum dir_guard_verdict dir_guard_begin(
    struct dir_guard *g, const struct dir_guard_try *t, int64_t now_ns);
void dir_guard_end(struct dir_guard *g, const struct dir_guard_try *t,
    bool wrong_password, int64_t now_ns);
/* The network of an address as a key: "192.0.2", "20010db800000000". */
struct str dir_guard_net(struct arena *a, struct str ip);

#endif
