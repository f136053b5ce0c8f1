"""The commands and their options. What they do lies in a file each, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Annotated, Optional

import typer
from typer.main import get_command_name

from declnet.app.options import (
    Checkpoint,
    ConfigPath,
    Form,
    Format,
    Json,
    Order,
    Part,
    Picture,
    RunPath,
    Settings,
    Strict,
    Template,
    Which,
)

app = typer.Typer(
    help="Train neural networks from one YAML file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's help takes a tenth of a second more
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        import declnet

        print(f"declnet {declnet.__version__}")
        raise typer.Exit


@app.callback()
def _declnet(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Train neural networks from one YAML file: PyTorch's mental map, declared."""


@app.command()
def train(
    config: Annotated[
        Optional[str],  # noqa: UP045 - Typer reads the annotation
        typer.Argument(metavar="CONFIG", help="The YAML file; with --resume the run's own.", show_default=False),
    ] = None,
    overrides: Settings = None,
    *,
    resume: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation
        typer.Option(
            metavar="RUN",
            help="Go on with the run in this directory; loop.epochs=N makes it longer.",
            show_default=False,
        ),
    ] = None,
    run_dir: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation
        typer.Option(help="Write the run here instead of runs/<name>-<n>; a new or empty directory."),
    ] = None,
    strict: Strict = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Print where the time went, node by node, against what the machine can."),
    ] = False,
    profile_order: Annotated[
        Order, typer.Option(help="With --profile: the most expensive nodes first, or all as the config has them.")
    ] = Order.cost,
    profile_top: Annotated[
        Optional[int],  # noqa: UP045 - Typer reads the annotation
        typer.Option(
            metavar="N",
            min=1,
            help="With --profile: only the N most expensive nodes; left out, 20 on a terminal, else all.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train the network a config describes, and write a run directory."""
    if resume is None and config is None:
        raise typer.BadParameter(
            "Missing argument 'CONFIG': the YAML file to train; or go on with a run: --resume RUN"
        )
    if resume is not None and run_dir is not None:
        raise typer.BadParameter("--resume goes on in the run's own directory; leave --run-dir out")
    if not profile and (profile_top is not None or profile_order is not Order.cost):
        raise typer.BadParameter("--profile-order and --profile-top say how --profile is shown; add --profile")
    from declnet.app.train import Wanted
    from declnet.app.train import train as run

    words = [*([] if config is None else [config]), *(overrides or [])]
    named = resume is None or (words and "=" not in words[0])  # what comes first can be a setting, with --resume
    path = Path(words.pop(0)) if named else None
    wanted = Wanted(path, words, run_dir, resume)
    if not profile:
        run(wanted, strict=strict, as_json=json, quiet=quiet)
        return
    from declnet.app.profile import Measured

    run(wanted, strict=strict, as_json=json, quiet=quiet, measured=Measured(profile_order.value, profile_top))


@app.command()
def validate(
    configs: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG...",
            help="YAML files, and settings to change in all of them.",
            show_default=False,
        ),
    ],
    strict: Strict = False,
    format: Annotated[
        Format,
        typer.Option(help="text; json, for programs; github, which also marks the lines of a pull request."),
    ] = Format.text,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Check configs without running them; print shapes, parameters, FLOPs and memory."""
    from declnet.app.validate import validate as run

    raise typer.Exit(run(configs, strict=strict, form="json" if json else format.value))


@app.command()
def inspect(
    config: ConfigPath,
    overrides: Settings = None,
    *,
    strict: Strict = False,
    format: Annotated[
        Picture, typer.Option(help="text, a tree; json, for programs; mermaid or dot, for a picture.")
    ] = Picture.text,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show the network a config describes: its nodes as they nest, with shapes, parameters, FLOPs and memory."""
    from declnet.app.inspect import inspect as run

    run(config, overrides or [], strict=strict, form="json" if json else format.value)


@app.command()
def evaluate(
    run: RunPath,
    overrides: Settings = None,
    *,
    data: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation
        typer.Option(help="Evaluate all rows of this file, in place of the one that was trained on."),
    ] = None,
    split: Annotated[
        Optional[Part],  # noqa: UP045 - Typer reads the annotation
        typer.Option(help="The run's test, val, train or all rows, split as in training; test if left out."),
    ] = None,
    checkpoint: Checkpoint = Which.best,
    json: Json = False,
) -> None:
    """Print the loss and the metrics of a run, on its test rows or on others."""
    from declnet.app.evaluate import evaluate as show

    show(run, overrides or [], data, None if split is None else split.value, checkpoint.value, as_json=json)


