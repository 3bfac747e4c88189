"""Staff, their passwords and sessions, and the link that makes a site's first login."""

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from recontact.messages import RecontactError
from recontact.model import COMMAND_LINE, Site, fold
from recontact.store import tables
from recontact.store.keys import sites
from recontact.store.tables import to_instant, to_seconds
from recontact.values import quote

IDLE: Final = timedelta(hours=12)
"""How long a session lasts without a request."""
WHOLE: Final = timedelta(days=14)
"""How long a session lasts at all."""
SETUP_LASTS: Final = timedelta(hours=24)
"""How long a set-up link lasts."""
KEPT_FOR: Final = timedelta(minutes=15)
"""How long after a login the form that was filled in before it is kept."""
SHORTEST_PASSWORD: Final = 10
LONGEST_PASSWORD: Final = 1_024
LONGEST_USERNAME: Final = 100
_TAKEN: Final = re.compile(
    rf"(?:the )?{COMMAND_LINE}|me|you|somebody|nobody|everyone|key\s+\d+\b.*", re.DOTALL
)
"""What pages call others than staff, in lower case: nobody could tell who it was."""

_staff, _session, _setup = tables.staff.c, tables.session.c, tables.setup.c


class StaffError(RecontactError):
    """A name, a role or a password cannot be what was asked for, or there is no such person."""


class Role(StrEnum):
    """What a person may do in the panel; each may all that those before it may."""

    VIEWER = "viewer"
    AGENT = "agent"
    ADMIN = "admin"

    def may(self, needed: "Role | str") -> bool:
        """Whether this role is that one, or above it."""
        order = list(Role)
        return order.index(self) >= order.index(Role(needed))


@dataclass(frozen=True, slots=True)
class Staff:
    """
    One person who works for one site. Times are aware, in UTC.

    password: as Argon2 writes it, with its salt. revoked_at: they are let in no more.
    """

    staff_id: int
    site: int
    username: str
    role: Role
    password: str
    created_at: datetime
    revoked_at: datetime | None = None
    last_login_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """
    One person signed in with one browser. Times are aware, in UTC.

    digest: of the token that the browser has. agent: how the browser names itself. kept: a form
    that was filled in before the login, for the page at `kept_path`.
    """

    digest: bytes
    staff_id: int
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str
    kept_path: str | None = None
    kept: str | None = None


class SignedIn(NamedTuple):
    """Whose a session is."""

    session: Session
    staff: Staff
    site: Site


# -- passwords -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passwords:
    """
    Makes and compares what is kept of passwords: Argon2id (RFC 9106, its second choice).

    memory: KiB. With these a hash takes some 0.1 s, so never on the event loop.
    """

    passes: int = 3
    memory: int = 65_536
    lanes: int = 4

    def hash(self, password: str) -> str:
        """What is kept of a password; StaffError where it is too short or too long."""
        return str(self._hasher().hash(_checked(password)))

    def matches(self, password: str, kept: str) -> bool:
        """Whether a password is the one of which `kept` is kept."""
        from argon2.exceptions import InvalidHashError, VerificationError

        # One that is too long takes as long as another wrong one.
        plain = "" if len(password) > _NORMALISED else _plain(password)
        try:
            return bool(self._hasher().verify(kept, plain))
        except (VerificationError, InvalidHashError):
            return False

    def _hasher(self) -> Any:
        from argon2 import PasswordHasher  # takes 20 ms, and only a login needs it

        return PasswordHasher(self.passes, self.memory, self.lanes)


PASSWORDS: Final = Passwords()


_NORMALISED: Final = 2 * LONGEST_PASSWORD
"""Characters that are composed at most: Python takes the square of their number for marks."""


