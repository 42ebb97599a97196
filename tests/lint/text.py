"""Checks that read the text of the sources only.

A check takes the list of files, the build directory and whether this is the
long run; it returns a list of faults and a note.
"""
import os
import re
import subprocess

BANNED = ("strcpy strcat sprintf vsprintf strtok atoi atol gets scanf sscanf "
          "fscanf vsscanf alloca strncpy system popen gmtime localtime "
          "strerror inet_ntoa rand srand").split()
RAW_ALLOC = "malloc calloc realloc free strdup strndup".split()

# Who may include whose headers, beside its own and every *_client.h.
BASE = {"lib", "conf", "mail"}
MAY_INCLUDE = {
    "lib": {"lib"},
    "conf": {"lib", "conf"},
    "mail": BASE,
    "store": BASE,
    "directory": BASE,
    "policy": BASE,
    "delivery": BASE | {"store"},
    "imap": BASE | {"store"},
    "gateway": BASE,
    "web": BASE,
    # mail: the parsers of rules and aliases, which it checks at a reload
    "supervisor": {"lib", "conf", "mail"},
    "track": {"lib", "conf"},
    "cli": BASE | {"store"},
}
# What two folders say to each other, and neither serves.
WIRE = {"imap/preamble.h"}
# Files that one folder reads and the administrator's command writes.
FILES = {"policy/sgn_keys.h"}
# These serve others and ask nobody, so a client stub is out of place there.
NO_CLIENTS = {"lib", "conf", "mail"}

MACHINE_PATHS = re.compile(r"/(?:work|root|home/\w+)/|/tmp/wt\b")
COMMENT_OR_STRING = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
LOOK_FILE, LOOK_FUNCTION = 600, 80


def is_c(name):
    return name.endswith((".c", ".h"))


def read(name):
    with open(name, encoding="utf-8", errors="surrogateescape",
              newline="") as f:
        return f.read()


def code_of(name):
    """The text with comments and literals blanked, line numbers kept."""
    return COMMENT_OR_STRING.sub(
        lambda m: " " + "\n" * m.group().count("\n"), read(name))


def calls(names, words, skip):
    call = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(words))
    for name in names:
        if not is_c(name) or name.startswith(skip):
            continue
        for no, line in enumerate(code_of(name).split("\n"), 1):
            for m in call.finditer(line):
                yield "%s:%d: %s" % (name, no, m.group(1))


def banned_functions(names, build, full):
    found = list(calls(names, BANNED, ()))
    found += calls(names, RAW_ALLOC, ("lib/", "tests/"))
    return found, None


def layering(names, build, full):
    faults = []
    include = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
    for name in names:
        if not is_c(name):
            continue
        folder = name.split("/")[0]
        if folder not in MAY_INCLUDE:
            continue
        for no, line in enumerate(read(name).split("\n"), 1):
            m = include.match(line)
            if not m or "/" not in m.group(1):
                continue
            other = m.group(1).split("/")[0]
            client = m.group(1).endswith("_client.h")
            if other == folder or other in MAY_INCLUDE[folder]:
                continue
            if client and folder not in NO_CLIENTS:
                continue
            if m.group(1) in WIRE and folder == "gateway":
                continue
            if m.group(1) in FILES and folder == "cli":
                continue
            # A pure parser: what is handed to policy has been checked.
            if m.group(1) == "policy/pol_headers.h" and \
                    folder == "supervisor":
                continue
            faults.append("%s:%d: %s may not include %s"
                          % (name, no, folder, m.group(1)))
    return faults, None


def machine_paths(names, build, full):
    faults = []
    for name in names:
        if name.startswith(("tests/fuzz/corpus/", "tests/lint/")):
            continue
        for no, line in enumerate(read(name).split("\n"), 1):
            if MACHINE_PATHS.search(line):
                faults.append("%s:%d: %s" % (name, no, line.strip()[:60]))
    return faults, None


def header_guards(names, build, full):
    """A contract at the top, a guard that ends in NAME_H and is unique."""
    faults, seen = [], {}
    for name in names:
        if not name.endswith(".h") or name.startswith("tests/"):
            continue
        body = read(name)
        stem = re.sub(r"\W", "_", name.split("/")[-1][:-2]).upper() + "_H"
        if not body.startswith("/*"):
            faults.append("%s: no contract comment at the top" % name)
        m = re.search(r"#ifndef (\w+)\n#define (\w+)\n", body)
        guard = m.group(1) if m else ""
        if not m or guard != m.group(2) or \
                not ("_" + guard).endswith("_" + stem):
            faults.append("%s: the guard is not ..%s" % (name, stem))
        elif guard in seen:
            faults.append("%s: guard as in %s" % (name, seen[guard]))
        seen[guard] = name
    return faults, None


def modes(names, build, full):
    """What starts with #! is executable, and nothing else is."""
    faults = []
    for name in names:
        with open(name, "rb") as f:
            script = f.read(2) == b"#!"
        runs = bool(os.stat(name).st_mode & 0o100)
        if runs != script:
            faults.append("%s: %s" % (
                name, "is executable" if runs else "is not executable"))
    return faults, None


def script_of(name):
    try:
        with open(name, "rb") as f:
            first = f.readline(80)
    except OSError:
        return None
    if name.endswith(".py") or (first.startswith(b"#!") and b"python" in first):
        return "python"
    if first.startswith(b"#!") and re.search(rb"/(ba|da)?sh\b", first):
        return "bash" if b"bash" in first else "sh"
    return None


def scripts_parse(names, build, full):
    faults = []
    for name in names:
        kind = script_of(name)
        if kind == "python":
            try:
                compile(read(name), name, "exec", dont_inherit=True)
            except SyntaxError as e:
                faults.append("%s:%s: %s" % (name, e.lineno, e.msg))
        elif kind:
            p = subprocess.run([kind, "-n", name], stderr=subprocess.PIPE)
            if p.returncode or p.stderr:
                faults.append(p.stderr.decode(errors="replace").strip())
    return faults, None


def whitespace(names, build, full):
    """No trailing blanks, no CR, a newline at the end."""
    faults = []
    kinds = (".c", ".h", ".py", ".mk", ".am", ".ac", ".md", ".sh")
    for name in names:
        if not (name.endswith(kinds) or script_of(name)):
            continue
        body = read(name)
        if body and not body.endswith("\n"):
            faults.append("%s: no newline at the end" % name)
        for no, line in enumerate(body.split("\n"), 1):
            if line != line.rstrip():
                faults.append("%s:%d: blanks at the end" % (name, no))
    return faults, None


def long_ones(names):
    """For a person to look at, never refused."""
    for name in names:
        if not is_c(name):
            continue
        lines = code_of(name).split("\n")
        if len(lines) - 1 > LOOK_FILE:
            yield "%s: %d lines" % (name, len(lines) - 1)
        start = None
        for no, line in enumerate(lines, 1):
            if line == "{":
                start = no
            elif line == "}" and start:
                if no - start - 1 > LOOK_FUNCTION:
                    yield "%s:%d: function of %d lines" % (
                        name, start, no - start - 1)
                start = None


CHECKS = [banned_functions, layering, machine_paths, header_guards,
          modes, scripts_parse, whitespace]

