"""What the reference page says before it comes to the actions, and of the live dialect."""

from typing import Final

from recontact.describe.openapi import ADDRESS

URL: Final = f"http://127.0.0.1:8000{ADDRESS}"
"""The address in the samples: where `recontact serve` listens by default."""

BEGINNING: Final = """\
# The API

recontact keeps a shop's customers and its customer logs: whom you spoke to, what was said, and when
to call back. Programs reach them by the Neto API, which this page describes for people who have
never seen it. recontact is not made by Neto or Maropost.

For programs: [openapi.json](openapi.json), and an XSD of each action's requests and answers. For
people: [every error and warning](errors.md), and [where each rule comes from](evidence.md)."""

CALL: Final = f"""\
## A call

Everything is a `POST` to one address, `{ADDRESS}`, on the server's own host. A header says what to
do, the body has the facts, and the answer tells how it went.

| Header | Says |
| --- | --- |
| `NETOAPI_ACTION` | what to do: the name of an action, in any case |
| `NETOAPI_KEY`, `NETOAPI_USERNAME` | who calls: see [keys](#keys) |
| `Accept` | `application/json` for an answer in JSON; anything else, or none, for XML |
| `Content-Encoding` | `gzip` if the body is packed |
| `Idempotency-Key`, `Prefer`, `Recontact-Dry-Run` | how to handle a call that writes: \
[safe to repeat, safe to try](#safe-to-repeat-safe-to-try) |

The path may have any beginning, `/shop/7{ADDRESS}`, and a slash at its end. Header names with
underscores are legal, but nginx drops them unless it is told `underscores_in_headers on`. Pages in
a browser may call from the origins that `recontact site set --cors-origins` lists.

The samples on this page are real: run from top to bottom on a new site, each in one of its forms,
they answer what is shown. They take the key from the variable `KEY`:

```bash
export KEY=rk_…
```

Those in Python use this function:

```python
import json
import os
import urllib.request


def call(action, body):
    request = urllib.request.Request(
        "{URL}",
        data=json.dumps(body).encode(),
        headers={{
            "NETOAPI_ACTION": action,
            "NETOAPI_KEY": os.environ["KEY"],
            "Accept": "application/json",
        }},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        reply = json.load(answer)
    if reply["Ack"] == "Error":
        raise RuntimeError(reply["Messages"]["Error"])
    return reply
```

A call may have up to 1,000 items, 10,000 values of one filter, 32 levels and 8 MiB, also unpacked,
and must arrive within 20 seconds. A body may have 131,072 elements, where XML's attributes and all
values of JSON count: more than 1,000 whole customers have. Past a limit nothing is applied. These
are settings of the server, but for the numbers of values and elements."""

KEYS: Final = """\
## Keys

A key is made by `recontact key create`. It belongs to one site and may read, write, or both; each
action below says what it needs. It can be sent in four ways:

| Headers | For |
| --- | --- |
| `NETOAPI_KEY` | a key of the whole site; a username beside it is not looked at |
| `NETOAPI_KEY` and `NETOAPI_USERNAME` | a user's key, made with `--username` |
| `X_SECRET_KEY` with the key, `X_ACCESS_KEY` with any text | add-ons |
| `Authorization: Bearer KEY` | gateways |

In the last two a user's key needs no username. Blanks around a key do not count. Two different keys
in one call are refused, and so is a header of these that stands twice."""

FORMATS: Final = """\
## XML and JSON

The body is XML or JSON, as its first character shows; Content-Type is not looked at. The answer
follows `Accept` alone: a call in JSON without that header is answered in XML.

- **XML**: the root has the action's name. Namespaces, attributes and comments do not count. A
  DOCTYPE is refused. The encoding is UTF-8; UTF-16, ISO-8859-1 and US-ASCII are read too.
- **JSON**: one object, in UTF-8, without the root. A list may be one object where it has one. Of a
  name that stands twice the last counts.
- Names of elements count letter by letter; the wrappers `CustomerLogs`, `CustomerLog`, `Customer`
  and `Filter` may be in any case.
- An element that the action does not know is passed over, and the answer's header
  `Recontact-Passed-Over` names it. So look at that header while you write a client."""

