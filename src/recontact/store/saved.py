"""The views of the queue that people save: a name for an address."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from recontact.messages import RecontactError
from recontact.store.tables import saved_view

MOST: Final = 30
"""Views of one person."""
LONGEST_NAME: Final = 50

_view = saved_view.c


class SavedViewError(RecontactError):
    """A view cannot be saved so."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """An address of the queue, and how a person calls it."""

    name: str
    address: str


def saved_views(connection: Connection, site: int, staff_id: int) -> list[SavedView]:
    """A person's views, by name."""
    found = select(_view.name, _view.address).where(_of(site, staff_id))
    return [SavedView(*row) for row in connection.execute(found.order_by(_view.name))]


def save_view(connection: Connection, site: int, staff_id: int, view: SavedView) -> None:
    """Save a view; the one of that name before is gone. Raises SavedViewError."""
    if not view.name or len(view.name) > LONGEST_NAME:
        raise SavedViewError(f"A view's name has 1 to {LONGEST_NAME} characters.")
    forget_view(connection, site, staff_id, view.name)
    number = select(func.count()).select_from(saved_view).where(_of(site, staff_id))
    if connection.execute(number).scalar_one() >= MOST:
        raise SavedViewError(f"You have {MOST} views: remove one first.")
    values = {"site": site, "staff_id": staff_id, "name": view.name, "address": view.address}
    connection.execute(insert(saved_view).values(**values))


def forget_view(connection: Connection, site: int, staff_id: int, name: str) -> None:
    """Remove the view of that name, if there is one."""
    connection.execute(delete(saved_view).where(_of(site, staff_id), _view.name == name))


def _of(site: int, staff_id: int) -> ColumnElement[bool]:
    return and_(_view.site == site, _view.staff_id == staff_id)