def _plain(password: str) -> str:
    """One text, however a keyboard composes its characters (NIST SP 800-63B §5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _checked(password: str) -> str:
    plain = password if len(password) > _NORMALISED else _plain(password)
    if not SHORTEST_PASSWORD <= len(plain) <= LONGEST_PASSWORD:
        raise StaffError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,} characters: "
            f"this one has {len(plain):,}."
        )
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise StaffError("That password is no text in UTF-8: choose another.") from None
    return plain


# -- who there is --------------------------------------------------------------------------------


def everyone(connection: Connection, site: Site | None = None) -> list[Staff]:
    """All staff, of that site or of all, revoked ones too, by site and name."""
    found = select(tables.staff).order_by(_staff.site, _staff.username_folded)
    if site is not None:
        found = found.where(_staff.site == site.site)
    return [_load(row) for row in connection.execute(found)]


def named(connection: Connection, username: str, site: Site | None = None) -> list[Staff]:
    """Who has that name, in whatever case, on that site or on any, but for those revoked."""
    if len(username) > 2 * LONGEST_USERNAME:  # nor is it folded: see `_NORMALISED`
        return []
    found = select(tables.staff).where(
        _staff.username_folded == fold(username.strip()), _staff.revoked_at.is_(None)
    )
    if site is not None:
        found = found.where(_staff.site == site.site)
    return [_load(row) for row in connection.execute(found.order_by(_staff.site))]


def find(connection: Connection, site: Site, username: str) -> Staff:
    """Who has that name on a site; StaffError where nobody has, or they are revoked."""
    for one in named(connection, username, site):
        return one
    raise StaffError(
        f"Nobody named {quote(username)} works for site {site.name}: recontact staff list shows "
        "who does."
    )


def _load(row: Any) -> Staff:
    return Staff(
        row.staff_id,
        row.site,
        row.username,
        Role(row.role),
        row.password,
        _instant(row.created_at),
        to_instant(row.revoked_at),
        to_instant(row.last_login_at),
    )


def _instant(seconds: int) -> datetime:
    moment = to_instant(seconds)
    assert moment is not None
    return moment


def add(
    connection: Connection, site: Site, username: str, role: str, password: str, now: datetime
) -> Staff:
    """
    Let a person in; who was revoked comes back under their name. password: as `Passwords` keep it.

    Set-up links of the site end. StaffError for a name that is taken or none, and for no role.
    """
    username = username.strip()
    if not username or len(username) > LONGEST_USERNAME or not username.isprintable():
        raise StaffError(
            f"A username has 1 to {LONGEST_USERNAME} characters that can be seen; "
            f"got {quote(username)}."
        )
    if _TAKEN.fullmatch(fold(username)):
        raise StaffError(f"The panel calls somebody else {quote(username)}: choose another.")
    if named(connection, username, site):
        raise StaffError(f"Somebody named {quote(username)} works here already: choose another.")
    values = {
        "username": username,
        "role": role_of(role),
        "password": password,
        "created_at": to_seconds(now),
        "revoked_at": None,
        "last_login_at": None,
    }
    key = and_(_staff.site == site.site, _staff.username_folded == fold(username))
    if not connection.execute(update(tables.staff).where(key).values(values)).rowcount:
        last = connection.execute(select(func.max(_staff.staff_id))).scalar() or 0
        connection.execute(
            insert(tables.staff).values(
                staff_id=last + 1, site=site.site, username_folded=fold(username), **values
            )
        )
    connection.execute(delete(tables.setup).where(_setup.site == site.site))
    return find(connection, site, username)


def role_of(text: str) -> Role:
    """The role of that name; StaffError says which there are."""
    try:
        return Role(text)
    except ValueError:
        raise StaffError(f"A role is {', '.join(Role)}; got {quote(text)}.") from None


def set_role(connection: Connection, one: Staff, role: str) -> None:
    """Give a person another role, from their next request on. StaffError for the last admin."""
    if role_of(role) is not Role.ADMIN:
        _keep_an_admin(connection, one)
    _change(connection, one, role=role)


def set_password(connection: Connection, one: Staff, password: str) -> None:
    """Give a person another password, as `Passwords` keep it; they are signed out everywhere."""
    _change(connection, one, password=password)
    sign_out_everywhere(connection, one)


def revoke(connection: Connection, one: Staff, now: datetime) -> None:
    """
    Let a person in no more, from now on. StaffError for the last admin.

    The views that they saved go: whoever is let in under that name again need not be them.
    """
    _keep_an_admin(connection, one)
    connection.execute(
        delete(tables.saved_view).where(tables.saved_view.c.staff_id == one.staff_id)
    )
    _change(connection, one, revoked_at=to_seconds(now))
    sign_out_everywhere(connection, one)


def _change(connection: Connection, one: Staff, **values: Any) -> None:
    key = _staff.staff_id == one.staff_id
    connection.execute(update(tables.staff).where(key).values(values))


def _keep_an_admin(connection: Connection, one: Staff) -> None:
    admins = select(_staff.staff_id).where(
        _staff.site == one.site, _staff.role == Role.ADMIN, _staff.revoked_at.is_(None)
    )
    if connection.execute(admins).scalars().all() == [one.staff_id]:
        raise StaffError(f"{one.username} is the last admin: make somebody else one first.")


# -- sessions ------------------------------------------------------------------------------------


def new_token() -> str:
    """A random token of 256 bits, for a session or a link."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """What is kept of a token: its SHA-256, since it is as random as that."""
    return hashlib.sha256(token.encode()).digest()


def sign_in(
    connection: Connection,
    one: Staff,
    now: datetime,
    *,
    address: str,
    agent: str,
    kept_path: str | None = None,
    kept: str | None = None,
) -> str:
    """
    Begin a session, and give its token. Sessions that are over are swept out.

    Raises StaffError when the person was revoked, or their password changed, after `one` was read.
    """
    still = select(_staff.staff_id).where(
        _staff.staff_id == one.staff_id,
        _staff.revoked_at.is_(None),
        _staff.password == one.password,
    )
    if connection.execute(still).scalar() is None:
        raise StaffError("The username or the password is not right.")
    connection.execute(delete(tables.session).where(_is_over(now)))
    _forget_forms(connection, now)
    _change(connection, one, last_login_at=to_seconds(now))
    token = new_token()
    connection.execute(
        insert(tables.session).values(
            digest=digest_of(token),
            staff_id=one.staff_id,
            created_at=to_seconds(now),
            seen_at=to_seconds(now),
            address=address,
            agent=agent[:200],
            kept_path=kept_path,
            kept=kept,
        )
    )
    return token


def _is_over(now: datetime) -> ColumnElement[bool]:
    return or_(
        _session.seen_at <= to_seconds(now - IDLE), _session.created_at <= to_seconds(now - WHOLE)
    )


def signed_in(connection: Connection, token: str, now: datetime) -> SignedIn | None:
    """Whose session a token is of; None: it is over, or the person is revoked."""
    kept = select(tables.session).where(_session.digest == digest_of(token), ~_is_over(now))
    if (row := connection.execute(kept).first()) is None:
        return None
    session = _load_session(row)
    whose = select(tables.staff).where(
        _staff.staff_id == session.staff_id, _staff.revoked_at.is_(None)
    )
    if (row := connection.execute(whose).first()) is None:
        return None
    one = _load(row)
    return SignedIn(session, one, sites(connection)[one.site])


def _load_session(row: Any) -> Session:
    digest, staff_id, created_at, seen_at, *others = row
    return Session(digest, staff_id, _instant(created_at), _instant(seen_at), *others)


def sessions(connection: Connection, staff_id: int, now: datetime) -> list[Session]:
    """A person's sessions that are not over, the one that was used last first."""
    found = (
        select(tables.session)
        .where(_session.staff_id == staff_id, ~_is_over(now))
        .order_by(_session.seen_at.desc(), _session.created_at.desc())
    )
    return [_load_session(row) for row in connection.execute(found)]


