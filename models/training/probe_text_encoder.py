"""What an encoding of captions keeps: negations, sides, directions, and who does what to whom, read back by logistic
regression.

Probes of words of our own come in templates, and whole templates are held out: what is told must be told in sentences
unlike those learnt from. Of a corpus' captions, two hundred are learnt from and others asked.
"""

import re

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.text.encoder import TextEncoder

FOLDS = 4
STRENGTH = 0.1
LEARNT = 200
"""Captions of a corpus that are learnt from; half of them where there are fewer than twice as many."""
ASKED = 1500
_WHO = (
    "a resident",
    "an old man",
    "an elderly woman",
    "somebody",
    "a young female visitor",
    "an older male resident",
    "she",
    "he",
)
_CARERS = ("a carer", "a care worker", "a caregiver", "a nurse")
_CARED = ("a resident", "an old man", "an elderly resident", "a care home resident")
_NEGATIONS = (
    ("falls", "does not fall"), ("falls down onto the floor", "does not fall down onto the floor"),
    ("slips and falls", "slips but does not fall"), ("trips and tumbles forwards", "trips without tumbling forwards"),
    ("gets up again after a fall", "does not get up again after a fall"),
    ("sits down on a chair", "does not sit down on a chair"), ("walks and falls", "walks and never falls"),
    ("faints and collapses", "nearly faints but does not collapse"),
    ("loses balance and falls to the left", "loses balance to the left without falling"),
    ("stands up from the bed", "fails to stand up from the bed"), ("falls over", "manages not to fall over"),
    ("topples to the right", "avoids toppling to the right"),
)  # fmt: skip
_SIDES = (
    "falls to the {}",
    "walks and turns {}",
    "slips on the {} foot and falls backward",
    "lies down on the {} side",
    "picks something up with the {} hand",
    "leans too far to the {}",
    "kneels on the {} knee",
    "falls sideways onto the {} hip",
    "trips, tumbling to the {}",
    "raises the {} arm",
    "stumbles towards the {} and recovers",
    "topples to the {} after being pushed",
)
_DIRECTIONS = (
    "falls {}",
    "topples {} onto the ground",
    "walks {}",
    "after a trip tumbles {}",
    "slips and falls down {}",
    "is pushed and falls {}",
    "stumbles {}",
    "faints and falls {} onto the mattress",
    "steps {} and sits down",
    "nearly falls {} but recovers",
    "crawls {}",
    "collapses {} and lies still",
)
_ACTIONS = (
    "helps {} up",
    "helps {} to stand up from a chair",
    "catches {}, who stumbles",
    "walks up to {} lying on the floor",
    "steadies {}",
    "approaches {} after a fall",
    "supports {} in getting up from a chair",
    "lifts {} from the ground",
    "holds on to {} who stumbles backward",
    "pushes {}",
)
_VOICES = (
    ("helps {} up", "is helped up by {}"), ("catches {}", "is caught by {}"), ("steadies {}", "is steadied by {}"),
    ("supports {}", "is supported by {}"), ("lifts {} from the floor", "is lifted from the floor by {}"),
    ("approaches {}", "is approached by {}"), ("pushes {}", "is pushed by {}"),
    ("holds {} by the arm", "is held by the arm by {}"), ("assists {} out of bed", "is assisted out of bed by {}"),
    ("leads {} to a chair", "is led to a chair by {}"),
)  # fmt: skip
_FALLERS = (
    "falls and lies on the floor while {} watches",
    "falls to the left and {} comes",
    "slips and falls as {} walks past",
    "collapses and {} approaches",
    "trips over; {} helps",
    "faints, {} runs up",
    "tumbles backward in front of {}",
    "lies still after a fall and {} kneels beside",
)

Probe = list[tuple[str, int, int]]
"""Sentence, answer (0 or 1), number of its template."""


