"""Commands for the unlearned models of confirmed rows."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import OneStudy, Where, check_output, console, echo, stderr, write_output
from lethe.cli._json import Json, answering
from lethe.errors import InputError

models = typer.Typer(help="List and export the unlearned models of confirmed rows.", no_args_is_help=True)

Fingerprint = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="The model's fingerprint, or the beginning of it.")
]


@models.command("list")
def models_list(results: Where = "results", study: OneStudy = None, as_json: Json = False) -> None:
    """List the models of the confirmed tables, kept or not.

    A study keeps them where it says `keep_models: confirmed`. One that is not kept can be exported too: it is made
    again.
    """
    from lethe.pipeline.models import confirmed_models
    from lethe.results.limits import in_words
    from lethe.storage.root import StorageRoot

    with answering("models list", as_json=as_json) as answer:
        found = confirmed_models(StorageRoot.at(results), study)
        if as_json:
            answer({"models": [one.named for one in found]})
            return
        table = Table("study", "scenario", "row", "seed", "gap", "model", "kept", box=SIMPLE_HEAD, pad_edge=False)
        for one in found:
            size = "no" if one.size_bytes is None else in_words(one.size_bytes)
            gap = "" if one.columns["gap"] is None else f"{100 * one.columns['gap']:.1f}"
            shown = (one.columns["study"], one.columns["scenario"][:8], one.columns["row"], str(one.columns["seed"]))
            table.add_row(*map(Text, (*shown, gap, one.columns["model"] or "", size)))
        console().print(table)


@models.command("export")
def models_export(
    model: Fingerprint = None,
    results: Where = "results",
    study: OneStudy = None,
    method: Annotated[
        str | None, typer.Option(metavar="ROW", help='The row of the table, such as salun or "salun random mask".')
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The training seed.")] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="ID", help="The scenario's fingerprint, or the beginning of it.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file of the weights; a .json of the same name says what they are.")
    ] = Path("model.safetensors"),
    as_json: Json = False,
) -> None:
    """Write the weights of one model, and what it is.

    The weights have the network's own names, as safetensors; a JSON file beside them has setting, network and measures.
    A model that was not kept is made again in this process, from its setting and its original, which takes as long as
    unlearning did.
    """
    from safetensors.torch import save

    from lethe.pipeline.models import confirmed_models, exported, only
    from lethe.storage.hashing import digest
    from lethe.storage.root import StorageRoot

    with answering("models export", as_json=as_json) as answer:
        check_output(out, "model.safetensors")
        sidecar = out.with_suffix(".json")
        if sidecar == out:
            raise InputError(f"--out {out}: its .json says what the model is; wanted a name such as model.safetensors")
        wanted = {"model": model, "row": method, "seed": seed, "scenario": scenario, "study": study}
        if all(value is None for value in wanted.values()):
            raise InputError("name a model: its fingerprint (`lethe models list`), or --study, --method and --seed")
        root = StorageRoot.at(results)
        export = exported(root, only(confirmed_models(root, study), wanted))
        if export.note:
            stderr(export.note)
        content = save({name: value.contiguous() for name, value in export.weights.items()})
        facts = {"weights": out.name, "sha256": digest(content), **export.facts}
        write_output(out, content)
        write_output(sidecar, (json.dumps(facts, indent=1) + "\n").encode())
        if as_json:
            answer({"file": str(out), "sidecar": str(sidecar), **facts})
        else:
            echo(f"{out}: {len(content) / 1e6:.1f} MB; {sidecar}: its setting and measures")
