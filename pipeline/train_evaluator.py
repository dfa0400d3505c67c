"""`careclips train evaluator` and `careclips corpus encode`: what judges generated motion, and captions as numbers."""

from pathlib import Path

from models.body.rest_skeleton import read_skeleton
from models.corpus.reader import read_corpus, read_index
from models.files import file_digest
from models.motion.dataset import MotionData
from models.motion.evaluation.evaluator import MotionEvaluatorConfig
from models.text.encoder import SentenceConfig, TextCache, TextEncoder, write_texts
from models.training.loop import Run
from models.training.motion import evaluate_evaluator as evaluator_card
from models.training.motion import train_evaluator as evaluator
from pipeline.output_folder import holds


def evaluator_data(corpus: Path, texts: Path | None) -> tuple[MotionData, TextCache, MotionEvaluatorConfig]:
    """Read a corpus, what lies beside it, and its captions' encodings, which are made where there are none."""
    texts = texts or corpus.parent / "texts.safetensors"
    if not texts.exists():
        encode_texts(corpus, texts, TextEncoder(SentenceConfig()))
    cache = TextCache(texts)
    config = MotionEvaluatorConfig(text_dim=cache.dim, text_encoder_digest=cache.digest)
    read = read_corpus(corpus, lambda row: len(row.people) <= config.max_people)
    return MotionData(read, read_skeleton(corpus.parent / "skeleton.safetensors"), config.max_frames), cache, config


@holds("run.out")
def train_evaluator(corpus: Path, texts: Path | None, training: evaluator.EvaluatorTrainConfig, run: Run) -> dict:
    """Train a motion evaluator and write its card; its figures on the split `test`."""
    data, cache, config = evaluator_data(corpus, texts)
    learned = [row for row in data.rows if row.split == "train"]
    facts = {
        "items": len(learned),
        "corpus": file_digest(corpus),
        "licences": sorted({row.licence for row in learned}),
    }
    evaluator.train(data, cache, config, training, run, facts)
    return evaluator_card.write_card(run.out, data, cache)


def encode_texts(corpus: Path, out: Path, encoder: TextEncoder) -> dict:
    """Write the encodings of all captions of a corpus, for machines that have no text network."""
    rows = write_texts(out, encoder, [text for row in read_index(corpus).rows for text in row.texts])
    return {"out": str(out), "texts": len(rows), "numbers": rows.shape[1], "encoder": encoder.digest}


def measure_evaluator(folder: Path, corpus: Path, texts: Path | None) -> dict:
    """Measure a motion evaluator on the split `test` of a corpus, and write its card."""
    data, cache, _ = evaluator_data(corpus, texts)
    return evaluator_card.write_card(folder, data, cache)
