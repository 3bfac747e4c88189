"""Staff, their passwords and sessions, and the set-up link: in the store, and by command."""

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from commands import run_here
from conftest import QUICK, RECONTACT, clean_environ
from sqlalchemy import Connection, select

from recontact.model import Site
from recontact.store import keys, open_store, saved, staff, tables
from recontact.store.staff import PASSWORDS, Role, Staff, StaffError
from recontact.store.tables import to_seconds

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse"
KEPT = QUICK.hash(PASSWORD)


@pytest.fixture
def connection(database: Path) -> Iterator[Connection]:
    with (
        closing(open_store(f"sqlite:///{database}", now=lambda: NOW)) as store,
        store.begin() as connection,
    ):
        yield connection


@pytest.fixture
def site(connection: Connection) -> Site:
    return keys.find_site(connection, None)


@pytest.fixture
def ana(connection: Connection, site: Site) -> Staff:
    return staff.add(connection, site, "Ana", "admin", KEPT, NOW)


def another(
    connection: Connection, site: Site, username: str = "Ben", role: str = "agent"
) -> Staff:
    return staff.add(connection, site, username, role, KEPT, NOW)


def sign_in(connection: Connection, one: Staff, at: datetime = NOW) -> str:
    return staff.sign_in(connection, one, at, address="192.0.2.1", agent="Firefox")


# -- passwords -----------------------------------------------------------------------------------


def test_a_password_is_kept_by_argon2id_and_each_time_with_another_salt() -> None:
    once, twice = PASSWORDS.hash(PASSWORD), PASSWORDS.hash(PASSWORD)

    # RFC 9106 §4, the second recommended option.
    assert once.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert once != twice
    assert PASSWORD not in once
    assert PASSWORDS.matches(PASSWORD, once)
    assert not PASSWORDS.matches(PASSWORD + " ", once)
    assert not PASSWORDS.matches(PASSWORD, "no hash at all")


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        pytest.param("x" * 9, False, id="one character too few"),
        pytest.param("x" * 10, True, id="the shortest"),
        pytest.param("x" * 1_024, True, id="the longest"),
        pytest.param("x" * 1_025, False, id="one character too many"),
        pytest.param(" " * 10, True, id="blanks, there is no other rule"),
        pytest.param("\ud800" * 10, False, id="no text"),
    ],
)
def test_a_password_has_10_to_1024_characters(password: str, is_taken: bool) -> None:
    if is_taken:
        assert QUICK.matches(password, QUICK.hash(password))
    else:
        with pytest.raises(StaffError):
            QUICK.hash(password)


def test_a_password_is_the_same_however_a_keyboard_composes_it() -> None:
    kept = QUICK.hash("caf\u00e9 au lait")

    assert QUICK.matches("cafe\u0301 au lait", kept)
    assert not QUICK.matches("cafe au lait", kept)


MARKS = "a" + "\u0301" * 100_000 + "\u0316" * 100_000  # to compose them takes minutes


def test_nothing_that_is_too_long_is_composed(
    connection: Connection, site: Site, ana: Staff
) -> None:
    assert not QUICK.matches(MARKS, ana.password)
    with pytest.raises(StaffError, match="characters"):
        QUICK.hash(MARKS)
    assert staff.named(connection, MARKS) == []


# -- who there is --------------------------------------------------------------------------------


def test_a_name_is_taken_in_whatever_case_and_on_its_own_site_only(
    connection: Connection, site: Site, ana: Staff
) -> None:
    number = keys.add_site(connection, "Harbour", "Australia/Sydney", NOW)
    harbour = keys.find_site(connection, str(number))

    with pytest.raises(StaffError, match="already"):
        another(connection, site, " aNA ")
    there = another(connection, harbour, "ana", "viewer")

    assert there.staff_id != ana.staff_id
    assert [one.site for one in staff.named(connection, "ANA")] == [site.site, number]
    assert staff.named(connection, "ANA", harbour) == [there]
    assert [one.username for one in staff.everyone(connection, site)] == ["Ana"]


@pytest.mark.parametrize(
    "username",
    ["Command line", "the command line", "You", "ME", "somebody", "nobody", "Key 1", "key 12, erp"],
)
def test_nobody_can_be_taken_for_whom_a_timeline_calls_so(
    connection: Connection, site: Site, username: str
) -> None:
    with pytest.raises(StaffError, match="calls somebody else"):
        another(connection, site, username)


@pytest.mark.parametrize("username", ["Keys", "key", "Key West", "Youssef", "mel", "nobody2"])
def test_a_name_that_only_looks_so_is_taken(
    connection: Connection, site: Site, username: str
) -> None:
    assert another(connection, site, username).username == username


