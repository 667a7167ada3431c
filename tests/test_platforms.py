"""What macOS and Windows lack is asked for before it is used; this is read from the code, on any system."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mammoscan import atomic_write
from projects import ROOT

UNIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}
UNIX_CALLS = {
    *("killpg", "fork", "sync", "setsid", "geteuid", "getuid", "mkfifo", "sysconf", "posix_fallocate"),
    *("sched_getaffinity", "posix_fadvise", "sendfile"),
}
FILES = sorted((ROOT / "src").rglob("*.py"))


def find_calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT / "src").as_posix())
def test_a_module_runs_on_every_system(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in tree.body:
        names = (
            {alias.name for alias in node.names}
            if isinstance(node, ast.Import)
            else {node.module}
            if isinstance(node, ast.ImportFrom)
            else set()
        )
        assert not names & UNIX_MODULES, "import it where it is used, and go on without it"
    for call in find_calls(tree):
        function = call.func
        if not isinstance(function, ast.Attribute):
            continue
        if isinstance(function.value, ast.Name) and function.value.id == "os" and function.attr in UNIX_CALLS:
            guards = (
                f'hasattr(os, "{function.attr}")',
                "except (AttributeError",
                "except (ValueError, AttributeError",
            )
            assert any(guard in text for guard in guards), f"os.{function.attr}"
        if function.attr in ("read_text", "write_text"):
            assert any(word.arg == "encoding" for word in call.keywords), f"line {call.lineno}: no encoding"


@pytest.mark.parametrize(
    ("platform", "flags"), [("linux", os.O_RDONLY), ("darwin", os.O_RDONLY), ("win32", os.O_RDWR)]
)
def test_a_file_is_synced_as_the_system_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, flags: int
) -> None:
    opened = []
    system_open = os.open

    def note(path: Path, used: int, *rest: int) -> int:
        opened.append((path, used))
        return system_open(path, used, *rest)

    file = tmp_path / "a.txt"
    file.touch()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(atomic_write.os, "open", note)
    atomic_write.sync_file(file)
    atomic_write.sync_file(tmp_path)
    assert opened == [(file, flags)] + ([] if platform == "win32" else [(tmp_path, flags)])
