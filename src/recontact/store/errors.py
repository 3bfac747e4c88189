"""What can be wrong with a database before it serves."""

from recontact.messages import RecontactError


class DatabaseError(RecontactError):
    """The database cannot be opened as it is; the text says why and what to do."""


class AddressError(DatabaseError):
    """What was given is no address of a database."""
