"""`python -m recontact`: the same as the command `recontact`."""

from recontact.cli import main

main()
