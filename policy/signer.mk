# The signer's half of this folder: what its clients link, what reads and
# writes keys (also the administrator's command), and the process.
noinst_LIBRARIES += libsgnclient.a libsgnkeys.a libsgn.a
libsgnclient_a_SOURCES = \
	%D%/sgn_client.h %D%/sgn_client.c \
	%D%/sgn_wire.h %D%/sgn_wire.c
libsgnkeys_a_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS)
libsgnkeys_a_SOURCES = \
	%D%/sgn_keys.h \
	%D%/sgn_state.c %D%/sgn_pem.c %D%/sgn_dir.c %D%/sgn_store.c
libsgn_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS) $(CRYPTO_CFLAGS)
libsgn_a_SOURCES = \
	%D%/sgn_ring.h %D%/sgn_ring.c \
	%D%/sgn_canon.h %D%/sgn_canon.c \
	%D%/sgn_sign.h %D%/sgn_sign.c %D%/sgn_try.c
SGN_LIBS = libsgn.a libsgnkeys.a libsgnclient.a $(MAIL_LIBS) $(OPENDKIM_LIBS) \
	$(CRYPTO_LIBS)

gplibexec_PROGRAMS += gatepost-signer
gatepost_signer_SOURCES = %D%/sgn_main.c
gatepost_signer_LDADD = libsgn.a libsgnkeys.a libsgnclient.a libmail.a \
	$(CONF_LIBS) $(OPENDKIM_LIBS) $(CRYPTO_LIBS)
dist_man_MANS += doc/gatepost-signer.8