@pytest.mark.parametrize("username", ["", "  ", "x" * 101, "a\nb", "a\u202eb", "a\x00b"])
def test_a_username_can_be_seen_whole(connection: Connection, site: Site, username: str) -> None:
    with pytest.raises(StaffError, match="username"):
        another(connection, site, username)


def test_there_are_three_roles_and_each_may_what_those_before_it_may(
    connection: Connection, site: Site
) -> None:
    with pytest.raises(StaffError, match="viewer, agent, admin"):
        another(connection, site, role="root")

    may = {(one.value, other.value): one.may(other) for one in Role for other in Role}
    assert [pair for pair, is_so in may.items() if not is_so] == [
        ("viewer", "agent"), ("viewer", "admin"), ("agent", "admin"),
    ]  # fmt: skip


def test_who_was_revoked_comes_back_with_another_password_as_who_they_were(
    connection: Connection, site: Site, ana: Staff
) -> None:
    ben = another(connection, site)
    token = sign_in(connection, ben)
    for one in (ana, ben):
        saved.save_view(connection, site.site, one.staff_id, saved.SavedView("mine", "/?who=me"))
    staff.revoke(connection, ben, NOW)

    assert staff.signed_in(connection, token, NOW) is None
    assert saved.saved_views(connection, site.site, ben.staff_id) == []
    assert len(saved.saved_views(connection, site.site, ana.staff_id)) == 1
    assert staff.named(connection, "ben") == []
    with pytest.raises(StaffError, match="'Ben'"):
        staff.find(connection, site, "Ben")
    again = staff.add(connection, site, "ben", "viewer", QUICK.hash("another horse"), NOW)

    assert (again.staff_id, again.role) == (ben.staff_id, Role.VIEWER)
    assert not QUICK.matches(PASSWORD, again.password)
    assert staff.signed_in(connection, token, NOW) is None


@pytest.mark.parametrize("change", ["revoke", "set_role"])
def test_the_last_admin_stays_one(
    connection: Connection, site: Site, ana: Staff, change: str
) -> None:
    def let_go() -> None:
        if change == "revoke":
            staff.revoke(connection, ana, NOW)
        else:
            staff.set_role(connection, ana, "agent")

    another(connection, site, "Ben", "agent")
    gone = another(connection, site, "Gone", "admin")
    staff.revoke(connection, gone, NOW)
    with pytest.raises(StaffError, match="last admin"):
        let_go()
    staff.set_role(connection, ana, "admin")  # which they are
    another(connection, site, "Cara", "admin")
    let_go()


# -- sessions ------------------------------------------------------------------------------------


def test_of_a_token_only_the_digest_is_kept(connection: Connection, ana: Staff) -> None:
    token = sign_in(connection, ana)

    ((digest, *_),) = connection.execute(select(tables.session)).fetchall()
    assert len(token) == 43
    assert digest == staff.digest_of(token) != token.encode()
    signed = staff.signed_in(connection, token, NOW)
    assert signed is not None
    assert (signed.staff.username, signed.site.name) == ("Ana", "Shop")
    assert staff.signed_in(connection, token + "x", NOW) is None


@pytest.mark.parametrize(
    ("used", "asked", "is_valid"),
    [
        pytest.param({}, {"hours": 11, "minutes": 59}, True, id="idle for less than 12 hours"),
        pytest.param({}, {"hours": 12}, False, id="idle for 12 hours"),
        pytest.param({"hours": 11}, {"hours": 22}, True, id="used in between"),
        pytest.param({"days": 13, "hours": 20}, {"days": 13, "hours": 23}, True, id="14 days old"),
        pytest.param({"days": 13, "hours": 20}, {"days": 14}, False, id="over 14 days old"),
    ],
)
def test_a_session_ends_when_it_is_idle_or_old(
    connection: Connection, ana: Staff, used: Any, asked: Any, is_valid: bool
) -> None:
    token = sign_in(connection, ana)
    if used:
        at = NOW + timedelta(**used)
        staff.seen(connection, staff.digest_of(token), at, forget=False)

    found = staff.signed_in(connection, token, NOW + timedelta(**asked))
    assert (found is not None) == is_valid
    listed = staff.sessions(connection, ana.staff_id, NOW + timedelta(**asked))
    assert len(listed) == is_valid


