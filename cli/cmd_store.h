/*
 * cmd_store - what the parts of `gatepost store` share.
 *
 * Threads    One.
 */
#ifndef CLI_CMD_STORE_H
#define CLI_CMD_STORE_H

#include "cli/cli.h"
#include "store/seal.h"

/* stats | compact */
enum cli_exit store_cmd_stats(struct cli *c);
enum cli_exit store_cmd_compact(struct cli *c);
/* argv: DIR [--keys DIR] */
enum cli_exit store_cmd_backup(struct cli *c);
enum cli_exit store_cmd_restore(struct cli *c);

enum cli_exit store_cmd_fail(
    struct cli *c, const char *what, const char *path, int error);
enum cli_exit store_cmd_read_key(struct cli *c, unsigned char key[SEAL_KEY]);
/* From root to who owns data_dir, for good. */
enum cli_exit store_cmd_become_owner(struct cli *c);

#endif
