"""What customers of the bench are called and what is noted of them: made-up words, the same always.

As in real notes, a few words are in most of them and most words in few (Zipf's law).
"""

from itertools import accumulate
from random import Random
from typing import Final

WORDS: Final = 4_000
NOTES_LENGTH: Final = range(6, 25)
"""Words of Notes, each length as often."""

_ONSETS: Final = [*"bdfghjklmnprstvwz", "bl", "br", "dr", "fl", "gr", "kl", "pr", "sh", "st", "tr"]
_VOWELS: Final = [*"aeiou", "ai", "ea", "ou"]
_CODAS: Final = ["", "", "", *"lmnrst", "nd", "st"]


def _made(random: Random) -> str:
    """A word of one to three syllables."""
    parts = (_ONSETS, _VOWELS, _CODAS) * random.choice((1, 2, 2, 3))
    return "".join(map(random.choice, parts))


def _vocabulary() -> list[str]:
    """All words, the most frequent first, which tend to be short. Some have an accent."""
    random, made = Random(1), dict[str, None]()
    while len(made) < WORDS:
        made[_made(random)] = None
    words = sorted(made, key=lambda word: len(word) + random.uniform(0, 5))
    return [word.replace("e", "é", 1) if n % 40 == 39 else word for n, word in enumerate(words)]


VOCABULARY: Final = _vocabulary()
_WEIGHTS: Final = [1 / (rank + 2) for rank in range(1, WORDS + 1)]
_SUMS: Final = list(accumulate(_WEIGHTS))
SHARES: Final = {
    word: weight / _SUMS[-1] for word, weight in zip(VOCABULARY, _WEIGHTS, strict=True)
}
"""How often a word of Notes is that word."""


def some_words(random: Random, number: int) -> list[str]:
    """So many words, each by its frequency."""
    return random.choices(VOCABULARY, cum_weights=_SUMS, k=number)


def some_notes(random: Random) -> str:
    """Notes of one contact."""
    return " ".join(some_words(random, random.choice(NOTES_LENGTH))).capitalize() + "."


def expected(words: list[str], logs: int) -> float:
    """In how many of so many logs chance puts all these words, more or less."""
    length = sum(NOTES_LENGTH) / len(NOTES_LENGTH)
    found = float(logs)
    for word in words:
        found *= 1 - (1 - SHARES[word]) ** length
    return found
