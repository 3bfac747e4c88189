"""The descriptions say what the server does: pages, samples, OpenAPI and XSD, held against it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, get_args

import httpx
import pytest
from conformance import check_answer, request_xsd, validator
from conftest import FORMATS, Neto, another_site, clean_environ, to_xml
from lxml import etree, html
from openapi_spec_validator import validate
from test_docs import ROOT, Block, Shell, normal
from test_messages import REACHED, message_of, strict  # noqa: F401  a fixture
from test_seed import VALUES, filled

from recontact.actions import ACTIONS
from recontact.catalogue import CATALOGUE
from recontact.config import Config
from recontact.describe import api_md, errors_md, evidence_md, index_md, openapi, xsd_files
from recontact.describe.errors_page import example
from recontact.describe.openapi import STATUSES
from recontact.describe.samples import LIVE_SAMPLES, SAFE_SAMPLES, SAMPLES, Sample
from recontact.describe.words import elements_of, evidence
from recontact.evidence import CONTRADICTIONS, KINDS, QUESTIONS, RULES, SOURCES
from recontact.fields import Element, Evidence, Fields, Shape
from recontact.messages import Format
from recontact.values import WrongValueError
from recontact.wire import Limits

SHAPES = [action.shape for action in ACTIONS.values()]
ALL_SAMPLES = SAMPLES + SAFE_SAMPLES + LIVE_SAMPLES
PAGES = {"": index_md, "api": api_md, "errors": errors_md, "evidence": evidence_md}


def by_action(shape: Shape) -> str:
    return shape.action


def by_title(sample: Sample) -> str:
    return sample.title


def test_what_is_checked_in_is_what_is_generated() -> None:
    command = [sys.executable, ROOT / "tools/docs.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


# -- XSD and OpenAPI -----------------------------------------------------------------------------


def test_every_action_has_a_pair_of_xsd_that_compile() -> None:
    files = xsd_files()

    pairs = {f"{name}{suffix}.xsd" for name in ACTIONS for suffix in ("", "Response")}
    assert files.keys() == pairs | {"NetoAPIResponse.xsd"}
    for text in files.values():
        etree.XMLSchema(etree.fromstring(text.encode()))


def test_openapi_is_valid_and_has_each_action_at_a_path_of_its_own() -> None:
    description = openapi()

    validate(description)
    own = {f"/{name}/do/WS/NetoAPI" for name in ACTIONS}
    assert description["paths"].keys() == own | {"/do/WS/NetoAPI"}
    for path in own:
        header, *_ = description["paths"][path]["post"]["parameters"]
        assert path.startswith(f"/{header['schema']['enum'][0]}/")


def test_openapi_has_the_headers_of_handling_where_an_action_writes() -> None:
    description = openapi()
    components = description["components"]

    for path, methods in description["paths"].items():
        writes = not path.startswith("/Get")
        _, *asked = methods["post"]["parameters"]
        names = [components["parameters"][one["$ref"].split("/")[-1]]["name"] for one in asked]
        assert names == (["Idempotency-Key", "Prefer", "Recontact-Dry-Run"] if writes else [])
        answered = methods["post"]["responses"]["200"]["headers"].keys()
        done = {"Idempotency-Replayed", "Preference-Applied", "Recontact-Dry-Run"}
        assert answered & done == (done if writes else set())
        assert "422" in methods["post"]["responses"]


def test_openapi_has_each_http_status_with_its_messages() -> None:
    statuses = {entry.http_status for entry in CATALOGUE.values()}

    assert STATUSES.keys() == statuses
    description = openapi()
    for path in description["paths"].values():
        assert {int(status) for status in path["post"]["responses"]} == statuses
    for status in statuses - {200}:
        text = description["components"]["responses"][f"Refused{status}"]["description"]
        codes = {entry.code for entry in CATALOGUE.values() if entry.http_status == status}
        assert set(re.findall(r"\b[A-Z]{2}\d{3}\b", text)) == codes


def request(action: str, facts: dict[str, str]) -> dict[str, Any]:
    """A call of an action that writes, with one item."""
    tree: Any = [facts]
    for wrapper in reversed(ACTIONS[action].shape.path):
        tree = {wrapper: tree}
    return tree


def is_described(action: str, tree: dict[str, Any], xml: bytes | None = None) -> bool:
    """Whether the XSD and the JSON Schema take a request; they must agree."""
    json_says = validator(f"{action}Request").is_valid(tree)
    document = etree.fromstring(xml or to_xml(action, tree))
    assert request_xsd(action).validate(document) is json_says
    return json_says


@pytest.mark.parametrize(
    ("action", "element", "text", "good"),
    [
        ("UpdateCustomerLog", "FollowUpType", "x" * 50, True),
        ("UpdateCustomerLog", "FollowUpType", "x" * 51, False),
        ("UpdateCustomerLog", "FollowUpType", "\U0001f4de" * 50, True),
        ("UpdateCustomerLog", "FollowUpType", "", True),
        ("UpdateCustomerLog", "AllocatedTo", "x" * 101, False),
        ("AddCustomerLog", "AllocatedTo", "x" * 101, True),
        ("UpdateCustomerLog", "LogID", "1", True),
        ("UpdateCustomerLog", "LogID", "0", False),
        ("UpdateCustomerLog", "LogID", "9999999999", True),
        ("UpdateCustomerLog", "LogID", "10000000000", False),
        ("UpdateCustomerLog", "LogID", "1.0", False),
        ("UpdateCustomerLog", "LogID", "\u0661", False),
        ("UpdateCustomerLog", "Status", "Require Recontact", True),
        ("UpdateCustomerLog", "Status", "", True),
        ("UpdateCustomerLog", "Status", "Done", False),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23 07:30:00", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23 07:30:00(UTC)", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23 07:30:00 (UTC)", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23T07:30:00", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23T07:30:00.1234567Z", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23T07:30:00+1100", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23T07:30:00-11:00", True),
        ("UpdateCustomerLog", "LastContacted", "", True),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23 07:30", False),
        ("UpdateCustomerLog", "LastContacted", "2026-13-23", False),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23T24:00:00", False),
        ("UpdateCustomerLog", "LastContacted", "2026-11-23T07:30:00.12345678Z", False),
        ("UpdateCustomerLog", "LastContacted", "23.11.2026", False),
        ("UpdateCustomer", "CreditLimit", "-12.50", True),
        ("UpdateCustomer", "CreditLimit", "", True),
        ("UpdateCustomer", "CreditLimit", "1e3", False),
        ("UpdateCustomer", "CreditLimit", ".5", False),
        ("UpdateCustomer", "Active", "True", True),
        ("UpdateCustomer", "Active", "perhaps", False),
        ("UpdateCustomer", "Gender", "", True),
        ("UpdateCustomer", "DateOfBirth", "1980-02-29", True),
    ],
)
def test_what_is_described_is_read_and_what_is_refused_is_not_described(
    action: str, element: str, text: str, good: bool
) -> None:
    field = ACTIONS[action].shape.item[element]
    needed = {"UpdateCustomerLog": {"LogID": "1"}, "UpdateCustomer": {"Username": "bob"}}

    try:
        field.wire.type.read(text)
        read = True
    except WrongValueError:
        read = False

    assert read is good
    assert is_described(action, request(action, needed.get(action, {}) | {element: text})) is good


def test_the_sample_of_the_seed_is_as_described() -> None:
    values = VALUES | {"LogID": "1"}
    without_status = {name: value for name, value in values.items() if name != "Status"}

    xml = filled("xml", without_status)
    tree = json.loads(filled("json", values))

    assert b"<Status></Status>" in xml
    assert is_described("UpdateCustomerLog", tree, xml)


TIME = '"CurrentTime":"2026-11-23 07:30:00"'
TIME_ELEMENT = "<CurrentTime>2026-11-23 07:30:00</CurrentTime>"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f'{{{TIME},"Ack":"Fine"}}', id="another Ack"),
        pytest.param('{"CurrentTime":"2026-11-23T07:30:00","Ack":"Success"}', id="another time"),
        pytest.param('{"Ack":"Success"}', id="no time"),
        pytest.param(f"{{{TIME}}}", id="no Ack"),
        pytest.param(f'{{"CustomerLog":[{{"LogID":1}}],{TIME},"Ack":"Success"}}', id="a number"),
        pytest.param(f'{{"CustomerLog":[{{"Notes":"x"}}],{TIME},"Ack":"Success"}}', id="no LogID"),
        pytest.param(f'{{{TIME},"Ack":"Success","Extra":"x"}}', id="one more"),
        pytest.param(f'{{{TIME},"Ack":"Error","Messages":{{"Error":[]}}}}', id="an empty list"),
        pytest.param(f"<UpdateCustomerLog>{TIME_ELEMENT}<Ack>Fine</Ack></UpdateCustomerLog>"),
        pytest.param(f"<UpdateCustomerLog>{TIME_ELEMENT}</UpdateCustomerLog>"),
        pytest.param(f"<ActionResponse>{TIME_ELEMENT}<Ack>Success</Ack></ActionResponse>"),
        pytest.param(
            "<UpdateCustomerLog><CustomerLog><LogID>x</LogID></CustomerLog>"
            f"{TIME_ELEMENT}<Ack>Success</Ack></UpdateCustomerLog>"
        ),
        pytest.param(
            f"<UpdateCustomerLog>{TIME_ELEMENT}<Ack>Success</Ack><Messages><Error>"
            "<Message>Oops</Message></Error></Messages></UpdateCustomerLog>"
        ),
    ],
)
def test_an_answer_that_is_not_as_described_is_found_out(body: str) -> None:
    format = "json" if body.startswith("{") else "xml"

    with pytest.raises(AssertionError):
        check_answer("UpdateCustomerLog", format, body.encode(), 200)


# -- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", ALL_SAMPLES, ids=by_title)
def test_each_sample_is_on_the_page_and_as_described(sample: Sample) -> None:
    page = api_md()
    formats = (Format.JSON, Format.XML) if sample in SAMPLES else (Format.JSON,)
    for format in formats:
        assert sample.request(format) in page
        assert sample.answer(format) in page

    xml = sample.request(Format.XML).encode()
    is_wrong = any(message.code in ("CL009", "CL012", "CL042") for message in sample.messages)
    assert is_described(sample.action, json.loads(sample.request(Format.JSON)), xml) is not is_wrong
    for format in Format:
        check_answer(sample.action, format.value, sample.answer(format).encode(), 200)


def test_each_action_has_a_sample() -> None:
    assert {sample.action for sample in SAMPLES} == ACTIONS.keys()


def run(neto: Neto, sample: Sample, format: str) -> None:
    """Post a sample, to the path that OpenAPI has for its action, and compare the answer."""
    wire = Format(format)
    answer = neto.http.post(
        f"/{sample.action}/do/WS/NetoAPI",
        content=sample.request(wire).encode(),
        headers={
            "NETOAPI_ACTION": sample.action,
            "NETOAPI_KEY": neto.key,
            "Accept": "application/json" if format == "json" else "text/xml",
            **sample.headers,
        },
    )

    assert answer.status_code == 200
    assert normal(format, answer.text) == normal(format, sample.answer(wire))


@pytest.mark.parametrize("format", FORMATS)
def test_the_samples_answer_as_shown(neto: Neto, format: str) -> None:
    for sample in SAMPLES + SAFE_SAMPLES:
        run(neto, sample, format)


@pytest.mark.parametrize("format", FORMATS)
def test_the_samples_of_the_live_dialect_answer_as_shown(shared: Neto, format: str) -> None:
    with another_site(shared, "UTC", dialect="live") as site:
        for sample in LIVE_SAMPLES:
            run(site, sample, format)


def blocks(page: str, language: str) -> list[Block]:
    return [
        Block("", page[: found.start()].count("\n") + 1, language, found[1])
        for found in re.finditer(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    ]


@pytest.fixture
def shell(neto: Neto) -> Shell:
    return Shell(neto.url, clean_environ(KEY=neto.key, PYTHONUTF8="1", no_proxy="127.0.0.1"))


def test_the_samples_in_curl_answer_as_shown(neto: Neto, shell: Shell) -> None:
    commands = iter([block for block in blocks(api_md(), "bash") if "curl" in block.text])

    for sample in SAMPLES:
        if sample.python:
            answered = shell.run(next(commands))
            assert normal("json", answered) == normal("json", sample.answer(Format.JSON))
        else:
            run(neto, sample, "json")
    for sample in SAFE_SAMPLES:
        command = next(commands)
        answered = shell.run(command)
        assert normal("json", answered) == normal("json", sample.answer(Format.JSON))
        if "Idempotency-Key" in sample.headers:
            assert shell.run(command) == answered

    assert next(commands, None) is None
    assert neto.log(1)["Status"] == "Recontacting"
    assert neto.log(3)["Status"] == "Require Recontact"


def test_the_samples_in_python_print_what_is_shown(neto: Neto, shell: Shell) -> None:
    function, *programs = blocks(api_md(), "python")
    printed = [block.text for block in blocks(api_md(), "text")]
    assert len(programs) == len(printed) == len([one for one in SAMPLES if one.python])

    for sample in SAMPLES:
        if sample.python:
            program = programs.pop(0)
            program.text = f"{function.text}\n{program.text}"
            assert shell.run(program) == printed.pop(0) == f"{sample.printed}\n"
        else:
            run(neto, sample, "json")


# -- the pages -----------------------------------------------------------------------------------


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next of its level or above."""
    level = heading.split(" ")[0]
    text = page.partition(f"\n{heading}\n")[2]
    assert text, heading
    return re.split(rf"^#{{1,{len(level)}}} ", text, flags=re.MULTILINE)[0]


