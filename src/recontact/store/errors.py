"""What can be wrong with a database before it serves, and with the settings kept in it."""

from recontact.messages import RecontactError


class DatabaseError(RecontactError):
    """The database cannot be opened as it is; the text says why and what to do."""


class AddressError(DatabaseError):
    """What was given is no address of a database."""


class SiteSettingError(RecontactError):
    """A setting of a site has a value that it cannot have."""