def probes() -> dict[str, Probe]:
    """Return the sentences; of each kind, half have either answer."""
    pairs = [(a, b) for a in _CARERS for b in _CARED]
    return {
        "falls / does not fall": [
            (_said(w, t[k]), k, i) for i, t in enumerate(_NEGATIONS) for w in _WHO for k in (0, 1)
        ],
        "left / right": _filled(_SIDES, ("left", "right")),
        "forwards / backwards": _filled(_DIRECTIONS, ("forwards", "backwards")),
        "carer does / resident does": _turned(_ACTIONS, pairs),
        "who falls": _turned(_FALLERS, [(b, a) for a, b in pairs]),
        "helps / is helped": [
            (_said(subject, t[k].format(other)), k, i)
            for i, t in enumerate(_VOICES)
            for pair in pairs
            for subject, other in (pair, pair[::-1])
            for k in (0, 1)
        ],
        "who helps, active or passive": [
            (_said(subject, t[k].format(other)), int((subject in _CARERS) == (k == 1)), i)
            for i, t in enumerate(_VOICES)
            for pair in pairs
            for subject, other in (pair, pair[::-1])
            for k in (0, 1)
        ],
    }


def _said(who: str, does: str) -> str:
    return f"{who[0].upper()}{who[1:]} {does}."


def _filled(templates: tuple[str, ...], words: tuple[str, str]) -> Probe:
    return [(_said(w, t.format(words[k])), k, i) for i, t in enumerate(templates) for w in _WHO for k in (0, 1)]


def _turned(templates: tuple[str, ...], pairs: list[tuple[str, str]]) -> Probe:
    return [
        (_said(*((a, t.format(b)) if k == 0 else (b, t.format(a)))), k, i)
        for i, t in enumerate(templates)
        for a, b in pairs
        for k in (0, 1)
    ]


def accuracy(encoded: Float[np.ndarray, "text dim"], probe: Probe) -> float:
    """Return the share of held-out sentences told rightly; every template is held out once."""
    answers, templates = np.array([k for _, k, _ in probe]), np.array([i for _, _, i in probe])
    right = np.zeros(len(probe), dtype=bool)
    for fold in range(FOLDS):
        asked = templates % FOLDS == fold
        model = _learnt(encoded[~asked], answers[~asked])
        right[asked] = model.predict(encoded[asked]) == answers[asked]
    return float(right.mean())


def _learnt(encoded: Float[np.ndarray, "text dim"], answers: Int[np.ndarray, "text"]):
    return make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000)).fit(encoded, answers)


def corpus_accuracy(
    encoder: TextEncoder, texts: list[str], parts: dict[str, slice], seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return the share of a corpus' captions of falls of which side, and which of five directions, are told."""
    falls = sorted({text for text in texts if re.search(r"\b(fall|toppl|tumbl|collaps|drops|crumpl)", text)})
    np.random.default_rng(seed).shuffle(falls)
    sides = ((r"\bleft\b",), (r"\bright\b",))
    directions = (
        (r"\bforwards?\b",),
        (r"\bbackwards?\b",),
        (r"to \w+ left\b",),
        (r"to \w+ right\b",),
        (r"straight down|on the spot",),
    )
    found: dict[str, dict[str, float]] = {}
    for name, kinds in (("captions: left / right", sides), ("captions: five directions", directions)):
        hits = [[k for k, (words,) in enumerate(kinds) if re.search(words, text)] for text in falls]
        kept = [(text, hit[0]) for text, hit in zip(falls, hits, strict=True) if len(hit) == 1][: LEARNT + ASKED]
        encoded, answers = encoder.encode([text for text, _ in kept]).numpy(), np.array([k for _, k in kept])
        found[name], learnt = {}, min(LEARNT, len(kept) // 2)
        for part, columns in parts.items():
            model = _learnt(encoded[:learnt, columns], answers[:learnt])
            found[name][part] = float(model.score(encoded[learnt:, columns], answers[learnt:]))
    return found


def measure(encoder: TextEncoder, texts: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Return accuracies by probe, of the sentence embedding alone and of all of it; 0.5 is chance of two."""
    parts = {"sentence": slice(0, encoder.dim - 2 * encoder.config.word_dims), "all": slice(None)}
    found = {}
    for name, probe in probes().items():
        encoded = encoder.encode([text for text, _, _ in probe]).numpy()
        found[name] = {part: accuracy(encoded[:, columns], probe) for part, columns in parts.items()}
    return found | (corpus_accuracy(encoder, texts, parts) if texts else {})
