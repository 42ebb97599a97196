# Fuzz harnesses.  With --enable-fuzz (clang) each is a libFuzzer program that
# tests/fuzz/run drives; otherwise each is a test that replays its corpus.
# A new one: NAME_fuzz.c, NAME.dict, corpus/NAME/ (at least one input), its name
# in fuzz_programs and three lines below.
fuzz_programs = \
	%D%/addr_fuzz \
	%D%/addrlist_fuzz \
	%D%/ares_fuzz \
	%D%/aliases_fuzz \
	%D%/conf_fuzz \
	%D%/date_fuzz \
	%D%/decode_fuzz \
	%D%/dir_filter_fuzz \
	%D%/dir_ldif_fuzz \
	%D%/dir_value_fuzz \
	%D%/dlv_submit_fuzz \
	%D%/dns_name_fuzz \
	%D%/dns_rdata_fuzz \
	%D%/dot_fuzz \
	%D%/gw_imap_fuzz \
	%D%/gw_pop3_fuzz \
	%D%/gw_smtp_fuzz \
	%D%/header_fuzz \
	%D%/headers_fuzz \
	%D%/imap_fuzz \
	%D%/ipc_fuzz \
	%D%/meta_fuzz \
	%D%/mime_fuzz \
	%D%/pop3_fuzz \
	%D%/pol_dkim_fuzz \
	%D%/pol_dmarc_fuzz \
	%D%/pol_wire_fuzz \
	%D%/preamble_fuzz \
	%D%/proxy2_fuzz \
	%D%/smtp_client_fuzz \
	%D%/signer_fuzz \
	%D%/rewrite_fuzz \
	%D%/rules_fuzz \
	%D%/sendmail_fuzz \
	%D%/smtp_syntax_fuzz \
	%D%/spf_fuzz \
	%D%/store_keys_fuzz \
	%D%/store_rec_fuzz \
	%D%/store_upkeep_fuzz \
	%D%/trk_wire_fuzz
EXTRA_DIST += %D%/run %D%/corpus

# For tests/fuzz/run.
fuzz-list:
	@echo $(fuzz_programs)
.PHONY: fuzz-list

if FUZZ
noinst_PROGRAMS += $(fuzz_programs)
fuzz_ldflags = $(AM_LDFLAGS) $(FUZZ_FLAGS)
fuzz_main = %D%/fuzz.h
else
check_PROGRAMS += $(fuzz_programs)
fuzz_ldflags = $(AM_LDFLAGS)
fuzz_main = %D%/fuzz.h %D%/replay.c
endif

