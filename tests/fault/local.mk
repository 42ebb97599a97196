if HAVE_CMOCKA
check_PROGRAMS += %D%/store_power_test
%C%_store_power_test_SOURCES = %D%/store_power_test.c \
	%D%/recio.h %D%/recio.c \
	tests/unit/store/rig.h tests/unit/store/rig.c
%C%_store_power_test_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += %D%/store_kill_test
%C%_store_kill_test_SOURCES = %D%/store_kill_test.c \
	tests/unit/store/rig.h tests/unit/store/rig.c
%C%_store_kill_test_LDADD = $(STORE_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_store_kill_test_DEPENDENCIES = gatepost-store
endif
