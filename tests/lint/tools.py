"""Checks that run clang-format, the compilers and clang-tidy.

clang-tidy takes seconds a file.  What it found clean is remembered by the
content of the file and of every header it includes, in BUILDDIR/lint-cache;
the short run spends at most TIDY_BUDGET seconds on the files that are not
remembered, in an order that changes with every commit, and says how many it
left for another time.
"""
import concurrent.futures
import functools
import hashlib
import os
import re
import shlex
import subprocess
import time

TIDY_BUDGET = 90
JOBS = min(4, os.cpu_count() or 1)


def run(argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.returncode, p.stdout.decode(errors="replace")


def each(fn, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(fn, items))


@functools.lru_cache(maxsize=None)
def flags(build):
    """The preprocessor flags of the configured build."""
    # $(info) prints what the makefile has, before a shell takes the quotes
    show = ("gp-show-flags: ; @$(info $(DEFS) $(AM_CPPFLAGS) "
            "$(foreach v,$(filter %_CFLAGS,$(.VARIABLES)),"
            "$(if $(filter GP_% AM_% lib%,$v),,$($v)))) :")
    p = subprocess.run(["make", "-s", "-C", build, "--no-print-directory",
                        "--eval", show, "gp-show-flags"],
                       stdout=subprocess.PIPE, check=True)
    out = []
    for word in shlex.split(p.stdout.decode()):
        if word.startswith("-I"):
            word = "-I" + os.path.normpath(os.path.join(build, word[2:]))
        if word.startswith(("-I", "-D")) and word not in out:
            out.append(word)
    return ["-std=c17", "-pthread"] + out


def clang_format(names, build, full):
    files = [n for n in names if n.endswith((".c", ".h"))]
    faults = []

    def one(part):
        return run(["clang-format", "--dry-run", "-Werror"] + part)[1]

    for out in each(one, [files[i::JOBS] for i in range(JOBS) if files[i::JOBS]]):
        faults += sorted(set(re.findall(r"^(\S+?:\d+):\d+: error", out, re.M)))
    return faults, None


def headers_alone(names, build, full):
    """Each header compiles when it is the only thing included."""
    def one(name):
        rc, out = run(["gcc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                       "-Wno-missing-field-initializers"]
                      + flags(build) + ["-x", "c", "-include", name, "/dev/null"])
        return "%s: %s" % (name, out.strip().split("\n")[0]) if rc else None

    heads = [n for n in names if n.endswith(".h")]
    return [f for f in each(one, heads) if f], "%d headers" % len(heads)


def key_of(name, build, salt):
    rc, out = run(["gcc", "-MM"] + flags(build) + [name])
    if rc:
        return None
    h = hashlib.sha256(salt)
    for dep in out.replace("\\\n", " ").split()[1:]:
        with open(dep, "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def in_uthash(fault):
    """The analyzer cannot follow uthash's macros: it takes each deletion
    for the last one, and reports what would come of that."""
    m = re.match(r"(\S+?):(\d+):.*\[clang-analyzer-", fault)
    if not m:
        return False
    with open(m.group(1), encoding="utf-8", errors="replace") as f:
        line = f.read().split("\n")[int(m.group(2)) - 1]
    return re.search(r"\b(HASH_[A-Z_]+|DL_[A-Z_]+)\(", line) is not None


def tidy_one(name, build, cache, salt, until):
    key = key_of(name, build, salt)
    mark = os.path.join(cache, key) if key else None
    if mark and os.path.exists(mark):
        return "known", []
    if until is not None and time.monotonic() > until:
        return "left", []
    rc, out = run(["clang-tidy", "--quiet", "--warnings-as-errors=*", name,
                   "--"] + flags(build))
    found = re.findall(r"^.*?(?:error|warning): .*$", out, re.M)
    faults = [f for f in found if not in_uthash(f)]
    if not faults and (found or rc == 0):
        if mark:
            open(mark, "w").close()
        return "clean", []
    here = os.getcwd() + "/"
    return "bad", [f.replace(here, "") for f in faults] or [name + ": " + out]


def clang_tidy(names, build, full):
    cache = os.path.join(build, "lint-cache")
    os.makedirs(cache, exist_ok=True)
    with open(".clang-tidy", "rb") as f:
        salt = f.read() + run(["clang-tidy", "--version"])[1].encode()
    turn = run(["git", "rev-parse", "HEAD"])[1]
    files = sorted((n for n in names if n.endswith(".c")),
                   key=lambda n: hashlib.sha256((turn + n).encode()).digest())
    until = None if full else time.monotonic() + TIDY_BUDGET
    got = each(lambda n: tidy_one(n, build, cache, salt, until), files)
    count = {k: sum(1 for s, _ in got if s == k)
             for k in ("known", "clean", "bad", "left")}
    note = "%d files, %d left for another run" % (len(files), count["left"])
    return sorted({f for _, fs in got for f in fs}), note


def gcc_analyzer(names, build, full):
    def one(name):
        rc, out = run(["gcc", "-fanalyzer", "-O1", "-Werror", "-c", "-o",
                       "/dev/null"] + flags(build) + [name])
        return re.findall(r"^\S+: error: .*$", out, re.M) if rc else []

    files = [n for n in names
             if n.endswith(".c") and not n.startswith("tests/")]
    return sorted(f for fs in each(one, files) for f in fs), None


CHECKS = [clang_format, headers_alone, clang_tidy]
LONG_CHECKS = [gcc_analyzer]
