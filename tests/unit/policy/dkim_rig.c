/* Keys made for these tests and used for nothing else. */
#include <string.h>

#include "lib/base.h"
#include "tests/unit/policy/dkim_rig.h"

/* Behind ours: it brings a MIN and a MAX of its own. */
#include <opendkim/dkim.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable() (void)0
#define __lsan_enable()  (void)0
#endif

static const char rsa_private[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEowIBAAKCAQEAwPQ4I9ecjlyyUHWUkNQ2yE28FZWSv69FCJlowQ2IYJRfKiua\n"
    "mBT3mqZWBsdTBf9+ozbDfizYCdZvSLi2X1arrXICVVeoBkjEk77BvP6x2MT9du+0\n"
    "Cc+Jz8zyyAXGbT2IkwBZUshghWK4KJWdzQ2QlqKIMVFJwevOqDj3BFjAZVRGW2a5\n"
    "JDDlvfmiPeh3U1BPPKVlRgrnnccYh4LQbUQS9uaJxipwPmabwBsW50jbMLJ23kR4\n"
    "XUw8eQF4KS5tNYF+B6ad4s8OONScpJqwsKPZngMPEDPZlstqkZnGPXc879aF3lI6\n"
    "TvQxRbJFboJRUJzdTGWr+mYGW+0FTQ/6YWwYWQIDAQABAoIBADi07XTXLnsGUh9k\n"
    "VuuzeoAmnFKpmS29eGfdEhS+geiEYm110CLG8rfgD6NBXCyEmHamJxEDY+CMRTtV\n"
    "kb92LNE2Eup67vYd16vmIXEGV0UyK52TN9G0TTelb2qKi/TZ4zP0o8u4+OjqiN3g\n"
    "jrZPOMGUdbssvSUBRMRarXn5DV4ZwkqyIgxVhXcW7gnrbXoGUBh9faD0S4hxIP0x\n"
    "mWmBECoQTDPqH4w3vwRMtyD2MVsIzIb+qiH99EAQGxSUrM8wbHQ8xZpGlpfgsHih\n"
    "wHaOpBtA26BCjnrpZ2gpcVNKwIZwLj29CdGWGWfndLW3oERCGaIyli2ihh4WKQj7\n"
    "xzR2leMCgYEA3m53TqgefJazZ8Lr/AuezmI+D26C19BYN3vKQlDI0ZpumPtB0Y2a\n"
    "rWcLtu6+FCal7gjZmP3sYfVDkxWSAtGxBg1NwP4n6RbCjadgLR4a2YdS3R49CFMy\n"
    "INYzsi3VOYaRsm9k+BmHnkK8JSCEnIpXFLnEfgOn+UgDYfEER5WYBiMCgYEA3hLn\n"
    "O1jScsSvtt7Wtxy2LHYxDSvwmxZLcesW1+CfraUdCyB2HwWNYo+jaMz5n710daS/\n"
    "jq2WOcYzcUkgKXMdyHtq2t9LPjidoKBAfLkjh/7ANoCookktE/y3BgJGIBQN+6XN\n"
    "sM/U/fRc0+V9Oy+TbUviB7pgZx6HYSO+3w9nqVMCgYAwWAoOSnP12Ds9/huUOGJX\n"
    "sPqUGAzQIzRJOtqG90/uXoZTMajohsJrlc3yAInHj27ZAYtpuSa7U7dQLIwDmNfE\n"
    "3PddTuAVxSCb8RjyNWzYgpT8Aip5uLtYb7XksBl720enZJapZcMYHqEN4Ldx3o92\n"
    "rbmLOfg0MfaqPtwTQuw7yQKBgECsZKcF8RP3b+zj7MgbFnrQWOyrFUE1NveQLXDl\n"
    "O9uIMHMjGwNhzJEdn8tPlosM07PHLPpSV2Ov8x9U2ob3vX67Yp0nVnRibJVw1hb8\n"
    "m/ppGHVG9tV8ViJyAKNBWkbRUFkvKj4J6M+ksLwNI3FvI5I6/TKe9qBRZb/Gdzni\n"
    "9J99AoGBALG2fKTOYBxkR4lpQLN7b4Ic7p9OoY5Qc8nrgNCQl70PZ3LJfy3MBv4b\n"
    "5QTFZ5XeG73G9G5EJhpqQ6U3g4snZ2afmGbWq0E+hI5NojaY4Y75hFmh0fp8btel\n"
    "o0HauEZZLUWkpwYZsgVZiBxA70eN+17WUtLMGMYxk3IIhPoT2IN/\n"
    "-----END RSA PRIVATE KEY-----\n";
static const char rsa_public[] =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwPQ4I9ecjlyyUHWUkNQ2"
    "yE28FZWSv69FCJlowQ2IYJRfKiuamBT3mqZWBsdTBf9+ozbDfizYCdZvSLi2X1ar"
    "rXICVVeoBkjEk77BvP6x2MT9du+0Cc+Jz8zyyAXGbT2IkwBZUshghWK4KJWdzQ2Q"
    "lqKIMVFJwevOqDj3BFjAZVRGW2a5JDDlvfmiPeh3U1BPPKVlRgrnnccYh4LQbUQS"
    "9uaJxipwPmabwBsW50jbMLJ23kR4XUw8eQF4KS5tNYF+B6ad4s8OONScpJqwsKPZ"
    "ngMPEDPZlstqkZnGPXc879aF3lI6TvQxRbJFboJRUJzdTGWr+mYGW+0FTQ/6YWwY"
    "WQIDAQAB";

static const char ed_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJjtiGtxYen/lLrg/R6Wid0x7gnnx3YqKNfgtjDmuyjL\n"
    "-----END PRIVATE KEY-----\n";
static const char ed_public[] = "aAIEGCkMvOOQPRJD+tUaCiGlO3igYvXPgdl/Ql7p6s8=";

static const char short_private[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIBOgIBAAJBAMvN+niQKjNZehpaD3j59L18LsQUChZailzFDrLzZ5W3eOAJBGHB\n"
    "UrAhWgyK/JBf/1KM6hvOl+/U8R6+Ft/UUq8CAwEAAQJAQ+RyNAeSh1ifXHfz/5EE\n"
    "/rqHuboTQi8XOKBMrUB4mV7VLd0oo3Xb5oRuzNTvLNoiE74vTJqPcFivz9ClmiQO\n"
    "wQIhAOWBj+HL9syvtNxnwbBAOl8yzzjev940xBrQcRl0rJm9AiEA41Tgnz9piMO6\n"
    "Ac2keooCveLDYQAnoX6PAYuNLzKR5tsCIBrHfmFrajXB/smE9c26ANWg2Rsaqqqj\n"
    "34n9bmT4/zbFAiBoZUIB340HUVrKGTW/UEGSEeDHWtrYPtZNT1i2o/J8oQIhAKOR\n"
    "/DI8M6QcKCIkFvuEAH9gZ97hq3mymYey45KcjGyW\n"
    "-----END RSA PRIVATE KEY-----\n";
static const char short_public[] =
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMvN+niQKjNZehpaD3j59L18LsQUChZa"
    "ilzFDrLzZ5W3eOAJBGHBUrAhWgyK/JBf/1KM6hvOl+/U8R6+Ft/UUq8CAwEAAQ==";

static void
must(DKIM_STAT st, const char *what)
{
	if (st != DKIM_STAT_OK)
		panic("%s: %s", what, dkim_getresultstr(st));
}

static unsigned char *
copy(struct arena *a, const char *s)
{
	return (unsigned char *)memcpy(
	    arena_alloc(a, strlen(s) + 1), s, strlen(s) + 1);
}

static DKIM_LIB *
library(const struct dkim_rig_sign *how)
{
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	uint64_t at = how->at, valid = how->valid;
	unsigned bits = 512;

	if (lib == NULL)
		panic("no libopendkim");
	must(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits,
		 sizeof(bits)),
	    "bits");
	if (at > 0)
		must(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &at,
			 sizeof(at)),
		    "time");
	if (valid > 0)
		must(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL,
			 &valid, sizeof(valid)),
		    "ttl");
	return lib;
}