def each(name: str) -> list[str]:
    """The names that `X1 to X50` stands for."""
    run = re.fullmatch(r"(\D+)(\d+) to \1(\d+)", name)
    return [f"{run[1]}{n}" for n in range(int(run[2]), int(run[3]) + 1)] if run else [name]


def rows(text: str) -> dict[str, list[list[str]]]:
    """The rows of all tables by their first cell."""
    found: dict[str, list[list[str]]] = {}
    for line in re.findall(r"^\| (.*) \|$", text, re.MULTILINE):
        first, *others = line.split(" | ")
        for name in each(first):
            found.setdefault(name, []).append(others)
    return found


def facts(shape: Shape) -> Iterator[tuple[str, Evidence]]:
    """Every element of an action, with where it comes from."""

    def within(fields: Fields) -> Iterator[tuple[str, Evidence]]:
        for name, field in fields.items():
            yield name, field.wire.evidence
            yield from within(field.parts)

    def inside(elements: Iterable[Element]) -> Iterator[tuple[str, Evidence]]:
        for one in elements:
            yield from ((part.name, evidence(part, shape)) for part in one.parts)
            yield from inside(one.parts)

    yield from within(shape.item)
    if shape.is_get:
        yield from ((name, one.wire.evidence) for name, one in shape.filters.items())
        yield from ((name, evidence(one, shape)) for name, one in shape.selectors.items())
        yield from inside(shape.selectors.values())


