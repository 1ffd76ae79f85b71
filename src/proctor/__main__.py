"""The command `proctor`, also as `python -m proctor`."""

import signal

# An interrupted import would print where it was. `main` takes Ctrl-C over when it can answer it.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from proctor.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
