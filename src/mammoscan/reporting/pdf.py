"""A page as a PDF, printed by a browser that is on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mammoscan.atomic_write import write_whole
from mammoscan.errors import MammoscanError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SECONDS = 180


def find_browser() -> str | None:
    """Return the first Chromium on the path, under any of its names."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_pdf(page: Path, target: Path) -> Path:
    """Print a page to a PDF file, all folds open.

    Args:
        page: The HTML file.
        target: The PDF; a former one is replaced.

    Raises:
        MammoscanError: There is no Chromium, or it printed nothing.
    """
    browser = find_browser()
    if browser is None:
        raise MammoscanError(
            f"no browser that prints: found none of {', '.join(BROWSERS)} on the path; install Chromium, or open "
            f"{page} and print it"
        )
    # As root, in a container for example, Chromium refuses to start with its sandbox.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="mammoscan-pdf-") as profile, write_whole(target) as part:
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]
        command += ["--no-sandbox"] if is_root else []
        command += [f"--user-data-dir={profile}", f"--print-to-pdf={part.resolve()}", page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            said = done.stderr
        except subprocess.TimeoutExpired:
            said = f"it took longer than {SECONDS} s"
        except OSError as error:
            said = str(error)
        if not part.is_file() or not part.read_bytes().startswith(b"%PDF-"):
            reason = next(
                (line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing"
            )
            raise MammoscanError(f"{browser} printed no PDF of {page}: {reason}; open the page and print it")
    return target