@pytest.mark.parametrize("shape", SHAPES, ids=by_action)
def test_the_page_has_each_element_with_its_evidence(shape: Shape) -> None:
    table = rows(section(api_md(), f"## {shape.action}"))

    for name, kind in facts(shape):
        assert any(row[-1].strip("*") == kind for row in table[name]), name


@pytest.mark.parametrize("shape", SHAPES, ids=by_action)
def test_the_page_of_evidence_has_each_element(shape: Shape) -> None:
    table = rows(section(evidence_md(), "## Elements"))[shape.action]

    named = {
        (where, kind): {name for one in names.split(", ") for name in each(one)}
        for where, kind, names in table
    }
    for name, field in shape.item.items():
        assert name in named["request", field.wire.evidence]
    for name, one in shape.filters.items():
        assert name in named["Filter", one.wire.evidence]
    for element in elements_of(shape):
        assert element.name in named["answer", evidence(element, shape)]


@pytest.mark.parametrize("code", CATALOGUE)
def test_each_message_has_its_section_with_cause_and_way_out(code: str) -> None:
    entry = CATALOGUE[code]

    text = section(errors_md(), f"## {code}")

    for said in (entry.text, entry.cause, entry.way_out, f"HTTP status {entry.http_status}"):
        assert said in text
    (shown,) = blocks(text, "json")
    ((severity, (message,)),) = json.loads(shown.text).items()
    assert message["SeverityCode"] == severity == entry.severity
    if entry.live:
        assert f"(#{entry.live.lower()})" in text


