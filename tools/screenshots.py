"""
Make the pictures in docs/img/: a server on a shop that was made up, and a Chromium that visits it.

Needs the packages of the tests. A page that cannot be shown is passed over, and told at the end.
"""

import argparse
import itertools
import json
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import uvicorn
from sqlalchemy import update

from recontact import actions, wire
from recontact.actions import Handling, Writing
from recontact.clock import SYSTEM, Clock, new_request_id
from recontact.config import Config
from recontact.messages import Format, Reply
from recontact.model import JournalEntry
from recontact.protocol import protocol_class
from recontact.server import create_app
from recontact.store import keys, open_store, staff, tables

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES: Final = Path(__file__).parents[1] / "docs" / "img"
MOST: Final = 200_000
"""Bytes of a picture."""
ZONE: Final = ZoneInfo("Australia/Sydney")
MORNING: Final = datetime(2026, 11, 23, 10, 4, tzinfo=ZONE)
"""When the pictures are taken, each time: a Monday."""
HOST: Final = "logs.cornerstore.example"
DESK: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}
CHROMIUM: Final = Path("/usr/bin/chromium")

LATE: Final = """
12 | Marsh & Daughters Interiors | Email | Require Recontact | | 21
   | Wool samples for six armchairs: have they arrived?
 9 | Harriet Lund | Phone | Recontacting | Ana | 16
   | Oak table rocks on a level floor. Wants a fitter, not a parcel
 6 | Hotel Verbena | Email | Require Recontact | Ben | 10
   | 24 bedside tables, walnut or ash? Sends a floor plan first
 5 | Ignatius Okoro | SMS | Recontacting | Ana | 9
   | Delivery slot for the corner sofa: lift is 198 cm wide
 4 | St Brannoc's School | Phone | Require Recontact | | 13
   | Library shelving, needs the invoice split over two budgets
 3 | Wren & Tully Architects | Visit | Recontacting | Priya | 5
   | Bring veneer swatches and the 1:20 drawing of the reception desk
 2 | Delphine Achterberg | Email | Recontacting | Ana | 4
   | Refund of the second lamp, then a note that it is done
 2 | Dockside Rowing Club | Phone | Require Recontact | Ben | 19
   | Trophy cabinet: glass doors or open? Committee met on Thursday
 1 | Café Lumière | Email | Require Recontact | |
   | Two of twelve terrace stools came in the wrong green
 1 | Mirela Costin | Phone | Recontacting | Ana | 2
   | Measured the stairs: the wardrobe has to come in two parts
 1 | Oliver Quayle | Email | Require Recontact | Priya | 8
   | Two quotes for the same bed: which one holds?
 7 | Rosa Vantongeren | Phone | Recontacting | Ana | 7
   | Wants to see the linen in daylight
"""
"""
The follow-ups that are late, beside Bob Stone's: days late, customer, type, status, allocated to,
last contacted so many days ago; and notes. Rosa's is put off in the first picture.
"""
OTHERS: Final = (
    "Kestrel Dental", "Aldo Ferrante", "Greenbank Library", "Nadia Haddad", "Tidewater Yoga",
    "Ruth Pemberton", "Bellbird Bakery", "Samuel Adeyemi", "The Long Room", "Ingrid Solheim",
    "Parkside Veterinary", "Tomasz Wilk", "Lantern Books", "Grace Obi", "Harbour Chambers",
)  # fmt: skip
ASKED: Final = (
    "Waiting room bench, confirm vinyl colour before the cut",
    "Six dining chairs, same as in March",
    "Wants a price for delivery to the second floor",
    "Desk lamp flickers: replacement sent?",
    "Asked whether the bookcase comes in oak",
    "Trade account: needs the form again",
    "Sofa bed for a flat of 38 square metres",
    "Quote for eight stools, leather or vinyl",
)
UPCOMING: Final = {0: 7, 1: 3, 2: 6, 3: 5, 4: 6, 7: 9, 9: 6, 14: 5}
"""How many follow-ups are required so many days from now."""


