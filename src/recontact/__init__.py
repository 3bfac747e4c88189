"""recontact: the customer logs of a Neto shop, as a server that anyone can run."""

from typing import Final

__version__: Final = "0.1.0"
