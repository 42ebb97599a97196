noinst_LIBRARIES += libdelivery.a
libdelivery_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libdelivery_a_SOURCES = \
	%D%/dlv.h %D%/dlv.c \
	%D%/dlv_client.h %D%/dlv_client.c \
	%D%/dlv_wire.h %D%/dlv_wire.c \
	%D%/dlv_body.h %D%/dlv_body.c \
	%D%/dlv_entry.h %D%/dlv_entry.c \
	%D%/dlv_fresh.h %D%/dlv_fresh.c \
	%D%/dlv_people.h %D%/dlv_people.c \
	%D%/dlv_plan.h %D%/dlv_plan.c \
	%D%/dlv_poison.h %D%/dlv_poison.c \
	%D%/dlv_scan.h %D%/dlv_scan.c \
	%D%/dlv_route.h %D%/dlv_route.c \
	%D%/dlv_submit.c \
	%D%/dlv_heap.h %D%/dlv_heap.c \
	%D%/dlv_notice.h %D%/dlv_notice.c \
	%D%/dlv_sched.h %D%/dlv_sched.c \
	%D%/dlv_send.h %D%/dlv_send.c \
	%D%/dlv_queue.h %D%/dlv_queue_impl.h %D%/dlv_queue.c \
	%D%/dlv_queue_load.c \
	%D%/dlv_reload.h %D%/dlv_reload.c \
	%D%/dlv_retry.h %D%/dlv_retry.c \
	%D%/dlv_step.c \
	%D%/dlv_track.h %D%/dlv_track.c \
	%D%/dlv_json.h %D%/dlv_json.c \
	%D%/dlv_admin.c
dist_man_MANS += doc/gatepost-delivery.8

gplibexec_PROGRAMS += gatepost-delivery
gatepost_delivery_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
gatepost_delivery_SOURCES = %D%/main.c
gatepost_delivery_LDADD = libdelivery.a libremclient.a libsgnclient.a \
	libdirclient.a libtrkclient.a $(STORE_LIBS) libmail.a $(CONF_LIBS) \
	$(JANSSON_LIBS)
