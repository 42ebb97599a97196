# The parsers and evaluators of the policy process, without the process.
noinst_LIBRARIES += libpolicy.a
libpolicy_a_CPPFLAGS = $(AM_CPPFLAGS) $(PCRE2_CFLAGS)
libpolicy_a_SOURCES =
libpolicy_a_SOURCES += \
	%D%/pol_spf.h %D%/pol_spf_impl.h %D%/pol_spf.c \
	%D%/pol_spf_parse.c %D%/pol_spf_macro.c %D%/pol_spf_eval.c \
	%D%/pol_spf_field.c
if LIBSPF2
libpolicy_a_SOURCES += %D%/pol_spf_libspf2.c
endif
libpolicy_a_SOURCES += %D%/pol_headers.h %D%/pol_headers.c
libpolicy_a_SOURCES += \
	%D%/pol_tags.h %D%/pol_tags.c \
	%D%/pol_ask.h %D%/pol_ask.c \
	%D%/pol_body.h %D%/pol_body.c \
	%D%/pol_dkim.h %D%/pol_dkim.c \
	%D%/pol_dmarc.h %D%/pol_dmarc.c %D%/pol_dmarc_record.c \
	%D%/pol_author.h %D%/pol_author.c \
	%D%/pol_rules.h %D%/pol_rules.c \
	%D%/pol_check.h %D%/pol_check.c \
	%D%/pol_queue.h %D%/pol_queue.c \
	%D%/policy.h %D%/policy.c
libpolicy_a_CPPFLAGS += $(OPENDKIM_CFLAGS)
POLICY_LIBS = libpolicy.a $(MAIL_LIBS) $(SPF2_LIBS) $(PCRE2_LIBS)

# For the gateway.
noinst_LIBRARIES += libpolclient.a
libpolclient_a_SOURCES = \
	%D%/pol_client.h %D%/pol_client.c \
	%D%/pol_wire.h %D%/pol_wire.c

gplibexec_PROGRAMS += gatepost-policy
gatepost_policy_SOURCES = %D%/main.c
gatepost_policy_LDADD = libpolicy.a libpolclient.a libmail.a $(CONF_LIBS) \
	$(RESOLVER_LIBS) $(OPENDKIM_LIBS) $(SPF2_LIBS) $(PCRE2_LIBS)
dist_man_MANS += doc/gatepost-policy.8