def test_sessions_that_are_over_are_swept_out_at_a_login(
    connection: Connection, ana: Staff
) -> None:
    for _ in range(3):
        sign_in(connection, ana)

    sign_in(connection, ana, NOW + timedelta(hours=13))

    assert len(connection.execute(select(tables.session)).fetchall()) == 1


def test_another_password_and_a_revocation_end_all_sessions_of_that_person_alone(
    connection: Connection, site: Site, ana: Staff
) -> None:
    ben = another(connection, site)
    others = sign_in(connection, ana)

    for end in (
        lambda: staff.set_password(connection, ben, KEPT),
        lambda: staff.sign_out_everywhere(connection, ben),
        lambda: staff.revoke(connection, ben, NOW),
    ):
        tokens = [sign_in(connection, ben) for _ in range(2)]
        assert all(staff.signed_in(connection, token, NOW) for token in tokens)
        end()
        assert not any(staff.signed_in(connection, token, NOW) for token in tokens)
    assert staff.signed_in(connection, others, NOW)


def test_a_session_that_was_left_to_somebody_revoked_lets_nobody_in(
    connection: Connection, ana: Staff
) -> None:
    token = sign_in(connection, ana)
    connection.execute(tables.staff.update().values(revoked_at=to_seconds(NOW)))

    assert staff.signed_in(connection, token, NOW) is None


def test_one_session_can_end_alone(connection: Connection, ana: Staff) -> None:
    one, other = sign_in(connection, ana), sign_in(connection, ana)

    staff.sign_out(connection, one)

    assert staff.signed_in(connection, one, NOW) is None
    assert staff.signed_in(connection, other, NOW) is not None


def test_a_role_counts_from_the_next_request_on(
    connection: Connection, site: Site, ana: Staff
) -> None:
    token = sign_in(connection, another(connection, site))

    staff.set_role(connection, staff.find(connection, site, "Ben"), "viewer")

    signed = staff.signed_in(connection, token, NOW)
    assert signed is not None
    assert signed.staff.role is Role.VIEWER


def test_a_login_whose_password_was_compared_before_a_change_is_too_late(
    connection: Connection, site: Site, ana: Staff
) -> None:
    ben = another(connection, site)
    staff.set_password(connection, ben, QUICK.hash("another horse"))
    with pytest.raises(StaffError):
        sign_in(connection, ben)
    ben = staff.find(connection, site, "Ben")
    staff.revoke(connection, ben, NOW)
    with pytest.raises(StaffError):
        sign_in(connection, ben)


# -- the set-up link -----------------------------------------------------------------------------


def test_a_set_up_link_is_for_sites_that_never_had_staff(
    connection: Connection, site: Site, ana: Staff
) -> None:
    keys.add_site(connection, "Harbour", "UTC", NOW)

    links = staff.new_setup_links(connection, NOW)

    assert list(links) == ["Harbour"]
    found = staff.to_set_up(connection, links["Harbour"], NOW)
    assert found is not None
    assert found.name == "Harbour"
    assert staff.to_set_up(connection, "x" * 43, NOW) is None


def test_a_set_up_link_ends_after_a_day_with_a_new_one_and_with_the_first_login(
    connection: Connection, site: Site
) -> None:
    (first,) = staff.new_setup_links(connection, NOW).values()
    almost, later = NOW + timedelta(hours=23, minutes=59), NOW + timedelta(hours=24)
    assert staff.to_set_up(connection, first, almost)
    assert staff.to_set_up(connection, first, later) is None

    (second,) = staff.new_setup_links(connection, NOW).values()
    assert staff.to_set_up(connection, first, NOW) is None
    assert staff.to_set_up(connection, second, NOW)

    one = another(connection, site, role="admin")
    assert staff.to_set_up(connection, second, NOW) is None
    assert connection.execute(select(tables.setup)).fetchall() == []
    # Nor is one taken that was made while somebody was let in.
    late = {"site": site.site, "digest": staff.digest_of("late"), "created_at": to_seconds(NOW)}
    connection.execute(tables.setup.insert().values(late))
    assert staff.to_set_up(connection, "late", NOW) is None
    # Nor does it come back with the last of them gone.
    connection.execute(
        tables.staff.update().values(revoked_at=1).where(tables.staff.c.staff_id == one.staff_id)
    )
    assert staff.new_setup_links(connection, NOW) == {}


def test_follow_up_types_are_a_sites_own(connection: Connection, site: Site) -> None:
    assert site.follow_up_types == ("Phone", "Email", "SMS", "Visit")

    keys.set_site(connection, site, follow_up_types=[" Phone ", "", "Fax", "Phone"])

    assert keys.find_site(connection, None).follow_up_types == ("Phone", "Fax")
    for wrong in (["x" * 51], ["a\nb"], [str(n) for n in range(51)]):
        with pytest.raises(keys.SiteSettingError):
            keys.set_site(connection, site, follow_up_types=wrong)


