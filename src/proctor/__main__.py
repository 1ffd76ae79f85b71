"""`python -m proctor`, the same as `proctor`."""

from proctor.cli import main

main()
