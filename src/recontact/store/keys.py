"""Sites and keys: made, listed, changed, revoked. All run in the caller's transaction."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Connection, insert, select, update

from recontact.messages import RecontactError
from recontact.model import Dialect, Key, Site
from recontact.store import tables
from recontact.store.errors import SiteSettingError
from recontact.store.tables import to_instant, to_seconds
from recontact.values import quote

PREFIX: Final = "rk_"
RIGHTS: Final = ("read", "write")


class SiteUnknownError(RecontactError):
    """No site has that name or number, or none was named and there are several."""


class KeyUnknownError(RecontactError):
    """No key has that number."""


def digest_of(key: str) -> bytes:
    """What is kept of a key: its SHA-256. A random key of 256 bits needs no slow hash."""
    return hashlib.sha256(key.encode()).digest()


def new_key() -> str:
    """A random key of 256 bits; the prefix lets people and scanners see what it is."""
    return PREFIX + secrets.token_urlsafe(32)


def add_site(
    connection: Connection,
    name: str,
    zone: str,
    now: datetime,
    *,
    dialect: str = Dialect.DOCUMENTED,
    cors_origins: Iterable[str] = (),
) -> int:
    """Add a site and give its number; SiteSettingError for what it cannot be."""
    settings = _site_settings(
        connection, None, name=name, zone=zone, dialect=dialect, cors_origins=cors_origins
    )
    last = connection.execute(
        select(tables.site.c.site).order_by(tables.site.c.site.desc()).limit(1)
    ).scalar()
    number = (last or 0) + 1
    connection.execute(
        insert(tables.site).values(site=number, created_at=to_seconds(now), **settings)
    )
    return number


def set_site(connection: Connection, site: Site, **changed: Any) -> None:
    """
    Change settings of a site, those that are not None: name, zone, dialect, cors_origins,
    follow_up_types.

    A running server takes them up within a second. SiteSettingError for what it cannot be.
    """
    if settings := _site_settings(connection, site, **changed):
        connection.execute(
            update(tables.site).where(tables.site.c.site == site.site).values(settings)
        )


_ORIGIN: Final = re.compile(r"https?://[^\s/?#,]+")


def _site_settings(connection: Connection, site: Site | None, **sent: Any) -> dict[str, str]:
    """The settings that were sent, as the table has them."""
    settings = {name: value for name, value in sent.items() if value is not None}
    if (name := settings.get("name")) is not None:
        settings["name"] = name = name.strip()
        others = {one.name.casefold() for one in sites(connection).values() if one != site}
        if not name or len(name) > 100 or name.isdecimal() or not name.isprintable():
            raise SiteSettingError(
                "A site's name has 1 to 100 characters and is not just a number, which would be "
                f"taken for the site's number; got {quote(name)}."
            )
        if name.casefold() in others:
            raise SiteSettingError(f"There is a site {name} already: choose another name.")
    if (zone := settings.get("zone")) is not None and zone not in available_timezones():
        raise SiteSettingError(
            f"There is no time zone {quote(zone)}: give one of the IANA names, Australia/Sydney."
        )
    if (dialect := settings.get("dialect")) is not None and dialect not in tuple(Dialect):
        raise SiteSettingError(f"A site's dialect is {' or '.join(Dialect)}; got {quote(dialect)}.")
    if (origins := settings.get("cors_origins")) is not None:
        settings["cors_origins"] = " ".join(origins)
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise SiteSettingError(
                    f"{quote(origin)} is no origin: give scheme and host alone, as browsers send "
                    "them: https://shop.example."
                )
    if (types := settings.get("follow_up_types")) is not None:
        types = list(dict.fromkeys(one.strip() for one in types if one.strip()))
        settings["follow_up_types"] = "\n".join(types)
        for one in types:
            if len(one) > 50 or not one.isprintable():
                raise SiteSettingError(
                    "A follow-up type has at most 50 characters that can be seen; got "
                    f"{quote(one)}."
                )
        if len(types) > 50:
            raise SiteSettingError(f"A site has at most 50 follow-up types; got {len(types)}.")
    return settings


def first_site(connection: Connection, now: datetime) -> Site:
    """The first site there is; made, in UTC, where there is none."""
    known = sites(connection)
    if not known:
        add_site(connection, "Shop", "UTC", now)
        known = sites(connection)
    return next(iter(known.values()))


def sites(connection: Connection) -> dict[int, Site]:
    """All sites by their number."""
    rows = connection.execute(select(tables.site).order_by(tables.site.c.site))
    return {
        row.site: Site(
            row.site,
            row.name,
            ZoneInfo(row.zone),
            Dialect(row.dialect),
            frozenset(row.cors_origins.split()),
            tuple(row.follow_up_types.splitlines()),
        )
        for row in rows
    }


def find_site(connection: Connection, name: str | None) -> Site:
    """The site of that name or number; without one, the only site there is."""
    known = sites(connection)
    if name is None:
        if len(known) == 1:
            return next(iter(known.values()))
        if not known:
            raise SiteUnknownError(
                "There is no site in this database yet: is it the one that the server serves? Name "
                "that with --database."
            )
        names = ", ".join(site.name for site in known.values())
        raise SiteUnknownError(f"There are several sites: say which with --site ({names}).")
    for site in known.values():
        if name in (site.name, str(site.site)):
            return site
    names = ", ".join(site.name for site in known.values())
    raise SiteUnknownError(f"There is no site {name}. There is {names or 'none yet'}.")


def add_key(
    connection: Connection,
    site: Site,
    key: str,
    *,
    now: datetime,
    username: str | None = None,
    may: Iterable[str] = RIGHTS,
    expires_at: datetime | None = None,
) -> int:
    """Keep a key (its digest) and give its number."""
    added = connection.execute(
        insert(tables.key)
        .values(
            site=site.site,
            digest=digest_of(key),
            # Of a key of ours 4 of 43 characters; of one that somebody made up, none.
            hint=key[:7] if key.startswith(PREFIX) and len(key) > 40 else "",
            username=username,
            may=",".join(may),
            created_at=to_seconds(now),
            expires_at=to_seconds(expires_at),
        )
        .returning(tables.key.c.key_id)
    )
    return int(added.scalar_one())


def keys(connection: Connection) -> dict[bytes, Key]:
    """All keys, revoked and expired ones too, by their digest."""
    known = sites(connection)
    rows = connection.execute(select(tables.key).order_by(tables.key.c.key_id))
    return {
        row.digest: Key(
            key_id=row.key_id,
            site=known[row.site],
            hint=row.hint,
            username=row.username,
            may=frozenset(row.may.split(",")),
            created_at=datetime.fromtimestamp(row.created_at, UTC),
            expires_at=to_instant(row.expires_at),
            revoked_at=to_instant(row.revoked_at),
            last_used_at=to_instant(row.last_used_at),
        )
        for row in rows
    }


def revoke_key(connection: Connection, key_id: int, now: datetime) -> None:
    """Let the key in no more; KeyUnknownError when there is none, or it is revoked already."""
    done = connection.execute(
        update(tables.key)
        .where(tables.key.c.key_id == key_id, tables.key.c.revoked_at.is_(None))
        .values(revoked_at=to_seconds(now))
    )
    if not done.rowcount:
        raise KeyUnknownError(f"There is no valid key {key_id}: recontact key list shows them.")
