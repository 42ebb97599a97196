/*
 * dir_service - the operations of the directory's IPC service.
 *
 * Ownership  Takes references to the configuration; owns the back-end.
 * Threads    dir_service_handle runs on rpcd's workers; the rest on the main
 *            thread.
 * Errors     dir_service_new gives NULL after logging bad settings.
 */
#ifndef DIRECTORY_DIR_SERVICE_H
#define DIRECTORY_DIR_SERVICE_H

#include "conf/conf.h"
#include "lib/proc.h"
#include "lib/rpcd.h"

struct dir_service;

struct dir_service *dir_service_new(
    const struct log *log, const struct conf *conf);
void dir_service_free(struct dir_service **s);
/* For struct rpcd_conf. */
enum rpcd_next dir_service_handle(
    void *service, struct rpcd_req *r, enum rc *rc);
/* For struct proc_hooks. */
void dir_service_reload(
    void *service, const struct conf *conf, struct ipc_in *in);
void dir_service_status(void *service, struct ipc_msg *out);
void dir_service_check(void *service, struct ipc_msg *out);

#endif
