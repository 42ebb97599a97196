#include "gateway/gw_sasl.h"
#include "gateway/gw_tls.h"

static enum rc
read_fd(struct arena *a, struct ipc_in *in, const char *name, struct str *out)
{
	AUTO_FD fd = -1;

	if (ipc_get_fd(in, name, &fd) != RC_OK)
		return RC_NOENT;
	return fd_read_file(a, fd, GW_PEM_MAX, out);
}

enum rc
gw_tls_load(const struct log *log, struct ipc_in *in, struct tls_ctx **out)
{
	struct tls_pair pair[GW_TLS_PAIRS];
	AUTO_ARENA a = { 0 };
	struct str tickets;
	size_t n = 0;
	enum rc rc = RC_NOENT;

	if (ipc_get_str(in, "tls.tickets", &tickets) != RC_OK)
		return RC_NOENT;
	while (n < COUNT(pair)) {
		rc = read_fd(&a, in, "tls.cert", &pair[n].cert);
		if (rc != RC_OK)
			break;
		if (read_fd(&a, in, "tls.key", &pair[n].key) != RC_OK) {
			log_error(log, "tls.key", KVC("what", "missing"));
			return RC_BAD;
		}
		n++;
	}
	if (rc == RC_OK || rc == RC_NOENT)
		rc = n ? tls_ctx_new(log, pair, n, tickets, out) : RC_NOENT;
	for (size_t i = 0; i < n; i++)
		gw_sasl_wipe(pair[i].key);
	return rc;
}