# -- by command ----------------------------------------------------------------------------------


def listed(database: Path) -> list[dict[str, str]]:
    done = run_here(database, "staff", "list", "--json")
    return msgspec.json.decode(done.out, type=list[dict[str, str]])


def journaled(database: Path) -> list[tuple[str, str | None, bytes | None]]:
    """Action, who and body of each entry of the journal, oldest first."""
    with (
        closing(open_store(f"sqlite:///{database}", now=lambda: NOW)) as store,
        store.begin() as connection,
    ):
        j, b = tables.journal.c, tables.journal_body.c
        rows = connection.execute(
            select(j.action, j.who, b.request_body)
            .join_from(tables.journal, tables.journal_body, j.request == b.request, isouter=True)
            .order_by(j.at, j.request)
        )
        return [tuple(row) for row in rows]


def test_staff_by_command(database: Path) -> None:
    """One story."""
    password = "a long password\n"
    create = ("staff", "create", "--username")
    done = run_here(database, *create, "Ana", "--role", "admin", stdin=password)
    assert (done.code, done.text) == (0, "Ana can log in to site Shop, as admin.\n")
    done = run_here(database, *create, "ben", "--role", "agent", stdin="too short\nx")
    assert (done.code, done.text) == (1, "")
    assert "10 to 1,024 characters" in done.err
    assert run_here(database, *create, "ben", "--role", "agent", stdin=password).code == 0
    done = run_here(database, *create, "BEN", "--role", "agent", stdin=password)
    assert done.code == 1
    assert "already" in done.err
    done = run_here(database, *create, "eve", "--role", "root", stdin=password)
    assert done.code == 1
    assert "viewer, agent, admin" in done.err

    done = run_here(database, "staff", "set", "--username", "ben", "--role", "viewer")
    assert done.text == "ben has the role viewer.\n"
    done = run_here(
        database, "staff", "set", "--username", "ben", "--password", stdin="another one\n"
    )
    assert done.text == "ben has a new password, and is logged out everywhere.\n"
    assert run_here(database, "staff", "set", "--username", "ben").code == 2
    done = run_here(database, "staff", "sign-out", "--username", "Ben")
    assert done.text == "ben is logged out everywhere (0).\n"
    done = run_here(database, "staff", "revoke", "--username", "ana")
    assert done.code == 1
    assert "last admin" in done.err
    assert run_here(database, "staff", "revoke", "--username", "ben").code == 0
    assert run_here(database, "staff", "revoke", "--username", "ben").code == 1

    assert [(one["username"], one["role"], one["state"]) for one in listed(database)] == [
        ("Ana", "admin", "valid"), ("ben", "viewer", "revoked"),
    ]  # fmt: skip
    assert "Ana" in run_here(database, "staff", "list").text
    entries = journaled(database)
    assert {who for _, who, _ in entries} == {"command line"}
    assert [action for action, _, _ in entries] == [
        "CreateStaff", "CreateStaff", "SetStaff", "SetStaff", "SignOutEverywhere", "RevokeStaff",
    ]  # fmt: skip
    assert b'{"Username":"ben","Role":null,"Password":true}' in [body for *_, body in entries]
    files = [one.read_bytes() for one in database.parent.glob(f"{database.name}*")]
    assert not any(text in file for file in files for text in (b"a long pass", b"another one"))


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(database: Path) -> None:
    def typed(*answers: str) -> tuple[int, str]:
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [*RECONTACT, "staff", "create", "--username", "ana", "--role", "admin",
             "--database", f"sqlite:///{database}"],
            cwd=database.parent,
            env=clean_environ(),
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )  # fmt: skip
        os.close(child)
        said = b""
        try:
            for answer, prompt in zip(answers, (b"Password: ", b"again: "), strict=True):
                while not said.endswith(prompt):
                    said += os.read(parent, 1_024)
                os.write(parent, f"{answer}\n".encode())
            while True:
                said += os.read(parent, 1_024)
        except OSError:  # it has ended
            pass
        os.close(parent)
        return process.wait(60), said.decode()

    code, said = typed("a long password", "a lang password")
    assert code == 1
    assert "not the same" in said
    assert listed(database) == []

    code, said = typed("a long password", "a long password")
    assert code == 0
    assert "a long password" not in said
    assert [one["username"] for one in listed(database)] == ["ana"]
