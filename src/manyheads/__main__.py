"""The console command, also as `python -m manyheads`. Signals are heard before anything large is imported."""

from manyheads.training.signals import StopSignals


def main() -> None:
    """Hear signals, then load the commands."""
    StopSignals().__enter__()  # it is the one of the command
    from manyheads.cli import main as command

    command()


if __name__ == "__main__":
    main()
