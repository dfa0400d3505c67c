"""Captions of captured motion: what its collection calls it, in sentences, and how the person moves about."""

import re

import numpy as np

from models.text.captions import distance_words
from models.text.locomotion import Locomotion
from models.text.vocabulary import DIRECTION_WORDS, PACE_WORDS

BASE_VERBS = {
    "balance": "balances", "bend": "bends", "carry": "carries", "climb": "climbs", "crawl": "crawls", "dance": "dances",
    "dangle": "dangles", "descend": "descends", "dribble": "dribbles", "drop": "drops", "fall": "falls", "get": "gets",
    "go": "goes", "hang": "hangs", "hold": "holds", "hop": "hops", "jog": "jogs", "jump": "jumps", "kick": "kicks",
    "kneel": "kneels", "lean": "leans", "lie": "lies", "lift": "lifts", "lower": "lowers", "pick": "picks",
    "pull": "pulls",
    "punch": "punches", "push": "pushes", "reach": "reaches", "rise": "rises", "rock": "rocks", "roll": "rolls",
    "run": "runs", "scoop": "scoops", "shake": "shakes", "shoot": "shoots", "sit": "sits", "spin": "spins",
    "squat": "squats", "stand": "stands", "step": "steps", "strike": "strikes", "sweep": "sweeps", "swing": "swings",
    "turn": "turns", "walk": "walks", "wash": "washes", "wave": "waves",
}  # fmt: skip
"""How collections name motions, and the third person of it."""
_SENTENCE = re.compile(r"^(a|an|the|one|two|three|some\w+|both|people)\b(?!.*:)", re.IGNORECASE)
_ADJECTIVE = re.compile(r"standing (?!about|at|in|on|still|up|with)\w")
"""`standing shoulder abduction` names an exercise, `standing on one leg` says what somebody does."""
_SUBJECTS = ("a person", "somebody", "someone")


def captured_captions(
    description: str, locomotion: Locomotion | None, rng: np.random.Generator, count: int = 4
) -> tuple[str, ...]:
    """Write different captions from a collection's free description; the first also states what was measured.

    `locomotion` None says nothing of it (several people, or no one direction). Fewer than `count` where words run
    out.
    """
    measured = _measured(locomotion, rng) if locomotion else ""
    made = [_sentence(description, rng) + measured]
    for _ in range(20 * count):
        if len(made) == count:
            break
        text = _sentence(description, rng)
        if locomotion and rng.random() < 0.6:
            text += _measured(locomotion, rng)
        if text not in made:
            made.append(text)
    return tuple(made)


def _sentence(description: str, rng: np.random.Generator) -> str:
    """The description as one sentence of the third person; what stands in brackets is left out, but for how it was done
    (`(done badly on purpose)`)."""
    manner = re.search(r"\((done [^)]*)\)", description)
    said = " ".join(re.sub(r"\([^)]*\)", "", description).replace("/", " or ").split()).strip(" .")
    if _SENTENCE.match(said):
        forms = (said, f"here {said}", f"in this scene {said}")
    else:
        said = re.sub(r"\bself\b", "themselves", re.sub(r"^a person: |^playground - ", "", said))
        subject, parts = str(rng.choice(_SUBJECTS)), said.split(", ")
        if all(part.split(" ")[0] in BASE_VERBS for part in parts):
            verbs = [_third_person(part) for part in parts]
            listed = ", ".join(verbs[:-1]) + (" and " if len(verbs) > 1 else "") + verbs[-1]
            forms = (f"{subject} {listed}", f"here {subject} {listed}", f"in this scene {subject} {listed}")
        elif said.split(" ")[0].strip(",") in BASE_VERBS.values():
            forms = (f"{subject} {said}", f"here {subject} {said}", f"in this scene {subject} {said}")
        elif parts[0].split(" ")[0].endswith("ing") and len(parts) == 1 and not _ADJECTIVE.match(said):
            forms = (f"{subject} is {said}", f"{subject} can be seen {said}", f"we see {subject} {said}")
        else:
            said = said.replace(" - ", ", ")
            forms = (
                f"the movements of {subject}: {said}",
                f"{subject} shows this: {said}",
                f"{subject} in motion: {said}",
            )
    said = str(rng.choice(forms)) + (f", {manner[1]}" if manner else "")
    return said[0].upper() + said[1:] + "."


def _third_person(phrase: str) -> str:
    """'run or jog' is 'runs or jogs'."""
    words = phrase.split(" ")
    verbs = [0, *(k + 1 for k, word in enumerate(words) if word == "or")]
    return " ".join(BASE_VERBS.get(word, word) if k in verbs else word for k, word in enumerate(words))


def _measured(locomotion: Locomotion, rng: np.random.Generator) -> str:
    """One more sentence: direction, pace and turn; empty for who neither moves about nor turns."""
    parts = []
    if locomotion.direction:
        direction = "" if locomotion.direction == "forward" else " " + DIRECTION_WORDS[locomotion.direction][0]
        pace = f" {PACE_WORDS[locomotion.pace][0]}" if locomotion.pace else ""
        parts.append(f"{rng.choice(('moves', 'goes'))}{pace}{direction} for {distance_words(locomotion.distance_m)}")
    if locomotion.turns:
        parts.append(f"turns to the {locomotion.turns}")
    return f" The person {' and '.join(parts)}." if parts else ""
