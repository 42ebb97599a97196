/* The processes of the house. */
#include "supervisor/sup.h"

const struct sup_role sup_roles[] = {
	{
	    .name = "directory",
	    .program = "gatepost-directory",
	    .service = "directory",
	    .kerberos = true,
	    .peers = "mx access delivery imap",
	    .stop_rank = 3,
	},
	{
	    .name = "store",
	    .program = "gatepost-store",
	    .service = "store",
	    .master_key = true,
	    .peers = "delivery imap",
	    .stop_rank = 4,
	},
	{
	    .name = "delivery",
	    .program = "gatepost-delivery",
	    .service = "delivery",
	    .peers = "mx access",
	    .stop_rank = 2,
	},
	{
	    .name = "remote",
	    .program = "gatepost-remote",
	    .service = "remote",
	    .peers = "delivery",
	    .stop_rank = 3,
	},
	{
	    .name = "signer",
	    .program = "gatepost-signer",
	    .service = "signer",
	    .peers = "mx access delivery",
	    .stop_rank = 3,
	},
	{
	    .name = "track",
	    .program = "gatepost-track",
	    .service = "track",
	    .peers = "mx access delivery",
	    .stop_rank = 5,
	},
	{
	    .name = "imap",
	    .program = "gatepost-imap",
	    .service = "imap",
	    .peers = "access",
	    .stop_rank = 1,
	},
	{
	    .name = "policy",
	    .program = "gatepost-policy",
	    .service = "policy",
	    .peers = "mx access",
	    .stop_rank = 2,
	},
	{
	    .name = "mx",
	    .program = "gatepost-gateway",
	    .tls = true,
	    .peers = "",
	    .listeners = { "listen.smtp", "listen.lmtp" },
	    .stop_rank = 0,
	},
	{
	    .name = "access",
	    .program = "gatepost-gateway",
	    .tls = true,
	    .peers = "",
	    .listeners = { "listen.submission", "listen.submissions",
		"listen.imap", "listen.imaps", "listen.pop3", "listen.pop3s" },
	    .stop_rank = 0,
	},
};
const size_t sup_nroles = COUNT(sup_roles);
