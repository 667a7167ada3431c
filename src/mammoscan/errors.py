class MammoscanError(Exception):
    """An error a user can act on.

    Its text is one line that names the thing, what was found, what was expected and what to do.
    """
