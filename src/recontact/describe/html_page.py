"""A page in HTML, of the same Markdown that is checked in. Imported only when one is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from recontact.describe import markdown

_PLACES: Final = (
    # Where the server has what a link of the Markdown leads to.
    ("xsd/", "/assets/api/"),
    ("openapi.json", "/openapi.json"),
    ("api.md", "/docs/api"),
    ("errors.md", "/docs/errors"),
    ("evidence.md", "/docs/evidence"),
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that the contents list."""

    level: int
    anchor: str
    text: str


def html_page(text: str, path: str, pages: Mapping[str, str]) -> str:
    """
    The page of that Markdown.

    path: where it is served. pages: what the bar on top links to, by path.
    """
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    tokens = parser.parse(text.removeprefix(markdown.NOTE))
    title, contents = _finish(tokens)
    body = parser.renderer.render(tokens, parser.options, {})
    links = "".join(
        f'<a href="{where}"{" aria-current=page" * (where == path)}>{escape(name)}</a>'
        for where, name in pages.items()
    )
    return _HTML.format(
        title=escape(title if title == "recontact" else f"{title} · recontact"),
        links=links,
        layout="page" if contents else "plain",
        contents=_list(contents) if contents else "",
        body=body,
    )


def _finish(tokens: Sequence[Token]) -> tuple[str, list[Heading]]:
    """Give headings their anchors and links their places; the title, and the headings below it."""
    title = ""
    headings: list[Heading] = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following:
            text = "".join(child.content for child in following.children or ())
            level = int(token.tag[1:])
            title = title or text
            if level > 1:
                heading = Heading(level, markdown.anchor(text), text)
                token.attrSet("id", heading.anchor)
                headings.append(heading)
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _place(str(child.attrGet("href"))))
    return title, headings


def _place(href: str) -> str:
    for start, place in _PLACES:
        if href.startswith(start):
            return place + href[len(start) :]
    return href


def _list(headings: Sequence[Heading]) -> str:
    """The contents: what is below a heading stands in a list within it."""
    parts = []
    for heading, following in zip(headings, [*headings[1:], Heading(2, "", "")], strict=True):
        deeper = following.level - heading.level
        end = "<ul>" if deeper > 0 else "</li>" + "</ul></li>" * -deeper
        parts.append(f'<li><a href="#{heading.anchor}">{escape(heading.text)}</a>{end}')
    return f'<nav class="contents" aria-label="Contents"><ul>{"".join(parts)}</ul></nav>'


class _Renderer(RendererHTML):
    """HTML in which wide tables and code scroll by themselves, also by keyboard."""

    def table_open(self, *args: Any) -> str:
        return '<div class="table" role="group" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, *args: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<pre tabindex="0"><code>{escape(tokens[idx].content, quote=False)}</code></pre>\n'

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        anchor = tokens[idx - 2].attrGet("id")
        link = f' <a class="anchor" href="#{anchor}" aria-label="Link to here">#</a>'
        return f"{link if anchor else ''}</{tokens[idx].tag}>\n"


_HTML: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/assets/docs.css">
<link rel="icon" href="data:,">
</head>
<body>
<a class="skip" href="#text">Skip to the text</a>
<header><a class="home" href="/">recontact</a>{links}</header>
<div class="{layout}">
{contents}
<main id="text">
{body}</main>
</div>
</body>
</html>
"""