%C%_aliases_fuzz_SOURCES = %D%/aliases_fuzz.c $(fuzz_main)
%C%_aliases_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_aliases_fuzz_LDADD = $(MAIL_LIBS)
%C%_rewrite_fuzz_SOURCES = %D%/rewrite_fuzz.c $(fuzz_main)
%C%_rewrite_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_rewrite_fuzz_LDADD = $(MAIL_LIBS)
%C%_rules_fuzz_SOURCES = %D%/rules_fuzz.c $(fuzz_main)
%C%_rules_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_rules_fuzz_LDADD = $(MAIL_LIBS)
%C%_sendmail_fuzz_SOURCES = %D%/sendmail_fuzz.c $(fuzz_main)
%C%_sendmail_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_sendmail_fuzz_LDADD = libsendmail.a $(MAIL_LIBS)
%C%_addr_fuzz_SOURCES = %D%/addr_fuzz.c $(fuzz_main)
%C%_addr_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_addr_fuzz_LDADD = $(MAIL_LIBS)
%C%_addrlist_fuzz_SOURCES = %D%/addrlist_fuzz.c $(fuzz_main)
%C%_addrlist_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_addrlist_fuzz_LDADD = $(MAIL_LIBS)
%C%_ares_fuzz_SOURCES = %D%/ares_fuzz.c $(fuzz_main)
%C%_ares_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_ares_fuzz_LDADD = $(MAIL_LIBS)
%C%_date_fuzz_SOURCES = %D%/date_fuzz.c $(fuzz_main)
%C%_date_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_date_fuzz_LDADD = $(MAIL_LIBS)
%C%_decode_fuzz_SOURCES = %D%/decode_fuzz.c $(fuzz_main)
%C%_decode_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_decode_fuzz_LDADD = $(MAIL_LIBS)
%C%_dir_filter_fuzz_SOURCES = %D%/dir_filter_fuzz.c $(fuzz_main)
%C%_dir_filter_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dir_filter_fuzz_LDADD = $(DIRECTORY_LIBS)
%C%_dir_ldif_fuzz_SOURCES = %D%/dir_ldif_fuzz.c $(fuzz_main)
%C%_dir_ldif_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dir_ldif_fuzz_LDADD = $(DIRECTORY_LIBS)
%C%_dir_value_fuzz_SOURCES = %D%/dir_value_fuzz.c $(fuzz_main)
%C%_dir_value_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dir_value_fuzz_LDADD = $(DIRECTORY_LIBS)
%C%_dlv_submit_fuzz_SOURCES = %D%/dlv_submit_fuzz.c $(fuzz_main)
%C%_dlv_submit_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dlv_submit_fuzz_LDADD = libdelivery.a $(MAIL_LIBS)
%C%_dns_name_fuzz_SOURCES = %D%/dns_name_fuzz.c $(fuzz_main)
%C%_dns_name_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dns_name_fuzz_LDADD = $(LIB_LIBS) $(IDN2_LIBS)
%C%_dns_rdata_fuzz_SOURCES = %D%/dns_rdata_fuzz.c $(fuzz_main)
%C%_dns_rdata_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dns_rdata_fuzz_LDADD = $(LIB_LIBS)
%C%_dot_fuzz_SOURCES = %D%/dot_fuzz.c $(fuzz_main)
%C%_dot_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_dot_fuzz_LDADD = $(MAIL_LIBS)
%C%_gw_smtp_fuzz_SOURCES = %D%/gw_smtp_fuzz.c $(fuzz_main) \
	tests/unit/gateway/fake_netd.h tests/unit/gateway/fake_netd.c tests/unit/gateway/smtp_words.h
%C%_gw_smtp_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_gw_smtp_fuzz_LDADD = $(GW_TEST_LIBS)
%C%_header_fuzz_SOURCES = %D%/header_fuzz.c $(fuzz_main)
%C%_header_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_header_fuzz_LDADD = $(MAIL_LIBS)
%C%_headers_fuzz_SOURCES = %D%/headers_fuzz.c $(fuzz_main)
%C%_headers_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_headers_fuzz_LDADD = $(POLICY_LIBS)
%C%_imap_fuzz_SOURCES = %D%/imap_fuzz.c $(fuzz_main) \
	tests/unit/imap/fake.h tests/unit/imap/fake_netd.c \
	tests/unit/imap/fake_store.c
%C%_imap_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_imap_fuzz_LDADD = libimap.a $(MAIL_LIBS)
%C%_meta_fuzz_SOURCES = %D%/meta_fuzz.c $(fuzz_main)
%C%_meta_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_meta_fuzz_LDADD = $(MAIL_LIBS)
%C%_mime_fuzz_SOURCES = %D%/mime_fuzz.c $(fuzz_main)
%C%_mime_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_mime_fuzz_LDADD = $(MAIL_LIBS)
%C%_smtp_client_fuzz_SOURCES = %D%/smtp_client_fuzz.c $(fuzz_main)
%C%_smtp_client_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_smtp_client_fuzz_LDADD = $(MAIL_LIBS)
%C%_signer_fuzz_SOURCES = %D%/signer_fuzz.c $(fuzz_main)
%C%_signer_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_signer_fuzz_LDADD = $(SGN_LIBS)
%C%_smtp_syntax_fuzz_SOURCES = %D%/smtp_syntax_fuzz.c $(fuzz_main)
%C%_smtp_syntax_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_smtp_syntax_fuzz_LDADD = $(MAIL_LIBS)
%C%_spf_fuzz_SOURCES = %D%/spf_fuzz.c $(fuzz_main) \
	tests/unit/policy/spf_zone.h tests/unit/policy/spf_zone.c
