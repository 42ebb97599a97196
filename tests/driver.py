"""All tests of Gatepost, one part after the other; called by ./runtests.

  --long        the long variants: gcc's analyzer, longer fuzzing, more kills,
                every power-loss prefix, and the daemons under TSan
  --only=A,B    only these parts (names as printed)

Ends with the line "N passed, N failed" and exits 1 unless all passed.  A part
that cannot run counts as failed.  Logs are in build-asan/test-logs.

The plain build, lint and fuzzing need a processor and nothing else, proto and
system often wait: the former run beside the latter, with the lowest priority.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ASAN, TSAN = os.path.join(TOP, "build-asan"), os.path.join(TOP, "build-tsan")
FUZZ, PLAIN = os.path.join(TOP, "build-fuzz"), os.path.join(TOP, "build")
LOGS = os.path.join(ASAN, "test-logs")
TAIL = 25
HOUR = 3600

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "suppressions=%s:exitcode=66"
                    % os.path.join(TOP, "tests", "tsan.supp"),
}


class Failed(Exception):
    pass


class Part:
    """One part's log and counts."""

    def __init__(self, name, fn):
        self.name, self.fn = name, fn
        self.nice = []
        self.passed = self.failed = self.skipped = 0
        self.log_path = os.path.join(LOGS, name + ".log")
        self.log = open(self.log_path, "wb")

    def run(self, argv, timeout=HOUR, cwd=TOP, **env):
        """Run to the log; all that was started is ended with it."""
        self.log.write(("+ %s\n" % " ".join(argv)).encode())
        self.log.flush()
        p = subprocess.Popen(
            self.nice + argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, **SANITIZER_ENV, **env})
        try:
            return p.wait(timeout)
        except subprocess.TimeoutExpired:
            self.log.write(b"! took too long\n")
            return -1
        finally:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()

    def must(self, argv, **kw):
        if self.run(argv, **kw) != 0:
            raise Failed("%s failed" % " ".join(argv)[:70])

    def text(self):
        self.log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def say(self, lines):
        """With one write a call, because parts run side by side."""
        print("\n".join("    " + line[:160] for line in lines), flush=True)

    def tail(self):
        self.say(self.text().split("\n")[-TAIL:])

    def go(self, long):
        start = time.monotonic()
        try:
            self.fn(self, long)
        except Exception as e:
            self.failed = max(self.failed, 1)
            self.say([str(e) or repr(e)])
            self.tail()
        print("%-12s %5d passed %3d failed %7.1f s" % (
            self.name, self.passed, self.failed, time.monotonic() - start),
            flush=True)
        return self


def compiler(cc):
    return "ccache " + cc if shutil.which("ccache") else cc


def build(part, where, cc, *switches):
    """Configure once, then let automake's own rules decide."""
    if not os.path.exists(os.path.join(TOP, "configure")):
        part.must(["autoreconf", "-fi"])
    os.makedirs(where, exist_ok=True)
    if not os.path.exists(os.path.join(where, "Makefile")):
        part.must(["../configure", "-q", "CC=" + compiler(cc), *switches],
                  cwd=where)
    part.must(["make", "-s", "-j2"], cwd=where)


def build_asan(part, long):
    build(part, ASAN, "gcc", "--enable-werror", "--enable-asan")
    part.passed = 1


def build_plain(part, long):
    """As ./quickstart builds it: optimised, hardened."""
    build(part, PLAIN, "gcc")
    part.passed = 1


def lint(part, long):
    part.run(["tests/lint/run", ASAN] + (["--long"] if long else []))
    out = part.text()
    part.passed = len(re.findall(r"^ok ", out, re.M))
    part.failed = len(re.findall(r"^FAIL ", out, re.M))
    if part.failed:
        shown = re.findall(r"^(?:FAIL|    ).*$", out, re.M)
        part.say(shown[:TAIL])
    elif not part.passed:
        raise Failed("no check ran")


def unit_in(part, where):
    rc = part.run(["make", "-s", "-j2", "-k", "check"], cwd=where)
    results = re.findall(r"^(PASS|FAIL|ERROR|XPASS|SKIP): (\S+)", part.text(),
                         re.M)
    for result, name in results:
        with open(os.path.join(where, name + ".log"), errors="replace") as f:
            log = f.read()
        # cmocka's own counts where there are some
        passed = re.search(r"^\[  PASSED  \] (\d+) test", log, re.M)
        failed = re.search(r"^\[  FAILED  \] .*?(\d+) test", log, re.M)
        if result == "PASS":
            part.passed += int(passed.group(1)) if passed else 1
            continue
        part.failed += int(failed.group(1)) if failed else 1
        part.passed += int(passed.group(1)) if passed else 0
        part.say(["%s: %s" % (result, name)])
        part.say(log.strip().split("\n")[-TAIL:])
    if rc != 0 and not part.failed:
        raise Failed("make check failed")
    if not results:
        raise Failed("no unit test ran")


