"""Runs random programs for a long time, and checks them against a ledger of their own.

`make soak ARGS="--messages 200000 --seed 7 --profile passivation"`. A failure prints the round that
reproduces it.
"""

import sys

from soak.command import main

if __name__ == "__main__":
    sys.exit(main())
