/* The fields are the block: nothing is lost, nothing is read twice. */
#include "mail/header.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	size_t len = mail_header_len(in), sum = 0, received = 0;
	struct mail_header_iter it = { in };
	struct mail_field f, first;
	AUTO_ARENA a = { 0 };

	PROMISE(len <= in.n);
	while (mail_header_next(&it, &f)) {
		struct str v = mail_header_unfold(&a, f.value);

		PROMISE(f.whole.p == in.p + sum && f.whole.n > 0);
		sum += f.whole.n;
		PROMISE(v.n <= f.value.n);
		PROMISE(str_find(v, STR("\r\n ")) == v.n || v.n == 0);
		if (str_ieq(f.name, STR("received")))
			received++;
		if (f.name.n == 0)
			continue;
		PROMISE(str_is_ascii(f.name));
		PROMISE(mail_header_find(in, f.name, &first));
		PROMISE(first.whole.p <= f.whole.p);
	}
	PROMISE(sum == len || sum + 2 == len);
	PROMISE(mail_header_hops(in).received == received);
	PROMISE(mail_header_count(in, STR("Received")) == received);
	mail_header_delivered_to(in, STR("a@b"));
	return 0;
}