class Story:
    """A new shop in a new database, whose past is written as if at its times: `now`."""

    def __init__(self, url: str) -> None:
        self.now = MORNING.astimezone(UTC)
        self.store = open_store(url, now=lambda: self.now)
        self._names, self._notes = itertools.cycle(OTHERS), itertools.cycle(ASKED)
        with self.store.begin() as connection:
            keys.add_site(connection, "Corner Store Furniture", ZONE.key, self.now)
            self.site = keys.find_site(connection, None)

    def at(self, days: int, hour: int, minute: int) -> None:
        """Go on to that time, so many days after this morning."""
        moment = MORNING.replace(hour=hour, minute=minute) + timedelta(days=days)
        self.now = moment.astimezone(UTC)

    def write(self, action: str, *items: dict[str, Any], who: str = "", key: int = 0) -> list[int]:
        """Let somebody do that in the panel, or a program with a key; the LogIDs of new logs."""
        one = actions.ACTIONS[action]
        assert isinstance(one, Writing)
        body = json.dumps({"CustomerLogs": {"CustomerLog": items}}).encode()
        entry = JournalEntry(
            site=self.site.site,
            request=new_request_id(self.now),
            at=self.now,
            key_id=key,
            action=action,
            format="json" if key else "panel",
            address="203.0.113.7",
            http_status=200,
            ack="Success",
            items=len(items),
            request_length=len(body),
            request_body=body,
            who=who or None,
        )

        def encode(reply: Reply) -> bytes:
            assert not reply.messages, reply.messages
            return wire.encode(reply, Format.JSON, self.now)

        call = wire.decode(body, one.shape)
        work = actions.writing(one, call, self.site, entry, encode, lambda: 0.004, Handling())
        answer = json.loads(self.store.write(work).body)
        return [int(log["LogID"]) for log in answer.get("CustomerLog", [])]

    def key(self, username: str, may: list[str], **ago: int) -> int:
        """Make a key that was last used so long ago, and give its number."""
        with self.store.begin() as connection:
            number = keys.add_key(
                connection, self.site, keys.new_key(), now=self.now, username=username, may=may
            )
            used = int((MORNING - timedelta(**ago)).timestamp())
            this = tables.key.c.key_id == number
            connection.execute(update(tables.key).where(this).values(last_used_at=used))
        return number

    def someone(self, **elements: str) -> dict[str, str]:
        """A log of somebody about something."""
        return {"CustomerName": next(self._names), "Notes": next(self._notes)} | elements

    def staff(self) -> str:
        """Let the staff in; the token of a session of Ana's."""
        with self.store.begin() as connection:
            for username, role in (("Ana", "admin"), ("Ben", "agent"), ("Priya", "agent")):
                # Nobody logs in with a password here.
                staff.add(connection, self.site, username, role, "", self.now)
            ana = staff.find(connection, self.site, "Ana")
            return staff.sign_in(connection, ana, self.now, address="203.0.113.7", agent="")


def day(days: int) -> str:
    """The day so many days after this morning's."""
    return (MORNING.date() + timedelta(days=days)).isoformat()


def tell(story: Story) -> None:
    """What happened in the shop until this morning."""
    story.at(-292, 11, 20)
    website = story.key("website", ["write"], minutes=4)
    erp = story.key("erp-sync", ["read", "write"], hours=10, minutes=24)
    story.at(-96, 15, 2)
    story.key("stock-mailer", ["write"], minutes=64)

    story.at(-30, 9, 0)
    lines = [[one.strip() for one in line.split("|")] for line in LATE.strip().splitlines()]
    for (late, name, kind, status, who, spoken), (_, notes) in zip(
        lines[::2], lines[1::2], strict=True
    ):
        log = {
            "CustomerName": name, "Notes": notes, "FollowUpType": kind, "Status": status,
            "AllocatedTo": who, "DateRequiredFollowUp": day(-int(late)),
        }  # fmt: skip
        if spoken:
            log["LastContacted"] = f"{day(-int(spoken))} 05:10:00"
        story.write("AddCustomerLog", log, key=website)
    kinds = itertools.cycle(("Phone", "Email", "Visit"))
    people = itertools.cycle(("Ana", "", "Ben"))
    for days, number in UPCOMING.items():
        for _ in range(number):
            log = story.someone(FollowUpType=next(kinds), AllocatedTo=next(people))
            story.write("AddCustomerLog", log | {"DateRequiredFollowUp": day(days)}, key=website)
    story.write("AddCustomerLog", *(story.someone() for _ in range(5)), key=website)
    done = (story.someone(Status="Completed") for _ in range(23))
    story.write("AddCustomerLog", *done, key=website)

    story.at(-12, 11, 47)
    bob = {"CustomerName": "Bob Stone", "FollowUpType": "Email"}
    (log_id,) = story.write("AddCustomerLog", bob | {"Notes": "Asked for a quote"}, key=website)

    def of_bob(who: str = "", key: int = 0, **elements: str) -> None:
        story.write("UpdateCustomerLog", {"LogID": log_id} | elements, who=who, key=key)

    story.at(-12, 14, 2)
    notes = "Asked for a quote on 40 chairs, call after 2 pm"
    of_bob("Ben", Notes=notes, LastContacted=f"{day(-12)} 03:02:00")
    story.at(-5, 16, 20)
    of_bob("Ben", DateRequiredFollowUp=day(-3))
    story.at(-1, 23, 40)
    of_bob(key=erp, AllocatedTo="Ana", FollowUpType="Phone")
    story.at(0, 9, 12)
    of_bob("Ana", Status="Recontacting")
    story.now = MORNING.astimezone(UTC)