@pytest.mark.parametrize("code", sorted(REACHED))
def test_each_message_looks_as_its_section_shows(strict: Neto, code: str) -> None:  # noqa: F811
    answer = REACHED[code](strict)
    message = message_of(answer, code)

    def without_numbers(text: str) -> str:  # the limits of that server are others
        return re.sub(r"\d+(\.\d+)?", "…", text)

    shown = example(code)
    assert without_numbers(message["Message"]) == without_numbers(shown.text)
    if code != "RC011":  # in the words of libxml2
        assert without_numbers(message.get("Description", "")) == without_numbers(shown.description)


def test_the_page_of_evidence_has_each_rule_and_its_sources() -> None:
    page = evidence_md()

    assert KINDS.keys() == set(get_args(Evidence))
    used = set()
    for subject, rules in RULES.items():
        table = rows(section(page, f"### {subject}"))
        for rule in rules:
            assert table[rule.rule] == [[rule.evidence, ", ".join(rule.sources)]]
            used |= set(rule.sources)
            assert rule.rule.endswith(".")
    assert used <= SOURCES.keys()


def test_the_page_of_evidence_resolves_each_contradiction_and_question() -> None:
    page = evidence_md()

    assert [one.code for one in CONTRADICTIONS] == [f"C{n}" for n in range(1, 16)]
    assert len(QUESTIONS) == 19
    for said in [one.here for one in CONTRADICTIONS] + [one.question for one in QUESTIONS]:
        assert said in page


