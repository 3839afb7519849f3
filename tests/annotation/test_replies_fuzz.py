"""10,000 replies whose content is known, decorated, wrapped and cut at random: each is read right or not at all."""

from __future__ import annotations

from collections import Counter
from random import Random

from utility_annotation.annotation.replies import read_ranking, read_selection
from utility_annotation.engines.protocol import Completion

CASES = 10_000
PROSE = (
    "Passage [{}] answers the question, and [{}] does not.",
    "I looked at [{}], [{}] and {} passages more.",
    "{} > {}, so the first is better.",
    "[{}] > [{}] at first sight",
    "My selection would be [{}], then [{}].",
    "The ranking is hard: [{}] or [{}]?",
    'It says "My selection:[[{}],[{}]]".',
    "In {} there were [{}] of them:",
    "- **[{}]**: useful; `[{}]`: not",
    "| [{}] | [{}] | useful |",
    "Doc ({}), Doc ({})",
)
THOUGHTS = ("<think>\n{}\n</think>\n", "<thinking>{}</thinking>", "[THINK]{}[/THINK]\n")
AROUND = ("{}", "**{}**", "`{}`", "- {}", "* {}", "1. {}", "```\n{}\n```", "```text\n{}\n```", "_{}_", "{}.", "### {}")


def listed(random: Random, numbers: list[int], ranking: bool) -> str:
    """A selection or a ranking of these numbers, in one of its spellings."""
    space = random.choice(("", " "))
    if ranking:
        label = random.choice(("", "", "Ranking: ", "My ranking: ", "**Final ranking:** ", "Answer:\n"))
        return label + f"{space}>{space}".join(f"[{number}]" for number in numbers)
    bare = random.random() < 0.3
    inner = f",{space}".join(f"{number}" if bare else f"[{number}]" for number in numbers)
    end = random.choice(("]", "]", "]", ",]"))
    label = random.choice(("My selection:", "My selection: ", "**My selection:** ", "My selection:\n"))
    return label + (inner if not bare and random.random() < 0.2 else f"[{inner}{end}")


def wrapped(random: Random, text: str) -> str:
    """The text with line breaks anywhere, mostly where a number or a separator ends; each line may be decorated."""
    places = [place for place in range(1, len(text)) if text[place - 1] in ",>]:" or random.random() < 0.03]
    for place in sorted(random.sample(places, min(len(places), random.choice((0, 0, 1, 2)))), reverse=True):
        text = text[:place] + random.choice(("\n", "\n", "\n\n", "\n  ")) + text[place:]
    if random.random() < 0.1:
        text = "\n".join(f"**{line}**" if line.strip() else line for line in text.split("\n"))
    return text


def prose(random: Random, n: int) -> str:
    """Up to three lines of words and numbers."""
    lines = random.choices(PROSE, k=random.choice((0, 0, 1, 3)))
    return "".join(line.format(random.randint(-1, n + 2), random.randint(1, n), 7) + "\n" for line in lines)


def test_10000_replies_are_read_right_or_not_at_all() -> None:
    random, outcomes, wrong = Random(7), Counter[str](), []
    for _ in range(CASES):
        n, ranking = random.randint(2, 31), random.random() < 0.5
        read = read_ranking if ranking else read_selection
        numbers = [random.randint(-1, n + 2) for _ in range(random.randint(2, 6))]
        truth = tuple(dict.fromkeys(number for number in numbers if 1 <= number <= n))
        form = random.choice(AROUND).format(wrapped(random, listed(random, numbers, ranking)))
        text = f"{prose(random, n)}{random.choice(('', chr(10)))}{form}\n{prose(random, n)}"
        if random.random() < 0.3:
            thought = listed(random, [random.randint(1, n) for _ in range(3)], ranking)
            text = random.choice(THOUGHTS).format(f"{prose(random, n)}{thought}\n") + text
        reading = read(Completion(text, "stop", 1, 1), n)
        cut_off = read(Completion(text[: random.randint(0, len(text))], "length", 1, 1), n)
        outcomes[reading.outcome] += 1
        wrong += [text for found in (reading, cut_off) if found.numbers not in (truth, ())]
    assert wrong == [], len(wrong)
    assert outcomes["ok"] > CASES * 0.9, outcomes


def test_10000_replies_of_prose_mark_nothing() -> None:
    random = Random(8)
    for _ in range(CASES):
        n = random.randint(2, 31)
        text = "".join(prose(random, n) for _ in range(3))
        if random.random() < 0.3:
            text = random.choice(THOUGHTS).format(listed(random, [1, 2], random.random() < 0.5) + "\n") + text
        for read in (read_selection, read_ranking):
            assert read(Completion(text, "stop", 1, 1), n).numbers == (), text


def test_replies_that_say_two_things_mark_nothing() -> None:
    random = Random(9)
    for _ in range(1000):
        ranking = random.random() < 0.5
        first, second = (
            random.choice(AROUND).format(listed(random, order, ranking)) for order in ([1, 2, 3], [2, 3, 1])
        )
        text = f"{first}\n{prose(random, 5)}{second}"
        assert (read_ranking if ranking else read_selection)(Completion(text, "stop", 1, 1), 5).numbers == (), text
