"""`python -m halescan` is the command line."""

from halescan.cli import main

main()
