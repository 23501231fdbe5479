"""The command, called in the tests' own process."""

from typer.testing import CliRunner

from manyheads.cli import app


def call(*arguments: object, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr
