import pytest
from rich.console import Console

from mammoscan import progress
from mammoscan.progress import show_progress


def test_it_says_nothing_where_the_output_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with show_progress("train fold 1 of 5") as advance:
        advance(1, 2, "loss 0.7")
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_the_title_how_far_it_is_and_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    with show_progress("train fold 1 of 5") as advance:
        advance(3, 7, "loss 0.7")
    shown = terminal.file.getvalue()
    assert "train fold 1 of 5" in shown
    assert "3/7" in shown
    assert "loss 0.7" in shown


def test_an_error_within_it_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), show_progress("x"):
        raise ZeroDivisionError