VALUES: Final = """\
## Values

| Type | What is read | What is answered |
| --- | --- | --- |
| String(n) | up to n characters; longer text is refused, never cut | as it was sent |
| String | the same with up to 65,535 characters, a setting of the server | as it was sent |
| Integer(10) | up to ten digits, as text or as a JSON number | as text |
| Decimal | digits, up to 15 before a point and 6 behind it | the digits that were sent |
| Boolean | True or False in any case, a JSON boolean, 1 or 0, y or n | `True` or `False` |
| Enumeration | one of its words, in any case | in the spelling here |
| DateTime | see [dates](#dates) | `YYYY-MM-DD HH:MM:SS` |

**Not sent**, or null in JSON and `xsi:nil` in XML, leaves an element as it is. **Sent empty**
clears it; an empty boolean is False, and an empty Status, which cannot be without a value, stays as
it is. **An address is one value**: a sent one replaces the stored one whole, and what is not in it
becomes empty. So read it, change it, and send all of it.

Answers hold numbers and booleans as text, and empty text where there is no value.

Characters are Unicode code points, a CRLF being one. Those that XML cannot carry are
refused in JSON too, so that all that is stored can be read back in both.

## Dates

These forms are read:

| Form | Is |
| --- | --- |
| `2026-11-23 07:30:00` | a time in UTC |
| `2026-11-23 07:30:00(UTC)` | the same, said aloud; a blank may stand before the bracket |
| `2026-11-23` | a day |
| `2026-11-23T07:30:00` | a time in UTC; up to 7 decimals may follow, and are cut |
| `2026-11-23T07:30:00Z` | the same |
| `2026-11-23T18:30:00+11:00` | a time with its offset; `+1100` is read too |

`0000-00-00` and `0000-00-00 00:00:00` are empty. A day or time that does not exist is refused, and
so is one before the year 1000.

Dates are answered in UTC. Where one has a form with Local behind its name, that is in the site's
time zone; the one with UTC is the plain one.

**DateRequiredFollowUp** is a calendar day of the site or an instant. Sent without a time, or with
00:00:00 and no zone, it is a day, and answered as `2026-11-24`. With another time, or with a zone,
it is an instant, answered as `2026-11-24 09:00:00`; one at midnight in UTC is answered with `(UTC)`
behind it, so that it can be sent back as it is."""

ANSWERS: Final = """\
## Answers

An answer has the action's list, if it has one, then `CurrentTime` in UTC, `Ack`, and `Messages` if
there are any. In XML the root has the action's name, or `NetoAPI` if the action is not known.

- `Ack` is `Success`, `Warning` or `Error`. **Look at it**: HTTP status 200 says only that the
  action ran.
- `Messages.Error` has `Message`, `SeverityCode` and `Description`; the description says where and
  what to do, and ends with a code in brackets, which [the page of errors](errors.md) explains.
- `Messages.Warning` has `Message` and `SeverityCode`.
- The header `X-Request-Id` finds the call in the server's log.

No answer is empty. A call that could not run has an HTTP status of 400 or above, with such a body
too:"""

BATCHES: Final = """\
## Many items in one call

Items are taken one by one, in order. **An item with an error changes nothing, and the others are
applied**, unless the call is [strict](#safe-to-repeat-safe-to-try): a call with Ack Error may have
changed something. A warning means applied, with a remark. An item that comes later sees what an
earlier one of the same call did. Messages name items by their place in the call, from 1. The list
of an answer has the applied items alone, in order: to tell which is which, leave out the items
whose number an Error names.

All of a call is saved, with what it changed, before its answer leaves."""

