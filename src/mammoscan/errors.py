import click

from mammoscan.safe_text import make_printable


class MammoscanError(click.ClickException):
    """An error a user can act on.

    Its text is one line that names the thing, what was found, what was expected and what to do. Being Click's own
    kind of exception, ``kedro run`` prints that line and exits with status 1 instead of showing a traceback.
    """

    def __init__(self, message: str) -> None:
        """Take the line; what would not be printed as it is, from a file's name for instance, is escaped."""
        super().__init__(make_printable(message))

    def __reduce__(self) -> tuple[type, tuple[str]]:
        """Pickle as the one message, so that the error survives the way back from another process."""
        return type(self), (self.message,)