%C%_spf_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_spf_fuzz_LDADD = $(POLICY_LIBS)
%C%_gw_imap_fuzz_SOURCES = %D%/gw_imap_fuzz.c $(fuzz_main) \
	tests/unit/gateway/fake_imap.h tests/unit/gateway/fake_imap.c
%C%_gw_imap_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_gw_imap_fuzz_LDADD = $(GW_TEST_LIBS)
%C%_gw_pop3_fuzz_SOURCES = %D%/gw_pop3_fuzz.c $(fuzz_main) \
	tests/unit/gateway/fake_imap.h tests/unit/gateway/fake_imap.c
%C%_gw_pop3_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_gw_pop3_fuzz_LDADD = $(GW_TEST_LIBS)
%C%_pop3_fuzz_SOURCES = %D%/pop3_fuzz.c $(fuzz_main) \
	tests/unit/imap/fake.h tests/unit/imap/fake_netd.c \
	tests/unit/imap/fake_store.c
%C%_pop3_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_pop3_fuzz_LDADD = libimap.a $(MAIL_LIBS)
%C%_preamble_fuzz_SOURCES = %D%/preamble_fuzz.c $(fuzz_main)
%C%_preamble_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_preamble_fuzz_LDADD = $(GW_TEST_LIBS)
%C%_proxy2_fuzz_SOURCES = %D%/proxy2_fuzz.c $(fuzz_main)
%C%_proxy2_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_proxy2_fuzz_LDADD = $(LIB_LIBS)
%C%_conf_fuzz_SOURCES = %D%/conf_fuzz.c $(fuzz_main)
%C%_conf_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_conf_fuzz_LDADD = $(CONF_LIBS)
%C%_ipc_fuzz_SOURCES = %D%/ipc_fuzz.c $(fuzz_main)
%C%_ipc_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_ipc_fuzz_LDADD = $(CONF_LIBS)
%C%_store_keys_fuzz_SOURCES = %D%/store_keys_fuzz.c $(fuzz_main)
%C%_store_keys_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_store_keys_fuzz_LDADD = $(STORE_LIBS)
%C%_store_upkeep_fuzz_SOURCES = %D%/store_upkeep_fuzz.c $(fuzz_main)
%C%_store_upkeep_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_store_upkeep_fuzz_LDADD = $(STORE_LIBS)
%C%_store_rec_fuzz_SOURCES = %D%/store_rec_fuzz.c $(fuzz_main)
%C%_store_rec_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_store_rec_fuzz_LDADD = $(STORE_LIBS)

fuzz_policy_libs = libpolicy.a libpolclient.a $(MAIL_LIBS) $(RESOLVER_LIBS) \
	$(OPENDKIM_LIBS) $(SPF2_LIBS) $(PCRE2_LIBS)
%C%_pol_dkim_fuzz_SOURCES = %D%/pol_dkim_fuzz.c $(fuzz_main)
%C%_pol_dkim_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_pol_dkim_fuzz_LDADD = $(fuzz_policy_libs)
%C%_pol_dmarc_fuzz_SOURCES = %D%/pol_dmarc_fuzz.c $(fuzz_main)
%C%_pol_dmarc_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_pol_dmarc_fuzz_LDADD = $(fuzz_policy_libs)
%C%_pol_wire_fuzz_SOURCES = %D%/pol_wire_fuzz.c $(fuzz_main)
%C%_pol_wire_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_pol_wire_fuzz_LDADD = $(fuzz_policy_libs)
%C%_trk_wire_fuzz_SOURCES = %D%/trk_wire_fuzz.c $(fuzz_main)
%C%_trk_wire_fuzz_LDFLAGS = $(fuzz_ldflags)
%C%_trk_wire_fuzz_LDADD = libtrkclient.a $(LIB_LIBS)
