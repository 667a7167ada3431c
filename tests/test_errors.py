import pickle

import click

from mammoscan.errors import MammoscanError


def test_an_error_survives_the_way_back_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(MammoscanError("mdb001.pgm: found 3 bytes")))
    assert type(error) is MammoscanError
    assert error.message == "mdb001.pgm: found 3 bytes"


def test_a_command_prints_an_error_in_one_line_and_fails() -> None:
    from click.testing import CliRunner

    @click.command()
    def fail() -> None:
        raise MammoscanError("mias.source is '/x': nothing there")

    result = CliRunner().invoke(fail)
    assert result.exit_code == 1
    assert result.output == "Error: mias.source is '/x': nothing there\n"
