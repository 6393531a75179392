"""The program, as ``python -m metadrift``."""

from . import main

main()