@app.command()
def predict(
    run: RunPath,
    *,
    input: Annotated[
        Path,
        typer.Option(
            help="A CSV file with the columns that the model reads, in any order and among others; or an .npz file "
            "with an array for each data field; - for CSV from stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="The file to write, .csv, .jsonl or .npz; - for stdout.", show_default=False)
    ],
    format: Annotated[
        Optional[Form],  # noqa: UP045 - Typer reads the annotation
        typer.Option(help="How to write; left out: by the output's ending, csv to stdout.", show_default=False),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write probabilities in place of the outputs they belong to.")
    ] = False,
    checkpoint: Checkpoint = Which.best,
) -> None:
    """Predict for each row of a file, however long, and write the predictions.

    A row has the model's outputs: under the name of the node that makes them, `output` if it has none, numbered
    from 0 in a CSV file where there are several numbers. Before them stands `prediction`, the class, where the
    loss is CrossEntropyLoss or NLLLoss (the largest output) or BCEWithLogitsLoss or BCELoss (1 above a
    probability of 0.5, else 0).
    """
    from declnet.app.predict import predict as run_it

    run_it(
        run, input, output, None if format is None else format.value, checkpoint.value, probabilities=probabilities
    )


@app.command()
def runs(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where the runs are.")] = Path("runs"),
    *,
    sort: Annotated[
        str,
        typer.Option(
            metavar="FIGURE",
            help="The best first, by val_loss, test_accuracy, ..., parameters, seconds; started: the newest.",
        ),
    ] = "started",
    limit: Annotated[
        Optional[int],  # noqa: UP045 - Typer reads the annotation
        typer.Option("--limit", "-n", min=1, help="Only so many of them."),
    ] = None,
    json: Json = False,
) -> None:
    """List the runs in a directory, with the figures of their best epochs."""
    from declnet.app.runs import runs as run

    run(directory, sort=sort, limit=limit, as_json=json)


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Directories of runs, or their names in runs/.", show_default=False),
    ],
    json: Json = False,
) -> None:
    """Show where the configs of runs differ, and their figures side by side."""
    from declnet.app.compare import compare as run

    run(runs, as_json=json)


@app.command()
def init(
    name: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation
        typer.Argument(
            metavar="NAME",
            help="The file to write; left out: called like the template, or the data.",
            show_default=False,
        ),
    ] = None,
    *,
    template: Annotated[
        Optional[Template],  # noqa: UP045 - Typer reads the annotation
        typer.Option(help="What to start from; left out: a list of what there is.", show_default=False),
    ] = None,
    data: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation
        typer.Option(
            "--from",
            metavar="FILE",
            help="A CSV file that the config is to fit: what its columns hold is guessed, and shown.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        Optional[str],  # noqa: UP045 - Typer reads the annotation
        typer.Option(metavar="COLUMN", help="With --from: the column that is learned.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Write a starter config with comments, which trains as it is."""
    if (data is None) != (target is None):
        raise typer.BadParameter(
            "--target says which column of the file is learned: --from FILE --target COLUMN"
            if target is None
            else "--from says which file the column --target is of: --from FILE --target COLUMN"
        )
    if data is not None and template is not None:
        raise typer.BadParameter("--template and --from exclude each other: a config comes of one of them")
    if template is None and data is None and name is not None:
        raise typer.BadParameter(
            f"--template says what {name} is to hold: {', '.join(Template)}; or --from FILE --target COLUMN"
        )
    from declnet.app.init import fit, listing, start

    if data is not None and target is not None:
        fit(data, target, name, force=force, as_json=json)
    elif template is None:
        listing(as_json=json)
    else:
        start(template.value, name, force=force, as_json=json)


@app.command()
def list_components(
    name: Annotated[
        Optional[str],  # noqa: UP045 - Typer reads the annotation
        typer.Argument(help="Show one component: its documentation and arguments.", show_default=False),
    ] = None,
    family: Annotated[
        Optional[str],  # noqa: UP045 - Typer reads the annotation
        typer.Option(help="Only this family, such as layers or optimizers."),
    ] = None,
    json: Json = False,
) -> None:
    """List what a config can name, or explain one of them."""
    from declnet.app.list_components import list_components as run

    run(name, family, as_json=json)


@app.command()
def schema(
    *,
    plugins: Annotated[
        bool, typer.Option("--plugins/--no-plugins", help="With the installed plug-ins, or declnet's own alone.")
    ] = True,
) -> None:
    """Print the JSON Schema of configs, by which editors complete and check."""
    from declnet.app.schema import schema as run

    run(plugins=plugins)


def app_for(word: str) -> typer.Typer:
    """The app with the one command that is called so, else with all: Typer reads the signatures of all it has."""
    named = [info for info in app.registered_commands if info.callback and _name(info.callback) == word]
    lean = copy(app)
    lean.registered_commands = named or app.registered_commands
    return lean


def _name(function: Callable[..., object]) -> str:
    return get_command_name(function.__name__)
