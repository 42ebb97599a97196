if HAVE_CMOCKA
check_PROGRAMS += %D%/sendmail_test
%C%_sendmail_test_SOURCES = %D%/sendmail_test.c tests/unit/mail/test.h
%C%_sendmail_test_LDADD = libsendmail.a $(MAIL_LIBS) $(CMOCKA_LIBS)
endif