READING: Final = """\
## Reading

A Get takes a `Filter`, which says which records, and in it `OutputSelector`, once for each element
that is wanted. It needs at least one of each.

- Several values of one filter, as repeated elements in XML and a list in JSON: any of them. Several
  filters: all of them.
- Texts are compared whole, in any case. An empty value asks for records in which the element is
  empty.
- From and To include the value itself. A day without a time counts from its start in the site's
  zone: `DateRequiredFollowUpTo` 2026-11-24 has the follow-ups for that day as a whole, and leaves
  out those at a time later on it. For all that is due by the end of a day, send its last second
  with the site's offset: `2026-11-24T23:59:59+11:00`.
- An unknown filter is an error, since the answer would otherwise hold too much. An unknown
  OutputSelector is passed over.
- What names a record is always answered: its LogID, or its ID and Username.
- Records come by number, ascending. `Limit` is how many to a page, 100 unless it is sent, and
  `Page` counts from 0; a page past the end is an empty list with Ack Success.
- To read everything, send `LogIDAfter` (or `IDAfter` of customers) 0 with a `Limit`, then the last
  number that came, until nothing comes. Unlike pages, this neither misses nor repeats a record
  while others write.

## A log's history

The OutputSelector `History` of GetCustomerLog answers what was done to each log: when, with which
key or by whom, by which call, and each value before and after. A log comes with its last 100
revisions, newest first. To `{"Filter": {"LogID": 12, "OutputSelector": ["History"]}}` the answer's
log is, in JSON:

```json
{
  "LogID": "12",
  "History": {
    "Revision": [
      {
        "Number": "2",
        "Did": "changed",
        "Time": "2026-11-25 08:21:30",
        "Key": "1",
        "Who": "",
        "RequestID": "019abb0c-5a90-7c3e-8f52-6d0f2b7c1a44",
        "Change": [{ "Element": "Status", "Old": "Recontacting", "New": "Completed" }]
      },
      {
        "Number": "1",
        "Did": "added",
        "Time": "2026-11-24 22:05:11",
        "Key": "1",
        "Who": "",
        "RequestID": "019ab8d7-9fd8-7a01-b1c4-3e9a77f0d2c5",
        "Change": [
          { "Element": "CustomerName", "Old": "", "New": "Ana" },
          { "Element": "Status", "Old": "", "New": "Recontacting" }
        ]
      }
    ]
  }
}
```

For those before, send the last `Number` that came as the filter `HistoryBefore`, beside the LogID,
until 1 has come: this too neither misses nor repeats a revision while others write. An answer has
up to 10,000 revisions; past that it is an error that asks for a smaller `Limit`. A log that was
withdrawn is found by no call: `recontact log history` reads its history."""

SAFE: Final = """\
## Safe to repeat, safe to try

Three headers, which are ours, say how a call that writes is to be handled. Any of them may be sent
with every action that adds or updates, in XML and JSON alike; on calls that only read they mean
nothing. Look for them in the answer, which repeats what was done: a header whose name is misspelled
is none."""

SAFE_RULES: Final = """\
- **Idempotency-Key**: choose a new one for each new call, such as a UUID: 1 to 255 visible
  characters of ASCII. After a time-out, a lost connection or HTTP status 429, 500 or 503 send the
  call again with the same one: it is done once, and answered. Repeats at the same time wait for the
  first. An answer is kept if the call ran, also with Ack Error; a call that was refused may be sent
  again. A repeat must be the same call, its body byte for byte: with another action, body, answer
  format or `handling` it is refused with HTTP status 422. So a call that you mend gets a new one.
  Only passwords, which are kept nowhere, do not count.
- **Strict**: an error anywhere, and nothing is applied. The answer's header `Preference-Applied:
  handling=strict` says that the call was handled so.
- **Dry run**: messages are as they would be, the list has the records as they would become, and no
  number is given to what would be added. Nothing is written but a line in the journal. The answer
  has the header `Recontact-Dry-Run: true`, and the key needs the right to read too. An
  Idempotency-Key beside it is not looked at. A strict dry run tells whether all would go through.
- In a site of the live dialect, strict calls and dry runs judge as the documented dialect does."""

LIVE: Final = """\
## The live dialect

The vendor's pages and the real service do not quite agree. A site can be set to answer as the
service was seen to, so that a client can be tested against both:

```bash
recontact site set --dialect live
```

All else on this page is the `documented` dialect, which is the one that a new site has. The live
one differs in this:

- In XML the root has `Response` behind the action's name.
- In JSON the list of an Add or Update is a bare object when there is one, and empty text when there
  is none. One `Error` or `Warning` is a bare object too. The list of a Get is always a list.
- In JSON a list within a record stands in an array of one object.
- A refused key, and JSON that cannot be read, are answered with HTTP status 200. A key that lets in
  nowhere belongs to no site, so it is answered so only where all sites of the server are live.
- What cannot be found is a warning, and the item is not applied. A wrong Status and a date
  that is none are warnings, and the rest of the item is applied. In a Filter they are errors in
  both dialects."""