def seen(connection: Connection, digest: bytes, now: datetime, *, forget: bool) -> None:
    """Note that a session was used; forget: and let go of the form that it keeps."""
    kept = _NO_FORM if forget else {}
    connection.execute(
        update(tables.session)
        .where(_session.digest == digest)
        .values(seen_at=to_seconds(now), **kept)
    )
    _forget_forms(connection, now)


_NO_FORM: Final[dict[str, Any]] = {"kept": None, "kept_path": None}


def _forget_forms(connection: Connection, now: datetime) -> None:
    """Let go of the forms that are kept too long already, of whomever."""
    is_old = and_(_session.kept.is_not(None), _session.created_at <= to_seconds(now - KEPT_FOR))
    connection.execute(update(tables.session).where(is_old).values(_NO_FORM))


def sign_out(connection: Connection, token: str) -> None:
    """End the session of that token, if there is one."""
    connection.execute(delete(tables.session).where(_session.digest == digest_of(token)))


def sign_out_everywhere(connection: Connection, one: Staff) -> int:
    """End all sessions of a person; how many there were."""
    return connection.execute(
        delete(tables.session).where(_session.staff_id == one.staff_id)
    ).rowcount


# -- the first login -----------------------------------------------------------------------------


def new_setup_links(connection: Connection, now: datetime) -> dict[str, str]:
    """
    For each site that never had staff, by its name, the token of a new set-up link.

    Those given before end.
    """
    connection.execute(delete(tables.setup))
    had = set(connection.execute(select(_staff.site).distinct()).scalars())
    links = {}
    for site in sites(connection).values():
        if site.site not in had:
            links[site.name] = token = new_token()
            connection.execute(
                insert(tables.setup).values(
                    site=site.site, digest=digest_of(token), created_at=to_seconds(now)
                )
            )
    return links


def to_set_up(connection: Connection, token: str, now: datetime) -> Site | None:
    """The site whose first login a link makes; None: it is used, over, or there are staff."""
    found = connection.execute(
        select(_setup.site).where(
            _setup.digest == digest_of(token),
            _setup.created_at > to_seconds(now - SETUP_LASTS),
            ~select(_staff.staff_id).where(_staff.site == _setup.site).exists(),
        )
    ).scalar()
    return None if found is None else sites(connection)[found]