@contextmanager
def serving(path: Path) -> Iterator[tuple[int, str]]:
    """A server on that shop, in this process: its port, and the token of a session of Ana's."""
    config = Config(database=f"sqlite:///{path}")
    story = Story(config.database)
    with closing(story.store):
        tell(story)
        token = story.staff()
    began = SYSTEM.elapsed()

    def now() -> datetime:
        return story.now + timedelta(seconds=SYSTEM.elapsed() - began)

    with (
        closing(open_store(config.database, now=now, serves=True)) as store,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(store, config, Clock(now=now)),
                http=protocol_class(config),
                log_config=None,
                proxy_headers=False,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                sleep(0.02)
            yield listener.getsockname()[1], token
        finally:
            server.should_exit = True
            thread.join()


# -- the pictures --------------------------------------------------------------------------------


def queue(page: "Page") -> None:
    """The queue, after one was put off, with the next one in focus."""
    page.goto(f"http://{HOST}/")
    rosa = page.get_by_role("row").filter(has_text="Rosa Vantongeren")
    if rosa.count():
        rosa.hover()
        rosa.get_by_role("button", name="Tomorrow").click()
        page.get_by_text("moved to tomorrow").wait_for()
    page.get_by_role("row").filter(has_text="Bob Stone").get_by_role("button", name="Done").focus()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")


def phone(page: "Page") -> None:
    """The queue, under a thumb."""
    page.goto(f"http://{HOST}/")
    page.get_by_role("row").filter(has_text="Bob Stone").wait_for()


def log(page: "Page") -> None:
    """One log, with what was said just now filled in."""
    page.goto(f"http://{HOST}/")
    page.get_by_role("link", name="Bob Stone").click()
    page.get_by_label("What happened?").fill(
        "Wants 40 in beech, stackable. Quote by Wednesday, he decides with his brother on Friday."
    )
    page.get_by_role("radio", name="Reached").check()


def key(page: "Page") -> None:
    """A new key, shown once."""
    page.goto(f"http://{HOST}/keys")
    page.get_by_label("For", exact=True).fill("warehouse")
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("NETOAPI_KEY").wait_for()


PICTURES: Final[dict[str, tuple[Callable[["Page"], None], dict[str, Any]]]] = {
    "queue-light": (queue, {"viewport": DESK, "color_scheme": "light"}),
    "queue-dark": (queue, {"viewport": DESK, "color_scheme": "dark"}),
    "log-light": (log, {"viewport": DESK, "color_scheme": "light"}),
    "queue-phone": (phone, {"viewport": PHONE, "has_touch": True, "is_mobile": True}),
    "keys-light": (key, {"viewport": DESK, "color_scheme": "light"}),
}
"""Each picture: how to come to it, and in what browser."""


def take(browser: "Browser", token: str, name: str, folder: Path) -> None:
    """Take one picture. Raises what says that it is not worth showing."""
    come, options = PICTURES[name]
    context = browser.new_context(**options, locale="en-AU", reduced_motion="reduce")
    try:
        cookie = {"name": "recontact", "value": token, "url": f"http://{HOST}"}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.set_default_timeout(5_000)
        come(page)
        picture = page.screenshot()
        if len(picture) > MOST:
            raise ValueError(f"{len(picture):,} bytes are more than {MOST:,}")
        (folder / f"{name}.png").write_bytes(picture)
        print(f"{name}.png: {len(picture):,} bytes")
    finally:
        context.close()


def main() -> None:
    """Take all pictures, or those that are named."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(PICTURES)}; none: all")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where they go")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    failed = []
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "shop.db") as (port, token),
        sync_playwright() as playwright,
    ):
        own = CHROMIUM if CHROMIUM.exists() else None
        to_us = f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{port}"
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox", to_us])
        for name in wanted.names or PICTURES:
            try:
                take(browser, token, name, wanted.folder)
            except Exception as error:  # the others are worth having
                failed.append(name)
                print(f"{name}.png: {str(error).splitlines()[0]}", file=sys.stderr)
        browser.close()
    if failed:
        sys.exit(f"Not taken: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
