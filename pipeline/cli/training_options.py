"""Parameters that the commands which train and measure networks share, each typed once."""

from pathlib import Path
from typing import Annotated

import typer

NetworkFolder = Annotated[Path, typer.Option("--out", help="Folder for the network and its card.")]
Trained = Annotated[Path, typer.Option("--folder", help="Folder of a trained network.")]
Corpus = Annotated[Path, typer.Option("--corpus", help="File made by `careclips corpus build`.")]
MaybeCorpus = Annotated[Path | None, typer.Option("--corpus", help="File made by `careclips corpus build`.")]
Without = Annotated[
    list[str] | None, typer.Option("--without", help="Source of the corpus whose items are left out; may be repeated.")
]
MotionsFile = Annotated[
    Path | None, typer.Option("--motions", help="File of gathered motion: read if it is there, else made there.")
]
PosesFile = Annotated[
    Path | None, typer.Option("--poses", help="File of gathered poses: read if it is there, else made there.")
]
Texts = Annotated[Path | None, typer.Option("--texts", help="Encoded captions; made beside the corpus if not said.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Steps; else the network's own number.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", min=1, help="Examples a step.")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="The highest, after the warm-up.")]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", help="Folder of the state that an interrupted training goes on from.")
]
Start = Annotated[Path | None, typer.Option("--start", help="Folder of a network whose weights it begins with.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="On the CPU: same number, same bytes.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ...")]
