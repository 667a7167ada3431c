import click


class MammoscanError(click.ClickException):
    """An error a user can act on.

    Its text is one line that names the thing, what was found, what was expected and what to do. Being Click's own
    kind of exception, ``kedro run`` prints that line and exits with status 1 instead of showing a traceback.
    """

    def __reduce__(self) -> tuple[type, tuple[str]]:
        """Pickle as the one message, so that the error survives the way back from another process."""
        return type(self), (self.message,)
