/*
 * Runs a harness over its corpus: the files named as arguments, or those in
 * tests/fuzz/corpus/NAME when the program is called NAME_fuzz.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1u << 20)

static bool
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t n;

	if (f == NULL) {
		perror(path);
		return false;
	}
	data = xmalloc(INPUT_MAX);
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* Its exact size, so that the sanitizer sees a read past the end. */
	data = xrealloc(data, n);
	LLVMFuzzerTestOneInput(data, n);
	xfree(data);
	return true;
}

static int
run_dir(const char *dir)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	int n = 0;

	if (d == NULL) {
		perror(dir);
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		char path[2048];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (!run_file(path)) {
			n = -1;
			break;
		}
		n++;
	}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("srcdir");
	struct str name = str_c(argv[0]);
	char dir[1024];
	int n;

	for (int i = 1; i < argc; i++)
		if (!run_file(argv[i]))
			return 1;
	if (argc > 1)
		return 0;
	if (str_rchr(name, '/') < name.n)
		name = str_from(name, str_rchr(name, '/') + 1);
	name = str_sub(name, 0, str_find(name, STR("_fuzz")));
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%.*s", top ? top : ".",
	    STRF(name));
	n = run_dir(dir);
	printf("%s: %d inputs\n", dir, n);
	return n > 0 ? 0 : 1;
}
