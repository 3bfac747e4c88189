"""What Chromium sees of the panel: when it paints a page, what shifts, and what it asks for."""

import statistics
from pathlib import Path
from typing import Any, Final

PAGES: Final = ("/", "/logs/1?from=/")
_VISITS: Final = 9
"""Browsers that have seen nothing yet, each of which opens a page twice."""
_CHROMIUM: Final = Path("/usr/bin/chromium")
"""The system's, where it has one; else the one that Playwright installed."""

_SEEN: Final = """
() => new Promise(tell => {
  let shift = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) shift += one.value; })
    .observe({ type: 'layout-shift', buffered: true });
  const asked = ['navigation', 'resource']
    .flatMap(type => performance.getEntriesByType(type))
    .filter(one => one.transferSize > 0);
  const look = () => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    if (!paint) return setTimeout(look, 50);
    tell({
      paint: paint.startTime,
      shift,
      requests: asked.length,
      bytes: asked.reduce((sum, one) => sum + one.transferSize, 0),
    });
  };
  setTimeout(look, 300);
})
"""
"""Shifts are told to whoever observes them later; 0.3 s after the load none comes any more."""


def paint(port: int, session: str) -> dict[str, dict[str, float]]:
    """
    What is seen of each page on the first visit, and on the next: paint (ms), shift, requests,
    bytes. The medians of some visits, and the largest shift.
    """
    from playwright.sync_api import sync_playwright

    url = f"http://127.0.0.1:{port}"
    cookie: Any = {"name": "recontact", "value": session, "url": url}
    seen: dict[str, list[dict[str, float]]] = {}
    with sync_playwright() as playwright:
        own = _CHROMIUM if _CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox"])
        for _ in range(_VISITS):
            for path in PAGES:
                context = browser.new_context()
                context.add_cookies([cookie])
                page = context.new_page()
                page.set_default_timeout(60_000)
                for visit in ("first", "again"):
                    page.goto(url + path, wait_until="load")
                    seen.setdefault(f"{path} {visit}", []).append(page.evaluate(_SEEN))
                    page.goto("about:blank")
                context.close()
        browser.close()
    return {
        name: {
            what: (max if what == "shift" else statistics.median)(one[what] for one in visits)
            for what in visits[0]
        }
        for name, visits in seen.items()
    }
