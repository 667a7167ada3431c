"""Write docs/reference/commands.md from the help of ``mammoscan`` and its commands.

Run ``python docs/make_commands.py`` after a change to them; a test compares the page with what this writes.
"""

from __future__ import annotations

from pathlib import Path

from mammoscan.commands import main

PAGE = Path(__file__).resolve().parent / "reference" / "commands.md"
INTRO = """\
# Commands

<!-- Written by docs/make_commands.py: change src/mammoscan/commands.py instead. -->

`kedro run --pipeline NAME` runs a pipeline; `kedro registry list` names them. What is around it:
"""


def write_page() -> str:
    """Write the whole page."""
    parts = [INTRO.strip()]
    # A width of its own, so that the page does not depend on the terminal.
    context = main.make_context("mammoscan", [], resilient_parsing=True, terminal_width=100)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        text = "\n".join(line.rstrip() for line in command.get_help(inner).splitlines())
        parts.append(f"## `mammoscan {name}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