struct str
dkim_rig_field(
    struct arena *a, struct str message, const struct dkim_rig_sign *how)
{
	dkim_canon_t canon =
	    how->simple ? DKIM_CANON_SIMPLE : DKIM_CANON_RELAXED;
	dkim_alg_t alg = how->key == RIG_ED25519 ? DKIM_SIGN_ED25519SHA256
			 : how->sha1             ? DKIM_SIGN_RSASHA1
						 : DKIM_SIGN_RSASHA256;
	const char *key = how->key == RIG_ED25519 ? ed_private
			  : how->key == RIG_SHORT ? short_private
						  : rsa_private;
	DKIM_LIB *lib = library(how);
	DKIM_STAT st;
	DKIM *d = dkim_sign(lib, copy(a, "test"), NULL, copy(a, key),
	    copy(a, how->selector), copy(a, how->domain), canon, canon, alg,
	    how->length, &st);
	struct str in = str_dup(a, message), out;
	unsigned char *value;
	size_t n;

	must(st, "sign");
	must(dkim_chunk(d,
		 (unsigned char *)memcpy(arena_alloc(a, in.n), in.p, in.n),
		 in.n),
	    "chunk");
	must(dkim_chunk(d, NULL, 0), "chunk end");
	__lsan_disable(); /* it loses the Ed25519 key that it loads */
	must(dkim_eom(d, NULL), "eom");
	__lsan_enable();
	must(dkim_getsighdr_d(d, sizeof("DKIM-Signature: ") - 1, &value, &n),
	    "field");
	out = str_fmt(a, "DKIM-Signature: %.*s\r\n", (int)n, value);
	dkim_free(d);
	dkim_close(lib);
	return out;
}

struct str
dkim_rig_txt(struct arena *a, enum dkim_rig_key key)
{
	switch (key) {
	case RIG_RSA:
		return str_fmt(a, "v=DKIM1; k=rsa; p=%s", rsa_public);
	case RIG_ED25519:
		return str_fmt(a, "v=DKIM1; k=ed25519; p=%s", ed_public);
	default:
		return str_fmt(a, "v=DKIM1; k=rsa; p=%s", short_public);
	}
}