def unit(part, long):
    unit_in(part, ASAN)


def fuzz(part, long):
    """Each harness for some seconds on new input (the corpus is replayed by
    the unit tests); the build shows that clang takes the code as well."""
    build(part, FUZZ, "clang", "--enable-werror", "--enable-fuzz")
    # The short run is a sample of the long one that is the same each time.
    seconds, seed = ("60", "0") if long else ("3", "1")
    rc = part.run(["tests/fuzz/run", seconds], FUZZ_SEED=seed)
    part.passed = len(re.findall(r"^ok \S+ ", part.text(), re.M))
    if rc != 0:
        raise Failed("tests/fuzz/run failed")
    if not part.passed:
        raise Failed("no harness ran")


def pytest_in(part, where, folders, long):
    report = os.path.join(LOGS, part.name + ".xml")
    if os.path.exists(report):
        os.unlink(report)
    rc = part.run(
        ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "--tb=short",
         "-p", "no:cacheprovider", "--durations=15", "--junitxml=" + report]
        + folders, timeout=4 * HOUR, GP_BUILD=where,
        GP_LONG="1" if long else "", GP_LOGS=os.path.join(LOGS, part.name))
    if not os.path.exists(report):
        raise Failed("pytest left no report (exit %d)" % rc)
    for suite in ET.parse(report).getroot().iter("testsuite"):
        n, bad, skipped = (
            int(suite.get("tests")),
            int(suite.get("failures")) + int(suite.get("errors")),
            int(suite.get("skipped")))
        part.passed += max(0, n - bad - skipped)
        part.failed += bad
        part.skipped += skipped
    if part.failed:
        part.say(re.findall(r"^(?:FAILED|ERROR) .*$", part.text(), re.M)[:TAIL])
    if rc != 0 and not part.failed:
        raise Failed("pytest ended with %d" % rc)


def proto(part, long):
    pytest_in(part, ASAN, ["tests/lint", "tests/rig", "tests/proto"], long)


def system(part, long):
    pytest_in(part, ASAN, ["tests/system"], long)


def tsan_unit(part, long):
    build(part, TSAN, "gcc", "--enable-werror", "--enable-tsan")
    unit_in(part, TSAN)


def tsan_system(part, long):
    pytest_in(part, TSAN, ["tests/proto", "tests/system"], False)


PARTS = [("build-asan", build_asan), ("unit", unit),
         ("build-plain", build_plain), ("lint", lint), ("fuzz", fuzz),
         ("proto", proto), ("system", system)]
BESIDE = ("build-plain", "lint", "fuzz")
LONG_PARTS = [("tsan-unit", tsan_unit), ("tsan-system", tsan_system)]


def run_parts(parts, long):
    """Those that were run; without a build nothing else is."""
    beside = [p for p in parts if p.name in BESIDE]
    done, others = [], None
    for p in beside:
        p.nice = ["nice", "-n", "19"]
    for p in parts:
        if p in beside:
            if others is None:
                others = threading.Thread(
                    target=lambda: [b.go(long) for b in beside])
                others.start()
            continue
        done.append(p.go(long))
        if p.name == "build-asan" and p.failed:
            return done
    if others is not None:
        others.join()
    return done + beside


def main(args):
    long = "--long" in args
    only = None
    for a in args:
        if a.startswith("--only="):
            only = a[len("--only="):].split(",")
        elif a != "--long":
            sys.exit(__doc__)
    parts = PARTS + (LONG_PARTS if long else [])
    known = [n for n, _ in PARTS + LONG_PARTS]
    if only is not None:
        if set(only) - set(known):
            sys.exit("parts are: " + " ".join(known))
        parts = [p for p in PARTS + LONG_PARTS if p[0] in only]
    os.makedirs(LOGS, exist_ok=True)
    total = [0, 0, 0]
    for part in run_parts([Part(n, fn) for n, fn in parts], long):
        for i, n in enumerate((part.passed, part.failed, part.skipped)):
            total[i] += n
    line = "%d passed, %d failed" % tuple(total[:2])
    print(line + (", %d skipped" % total[2] if total[2] else ""))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