def test_the_page_names_the_limits_that_hold() -> None:
    page = " ".join(api_md().split())
    config, limits = Config(), Limits()

    assert f"up to {config.item_limit:,} items, {limits.values:,} values" in page
    assert f"{config.nesting_limit} levels and {config.body_limit // 2**20} MiB" in page
    assert f"within {config.request_timeout:.0f} seconds" in page
    assert f"up to {config.notes_limit:,} characters, a setting" in page


@pytest.mark.parametrize("name", PAGES)
def test_each_link_of_a_page_leads_to_a_file_or_a_heading(name: str) -> None:
    page = PAGES[name]()
    for target in re.findall(r"\]\(([^)\s]+)\)", page):
        file, _, anchor = target.partition("#")
        text = (ROOT / "docs" / file).read_text("utf-8") if file else page
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        slugs = [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings]
        assert not anchor or anchor in slugs, target


# -- served --------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.mark.parametrize("name", PAGES)
def test_the_served_page_holds_the_same_text(shared: Neto, name: str) -> None:
    answer = shared.http.get(f"/docs/{name}".rstrip("/"))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    main = html.fromstring(answer.text).get_element_by_id("text")
    for link in main.iterfind(".//a[@class='anchor']"):
        link.drop_tree()
    markdown = re.sub(r"<!--.*?-->|\]\([^)]*\)|^```\w+$|\| --- .*", " ", PAGES[name](), flags=re.M)
    assert words(main.text_content()) == words(markdown.replace("**", "").replace("*", ""))


def addresses(shared: Neto) -> dict[str, httpx.Response]:
    """Every page that can be reached from the first of them, by its links."""
    found: dict[str, httpx.Response] = {}
    left = ["/docs"]
    while left:
        path = left.pop()
        if path in found:
            continue
        answer = found[path] = shared.http.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            tree = html.fromstring(answer.text)
            targets = [*tree.xpath("//a/@href"), *tree.xpath("//link[@rel='stylesheet']/@href")]
            left += [target.partition("#")[0] or path for target in targets]
    return found


def test_every_link_of_the_served_pages_leads_somewhere(shared: Neto) -> None:
    found = addresses(shared)

    assert found.pop("/").headers["location"] == "/login"  # of the panel, which others look at
    assert {answer.status_code for answer in found.values()} == {200}
    files = {f"/assets/api/{name}" for name in xsd_files()}
    others = {
        "/docs",
        "/openapi.json",
        "/assets/docs.css",
        *(f"/docs/{n}" for n in PAGES if n),
    }
    assert found.keys() == files | others
    for path, answer in found.items():
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        if answer.headers["content-type"].startswith("text/html"):
            tree = html.fromstring(answer.text)
            assert tree.xpath("//script | //style | //*[@style]") == []
            assert len(tree.xpath("//h1")) == 1
            levels = [int(heading.tag[1]) for heading in tree.xpath("//h1 | //h2 | //h3")]
            assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
            ids = tree.xpath("//@id")
            assert len(ids) == len(set(ids))
            for target in tree.xpath("//a/@href"):
                where, _, anchor = target.partition("#")
                text = found[where or path].text if where != "/" else ""
                assert not anchor or html.fromstring(text).xpath(f"//*[@id='{anchor}']"), target


def test_the_xsd_and_openapi_that_are_served_are_those_checked_in(shared: Neto) -> None:
    for name, text in xsd_files().items():
        answer = shared.http.get(f"/assets/api/{name}")
        assert answer.headers["content-type"] == "application/xml"
        assert answer.text == text
    answer = shared.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))


@pytest.mark.parametrize("path", ["/docs/api", "/openapi.json", "/assets/docs.css"])
def test_what_did_not_change_is_not_sent_again(shared: Neto, path: str) -> None:
    first = shared.http.get(path)

    again = shared.http.get(path, headers={"If-None-Match": first.headers["etag"]})
    other = shared.http.get(path, headers={"If-None-Match": '"another"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert other.content == first.content


@pytest.mark.parametrize(
    "path", ["/docs/", "/docs/why", "/assets/x.css", "/assets/../docs.css", "/assets/api/x.xsd"]
)
def test_another_address_is_not_found(shared: Neto, path: str) -> None:
    answer = shared.http.get(path, follow_redirects=False)

    assert answer.status_code == 404
