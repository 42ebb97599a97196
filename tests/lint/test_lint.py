"""Each check of the house rules finds what it is there for."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import text  # noqa: E402
import tools  # noqa: E402

HEADER = "/* x - what it is. */\n#ifndef A_X_H\n#define A_X_H\n\n#endif\n"


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """faults(check, {name: content}) -> what the check says."""
    def run(check, files):
        monkeypatch.chdir(tmp_path)
        for name, content in files.items():
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "w") as f:
                f.write(content)
        return check(sorted(files), str(tmp_path), False)[0]
    return run


@pytest.mark.parametrize("line,bad", [
    ("x = strcpy(a, b);", True), ("x = sprintf (a);", True),
    ("p = malloc(3);", True), ("free(p);", True),
    ("x = buf_strcpy(a);", False), ("/* strcpy(a) */", False),
    ('puts("strcpy(a)");', False), ("xfree(p);", False),
    ("s->free(p);", False),
])
def test_banned_functions(faults, line, bad):
    assert bool(faults(text.banned_functions, {"mail/a.c": line})) == bad


def test_allocation_in_lib(faults):
    assert not faults(text.banned_functions, {"lib/a.c": "p = malloc(3);"})


@pytest.mark.parametrize("name,header,bad", [
    ("lib/a.c", "mail/x.h", True), ("lib/a.c", "lib/x.h", False),
    ("mail/a.c", "directory/dir_client.h", True),
    ("gateway/a.c", "directory/dir_client.h", False),
    ("gateway/a.c", "directory/ldap.h", True),
    ("gateway/a.c", "store/reader.h", True),
    ("imap/a.c", "store/reader.h", False),
    ("supervisor/a.c", "store/x.h", True),
    ("tests/unit/a.c", "store/log.h", False),
])
def test_layering(faults, name, header, bad):
    got = faults(text.layering, {name: '#include "%s"\n' % header})
    assert bool(got) == bad


def test_machine_paths(faults):
    place = "/" + "work/main"
    assert faults(text.machine_paths, {"a.c": "cd %s/x\n" % place})
    assert not faults(text.machine_paths, {"a.c": "cd /var/lib/x\n"})


@pytest.mark.parametrize("content,bad", [
    (HEADER, False), (HEADER.replace("A_X", "X"), False),
    (HEADER.replace("A_X", "A_Y"), True), (HEADER[len("/* x - what"):], True),
])
def test_header_guards(faults, content, bad):
    assert bool(faults(text.header_guards, {"a/x.h": content})) == bad


@pytest.mark.parametrize("name,content,bad", [
    ("a.py", "def f(:\n", True), ("a.py", "x = 1\n", False),
    ("a", "#!/bin/sh\nif true; then\n", True),
    ("a", "#!/bin/sh\nexit 0\n", False),
    ("b", "#!/usr/bin/python3\n(\n", True),
])
def test_scripts(faults, name, content, bad):
    assert bool(faults(text.scripts_parse, {name: content})) == bad


@pytest.mark.parametrize("content", ["int x; \n", "int x;", "int x;\r\n"])
def test_whitespace(faults, content):
    assert faults(text.whitespace, {"a.c": content})
    assert not faults(text.whitespace, {"a.c": "int x;\n"})


def test_format(faults):
    assert not faults(tools.clang_format, {"a.c": "int x;\n"})
    assert faults(tools.clang_format, {"a.c": "int   x ;\n"})


def test_modes(faults):
    assert faults(text.modes, {"a": "#!/bin/sh\nexit 0\n"})
    assert not faults(text.modes, {"a": "text\n"})
    os.chmod("a", 0o755)
    assert faults(text.modes, {"a": "text\n"})
