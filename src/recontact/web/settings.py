"""What a shop can set of itself."""

import asyncio
from functools import lru_cache
from typing import Any, Final
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from recontact.model import Site
from recontact.store import keys
from recontact.store.errors import SiteSettingError
from recontact.web import words
from recontact.web.forms import Form
from recontact.web.panel import panel_of, person_of

NAMES: Final = {
    "name": "name",
    "zone": "time zone",
    "follow_up_types": "follow-up types",
    "dialect": "dialect",
    "cors_origins": "origins",
}
"""The settings, by their names in the form and in the store, in words."""
_AREAS: Final = {
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe",
    "Indian", "Pacific", "UTC",
}  # fmt: skip


async def settings(request: Request) -> Response:
    """The settings of the shop, in a form."""
    panel, site = panel_of(request), person_of(request).site
    if request.method != "POST":
        return await _page(request, request.state.kept or _form_of(site))
    form = await panel.form(request)
    # What this person changed: another may have changed something else meanwhile.
    changed: dict[str, Any] = {
        name: form.get(name) for name in NAMES if form.get(name) != form.get(f"was_{name}")
    }
    if not changed:
        return panel.redirect(request, "/settings", "Nothing was changed.")
    for name, split in (("follow_up_types", str.splitlines), ("cors_origins", str.split)):
        if name in changed:
            changed[name] = split(changed[name])
    try:
        await panel.administer(
            request, "SetSite", changed, lambda c: keys.set_site(c, site, **changed)
        )
    except SiteSettingError as error:
        return await _page(request, form, str(error))
    what = " and ".join(NAMES[name] for name in changed)
    return panel.redirect(request, "/settings", f"Saved: {what}.")


def _form_of(site: Site) -> Form:
    values = {
        "name": site.name,
        "zone": site.zone.key,
        "follow_up_types": "\n".join(site.follow_up_types),
        "dialect": site.dialect.value,
        "cors_origins": "\n".join(sorted(site.cors_origins)),
    }
    before = {f"was_{name}": value for name, value in values.items()}
    return Form.of((values | before).items())


async def _page(request: Request, form: Form, problem: str = "") -> Response:
    panel, site = panel_of(request), person_of(request).site
    return panel.render(
        request,
        "settings.html",
        422 if problem else 200,
        form=form,
        names=NAMES,
        problem=problem,
        zones=await asyncio.to_thread(zones),
        there=words.moment(panel.now, panel.now, site.zone).removeprefix("today "),
        days=panel.journal.days,
        size=size(panel.journal.size),
    )


@lru_cache
def zones() -> list[str]:
    """The time zones that have a place's name, and UTC. Looking for them takes 0.1 s."""
    return sorted(one for one in available_timezones() if one.partition("/")[0] in _AREAS)


def size(number: int) -> str:
    """So many bytes, in words: `10 GiB`."""
    value, unit = float(number), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1_024:
            break
        value, unit = value / 1_024, larger
    return f"{value:,.3g} {unit}" if value < 1_000 else f"{value:,.0f} {unit}"
