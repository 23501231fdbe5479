"""Are many heads better than one? Train several language tasks on one shared encoder, and compare it with one each."""

__version__ = "0.1.0"
