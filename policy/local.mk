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
POLICY_LIBS = libpolicy.a $(MAIL_LIBS) $(SPF2_LIBS) $(PCRE2_LIBS)
